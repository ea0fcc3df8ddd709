"""What spreads: it changes what it says and nothing else, and the samples fill their ranges."""

import numpy as np
import pytest

from bench.scenarios import load_scenario
from bench.tuning.manoeuvres import KINDS
from bench.tuning.spread import QUANTITIES, car_with, latin_hypercube, monte_carlo
from bench.vehicles import load_vehicle

VEHICLE = load_vehicle("leaf_twin_motor")


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_changes_the_car_or_its_drive_and_not_the_vehicle_it_came_from(name):
    quantity = QUANTITIES[name]
    before = VEHICLE.parameters.tobytes()
    hill = KINDS["hill-start"].make(VEHICLE).scenarios[0]
    plain, other = (car_with(VEHICLE, values, 0) for values in ({}, {name: quantity.range[0] or quantity.range[1]}))
    assert VEHICLE.parameters.tobytes() == before
    changed = (
        other.vehicle.parameters.tobytes() != plain.vehicle.parameters.tobytes(),
        other.settings != plain.settings,
        repr(other.scenario(hill)) != repr(plain.scenario(hill)),
    )
    assert sum(changed) == 1


def test_a_quantity_at_its_nominal_value_changes_nothing():
    factors = ("mass", "friction", "tyre_friction", "tyre_stiffness", "battery_resistance", "motor_lag", "brake_lag")
    nominal = {**dict.fromkeys(factors, 1.0), "sensor_noise": 0.0, "sensor_delay": 0.0}
    car = car_with(VEHICLE, nominal, 0)
    assert car.vehicle.parameters.tobytes() == VEHICLE.parameters.tobytes()
    scenario = load_scenario("step_steer")
    assert car.scenario(scenario) is scenario


def test_friction_reaches_road_and_patches_within_what_a_road_has():
    jump = KINDS["friction-jump"].make(VEHICLE, edge=15.0).scenarios[0]
    scenario = car_with(VEHICLE, {"friction": 0.5}, 0).scenario(jump)
    assert scenario.road[0, 4] == pytest.approx(0.1)
    assert np.all(scenario.stimulus[:, 7:9].min() >= 0.01)


@pytest.mark.parametrize("draw", [latin_hypercube, monte_carlo])
def test_samples_are_in_their_ranges_and_repeat_with_their_seed(draw):
    ranges = {"mass": (0.9, 1.2), "temperature": (-10.0, 40.0)}
    one, again, other = draw(ranges, 16, 1), draw(ranges, 16, 1), draw(ranges, 16, 2)
    assert one == again != other
    for name, (low, high) in ranges.items():
        values = [sample[name] for sample in one]
        assert low <= min(values) <= max(values) <= high
        assert len(set(values)) == 16


def test_a_latin_hypercube_has_one_sample_in_every_part_of_every_range():
    samples = latin_hypercube({"mass": (0.0, 1.0), "friction": (0.0, 1.0)}, 10, 4)
    for name in ("mass", "friction"):
        assert sorted(int(10.0 * sample[name]) for sample in samples) == list(range(10))
