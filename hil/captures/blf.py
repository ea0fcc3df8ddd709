"""Vector BLF, written in batches, so that the file is complete after each of them.

A file is a header and containers of compressed objects. The layout of both is that of python-can's writer, which reads them; here
a batch of frames is laid out by numpy at once, each batch ends its container, and the header can be told again at any time. That
of python-can is told at the end, and holds the start time: a file that was not closed has lost it.
"""

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hil.frames import ERROR, EXTENDED, FRAME, REMOTE, TRANSMITTED, new_frames

HEADER = struct.Struct("<4sL8BQQLL8H8H72x")  # 144 bytes
VERSION = (5, 0, 0, 0, 2, 6, 8, 1)  # of the application, and of the format
OBJECT = struct.Struct("<4sHHLL")  # signature, size of this header, its version, size of the object, its type
CONTAINER = struct.Struct("<H6xL4x")  # compression, uncompressed size
CONTAINER_TYPE, MESSAGE_TYPE, ERROR_TYPE = 10, 1, 73
DEFLATE, COMPRESSION_LEVEL = 2, 1  # the fastest: a live recording must not take the processor from others
MOST_OBJECTS = 2048  # in a container; Vector's hold 128 kB
NANOSECONDS = 2  # unit of the times of objects
HEAD = [
    ("signature", "S4"), ("header_size", "<u2"), ("header_version", "<u2"), ("size", "<u4"), ("type", "<u4"),
    ("unit", "<u4"), ("client", "<u2"), ("version", "<u2"), ("time", "<u8"),
]  # fmt: skip
MESSAGE_OBJECT = np.dtype([*HEAD, ("channel", "<u2"), ("kind", "u1"), ("dlc", "u1"), ("identifier", "<u4"), ("payload", "<u8")])
ERROR_OBJECT = np.dtype(
    [
        *HEAD, ("channel", "<u2"), ("error", "V8"), ("dlc", "u1"), ("frame", "V5"), ("identifier", "<u4"), ("more", "V4"),
        ("payload", "<u8"),
    ]
)  # fmt: skip
EXTENDED_BIT, REMOTE_KIND, TRANSMITTED_KIND = 0x8000_0000, 0x80, 0x01
MILLISECOND = 1_000_000  # [ns]
NINETEEN_NINETY = 631_152_000_000_000_000  # [ns since 1970]


class BlfEncoder:
    """One file: its containers, and its header as it is by now. ``start`` [ns since 1970] is time 0 of the frames."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._first: int | None = None  # [ns] time 0 of the objects; the header holds milliseconds
        self._last = 0
        self._objects = 0
        self._size = self._unpacked = HEADER.size

    def header(self) -> bytes:
        """The header of the file as far as it is encoded."""
        times = (*system_time(self._first), *system_time(self._last))
        return HEADER.pack(b"LOGG", HEADER.size, *VERSION, self._size, self._unpacked, self._objects, 0, *times)

    def footer(self) -> bytes:
        """Nothing: a file ends with any container."""
        return b""

    def encode(self, frames: Any) -> bytes:
        """Containers with ``frames`` (of hil.frames.FRAME), bus 0 as channel 1."""
        if not len(frames):
            return b""
        if self._first is None:
            self._first = (int(frames["time"][0]) + self._start) // MILLISECOND * MILLISECOND
        self._last = int(frames["time"][-1]) + self._start
        is_error = (frames["kind"] & ERROR) != 0
        turns = np.flatnonzero(np.diff(is_error)) + 1
        containers = []
        for run in np.split(frames, turns):  # a container holds objects of one type
            for begin in range(0, len(run), MOST_OBJECTS):
                containers.append(self._container(run[begin : begin + MOST_OBJECTS]))
        return b"".join(containers)

    def _container(self, frames: Any) -> bytes:
        error = bool(frames["kind"][0] & ERROR)
        objects = np.zeros(len(frames), dtype=ERROR_OBJECT if error else MESSAGE_OBJECT)
        objects["signature"], objects["header_size"], objects["header_version"] = b"LOBJ", 32, 1
        objects["size"], objects["type"] = objects.itemsize, ERROR_TYPE if error else MESSAGE_TYPE
        objects["unit"] = NANOSECONDS
        objects["time"] = np.maximum(frames["time"] + (self._start - (self._first or 0)), 0)
        objects["channel"] = frames["bus"].astype(np.uint16) + 1
        objects["dlc"] = frames["length"]
        objects["payload"] = frames["payload"]
        kind = frames["kind"]
        objects["identifier"] = frames["identifier"] | np.where(kind & EXTENDED, np.uint32(EXTENDED_BIT), np.uint32(0))
        if not error:
            objects["kind"] = np.where(kind & REMOTE, REMOTE_KIND, 0) | np.where(kind & TRANSMITTED, TRANSMITTED_KIND, 0)
        packed = zlib.compress(objects.tobytes(), COMPRESSION_LEVEL)
        size = OBJECT.size + CONTAINER.size + len(packed)
        padding = size % 4  # not what would align it, but what BLF has
        self._objects += len(frames)
        self._size += size + padding
        self._unpacked += OBJECT.size + CONTAINER.size + objects.nbytes
        head = OBJECT.pack(b"LOBJ", OBJECT.size, 1, size, CONTAINER_TYPE) + CONTAINER.pack(DEFLATE, objects.nbytes)
        return head + packed + bytes(padding)


def read_own_blf(path: Path) -> tuple[Any, int]:
    """The frames of a file that this module has written, and their time 0 [ns since 1970]; up to the last whole container."""
    content = path.read_bytes()
    year, month, _, day, hour, minute, second, millisecond = HEADER.unpack_from(content)[-16:-8]
    start = datetime(year, month, day, hour, minute, second, millisecond * 1000, UTC).timestamp() if year else 0.0
    parts, position = [new_frames(0)], HEADER.size
    while position + OBJECT.size <= len(content):
        _, _, _, size, _ = OBJECT.unpack_from(content, position)
        if position + size > len(content):
            break
        data = zlib.decompress(content[position + OBJECT.size + CONTAINER.size : position + size])
        parts.append(frames_of(data))
        position += size + size % 4
    return np.concatenate(parts).view(np.recarray), round(start * 1000) * MILLISECOND


def frames_of(data: bytes) -> Any:
    """The frames of an unpacked container."""
    error = OBJECT.unpack_from(data)[4] == ERROR_TYPE
    objects = np.frombuffer(data, dtype=ERROR_OBJECT if error else MESSAGE_OBJECT)
    frames = np.zeros(len(objects), dtype=FRAME)
    for name, source in (("time", "time"), ("payload", "payload"), ("length", "dlc")):
        frames[name] = objects[source]
    frames["bus"] = objects["channel"] - 1
    frames["identifier"] = objects["identifier"] & ~np.uint32(EXTENDED_BIT)
    frames["kind"] = np.where(objects["identifier"] & EXTENDED_BIT, EXTENDED, 0) | (ERROR if error else 0)
    if not error:
        frames["kind"] |= np.where(objects["kind"] & REMOTE_KIND, REMOTE, 0).astype(np.uint8)
        frames["kind"] |= np.where(objects["kind"] & TRANSMITTED_KIND, TRANSMITTED, 0).astype(np.uint8)
    return frames


def system_time(nanoseconds: int | None) -> tuple[int, ...]:
    """A time since 1970 as BLF has it: year, month, day of the week, day, hour, minute, second, millisecond.

    Times before 1990 count from something else, and are not told.
    """
    if nanoseconds is None or nanoseconds < NINETEEN_NINETY:
        return (0,) * 8
    moment = datetime.fromtimestamp(nanoseconds // MILLISECOND / 1000, UTC)
    weekday = moment.isoweekday() % 7
    return (
        moment.year, moment.month, weekday, moment.day, moment.hour, moment.minute, moment.second,
        round(moment.microsecond / 1000),
    )  # fmt: skip
