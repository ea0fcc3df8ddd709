"""From the frames in the order of a file to a capture: order, times, channels, and what the user has to know."""

import re
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from hil.captures.capture import Capture, Jump
from hil.errors import UsageError
from hil.frames import FrameFlags, new_frames, payload_from_bytes

SECOND = 1_000_000_000  # [ns]
LONGEST_PAUSE = 5 * SECOND  # [ns] of a clock that did not leap
LONGEST_DELAY = 10_000_000  # [ns] by which an adapter delivers one bus later than another: below the shortest raster of a car
FRAME_SPACING = 250_000  # [ns] what a frame of eight bytes takes at 500 kbit/s: the spacing where a file has no times
TYPICAL_DISTANCE = SECOND  # [ns] frames of a car are closer together than this
FEWEST_DISTANCES = 20  # frames that tell distances from a clock
MOST_BYTES = 8  # of a classic CAN frame
MOST_CHANNELS = 256  # that the field bus of a frame can number
LISTED_JUMPS = 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAUSIBLE_CLOCK = range(946_684_800 * SECOND, 4_102_444_800 * SECOND)  # [ns] 2000 to 2100: other times count from a power-on


class LoggedFrame(NamedTuple):
    """One frame as a line or a record of a file has it."""

    time: int | None  # [ns] None: the file has no times
    channel: str
    identifier: int
    length: int  # [bytes] above 8 for CAN FD; of a remote frame what it asks for
    data: bytes
    kind: int  # FrameFlags


class Recording:
    """What a reader finds in a file, in the file's order."""

    def __init__(self, place: str = "line"):
        self.place = place  # what the file is counted in, for messages
        self.frames: list[LoggedFrame] = []
        self.places: list[int] = []  # of each frame, from 1
        self.unreadable: list[tuple[int, str]] = []  # line, text
        self.long_frames = 0
        self.distances = False  # times count from the frame before
        self.damage = ""  # why reading ended before the file did
        self.notes: list[str] = []

    def add(self, frame: LoggedFrame, place: int) -> None:
        """Take a frame up, or count it where classic CAN cannot hold it."""
        if frame.length > MOST_BYTES:
            self.long_frames += 1
            return
        self.frames.append(frame)
        self.places.append(place)

    def leave_out_cut_line(self, line: int, states_length: bool) -> None:
        """Drop what the last line gave, if it is half a line: a logger that loses power ends its file without a newline."""
        if self.unreadable and self.unreadable[-1][0] == line:
            self.unreadable.pop()
        elif not states_length and self.places and self.places[-1] == line and self._last_is_shortened():
            self.frames.pop()
            self.places.pop()
        else:
            return
        self.notes.append(f"The last line (line {line}) is cut off and was left out.")

    def _last_is_shortened(self) -> bool:
        last = self.frames[-1]
        same = (frame for frame in reversed(self.frames) if frame is not last and frame.identifier == last.identifier)
        before = next(same, last)
        return last.length < before.length

    def capture(self, path: Path, format_name: str) -> Capture:
        """The frames in order of time. Raises UsageError if there is none, or too many channels to be true."""
        if not self.frames:
            raise UsageError(self._why_empty(path, format_name))
        has_times = self.frames[0].time is not None
        times = self._ordered_times() if has_times else [index * FRAME_SPACING for index in range(len(self.frames))]
        steady, jumps, delayed = close_jumps(times)
        channels = tuple(sorted({frame.channel for frame in self.frames}, key=natural_order))
        if len(channels) > MOST_CHANNELS:
            raise UsageError(f"{path} looks like {format_name}, but names {len(channels)} channels; the file is damaged")
        records = to_records(self.frames, steady, channels)
        return Capture(
            path=path,
            format=format_name,
            frames=records,
            channels=channels,
            notes=(*self._notes(records.kind, has_times), *self._time_notes(jumps, delayed)),
            has_times=has_times,
            start=EPOCH + timedelta(microseconds=times[0] // 1000) if times[0] in PLAUSIBLE_CLOCK else None,
            jumps=tuple(jumps),
        )

    def _ordered_times(self) -> list[int]:
        """The recorded times, oldest first [ns]; turns the frames round if they are the other way."""
        times = [frame.time for frame in self.frames if frame.time is not None]
        if self.distances or are_distances(times):
            self.notes.append("The times are distances from frame to frame; they were added up.")
            return list(accumulate(times))
        if is_newest_first(times):
            self.notes.append("The file is newest first; its order was turned round.")
            self.frames.reverse()
            self.places.reverse()
            times.reverse()
        return times

    def _why_empty(self, path: Path, format_name: str) -> str:
        if self.damage:
            return f"{path} is a damaged {format_name} file, no frame can be read: {self.damage}"
        if self.long_frames:
            return f"{path} ({format_name}) holds only CAN FD frames of more than 8 bytes; expected frames of classic CAN"
        if self.unreadable:
            line, text = self.unreadable[0]
            return f"{path} looks like {format_name}, but no line can be read; the first is line {line}: {text[:60]!r}"
        return f"{path} is {format_name} with a header but no frames; record again"

    def _notes(self, kinds: Any, has_times: bool) -> list[str]:
        notes = list(self.notes)
        if self.unreadable:
            line, text = self.unreadable[0]
            notes.append(f"{plural(len(self.unreadable), 'line')} could not be read; the first is line {line}: {text[:60]!r}.")
        if self.damage:
            notes.append(f"The file is damaged after {self.place} {self.places[-1]}; what follows is lost ({self.damage}).")
        if self.long_frames:
            notes.append(f"{plural(self.long_frames, 'CAN FD frame')} of more than 8 bytes left out.")
        for flag, name in ((FrameFlags.ERROR, "error frame"), (FrameFlags.REMOTE, "remote frame")):
            if count := int(np.count_nonzero(kinds & int(flag))):
                notes.append(f"{plural(count, name)} kept, marked by their kind.")
        if not has_times:
            notes.append(f"The file holds no times; the frames are spaced {FRAME_SPACING / 1e6} ms apart in its order.")
        return notes

    def _time_notes(self, jumps: list[Jump], delayed: int) -> list[str]:
        notes = [
            f"The time jumps {'back' if jump.seconds < 0 else 'ahead'} by {abs(jump.seconds):.3f} s "
            f"at {self.place} {self.places[jump.frame]}; the gap was closed."
            for jump in jumps[:LISTED_JUMPS]
        ]
        if len(jumps) > LISTED_JUMPS:
            notes.append(f"The time jumps {len(jumps) - LISTED_JUMPS} more times; these gaps were closed, too.")
        if delayed:
            notes.append(
                f"{plural(delayed, 'frame')} late by up to {LONGEST_DELAY / 1e6:g} ms, set to the time of the one before."
            )
        return notes


def is_newest_first(times: list[int]) -> bool:
    """Whether nine of ten steps go back. A single jump back does not make a file reversed."""
    steps = [after - before for before, after in pairwise(times) if after != before]
    return 10 * sum(step < 0 for step in steps) > 9 * len(steps)


def are_distances(times: list[int]) -> bool:
    """Whether the times count from the frame before, as in ``candump -t d``: short, and often less than the one before."""
    backward = sum(after < before for before, after in pairwise(times)) / len(times)
    return len(times) >= FEWEST_DISTANCES and min(times) >= 0 and median(times) < TYPICAL_DISTANCE and 0.2 < backward < 0.8


def close_jumps(times: list[int]) -> tuple[list[int], list[Jump], int]:
    """Times [ns] from 0 that never go back, the jumps taken out of them, and how many late frames were moved.

    A frame that is late by no more than ``LONGEST_DELAY`` comes from another bus of the same adapter: it takes the time of the
    frame before. Anything else that goes back, or a pause beyond ``LONGEST_PAUSE``, is a jump.
    """
    distances = [step for before, after in pairwise(times) if 0 < (step := after - before) <= LONGEST_PAUSE]
    typical = int(median(distances)) if distances else FRAME_SPACING
    steady, jumps, delayed = [], [], 0
    latest, shift = times[0], -times[0]
    for index, time in enumerate(times):
        step = time - latest
        if step < -LONGEST_DELAY or step > LONGEST_PAUSE:
            jumps.append(Jump(index, (step - typical) / SECOND))
            shift += typical - step
            latest = time
        elif step < 0:
            delayed += 1
        else:
            latest = time
        steady.append(latest + shift)
    return steady, jumps, delayed


def to_records(frames: list[LoggedFrame], times: list[int], channels: tuple[str, ...]) -> Any:
    """A recarray of hil.frames.FRAME."""
    bus = {name: index for index, name in enumerate(channels)}
    records = new_frames(len(frames))
    _, channel, identifier, length, data, kind = zip(*frames, strict=True)
    records.time = times
    records.payload = [payload_from_bytes(item) for item in data]
    records.identifier = identifier
    records.bus = [bus[name] for name in channel]
    records.length = length
    records.kind = kind
    return records


def natural_order(name: str) -> list[str | int]:
    """Sorting key that puts can10 after can2."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", name))]


def plural(count: int, noun: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
