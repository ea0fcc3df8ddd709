from math import inf, isfinite, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.controller import step_by_hand
from firmware_model.hand_torque import wanted
from firmware_model.kernel import kernel
from firmware_model.measurements import Fault

TORQUE_MAX, SPEED_MAX, FADE = 20.0, 157.1, 20.0
DT = 1e-3


@kernel
def repeat_by_hand(steps, inputs, outputs, state, measurements, calibration):
    for _ in range(steps):
        step_by_hand(DT, inputs, outputs, state, measurements, calibration)


class HandRig(Rig):
    """A controller at a bench without a car; the operator arms it and asks for torques [Nm]."""

    def __init__(self, front=0.0, rear=0.0, armed=1):
        super().__init__()
        self.calibration.supervisor.arming_required = 1
        self.ask(front, rear)
        self.run(0.05)
        self.inputs.panel.armed = armed

    def ask(self, front, rear=0.0):
        self.inputs.panel.front_torque, self.inputs.panel.rear_torque = front, rear

    def run(self, seconds):
        repeat_by_hand(round(seconds / DT), self.inputs, self.outputs, self.state, self.measurements, self.calibration)
        return float(self.outputs.front.motor_torque), float(self.outputs.rear.motor_torque)


@pytest.mark.parametrize("torque", [10.0, -10.0, TORQUE_MAX, 35.0, -400.0])
def test_the_operators_torque_goes_out_within_the_clamp(torque):
    rig = HandRig(torque, -torque)
    held = max(-TORQUE_MAX, min(TORQUE_MAX, torque))
    assert rig.run(0.5) == pytest.approx((held, -held), abs=0.05)
    assert rig.state.torque_monitor.faults == 0


@pytest.mark.parametrize(("speed", "share"), [(0.0, 1.0), (SPEED_MAX - FADE, 1.0), (SPEED_MAX - 0.5 * FADE, 0.5), (200.0, 0.0)])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_towards_the_highest_speed_the_torque_fades_out_and_against_it_is_free(speed, share, direction):
    rig = HandRig()
    rig.ask(direction * 10.0, direction * -10.0)
    rig.state.inputs.front.motor_speed = rig.state.inputs.rear.motor_speed = direction * speed
    assert wanted(rig.state, rig.inputs.panel, rig.calibration) == pytest.approx((direction * 10.0 * share, direction * -10.0))


@pytest.mark.parametrize("torque", [nan, inf, -inf])
def test_a_torque_that_is_not_a_number_is_none(torque):
    rig = HandRig(torque, torque)
    assert rig.run(0.3) == (0.0, 0.0)


def test_nothing_goes_out_before_the_operator_has_armed():
    rig = HandRig(10.0, armed=0)
    assert rig.run(0.5) == (0.0, 0.0)
    rig.inputs.panel.armed = 1
    assert rig.run(0.5)[0] == pytest.approx(10.0, abs=0.05)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [("panel.emergency_stop", 1, Fault.EMERGENCY_STOP), ("panel.link.age", 0.6, Fault.PANEL_SILENT)],
)
def test_emergency_stop_and_a_lost_heartbeat_end_the_torque_and_its_end_alone_does_not_bring_it_back(path, value, fault):
    rig = HandRig(15.0)
    assert rig.run(0.5)[0] == pytest.approx(15.0, abs=0.05)
    before = rig.inputs.panel.link.age if path.endswith("age") else 0
    rig.set(path, value)
    assert rig.run(0.3)[0] == 0.0
    assert rig.measurements.supervisor.faults & fault
    rig.set(path, before)
    assert rig.run(0.5)[0] == 0.0


def test_after_a_lost_heartbeat_the_torque_is_back_once_it_is_armed_anew():
    rig = HandRig(15.0)
    rig.run(0.5)
    rig.inputs.panel.link.age, age = 0.6, rig.inputs.panel.link.age
    rig.run(0.3)
    rig.inputs.panel.link.age, rig.inputs.panel.armed = age, 0
    rig.run(0.3)
    rig.inputs.panel.armed = 1
    assert rig.run(0.5)[0] == pytest.approx(15.0, abs=0.05)


def test_after_an_emergency_stop_the_car_has_to_be_off_before_it_can_be_armed_anew():
    rig = HandRig(15.0)
    rig.run(0.5)
    rig.inputs.panel.emergency_stop = 1
    rig.run(0.3)
    rig.inputs.panel.emergency_stop = rig.inputs.panel.armed = 0
    rig.run(0.3)
    rig.inputs.panel.armed = 1
    assert rig.run(2.0)[0] == 0.0
    rig.inputs.pedals.power_switch = 0
    rig.run(5.0)
    rig.inputs.pedals.power_switch = 1
    assert rig.run(5.0)[0] == pytest.approx(15.0, abs=0.05)


def test_a_low_clamp_on_speed_leaves_the_whole_torque_at_standstill():
    rig = HandRig()
    rig.calibration.hand_torque.speed_max = 10.0
    rig.ask(10.0, 10.0)
    rig.state.inputs.front.motor_speed = 5.0
    assert wanted(rig.state, rig.inputs.panel, rig.calibration) == pytest.approx((5.0, 10.0))
    rig.calibration.hand_torque.speed_max = 0.0
    assert wanted(rig.state, rig.inputs.panel, rig.calibration) == (0.0, 0.0)


def test_a_dc_link_that_is_not_at_the_pack_is_a_fault_by_hand_too():
    rig = HandRig(5.0)
    rig.inputs.front.dc_voltage = rig.inputs.battery.voltage - 150.0
    rig.run(2.0)
    assert rig.measurements.supervisor.faults & Fault.FRONT_DC_LINK


def test_a_motor_that_is_not_there_is_asked_for_nothing():
    rig = HandRig(10.0, 10.0)
    rig.calibration.rear.motor_present = 0
    assert rig.run(0.5) == (pytest.approx(10.0, abs=0.05), 0.0)


def test_motors_may_turn_while_no_wheel_does():
    rig = HandRig(5.0)
    rig.inputs.front.motor_speed = 100.0
    rig.run(2.0)
    assert rig.measurements.supervisor.faults == 0
    assert rig.outputs.front.motor_torque == pytest.approx(5.0, abs=0.05)


@given(st.floats(), st.floats(), st.floats(), st.integers(0, 1), st.integers(0, 1))
def test_whatever_the_panel_says_the_torque_stays_within_the_clamp(front, rear, speed, armed, stop):
    rig = HandRig()
    rig.ask(front, rear)
    rig.inputs.front.motor_speed = speed
    rig.inputs.panel.armed, rig.inputs.panel.emergency_stop = armed, stop
    for torque in rig.run(0.1):
        assert isfinite(torque)
        assert abs(torque) <= TORQUE_MAX
