"""What regulators measured beside what the bench gives: the form of it, and the coast-down."""

from dataclasses import replace

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.cycles.charging import LEAF_CHARGER
from bench.cycles.trace import EPA, Cycle
from bench.validation import energy
from bench.validation.energy import TARGETS, EnergyTarget, coast_down, energy_outcome, mean_road_load
from bench.vehicles import load_vehicle

pytestmark = needs_compiler

WATT_HOURS_PER_GALLON = 33_705.0
# EPA, model year 2022, unadjusted: mean of the two MPGe of each test car
PUBLISHED = {
    "leaf_40": ((174.0 + 177.1) / 2, (141.1 + 141.3) / 2),
    "leaf_plus": ((162.6 + 164.5) / 2, (133.3 + 136.1) / 2),
    "leaf_plus_s": ((167.8 + 169.1) / 2, (138.9 + 139.1) / 2),
}


@pytest.mark.parametrize("vehicle", PUBLISHED)
def test_targets_are_the_published_figures(vehicle: str) -> None:
    for target, mpge in zip(TARGETS[vehicle], PUBLISHED[vehicle], strict=False):
        assert target.published == pytest.approx(WATT_HOURS_PER_GALLON / mpge, rel=0.002)
        assert (target.tolerance, target.level, target.unit) == (0.05, "A", "Wh/mi")
        assert target.charger is LEAF_CHARGER


def test_coast_down_gives_back_the_coefficients_of_the_published_one() -> None:
    for name in ("leaf_plus", "leaf_40"):
        result = coast_down(load_vehicle(name))
        assert result.row.passed
        assert result.worst < 1e-3
        assert result.speed[0] * 3.6 == pytest.approx(110.0)
        assert result.speed[-1] * 3.6 == pytest.approx(20.0)
    # EPA: 30.36 lbf, 0.3201 lbf/mph, 0.01956 lbf/mph2, at 110 km/h
    mph = 110 / 1.609344
    first = coast_down(load_vehicle("leaf_plus"))
    assert first.found[0] == pytest.approx(4.448222 * (30.36 + 0.3201 * mph + 0.01956 * mph**2), rel=2e-3)


def test_coast_down_does_not_depend_on_the_mass() -> None:
    light, heavy = (coast_down(load_vehicle("leaf_40"), mass) for mass in (1500.0, 2000.0))
    assert light.found == pytest.approx(heavy.found, rel=2e-3)


def test_drag_that_the_coefficients_do_not_contain_shows_in_the_coast_down() -> None:
    vehicle = load_vehicle("leaf_40")
    drag, ratio, radius = 2.0, float(vehicle.parameters[0].front.gear_ratio), float(vehicle.parameters[0].tyre.radius)
    vehicle.parameters[0].front.motor.drag_torque = drag
    result = coast_down(vehicle)
    assert result.found - result.expected == pytest.approx(np.full(10, drag * ratio / radius), rel=0.02)
    assert result.row.passed is False


def test_mean_force_of_an_interval_is_that_which_takes_the_same_time() -> None:
    body = load_vehicle("leaf_plus").parameters.copy()[0].body
    body.road_load_0, body.road_load_1, body.road_load_2 = 0.0, 10.0, 0.0
    edges = np.array([20.0, 10.0])
    assert mean_road_load(edges, body) == pytest.approx([10.0 * 10.0 / np.log(2.0)], rel=1e-4)


def test_outcome_drives_with_the_test_weight_and_judges_the_wall_energy() -> None:
    time = np.arange(61.0)
    cycle = Cycle("hop", "hop", time, np.interp(time, [0, 5, 15, 40, 50, 60], [0, 0, 14, 14, 0, 0]), np.zeros(61), EPA)
    target = EnergyTarget("hop", 200.0, "Wh/mi", 0.05, "A", "nobody", test_weight=4000.0)
    outcome = energy_outcome(load_vehicle("leaf_40"), target, cycle)
    assert float(outcome.result.vehicle.parameters[0].body.mass) == pytest.approx(4000 * 0.45359237)
    assert outcome.result.conditions.auxiliary_power == energy.AUXILIARY_POWER
    miles = outcome.result.meter.distance / 1609.344
    assert outcome.simulated == pytest.approx(outcome.result.wall / 3600.0 / miles)
    assert outcome.difference == pytest.approx(outcome.simulated / 200.0 - 1.0)
    assert outcome.row.passed is (abs(outcome.difference) <= 0.05)
    hit = replace(outcome, target=replace(target, published=outcome.simulated))
    assert hit.row.passed is True
    left = replace(hit, result=replace(outcome.result, violations=1))
    assert left.row.passed is False
    metric = replace(outcome, target=replace(target, unit="Wh/km"))
    assert metric.simulated == pytest.approx(outcome.simulated / 1.609344)
