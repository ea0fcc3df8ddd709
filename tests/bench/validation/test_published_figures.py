"""All checks, with what is installed and at hand here: which figures are within tolerance, and which are known not to be."""

import pytest
from interpreter import needs_compiler

from bench.comparison.track import Track
from bench.validation.check import Lab
from bench.validation.running import published, validate
from bench.vehicles import load_vehicle

pytestmark = needs_compiler

# The 40 kWh pack's measured 110 kW leave the LEAF 40 103 kW at the shaft; the Japanese test's mass and road load are unknown.
MISSES = {"leaf_40: 0 to 100 km/h", "leaf_plus: WLTC of Japan, from the wall", "leaf_40: WLTC of Japan, from the wall"}


@pytest.fixture(scope="module")
def findings(request):
    try:
        data = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        data = None
    track = Track(load_vehicle("leaf_plus"))
    track.compile()
    return validate(Lab(track, data), published()).findings


def test_only_the_known_figures_miss_their_tolerance(findings):
    assert {finding.name for finding in findings if finding.passed is False} <= MISSES


def test_a_figure_that_was_not_run_says_what_it_needs(findings):
    for finding in findings:
        assert finding.passed is not None or "needs" in finding.note or "extra" in finding.note
