"""A real-time bench of the small network's nodes on one bus, run until something has happened."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hil.bus_state import BusState
from hil.frames import FrameFlags
from hil.node import Node
from hil.realtime import RealtimeBench
from hil.realtime_station import SessionOptions
from hil.timing import LoopSettings

LONG_ENOUGH = 30.0  # [s] after which a test that waits for something gives up
TORQUE, STATUS = 0x1D4, 0x1DA


def bench_on(network: Any, address: str, *specs: Any, options: SessionOptions | None = None) -> RealtimeBench:
    settings = LoopSettings(priority=0, lock_memory=False)
    bench = RealtimeBench(network, [Node(spec, network) for spec in specs], [address], settings, options)
    bench.compile()
    return bench


def are_open(bench: RealtimeBench) -> bool:
    """Whether all buses are; what a driver holds from before is thrown away until then."""
    return all(session.state == BusState.ACTIVE for station in bench.stations for session in station._sessions)


def run_until(bench: RealtimeBench, done: Callable[[Any], bool], each: Callable[[], None] = lambda: None) -> Any:
    """Run until ``done`` with all frames so far, doing ``each`` at every look; returns the frames."""
    frames = []
    run = bench.chunks(LONG_ENOUGH, 0.02)
    for chunk in run:
        frames.append(chunk.frames)
        seen = np.concatenate(frames).view(np.recarray)
        if done(seen):
            break
        if are_open(bench):
            each()
    run.close()
    return seen


def received(frames: Any) -> Any:
    """What came from others. python-can's udp_multicast gives a sender its own frames back."""
    return frames[(frames.kind & FrameFlags.TRANSMITTED == 0) & (frames.identifier != TORQUE)]
