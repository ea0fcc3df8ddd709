"""The real-time bench: stations of compiled loops, at absolute deadlines without the GIL, on the buses that they share.

How each loop kept its time is in its statistics, and in a measurement beside those of its nodes.
"""

import math
import os
import select
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hil import clock
from hil.bus import BusAddress, parse_bus_address
from hil.frames import TRANSMITTED
from hil.lockstep import Chunk
from hil.network.database import Network
from hil.node import Node
from hil.realtime_loop import loop_sample_type
from hil.realtime_station import RealtimeStation, SessionOptions
from hil.scheduling import Finding, Scheduling, examine
from hil.timing import LoopSettings
from hil.transport import NOBODY

START_DELAY = 100_000_000  # [ns] in which the sessions of all nodes start


class RealtimeBench:
    """One station or several in one process on buses that python-can opens, at wall-clock speed."""

    def __init__(
        self,
        network: Network,
        stations: Sequence[Node | Sequence[Node]],
        addresses: Sequence[str | BusAddress | None],
        settings: LoopSettings | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        """``stations``: each one node, or several that share their buses.

        ``addresses``: a bus for each of the network's, as ``interface:channel[@bitrate]``, or None where there is none.

        Raises UsageError where the platform has no absolute sleep, or a bus is named wrong.
        """
        clock.require()
        self.settings = settings or LoopSettings()
        self._options = options or SessionOptions()
        self._addresses = [parse_bus_address(address) if isinstance(address, str) else address for address in addresses]
        nodes = [[station] if isinstance(station, Node) else list(station) for station in stations]
        self.stations = [RealtimeStation(network, group, self.settings, self._options) for group in nodes]
        self._sample_type = loop_sample_type(nodes)
        self._untold = [station.take_samples() for station in self.stations]  # samples to which others still lack theirs
        self.origin = 0  # [ns] CLOCK_MONOTONIC at the beginning of the run
        self._alarm = NOBODY  # eventfd that ends the wait for the next chunk
        self._stopping = False

    def compile(self) -> None:
        """Compile all loops, or load them from the cache."""
        for station in self.stations:
            station.compile()

    def examine(self) -> list[Finding]:
        """What the system grants these loops, and what it refuses."""
        return examine(**self.settings.rights)

    def request_stop(self) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stopping = True
        if self._alarm != NOBODY:
            os.eventfd_write(self._alarm, 1)

    def chunks(self, duration: float, chunk: float) -> Iterator[Chunk]:
        """Run for ``duration`` [s, may be infinite], yielding what has happened every ``chunk`` [s].

        Raises UsageError if a bus cannot be opened. Whatever happens, every thread is stopped and every bus closed.
        """
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            with Scheduling(**self.settings.rights) as scheduling:
                try:
                    for station in self.stations:
                        station.open(self._addresses)
                    for station in self.stations:
                        station.prepare(scheduling)
                    origin = self.origin = time.monotonic_ns() + START_DELAY
                    if self._options.recorder:
                        self._options.recorder.begin(origin)
                    with scheduling.carrying():
                        for station in self.stations:
                            station.start(origin)
                    for station in self.stations:
                        station.start_responders()
                    end = origin * 1e-9 + duration
                    while (left := end - time.monotonic()) > 0 and not self._stopping:
                        select.select([self._alarm], [], [], min(chunk, left))
                        if self.failures:
                            end = min(end, time.monotonic() + self._options.grace)
                        for station in self.stations:
                            station.look()
                        yield Chunk(self._new_frames(), self._new_samples())
                finally:
                    for station in self.stations:
                        station.request_stop()
                    for station in self.stations:
                        station.stop()
                    for station in self.stations:
                        station.tell()
        finally:
            alarm, self._alarm = self._alarm, NOBODY
            os.close(alarm)
        yield Chunk(self._new_frames(), self._new_samples(last=True))

    @property
    def failures(self) -> list[str]:
        """What the run cannot go on with, in whole sentences."""
        return [failure for station in self.stations for failure in station.failures]

    @property
    def errors(self) -> list[str]:
        """What went wrong, in whole sentences."""
        return [error for station in self.stations for error in station.errors]

    @property
    def problems(self) -> list[str]:
        """What did not go as it should on the buses, in whole sentences."""
        return [problem for station in self.stations for problem in station.problems]

    @property
    def bus_figures(self) -> list[tuple[str, str, float, float]]:
        """The figures of each bus of each station, see RealtimeStation, behind the station's name."""
        return [(station.name, *figures) for station in self.stations for figures in station.bus_figures]

    @property
    def carried(self) -> tuple[int, int]:
        """Frames received and sent on the buses by all stations."""
        received, sent = zip(*(station.carried for station in self.stations), strict=True)
        return sum(received), sum(sent)

    @property
    def losses(self) -> int:
        """Times that a bus of a station was lost, however short."""
        return sum(station.losses for station in self.stations)

    @property
    def foreign_frames(self) -> int:
        """Frames of these stations that somebody else has sent."""
        return sum(station.foreign_frames for station in self.stations)

    @property
    def is_connected(self) -> bool:
        """Whether every bus of every station carries frames now."""
        return all(station.is_connected for station in self.stations)

    @property
    def statistics(self) -> dict[str, Any]:
        """Loop statistics of each station, by its first node."""
        return {station.name: station.statistics[0] for station in self.stations}

    def _new_frames(self) -> Any:
        """All that was on the buses, by time. What one of several stations has sent another has received: it is told once."""
        frames = np.concatenate([station.new_frames() for station in self.stations]).view(np.recarray)
        if len(self.stations) > 1:
            frames = frames[frames.kind & TRANSMITTED == 0]
        return frames[np.argsort(frames.time, kind="stable")]

    def _new_samples(self, last: bool = False) -> Any:
        """Samples since the last call: to each sample of the first station, the nearest in time of the others."""
        taken: list[Any] = [
            np.concatenate([kept, station.take_samples()]) for kept, station in zip(self._untold, self.stations, strict=True)
        ]
        told = math.inf if last else min((part["time"][-1] if len(part) else -math.inf) for part in taken)
        first = taken[0][taken[0]["time"] <= told]
        if not all(map(len, taken)):
            first = first[:0]
        joined = np.zeros(len(first), dtype=self._sample_type).view(np.recarray)
        joined["time"] = first["time"]
        for samples in taken:
            nearest = _nearest(samples["time"], first["time"])
            for name in samples.dtype.names[1:]:
                joined[name] = samples[name][nearest]
        # The last of each that was told stays: it may be the nearest to the next one, too.
        self._untold = [taken[0][len(first) :], *(part[max(0, np.searchsorted(part["time"], told) - 1) :] for part in taken[1:])]
        return joined


def _nearest(times: Any, wanted: Any) -> Any:
    """Index of the one of ascending ``times`` nearest to each of those ``wanted``."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
    before = after - 1
    later = (times[np.minimum(after, len(times) - 1)] - wanted < wanted - times[before]) if len(wanted) else after[:0] > 0
    return np.where(later, np.minimum(after, len(times) - 1), before)
