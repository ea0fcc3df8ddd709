from math import inf, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st
from test_hand_torque import HandRig

from firmware_model.actuator_test import apply_brakes, follow
from firmware_model.kernel import kernel
from firmware_model.measurements import SupervisorState

DT = 0.01  # [s]
BRAKES = ("front_left", "front_right", "rear_left", "rear_right")
BRAKE_MAX, BRAKE_RATE, MOTOR_MAX, MOTOR_RATE, TIMEOUT = 1500.0, 3000.0, 5.0, 20.0, 0.2


@kernel
def repeat_follow(steps, speed, beat, state, measurements, calibration):
    for _ in range(steps):
        state.request.heartbeat += beat
        follow(DT, speed, state, measurements, calibration)


class LawRig(Rig):
    """The law alone; the server asks and moves its heartbeat."""

    def __init__(self, **asked):
        super().__init__()
        self.law = self.state.actuator_test
        self.law.request.active = 1
        for name, value in asked.items():
            setattr(self.law.request, name, value)

    def follow(self, seconds, speed=0.0, beat=1):
        repeat_follow(round(seconds / DT), speed, beat, self.law, self.measurements.actuator_test, self.calibration)


@pytest.mark.parametrize("wheel", BRAKES)
def test_a_tested_brake_rises_at_its_rate_to_what_is_asked_for_and_no_other_one_does(wheel):
    rig = LawRig(**{wheel: 900.0})
    rig.follow(0.1)
    assert getattr(rig.law, wheel) == pytest.approx(0.1 * BRAKE_RATE)
    rig.follow(0.5)
    assert {name: float(getattr(rig.law, name)) for name in BRAKES} == {name: 900.0 * (name == wheel) for name in BRAKES}


@pytest.mark.parametrize("torque", [3.0, -3.0, 400.0, -inf])
def test_a_tested_motor_rises_at_its_rate_within_its_clamp(torque):
    rig = LawRig(rear_motor_torque=torque)
    rig.follow(0.1)
    assert abs(rig.law.rear_motor_torque) == pytest.approx(0.1 * MOTOR_RATE)
    rig.follow(0.5)
    assert rig.law.rear_motor_torque == pytest.approx(max(-MOTOR_MAX, min(MOTOR_MAX, torque)))


@given(st.floats(), st.floats(), st.floats())
def test_whatever_is_asked_for_the_torques_are_within_their_clamps(brake, motor, later):
    rig = LawRig(front_left=brake, front_motor_torque=motor)
    rig.follow(0.3)
    rig.law.request.front_left = rig.law.request.front_motor_torque = later
    rig.follow(0.3)
    assert 0.0 <= rig.law.front_left <= BRAKE_MAX
    assert -MOTOR_MAX <= rig.law.front_motor_torque <= MOTOR_MAX


def test_a_smaller_request_is_followed_at_once():
    rig = LawRig(front_left=1000.0, front_motor_torque=4.0)
    rig.follow(1.0)
    rig.law.request.front_left, rig.law.request.front_motor_torque = 100.0, -4.0
    rig.follow(DT)
    assert rig.law.front_left == 100.0
    assert rig.law.front_motor_torque == pytest.approx(-MOTOR_RATE * DT)


@pytest.mark.parametrize(
    ("speed", "beat", "seconds"), [(0.6, 1, DT), (-0.6, 1, DT), (nan, 1, DT), (inf, 1, DT), (0.0, 0, TIMEOUT + DT)]
)
def test_motion_and_a_silent_server_end_a_test_until_its_request_is_taken_back(speed, beat, seconds):
    rig = LawRig(front_left=500.0)
    rig.follow(1.0)
    rig.follow(seconds, speed, beat)
    rig.follow(0.5)
    assert rig.law.front_left == 0.0
    assert rig.measurements.actuator_test.broken_off == 1
    rig.law.request.active = 0
    rig.follow(DT)
    rig.law.request.active = 1
    rig.follow(0.5)
    assert rig.law.front_left == 500.0
    assert rig.measurements.actuator_test.broken_off == 0


def test_a_test_that_lasts_too_long_is_ended():
    rig = LawRig(front_left=500.0)
    rig.follow(59.9)
    assert rig.law.front_left == 500.0
    rig.follow(0.3)
    assert rig.law.front_left == 0.0


def test_a_brake_is_never_released_by_a_test():
    rig = LawRig(front_left=500.0, front_right=500.0)
    rig.follow(1.0)
    rig.outputs.brakes.front_left, rig.outputs.brakes.front_right, rig.outputs.brakes.rear_left = 800.0, 100.0, 60.0
    apply_brakes(rig.law, rig.outputs.brakes)
    brakes = rig.outputs.brakes
    assert (brakes.front_left, brakes.front_right, brakes.rear_left, brakes.rear_right) == (800.0, 500.0, 60.0, 0.0)


def test_on_torque_by_hand_the_test_takes_the_place_of_the_operator_who_still_stops_it():
    rig = HandRig(2.0)
    rig.run(0.3)
    request = rig.state.actuator_test.request
    request.active, request.rear_motor_torque, request.rear_left = 1, 4.0, 300.0
    for _ in range(20):
        request.heartbeat += 1
        torques = rig.run(0.05)
    assert torques == pytest.approx((0.0, 4.0), abs=0.05)
    assert rig.outputs.brakes.rear_left == 300.0
    assert rig.state.torque_monitor.faults == 0
    rig.inputs.panel.emergency_stop = 1
    assert rig.run(0.05) == (0.0, 0.0)


def test_on_torque_by_hand_a_silent_server_leaves_nothing_and_no_fault():
    rig = HandRig()
    request = rig.state.actuator_test.request
    request.active, request.heartbeat, request.front_motor_torque, request.front_left = 1, 1, 3.0, 300.0
    assert rig.run(0.19)[0] > 2.0
    assert rig.run(0.11) == (0.0, 0.0)
    assert rig.outputs.brakes.front_left == 0.0
    rig.run(1.0)
    assert rig.state.torque_monitor.faults == 0
    assert rig.state.supervisor.state == SupervisorState.READY
