"""The comparison of the limiter: its drives, its counts, its truth; and the predictor on a real cell."""

from dataclasses import replace

import numpy as np
import pytest

from bench.comparison import battery, hppc
from bench.comparison.battery import AGED, NEW, Case
from bench.plant.state_of_power import endless_power
from hil.errors import UsageError


def test_the_static_table_holds_what_an_aged_pack_gives_for_ever():
    pack = battery.vehicle_of(AGED).parameters[0].battery
    assert battery.static_limit(0.3, 0.0) == pytest.approx(endless_power(0.3, 0.0, pack))


def test_the_grid_holds_every_point_once():
    cases = battery.grid()
    assert len({(c.state_of_charge, c.temperature, c.age) for c in cases}) == len(cases)
    assert {c.temperature for c in cases} >= {-20.0, 55.0}
    assert {c.state_of_charge for c in cases} >= {0.02, 1.0}
    assert len({c.seed for c in cases}) == len(cases)


def test_a_random_drive_is_always_the_same_for_its_seed():
    case = Case(0.5, 25.0, NEW, 7)
    first, again, other = (battery.random_drive(c).stimulus for c in (case, case, replace(case, seed=8)))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first[:, 1], other[:, 1], equal_nan=True)


@pytest.mark.parametrize(("charge", "temperature", "age"), [(0.06, -20.0, NEW), (0.3, 10.0, AGED), (1.0, 40.0, NEW)])
def test_no_limit_is_crossed_and_the_static_table_gives_less(charge, temperature, age):
    outcome = battery.run_case(Case(charge, temperature, age, 5))
    assert (outcome.cells, outcome.currents, outcome.powers) == (0, 0, 0)
    assert 0.0 < outcome.static_energy <= outcome.energy * 1.001


def test_crossings_are_counted():
    vehicle = battery.vehicle_of(NEW)
    samples = battery.drive(vehicle, battery.random_drive(Case(0.5, 25.0, NEW, 3)))
    pack = samples["car_measurements"]["plant"]["battery"]
    driving = np.flatnonzero(samples["car_measurements"]["plant"]["front"]["motor"]["mechanical_power"] > 1e4)[:3]
    pack["cell_voltage_lowest"][driving[0]] = 2.9
    pack["current"][driving[1]] = 900.0
    pack["power"][driving[2]] = 2.0 * pack["discharge_limit"][driving[2]]
    assert battery.violations(samples, vehicle.parameters[0].battery) == {"cells": 1, "currents": 1, "powers": 1}


def test_the_prediction_is_right_within_two_percent_once_the_pack_is_known():
    rows = list(battery.prediction_rows(battery.predict(Case(0.35, 10.0, AGED, 11))))
    assert len(rows) == 6
    assert all(row.passed for row in rows), rows


def test_the_longest_run_is_that_of_unbroken_flags():
    assert battery.longest_run(np.array([True, False, True, True, False])) == 2
    assert battery.longest_run(np.zeros(3, dtype=bool)) == 0


def test_a_sudden_drop_is_followed_almost_as_fast_as_the_path_allows():
    (row,) = battery.drop_rows()
    bound = float(row.note.split()[1])
    assert row.value <= bound + 15.0


@pytest.mark.parametrize("power", [100.0, 400.0])
def test_the_step_response_of_a_mere_resistor_gives_the_textbook_s_voltage(power):
    end = hppc._end_voltage(power, 4.0, np.full(20, 0.002))
    assert end * (4.0 - end) / 0.002 == pytest.approx(power)


def test_a_power_that_collapses_the_cell_leaves_no_voltage():
    assert hppc._end_voltage(1e5, 4.0, np.full(20, 0.002)) == 0.0


def test_a_folder_without_cell_tests_is_a_usage_error_that_names_the_files(tmp_path):
    with pytest.raises(UsageError, match="hppc_10C"):
        hppc.cell_tests_in(tmp_path)


def test_the_predictor_learns_a_cell_that_it_has_never_seen(shared_data):
    warm = [p for p in hppc.run_test(shared_data / "cell_hppc", "hppc_40C.csv") if p.horizon == 10]
    errors = [abs(p.predicted / p.measured - 1.0) for p in warm]
    assert len(warm) == 10
    assert max(errors[1:]) < 0.15 < errors[0]
