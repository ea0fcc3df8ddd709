"""A trace, its tolerance, and what a driver makes of it."""

import numpy as np
import pytest

from bench.cycles.trace import AIM_LEAD, AIM_WINDOW, EPA, KMH, WLTP, Cycle, excursions, scenario_of
from bench.nodes import stimulus
from hil.errors import UsageError


def cycle(speed, time=None, tolerance=EPA) -> Cycle:
    time = np.arange(len(speed), dtype=float) if time is None else np.asarray(time, dtype=float)
    return Cycle("mine", "my cycle", time, np.asarray(speed, dtype=float), np.zeros(len(speed)), tolerance)


def naive_band(trace: Cycle, moment: float) -> tuple[float, float]:
    window = np.linspace(moment - trace.tolerance.time, moment + trace.tolerance.time, 2001)
    speeds = np.interp(window, trace.time, trace.speed)
    return speeds.min() - trace.tolerance.speed, speeds.max() + trace.tolerance.speed


def test_tolerances_are_those_of_the_regulations() -> None:
    assert pytest.approx(2 * 1609.344 / 3600) == EPA.speed
    assert pytest.approx(2 / 3.6) == WLTP.speed
    assert EPA.time == WLTP.time == 1.0


@pytest.mark.parametrize("step", [0.3, 1.0, 2.5])
def test_band_reaches_from_below_the_lowest_to_above_the_highest_speed_within_a_second(step: float) -> None:
    random = np.random.default_rng(3)
    trace = cycle(random.uniform(0.0, 30.0, 40), step * np.arange(40))
    moments = random.uniform(0.0, trace.duration, 200)
    lowest, highest = trace.band(moments)
    for moment, low, high in zip(moments, lowest, highest, strict=True):
        naive_low, naive_high = naive_band(trace, moment)
        # The fine grid of the twin may miss a corner by half its step.
        assert low <= naive_low + 1e-9
        assert low == pytest.approx(naive_low, abs=0.06)
        assert high >= naive_high - 1e-9
        assert high == pytest.approx(naive_high, abs=0.06)


def test_excursions_are_counted_once_each() -> None:
    assert excursions([False, True, True, False, True]) == 2
    assert excursions([True, True]) == 1
    assert excursions([]) == 0


def test_aim_is_the_trace_a_little_ahead_with_its_corners_rounded() -> None:
    trace = cycle([0, 0, 10, 20, 30, 30, 30], 2.0 * np.arange(7))
    times, speeds = trace.aim()
    for time, speed in zip(times, speeds, strict=True):
        window = np.linspace(time + AIM_LEAD - 0.5 * AIM_WINDOW, time + AIM_LEAD + 0.5 * AIM_WINDOW, 4001)
        assert speed == pytest.approx(np.trapezoid(np.interp(window, trace.time, trace.speed), window) / AIM_WINDOW, abs=1e-4)
    acceleration = np.diff(speeds) / np.diff(times)
    assert np.abs(np.diff(acceleration)).max() < 0.15 * 5.0  # the trace's own jumps by 5 m/s2 at once
    low, high = trace.band(times[times <= trace.duration])
    inside = speeds[times <= trace.duration]
    assert ((low < inside) & (inside < high)).all()


def test_repeated_cycle_goes_on_where_it_ended() -> None:
    twice = cycle([0, 5, 10, 0]).repeated(2)
    assert twice.time.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert twice.speed.tolist() == [0, 5, 10, 0, 0, 5, 10, 0]
    assert twice.distance == pytest.approx(2 * 15.0)
    with pytest.raises(UsageError, match=r"cycle mine: it ends at 36\.0 km/h and begins at 0\.0 km/h"):
        cycle([0, 5, 10]).repeated(2)


def test_scenario_of_a_cycle_lets_the_driver_keep_its_speed_and_grade() -> None:
    trace = Cycle("hill", "hill", np.array([0.0, 10.0, 20.0]), np.array([20.0, 20.0, 20.0]), np.array([0.0, 0.04, 0.04]), EPA)
    scenario = scenario_of(trace, state_of_charge=0.5, temperature=20.0)
    table = scenario.stimulus
    assert scenario.duration == 20.0
    assert scenario.start_speed == pytest.approx(20.0)
    assert np.isnan(table[:, stimulus.ACCELERATOR]).all()
    assert np.isnan(table[:, stimulus.BRAKE]).all()
    assert (table[:, stimulus.STEERING] == 0.0).all()
    assert np.interp(5.0, table[:, stimulus.TIME], table[:, stimulus.GRADE]) == pytest.approx(0.02)
    assert np.interp(5.0, table[:, stimulus.TIME], table[:, stimulus.SPEED]) == pytest.approx(20.0)


def test_part_of_a_cycle_ends_where_it_is_told() -> None:
    part = cycle([0, 5, 10, 0]).part("p", "part", 2.0)
    assert part.duration == 2.0
    assert part.speed.tolist() == [0, 5, 10]
    assert pytest.approx(1 / 3.6) == KMH
