"""``e4hil dashboard``: the controller in real time, and a page in the browser that shows and tunes it.

The extra ``dashboard`` is NiceGUI: pages in Python alone, served with all they need from this machine, well kept, and small
beside a front end of our own in TypeScript with its build.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.console import progress
from bench.commands.ecu import HELD, RunOptions, rewire, tell, wire_car
from bench.commands.ending import ended_by_signals
from bench.live_view import CompileProgress
from bench.operator import Operator
from bench.station import Wiring, controller_station, rest_bus_roles
from bench.vehicles import Vehicle, load_vehicle
from hil.calibration.files import read_file
from hil.calibration.journal import Journal
from hil.errors import UsageError
from hil.network.database import Network, load_network
from hil.node import Node
from hil.state_directory import state_directory

if TYPE_CHECKING:
    from bench.dashboard.recording import Recording
    from bench.dashboard.run import Run

MISSING = 'this needs the dashboard extra: pip install "e4orce-hil[dashboard]"'
OPEN_TO_OTHERS = "warning: --host lets other machines reach the page, unencrypted: whoever listens to that network has the way in"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class PageOptions:
    """Where the page is, and what it opens with."""

    host: str
    port: int
    scenario: str
    vehicle: str
    calibration: Path | None
    out: Path
    rest_bus: list[str]
    by_hand: bool | None


def run(options: PageOptions, buses: RunOptions) -> None:
    """Serve the page until Ctrl-C. Without a bus in ``buses`` the virtual car is driven, else the controller is alone on them."""
    require_extra()
    from bench.dashboard.access import Access
    from bench.dashboard.server import DashboardServer, listening_socket

    if options.host not in LOOPBACK:
        tell(OPEN_TO_OTHERS)
    access = Access(tell)
    with listening_socket(options.host, options.port) as bound:  # a port that is taken is told before anything is compiled
        shown = _run(options, buses)
        try:
            if buses.record:
                shown.recording.start(buses.record)
            with CompileProgress(progress()):
                shown.compile()
            server = DashboardServer(shown, access, bound)
            access.invite()
            with ended_by_signals(server.stop):
                server.serve()
        finally:
            shown.close()


def _run(options: PageOptions, buses: RunOptions) -> "Run":
    """What the page shows."""
    from bench.dashboard.recording import Recording

    car = load_vehicle(options.vehicle)
    wiring = rewire(wire_car(buses, car), buses) if any(buses.buses.values()) else None
    network = wiring.network if wiring else load_network(buses.network or car.network)
    recording = Recording(options.out, [bus.name for bus in network.buses], tell)
    return _controller(options, buses, car, wiring, recording) if wiring else _car(options, buses, car, network, recording)


def _car(options: PageOptions, buses: RunOptions, car: Vehicle, network: Network, recording: "Recording") -> "Run":
    """The controller and the virtual car."""
    from bench.dashboard.run import CarRun

    run = CarRun(network, car, buses.settings, recording, tell, scenario=options.scenario, journal=_journal())
    if options.calibration:
        run.begin_with(read_file(options.calibration).on(run.calibration))
    return run


def _controller(options: PageOptions, buses: RunOptions, car: Vehicle, wiring: Wiring, recording: "Recording") -> "Run":
    """The controller alone on its buses; on real ones somebody arms it, and gives torque by hand unless told otherwise."""
    from bench.dashboard.run import ControllerRun

    by_hand = not wiring.is_virtual if options.by_hand is None else options.by_hand
    operator = Operator() if by_hand or not wiring.is_virtual else None
    values = read_file(options.calibration) if options.calibration else None

    def station() -> list[Node]:
        """A station that has not run."""
        rest = rest_bus_roles(options.rest_bus)
        return controller_station(wiring, car, rest=rest, operator=operator, by_hand=by_hand, calibration=values)

    if operator and by_hand:
        operator.torque_max = float(station()[0].parameters.hand_torque.torque_max[0])
    return ControllerRun(
        wiring.network, car, buses.settings, recording, tell, journal=_journal(), station=station, addresses=wiring.in_order,
        held=HELD, operator=operator,
    )  # fmt: skip


def _journal() -> Journal:
    return Journal(state_directory("dashboard") / "calibration_journal.jsonl")


def require_extra() -> None:
    """Raises UsageError, which says what to install, if NiceGUI is not there."""
    if importlib.util.find_spec("nicegui") is None:
        raise UsageError(MISSING)
