"""The controller on its buses, by hand: through frames, with an inverter of the virtual car on the other side."""

import json
import os
import re
import signal
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from interpreter import needs_compiler
from platforms import needs_absolute_sleep

from bench.commands import ecu
from bench.commands.ecu import BusRun, RunOptions
from bench.drive import Drive
from bench.operator import Operator
from bench.scenarios import load_scenario
from bench.station import car_of_roles, controller_station, rest_bus_of, rest_bus_roles, wire
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.diagnostics.controller import ADDRESSES, NAME, controller_responder
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.protocol import Access, Session, Tester
from hil.errors import UsageError
from hil.network.database import load_network
from hil.peer import peers
from hil.realtime import RealtimeBench
from hil.realtime_station import SessionOptions
from hil.state_directory import claimed, state_directory
from hil.timing import LoopSettings, Overrun
from hil.xcp.identity import MASTER_IDENTIFIER, SLAVE_IDENTIFIER

pytestmark = [needs_absolute_sleep, needs_compiler]

PATIENCE = 30.0  # [s] until a condition must hold; a machine may be busy
LOOK = 0.02  # [s]
TORQUE = 8.0  # [Nm]


class Table:
    """One inverter on the table, the controller beside its rest-bus, and an operator, on one virtual bus."""

    def __init__(self, channel: str) -> None:
        network, vehicle = load_network("leaf_ze1"), load_vehicle("leaf_plus")
        wiring = wire(network, {"front": f"virtual:{channel}"})
        self.operator = Operator()
        self.station = controller_station(
            wiring, vehicle, rest=rest_bus_roles(["battery", "chassis"]), operator=self.operator, by_hand=True, voltage=395.0
        )
        self.controller = self.station[0]
        car = Drive(network, vehicle, load_scenario("launch")).car
        self.inverter = car_of_roles(car, network, ["front_inverter"])
        self.told: list[str] = []
        self.bench = RealtimeBench(
            network, [self.station, self.inverter], wiring.in_order, LoopSettings(priority=0, lock_memory=False),
            SessionOptions(reconnect=True, report=self.told.append),
        )  # fmt: skip
        self.bench.compile()

    def run(self, *steps: tuple[Callable[[], bool], Callable[[], None]]) -> None:
        """Wait for each condition in turn, and then act; the operator is there until somebody sends him away."""
        self.present = True
        waiting = iter(steps)
        condition, act = next(waiting)
        give_up = time.monotonic() + PATIENCE
        for _ in self.bench.chunks(PATIENCE, LOOK):
            if self.present:
                self.operator.beat()
            assert time.monotonic() < give_up, (condition, self.state, self.faults, self.told)
            if condition():
                act()
                following = next(waiting, None)
                if following is None:
                    self.bench.request_stop()
                else:
                    condition, act = following

    @property
    def state(self) -> SupervisorState:
        return SupervisorState(int(self.controller.measurements.supervisor.state[0]))

    @property
    def faults(self) -> Fault:
        return Fault(int(self.controller.measurements.supervisor.faults[0]))

    @property
    def delivered(self) -> float:
        return float(self.controller.inputs["front"]["motor_torque"][0])

    @property
    def commanded(self) -> float:
        return float(self.controller.outputs["front"]["motor_torque"][0])


def nothing() -> None:
    """What is done where nothing is to be done."""


def test_one_inverter_on_the_table_gives_the_operators_torque_and_lets_go_when_he_is_gone() -> None:
    table = Table("test_ecu_by_hand")

    def arm() -> None:
        table.operator.arm()
        table.operator.ask(TORQUE, 0.0)

    def ask_too_much() -> None:
        table.operator.ask(300.0, 0.0)

    def leave() -> None:
        table.present = False

    table.run(
        (lambda: table.state == SupervisorState.READY, nothing),
        (lambda: table.commanded == 0.0 and Fault.NOT_ARMED in table.faults, arm),
        (lambda: table.delivered == pytest.approx(TORQUE, abs=0.5), ask_too_much),
        (lambda: table.delivered == pytest.approx(20.0, abs=0.5), leave),
        (lambda: table.commanded == 0.0 and Fault.PANEL_SILENT in table.faults, nothing),
        (lambda: abs(table.delivered) < 0.5, nothing),
    )
    assert table.controller.port["crc_errors"].sum() == 0
    assert table.bench.errors == []


def test_after_an_emergency_stop_the_torque_is_back_only_once_the_car_was_off_and_it_is_armed_anew() -> None:
    table = Table("test_ecu_stop")
    switch = rest_bus_of(table.station).parameters.power_switch

    def turn(on: int) -> None:
        switch[:] = on

    def arm() -> None:
        table.operator.arm()
        table.operator.ask(TORQUE, 0.0)

    table.run(
        (lambda: table.state == SupervisorState.READY, arm),
        (lambda: table.delivered == pytest.approx(TORQUE, abs=0.5), table.operator.stop),
        (lambda: table.commanded == 0.0 and Fault.EMERGENCY_STOP in table.faults, arm),
        (lambda: table.state == SupervisorState.FAULT and table.commanded == 0.0, lambda: turn(0)),
        (lambda: table.state == SupervisorState.OFF and table.commanded == 0.0, lambda: turn(1)),
        (lambda: table.delivered == pytest.approx(TORQUE, abs=0.5), nothing),
    )


def test_a_restart_takes_the_torque_at_once_and_gives_it_back_through_the_start_up_and_arming() -> None:
    table = Table("test_ecu_restart")

    def arm() -> None:
        table.operator.arm()
        table.operator.ask(TORQUE, 0.0)

    def restart() -> None:
        table.controller.parameters.hand_torque.torque_max[:] = 19.0
        table.bench.stations[0].restart()
        give_up = time.monotonic() + PATIENCE
        while table.state == SupervisorState.READY:
            assert time.monotonic() < give_up
            time.sleep(1e-3)
        assert table.commanded == 0.0
        table.operator.arm(False)

    table.run(
        (lambda: table.state == SupervisorState.READY, arm),
        (lambda: table.delivered == pytest.approx(TORQUE, abs=0.5), restart),
        (lambda: table.state == SupervisorState.PRECHARGE, nothing),
        (lambda: table.state == SupervisorState.READY and table.commanded == 0.0 and Fault.NOT_ARMED in table.faults, arm),
        (lambda: table.delivered == pytest.approx(TORQUE, abs=0.5), nothing),
    )
    assert table.controller.parameters.hand_torque.torque_max[0] == 19.0
    assert table.bench.errors == []


def test_roles_that_the_car_has_not_are_named() -> None:
    network = load_network("leaf_ze1")
    car = Drive(network, load_vehicle("leaf_plus"), load_scenario("launch")).car
    with pytest.raises(UsageError, match=r'role "front_invertor", did you mean .*front_inverter'):
        car_of_roles(car, network, ["front_invertor"])


# The run of a command: what ends it ----------------------------------------------------------------------------------------


class Letting:
    """Somebody who lets go when asked, and is gone a few looks later."""

    def __init__(self) -> None:
        self.asked, self.looks, self.left = 0, 0, 3

    def let_go(self) -> None:
        self.asked += 1

    def look(self, keys: list[str]) -> bool:
        self.looks += 1
        self.left -= self.asked > 0
        return self.left > 0


@pytest.fixture
def run_of():
    """Makes the run of one inverter's controller on a virtual bus, with such options."""

    def make(
        channel: str, record: Path | None = None, *, bus: str = "front", diagnostics: bool = True, **settings: Any
    ) -> BusRun:
        network = load_network("leaf_ze1")
        wiring = wire(network, {"front": "virtual:test_ecu_front", bus: f"virtual:{channel}"})
        nodes = controller_station(
            wiring, load_vehicle("leaf_plus"), rest=rest_bus_roles(["battery", "chassis"]), operator=Operator(), by_hand=True
        )
        options = RunOptions(
            buses={}, network=None, settings=LoopSettings(priority=0, lock_memory=False, **settings), duration=None,
            listen_only=False, record=record, record_size=None, json=True, diagnostics=diagnostics,
        )  # fmt: skip
        return BusRun(options, wiring, nodes)

    return make


def responder_of(station: Any, directory: Path) -> Any:
    """The server of a station's controller."""
    return controller_responder(station.nodes[0], station.restart, station.switch_transmission, directory, lambda message: None)


@pytest.mark.parametrize("diagnostics", [True, False])
def test_a_tester_on_the_chassis_bus_is_answered_unless_it_is_not_to_be(run_of, tmp_path: Path, diagnostics: bool) -> None:
    answers: list[bytes] = []
    looks = iter(range(10 if not diagnostics else 1000))

    def look(keys: list[str]) -> bool:
        tester.send(ADDRESSES.request, int.from_bytes(b"\x02\x3e\x00", "little"))
        answers.extend(bytes(one.data[:3]) for one in tester.heard() if one.arbitration_id == ADDRESSES.response)
        return next(looks, None) is not None and not answers

    with (
        peers(["virtual:test_ecu_tester"]) as (tester,),
        run_of("test_ecu_tester", bus="chassis", diagnostics=diagnostics) as run,
        responder_of(run.bench.stations[0], tmp_path) as responder,
    ):
        run.answer("chassis", responder)
        run.compile()
        run.go(look, lambda: None, keys=False)
    assert set(answers) == ({b"\x02\x7e\x00"} if diagnostics else set())
    assert run.bench.errors == []


def test_what_a_tester_calibrates_is_journalled_and_what_is_held_is_not_his(run_of) -> None:
    with run_of("test_ecu_calibrated", bus="chassis") as run, ExitStack() as closing:
        (spec,) = ecu.tools_of(closing, run.bench.stations[0])
        tester = Tester("insider", Session.EXTENDED, Access.CALIBRATE)
        numbers = {row.name: row.number.to_bytes(2) for row in identifiers(run.bench.stations[0].nodes[0]).values()}
        mass, required = numbers["calibration.vehicle.mass"], numbers["calibration.supervisor.arming_required"]
        assert spec.server.request(tester, b"\x2e" + mass + struct.pack(">d", 1950.0), 0.0) == b"\x6e" + mass
        assert spec.server.request(tester, b"\x2e" + required + struct.pack(">q", 0), 0.0) == bytes.fromhex("7f 2e 31")
        (line,) = (state_directory(NAME) / ecu.JOURNAL_FILE).read_text().splitlines()
    told = json.loads(line)
    assert told["way"] == "diagnostics"
    assert [(change["path"], change["to"]) for change in told["changes"]] == [("vehicle.mass", 1950.0)]


def test_a_second_controller_answers_testers_with_a_memory_that_ends_with_it(run_of, capsys) -> None:
    with run_of("test_ecu_second", bus="chassis") as run, ExitStack() as closing, claimed(state_directory(NAME)):
        (spec,) = ecu.tools_of(closing, run.bench.stations[0])
        assert spec.server.request(Tester("second"), b"\x3e\x00", 0.0) == b"\x7e\x00"
        told = " ".join(capsys.readouterr().err.split())
        assert f"in use by process {os.getpid()}" in told
        place = Path(re.search(r"audit log are in (\S+),", told)[1])
        assert place.is_dir()
        closing.close()
        assert not place.exists()


@pytest.mark.parametrize("diagnostics", [True, False])
def test_an_xcp_master_on_the_chassis_bus_is_answered_behind_the_lock(
    run_of, tmp_path: Path, monkeypatch, diagnostics: bool
) -> None:
    monkeypatch.setenv("E4HIL_STATE_DIR", str(tmp_path))
    answers: list[bytes] = []
    commands = [b"\xff\x00", b"\xf6\x00\x00\x00\x00\x00\x00\x10", b"\xf0\x04\x00\x00\x00\x00"]
    looks = iter(range(1000))

    def look(keys: list[str]) -> bool:
        answers.extend(bytes(one.data[:2]) for one in master.heard() if one.arbitration_id == SLAVE_IDENTIFIER)
        if len(answers) < len(commands):
            master.send(MASTER_IDENTIFIER, int.from_bytes(commands[len(answers)].ljust(8, b"\0"), "little"))
        return next(looks, None) is not None and len(answers) < len(commands)

    with (
        peers(["virtual:test_ecu_xcp"]) as (master,),
        ExitStack() as closing,
        run_of("test_ecu_xcp", bus="chassis", diagnostics=diagnostics) as run,
    ):
        for spec in ecu.tools_of(closing, run.bench.stations[0], diagnostics=diagnostics, xcp=True):
            run.answer("chassis", spec)
        run.compile()
        run.go(look, lambda: None, keys=False)
    assert answers == [b"\xff\x05", b"\xff", b"\xfe\x25"]
    assert run.bench.errors == []
    assert (tmp_path / "controller" / "calibration.jsonl").read_text() == ""


def test_xcp_needs_the_chassis_bus() -> None:
    options = RunOptions(
        buses={"front": "virtual:test_ecu_no_chassis"}, network="leaf_ze1", settings=LoopSettings(priority=0, lock_memory=False),
        duration=None, listen_only=False, record=None, record_size=None, json=True,
    )  # fmt: skip
    hand = ecu.Hand(None, None, None, None)
    with pytest.raises(UsageError, match="--xcp: an XCP master is on the chassis bus: connect it with --chassis ADDRESS"):
        ecu.run_ecu(options, "leaf_plus", rest_bus=["battery", "chassis"], hand=hand, arm=False, voltage=None, xcp=True)


def test_a_signal_lets_go_and_the_run_ends_when_that_is_done(run_of, tmp_path) -> None:
    letting = Letting()

    def look(keys: list[str]) -> bool:
        if letting.looks == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return letting.look(keys)

    before = threading.active_count(), signal.getsignal(signal.SIGTERM)
    with run_of("test_ecu_signal", tmp_path / "run.log") as run:
        run.compile()
        run.go(look, letting.let_go, keys=False)
    assert letting.asked == 1
    assert letting.looks >= 5
    assert (threading.active_count(), signal.getsignal(signal.SIGTERM)) == before
    assert " 1D4#" in (tmp_path / "run.log").read_text()
    assert run.report("ended", []) == (0, False)


def test_a_second_signal_ends_the_run_at_once_and_leaves_nothing_behind(run_of) -> None:
    letting = Letting()
    letting.left = 1_000_000

    def look(keys: list[str]) -> bool:
        if letting.looks in (2, 4):
            os.kill(os.getpid(), signal.SIGINT)
        return letting.look(keys)

    before = threading.active_count()
    with run_of("test_ecu_signals") as run:
        run.compile()
        with pytest.raises(KeyboardInterrupt):
            run.go(look, letting.let_go, keys=False)
    assert letting.asked == 1
    assert threading.active_count() == before


def test_a_failure_lets_go_is_told_and_ends_the_run_as_failed(run_of, monkeypatch, capsys) -> None:
    monkeypatch.setattr("hil.realtime.START_DELAY", -10_000_000)  # the first wake-up is late by ten periods
    letting = Letting()
    with run_of("test_ecu_failure", overrun=Overrun.STOP) as run:
        run.compile()
        run.go(letting.look, letting.let_go, keys=False)
    assert letting.asked == 1
    assert capsys.readouterr().err.count("the run ends: controller: the loop missed a period") == 1
    assert run.report("ended", [])[1]
