"""Figures of signals whose answers are known."""

import math

import numpy as np
import pytest

from bench.comparison import figures

TIMES = np.arange(0.0, 8.0, 1e-3)
DAMPING, FREQUENCY = 0.4, 6.0  # [1], [rad/s]
START = 0.5  # [s]


def second_order(damping: float = DAMPING, frequency: float = FREQUENCY, steady: float = 0.2) -> np.ndarray:
    t = np.maximum(TIMES - START, 0.0)
    damped = frequency * math.sqrt(1.0 - damping**2)
    swing = np.exp(-damping * frequency * t) * (np.cos(damped * t) + damping * frequency / damped * np.sin(damped * t))
    return steady * (1.0 - swing)


@pytest.mark.parametrize("steady", [0.2, -3.0])
def test_step_response_of_a_second_order_system_is_that_of_the_textbook(steady: float) -> None:
    response = figures.step_response(TIMES, second_order(steady=steady), START)
    damped = FREQUENCY * math.sqrt(1.0 - DAMPING**2)
    assert response.steady == pytest.approx(steady, rel=1e-5)
    assert response.overshoot == pytest.approx(math.exp(-math.pi * DAMPING / math.sqrt(1.0 - DAMPING**2)), rel=1e-3)
    assert response.peak_time == pytest.approx(math.pi / damped, abs=2e-3)
    values = second_order(steady=steady) / steady
    assert np.interp(START + response.response_time, TIMES, values) == pytest.approx(0.9, abs=1e-4)
    assert (values[START + response.response_time - 1e-3 > TIMES] < 0.9).all()
    assert (np.abs(values[START + response.settling_time <= TIMES] - 1.0) <= figures.SETTLED).all()
    assert abs(np.interp(START + response.settling_time - 2e-3, TIMES, values) - 1.0) > figures.SETTLED - 1e-4


def test_step_response_without_overshoot_has_none() -> None:
    values = 1.0 - np.exp(-np.maximum(TIMES - START, 0.0) / 0.3)
    response = figures.step_response(TIMES, values, START)
    assert response.overshoot < 1e-6
    assert response.response_time == pytest.approx(0.3 * math.log(10.0), rel=1e-3)
    assert response.settling_time == pytest.approx(0.3 * math.log(20.0), abs=2e-3)


def test_what_is_left_of_a_damped_oscillation_after_one_period_is_its_decay_over_that_period() -> None:
    deviation = second_order() - 0.2
    damped = FREQUENCY * math.sqrt(1.0 - DAMPING**2)
    peak = figures.step_response(TIMES, second_order(), START).peak_time
    late = START + peak <= TIMES  # begins at the first overshoot
    left = figures.after_one_period(TIMES[late], deviation[late], START)
    first = deviation[late][0]
    assert left == pytest.approx(first * math.exp(-DAMPING * FREQUENCY * 2.0 * math.pi / damped), rel=1e-2)


def test_nothing_is_left_of_what_does_not_swing() -> None:
    assert figures.after_one_period(TIMES, np.exp(-TIMES), 0.0) == 0.0
    assert figures.after_one_period(TIMES, np.zeros_like(TIMES), 0.0) == 0.0


def test_longest_stretch_and_the_time_from_first_to_last() -> None:
    active = ((TIMES >= 1.0) & (TIMES < 1.2)) | ((TIMES >= 3.0) & (TIMES < 3.5))
    assert figures.longest(TIMES, active) == pytest.approx(0.5, abs=2e-3)
    assert figures.first_to_last(TIMES, active) == pytest.approx(2.5, abs=2e-3)
    assert figures.longest(TIMES, TIMES < -1.0) == figures.first_to_last(TIMES, TIMES < -1.0) == 0.0
    assert figures.first_time(TIMES, active) == pytest.approx(1.0, abs=1e-3)
    assert math.isnan(figures.first_time(TIMES, TIMES > 99.0))
