import pytest

pytest.importorskip("nicegui", reason="the extra dashboard is not installed")

from bench.dashboard.calibration_editor import ESSENTIAL, _slider_step, slider_range
from bench.dashboard.comparison import format_signed
from bench.dashboard.plots import FIRST_PLOTS, MOST_UNITS
from bench.dashboard.signals import signals_of
from bench.drive import CAR, CONTROLLER
from hil.calibration.table import FIELDS

SCALARS = [path for path, row in FIELDS.items() if not row.shape and not (row.dtype == "i8" and row.maximum == 1)]


@pytest.mark.parametrize("path", SCALARS)
def test_every_slider_holds_the_default_within_what_is_allowed(path):
    row = FIELDS[path]
    low, high = slider_range(row)
    assert row.minimum <= low <= row.default <= high <= row.maximum
    assert low < high
    assert 0.0 < _slider_step(row, low, high) <= max(1.0, (high - low) / 20)


def test_what_the_page_begins_with_is_there():
    assert set(ESSENTIAL) <= set(FIELDS)
    signals = signals_of((CONTROLLER, CAR))
    for plot in FIRST_PLOTS:
        assert set(plot) <= set(signals)
        assert len({signals[path].unit for path in plot}) <= MOST_UNITS


def test_differences_have_a_sign_and_three_digits():
    assert [format_signed(value) for value in (0.0, 1e-9, 12.3456, -0.54321)] == ["=", "=", "+12.3", "−0.543"]
