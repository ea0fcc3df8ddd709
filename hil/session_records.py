"""What a session is told, and what it tells: settings, events, counters, load."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hil.bus_state import BusState
from hil.frames import ERROR, EXTENDED, REMOTE
from hil.wire import FRAME_BITS

LOAD_SPAN = 1.0  # [s] over which the bus load is taken


@dataclass(frozen=True)
class SessionSettings:
    """Times of a session [s]."""

    retry_first: float = 0.1  # from losing the bus to the first attempt to open it; doubles from attempt to attempt
    retry_last: float = 5.0
    silence: float = 1.0  # without a frame, until the bus counts as silent
    stale: float = 0.1  # after its due time a frame is discarded: what was blocked is never sent in a burst
    no_acknowledge: float = 0.2  # of a full transmit queue, until it is taken for missing acknowledgement
    hang: float = 1.0  # of one call into the driver, until the bus counts as lost

    @property
    def silence_text(self) -> str:
        """What the operator is told of a silent bus."""
        return (
            f"has been silent for {self.silence:g} s: nothing is received; "
            "look for the other side's power, the wiring and the bitrate"
        )


def lost_text(state: BusState, why: str, *, returns: bool) -> str:
    """What the operator is told of a bus that is LOST or BUS_OFF; ``returns``: somebody tries to open it again."""
    again = "it is opened again as soon as it is back" if returns else "it stays closed"
    return f"is {'bus-off' if state == BusState.BUS_OFF else 'lost'}, {again}: {why}"


def foreign_text(identifier: int, extended: int) -> str:
    """What the operator is told when the first frame comes that somebody else sends, too."""
    text = identifier_text(identifier, extended)
    return f"somebody else sends frames of this station, {text} first: they are left out; find the other one and end it"


def identifier_text(identifier: int, extended: int) -> str:
    """An identifier as people write it."""
    return f"{identifier:08X}" if extended else f"{identifier:03X}"


class SessionEvent(NamedTuple):
    """What the operator is to know, said once."""

    time: int  # [ns] from the origin
    state: BusState
    text: str  # one line


@dataclass
class Counters:
    """Frames, unless said otherwise."""

    received: int = 0
    sent: int = 0
    discarded: int = 0  # due while the bus was not open
    late: int = 0  # discarded because the driver had blocked until long after they were due
    refused: int = 0  # not in the list of allowed frames
    foreign: int = 0  # received, though only this station may send them
    rejected: int = 0  # not taken by the driver: its queue is full
    unreadable: int = 0  # torn lines, and frames that contradict themselves
    stale: int = 0  # found waiting in the driver after opening, thrown away
    error_frames: int = 0
    connections: int = 0  # times the bus was opened
    losses: int = 0  # times the bus was lost
    attempts: int = 0  # to open it, since it was lost
    abandoned: int = 0  # threads left behind in a driver that did not return


class Deviations:
    """Histogram of how long after its due time each frame was with the driver: 10 µs bins up to 50 ms.

    In Python's own list: the call of a kernel that fills hil.histogram costs more than the frame may.
    """

    WIDTH = 10_000  # [ns]
    BINS = 5_000

    def __init__(self) -> None:
        self.counts = [0] * (self.BINS + 1)
        self.worst = 0  # [ns]

    def add(self, deviation: int) -> None:
        """Count one deviation [ns]."""
        self.counts[min(max(deviation, 0) // self.WIDTH, self.BINS)] += 1
        self.worst = max(self.worst, deviation)

    def percentile(self, share: float) -> float:
        """Upper edge of the bin below which ``share`` of the deviations are [ns], never above the worst; NaN without any."""
        counts = np.cumsum(self.counts)
        if not counts[-1]:
            return float("nan")
        place = int(np.searchsorted(counts, share * counts[-1]))
        return float(self.worst if place == self.BINS else min((place + 1) * self.WIDTH, self.worst))


class BusLoad:
    """Share of a bus's time that its frames take, with the most stuffing that can happen: over the last whole second.

    Before there is one, and where frames are told less often, over the time that there is.
    """

    def __init__(self, bitrate: int) -> None:
        self.share = 0.0
        self._bitrate = bitrate
        self._bits = 0
        self._begin = time.monotonic()  # [s] of the second that is counted
        self._is_first = True

    def add(self, frames: Any) -> None:
        """Count ``frames`` (an array of hil.frames.FRAME), those of both directions."""
        frames = frames[frames.kind & ERROR == 0]
        lengths = np.where(frames.kind & REMOTE, 0, frames.length)
        self._bits += int(FRAME_BITS[frames.kind & EXTENDED, lengths].sum())
        now = time.monotonic()
        whole = now - self._begin >= LOAD_SPAN
        if whole or self._is_first:
            self.share = self._bits / (self._bitrate * max(now - self._begin, 1e-3))
        if whole:
            self._bits, self._begin, self._is_first = 0, now, False
