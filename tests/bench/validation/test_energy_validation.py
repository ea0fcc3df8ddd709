"""What regulators measured beside what the bench gives: the form of it, and the coast-down."""

import math

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.cycles.charging import LEAF_CHARGER
from bench.cycles.driving import AUXILIARY_POWER
from bench.cycles.trace import EPA, Cycle
from bench.validation import energy
from bench.validation.check import MissingError, Subject
from bench.validation.energy import MEASURES, coast_down, drive, mean_road_load
from bench.validation.running import published
from bench.vehicles import load_vehicle
from hil.errors import UsageError

pytestmark = needs_compiler

WATT_HOURS_PER_GALLON = 33_705.0
# EPA, model year 2022, unadjusted: mean of the two MPGe of each test car in city and on highway
PUBLISHED = {
    "leaf_40": ((174.0 + 177.1) / 2, (141.1 + 141.3) / 2),
    "leaf_plus": ((162.6 + 164.5) / 2, (133.3 + 136.1) / 2),
    "leaf_plus_s": ((167.8 + 169.1) / 2, (138.9 + 139.1) / 2),
}


@pytest.mark.parametrize("vehicle", PUBLISHED)
def test_targets_are_the_published_figures(vehicle: str) -> None:
    targets = {target.measure: target for target in published() if target.vehicle == vehicle}
    for measure, mpge in zip(("udds_wall_energy", "hwfet_wall_energy"), PUBLISHED[vehicle], strict=True):
        assert targets[measure].value == pytest.approx(WATT_HOURS_PER_GALLON / mpge, rel=0.002)
        assert targets[measure].tolerance == pytest.approx(0.05 * targets[measure].value, rel=0.01)


def test_coast_down_gives_back_the_coefficients_of_the_published_one() -> None:
    for name in ("leaf_plus", "leaf_40"):
        result = coast_down(load_vehicle(name))
        assert result.worst < 0.01
        assert result.speed[0] * 3.6 == pytest.approx(110.0)
        assert result.speed[-1] * 3.6 == pytest.approx(20.0)
    # EPA: 30.36 lbf, 0.3201 lbf/mph, 0.01956 lbf/mph2, at 110 km/h
    mph = 110 / 1.609344
    first = coast_down(load_vehicle("leaf_plus"))
    assert first.found[0] == pytest.approx(4.448222 * (30.36 + 0.3201 * mph + 0.01956 * mph**2), rel=1e-2)


def test_coast_down_of_a_car_without_gear_loss_is_its_coefficients_to_a_thousandth() -> None:
    """The rotor is slowed down through the gears: what they lose of that the published coefficients do not contain."""
    vehicle = load_vehicle("leaf_plus")
    vehicle.parameters[0].front.gear_loss = 0.0
    assert coast_down(vehicle).worst < 1e-3


def test_magnets_that_the_coefficients_do_not_contain_show_in_the_coast_down() -> None:
    vehicle = load_vehicle("leaf_40")
    front, radius = vehicle.parameters[0].front, float(vehicle.parameters[0].tyre.radius)
    front.gear_loss, front.drag_in_road_load = 0.0, 0
    result = coast_down(vehicle)
    expected = float(front.motor.loss_speed) * (float(front.gear_ratio) / radius) ** 2 * result.speed
    assert result.found - result.expected == pytest.approx(expected, rel=0.03)


def test_mean_force_of_an_interval_is_that_which_takes_the_same_time() -> None:
    body = load_vehicle("leaf_plus").parameters.copy()[0].body
    body.road_load_0, body.road_load_1, body.road_load_2 = 0.0, 10.0, 0.0
    edges = np.array([20.0, 10.0])
    assert mean_road_load(edges, body) == pytest.approx([10.0 * 10.0 / np.log(2.0)], rel=1e-4)


@pytest.fixture
def hop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only cycle that there is: a hop of a minute."""
    time = np.arange(61.0)
    cycle = Cycle("hop", "hop", time, np.interp(time, [0, 5, 15, 40, 50, 60], [0, 0, 14, 14, 0, 0]), np.zeros(61), EPA)
    monkeypatch.setattr(energy, "load_cycle", lambda name: cycle)


@pytest.mark.usefixtures("hop")
def test_a_cycle_is_driven_with_the_test_weight_and_judged_by_its_wall_energy() -> None:
    result = drive("hop", Subject(load_vehicle("leaf_40"), 0.9), 4000.0, LEAF_CHARGER)
    assert float(result.vehicle.parameters[0].body.mass) == pytest.approx(4000 * 0.45359237)
    assert result.conditions.auxiliary_power == AUXILIARY_POWER
    wanted = result.wall / 3600.0 / (result.meter.distance / 1609.344)
    assert MEASURES["udds_wall_energy"].of(result) == pytest.approx(wanted)
    assert MEASURES["wltc_jp_wall_energy"].of(result) == pytest.approx(wanted / 1.609344)
    assert "motors" in MEASURES["udds_wall_energy"].note(result)
    result.violations = 1
    assert math.isnan(MEASURES["udds_wall_energy"].of(result))


def test_a_cycle_whose_package_is_not_there_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Cycle:
        raise UsageError("the package is missing")

    monkeypatch.setattr(energy, "load_cycle", absent)
    with pytest.raises(MissingError, match="the package is missing"):
        drive("udds", Subject(load_vehicle("leaf_40"), 0.9), None, LEAF_CHARGER)
