"""Captures for other tools. Files appear whole or not at all."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hil.captures.blf import BlfEncoder
from hil.files import atomic_path
from hil.frames import ERROR, EXTENDED, REMOTE, TRANSMITTED, PlainFrame, bytes_from_payload

SOCKETCAN_ERROR = 0x2000_0000  # how candump marks an error frame in the identifier


def write_candump(target: Path, frames: Any, channels: Sequence[str], start: float = 0.0) -> None:
    """Write ``frames`` (a recarray of hil.frames.FRAME) as a log of candump, times in whole microseconds after ``start`` [s].

    ``channels`` names the buses. Frames of the logging tool itself end in T, as python-can and candump -x have it.
    Raises UsageError if the file cannot be written.
    """
    offset = round(start * 1e6)  # [us]
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(candump_line(item, channels[item.bus], offset) for item in items(frames))


def candump_line(item: PlainFrame, channel: str, offset: int) -> str:
    """One line of the log, at the time of the frame plus ``offset`` [us]."""
    seconds, microseconds = divmod((item.time + 500) // 1000 + offset, 1_000_000)
    if item.kind & REMOTE:
        content = f"R{item.length}"
    else:
        content = bytes_from_payload(item.payload, item.length).hex().upper()
    if item.kind & ERROR:
        identifier = f"{item.identifier | SOCKETCAN_ERROR:08X}"
    else:
        identifier = f"{item.identifier:08X}" if item.kind & EXTENDED else f"{item.identifier:03X}"
    end = " T\n" if item.kind & TRANSMITTED else "\n"
    return f"({seconds}.{microseconds:06d}) {channel} {identifier}#{content}{end}"


def write_blf(target: Path, frames: Any, channels: Sequence[str], start: float = 0.0) -> None:
    """Write ``frames`` (a recarray of hil.frames.FRAME) as Vector BLF, times after ``start`` [s].

    BLF numbers its channels from 1: bus 0 is channel 1. Raises UsageError if the file cannot be written.
    """
    if len(frames) and int(frames.bus.max()) >= len(channels):
        raise ValueError(f"bus {frames.bus.max()} has no name in {tuple(channels)}")
    encoder = BlfEncoder(round(start * 1e9))
    containers = encoder.encode(frames)
    with atomic_path(target) as temporary:
        temporary.write_bytes(encoder.header() + containers)


def python_can_message(item: PlainFrame, start: float) -> Any:
    """A message of python-can, with its time after ``start`` [s] and channels from 0."""
    import can

    return can.Message(
        timestamp=start + item.time / 1e9,
        arbitration_id=item.identifier,
        is_extended_id=bool(item.kind & EXTENDED),
        is_error_frame=bool(item.kind & ERROR),
        is_remote_frame=bool(item.kind & REMOTE),
        is_rx=not item.kind & TRANSMITTED,
        channel=item.bus,
        dlc=item.length,
        data=bytes_from_payload(item.payload, item.length),
    )


def items(frames: Any) -> Iterator[PlainFrame]:
    """The frames one by one."""
    columns = (frames[name].tolist() for name in PlainFrame._fields)
    return map(PlainFrame._make, zip(*columns, strict=True))
