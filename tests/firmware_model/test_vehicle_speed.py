import pytest
from controller_rig import Rig

from firmware_model.vehicle_speed import estimate

DT = 1e-3
FORCE_PER_TORQUE = 8.1938 / 0.3108


class MovingRig(Rig):
    """The speed estimate alone: a car that moves as told, with axles that slip as told."""

    def __init__(self, speed=0.0, grade_offset=0.0):
        super().__init__()
        self.true_speed, self.grade_offset = speed, grade_offset
        inputs = self.state.inputs
        inputs.motion_trusted = inputs.front_wheels_trusted = inputs.rear_wheels_trusted = 1
        self.state.vehicle_speed.speed = speed
        self.state.vehicle_speed.acceleration_offset = grade_offset

    def move(self, seconds, acceleration=0.0, front_slip=0.0, rear_slip=0.0, torque=0.0):
        """Slips [m/s] are wheel speed minus true speed; ``torque`` [Nm] was commanded to each motor."""
        inputs = self.state.inputs
        self.state.torque_path.front_torque = self.state.torque_path.rear_torque = torque
        for _ in range(round(seconds / DT)):
            self.true_speed += acceleration * DT
            for axle, slip in (("front", front_slip), ("rear", rear_slip)):
                wheel = self.true_speed + slip
                setattr(inputs, f"{axle}_wheel_speed", abs(wheel))
                getattr(inputs, axle).motor_speed = wheel * FORCE_PER_TORQUE
            inputs.longitudinal_acceleration = acceleration + self.grade_offset
            estimate(DT, self.state, self.measurements.vehicle_speed, self.calibration)
        return float(self.measurements.vehicle_speed.speed)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_the_estimate_follows_rolling_wheels(direction):
    rig = MovingRig()
    assert rig.move(3.0, direction * 2.0, torque=direction * 60.0) == pytest.approx(direction * 6.0, abs=0.05)


@pytest.mark.parametrize(("front_slip", "rear_slip"), [(6.0, 0.0), (0.0, 6.0)])
def test_of_two_driven_axles_the_spinning_one_is_ignored(front_slip, rear_slip):
    rig = MovingRig(speed=5.0)
    assert rig.move(2.0, 1.0, front_slip, rear_slip, torque=150.0) == pytest.approx(7.0, abs=0.05)


@pytest.mark.parametrize(("front_slip", "rear_slip"), [(-6.0, 0.0), (0.0, -6.0)])
def test_of_two_braked_axles_the_locking_one_is_ignored(front_slip, rear_slip):
    rig = MovingRig(speed=20.0)
    rig.state.inputs.brake = 0.5
    assert rig.move(2.0, -4.0, front_slip, rear_slip) == pytest.approx(12.0, abs=0.05)


def test_when_both_axles_spin_the_accelerometer_carries_on():
    rig = MovingRig(speed=5.0)
    rig.move(0.5, 1.0, torque=100.0)
    estimated = rig.move(2.0, 1.0, 4.0, 5.0, torque=150.0)
    assert rig.measurements.vehicle_speed.wheels_trusted == 0
    assert estimated == pytest.approx(7.5, abs=0.5)


def test_an_axle_that_slip_control_holds_pulls_only_weakly():
    rig = MovingRig(speed=5.0)
    rig.state.wheel_slip.front.active = rig.state.wheel_slip.rear.active = 1
    assert rig.move(2.0, 1.0, 0.25, 0.25, torque=100.0) == pytest.approx(7.0, abs=0.05)
    assert rig.measurements.vehicle_speed.wheels_trusted == 0


def test_the_grade_is_learnt_at_standstill():
    rig = MovingRig()
    rig.grade_offset = 0.98
    rig.state.inputs.brake = 0.4
    rig.move(2.0)
    assert rig.measurements.vehicle_speed.acceleration_offset == pytest.approx(0.98, abs=0.01)
    rig.state.inputs.brake = 0.0
    assert rig.move(1.0, 1.5, 3.0, 3.0, torque=90.0) == pytest.approx(1.5, abs=0.15)


def test_a_launch_is_not_taken_for_a_grade():
    rig = MovingRig()
    rig.move(0.03, 3.0, torque=60.0)
    assert abs(rig.measurements.vehicle_speed.acceleration_offset) < 0.05


def test_a_new_grade_is_learnt_while_rolling():
    rig = MovingRig(speed=10.0)
    rig.grade_offset = -0.6
    estimated = rig.move(5.0, 0.2, torque=40.0)
    assert estimated == pytest.approx(11.0, abs=0.05)
    assert -0.6 < rig.measurements.vehicle_speed.acceleration_offset < -0.4


def test_the_offset_is_bounded():
    rig = MovingRig()
    rig.grade_offset = 9.0
    rig.move(5.0)
    assert rig.measurements.vehicle_speed.acceleration_offset == rig.calibration.vehicle_speed.offset_max


def test_the_estimate_is_never_far_on_the_impossible_side_of_the_wheels():
    rig = MovingRig(speed=10.0)
    rig.state.vehicle_speed.speed = 15.0
    assert rig.move(DT, torque=100.0) == pytest.approx(10.0 + 0.3 + 0.2)
    rig.state.vehicle_speed.speed = 5.0
    rig.state.inputs.brake = 0.5
    assert rig.move(DT) == pytest.approx(10.0 - 0.3 - 0.2)


def test_without_the_accelerometer_the_wheels_alone_count():
    rig = MovingRig(speed=10.0)
    rig.state.inputs.motion_trusted = 0
    assert rig.move(1.0, 2.0, torque=60.0) == pytest.approx(12.0, abs=0.15)


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_an_axle_without_wheel_sensors_is_known_by_its_motor(axle):
    rig = MovingRig(speed=10.0)
    setattr(rig.state.inputs, f"{axle}_wheels_trusted", 0)
    rig.move(0.1)
    setattr(rig.state.inputs, f"{axle}_wheel_speed", 0.0)
    assert rig.move(DT) == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_an_axle_with_neither_sensors_nor_motor_is_not_counted(axle):
    rig = MovingRig(speed=10.0)
    setattr(rig.state.inputs, f"{axle}_wheels_trusted", 0)
    getattr(rig.calibration, axle).motor_present = 0
    assert rig.move(0.5, **{f"{axle}_slip": -9.0}) == pytest.approx(10.0, abs=0.01)
