"""``e4hil ecu`` and ``e4hil bench``: one side of the network on real buses, at wall-clock speed."""

import math
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from bench.commands.console import output, progress
from bench.commands.drive import loop_rows
from bench.drive import Drive
from bench.live_view import CompileProgress
from bench.operator import KEYS, PANEL, Operator, TorqueProfile
from bench.rows import Row, as_json, bounded, failed, print_table
from bench.scenarios import load_scenario
from bench.station import Wiring, car_of_roles, controller_station, rest_bus_roles, roles_not_heard, roles_of_car, wire
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.bus import check_bus
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node
from hil.realtime import RealtimeBench, SessionOptions
from hil.timing import LoopSettings, Overrun

SAMPLE_PERIOD = 10_000_000  # [ns]
LOOK = 0.05  # [s] between two looks at the operator, and the operator's heartbeats
HEARING_TIME = 2.0  # [s] after which a role that was not heard is told
LETTING_GO = 0.3  # [s] in which the torque goes to zero before the buses are left
RPM = 30.0 / math.pi  # from [rad/s]
REMAINING_TORQUE = 0.05  # [Nm] that counts as none


@dataclass(frozen=True)
class Connection:
    """What both commands take: the buses, the loop, the recording."""

    buses: dict[str, str | None]
    network: str | None
    settings: LoopSettings
    duration: float | None
    listen_only: bool
    record: Path | None
    record_size: str | None
    json: bool


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


@dataclass
class Session:
    """One run on the buses: told events, the end by a signal, the recording."""

    connection: Connection
    wiring: Wiring
    ending: bool = False
    recorder: Any = None
    told: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """One line for the operator."""
        self.told.append(text)
        progress().print(text, markup=False, soft_wrap=True)

    def bench(self, nodes: list[Node]) -> RealtimeBench:
        """The nodes as one station on the buses. Raises UsageError, before anything is compiled, for a bus that is not there."""
        chosen, names = self.connection, [bus.name for bus in self.wiring.network.buses]
        for address in filter(None, self.wiring.in_order):
            check_bus(address, listen_only=chosen.listen_only)
        if chosen.record:
            from hil.recorder import Recorder, parse_size

            limit = parse_size(chosen.record_size) if chosen.record_size else None
            self.recorder = Recorder(chosen.record, names, time.monotonic_ns(), limit=limit, report=self.tell)
        options = SessionOptions(reconnect=True, listen_only=chosen.listen_only, recorder=self.recorder, report=self.tell)
        return RealtimeBench(self.wiring.network, [nodes], self.wiring.in_order, chosen.settings, options)

    def close(self) -> None:
        """End the recording."""
        if self.recorder:
            self.recorder.stop()


@contextmanager
def ended_by_signal(session: Session) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the session in order; a second one ends it at once."""

    def end(number: int, frame: FrameType | None) -> None:
        if session.ending:
            raise KeyboardInterrupt
        session.ending = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


ARROWS = {"\x1b[A": "up", "\x1b[B": "down"}


class Keyboard:
    """Single keys from the terminal, where there is one."""

    def __init__(self, wanted: bool) -> None:
        self._file = sys.stdin.fileno() if wanted and sys.stdin.isatty() else None
        self._before: Any = None

    def __enter__(self) -> "Keyboard":
        if self._file is not None:
            import termios
            import tty

            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            import termios

            termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def pressed(self) -> list[str]:
        """The keys since the last call."""
        if self._file is None or not select.select([self._file], [], [], 0.0)[0]:
            return []
        text = os.read(self._file, 64).decode(errors="ignore")
        for code, name in ARROWS.items():
            if code in text:
                return [name] * text.count(code)
        return list(text)


def run_ecu(
    connection: Connection,
    vehicle: str,
    *,
    rest_bus: list[str],
    by_hand: bool | None,
    arm: bool,
    torque: TorqueProfile | None,
    torque_max: float | None,
    speed_max: float | None,
    voltage: float,
) -> int:
    """The controller alone; returns the number of rows that miss their target."""
    car = load_vehicle(vehicle)
    wiring = wire(load_network(connection.network or car.network), connection.buses)
    hand = not wiring.is_virtual if by_hand is None else by_hand
    rest = rest_bus_roles(rest_bus)
    operator = Operator() if hand or arm else None
    nodes = controller_station(wiring, car, rest=rest, operator=operator, by_hand=hand, voltage=voltage)
    controller = nodes[0]
    if torque_max is not None:
        controller.parameters.hand_torque.torque_max[:] = torque_max
    if speed_max is not None:
        controller.parameters.hand_torque.speed_max[:] = speed_max / RPM
    session = Session(connection, wiring)
    bench = session.bench(nodes)
    with CompileProgress(progress()):
        bench.compile()
    for finding in bench.examine():
        if not finding.granted:
            session.tell(str(finding))
    filled = rest | (PANEL.roles or frozenset() if operator else frozenset())
    _announce(session, hand, arm, controller)
    if operator and arm:
        operator.arm()
    supply = nodes[1] if rest else None
    watch = EcuWatch(session, bench, controller, supply, operator, torque, filled)
    try:
        with ended_by_signal(session), Keyboard(operator is not None) as keyboard:
            _loop(session, bench, watch, keyboard)
    finally:
        session.close()
    rows = [*watch.rows(), *_bus_rows(controller, bench), *loop_rows(bench)]
    return _report("The controller on its buses", connection, rows)


def run_bench(connection: Connection, scenario: str, vehicle: str, roles: list[str]) -> int:
    """The virtual car alone, or those ``roles`` of it; returns the number of rows that miss their target."""
    car = load_vehicle(vehicle)
    network = load_network(connection.network or car.network)
    wiring = wire(network, connection.buses)
    drive = Drive(network, car, load_scenario(scenario), duration=connection.duration)
    if not roles and not wiring.is_virtual:  # whoever arms a real part sits at a panel of his own
        roles = [role for role in roles_of_car(network) if role != "panel"]
    if roles:
        drive.car = car_of_roles(drive.car, network, roles)
    session = Session(connection, wiring)
    bench = session.bench([drive.car])
    with CompileProgress(progress()):
        bench.compile()
    session.tell(f"{car.title} waits for its controller, then: {drive.scenario.title}")
    try:
        with ended_by_signal(session), Keyboard(False) as keyboard:
            _loop(session, bench, CarWatch(session, drive), keyboard)
    finally:
        session.close()
    body = drive.car.measurements.plant.body
    rows = [
        bounded("scenario reached", drive.scenario_time, "s", minimum=drive.duration),
        Row("speed at the end", 3.6 * float(body.longitudinal_speed[0]), "km/h"),
        Row("way", float(body.x[0]), "m"),
        *_bus_rows(drive.car, bench),
        *loop_rows(bench),
    ]
    return _report(f"{car.title}: {drive.scenario.title}, on its buses", connection, rows)


@dataclass
class EcuWatch:
    """What is looked at while the controller runs."""

    session: Session
    bench: RealtimeBench
    controller: Node
    supply: Node | None  # the rest-bus, where there is one
    operator: Operator | None
    torque: TorqueProfile | None
    filled: frozenset[str]
    began: float = field(default_factory=time.monotonic)
    ready_at: float | None = None
    faults: int = 0
    state: int = -1
    told_silent: bool = False
    restarting: bool = False

    def look(self, keys: list[str]) -> bool:
        """One look; False once this run is to end."""
        now = time.monotonic() - self.began
        going = self._listen_to_operator(keys, now) if self.operator else True
        self._tell_changes(now)
        self._follow_buses()
        duration = self.session.connection.duration
        return going and (duration is None or now < duration)

    def _listen_to_operator(self, keys: list[str], now: float) -> bool:
        """The operator's heartbeat, keys and torque; False for the end."""
        operator, going = self.operator, True
        assert operator
        operator.beat()
        for key in keys:
            going &= operator.press(key)
            if key in ("a", "d", " "):
                self.session.tell(f"operator: {'armed' if operator.armed else 'disarmed'}")
            if key in ("up", "down", "0"):
                self.torque = None  # whoever takes the torque into the own hand keeps it
            if key == "a" and self.state > SupervisorState.READY:
                self.restarting = True  # what the emergency stop latched is over once the car has been off
        if self.torque and self.ready_at is not None and operator.armed:
            operator.ask(*self.torque.at(now - self.ready_at))
        return going

    def _follow_buses(self) -> None:
        """A lost bus disarms. Once all are back the car is switched off and on: READY comes by the start-up alone."""
        if not self.bench.is_connected:
            if self.operator and self.operator.armed:
                self.operator.arm(False)
                self.session.tell("operator: disarmed, because a bus is lost; arm anew once it is back")
            self.restarting = True
        elif self.restarting:
            off = self.supply is None or self.state in (SupervisorState.OFF, SupervisorState.WAKE)
            if self.supply:
                self.supply.parameters.power_switch[:] = int(off)
            self.restarting = not off

    def _tell_changes(self, now: float) -> None:
        measured = self.controller.measurements.supervisor
        state, faults = int(measured.state[0]), int(measured.faults[0])
        if state != self.state:
            self.session.tell(f"controller: {SupervisorState(state).name.lower().replace('_', ' ')}")
            self.state = state
        if state == SupervisorState.READY and self.ready_at is None:
            self.ready_at = now
        for verb, bits in (("fault", faults & ~self.faults), ("over", self.faults & ~faults)):
            for name in names(bits):
                self.session.tell(f"controller: {verb}: {name}")
        self.faults = faults
        if now > HEARING_TIME and not self.told_silent:
            self.told_silent = True
            for bus, roles in roles_not_heard(self.session.wiring, self.controller, self.filled).items():
                self.session.tell(f"{bus}: nothing heard of {', '.join(roles)}: look for power and wiring, or see --rest-bus")

    @property
    def torque_is_gone(self) -> bool:
        """Whether no torque is commanded any more."""
        outputs = self.controller.outputs
        return max(abs(float(outputs[axle]["motor_torque"][0])) for axle in ("front", "rear")) < REMAINING_TORQUE

    def let_go(self) -> None:
        """Take the torque away, by the way on which it is withheld from who has not armed."""
        if self.operator:
            self.operator.stop()
        self.controller.parameters.supervisor.arming_required[:] = 1
        self.controller.parameters.input_qualification.panel_timeout[:] = 0.1

    def rows(self) -> list[Row]:
        """How the run went."""
        return [
            Row("READY after", self.ready_at, "s", note="" if self.ready_at is not None else "never READY"),
            Row("faults at the end", ", ".join(names(self.faults)) or "none"),
        ]


@dataclass
class CarWatch:
    """What is looked at while the car runs."""

    session: Session
    drive: Drive
    phase: str = ""

    def look(self, keys: list[str]) -> bool:
        """One look; False once the scenario is over."""
        phase = self.drive.phase.name.lower().replace("_", "-")
        if phase != self.phase:
            self.session.tell(f"car: {phase}")
            self.phase = phase
        return self.drive.scenario_time < self.drive.duration

    torque_is_gone = True

    def let_go(self) -> None:
        """The car commands nothing."""


def _loop(session: Session, bench: RealtimeBench, watch: Any, keyboard: Keyboard) -> None:
    """Run until the watch or a signal ends it; the torque goes first, then the buses."""
    letting_go: float | None = None
    for chunk in bench.chunks(float("inf"), LOOK):
        del chunk  # what was measured is in the records; frames are the recorder's
        going = watch.look(keyboard.pressed()) and not session.ending
        if letting_go is None and not going:
            watch.let_go()
            letting_go = time.monotonic()
        if letting_go is not None and (watch.torque_is_gone or time.monotonic() - letting_go > LETTING_GO):
            bench.request_stop()


def names(faults: int) -> list[str]:
    """Names of the faults whose bits are set."""
    return [str(fault.name).lower().replace("_", " ") for fault in Fault if fault & faults]


def _announce(session: Session, hand: bool, arm: bool, controller: Node) -> None:
    clamp = controller.parameters.hand_torque
    if hand:
        torque, speed = float(clamp.torque_max[0]), float(clamp.speed_max[0]) * RPM
        session.tell(f"torque by hand, at most {torque:g} Nm and {speed:.0f} rpm; {KEYS}")
    if hand and not arm:
        session.tell("disarmed: no torque until you press a, or start with --arm")


def _bus_rows(node: Node, bench: RealtimeBench) -> list[Row]:
    """What this side has seen of its buses."""
    port = node.port[0]
    problems = [Row("bus", text) for text in bench.problems]
    return [
        Row("frames received", int(port.received.sum()), "1"),
        Row("frames sent", int(port.sent.sum()), "1"),
        bounded("CRC errors", int(port.crc_errors.sum()), "1", maximum=0),
        bounded("counter errors", int(port.counter_errors.sum() + port.lost.sum()), "1", maximum=0),
        *problems,
    ]


def _report(title: str, connection: Connection, rows: list[Row]) -> int:
    if connection.json:
        print(as_json(title, rows))
    else:
        print_table(output(), title, rows)
    return len(failed(rows))
