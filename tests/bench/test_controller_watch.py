"""What stops the torque, by the watch alone: the controller's records stand still until a test sets them."""

import numpy as np
import pytest
from interpreter import needs_compiler

from bench import controller_watch
from bench.controller_watch import LETTING_GO, ControllerWatch
from bench.nodes.operator_panel import ARMED, FRONT, HEARTBEAT, STOP
from bench.operator import Operator, TorqueProfile
from bench.station import controller_station, rest_bus_of, rest_bus_roles, wire
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.network.database import load_network

pytestmark = needs_compiler


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the car is off, no time has to pass; a test of that time says so."""
    monkeypatch.setattr(controller_watch, "OFF_TIME", 0.0)


class Rig:
    """A watch whose buses, for which it stands itself, and controller are as a test says."""

    def __init__(self, torque: TorqueProfile | None = None, rest: tuple[str, ...] = ("battery", "chassis"), **options) -> None:
        network = load_network("leaf_ze1")
        wiring = wire(network, {"front": "virtual:f", "chassis": None if "chassis" in rest else "virtual:c"})
        self.operator = Operator()
        nodes = controller_station(
            wiring, load_vehicle("leaf_plus"), rest=rest_bus_roles(rest), operator=self.operator, by_hand=True
        )
        self.controller, self.told = nodes[0], []
        self.is_connected, self.losses, self.foreign_frames = True, 0, 0
        self.switch = rest_bus_of(nodes) if "chassis" in rest else None
        self.watch = ControllerWatch(
            self.told.append, self, self.controller, switch=self.switch, operator=self.operator, torque=torque, **options,
        )  # fmt: skip
        self.look(state=SupervisorState.OFF)
        self.look()
        self.told.clear()

    def look(self, *keys: str, state=None, faults=0, torque=0.0) -> bool:
        measured = self.controller.measurements.supervisor
        if state is not None:
            measured.state[:] = int(state)
        measured.faults[:] = int(faults)
        self.controller.outputs["front"]["motor_torque"] = torque
        return self.watch.look(list(keys))

    @property
    def armed(self) -> bool:
        return bool(self.operator.words[ARMED])

    @property
    def asked(self) -> float:
        return self.operator.words[FRONT] / 1000.0


@pytest.mark.parametrize("rest", [("battery", "chassis"), ("battery",)])
def test_a_lost_bus_disarms_each_time_and_nobody_arms_meanwhile(rest) -> None:
    rig = Rig(rest=rest)
    for _ in range(3):
        rig.look("a", state=SupervisorState.READY)
        assert rig.armed
        rig.is_connected = False
        rig.look()
        assert not rig.armed
        rig.look("a")
        assert not rig.armed
        rig.is_connected = True
        rig.look(state=SupervisorState.OFF)
        rig.look(state=SupervisorState.READY)
        assert not rig.armed
    assert sum("a bus is lost" in text for text in rig.told) == 6


def test_a_bus_that_was_lost_between_two_looks_disarms_and_switches_the_car_off_and_on() -> None:
    rig = Rig()
    rig.look("a", state=SupervisorState.READY)
    rig.losses += 1
    rig.look()
    assert not rig.armed
    rig.look()
    assert rig.switch.parameters.power_switch[0] == 0
    rig.look("a", state=SupervisorState.OFF)
    assert rig.switch.parameters.power_switch[0] == 1
    rig.look(state=SupervisorState.READY)
    assert rig.armed


def test_a_second_controller_disarms_as_long_as_it_speaks() -> None:
    rig = Rig()
    rig.look("a", state=SupervisorState.READY)
    for _ in range(2):
        rig.foreign_frames += 5
        rig.look("a")
        assert not rig.armed
        assert "somebody else sends the frames of this station" in rig.told[-1]
    rig.look("a")
    assert rig.armed


def test_after_a_lost_bus_the_rest_bus_switches_the_car_off_and_on() -> None:
    rig = Rig()
    rig.look(state=SupervisorState.READY)
    rig.is_connected = False
    rig.look()
    assert rig.switch.parameters.power_switch[0] == 1  # nobody would hear it
    rig.is_connected = True
    rig.look(state=SupervisorState.SHUTDOWN)
    assert rig.switch.parameters.power_switch[0] == 0
    rig.look(state=SupervisorState.OFF)
    assert rig.switch.parameters.power_switch[0] == 1
    rig.look(state=SupervisorState.READY)
    assert rig.switch.parameters.power_switch[0] == 1


def test_the_emergency_stop_takes_the_torque_and_arming_after_it_switches_the_car_off_and_on() -> None:
    rig = Rig()
    rig.look("a", "up", "up", state=SupervisorState.READY)
    assert rig.asked == 2.0
    rig.look(" ")
    assert (rig.asked, rig.armed, rig.operator.words[STOP]) == (0.0, False, 1)
    rig.look("a", state=SupervisorState.FAULT)
    assert rig.armed
    assert rig.switch.parameters.power_switch[0] == 0
    rig.look(state=SupervisorState.OFF)
    assert rig.switch.parameters.power_switch[0] == 1
    assert rig.asked == 0.0  # what was asked for before does not come back


def test_a_torque_over_time_begins_when_it_is_armed_and_ready_and_each_time_anew(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("bench.controller_watch.time.monotonic", lambda: now[0])
    ramp = np.array([0.0, 5.0])
    rig = Rig(torque=TorqueProfile(np.array([0.0, 10.0]), ramp, ramp))
    rig.look(state=SupervisorState.READY)
    now[0] += 8.0
    rig.look("a")
    assert rig.asked == 0.0
    now[0] += 2.0
    rig.look()
    assert rig.asked == pytest.approx(1.0)
    rig.look("d")
    assert rig.asked == 0.0
    now[0] += 5.0
    rig.look("a")
    assert rig.asked == 0.0
    rig.look("up")
    now[0] += 5.0
    rig.look()
    assert rig.asked == 1.0  # by hand from now on


def test_the_run_ends_only_after_two_looks_without_torque() -> None:
    rig = Rig()
    rig.look("a", state=SupervisorState.READY, torque=10.0)
    assert rig.look("q", torque=10.0)
    assert rig.operator.words[STOP] == 1
    assert rig.controller.parameters.supervisor.arming_required[0] == 1
    assert rig.controller.parameters.input_qualification.panel_timeout[0] < 0.0  # whoever else sits at a panel
    assert rig.look(torque=4.0)
    assert rig.look(torque=0.0)
    assert rig.look(torque=1.0)
    assert rig.look(torque=0.0)
    assert not rig.look(torque=0.0)
    assert rig.watch.rows()[-1].passed


def test_a_torque_that_does_not_go_is_told_and_fails(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("bench.controller_watch.time.monotonic", lambda: now[0])
    rig = Rig()
    rig.watch.let_go()
    assert rig.look(torque=7.0)
    now[0] += LETTING_GO + 0.01
    assert not rig.look(torque=7.0)
    assert rig.told[-1] == "controller: the buses are left with 7.0 Nm commanded"
    assert not rig.watch.rows()[-1].passed


def test_faults_are_told_as_they_come_and_go_and_those_of_the_end_are_not_its_own() -> None:
    rig = Rig()
    rig.look(state=SupervisorState.WAKE, faults=Fault.FRONT_INVERTER_SILENT)
    rig.look(state=SupervisorState.READY, faults=Fault.NOT_ARMED)
    assert rig.told == [
        "controller: wake", "controller: fault: front inverter silent", "controller: ready", "controller: fault: not armed",
        "controller: over: front inverter silent",
    ]  # fmt: skip
    rig.watch.let_go()
    rig.look(faults=Fault.NOT_ARMED | Fault.PANEL_SILENT)
    assert (rig.watch.rows()[1].value, rig.watch.rows()[1].note) == (1, "not armed")


def test_the_operators_heart_beats_in_every_look() -> None:
    rig = Rig()
    beats = set()
    for _ in range(3):
        rig.look(state=SupervisorState.OFF)
        beats.add(int(rig.operator.words[HEARTBEAT]))
    assert len(beats) == 3


def test_a_duration_ends_the_run() -> None:
    rig = Rig(duration=0.0)
    rig.look(state=SupervisorState.OFF)
    assert rig.watch.let_go_at is not None


def test_the_car_stays_off_long_enough_for_every_control_unit_to_hear_of_it(monkeypatch) -> None:
    now = [50.0]
    monkeypatch.setattr("bench.controller_watch.time.monotonic", lambda: now[0])
    rig = Rig()
    monkeypatch.setattr(controller_watch, "OFF_TIME", 0.5)
    rig.look(state=SupervisorState.READY)
    rig.losses += 1
    rig.look()
    for seconds, on in ((0.0, 0), (0.4, 0), (0.09, 0), (0.02, 1)):
        now[0] += seconds
        rig.look(state=SupervisorState.OFF)
        assert rig.switch.parameters.power_switch[0] == on


def test_a_fault_that_an_inverter_remembers_is_cleared_by_switching_off_and_on_once() -> None:
    rig = Rig()
    for tries in (1, 2):
        rig.look(state=SupervisorState.HIGH_VOLTAGE_ON, faults=Fault.FRONT_INVERTER_ERROR)
        rig.look()
        assert rig.switch.parameters.power_switch[0] == tries - 1
        rig.look(state=SupervisorState.OFF)
        rig.look()
        assert rig.switch.parameters.power_switch[0] == 1
    assert sum("once more" in text for text in rig.told) == 1
    rig.look(state=SupervisorState.READY)
    rig.look(state=SupervisorState.HIGH_VOLTAGE_ON, faults=Fault.FRONT_INVERTER_ERROR)
    rig.look()
    assert rig.switch.parameters.power_switch[0] == 0  # another start, another try


@pytest.mark.parametrize("by_hand", [True, False])
def test_by_hand_a_fault_in_between_disarms_and_torque_does_not_come_back_by_itself(by_hand: bool) -> None:
    rig = Rig(by_hand=by_hand)
    rig.look("a", faults=Fault.PEDALS_SILENT | Fault.FRONT_INVERTER_INVALID)  # as at every start
    assert rig.armed
    rig.look(state=SupervisorState.READY)
    rig.look(faults=Fault.FRONT_INVERTER_SILENT)
    assert rig.armed != by_hand
    assert ("operator: disarmed, because of front inverter silent" in rig.told) == by_hand
    rig.look("a", faults=Fault.FRONT_INVERTER_SILENT | Fault.NOT_ARMED)
    assert rig.armed


def test_a_supply_of_another_voltage_than_was_said_is_told_with_what_to_say() -> None:
    rig = Rig(supply=350.0)
    rig.controller.inputs["front"]["dc_voltage"] = 394.6
    rig.look(state=SupervisorState.HIGH_VOLTAGE_ON, faults=Fault.FRONT_DC_LINK)
    assert rig.told[-1] == "front: the inverter tells 395 V, the rest-bus 350 V: say --supply 395"


def test_who_never_gets_ready_misses_a_target_unless_only_listening() -> None:
    assert Rig().watch.rows()[0].passed is False
    assert Rig(expects_ready=False).watch.rows()[0].passed is None
