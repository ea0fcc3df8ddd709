"""Recordings to read: frames in use of all their bits, as text and in the formats of python-can; and frames as plain numbers."""

import can
import numpy as np

from hil.frames import bytes_from_payload, new_frames, payload_from_bytes

NOON = 1_700_000_000.0  # [s] 14 November 2023, 22:13:20 UTC
EXTENDED, ERROR, REMOTE, TRANSMITTED = 1, 2, 4, 8


def rows(capture):
    """Frames as plain numbers: time [us], channel, identifier, data, kind."""
    return [
        (
            int(frame.time) // 1000,
            capture.channels[frame.bus],
            int(frame.identifier),
            bytes_from_payload(frame.payload, frame.length).hex(),
            int(frame.kind),
        )
        for frame in capture.frames
    ]


def leaf_frames(count=60, kinds=(0,)):
    """Frames of two buses 0.3 ms apart, of every length, all bits in use."""
    rng = np.random.default_rng(1)
    frames = new_frames(count)
    for index in range(count):
        frame = frames[index]
        frame.kind = kinds[index % len(kinds)]
        frame.time = index * 300_000
        frame.identifier = 0x18DA10F1 if frame.kind & EXTENDED else 0x1D4 + index % 12
        frame.bus = index % 2
        frame.length = 0 if frame.kind & (ERROR | REMOTE) else index % 9
        frame.payload = payload_from_bytes(rng.bytes(int(frame.length)))
    return frames


def messages(frames, start=NOON):
    """The same frames as python-can has them."""
    return [
        can.Message(
            timestamp=start + int(frame.time) / 1e9,
            arbitration_id=int(frame.identifier),
            is_extended_id=bool(frame.kind & EXTENDED),
            is_error_frame=bool(frame.kind & ERROR),
            is_remote_frame=bool(frame.kind & REMOTE),
            is_rx=not frame.kind & TRANSMITTED,
            channel=int(frame.bus),
            dlc=int(frame.length),
            data=bytes_from_payload(frame.payload, frame.length),
        )
        for frame in frames
    ]


def log_with(path, frames, **options):
    """A log of python-can, in the format of the suffix."""
    with can.Logger(path, **options) as logger:
        for message in messages(frames):
            logger.on_message_received(message)
    return path


def assert_same(frames, expected, fields=("time", "payload", "identifier", "bus", "length", "kind")):
    assert len(frames) == len(expected)
    for field in fields:
        np.testing.assert_array_equal(frames[field], expected[field], err_msg=field)


def candump_at(*seconds):
    """A log with a frame at each of these times."""
    return "".join(f"({time:.6f}) can0 1DB#{index % 256:02X}\n" for index, time in enumerate(seconds))
