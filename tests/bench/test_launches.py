"""Launches of the cars through their controller, frames and actuators, against published figures."""

import dataclasses
import math

import numpy as np
import pytest

from bench.drive import Drive
from bench.figures import plant, scenario_time, speed, time_to
from bench.scenarios import load_scenario, stimulus_table
from bench.vehicles import load_vehicle
from hil.network.database import load_network

KMH, MPH = 1.0 / 3.6, 0.44704
ROLLOUT = 0.3048  # [m] one foot, before the clock of a North American road test starts


def drive(name, scenario):
    vehicle = load_vehicle(name)
    run = Drive(load_network(vehicle.network), vehicle, scenario)
    result = run.result(list(run.chunks(run.lockstep())))
    assert result.completed
    assert not [row.note for row in result.rows if row.name == "faults" and row.value]
    return result.scenario_samples


def launch(name, charge=0.9, duration=12.0):
    return drive(name, dataclasses.replace(load_scenario("launch"), state_of_charge=charge, duration=duration))


# Published [s], with the tolerance of the validation
@pytest.mark.parametrize(
    ("name", "charge", "published", "tolerance"),
    [
        ("leaf_plus", 0.9, 6.9, 0.3),
        ("ariya_e4orce_205", 0.9, 5.9, 0.3),
        ("ariya_e4orce_225", 0.9, 5.7, 0.3),
        ("ariya_e4orce_290", 0.9, 5.1, 0.3),
        ("x_trail_e4orce", 0.9, 7.1, 0.3),
        ("a290_gts", 0.95, 6.4, 0.2),
        ("a290_gts", 0.2, 6.7, 0.2),
        ("renault_5", 0.9, 8.0, 0.3),
        ("twingo", 0.9, 12.1, 0.3),
    ],
)
def test_car_reaches_100_kmh_in_the_published_time(name, charge, published, tolerance):
    assert time_to(launch(name, charge, published + 2.0), 100.0 * KMH) == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "kilowatts"),
    [
        ("leaf_twin_motor", 227),
        ("ariya_e4orce_205", 205),
        ("ariya_e4orce_225", 225),
        ("ariya_e4orce_250", 250),
        ("ariya_e4orce_290", 290),
        ("ariya_nismo", 320),
        ("x_trail_e4orce", 157),
    ],
)
def test_cap_of_the_supply_leaves_the_published_power_of_both_motors(name, kilowatts):
    samples = plant(launch(name, duration=9.0))
    power = samples["front"]["motor"]["mechanical_power"] + samples["rear"]["motor"]["mechanical_power"]
    assert power.max() == pytest.approx(1e3 * kilowatts, rel=0.01)
    battery = samples["battery"]
    assert (battery["power"] <= 1.005 * battery["discharge_limit"]).all()


def test_top_speed_is_the_published_one():
    assert speed(launch("twingo", duration=30.0)).max() / KMH == pytest.approx(130.0, abs=1.0)


def launches(count, throttle, brake, pause):
    """Full pedal for so long [s], a hard stop and a pause, and all of it again; returns the scenario and the launches' times."""
    rows, begins, time = [(0.0, 0.0, 0.4)], [], 0.5
    for _ in range(count):
        begins.append(time)
        for elapsed, accelerator, pedal in (
            (0.0, 0.0, 0.4), (0.1, 1.0, 0.0), (throttle, 1.0, 0.0), (0.2, 0.0, 0.7), (brake, 0.0, 0.7), (pause, 0.0, 0.4)
        ):  # fmt: skip
            time += elapsed
            rows.append((time, accelerator, pedal))
    columns = dict(zip(("time", "accelerator", "brake"), map(list, zip(*rows, strict=True)), strict=True))
    stimulus = stimulus_table({**columns, "steering_deg": [0.0] * len(rows)})
    scenario = dataclasses.replace(
        load_scenario("launch"), stimulus=stimulus, duration=time, state_of_charge=0.95, targets={}
    )  # fmt: skip
    return scenario, begins


def time_to_60_mph(samples, begin, end):
    """Time [s] from the first foot to 60 mph of the launch between two times [s]; infinite if it is not reached."""
    during = (scenario_time(samples) >= begin) & (scenario_time(samples) < end)
    time, v = scenario_time(samples)[during], speed(samples)[during]
    way = plant(samples)["body"]["distance"][during]
    if v.max() < 60.0 * MPH:
        return math.inf
    return float(time[np.argmax(v >= 60.0 * MPH)] - time[np.argmax(way - way[0] > ROLLOUT)])


def test_repeated_launches_of_the_front_drive_ariya_fade_as_the_road_test_reports():
    scenario, begins = launches(7, throttle=28.0, brake=7.0, pause=6.0)
    samples = drive("ariya_87_fwd", scenario)
    ends = [*begins[1:], scenario.duration]
    times = [time_to_60_mph(samples, begin, end) for begin, end in zip(begins, ends, strict=True)]
    assert times[:2] == pytest.approx([7.5, 7.5], abs=0.3)
    assert times[-1] == pytest.approx(25.0, abs=2.0)  # "mid-twenties"
    motor = plant(samples)["front"]["motor"]
    rotor = load_vehicle("ariya_87_fwd").parameters.front.motor.rotor[0]
    assert rotor.temperature_start < motor["rotor_temperature"].max() < rotor.temperature_end
