"""A diagnostic server beside a running loop: of the small network, or of the controller itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from echo_server import echo_server
from isotp_tester import REQUEST, RESPONSE
from running import LONG_ENOUGH, are_open, bench_on
from small_network import CONTROLLER
from waiting import nothing_left_behind, wait_until

from bench import drive
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.controller import BUS, controller_responder
from hil.diagnostics.responder import Addresses, ResponderSpec
from hil.network.database import load_network
from hil.node import Node
from hil.realtime import RealtimeBench
from hil.realtime_station import SessionOptions
from hil.timing import LoopSettings

NODE = 0x97
ADDRESSES = Addresses(REQUEST, RESPONSE, node=NODE)


class Running:
    """A bench that runs while a test talks to it, looked after by the test's own calls."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.frames: list[Any] = []
        self._run = bench.chunks(LONG_ENOUGH, 0.005)

    def look(self) -> None:
        self.frames.append(next(self._run).frames)

    def until(self, condition: Any) -> None:
        wait_until(lambda: (self.look(), condition())[1])


@contextmanager
def running(
    network: Any, address: str, *, options: SessionOptions | None = None, server: Any = None, **spec: Any
) -> Iterator[Running]:
    bench = bench_on(network, address, CONTROLLER, options=options)
    spec.setdefault("addresses", ADDRESSES)
    bench.stations[0].answer(0, ResponderSpec("VCM", server or echo_server(), **spec))
    with nothing_left_behind(), looked_after(bench) as run:
        yield run


@contextmanager
def running_controller(address: str, directory: Path) -> Iterator[Running]:
    """The controller with its whole server; of its buses only that of testers is connected."""
    network = load_network("leaf_ze1")
    addresses = [address if bus.name == BUS else None for bus in network.buses]
    settings = LoopSettings(priority=0, lock_memory=False)
    bench = RealtimeBench(network, [Node(drive.CONTROLLER, network)], addresses, settings)
    bench.compile()
    (station,) = bench.stations
    told: list[str] = []
    node, switch = station.nodes[0], station.switch_transmission
    pages = CalibrationPages(node.parameters, station.put_parameters)
    with (
        nothing_left_behind(),
        controller_responder(node, station.restart, switch, directory, told.append, pages=pages) as responder,
    ):
        station.answer(network.bus(BUS).index, responder)
        with looked_after(bench) as run:
            yield run
    assert told == []


@contextmanager
def looked_after(bench: Any) -> Iterator[Running]:
    """``bench`` while it runs, from when its buses are open."""
    run = Running(bench)
    try:
        run.until(lambda: are_open(bench))
        yield run
    finally:
        run._run.close()
