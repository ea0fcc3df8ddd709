"""What a session is told, and what it tells: settings, events, counters."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hil.bus_state import BusState


@dataclass(frozen=True)
class SessionSettings:
    """Times of a session [s]."""

    retry_first: float = 0.1  # from losing the bus to the first attempt to open it; doubles from attempt to attempt
    retry_last: float = 5.0
    silence: float = 1.0  # without a frame, until the bus counts as silent
    stale: float = 0.1  # after its due time a frame is discarded: what was blocked is never sent in a burst
    no_acknowledge: float = 0.2  # of a full transmit queue, until it is taken for missing acknowledgement


class SessionEvent(NamedTuple):
    """What the operator is to know, said once."""

    time: int  # [ns] from the origin
    state: BusState
    text: str  # one line


class Arrivals(NamedTuple):
    """What has arrived under one identifier."""

    frames: int
    last: int  # [ns] from the origin


@dataclass
class Counters:
    """Frames, unless said otherwise."""

    received: int = 0
    sent: int = 0
    discarded: int = 0  # due while the bus was not open
    late: int = 0  # discarded because the driver had blocked until long after they were due
    refused: int = 0  # not in the list of allowed frames
    withheld: int = 0  # not sent because the session only listens
    rejected: int = 0  # not taken by the driver: its queue is full
    unreadable: int = 0  # torn lines, and frames that contradict themselves
    stale: int = 0  # found waiting in the driver after opening, thrown away
    error_frames: int = 0
    untaken: int = 0  # frames of the history that nobody took in time
    losses: int = 0  # times the bus was lost
    attempts: int = 0  # to open it, since it was lost
    abandoned: int = 0  # threads left behind in a driver that did not return


class Deviations:
    """Histogram of how long after its due time each frame was with the driver: 10 µs bins up to 50 ms."""

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
