"""Looking up a stimulus table against numpy's interpolation."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.nodes.stimulus import ACCELERATOR, COLUMNS, GEAR, SPEED, TIME, find_row, look_up, slope


def table_of(times: list[float], values: list[float], column: int = ACCELERATOR) -> np.ndarray:
    table = np.full((len(times), COLUMNS), math.nan)
    table[:, TIME] = times
    table[:, column] = values
    return table


@given(
    st.lists(st.floats(0.01, 5.0), min_size=2, max_size=8),
    st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8),
    st.lists(st.floats(-1.0, 45.0), min_size=1, max_size=20),
)
def test_a_value_between_two_rows_is_on_the_line_between_them(
    steps: list[float], values: list[float], times: list[float]
) -> None:
    points = list(np.cumsum(steps))
    table = table_of(points, values[: len(points)])
    row = 0
    for time in sorted(times):
        row = find_row(table, time, row)
        expected = np.interp(time, points, values[: len(points)])
        assert abs(look_up(table, row, time, ACCELERATOR) - expected) < 1e-9


def test_time_may_go_back_to_the_first_row() -> None:
    table = table_of([0.0, 1.0, 2.0], [0.0, 0.5, 1.0])
    assert find_row(table, 0.5, 2) == 0


def test_two_rows_at_one_time_make_a_step() -> None:
    table = table_of([0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 1.0, 1.0])
    before, after = find_row(table, 0.999, 0), find_row(table, 1.0, 0)
    assert look_up(table, before, 0.999, ACCELERATOR) == 0.0
    assert look_up(table, after, 1.0, ACCELERATOR) == 1.0
    assert slope(table, 1, ACCELERATOR) == 0.0


def test_a_value_that_ends_is_held_until_then() -> None:
    table = table_of([0.0, 1.0], [0.4, math.nan])
    assert look_up(table, 0, 0.9, ACCELERATOR) == 0.4
    assert math.isnan(look_up(table, find_row(table, 1.0, 0), 1.0, ACCELERATOR))


def test_the_slope_is_the_rate_of_change_after_the_row() -> None:
    table = table_of([0.0, 2.0, 3.0], [0.0, 10.0, 10.0], SPEED)
    assert [slope(table, row, SPEED) for row in range(3)] == [5.0, 0.0, 0.0]
    assert GEAR != SPEED
