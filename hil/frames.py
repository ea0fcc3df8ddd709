"""A CAN frame as kernels and files pass it on.

The payload is one unsigned 64-bit number whose lowest byte is byte 0 of the frame; bytes beyond ``length`` are zero.
Time is a whole number of nanoseconds, so that every time of a run is exact.
"""

from collections.abc import Iterable
from enum import IntFlag
from typing import Any, NamedTuple

import numpy as np

FRAME: np.dtype[Any] = np.dtype(
    (
        np.record,
        np.dtype(
            [
                ("time", "i8"),  # [ns]
                ("payload", "u8"),
                ("identifier", "u4"),
                ("bus", "u1"),  # index of the bus in the network, in its order
                ("length", "u1"),  # [bytes] 0 to 8
                ("kind", "u1"),  # FrameFlags; not "flags", which numpy records already have
                ("sender", "u1"),  # index of the sending node, in lockstep and real time
            ],
            align=True,
        ),
    )
)


class FrameFlags(IntFlag):
    """What a frame is beside its data."""

    EXTENDED = 1  # 29-bit identifier
    ERROR = 2
    REMOTE = 4
    TRANSMITTED = 8  # written by the logging tool itself


EXTENDED, ERROR, REMOTE, TRANSMITTED = (int(flag) for flag in FrameFlags)  # plain numbers are several times as fast
EXTENDED_KEY = 1 << 32  # marks a 29-bit identifier in the keys of tables


class PlainFrame(NamedTuple):
    """One frame in Python's own numbers, which are several times as fast as fields of a record; named as there."""

    time: int  # [ns]
    payload: int
    identifier: int
    bus: int
    length: int  # [bytes]
    kind: int  # FrameFlags


def new_frames(count: int) -> Any:
    """A recarray of ``count`` empty frames."""
    return np.zeros(count, dtype=FRAME).view(np.recarray)


def frames_of(plain: Iterable[PlainFrame]) -> Any:
    """A recarray of plain frames."""
    rows = list(plain)
    frames = new_frames(len(rows))
    for name, column in zip(PlainFrame._fields, zip(*rows, strict=True), strict=False):  # no columns without rows
        frames[name] = column
    return frames


def frame_key(identifier: int, extended: int) -> int:
    """One number for identifier and format."""
    return identifier | EXTENDED_KEY if extended else identifier


def payload_from_bytes(data: bytes) -> int:
    """The payload number of up to eight bytes."""
    return int.from_bytes(data, "little")


def bytes_from_payload(payload: int, length: int) -> bytes:
    """The first ``length`` bytes of a payload number."""
    return int(payload).to_bytes(8, "little")[:length]
