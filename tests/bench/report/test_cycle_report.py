"""The report of a drive cycle shows where the energy went."""

from pathlib import Path

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.cycles.driving import CycleResult, drive_cycle
from bench.cycles.trace import EPA, Cycle
from bench.report.cycle_report import losses, trace_section, write_cycle_report
from bench.vehicles import load_vehicle

pytest.importorskip("plotly")
pytestmark = needs_compiler


@pytest.fixture(scope="module")
def result() -> CycleResult:
    time = np.arange(41.0)
    speed = np.interp(time, [0, 4, 14, 24, 34, 40], [0, 0, 12, 12, 0, 0])
    return drive_cycle(load_vehicle("leaf_plus"), Cycle("hop", "A hop <&>", time, speed, np.zeros(41), EPA))


def test_causes_add_up_to_the_energy_from_the_wall(result: CycleResult) -> None:
    causes = dict(losses(result))
    assert sum(causes.values()) == pytest.approx(result.wall, rel=1e-9)
    assert causes["road load"] > 0.0
    assert causes["charging"] > 0.05 * result.wall


def test_speed_is_drawn_in_the_band_of_its_tolerance(result: CycleResult) -> None:
    figure = trace_section(result, result.meter.curve()).figure
    traces = {trace.name: trace for trace in figure.data if trace.name}
    assert np.max(traces["speed"].y) == pytest.approx(12 * 3.6, abs=1.0)
    assert np.max(traces["trace"].y) == pytest.approx(12 * 3.6, abs=0.01)
    band = [trace for trace in figure.data if not trace.name]
    assert np.max(band[1].y) == pytest.approx(12 * 3.6 + 2 * 1.609344, abs=0.01)


def test_report_is_one_page_that_names_the_conditions(result: CycleResult, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    write_cycle_report(target, result)
    page = target.read_text(encoding="utf-8")
    assert "<script src" not in page
    for text in ("Where the energy went", "A hop &lt;&amp;&gt;", "EPA, 40 CFR 1066.425", "times out of the tolerance", "1823 kg"):
        assert text in page
