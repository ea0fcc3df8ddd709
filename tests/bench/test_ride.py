"""Ride control and thermal derating in closed loop: the virtual car, its frames and its actuators' lag."""

import numpy as np
import pytest

from bench.calibrating import calibration_of
from bench.drive import Drive
from bench.figures import FIGURES
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.network.database import load_network

FIGURE = {figure.key: figure for figure in FIGURES}
FRONT_ONLY = {"ride_control.enabled": 0, "torque_split.front_share": 1.0, "torque_split.front_share_min": 1.0}
WITHOUT = {"ride_control.enabled": 0}


def drive(scenario, changes=(), prepare=None, duration=None):
    vehicle = load_vehicle("leaf_twin_motor")
    run = Drive(load_network(vehicle.network), vehicle, load_scenario(scenario), duration=duration)
    for path, value in dict(changes).items():
        block, name = path.split(".")
        run.controller.parameters[0][block][name] = value
    if prepare:
        prepare(run)
    result = run.result(list(run.chunks(run.lockstep())))
    assert result.completed
    assert not [row.name for row in result.rows if row.name == "faults" and row.value]
    return result.scenario_samples


def compute(samples, *keys):
    return [FIGURE[key].compute(samples) for key in keys]


def test_a_regenerative_stop_dives_less_and_slower_than_with_front_regeneration_alone():
    baseline, controlled = drive("regen_dive", FRONT_ONLY), drive("regen_dive")
    for samples in (baseline, controlled):
        braking = samples["car_measurements"]["plant"]["body"]["longitudinal_acceleration"]
        assert braking.min() < -0.29 * 9.81
    pitch, rate = compute(baseline, "peak_pitch", "peak_pitch_rate")
    assert compute(controlled, "peak_pitch")[0] < 0.9 * pitch
    assert compute(controlled, "peak_pitch_rate")[0] < 0.8 * rate


def test_a_tip_in_is_less_jerky_and_hardly_slower_than_without_ride_control():
    # Slip control, which the unshaped torque would wake, has no part in this.
    off = {"wheel_slip.enabled": 0}
    baseline, controlled = drive("tip_in", WITHOUT | off), drive("tip_in", off)
    jerk, shudder = compute(baseline, "peak_jerk", "peak_shudder")
    assert compute(controlled, "peak_jerk")[0] < 0.7 * jerk
    assert compute(controlled, "peak_shudder")[0] < 0.65 * shudder  # 107 Nm of 174 Nm
    times = []
    for samples in (baseline, controlled):
        time = samples["car_measurements"]["scenario_time"]
        acceleration = samples["car_measurements"]["plant"]["body"]["longitudinal_acceleration"]
        times.append(time[np.flatnonzero((time > 1.0) & (acceleration > 2.0))[0]])
    assert times[1] - times[0] < 0.15


def test_a_sample_that_comes_twice_as_in_real_time_does_not_change_the_jerk():
    samples = drive("tip_in", duration=2.0)
    twice = np.repeat(samples, 1 + (np.arange(len(samples)) % 7 == 0))
    assert compute(twice, "peak_jerk") == compute(samples, "peak_jerk") != [0.0]


def test_driveline_and_pitch_of_the_calibration_are_those_of_the_data_sheet():
    calibration = calibration_of(load_vehicle("leaf_twin_motor"))[0]
    assert calibration.front.driveline_frequency == pytest.approx(2 * np.pi * 9.1, rel=0.03)
    assert calibration.ride_control.pitch_frequency == pytest.approx(2 * np.pi * 1.4, rel=0.05)
    assert calibration.ride_control.pitch_gradient * 9.81 == pytest.approx(np.radians(2.2), rel=0.1)


def test_a_badly_cooled_motor_is_derated_and_never_reaches_the_temperature_at_which_torque_ends():
    def heat(run):
        for axle in ("front", "rear"):
            motor = run.car.parameters[0].plant[axle].motor
            motor.winding.heat_capacity, motor.winding.conductance = 1000.0, 40.0
            run.car.state[0].plant[axle].motor.winding_temperature = 110.0

    cool, hot = drive("launch", duration=12.0), drive("launch", prepare=heat, duration=12.0)
    share = hot["controller_measurements"]["front"]["thermal_share"]
    assert share.min() < 0.7
    assert 105.0 < hot["car_measurements"]["plant"]["front"]["motor"]["winding_temperature"].max() < 120.0
    commanded = hot["controller_outputs"]["front"]["motor_torque"]
    assert (np.abs(commanded) <= 340.0 * share + 0.5).all()
    assert compute(hot, "time_to_100_kmh")[0] > compute(cool, "time_to_100_kmh")[0]
    assert cool["controller_measurements"]["front"]["thermal_share"].min() > 0.99
