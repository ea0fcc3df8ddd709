"""``e4hil performance``: what the controller's loop notices of who works beside it: a tester, an XCP master, a page.

Each works as fast as it can, in turns with the same loop on its own.
"""

import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibrating import calibration_of
from bench.commands.measuring import Measured, background
from bench.drive import CONTROLLER
from bench.rows import Row, bounded
from bench.vehicles import load_vehicle
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.controller import ADDRESSES, controller_responder
from hil.diagnostics.controller import BUS as TOOLS
from hil.histogram import percentile
from hil.network.database import Network, load_network
from hil.node import Node
from hil.peer import Peer, peers
from hil.realtime import RealtimeBench
from hil.timing import LoopSettings
from hil.xcp.commands import RESPONSE, Command
from hil.xcp.controller import controller_xcp
from hil.xcp.identity import MASTER_IDENTIFIER, SLAVE_IDENTIFIER
from hil.xcp.memory import address

VEHICLE = "leaf_twin_motor"
ROUNDS = 9  # of two stretches: enough that bursts of the host are outvoted
SHARE = 1.1  # of the wake-ups of the loop on its own
CONFIDENT = 1.64  # standard deviations, within which 95 % of differences by chance are
READ_GEAR = b"\x03\x22\x11\x56"
ANSWER_TIMEOUT = 0.1  # [s]
# Lists of an XCP master that fill what lists may have of the bus: raster, and frames in each of its samples.
LISTS = ((0, 2), (1, 5))
STAMPED, SELECT, START_SELECTED = 0x10, 2, 1  # modes of XCP


@dataclass
class Turns:
    """How a loop kept its time with company and on its own: the p99 of its wake-ups [ns] and missed periods of each stretch."""

    alone: Measured = field(default_factory=Measured)
    beside: Measured = field(default_factory=Measured)
    done: int = 0  # how often the company had what it wanted

    def rows(self, who: str, what: str) -> list[Row]:
        """``who`` was there, and had so many ``what`` a second."""
        # Medians: what the host does to one stretch is no company's fault.
        (p99, missed), (p99_alone, missed_alone) = (np.median(each.values, axis=0) for each in (self.beside, self.alone))
        note = f"median of {ROUNDS} stretches; {self.done / self.beside.seconds:.0f} {what} a second; {self.beside}"
        by_chance = "in a stretch, median; no more than on its own that chance does not explain (95 %)"
        return [
            bounded(
                f"wake-up p99 of the controller, {who}", p99 * 1e-3, "µs", maximum=SHARE * max(p99_alone * 1e-3, 1.0), note=note
            ),
            Row("  on its own", p99_alone * 1e-3, "µs", note=str(self.alone)),
            bounded(f"missed periods, {who}", missed, "1", maximum=most_by_chance(missed_alone), note=by_chance),
            Row("  on its own", missed_alone, "1"),
        ]


def most_by_chance(count: float) -> int:
    """The most events that may be beside ``count`` by chance, both as Poisson has them, in equal times."""
    # Where the difference is CONFIDENT standard deviations of it: m - n = z sqrt(m + n)
    z = CONFIDENT
    return math.floor(count + z * z / 2 + z * math.sqrt(2 * count + z * z / 4))


def in_turns(seconds: float, drive: Callable[[bool, float, Turns], Any]) -> Turns:
    """``drive`` a loop for a time [s] with company and on its own, in turns; it returns the loop's statistics."""
    turns = Turns()
    for _ in range(ROUNDS):
        for measured in (turns.alone, turns.beside):
            with measured.timed():
                statistics = drive(measured is turns.beside, seconds / (2 * ROUNDS), turns)
            measured.values.append((percentile(statistics.latency, 0.99), int(statistics.cycle_slips)))
    return turns


# --- tools on the bus -----------------------------------------------------------------------------------------------------------


def tester_rows(seconds: float) -> list[Row]:
    """A tester asks as fast as it is answered."""
    return tool_rows("a tester asking", "requests answered", ask, seconds)


def xcp_rows(seconds: float) -> list[Row]:
    """An XCP master has lists that fill what they may have of the bus."""
    return tool_rows("an XCP master measuring", "frames of its lists", acquire, seconds)


Tool = Callable[[Peer, threading.Event], int]  # works until the event is set; how often it had what it wanted


def tool_rows(who: str, what: str, tool: Tool, seconds: float) -> list[Row]:
    """A tool on the controller's bus."""
    network = load_network(load_vehicle(VEHICLE).network)

    def drive(with_company: bool, seconds: float, turns: Turns) -> Any:
        with controller_bench(network) as bench, peers(addresses_of(network)) as others:
            run = bench.chunks(seconds, 0.1)
            next(run)

            def work(done: threading.Event) -> None:
                if with_company:
                    turns.done += tool(others[network.bus(TOOLS).index], done)

            with background(work):
                for _ in run:
                    pass
            return bench.statistics[CONTROLLER.name]

    return in_turns(seconds, drive).rows(who, what)


@contextmanager
def controller_bench(network: Network) -> Iterator[RealtimeBench]:
    """The controller with its diagnostic server and its XCP slave, on virtual buses."""
    controller = Node(CONTROLLER, network)
    controller.parameters[:] = calibration_of(load_vehicle(VEHICLE))
    bench = RealtimeBench(network, [controller], addresses_of(network), LoopSettings())
    station = bench.stations[0]
    pages = CalibrationPages(controller.parameters, station.put_parameters)
    bus = network.bus(TOOLS).index
    with (
        tempfile.TemporaryDirectory() as folder,
        controller_responder(
            controller, station.restart, station.switch_transmission, Path(folder), lambda message: None
        ) as responder,
    ):
        station.answer(bus, responder)
        station.answer(bus, controller_xcp(controller, pages, station.event_ring))
        bench.compile()
        yield bench


def addresses_of(network: Network) -> list[str]:
    """Virtual buses that nobody else is on."""
    return [f"virtual:performance {bus.index}" for bus in network.buses]


def ask(peer: Peer, done: threading.Event) -> int:
    """Ask the next question as soon as the last is answered."""
    answers = 0
    while not done.is_set():
        answers += send_and_hear(peer, ADDRESSES.request, READ_GEAR, ADDRESSES.response) is not None
    return answers


def acquire(peer: Peer, done: threading.Event) -> int:
    """Set the LISTS up, start them, and take their frames."""
    for command in setup(LISTS, address("measurements", "vehicle_speed.speed")):
        answer = send_and_hear(peer, MASTER_IDENTIFIER, command, SLAVE_IDENTIFIER)
        if answer is None or answer.data[0] != RESPONSE:
            return 0
    frames = 0
    while not done.is_set():
        message = peer.listen(ANSWER_TIMEOUT)
        frames += message is not None and message.arbitration_id == SLAVE_IDENTIFIER
    return frames


def setup(lists: Sequence[tuple[int, int]], at: int) -> Iterator[bytes]:
    """The commands for lists of a raster and so many frames, the first of which has the time, the others the value at ``at``."""
    yield bytes([Command.CONNECT, 0])
    yield bytes([Command.FREE_DAQ])
    yield bytes([Command.ALLOC_DAQ, 0, len(lists), 0])
    for number, (_, frames) in enumerate(lists):
        yield bytes([Command.ALLOC_ODT, 0, number, 0, frames])
    for number, (_, frames) in enumerate(lists):
        for frame in range(1, frames):
            yield bytes([Command.ALLOC_ODT_ENTRY, 0, number, 0, frame, 1])
    for number, (raster, frames) in enumerate(lists):
        for frame in range(1, frames):
            yield bytes([Command.SET_DAQ_PTR, 0, number, 0, frame, 0])
            yield bytes([Command.WRITE_DAQ, 0xFF, 4, 0, *at.to_bytes(4, "little")])
        yield bytes([Command.SET_DAQ_LIST_MODE, STAMPED, number, 0, raster, 0, 1, 0])
        yield bytes([Command.START_STOP_DAQ_LIST, SELECT, number, 0])
    yield bytes([Command.START_STOP_SYNCH, START_SELECTED])


def send_and_hear(peer: Peer, request: int, data: bytes, response: int) -> Any:
    """The frame that answers, or None if there is none in time; others are passed over."""
    peer.send(request, int.from_bytes(data, "little"))
    end = time.monotonic() + ANSWER_TIMEOUT
    while time.monotonic() < end:
        message = peer.listen(ANSWER_TIMEOUT)
        if message is not None and message.arbitration_id == response:
            return message
    return None
