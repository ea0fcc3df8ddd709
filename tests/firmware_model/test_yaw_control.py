from math import atan, exp

import pytest
from controller_rig import Rig

from firmware_model.yaw_control import brake_torques, split_shift, yaw_moment

DT = 1e-3


class YawRig(Rig):
    """Yaw control alone, at constant speed and steering."""

    def __init__(self, speed=20.0, wheel_angle=0.0, yaw_rate=0.0, lateral_acceleration=None):
        super().__init__()
        self.speed = speed
        inputs = self.state.inputs
        inputs.steering_trusted = inputs.motion_trusted = 1
        inputs.wheel_angle, inputs.yaw_rate = wheel_angle, yaw_rate
        inputs.lateral_acceleration = speed * yaw_rate if lateral_acceleration is None else lateral_acceleration
        self.yaw = self.measurements.yaw_control

    def control(self, seconds=DT):
        for _ in range(round(seconds / DT)):
            moment = yaw_moment(DT, self.state.inputs, self.speed, self.state.yaw_control, self.yaw, self.calibration)
        return moment


def test_the_reference_is_the_yaw_rate_of_the_bicycle_model():
    rig = YawRig(speed=15.0, wheel_angle=0.5)
    rig.control(1.0)
    expected = 15.0 * (0.5 / 17.0) / (2.7 + 0.0033 * 15.0**2)
    assert rig.yaw.yaw_rate_reference == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_reference_is_limited_by_friction(sign):
    rig = YawRig(speed=25.0, wheel_angle=sign * 6.0)
    rig.control(1.0)
    assert rig.yaw.yaw_rate_reference == pytest.approx(sign * 0.85 * 0.95 * 9.80665 / 25.0, rel=1e-3)


def test_the_reference_follows_the_steering_with_a_lag():
    rig = YawRig(speed=15.0, wheel_angle=0.5)
    rig.control(0.1)
    final = 15.0 * (0.5 / 17.0) / (2.7 + 0.0033 * 15.0**2)
    assert rig.yaw.yaw_rate_reference == pytest.approx(final * (1.0 - exp(-1.0)), rel=0.02)


def test_an_error_inside_the_deadband_is_left_alone():
    assert YawRig(yaw_rate=0.019, lateral_acceleration=0.0).control() == 0.0


def test_too_little_yaw_rate_calls_for_a_moment_into_the_turn():
    rig = YawRig(wheel_angle=1.0)
    assert rig.control(0.5) > 1000.0
    rig = YawRig(wheel_angle=-1.0)
    assert rig.control(0.5) < -1000.0


def test_the_integrator_stands_still_at_the_highest_moment():
    rig = YawRig(speed=20.0, wheel_angle=3.0)
    assert rig.control(3.0) == rig.calibration.yaw_control.moment_max
    wound_up = rig.state.yaw_control.error_integral * rig.calibration.yaw_control.gain_integral
    assert wound_up < rig.calibration.yaw_control.moment_max


def test_the_moment_fades_in_with_speed():
    moments = {}
    for speed in (3.0, 6.0, 8.0):
        rig = YawRig(speed=speed)
        rig.state.yaw_control.yaw_rate_reference = 0.2
        rig.calibration.yaw_control.reference_time_constant = 1e9
        rig.control()
        rig.state.yaw_control.yaw_rate_reference = 0.2
        moments[speed] = rig.control()
    assert moments[3.0] == 0.0
    assert moments[6.0] == pytest.approx(0.5 * moments[8.0], rel=1e-3)


@pytest.mark.parametrize("source", ["steering_trusted", "motion_trusted"])
def test_yaw_control_is_off_without_a_sensor_it_needs_and_comes_back_without_a_step(source):
    rig = YawRig(wheel_angle=1.0)
    rig.control(0.5)
    setattr(rig.state.inputs, source, 0)
    assert rig.control() == 0.0
    assert rig.yaw.active == 0
    setattr(rig.state.inputs, source, 1)
    assert abs(rig.control()) < 100.0


def test_sideslip_beyond_its_bound_turns_the_car_after_its_course():
    rig = YawRig(speed=20.0, yaw_rate=0.0, lateral_acceleration=0.0)
    rig.state.yaw_control.sideslip = 0.3
    rig.calibration.yaw_control.sideslip_time_constant = 20.0
    bound = atan(0.02 * 0.95 * 9.80665)
    assert rig.control() == pytest.approx(30e3 * (0.3 - bound), rel=1e-3)


def test_sideslip_is_integrated_from_lateral_acceleration_and_yaw_rate():
    rig = YawRig(speed=20.0, yaw_rate=0.1, lateral_acceleration=1.0)
    rig.calibration.yaw_control.sideslip_time_constant = 20.0
    rig.control(0.2)
    assert rig.yaw.sideslip == pytest.approx(0.2 * (1.0 / 20.0 - 0.1), rel=0.02)


@pytest.mark.parametrize(
    ("moment", "yaw_rate", "towards"), [(600.0, 0.2, -1), (-600.0, -0.2, -1), (-600.0, 0.2, 1), (600.0, -0.2, 1)]
)
def test_a_moment_into_the_turn_shifts_torque_to_the_rear_and_one_out_of_it_to_the_front(moment, yaw_rate, towards):
    rig = YawRig(yaw_rate=yaw_rate)
    assert split_shift(moment, 8e3, rig.state.inputs, rig.yaw, rig.calibration) == pytest.approx(towards * 0.3)
    assert rig.yaw.yaw_moment_split == moment


def test_the_split_can_do_nothing_without_force_or_without_a_turn():
    rig = YawRig(yaw_rate=0.3)
    assert split_shift(600.0, 0.0, rig.state.inputs, rig.yaw, rig.calibration) == 0.0
    rig = YawRig(yaw_rate=0.0)
    assert split_shift(600.0, 8e3, rig.state.inputs, rig.yaw, rig.calibration) == 0.0
    assert rig.yaw.yaw_moment_split == 0.0


def brake_moment(rig, front, rear):
    """Yaw moment [Nm] of one side's brake torques."""
    vehicle, radius = rig.calibration.vehicle, rig.calibration.front.wheel_radius
    return front / radius * vehicle.front_track / 2 + rear / radius * vehicle.rear_track / 2


@pytest.mark.parametrize("moment", [800.0, 3000.0, 6000.0])
@pytest.mark.parametrize("yaw_rate", [0.3, -0.3])
def test_the_brakes_of_one_side_make_the_moment_beyond_the_smallest_one(moment, yaw_rate):
    rig = YawRig(yaw_rate=yaw_rate)
    front, rear = brake_torques(moment, rig.state.inputs, rig.yaw, rig.calibration)
    assert brake_moment(rig, front, rear) == pytest.approx(moment - 300.0)
    first, second = (rear, front) if yaw_rate > 0.0 else (front, rear)  # understeer brakes the rear wheel first
    assert second == 0.0 or first == pytest.approx(1500.0)


def test_no_wheel_is_braked_harder_than_yaw_control_may():
    rig = YawRig(yaw_rate=0.3)
    assert brake_torques(50e3, rig.state.inputs, rig.yaw, rig.calibration) == (1500.0, 1500.0)
