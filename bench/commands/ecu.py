"""``e4hil ecu`` and ``e4hil bench``: one side of the network on real buses, at wall-clock speed."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from bench.commands.console import output, progress
from bench.commands.ending import ended_by_signals
from bench.commands.realtime_rows import bus_rows, loop_rows
from bench.controller_watch import LETTING_GO, ControllerWatch
from bench.diagnostics.responders import car_responders
from bench.drive import Drive
from bench.keyboard import Keyboard
from bench.live_view import CompileProgress
from bench.operator import KEYS, Operator, TorqueProfile
from bench.role_watch import RoleWatch
from bench.rows import Row, as_json, bounded, failed, print_table
from bench.scenarios import load_scenario
from bench.station import (
    SUPPLY_VOLTAGE,
    Wiring,
    car_of_roles,
    controller_station,
    local_roles,
    network_heard,
    require_connected,
    rest_bus_of,
    rest_bus_roles,
    roles_of_car,
    wire,
)
from bench.vehicles import Vehicle, load_vehicle
from hil.bus import check_bus
from hil.calibration.files import read_file
from hil.calibration.journal import Journal
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.controller import BUS as TOOLS
from hil.diagnostics.controller import NAME, controller_responder
from hil.diagnostics.lock import Lock
from hil.diagnostics.responder import ResponderSpec
from hil.errors import UsageError
from hil.listening import listen
from hil.network.database import load_network
from hil.node import Node
from hil.realtime import RealtimeBench
from hil.realtime_station import RealtimeStation, SessionOptions
from hil.scheduling import refused
from hil.state_directory import claimed, state_directory
from hil.timing import LoopSettings, Overrun
from hil.xcp.controller import controller_xcp
from hil.xcp.identity import EPK, MASTER_IDENTIFIER, SLAVE_IDENTIFIER
from hil.xcp.responder import XcpSpec

SAMPLE_PERIOD = 10_000_000  # [ns]
LOOK = 0.05  # [s] between two looks at the operator, and the operator's heartbeats
GRACE = 2 * LETTING_GO  # [s] for a run that fails, to take its torque away
LISTENING = 0.7  # [s] in which all frames come that tell one LEAF from another: the rarest every 500 ms
JOURNAL_FILE = "calibration.jsonl"  # in the controller's state directory
# Calibration values that hang on who sits at the bench and on what is connected: no tool changes them.
HELD = (
    "supervisor.arming_required", "front.motor_present", "rear.motor_present", "hand_torque.torque_max", "hand_torque.speed_max",
)  # fmt: skip
RPM = 30.0 / math.pi  # from [rad/s]


@dataclass(frozen=True)
class RunOptions:
    """What both commands take: the buses, the loop, the recording."""

    buses: dict[str, str | None]
    network: str | None
    settings: LoopSettings
    duration: float | None
    listen_only: bool
    record: Path | None
    record_size: str | None
    json: bool
    diagnostics: bool = True  # whether testers are answered


@dataclass(frozen=True)
class Hand:
    """What is said of torque by hand; None where nothing is said."""

    wanted: bool | None
    torque: TorqueProfile | None
    torque_max: float | None  # [Nm]
    speed_max: float | None  # [rpm]

    def of(self, wiring: Wiring) -> bool:
        """Whether torque is by hand on that wiring: on real buses unless told otherwise. Raises UsageError."""
        by_hand = not wiring.is_virtual if self.wanted is None else self.wanted
        if not by_hand and (self.torque, self.torque_max, self.speed_max) != (None, None, None):
            raise UsageError("--torque, --torque-csv, --torque-max and --speed-max are for torque by hand: add --by-hand")
        return by_hand


def loop_settings(rate: float, spin: float, overrun: str, fifo: bool) -> LoopSettings:
    """Settings of the loop from what people type: ``rate`` [Hz], ``spin`` [µs]. Raises UsageError."""
    policies = {policy.name.lower().replace("_", "-"): policy for policy in Overrun}
    if overrun not in policies:
        raise UsageError(f'--overrun "{overrun}": expected {", ".join(policies)}')
    period = round(1e9 / rate)
    return LoopSettings(
        period=period, sample_every=max(1, round(SAMPLE_PERIOD / period)), spin=round(spin * 1e3), overrun=policies[overrun],
        priority=LoopSettings.priority if fifo else 0, lock_memory=fifo,
    )  # fmt: skip


def wire_car(options: RunOptions, vehicle: Vehicle) -> Wiring:
    """The wiring of the network that was named, else of the vehicle's."""
    return wire(load_network(options.network or vehicle.network), options.buses)


def rewire(wiring: Wiring, options: RunOptions) -> Wiring:
    """The wiring of the LEAF that is heard, if none was named and one is."""
    if options.network or not wiring.leaves_process:
        return wiring
    heard, text = network_heard(wiring.network, listen(wiring.in_order, LISTENING, listen_only=options.listen_only))
    tell(text)
    return wire(heard, options.buses)


def tell(text: str) -> None:
    """One line for the operator."""
    with suppress(OSError):  # a terminal that was closed must not end the run before the torque is gone
        progress().print(text, markup=False, soft_wrap=True)


class BusRun:
    """One station on its buses, until it is over or somebody ends it; leaving it ends its recording."""

    def __init__(self, options: RunOptions, wiring: Wiring, nodes: list[Node]) -> None:
        """Raises UsageError, before anything is compiled, for a bus that is not there or a recording that cannot be."""
        for address in filter(None, wiring.in_order):
            check_bus(address, listen_only=options.listen_only)
        self._recorder = _recorder(options, [bus.name for bus in wiring.network.buses])
        sessions = SessionOptions(
            reconnect=True, listen_only=options.listen_only, recorder=self._recorder, report=tell, grace=GRACE
        )
        self.bench = RealtimeBench(wiring.network, [nodes], wiring.in_order, options.settings, sessions)
        self._options = options
        self._wiring = wiring
        self._node = nodes[0]
        self._roles = RoleWatch(tell, wiring, local_roles(nodes, wiring.network))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._recorder:
            self._recorder.stop()

    def answer(self, bus: str, spec: ResponderSpec | XcpSpec) -> None:
        """Let a diagnostic server or an XCP slave answer on a bus of the network, if that is wanted and others can be on it."""
        if (self._options.diagnostics or isinstance(spec, XcpSpec)) and self._wiring.addresses.get(bus):
            self.bench.stations[0].answer(self._wiring.network.bus(bus).index, spec)

    def compile(self) -> None:
        """Compile what runs, and tell what the system refuses a loop."""
        with CompileProgress(progress()):
            self.bench.compile()
        for finding in refused(self.bench.examine()):
            tell(str(finding))

    def go(self, look: Callable[[list[str]], bool], let_go: Callable[[], None], keys: bool) -> None:
        """Run until ``look``, which is given the keys pressed, is False.

        A failure calls ``let_go``, and so does a signal; a second one ends at once.
        """
        asked: list[bool] = []
        began: float | None = None
        failing = False

        def end() -> None:
            if asked:
                raise KeyboardInterrupt
            asked.append(True)
            let_go()

        with ended_by_signals(end), Keyboard() as keyboard:
            for chunk in self.bench.chunks(math.inf, LOOK):
                began = time.monotonic() if began is None else began
                self._roles.look(chunk.frames, time.monotonic() - began)
                if self.bench.failures and not failing:
                    failing = True
                    tell(f"the run ends: {'; '.join(self.bench.failures)}")
                    let_go()
                if not look(keyboard.pressed() if keys else []):
                    self.bench.request_stop()

    def report(self, title: str, rows: list[Row]) -> tuple[int, bool]:
        """Print how it went; the number of rows that miss their target, and whether the run failed."""
        port = self._node.port[0]
        received, sent = self.bench.carried
        rows = [
            *rows,
            Row("frames received", received, "1"),
            Row("frames sent", sent, "1"),
            bounded("CRC errors", int(port.crc_errors.sum()), "1", maximum=0),
            bounded("counter errors", int(port.counter_errors.sum() + port.lost.sum()), "1", maximum=0),
            *bus_rows(self.bench),
            *loop_rows(self.bench),
        ]
        print(as_json(title, rows)) if self._options.json else print_table(output(), title, rows)
        return len(failed(rows)), bool(self.bench.errors)


def _recorder(options: RunOptions, names: list[str]) -> Any:
    if not options.record:
        return None
    from hil.recorder import Recorder, parse_size

    limit = parse_size(options.record_size) if options.record_size else None
    return Recorder(options.record, names, time.monotonic_ns(), limit=limit, report=tell)


def run_ecu(
    options: RunOptions,
    vehicle: str,
    *,
    rest_bus: list[str],
    hand: Hand,
    arm: bool,
    voltage: float | None,
    calibration: Path | None = None,
    xcp: bool = False,
) -> tuple[int, bool]:
    """The controller alone; the number of rows that miss their target, and whether the run failed."""
    car = load_vehicle(vehicle)
    values = read_file(calibration) if calibration else None
    wiring = wire_car(options, car)
    by_hand, rest = hand.of(wiring), rest_bus_roles(rest_bus)
    if voltage is not None and "battery" not in rest:
        raise UsageError("--supply is what the rest-bus battery tells: add --rest-bus battery")
    wiring = rewire(wiring, options)
    operator = Operator() if by_hand or arm else None
    supply = SUPPLY_VOLTAGE if voltage is None else voltage
    nodes = controller_station(
        wiring, car, rest=rest, operator=operator, by_hand=by_hand, voltage=supply, listening=options.listen_only,
        calibration=values,
    )  # fmt: skip
    controller = nodes[0]
    clamp = controller.parameters.hand_torque
    if hand.torque_max is not None:
        clamp.torque_max[:] = hand.torque_max
    if hand.speed_max is not None:
        clamp.speed_max[:] = hand.speed_max / RPM
    with ExitStack() as closing:
        run = closing.enter_context(BusRun(options, wiring, nodes))
        if wiring.addresses.get(TOOLS):
            for spec in tools_of(closing, run.bench.stations[0], diagnostics=options.diagnostics, xcp=xcp):
                run.answer(TOOLS, spec)
        elif xcp:
            raise UsageError(f"--xcp: an XCP master is on the {TOOLS} bus: connect it with --{TOOLS} ADDRESS")
        run.compile()
        if by_hand:
            tell(f"torque by hand, at most {clamp.torque_max[0]:g} Nm and {clamp.speed_max[0] * RPM:.0f} rpm; {KEYS}")
            if hand.torque and hand.torque.highest > clamp.torque_max[0]:
                tell(
                    f"of the torque asked for, up to {hand.torque.highest:g} Nm, no more is given; --torque-max raises the clamp"
                )
            if not arm:
                tell("disarmed: no torque until you press a, or start with --arm")
        if operator:
            operator.torque_max = float(clamp.torque_max[0]) if by_hand else math.inf
            operator.arm(arm)
        watch = ControllerWatch(
            tell, run.bench, controller, switch=rest_bus_of(nodes) if "pedals" in rest else None, operator=operator,
            supply=supply if "battery" in rest else None, by_hand=by_hand, torque=hand.torque, duration=options.duration,
            expects_ready=not options.listen_only,
        )  # fmt: skip
        run.go(watch.look, watch.let_go, keys=operator is not None)
    return run.report("The controller on its buses", watch.rows())


def tools_of(
    closing: ExitStack, station: RealtimeStation, *, diagnostics: bool = True, xcp: bool = False
) -> list[ResponderSpec | XcpSpec]:
    """The controller's diagnostic server and its XCP slave, behind one lock, until ``closing`` closes.

    Where nothing can be kept, what they remember ends then.
    """
    node = station.nodes[0]

    def keeping(directory: Path) -> list[ResponderSpec | XcpSpec]:
        specs: list[ResponderSpec | XcpSpec] = []
        lock = Lock(directory, time.monotonic(), tell)
        pages = CalibrationPages(node.parameters, station.put_parameters, Journal(directory / JOURNAL_FILE), HELD)
        if diagnostics:
            responder = controller_responder(node, station.restart, station.switch_transmission, directory, tell, lock, pages)
            specs.append(closing.enter_context(responder))
        else:
            closing.enter_context(claimed(directory))
        if xcp:
            specs.append(controller_xcp(node, pages, station.event_ring, lock=lock, report=tell))
            tell(f"XCP on the {TOOLS} bus: commands {MASTER_IDENTIFIER:X}, answers {SLAVE_IDENTIFIER:X}, build {EPK.decode()}")
        return specs

    if not (diagnostics or xcp):
        return []
    try:
        return keeping(state_directory(NAME))
    except UsageError as error:
        passing = Path(closing.enter_context(TemporaryDirectory(prefix="e4hil-")))
        tell(f"{error}; fault memory, key, journal and audit log are in {passing}, and end with this run")
        return keeping(passing)


def run_bench(options: RunOptions, scenario: str, vehicle: str, roles: list[str]) -> tuple[int, bool]:
    """The virtual car alone, or those ``roles`` of it; the number of rows that miss their target, and whether the run failed."""
    car = load_vehicle(vehicle)
    course = load_scenario(scenario)
    wiring = rewire(wire_car(options, car), options)
    network = wiring.network
    drive = Drive(network, car, course, duration=options.duration)
    if not roles and not wiring.is_virtual:  # whoever arms a real part sits at a panel of his own
        roles = [role for role in roles_of_car(network) if role != "panel"]
    if roles:
        require_connected(wiring, roles)
        drive.car = car_of_roles(drive.car, network, roles)
    ended: list[bool] = []
    seen: list[str] = []

    def look(keys: list[str]) -> bool:
        phase = drive.phase.name.lower().replace("_", "-")
        if phase not in seen:
            seen.append(phase)
            tell(f"car: {phase}")
        return not ended and drive.scenario_time < drive.duration

    with BusRun(options, wiring, [drive.car]) as run:
        for bus, spec in car_responders(drive.car, network):
            run.answer(bus, spec)
        run.compile()
        tell(f"{car.title} waits for its controller, then: {drive.scenario.title}")
        run.go(look, lambda: ended.append(True), keys=False)
    body = drive.car.measurements.plant.body
    rows = [
        bounded("scenario reached", drive.scenario_time, "s", minimum=drive.duration),
        Row("speed at the end", 3.6 * float(body.longitudinal_speed[0]), "km/h"),
        Row("way", float(body.x[0]), "m"),
    ]
    return run.report(f"{car.title}: {drive.scenario.title}, on its buses", rows)
