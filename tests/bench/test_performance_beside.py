"""What works beside the controller's loop while its wake-ups are measured, does; what they are is judged by nobody here."""

import numpy as np
import pytest
from interpreter import needs_compiler
from platforms import needs_absolute_sleep

from bench.commands import performance_beside
from bench.commands.performance_beside import CONFIDENT, most_by_chance
from bench.rows import Row

pytestmark = [needs_absolute_sleep, needs_compiler]


@pytest.fixture(autouse=True)
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance_beside, "ROUNDS", 1)


def check(rows: list[Row], least: float) -> None:
    """All was measured, and there was company at least so often [1/s]."""
    beside, alone, missed, missed_alone = rows
    assert beside.value > 0
    assert alone.value > 0
    assert missed.value >= 0
    assert missed_alone.value >= 0
    assert int(beside.note.split("; ")[1].split()[0]) > least


def test_a_tester_asks_all_the_time() -> None:
    check(performance_beside.tester_rows(0.6), 0)


def test_an_xcp_master_has_its_lists_filled() -> None:
    check(performance_beside.xcp_rows(4.0), 1000)


def test_a_page_is_sent_what_it_plots() -> None:
    pytest.importorskip("nicegui", reason="the extra dashboard is not installed")
    from bench.commands.performance_page import page_rows

    check(page_rows(6.0), 5)


@pytest.mark.parametrize("count", [0, 1, 20, 400])
def test_by_chance_there_are_no_more_than_that_in_95_of_100_runs(count: int) -> None:
    chance = np.random.default_rng(1)
    rate = max(count, 1)
    alone, beside = (chance.poisson(rate, 20_000) for _ in range(2))
    more = np.mean([b > most_by_chance(a) for a, b in zip(alone.tolist(), beside.tolist(), strict=True)])
    assert more <= 0.06
    assert pytest.approx(1.645, abs=0.01) == CONFIDENT
