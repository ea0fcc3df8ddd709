from math import exp, inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import clamp, deadband, interpolate, lag, ramp, sign, slew

numbers = st.floats(-1e6, 1e6)
POINTS, VALUES = np.array([0.0, 1.0, 3.0, 10.0]), np.array([5.0, -2.0, 4.0, 4.5])


@given(numbers, numbers, numbers)
def test_clamp_is_numpys_clip(value, a, b):
    lower, upper = min(a, b), max(a, b)
    assert clamp(value, lower, upper) == np.clip(value, lower, upper)


def test_clamp_keeps_nan_and_cuts_infinity():
    assert isnan(clamp(nan, 0.0, 1.0))
    assert clamp(inf, 0.0, 1.0) == 1.0
    assert clamp(-inf, 0.0, 1.0) == 0.0


@pytest.mark.parametrize(("value", "expected"), [(3.0, 1.0), (-0.1, -1.0), (0.0, 0.0), (nan, 0.0)])
def test_sign(value, expected):
    assert sign(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.0), (-1.0, 0.0), (3.0, 2.0), (-3.0, -2.0)])
def test_deadband_is_free_of_steps(value, expected):
    assert deadband(value, 1.0) == expected


@pytest.mark.parametrize(
    ("value", "start", "end", "expected"),
    [
        (1.0, 0.0, 4.0, 0.25), (9.0, 0.0, 4.0, 1.0), (-1.0, 0.0, 4.0, 0.0),
        (1.0, 4.0, 0.0, 0.75), (2.0, 2.0, 2.0, 1.0), (1.9, 2.0, 2.0, 0.0),
    ],
)  # fmt: skip
def test_ramp_goes_from_0_at_its_start_to_1_at_its_end(value, start, end, expected):
    assert ramp(value, start, end) == expected


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_lag_follows_the_exponential(dt):
    value = 0.0
    for _ in range(round(0.2 / dt)):
        value = lag(value, 1.0, 0.1, dt)
    assert value == pytest.approx(1.0 - exp(-2.0), abs=0.7 * dt / 0.1)


def test_lag_without_time_constant_is_at_its_target_at_once():
    assert lag(3.0, 7.0, 0.0, 1e-3) == 7.0


@given(numbers, numbers, st.floats(0, 1e4), st.floats(0, 1e4))
def test_slew_moves_no_faster_than_its_rates(value, target, fall, rise):
    moved = slew(value, target, fall, rise, 0.01) - value
    assert -fall * 0.01 - 1e-9 <= moved <= rise * 0.01 + 1e-9


@given(st.floats(-5, 15))
def test_interpolate_is_numpys_interp(x):
    assert interpolate(POINTS, VALUES, x) == pytest.approx(np.interp(x, POINTS, VALUES), abs=1e-12)


def test_interpolate_keeps_nan():
    assert isnan(interpolate(POINTS, VALUES, nan))
