"""Profiles of the robots, and the scenarios made of them."""

import math

import numpy as np
import pytest

from bench.comparison.scenarios import HELD, ramp, release, scenario, sine_with_dwell, value_of
from bench.comparison.sine_with_dwell import amplitudes
from bench.nodes import road, stimulus
from bench.scenarios import patch


def test_sine_with_dwell_is_that_of_fmvss_126() -> None:
    points = sine_with_dwell(2.0, 100.0)
    assert value_of(points, 2.0) == 0.0
    assert value_of(points, 2.0 + 0.25 / 0.7) == pytest.approx(100.0, rel=1e-3)
    assert value_of(points, 2.0 + 0.5 / 0.7) == pytest.approx(0.0, abs=0.2)
    second_peak = 2.0 + 0.75 / 0.7
    assert value_of(points, second_peak) == value_of(points, second_peak + 0.25) == -100.0
    assert value_of(points, second_peak + 0.5) == pytest.approx(-100.0, rel=1e-6)
    assert value_of(points, 2.0 + 1.0 / 0.7 + 0.5) == pytest.approx(0.0, abs=1e-9)
    times = [time for time, _ in points]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("characteristic", "count", "last"),
    [(26.0, 19, 270.0), (45.0, 11, 292.5), (50.0, 10, 300.0)],
)
def test_amplitudes_go_to_the_larger_of_six_and_a_half_a_and_270_degrees_but_not_beyond_300(
    characteristic: float, count: int, last: float
) -> None:
    found = amplitudes(characteristic)
    assert len(found) == count
    assert found[0] == (1.5, 1.5 * characteristic)
    assert found[-1][1] == last
    steps = np.diff([angle for _, angle in found])[:-1]
    assert steps == pytest.approx(np.full(count - 2, 0.5 * characteristic))


def test_ramp_rises_at_its_rate_and_holds() -> None:
    points = ramp(1.0, 30.0, 400.0)
    assert value_of(points, 1.0 + 15.0 / 400.0) == pytest.approx(15.0)
    assert value_of(points, 9.0) == 30.0
    assert value_of(ramp(1.0, -30.0, 400.0), 9.0) == -30.0


def test_released_pedal_is_the_drivers_until_then() -> None:
    points = release(2.0)
    assert math.isnan(value_of(points, 1.999))
    assert value_of(points, 2.1) == 0.0


def test_scenario_puts_profiles_into_one_table() -> None:
    made = scenario(
        "test", duration=5.0, speed_kmh=72.0, steering_deg=ramp(1.0, 90.0, 90.0), accelerator=release(3.0), friction=0.5,
        road=[patch(x=(0.0, 10.0), friction=0.2)],
    )  # fmt: skip
    table = made.stimulus
    assert (made.start_speed, made.duration) == (pytest.approx(20.0), 5.0)
    assert list(table[:, stimulus.TIME]) == sorted(table[:, stimulus.TIME])
    row = stimulus.find_row(table, 1.5, 0)
    assert stimulus.look_up(table, row, 1.5, stimulus.STEERING) == pytest.approx(math.radians(45.0))
    assert np.isnan(stimulus.look_up(table, row, 1.5, stimulus.ACCELERATOR))
    row = stimulus.find_row(table, 4.0, 0)
    assert stimulus.look_up(table, row, 4.0, stimulus.ACCELERATOR) == 0.0
    assert (table[:, stimulus.FRICTION_RIGHT] == 0.5).all()
    assert made.road.shape == (1, road.COLUMNS)
    assert math.isnan(HELD)
