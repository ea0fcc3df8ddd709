import math

import numpy as np
import pytest

from bench.comparison.contenders import THIS
from bench.comparison.track import Trace, Trial
from bench.validation import straight
from bench.validation.straight import MEASURES, PEDAL_AT

A = 4.0  # [m/s2]


def trace(**signals):
    signals = {name: np.asarray(values, float) for name, values in signals.items()}
    return Trace(Trial(THIS, straight.full_throttle(1.0, 0.9)), signals)


@pytest.fixture
def steady():
    """A car that gains 4 m/s2 from a tenth of a second after the pedal on."""
    time = np.arange(0.0, 40.0, 1e-3)
    moving = np.maximum(time - PEDAL_AT - 0.1, 0.0)
    return trace(time=time, speed=A * moving, x=3.0 + 0.5 * A * moving**2)


def of(name, run):
    return MEASURES[name].of(run)


def test_times_and_speeds_of_a_constant_acceleration(steady):
    rollout = math.sqrt(2.0 * 0.3048 / A)
    assert of("time_to_100_kmh", steady) == pytest.approx((100.0 - 0.5) / 3.6 / A, abs=2e-3)
    assert of("time_to_60_mph_from_rest", steady) == pytest.approx((26.8224 - 0.5 / 3.6) / A, abs=2e-3)
    assert of("time_to_60_mph", steady) == pytest.approx(26.8224 / A - rollout, abs=2e-3)
    assert of("kilometre_time", steady) == pytest.approx(math.sqrt(2000.0 / A) - 0.5 / 3.6 / A, abs=2e-3)
    assert of("quarter_mile_time", steady) == pytest.approx(math.sqrt(2.0 * (402.336 + 0.3048) / A) - rollout, abs=2e-3)
    assert of("quarter_mile_speed", steady) == pytest.approx(3.6 * math.sqrt(2.0 * 402.336 * A), rel=1e-4)
    assert of("top_speed", steady) == pytest.approx(3.6 * A * 39.4, rel=1e-3)


def test_a_speed_that_is_not_reached_has_no_time(steady):
    assert math.isnan(of("time_to_100_kmh", steady.before(3.0)))
    assert math.isnan(of("quarter_mile_speed", steady.before(3.0)))


def test_the_power_above_the_limit_counts_for_as_long_as_it_lasts():
    power = np.array([9.0, 11.0, 11.0, 9.0, 11.0, 9.0])
    assert of("time_above_limit", trace(time=np.arange(6) * 1e-3, battery_power=power, discharge_limit=np.full(6, 10.0))) == (
        pytest.approx(2.0)
    )


def launches(slower):
    """Launches of which each gains ``slower`` times less than the one before."""
    time = np.arange(0.0, straight.BEGINS[-1] + straight.THROTTLE, 0.01)
    number = np.searchsorted(straight.BEGINS, time, side="right") - 1
    since = np.where(number < 0, 0.0, time - np.array(straight.BEGINS)[np.maximum(number, 0)])
    gain = A / slower ** np.maximum(number, 0)
    going = since < straight.THROTTLE
    return trace(
        time=time, speed=np.where(going, gain * since, 0.0), x=1e3 * number + np.where(going, 0.5 * gain * since**2, 0.0)
    )


def test_of_repeated_launches_the_last_counts_and_all_are_told():
    run, last = launches(1.1), A / 1.1 ** (straight.LAUNCHES - 1)
    expected = 26.8224 / last - math.sqrt(2.0 * 0.3048 / last)
    assert of("time_to_60_mph_when_hot", run) == pytest.approx(expected, abs=0.02)
    assert MEASURES["time_to_60_mph_when_hot"].note(run).count(",") == straight.LAUNCHES - 1


def test_a_launch_that_gets_nowhere_counts_as_all_of_its_time():
    assert of("time_to_60_mph_when_hot", launches(3.0)) == straight.THROTTLE
