"""The real-time measurements: what they make of known times. What they find on a machine is judged by nobody here."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from platforms import needs_absolute_sleep

from bench.commands import performance_realtime, performance_slcan
from bench.commands.measuring import Measured
from bench.commands.performance_realtime import add_cyclictest, measuring_network, merged, off_grid, wake_up_rows
from firmware_model.kernel import new
from hil.histogram import count_time
from hil.timing import LoopSettings, LoopStatistics

pytestmark = needs_absolute_sleep


@pytest.fixture
def cyclictest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program of that name and with this text in front of all others."""

    def install(text: str) -> None:
        path = tmp_path / "cyclictest"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return install


def test_the_histogram_of_cyclictest_is_read(cyclictest: Callable[[str], None]) -> None:
    cyclictest("printf '# Histogram\\n000003 000090\\n000040 000010\\n# Total: 000000100\\n# Max Latencies: 00040\\n'")
    measured = Measured()
    assert add_cyclictest(measured, LoopSettings(), 1.0) == ""
    assert (measured.values[0][3], measured.values[0][40], measured.values[0].sum()) == (90, 10, 100)


def test_a_row_without_cyclictest_says_why(cyclictest: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    cyclictest("echo 'Unable to change scheduling policy!' >&2; exit 1")
    assert "Unable to change scheduling policy!" in add_cyclictest(Measured(), LoopSettings(), 1.0)
    monkeypatch.setenv("PATH", "/nowhere")
    ours, theirs = wake_up_rows(1000, 0.3)
    assert ours.value > 0
    assert (theirs.value, ours.passed) == (None, None)
    assert "rt-tests" in theirs.note


def test_deviations_are_those_from_the_grid_that_fits_best() -> None:
    times = 5.0 + 0.01 * np.arange(100)
    times[7] += 0.002
    times[50] -= 0.001
    times = np.delete(times, 30)
    late = off_grid(times)
    assert late[[7, 49]] == pytest.approx([0.002, 0.001])
    assert np.delete(late, [7, 49]) == pytest.approx(0.0, abs=1e-9)


def test_histograms_of_several_rounds_are_one() -> None:
    rounds = [new(LoopStatistics)[0].latency for _ in range(2)]
    count_time(rounds[0], 100)
    count_time(rounds[1], 5000)
    total = merged(rounds)
    assert (total.total, total.worst, total.counts.sum()) == (2, 5000, 2)


def test_the_measuring_network_has_the_frames_that_are_asked_for() -> None:
    with measuring_network(10, (3, 3, 2)) as network:
        controller = [message for message in network.messages if message.name.startswith("Answer")]
        assert len(network.buses) == 3
        assert len(controller) == 8
        assert {message.period for message in controller} == {10_000_000}


def test_a_node_answers_on_its_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    median, p99 = performance_realtime.reaction_rows(0.5)
    assert 0 < median.value <= p99.value


def test_frames_through_rings_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance_realtime, "RING_FRAMES", 10_000)
    monkeypatch.setattr(performance_realtime, "PYTHON_FRAMES", 1000)
    assert [row.passed for row in performance_realtime.ring_rows()] == [True, True]


def test_a_full_bus_arrives_through_an_adapter() -> None:
    _, ours, _, theirs = performance_slcan.full_bus_rows(0.6)
    assert ours.value > 0.0
    assert theirs.value > 0.0


def test_an_adapter_that_is_pulled_out_comes_back_and_leaves_nothing_behind() -> None:
    noticed, back, threads, descriptors, _ = performance_slcan.unplugging_rows(0.1)
    assert math.isfinite(noticed.value)
    assert math.isfinite(back.value)
    assert (threads.value, descriptors.value) == (0, 0)
