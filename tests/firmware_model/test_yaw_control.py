from math import atan, exp, isfinite

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import GRAVITY
from firmware_model.signals import DriveMode
from firmware_model.yaw_control import yaw_moment

DT = 0.01
RATIO, WHEELBASE, INERTIA = 17.0, 2.7, 3150.0
GRADIENT, FRICTION_SHARE, LAG, RETURN_SHARE = 0.0033, 0.8, 4e-4, 0.5
GAIN, DEADBAND, MOMENT_MAX = 50e3, 0.003, 12e3
# These tests are about the law, not about its tuning.
TUNING = {
    "feed_forward": 0.0,
    "reference_lag_gradient": LAG,
    "exit_lag_share": RETURN_SHARE,
    "gain": GAIN,
    "fade_in_start": 4.0,
    "fade_in_end": 8.0,
}


class YawRig(Rig):
    """Yaw control alone, at constant speed and steering; nothing is missing of the moment unless a test says so."""

    def __init__(self, speed=20.0, wheel_angle=0.0, yaw_rate=0.0, friction=1.0, sideslip=0.0, **changes):
        super().__init__()
        self.speed, self.friction, self.sideslip = speed, friction, sideslip
        for name, value in (TUNING | changes).items():
            setattr(self.calibration.yaw_control, name, value)
        inputs = self.state.inputs
        inputs.steering_trusted = inputs.motion_trusted = 1
        inputs.wheel_angle, inputs.yaw_rate = wheel_angle, yaw_rate
        self.yaw = self.measurements.yaw_control

    def control(self, seconds=DT, dt=DT):
        for _ in range(round(seconds / dt)):
            moment = yaw_moment(
                dt,
                self.state.inputs,
                self.speed,
                self.sideslip,
                self.friction,
                self.state.yaw_control,
                self.yaw,
                self.calibration,
            )
        return moment


def proportional(**changes):
    """A law of which only the proportional part is left, and the reference stands where it is put."""
    return {"gain_rate": 0.0, "gain_integral": 0.0, "sideslip_gain": 0.0, "reference_lag_gradient": 1e9} | changes


def test_the_reference_is_the_yaw_rate_of_the_bicycle_model():
    rig = YawRig(speed=15.0, wheel_angle=0.5)
    rig.control(2.0)
    assert rig.yaw.yaw_rate_reference == pytest.approx(15.0 * (0.5 / RATIO) / (WHEELBASE + GRADIENT * 15.0**2), rel=2e-3)


@pytest.mark.parametrize(("mode", "share"), [(DriveMode.STANDARD, 1.0), (DriveMode.SPORT, 0.8), (DriveMode.SNOW, 1.3)])
def test_each_drive_mode_has_an_understeer_of_its_own(mode, share):
    rig = YawRig(speed=14.0, wheel_angle=0.5)
    rig.state.inputs.drive_mode = mode
    rig.control(2.0)
    expected = 14.0 * (0.5 / RATIO) / (WHEELBASE + share * GRADIENT * 14.0**2)
    assert rig.yaw.yaw_rate_reference == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("wheel_angle", [0.5, 1.5, 3.0])
def test_where_friction_ends_the_reference_is_rounded_off(sign, wheel_angle):
    rig = YawRig(speed=25.0, wheel_angle=sign * wheel_angle, friction=0.5)
    rig.control(2.0)
    linear = 25.0 * (wheel_angle / RATIO) / (WHEELBASE + GRADIENT * 25.0**2)
    highest = FRICTION_SHARE * 0.5 * GRAVITY / 25.0
    expected = (linear**-4 + highest**-4) ** -0.25
    assert rig.yaw.yaw_rate_reference == pytest.approx(sign * expected, rel=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("friction", [0.2, 0.9])
def test_the_reference_is_limited_by_the_estimated_friction(sign, friction):
    rig = YawRig(speed=25.0, wheel_angle=sign * 17.0, friction=friction)
    rig.control(2.0)
    assert rig.yaw.yaw_rate_reference == pytest.approx(sign * FRICTION_SHARE * friction * GRAVITY / 25.0, rel=1e-2)


@pytest.mark.parametrize("speed", [15.0, 30.0])
@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_the_reference_follows_the_steering_with_a_lag_that_grows_with_the_square_of_the_speed(dt, speed):
    rig = YawRig(speed=speed, wheel_angle=0.2)
    rig.control(LAG * speed**2, dt)
    final = speed * (0.2 / RATIO) / (WHEELBASE + GRADIENT * speed**2)
    assert rig.yaw.yaw_rate_reference == pytest.approx(final * (1.0 - exp(-1.0)), rel=0.05)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_out_of_a_curve_the_reference_follows_faster(side):
    rig = YawRig(speed=20.0, wheel_angle=side * 0.3)
    rig.control(2.0, dt=1e-3)
    before = float(rig.yaw.yaw_rate_reference)
    rig.state.inputs.wheel_angle = 0.0
    rig.control(RETURN_SHARE * LAG * 20.0**2, dt=1e-3)
    assert rig.yaw.yaw_rate_reference == pytest.approx(before * exp(-1.0), rel=0.02)


def test_steering_to_the_other_side_is_slow_again_from_straight_ahead_on():
    rig = YawRig(speed=20.0, wheel_angle=0.3)
    rig.control(2.0, dt=1e-3)
    rig.state.inputs.wheel_angle = -0.3
    while rig.yaw.yaw_rate_reference > 0.0:
        rig.control(1e-3, dt=1e-3)
    final = 20.0 * (0.3 / RATIO) / (WHEELBASE + GRADIENT * 20.0**2)
    rig.control(LAG * 20.0**2, dt=1e-3)
    assert rig.yaw.yaw_rate_reference == pytest.approx(-final * (1.0 - exp(-1.0)), rel=0.03)


@pytest.mark.parametrize("error", [0.1, -0.1, 0.02, 0.002])
def test_the_moment_is_in_proportion_to_the_error_outside_its_deadband(error):
    rig = YawRig(**proportional())
    rig.control()
    rig.state.inputs.yaw_rate = -error
    outside = max(abs(error) - DEADBAND, 0.0) * (1.0 if error > 0.0 else -1.0)
    assert rig.control() == pytest.approx(GAIN * outside, rel=1e-6)


def test_a_reference_that_rises_is_fed_forward_as_the_moment_that_accelerates_the_car():
    """Of the lagged step the first slope is its height over the time constant."""
    rig = YawRig(speed=15.0, wheel_angle=0.5, gain=0.0, gain_rate=0.0, gain_integral=0.0, feed_forward=0.8)
    final = 15.0 * (0.5 / RATIO) / (WHEELBASE + GRADIENT * 15.0**2)
    assert rig.control(1e-4, dt=1e-4) == pytest.approx(0.8 * INERTIA * final / (LAG * 15.0**2), rel=0.01)


def test_an_error_that_grows_calls_for_a_moment_by_its_rate():
    rig = YawRig(**proportional(gain=0.0, gain_rate=1e3))
    for k in range(100):
        rig.state.inputs.yaw_rate = -0.3 * k * DT
        moment = rig.control()
    assert moment == pytest.approx(1e3 * 0.3, rel=1e-3)


def test_a_lasting_error_is_integrated_and_fades_with_its_time_constant():
    rig = YawRig(**proportional(gain=0.0, gain_integral=10e3, integral_time_constant=100.0))
    rig.control()
    rig.state.inputs.yaw_rate = -0.11
    assert rig.control(0.5) == pytest.approx(10e3 * (0.11 - DEADBAND) * 0.5, rel=0.03)
    rig.calibration.yaw_control.integral_time_constant = 0.5
    rig.state.inputs.yaw_rate = 0.0
    before = rig.control()
    assert rig.control(0.5) == pytest.approx(before * exp(-1.0), rel=0.03)


def wound_up(rig, missing, seconds=3.0):
    """Error integral [rad] after a lasting error of which the allocation misses that moment."""
    rig.control()
    rig.state.inputs.yaw_rate = -0.1
    rig.state.yaw_control.moment_missing = missing
    rig.control(seconds)
    return float(rig.state.yaw_control.error_integral)


@pytest.mark.parametrize("missing", [300.0, -300.0])
def test_the_integral_stands_still_while_the_allocation_cannot_do_more(missing):
    assert wound_up(YawRig(**proportional(gain_integral=10e3)), missing) == 0.0
    assert wound_up(YawRig(**proportional(gain_integral=10e3)), 100.0) > 0.05


def test_the_integral_stands_still_at_the_highest_moment():
    rig = YawRig(**proportional(gain=200e3, gain_integral=10e3))
    assert wound_up(rig, 0.0) == 0.0
    assert rig.control() == MOMENT_MAX


def test_an_integral_that_is_too_large_comes_back_although_the_allocation_cannot_do_more():
    rig = YawRig(**proportional(gain_integral=10e3, integral_time_constant=100.0))
    rig.control()
    rig.state.yaw_control.error_integral, rig.state.yaw_control.moment_missing = 0.9, 5000.0
    rig.state.inputs.yaw_rate = 0.1
    rig.control(1.0)
    assert rig.state.yaw_control.error_integral == pytest.approx(0.9 - 0.1 + DEADBAND, rel=0.02)


def test_the_moment_fades_in_with_speed():
    moments = {}
    for speed in (4.0, 6.0, 8.0):
        rig = YawRig(speed=speed, **proportional())
        rig.control()
        rig.state.inputs.yaw_rate = -0.2
        moments[speed] = rig.control()
    assert moments[4.0] == 0.0
    assert moments[6.0] == pytest.approx(0.5 * moments[8.0])
    assert moments[8.0] > 0.0


@pytest.mark.parametrize("source", ["steering_trusted", "motion_trusted"])
def test_yaw_control_is_off_without_a_sensor_it_needs_and_comes_back_without_a_step(source):
    rig = YawRig(wheel_angle=1.0)
    rig.control(0.5)
    assert (rig.yaw.active, rig.state.yaw_control.active) == (1, 1)
    setattr(rig.state.inputs, source, 0)
    assert rig.control() == 0.0
    assert (rig.yaw.active, rig.state.yaw_control.active, rig.yaw.yaw_moment) == (0, 0, 0.0)
    setattr(rig.state.inputs, source, 1)
    first = rig.control(1e-4, dt=1e-4)
    assert abs(first) < 100.0


def test_yaw_control_can_be_switched_off():
    rig = YawRig(wheel_angle=2.0, enabled=0)
    assert rig.control(0.5) == 0.0
    assert rig.yaw.active == 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("friction", [0.3, 1.0])
def test_sideslip_beyond_its_bound_turns_the_car_after_its_course(sign, friction):
    rig = YawRig(sideslip=sign * 0.2, friction=friction, **proportional(sideslip_gain=60e3))
    assert rig.control() == pytest.approx(sign * 60e3 * (0.2 - atan(0.01 * friction * GRAVITY)), rel=1e-6)


def test_sideslip_inside_its_bound_is_left_alone():
    assert YawRig(sideslip=0.09, **proportional(sideslip_gain=60e3)).control() == 0.0


anything = st.floats(-50, 50)


@given(
    st.floats(-10, 70), st.lists(st.tuples(anything, anything, st.floats(-1, 1), st.floats(0.08, 1.2)), min_size=1, max_size=8)
)
def test_whatever_the_sensors_say_the_moment_is_bounded_and_the_state_finite(speed, drive):
    rig = YawRig(speed)
    for wheel_angle, yaw_rate, sideslip, friction in drive:
        rig.state.inputs.wheel_angle, rig.state.inputs.yaw_rate = wheel_angle, yaw_rate
        rig.sideslip, rig.friction = sideslip, friction
        assert abs(rig.control()) <= MOMENT_MAX
    state = rig.state.yaw_control
    assert all(isfinite(value) for value in (state.yaw_rate_reference, state.error, state.error_rate, state.error_integral))
    assert abs(state.error_integral) * 10e3 <= 2.0 * MOMENT_MAX


@given(st.floats(0, 8), st.floats(-1, 1), st.floats(-0.3, 0.3), st.floats(5, 40))
def test_a_curve_to_the_other_side_is_the_same_curve(wheel_angle, yaw_rate, sideslip, speed):
    left = YawRig(speed, wheel_angle, yaw_rate, sideslip=sideslip).control(0.2)
    right = YawRig(speed, -wheel_angle, -yaw_rate, sideslip=-sideslip).control(0.2)
    assert left == pytest.approx(-right, abs=1e-6)
