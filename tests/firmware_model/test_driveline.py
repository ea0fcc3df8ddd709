import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.driveline import observe_axle
from firmware_model.state import State

GEAR, INERTIA = 8.1938, 5.0


class Watched:
    """The observer of one axle, and the frames that it gets."""

    def __init__(self, wheel_speed=30.0, **changes):
        self.calibration, state = Calibration.new()[0], State.new()[0]
        for name, value in changes.items():
            setattr(self.calibration.driveline, name, value)
        self.inputs, self.state, self.frames = state.inputs.front, state.driveline.front, 0
        self.inputs.motor_speed, self.state.speed = wheel_speed * GEAR, wheel_speed

    def frame(self, wheel_speed, torque, age=0.01, dt=1e-3):
        """``age`` [s] without news, then a frame with that wheel speed [rad/s] and axle torque [Nm]."""
        for k in range(round(age / dt)):
            if k == round(age / dt) - 1:
                self.frames += 1
                self.inputs.motor_speed, self.inputs.motor_torque = wheel_speed * GEAR, torque / GEAR
            observe_axle(dt, self.inputs, self.frames, self.state, self.calibration.front, self.calibration.driveline)


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_the_road_takes_what_does_not_accelerate_the_axle(dt):
    """The mean torque of two frames, less J domega/dt; of a steady acceleration that is exact at any base raster."""
    axle = Watched(axle_time_constant=0.0)
    for k in range(1, 6):
        axle.frame(30.0 + 0.5 * k, 800.0 + 100.0 * k, dt=dt)
    assert axle.state.acceleration == pytest.approx(50.0)
    assert axle.state.road_torque == pytest.approx(0.5 * (1200.0 + 1300.0) - INERTIA * 50.0)
    assert axle.state.speed == pytest.approx(32.5)


def test_acceleration_and_road_are_smoothed_alike():
    """By implicit Euler, over the time between two frames."""
    axle = Watched(axle_time_constant=0.03)
    axle.frame(30.5, 0.0)
    share = 0.01 / (0.03 + 0.01)
    assert axle.state.acceleration == pytest.approx(share * 50.0)
    assert axle.state.road_torque == pytest.approx(-share * INERTIA * 50.0)


def test_between_two_frames_nothing_changes():
    axle = Watched()
    axle.frame(30.5, 500.0)
    before = axle.state.copy()
    axle.inputs.motor_speed = 900.0
    observe_axle(1e-3, axle.inputs, axle.frames, axle.state, axle.calibration.front, axle.calibration.driveline)
    assert axle.state.speed == before.speed
    assert (axle.state.acceleration, axle.state.road_torque) == (before.acceleration, before.road_torque)
    assert axle.state.age == pytest.approx(1e-3)


def test_frames_far_apart_tell_no_acceleration():
    axle = Watched()
    axle.frame(60.0, 400.0, age=axle.calibration.driveline.frame_age_max + 0.01)
    assert (axle.state.speed, axle.state.acceleration) == (pytest.approx(60.0), 0.0)
    assert axle.state.road_torque == pytest.approx(400.0)


@given(st.lists(st.tuples(st.floats(-2500, 2500), st.floats(-1200, 1200), st.sampled_from([0.001, 0.01, 0.2])), max_size=12))
def test_whatever_the_frames_say_the_observer_stays_finite(drive):
    axle = Watched()
    for speed, torque, age in drive:
        axle.frame(speed, torque, age)
        assert np.isfinite([axle.state.speed, axle.state.acceleration, axle.state.road_torque]).all()
