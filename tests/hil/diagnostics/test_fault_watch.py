"""What of the controller becomes a trouble code, and when."""

from pathlib import Path

import pytest
from served import served
from waiting import nothing_left_behind, wait_until

from bench.drive import CONTROLLER
from firmware_model.measurements import Fault, SupervisorState
from hil.diagnostics.controller import FAULT_FILE, controller_responder
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.fault_watch import LONG_START, PERIOD, FaultWatch
from hil.diagnostics.trouble_codes import TABLE
from hil.network.database import load_network
from hil.node import Node


class Watched:
    """A controller whose memory is written by hand, and its watch."""

    def __init__(self) -> None:
        self.node = Node(CONTROLLER, load_network("leaf_ze1"))
        self.supervisor = self.node.measurements[0].supervisor
        self.inputs = self.node.inputs[0]
        self.watch = FaultWatch(self.node, FaultMemory(TABLE), lambda: b"\0")
        self.now = 0.0

    def run(self, seconds: float, state: SupervisorState = SupervisorState.READY, faults: int = 0, latched: int = 0) -> None:
        self.supervisor.state, self.supervisor.faults, self.supervisor.latched_faults = state, faults, latched
        for _ in range(round(seconds / PERIOD)):
            self.watch.look(self.now)
            self.now += PERIOD

    def arm(self) -> None:
        """As the controller does some time after READY."""
        self.run(1.0, SupervisorState.WAKE)
        self.node.outputs[0].power.absence_diagnosis = 1

    @property
    def failed(self) -> set[str]:
        return {entry.code.name for entry in self.watch.memory.entries.values() if entry.status & 1}


def test_what_boots_is_not_missed_before_the_diagnosis_of_absence_is_armed() -> None:
    car = Watched()
    car.run(3.0, SupervisorState.WAKE, Fault.BATTERY_STATE_SILENT | Fault.FRONT_INVERTER_INVALID)
    car.run(2.0, SupervisorState.READY, Fault.FRONT_INVERTER_SILENT)
    assert car.failed == set()
    car.node.outputs[0].power.absence_diagnosis = 1
    car.run(1.0, SupervisorState.READY, Fault.FRONT_INVERTER_SILENT)
    assert car.failed == {"P3191-00"}


def test_what_is_missing_while_a_start_takes_long_is_stored() -> None:
    car = Watched()
    car.run(LONG_START + 0.1, SupervisorState.WAKE, Fault.BATTERY_STATE_SILENT)
    assert car.failed == {"U1E02-87"}


def test_what_is_no_matter_of_frames_is_stored_from_the_start() -> None:
    car = Watched()
    car.run(0.1, SupervisorState.WAKE, Fault.RELAY_CUT_REQUEST)
    assert car.failed == {"P1E11-94"}


def test_what_falls_asleep_after_the_relay_is_open_is_not_missed() -> None:
    car = Watched()
    car.arm()
    car.run(1.0)
    car.node.outputs[0].power.absence_diagnosis = 0
    car.run(1.0, SupervisorState.DISCHARGE, Fault.FRONT_INVERTER_SILENT | Fault.REAR_INVERTER_SILENT)
    car.run(60.0, SupervisorState.FAULT, Fault.FRONT_INVERTER_SILENT | Fault.REAR_INVERTER_SILENT, Fault.EMERGENCY_STOP)
    assert car.failed == {"P1E20-68"}


def test_what_is_missed_while_the_car_comes_to_rest_is_stored() -> None:
    car = Watched()
    car.arm()
    car.run(1.0)
    car.node.outputs[0].power.absence_diagnosis = 0
    car.run(3.0, SupervisorState.SHUTDOWN, Fault.PEDALS_SILENT, Fault.PEDALS_SILENT)
    assert car.failed == {"U1E05-87", "U1000-00"}


def test_a_latched_fault_is_one_also_when_its_cause_has_gone() -> None:
    car = Watched()
    car.arm()
    car.run(10.0, SupervisorState.READY, 0, Fault.MONITOR_EXCESS)
    assert car.failed == {"P1E30-85"}


@pytest.mark.parametrize(
    ("axle", "silent", "errors", "code"),
    [
        ("front", Fault.FRONT_INVERTER_SILENT, "crc_errors", "P319C-00"),
        ("front", Fault.FRONT_INVERTER_SILENT, "counter_errors", "P31A7-00"),
        ("rear", Fault.REAR_INVERTER_SILENT, "crc_errors", "U1E01-83"),
        ("rear", Fault.REAR_INVERTER_SILENT, "counter_errors", "U1E01-82"),
    ],
)
def test_an_inverter_whose_frames_are_wrong_is_told_from_one_that_is_silent(
    axle: str, silent: Fault, errors: str, code: str
) -> None:
    car = Watched()
    car.inputs[axle].link[errors] = 7  # long ago
    car.watch = FaultWatch(car.node, car.watch.memory, lambda: b"\0")
    car.arm()
    missing = "P3191-00" if axle == "front" else "U1E01-87"
    car.run(0.5, faults=silent)
    assert car.failed == {missing}
    car.inputs[axle].link[errors] += 1
    car.run(0.5, faults=silent)
    assert car.failed == {missing, code}
    car.run(3.0)
    assert car.failed == set()
    car.run(0.5, faults=silent)
    assert car.failed == {missing}


def test_what_the_front_inverter_broadcasts_is_stored_while_it_reports_an_error() -> None:
    car = Watched()
    car.arm()
    for broadcast in (0x0A3F, 0xD000, 0x318E):  # as one alone on a bench does; the second is known as our own U1000
        car.inputs.front_condition.trouble_code = broadcast
        car.run(0.1)
    assert car.failed == set()
    car.run(0.5, faults=Fault.FRONT_INVERTER_ERROR)
    assert car.failed == {"P0A78-00", "P0A3F-00", "P318E-00"}
    car.run(3.0)
    assert car.failed == set()


def test_a_restart_of_the_controller_ends_the_operation_cycle() -> None:
    car = Watched()
    car.arm()
    car.run(3.0)
    assert car.watch.memory.in_cycle
    car.node.outputs[0].power.absence_diagnosis = 0
    car.run(0.1, SupervisorState.OFF)
    assert not car.watch.memory.in_cycle


def test_who_answers_testers_looks_for_faults_and_ends_with_nothing_left_behind(tmp_path: Path) -> None:
    node, told = Node(CONTROLLER, load_network("leaf_ze1")), list[str]()
    with nothing_left_behind(), controller_responder(node, lambda: None, lambda on: None, tmp_path, told.append) as spec:
        supervisor = node.measurements[0].supervisor
        supervisor.state, supervisor.faults = SupervisorState.WAKE, Fault.RELAY_CUT_REQUEST
        with served("fault_watch", spec):
            wait_until(lambda: (tmp_path / FAULT_FILE).exists())  # it is written when a code is confirmed
        supervisor.state = SupervisorState.OFF
    memory = FaultMemory(TABLE, tmp_path / FAULT_FILE)
    assert [entry.code.name for entry in memory.entries.values() if entry.record] == ["P1E11-94"]
    assert not memory.stored().in_cycle
    assert told == []
