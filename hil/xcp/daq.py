"""Data acquisition: what a master has asked to be told, and the frames of it.

Lists are allocated dynamically. A list's first frame begins with its absolute number (PID), and with the time of the sample if
that was asked for; the other frames follow at once. All of one sample are of one period of the loop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firmware_model.kernel.records import words_of
from hil.xcp.commands import Error, XcpError
from hil.xcp.events import RASTERS
from hil.xcp.memory import MEASURED, SEGMENTS, Segment, find

MAX_DTO = 8  # bytes of a frame
TIMESTAMP = 4  # bytes
TICK = 1000  # [ns] of a timestamp
LISTS_MOST, FRAMES_MOST, ENTRIES_MOST = 32, 240, 7  # lists; frames of all lists, by PID; entries of one frame


@dataclass(frozen=True)
class Entry:
    """Some bytes of a record."""

    segment: Segment
    offset: int  # [bytes]
    size: int


@dataclass
class Frame:
    """One ODT: what is in one frame."""

    entries: list[Entry | None] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of data."""
        return sum(entry.size for entry in self.entries if entry)


@dataclass
class DaqList:
    """One list of frames that go out together."""

    frames: list[Frame] = field(default_factory=list)
    event: int = 0
    prescaler: int = 1
    priority: int = 0
    timestamped: bool = False
    selected: bool = False
    running: bool = False
    first_pid: int = 0
    served: int = -1  # number of the raster that was sent last

    @property
    def mode(self) -> int:
        """As GET_DAQ_LIST_MODE tells it."""
        return (0x01 if self.selected else 0) | (0x10 if self.timestamped else 0) | (0x40 if self.running else 0)

    def check(self) -> None:
        """Raise XcpError unless every entry was written and every frame has room for its data."""
        if not self.frames or any(entry is None for frame in self.frames for entry in frame.entries):
            raise XcpError(Error.DAQ_CONFIG)
        for number, frame in enumerate(self.frames):
            header = 1 + (TIMESTAMP if self.timestamped and number == 0 else 0)
            if header + frame.size > MAX_DTO:
                raise XcpError(Error.DAQ_CONFIG)


class DataAcquisition:
    """The lists of one master; ``ask`` tells the loop which raster it is to sample [ns], 0 for none."""

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._ask = ask
        self.lists: list[DaqList] = []
        self._pointer: tuple[Frame, int] | None = None

    @property
    def is_running(self) -> bool:
        """Whether any list is."""
        return any(one.running for one in self.lists)

    def find(self, number: int) -> DaqList:
        """A list by its number. Raises XcpError."""
        if number >= len(self.lists):
            raise XcpError(Error.OUT_OF_RANGE)
        return self.lists[number]

    # --- configuration ----------------------------------------------------------------------------------------------------

    def free(self) -> None:
        """Stop and forget all lists."""
        self.stop_all()
        self.lists, self._pointer = [], None

    def allocate_lists(self, count: int) -> None:
        """Make ``count`` lists more. Raises XcpError."""
        self._require_idle()
        if any(one.frames for one in self.lists):
            raise XcpError(Error.SEQUENCE)
        if len(self.lists) + count > LISTS_MOST:
            raise XcpError(Error.MEMORY_OVERFLOW)
        self.lists += [DaqList() for _ in range(count)]

    def allocate_frames(self, number: int, count: int) -> None:
        """Give a list ``count`` frames more. Raises XcpError."""
        self._require_idle()
        one = self.find(number)
        if any(frame.entries for other in self.lists for frame in other.frames):
            raise XcpError(Error.SEQUENCE)
        if sum(len(other.frames) for other in self.lists) + count > FRAMES_MOST:
            raise XcpError(Error.MEMORY_OVERFLOW)
        one.frames += [Frame() for _ in range(count)]
        first = 0
        for other in self.lists:
            other.first_pid = first
            first += len(other.frames)

    def allocate_entries(self, number: int, frame: int, count: int) -> None:
        """Give a frame ``count`` entries more. Raises XcpError."""
        self._require_idle()
        found = self._frame(number, frame)
        if len(found.entries) + count > ENTRIES_MOST:
            raise XcpError(Error.MEMORY_OVERFLOW)
        found.entries += [None] * count

    def clear(self, number: int) -> None:
        """Empty the entries of a list. Raises XcpError."""
        self._require_idle()
        for frame in self.find(number).frames:
            frame.entries = [None] * len(frame.entries)

    def point(self, number: int, frame: int, entry: int) -> None:
        """The next entry that is written. Raises XcpError."""
        self._require_idle()
        found = self._frame(number, frame)
        if entry >= len(found.entries):
            raise XcpError(Error.OUT_OF_RANGE)
        self._pointer = found, entry

    def write(self, bit: int, size: int, extension: int, address: int) -> None:
        """Fill the entry that is pointed at, and point at the next one. Raises XcpError."""
        self._require_idle()
        if self._pointer is None:
            raise XcpError(Error.SEQUENCE)
        frame, place = self._pointer
        if place >= len(frame.entries):
            raise XcpError(Error.OUT_OF_RANGE)
        frame.entries[place] = self._entry(bit, size, extension, address)
        self._pointer = frame, place + 1

    def read(self) -> tuple[int, int]:
        """Size and address of the entry that is pointed at; points at the next one. Raises XcpError."""
        if self._pointer is None:
            raise XcpError(Error.SEQUENCE)
        frame, place = self._pointer
        entry = frame.entries[place] if place < len(frame.entries) else None
        if entry is None:
            raise XcpError(Error.OUT_OF_RANGE)
        self._pointer = frame, place + 1
        return entry.size, entry.segment.address + entry.offset

    def _entry(self, bit: int, size: int, extension: int, address: int) -> Entry:
        if bit != 0xFF or extension or not 0 < size < MAX_DTO:
            raise XcpError(Error.OUT_OF_RANGE)
        try:
            segment, offset = find(address, size)
        except LookupError as error:
            raise XcpError(Error.OUT_OF_RANGE) from error
        if segment.array not in MEASURED:
            raise XcpError(Error.ACCESS_DENIED)
        return Entry(segment, offset, size)

    def set_mode(self, number: int, mode: int, event: int, prescaler: int, priority: int) -> None:
        """When a list is sent. Raises XcpError."""
        one = self.find(number)
        if one.running:
            raise XcpError(Error.DAQ_ACTIVE)
        if mode & ~0x10:
            raise XcpError(Error.MODE_NOT_VALID)
        if event >= len(RASTERS) or prescaler < 1:
            raise XcpError(Error.OUT_OF_RANGE)
        one.timestamped, one.event, one.prescaler, one.priority = bool(mode & 0x10), event, prescaler, priority

    def _frame(self, number: int, frame: int) -> Frame:
        frames = self.find(number).frames
        if frame >= len(frames):
            raise XcpError(Error.OUT_OF_RANGE)
        return frames[frame]

    def _require_idle(self) -> None:
        if self.is_running:
            raise XcpError(Error.DAQ_ACTIVE)

    # --- running ----------------------------------------------------------------------------------------------------------

    def start(self, one: DaqList) -> None:
        """Start a list. Raises XcpError."""
        one.check()
        one.running, one.selected, one.served = True, False, -1
        self._ask_again()

    def select(self, one: DaqList) -> None:
        """Choose a list to be started or stopped together with others. Raises XcpError."""
        one.check()
        one.selected = True

    def stop(self, one: DaqList) -> None:
        """Stop a list."""
        one.running = one.selected = False
        self._ask_again()

    def start_selected(self) -> None:
        """Start all lists that were chosen."""
        for one in self.lists:
            if one.selected:
                self.start(one)

    def stop_selected(self) -> None:
        """Stop all lists that were chosen."""
        for one in self.lists:
            if one.selected:
                self.stop(one)

    def stop_all(self) -> None:
        """Stop all lists."""
        for one in self.lists:
            one.running = one.selected = False
        self._ask_again()

    def _ask_again(self) -> None:
        self._ask(min((RASTERS[one.event] for one in self.lists if one.running), default=0))

    def frames(self, samples: Any) -> list[list[bytes]]:
        """What the running lists send for samples of the loop (time [ns] and records), by time; the frames of each sample."""
        images: dict[str, Any] = {}
        due: list[tuple[int, int, list[bytes]]] = []
        for one in sorted((one for one in self.lists if one.running), key=lambda one: one.priority, reverse=True):
            chosen = self._due(one, samples["time"])
            if len(chosen):
                packed = list(self._packed(one, samples, chosen, images))
                due += [(int(row), len(due), [frame[k] for frame in packed]) for k, row in enumerate(chosen)]
        return [frames for _, _, frames in sorted(due, key=lambda item: item[:2])]

    def _due(self, one: DaqList, times: Any) -> Any:
        """Which samples are of the list's raster."""
        numbers = times // (RASTERS[one.event] * one.prescaler)
        new = np.flatnonzero(np.diff(numbers, prepend=one.served) > 0)
        if len(numbers):
            one.served = int(numbers[-1])
        return new

    def _packed(self, one: DaqList, samples: Any, chosen: Any, images: dict[str, Any]) -> Iterator[list[bytes]]:
        """Of each frame of a list its bytes for all chosen samples."""
        for number, frame in enumerate(one.frames):
            parts = [np.full((len(chosen), 1), one.first_pid + number, dtype=np.uint8)]
            if one.timestamped and number == 0:
                ticks = (samples["time"][chosen] // TICK & 0xFFFF_FFFF).astype("<u4")
                parts.append(ticks.view(np.uint8).reshape(-1, TIMESTAMP))
            for entry in frame.entries:
                assert entry
                if entry.segment.array not in images:
                    images[entry.segment.array] = _image(entry.segment, samples)
                image = images[entry.segment.array]
                parts.append(image[chosen, entry.offset : entry.offset + entry.size])
            yield [row.tobytes() for row in np.concatenate(parts, axis=1)]


def _image(segment: Segment, samples: Any) -> Any:
    """A segment of all samples as a master sees it: uint8 (samples, size)."""
    records = np.ascontiguousarray(samples[segment.array])
    return SEGMENTS[segment.array].image(words_of(records).reshape(len(samples), -1))
