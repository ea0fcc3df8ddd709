import math

import pytest

from bench.validation.finding import Published, judged, not_run

SPEED = Published(8, "leaf_plus", "top_speed", 157.0, 2.0, "B", "Nissan")
BOUND = Published(24, "renault_5", "time_to_100_kmh", 8.0, 0.0, "B", "Renault", most=True)


@pytest.mark.parametrize(("simulated", "passed"), [(157.0, True), (159.0, True), (155.0, True), (159.1, False), (154.9, False)])
def test_a_figure_passes_within_its_tolerance_to_either_side(simulated, passed):
    finding = judged(SPEED, "top speed", "km/h", simulated, "")
    assert (finding.value, finding.passed) == (simulated, passed)
    assert finding.difference == pytest.approx(simulated - 157.0)
    assert finding.target == "157 ± 2"


@pytest.mark.parametrize(("simulated", "passed"), [(3.0, True), (8.0, True), (8.01, False)])
def test_a_bound_is_not_exceeded(simulated, passed):
    finding = judged(BOUND, "0 to 100 km/h", "s", simulated, "")
    assert finding.passed == passed
    assert finding.target == "≤ 8"


def test_a_figure_that_there_is_not_misses_its_target():
    finding = judged(SPEED, "top speed", "km/h", math.nan, "never got there")
    assert (finding.value, finding.difference, finding.passed) == (None, None, False)
    assert finding.note == "never got there"


def test_what_was_not_run_has_neither_passed_nor_failed():
    finding = not_run(SPEED, "top speed", "km/h", "no data")
    assert (finding.value, finding.passed, finding.note) == (None, None, "not run: no data")
