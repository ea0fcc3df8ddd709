"""The plots of the battery comparison show what was found."""

import pytest

from bench.comparison.battery import AGED, NEW, BatteryResults, Case, Outcome, Prediction
from bench.report.battery_sections import battery_sections

pytest.importorskip("plotly")


def test_gain_and_error_are_plotted_at_their_places():
    case = Case(0.3, 10.0, NEW, 1)
    outcomes = [
        Outcome(case, 0, 0, 0, 3.2, 100e3, 3e6, 2e6),
        Outcome(Case(0.02, -20.0, AGED, 2), 0, 0, 0, 2.9, 0.0, 1e5, 0.0),
    ]
    predictions = [Prediction(case, "discharge", 10, 101e3, 100e3), Prediction(case, "charge", 10, 0.0, 0.0)]
    gain, errors = battery_sections(BatteryResults(outcomes, predictions, []))
    new, aged = gain.figure.data
    row, column = list(new.y).index(10.0), list(new.x).index("30%")
    assert new.z[row][column] == 50.0
    assert aged.z[0][0] == 0.0
    points = [point for trace in errors.figure.data for point in zip(trace.x, trace.y, strict=True)]
    assert points == [(pytest.approx(100.0), pytest.approx(1.0))]
