import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import GRAVITY
from firmware_model.vehicle_speed import estimate

DT = 1e-3
GEAR, RADIUS = 8.1938, 0.3108
WEIGHT, SLIP_STIFFNESS = 1875.0 * GRAVITY, 22.0
TRACK = np.array([-1.54, 1.54, -1.555, 1.555])  # [m] right of the middle is faster in a left-hand curve


class MovingRig(Rig):
    """The speed estimate alone: a car that moves as told on elastic tyres, with wheels that slip as told."""

    def __init__(self, speed=0.0, grade_offset=0.0, friction=1.0):
        super().__init__()
        self.true_speed, self.grade_offset, self.yaw_rate = speed, grade_offset, 0.0
        inputs = self.state.inputs
        inputs.motion_trusted = inputs.front_wheels_trusted = inputs.rear_wheels_trusted = 1
        self.state.friction.left = self.state.friction.right = friction
        self.state.vehicle_speed.speed = speed
        self.state.vehicle_speed.acceleration_offset = grade_offset
        self.told = self.measurements.vehicle_speed

    def press(self, torque=0.0, brake=0.0):
        """Motors and road are at that torque [Nm] each, the brakes of all wheels at that torque; the force on the car [N]."""
        slip = self.state.wheel_slip
        self.state.torque_path.front_torque = self.state.torque_path.rear_torque = torque
        self.state.driveline.front.road_torque = self.state.driveline.rear.road_torque = GEAR * torque
        for wheel in (slip.front.left, slip.front.right, slip.rear.left, slip.rear.right):
            wheel.torque = brake
        return 2.0 * GEAR * torque / RADIUS - np.sign(self.true_speed) * 4.0 * brake / RADIUS

    def roll(self, force, slips):
        """Speeds of the wheels, which an elastic tyre lets slip by its share of the force; ``slips`` [m/s] come on top."""
        elastic = self.true_speed / (1.0 - np.sign(self.true_speed) * force / (WEIGHT * SLIP_STIFFNESS))
        wheels = elastic + 0.5 * self.yaw_rate * TRACK + np.asarray(slips)
        inputs = self.state.inputs
        inputs.wheel_speed[:] = abs(wheels)
        inputs.front.motor_speed, inputs.rear.motor_speed = wheels.reshape(2, 2).mean(1) * GEAR / RADIUS

    def move(self, seconds, acceleration=0.0, slips=(0.0, 0.0, 0.0, 0.0), torque=0.0, brake=0.0, dt=DT):
        """Estimated speed after ``seconds``; ``slips`` [m/s] are those of the wheels beyond the elastic one."""
        for _ in range(round(seconds / dt)):
            self.true_speed += acceleration * dt
            self.roll(self.press(torque, brake), slips)
            self.state.inputs.longitudinal_acceleration = acceleration + self.grade_offset
            self.state.inputs.yaw_rate = self.yaw_rate
            estimate(dt, self.state, self.told, self.calibration)
        return float(self.told.speed)


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("dt", [1e-3, 1e-2])
def test_the_estimate_follows_rolling_wheels(direction, dt):
    rig = MovingRig()
    assert rig.move(3.0, direction * 2.0, torque=direction * 60.0, dt=dt) == pytest.approx(rig.true_speed, abs=0.05)
    assert rig.told.trust > 0.5


def test_the_slip_of_an_elastic_tyre_is_reckoned_with():
    """Without it the estimate would settle at the wheels, 1.6 % too fast at this force."""
    rig = MovingRig(speed=20.0)
    estimated = rig.move(4.0, torque=60.0)
    assert rig.state.inputs.wheel_speed[0] > 20.15
    assert estimated == pytest.approx(20.0, abs=0.03)


def test_while_braking_the_elastic_slip_is_the_other_way():
    rig = MovingRig(speed=30.0)
    assert rig.move(2.0, -2.0, torque=-40.0, brake=100.0) == pytest.approx(rig.true_speed, abs=0.05)


@pytest.mark.parametrize("wheel", range(4))
def test_of_driven_wheels_the_one_that_spins_is_ignored(wheel):
    rig = MovingRig(speed=5.0)
    slips = np.zeros(4)
    slips[wheel] = 6.0
    assert rig.move(2.0, 1.0, slips, torque=60.0) == pytest.approx(7.0, abs=0.05)


@pytest.mark.parametrize("wheel", range(4))
def test_of_braked_wheels_the_one_that_locks_is_ignored(wheel):
    rig = MovingRig(speed=20.0)
    slips = np.zeros(4)
    slips[wheel] = -8.0
    assert rig.move(2.0, -2.0, slips, brake=250.0) == pytest.approx(16.0, abs=0.1)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_three_spinning_wheels_are_outvoted_by_the_fourth(direction):
    rig = MovingRig(speed=direction * 5.0)
    slips = direction * np.array([4.0, 6.0, 0.0, 9.0])
    assert rig.move(2.0, direction * 1.0, slips, torque=direction * 60.0) == pytest.approx(direction * 7.0, abs=0.05)


@pytest.mark.parametrize("yaw_rate", [0.5, -0.5])
@pytest.mark.parametrize("torque", [60.0, -30.0])
def test_in_a_curve_every_wheel_is_brought_to_the_middle_of_the_car(yaw_rate, torque):
    rig = MovingRig(speed=8.0)
    rig.yaw_rate = yaw_rate
    assert rig.move(2.0, torque=torque) == pytest.approx(8.0, abs=0.05)


def test_when_all_wheels_spin_the_accelerometer_carries_on():
    rig = MovingRig(speed=5.0)
    rig.move(0.5, 1.0, torque=100.0)
    estimated = rig.move(2.0, 1.0, (4.0, 4.0, 5.0, 5.0), torque=150.0)
    assert rig.told.trust == 0.0
    assert estimated == pytest.approx(7.5, abs=0.6)


def test_wheels_that_slip_control_holds_pull_only_weakly():
    rig = MovingRig(speed=5.0)
    slip = rig.state.wheel_slip
    for axle in (slip.front, slip.rear):
        axle.active, axle.target = 1, 0.2
    for wheel in (slip.front.left, slip.front.right, slip.rear.left, slip.rear.right):
        wheel.slip = 0.25
    assert rig.move(2.0, 1.0, (0.25,) * 4, torque=60.0) == pytest.approx(7.0, abs=0.06)
    assert rig.told.trust == 0.0


@pytest.mark.parametrize(("share", "trust"), [(0.1, 1.0), (0.375, 0.5), (0.7, 0.0)])
@pytest.mark.parametrize("friction", [0.3, 1.0])
def test_the_more_of_the_friction_is_used_the_less_wheels_are_believed(share, trust, friction):
    rig = MovingRig(speed=10.0, friction=friction)
    rig.move(DT, torque=share * friction * WEIGHT * RADIUS / (2.0 * GEAR))
    assert rig.told.trust == pytest.approx(trust, abs=1e-6)


def test_wheels_that_carry_next_to_nothing_roll_on_any_road():
    rig = MovingRig(speed=10.0, friction=0.08)
    rig.move(DT, torque=8.0)
    assert rig.told.trust == 1.0


def test_the_grade_is_learnt_at_standstill_and_used_when_all_wheels_spin():
    rig = MovingRig()
    rig.grade_offset = 0.98
    rig.move(2.0, brake=300.0)
    assert rig.told.speed == pytest.approx(0.0, abs=1e-3)
    assert rig.told.acceleration_offset == pytest.approx(0.98, abs=0.01)
    assert rig.move(1.0, 1.5, (3.0,) * 4, torque=90.0) == pytest.approx(1.5, abs=0.2)


def test_a_launch_is_not_taken_for_a_grade():
    rig = MovingRig()
    rig.move(0.03, 3.0, torque=60.0)
    assert abs(rig.told.acceleration_offset) < 0.05


def test_a_new_grade_is_learnt_while_rolling():
    rig = MovingRig(speed=10.0)
    rig.grade_offset = -0.6
    assert rig.move(8.0, 0.2, torque=20.0) == pytest.approx(rig.true_speed, abs=0.05)
    assert rig.told.acceleration_offset == pytest.approx(-0.6, abs=0.1)
    assert rig.told.acceleration == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_offset_is_bounded(sign):
    rig = MovingRig()
    rig.grade_offset = sign * 9.0
    rig.move(5.0)
    assert rig.told.acceleration_offset == pytest.approx(sign * 3.5)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_the_estimate_is_never_far_on_the_impossible_side_of_the_wheels(direction):
    """0.3 m/s and 2 % are the room for old wheel speeds."""
    rig = MovingRig(speed=direction * 10.0)
    rig.state.vehicle_speed.speed = direction * 15.0
    force = rig.press(torque=direction * 60.0)
    wheels = 10.0 / (1.0 - abs(force) / (WEIGHT * SLIP_STIFFNESS))
    assert rig.move(DT, torque=direction * 60.0) == pytest.approx(direction * (10.0 + 0.3 + 0.02 * wheels))
    rig.state.vehicle_speed.speed = direction * 5.0
    assert abs(rig.move(DT, brake=200.0)) == pytest.approx(10.0 - 0.3 - 0.2, abs=0.01)


def test_driven_wheels_that_are_faster_than_the_car_are_possible():
    rig = MovingRig(speed=10.0)
    rig.move(DT, slips=(5.0,) * 4, torque=60.0)
    assert rig.told.speed == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("dt", [1e-3, 1e-2])
def test_without_the_accelerometer_the_wheels_alone_count(dt):
    rig = MovingRig(speed=10.0)
    rig.state.inputs.motion_trusted = 0
    assert rig.move(1.0, 2.0, torque=60.0, dt=dt) == pytest.approx(12.0 - 2.0 * 0.05, abs=0.02)
    assert rig.told.acceleration == 0.0


@pytest.mark.parametrize(("axle", "wheels"), [("front", slice(0, 2)), ("rear", slice(2, 4))])
def test_an_axle_without_wheel_sensors_is_known_by_its_motor(axle, wheels):
    """The other axle spins, so that only this one can tell the speed; what its sensors say is worth nothing."""
    rig = MovingRig(speed=10.0)
    slips = np.full(4, 7.0)
    slips[wheels] = 0.0
    assert rig.move(1.0, 0.0, slips, torque=60.0) == pytest.approx(10.0, abs=0.05)
    setattr(rig.state.inputs, f"{axle}_wheels_trusted", 0)
    for _ in range(500):
        rig.roll(rig.press(60.0), slips)
        rig.state.inputs.wheel_speed[wheels] = 3.0
        estimate(DT, rig.state, rig.told, rig.calibration)
    assert rig.told.speed == pytest.approx(10.0, abs=0.05)


@pytest.mark.parametrize(("axle", "wheels"), [("front", slice(0, 2)), ("rear", slice(2, 4))])
def test_an_axle_with_neither_sensors_nor_motor_is_not_counted(axle, wheels):
    rig = MovingRig(speed=10.0)
    setattr(rig.state.inputs, f"{axle}_wheels_trusted", 0)
    getattr(rig.calibration, axle).motor_present = 0
    slips = np.zeros(4)
    slips[wheels] = -9.0
    assert rig.move(0.5, 0.0, slips, torque=20.0) == pytest.approx(10.0, abs=0.05)


def test_without_any_wheel_the_accelerometer_is_alone():
    rig = MovingRig(speed=10.0)
    rig.state.inputs.front_wheels_trusted = rig.state.inputs.rear_wheels_trusted = 0
    rig.calibration.front.motor_present = rig.calibration.rear.motor_present = 0
    rig.state.inputs.longitudinal_acceleration = 1.0
    rig.press(torque=100.0)
    estimate(DT, rig.state, rig.told, rig.calibration)
    assert rig.told.trust == 0.0


@given(
    st.floats(-10, 60), st.lists(st.floats(0, 150), min_size=4, max_size=4),
    st.lists(st.floats(-2500, 2500), min_size=2, max_size=2), st.floats(-40, 40), st.floats(-5, 5), st.floats(-340, 340),
    st.floats(0, 3500), st.lists(st.booleans(), min_size=5, max_size=5),
)  # fmt: skip
def test_whatever_the_sensors_say_the_estimate_is_finite_and_its_offset_bounded(
    speed, wheels, motors, acceleration, yaw_rate, torque, brake, trusted
):
    rig = MovingRig(speed)
    inputs = rig.state.inputs
    inputs.front_wheels_trusted, inputs.rear_wheels_trusted, inputs.motion_trusted = trusted[:3]
    rig.calibration.front.motor_present, rig.calibration.rear.motor_present = trusted[3:]
    inputs.longitudinal_acceleration, inputs.yaw_rate, inputs.wheel_speed[:] = acceleration, yaw_rate, wheels
    inputs.front.motor_speed, inputs.rear.motor_speed = motors
    rig.press(torque, brake)
    for _ in range(20):
        estimate(DT, rig.state, rig.told, rig.calibration)
        assert np.isfinite([rig.told.speed, rig.told.acceleration]).all()
        assert abs(rig.told.acceleration_offset) <= 3.5
        assert 0.0 <= rig.told.trust <= 1.0
