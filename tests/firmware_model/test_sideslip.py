from math import exp, sqrt

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import GRAVITY
from firmware_model.sideslip import observe, tyre_force

DT = 0.01
MASS, INERTIA, RATIO = 1875.0, 3150.0, 17.0
L_F, L_R = 1.29, 2.7 - 1.29
C_F, C_R = 115e3, 155e3
GAIN, ANGLE_MAX = 0.6, 0.7


class Bicycle:
    """The car of the test: a bicycle whose tyres are linear, or saturate on a road of that friction.

    Its tyres follow their angles, and its accelerometer them, with a lag together.
    """

    def __init__(self, speed, friction=None, lag=0.0):
        self.speed, self.friction, self.lag = speed, friction, lag
        self.v_y = self.yaw_rate = self.a_y = self.front = self.rear = 0.0

    def move(self, delta, seconds=DT, parts=20):
        for _ in range(parts):
            share = seconds / parts / (self.lag + seconds / parts)
            self.front += share * (C_F * (delta - (self.v_y + L_F * self.yaw_rate) / self.speed) - self.front)
            self.rear += share * (C_R * -(self.v_y - L_R * self.yaw_rate) / self.speed - self.rear)
            front, rear = self.force(self.front, L_R), self.force(self.rear, L_F)
            self.a_y = (front + rear) / MASS
            self.v_y += (self.a_y - self.speed * self.yaw_rate) * seconds / parts
            self.yaw_rate += (front * L_F - rear * L_R) / INERTIA * seconds / parts

    def force(self, linear, lever):
        if self.friction is None:
            return linear
        return linear / sqrt(1.0 + (linear / (self.friction * MASS * GRAVITY * lever / (L_F + L_R))) ** 2)

    @property
    def sideslip(self):
        return self.v_y / self.speed


class Observing(Rig):
    """The observer alone, with sensors that are believed."""

    def __init__(self, speed=20.0, friction=1.2, **changes):
        super().__init__()
        self.speed, self.friction = speed, friction
        self.calibration.tyre_load.lateral_time_constant = 0.0
        self.calibration.sideslip.relaxation_length = 0.0
        for name, value in changes.items():
            setattr(self.calibration.sideslip, name, value)
        self.state.inputs.steering_trusted = self.state.inputs.motion_trusted = 1

    def observe(self, delta, yaw_rate, a_y, dt=DT):
        inputs = self.state.inputs
        inputs.wheel_angle, inputs.yaw_rate, inputs.lateral_acceleration = RATIO * delta, yaw_rate, a_y
        return observe(dt, inputs, self.speed, self.friction, self.state.sideslip, self.calibration)

    def watch(self, car, steering, seconds, offset=0.0):
        """True and estimated sideslip [rad] while ``car`` is steered by ``steering(time)`` [rad at the wheels]."""
        actual, estimated = [], []
        for k in range(round(seconds / DT)):
            delta = steering(k * DT)
            car.move(delta)
            estimated.append(self.observe(delta, car.yaw_rate, car.a_y + offset))
            actual.append(car.sideslip)
        return np.array(actual), np.array(estimated)


@pytest.mark.parametrize("speed", [12.0, 20.0, 35.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("relaxation", [0.0, 0.5])
def test_the_estimate_follows_a_linear_bicycle(speed, side, relaxation):
    car, rig = Bicycle(speed, lag=relaxation / speed), Observing(speed, relaxation_length=relaxation)
    amplitude = 3.0 / speed**2 * (L_F + L_R + 0.0033 * speed**2)  # of 3 m/s2
    actual, estimated = rig.watch(car, lambda t: side * amplitude * np.sin(2.0 * np.pi * 0.4 * t), 6.0)
    assert abs(estimated - actual).max() < 0.12 * abs(actual).max() + 1e-3


def test_in_a_steady_curve_the_estimate_is_that_of_the_closed_form():
    """beta = l_r / R - m v^2 l_f / (C_r l R), at the radius of v / r."""
    speed = 25.0
    car, rig = Bicycle(speed), Observing(speed, friction=50.0, washout_time_constant=100.0)
    actual, estimated = rig.watch(car, lambda t: 0.02, 6.0)
    radius = speed / car.yaw_rate
    assert actual[-1] == pytest.approx((L_R - MASS * speed**2 * L_F / (C_R * (L_F + L_R))) / radius, rel=1e-3)
    assert estimated[-1] == pytest.approx(actual[-1], rel=0.02)


def test_a_front_axle_at_its_limit_does_not_mislead_the_estimate():
    car, rig = Bicycle(20.0, friction=0.35), Observing(20.0, friction=0.35, washout_time_constant=100.0)
    actual, estimated = rig.watch(car, lambda t: min(0.02 * t, 0.1), 8.0)
    assert car.a_y > 0.9 * 0.35 * GRAVITY
    assert abs(estimated - actual).max() < 0.01


def test_a_slide_is_seen_by_the_sensors_alone():
    """Both axles far beyond their limit: whatever they promise, their force no longer changes, and the integral goes on."""
    rig = Observing(20.0, friction=0.2)
    v_y, estimates = 0.0, []
    a_y = -0.2 * GRAVITY
    for _ in range(150):
        yaw_rate = -0.2
        v_y += (a_y - 20.0 * yaw_rate) * DT
        estimates.append(rig.observe(0.0, yaw_rate, a_y))
    assert v_y / 20.0 > 0.14
    assert estimates[-1] == pytest.approx(v_y / 20.0, rel=0.2)


def test_without_the_tyre_model_the_estimate_is_the_integral_of_the_sensors():
    rig = Observing(gain=0.0, washout_time_constant=100.0)
    for _ in range(50):
        estimate = rig.observe(0.1, 0.1, 1.0)
    assert estimate == pytest.approx((1.0 - 20.0 * 0.1) * 0.5 / 20.0, rel=0.01)


@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_what_nothing_confirms_fades_at_any_raster(dt):
    rig = Observing(gain=0.0)
    rig.state.sideslip.lateral_speed = 2.0
    for _ in range(round(8.0 / dt)):
        estimate = rig.observe(0.0, 0.0, 0.0, dt)
    assert estimate == pytest.approx(2.0 / 20.0 * exp(-1.0), rel=2e-3)


@pytest.mark.parametrize("offset", [0.3, -0.3])
def test_an_offset_of_the_accelerometer_does_not_run_away(offset):
    """It rests where the tyre model holds against it: e = (1 - k) offset / (k s), with s = (C_f + C_r) / (m v)."""
    car, rig = Bicycle(20.0), Observing(20.0, washout_time_constant=100.0)
    _, estimated = rig.watch(car, lambda t: 0.0, 5.0, offset)
    slope = (C_F + C_R) / (MASS * 20.0)
    assert estimated[-1] * 20.0 == pytest.approx((1.0 - GAIN) * offset / (GAIN * slope), rel=0.05)


@pytest.mark.parametrize("source", ["steering_trusted", "motion_trusted"])
def test_without_a_sensor_there_is_no_estimate_and_it_begins_anew(source):
    rig = Observing()
    for _ in range(50):
        rig.observe(0.05, 0.1, 1.0)
    setattr(rig.state.inputs, source, 0)
    assert rig.observe(0.05, 0.1, 1.0) == 0.0
    state = rig.state.sideslip
    assert (state.lateral_speed, state.front_angle, state.rear_angle) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("speed", [3.0, 0.0, -8.0])
def test_in_slow_driving_there_is_no_estimate(speed):
    assert Observing(speed).observe(0.3, 0.3, 1.0) == 0.0


@pytest.mark.parametrize(("linear", "limit", "force"), [(100.0, 1e6, 100.0), (1e9, 4e3, 4e3), (4e3, 4e3, 4e3 / sqrt(2.0))])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_tyre_pair_is_linear_at_first_and_gives_no_more_than_its_friction(linear, limit, force, side):
    assert tyre_force(side * linear, limit) == pytest.approx(side * force, rel=1e-6)


@given(
    st.floats(-10, 60), st.floats(0.08, 1.2),
    st.lists(st.tuples(st.floats(-1.2, 1.2), st.floats(-5, 5), st.floats(-40, 40)), min_size=1, max_size=10),
)  # fmt: skip
def test_whatever_the_sensors_say_the_estimate_stays_in_its_range(speed, friction, drive):
    rig = Observing(speed, friction)
    for delta, yaw_rate, a_y in drive:
        assert abs(rig.observe(delta, yaw_rate, a_y)) <= ANGLE_MAX * (1.0 + 1e-12)
    assert np.isfinite([rig.state.sideslip.lateral_speed, rig.state.sideslip.front_angle, rig.state.sideslip.rear_angle]).all()
