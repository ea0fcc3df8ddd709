"""What is not perfect about the car's sensors: noise and age."""

import numpy as np
import pytest

from bench.nodes import chassis
from bench.nodes.chassis import HISTORY, ChassisParameters, ChassisState
from firmware_model.signals import Inputs

DT = 1e-3


@pytest.fixture
def parts():
    return Inputs.new()[0], ChassisState.new()[0], ChassisParameters.new()[0]


def test_by_default_nothing_is_changed_not_even_the_sign_of_zero(parts):
    sensors, state, parameters = parts
    sensors.motion.yaw_rate, sensors.wheels.front_left = -0.0, 3.0
    before = sensors.tobytes(), state.tobytes()
    chassis.disturb(DT, sensors, state, parameters)
    assert (sensors.tobytes(), state.tobytes()) == before


def test_readings_are_as_old_as_they_are_told_to_be(parts):
    sensors, state, parameters = parts
    parameters.delay = 0.005
    seen = []
    for step in range(HISTORY + 20):
        sensors.motion.yaw_rate = sensors.wheels.rear_right = sensors.steering.wheel_rate = float(step)
        chassis.disturb(DT, sensors, state, parameters)
        assert sensors.motion.yaw_rate == sensors.wheels.rear_right == sensors.steering.wheel_rate
        seen.append(sensors.motion.yaw_rate)
    assert seen == [max(0.0, step - 5.0) for step in range(HISTORY + 20)]


def test_no_reading_is_older_than_the_history_is_long(parts):
    sensors, state, parameters = parts
    parameters.delay = 0.063
    for step in range(200):
        sensors.motion.yaw_rate = float(step)
        chassis.disturb(DT / 10.0, sensors, state, parameters)
    assert sensors.motion.yaw_rate == 199.0 - (HISTORY - 1)


def test_noise_has_the_deviation_that_is_told_and_no_mean(parts):
    sensors, state, parameters = parts
    parameters.noise = 2.0
    drawn = []
    for _ in range(4000):
        sensors.motion.yaw_rate, sensors.wheels.front_left, sensors.steering.wheel_angle = 0.1, 20.0, 0.0
        chassis.disturb(DT, sensors, state, parameters)
        drawn.append((sensors.motion.yaw_rate - 0.1, sensors.wheels.front_left - 20.0, sensors.steering.wheel_angle))
    deviations = 2.0 * np.array([parameters.yaw_rate_noise, parameters.wheel_speed_noise, parameters.steering_noise])
    assert np.std(drawn, axis=0) == pytest.approx(deviations, rel=0.05)
    assert np.abs(np.mean(drawn, axis=0) / deviations).max() < 0.07
    assert np.abs(np.corrcoef(np.transpose(drawn)) - np.eye(3)).max() < 0.06


def test_noise_repeats_with_its_seed_and_differs_with_another(parts):
    sensors, _, parameters = parts
    parameters.noise = 1.0
    runs = []
    for seed in (1, 1, 2):
        parameters.noise_seed = seed
        state, values = ChassisState.new()[0], []
        for _ in range(10):
            sensors.motion.yaw_rate = 0.0
            chassis.disturb(DT, sensors, state, parameters)
            values.append(float(sensors.motion.yaw_rate))
        runs.append(values)
    assert runs[0] == runs[1] != runs[2]


def test_a_wheel_speed_carries_no_sign_with_noise_either(parts):
    sensors, state, parameters = parts
    parameters.noise = 100.0
    for _ in range(100):
        sensors.wheels.front_left = 0.0
        chassis.disturb(DT, sensors, state, parameters)
        assert sensors.wheels.front_left >= 0.0
