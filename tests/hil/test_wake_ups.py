"""The loop that only wakes up. How late it does is the machine's affair; how often, and on which grid, is ours."""

import math
import threading
import time

import pytest
from platforms import needs_absolute_sleep

from hil.timing import LoopSettings, Overrun
from hil.wake_ups import measure_wake_ups, steal_time

pytestmark = needs_absolute_sleep


@pytest.mark.parametrize("spin", [0, 50_000])
def test_every_period_is_run_or_counted_as_missed(spin: int) -> None:
    before = threading.active_count()
    settings = LoopSettings(period=500_000, spin=spin, priority=0, lock_memory=False)
    statistics = measure_wake_ups(0.2, settings).statistics
    assert 400 <= statistics.periods + statistics.cycle_slips <= 401 + statistics.cycle_slips
    assert statistics.latency.total == statistics.periods
    assert threading.active_count() == before


def test_catching_up_runs_every_period() -> None:
    settings = LoopSettings(overrun=Overrun.CATCH_UP, catch_up=1000, priority=0, lock_memory=False)
    assert measure_wake_ups(0.1, settings).statistics.periods == 100


def test_an_interrupted_measurement_ends_its_thread() -> None:
    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    threads = threading.active_count()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measure_wake_ups(60.0, LoopSettings(priority=0, lock_memory=False), interrupt)
    assert threading.active_count() == threads
    assert time.monotonic() - start < 50.0


def test_steal_time_only_grows() -> None:
    first = steal_time()
    assert math.isnan(first) or steal_time() >= first >= 0.0
