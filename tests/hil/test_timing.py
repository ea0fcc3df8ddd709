"""The grid of a loop's periods, and its settings."""

import pytest

from firmware_model.kernel import new
from hil.errors import UsageError
from hil.timing import LoopSettings, LoopStatistics, Overrun, keep_grid

MS = 1_000_000


def grid_after(settings: LoopSettings, late: int):
    """Wake a loop ``late`` [ns] after its deadline of 10 ms; the deadline that it serves, and its statistics."""
    statistics = new(LoopStatistics)
    served = keep_grid(10 * MS, 10 * MS + late, settings.record()[0], statistics[0])
    return served, statistics[0]


@pytest.mark.parametrize("overrun", list(Overrun))
def test_a_wake_up_within_the_period_keeps_its_deadline(overrun: Overrun) -> None:
    served, statistics = grid_after(LoopSettings(overrun=overrun), MS - 1)
    assert (served, statistics.cycle_slips, statistics.caught_up) == (10 * MS, 0, 0)
    assert statistics.latency.worst == MS - 1


def test_skipping_leaves_out_the_missed_periods_and_keeps_the_grid() -> None:
    served, statistics = grid_after(LoopSettings(overrun=Overrun.SKIP), 3 * MS + 7)
    assert (served, statistics.cycle_slips) == (13 * MS, 3)


def test_catching_up_runs_the_missed_periods_and_no_more_than_allowed() -> None:
    served, statistics = grid_after(LoopSettings(overrun=Overrun.CATCH_UP, catch_up=4), 3 * MS)
    assert (served, statistics.cycle_slips, statistics.caught_up) == (10 * MS, 0, 1)
    served, statistics = grid_after(LoopSettings(overrun=Overrun.CATCH_UP, catch_up=4), 9 * MS)
    assert (served, statistics.cycle_slips, statistics.caught_up) == (15 * MS, 5, 1)


def test_who_is_to_stop_at_a_missed_period_keeps_the_grid_until_stopped() -> None:
    served, statistics = grid_after(LoopSettings(overrun=Overrun.STOP), MS)
    assert (served, statistics.cycle_slips) == (11 * MS, 1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"period": 99_999}, "period = 99999: allowed is 100000 to"),
        ({"spin": 600_000}, "spin = 600000: allowed is 0 to 500000"),
        ({"priority": 100}, "priority = 100: allowed is 0 to 99"),
        ({"catch_up": 0}, "catch_up = 0"),
        ({"sample_every": 0}, "sample_every = 0"),
        ({"processor": 9999}, "processor = 9999: allowed is 0 to"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_its_range(wrong, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        LoopSettings(**wrong)
