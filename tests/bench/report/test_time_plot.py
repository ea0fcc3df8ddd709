"""Plots over time: what is left out, what must not be."""

import math
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.report.time_plot import MARGIN, Band, Line, Shade, Track, flag_band, labels_of, thin, time_figure

TIMES = np.linspace(0.0, 10.0, 1001)


class Weather(IntEnum):
    SUN = 0
    HEAVY_RAIN = 3


def line(name: str = "speed", values: Any = None) -> Line:
    return Line(name, TIMES, TIMES if values is None else values, "#123456")


@given(arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e3, 1e3)), st.integers(4, 50))
def test_thinned_values_keep_their_extremes_and_their_ends(values: Any, most: int) -> None:
    kept = thin(values, most)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert np.all(np.diff(kept) > 0)
    assert len(kept) <= most + 2


def test_a_spike_of_one_sample_survives_thinning() -> None:
    values = np.zeros(100_000)
    values[54_321] = 1.0
    kept = thin(values)
    assert 54_321 in kept
    assert len(kept) <= 5002


def test_a_long_stretch_without_numbers_stays_a_gap() -> None:
    values = np.ones(1000)
    values[400:600] = np.nan
    assert np.isnan(values[thin(values, 100)]).sum() >= 10


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_a_band_covers_every_change_of_its_code(codes: list[int]) -> None:
    times = np.arange(float(len(codes)))
    labels = {code: (str(code), "#000000") for code in range(4)}
    figure = time_figure([Track("x [1]", (Line("x", times, times, "#000000"),))], [Band("state", times, np.array(codes), labels)])
    drawn = {trace.name: trace.x for trace in figure.data if trace.meta and "band" in trace.meta}
    for time, code in zip(times[:-1] + 0.5, codes, strict=False):
        for name, x in drawn.items():
            covered = any(begin <= time <= end for begin, end in zip(x[0::3], x[1::3], strict=True))
            assert covered == (name == str(code))


def test_a_flag_leaves_its_strip_empty_where_it_is_not_set() -> None:
    flags = (TIMES > 4.0) & (TIMES < 6.0)
    figure = time_figure([Track("x [1]", (line(),))], [flag_band("active", TIMES, flags, "#00ff00")])
    strips = [trace for trace in figure.data if trace.meta and "band" in trace.meta]
    assert len(strips) == 1
    assert strips[0].x[:2] == pytest.approx((4.01, 6.0))


def test_labels_are_the_words_of_the_enumeration() -> None:
    assert {code: name for code, (name, _) in labels_of(Weather).items()} == {0: "SUN", 3: "HEAVY RAIN"}


def test_tracks_lie_below_each_other_and_do_not_overlap() -> None:
    tracks = [Track("a [m]", (line(),), height=100), Track("b [m]", (line(),), height=200), Track("c [m]", (line(),))]
    figure = time_figure(tracks, [flag_band("on", TIMES, TIMES > 1.0, "#00ff00")])
    domains = [figure.layout[f"yaxis{number}"].domain for number in ("", 2, 3, 4)]
    for (bottom, top), (_, next_top) in pairwise(domains):
        assert 0.0 <= bottom < top <= 1.0
        assert next_top < bottom
    plot_height = figure.layout.height - MARGIN["t"] - MARGIN["b"]
    assert [round((top - bottom) * plot_height) for bottom, top in domains] == [100, 200, 150, 22]
    assert domains[-1][0] == pytest.approx(0.0)


def test_every_track_has_its_title_with_unit_above_it() -> None:
    figure = time_figure([Track("speed [km/h]", (line(),)), Track("torque [Nm]", (line(),))])
    assert [annotation.text for annotation in figure.layout.annotations] == ["<b>speed [km/h]</b>", "<b>torque [Nm]</b>"]


def test_the_window_is_shown_first_and_what_lies_before_is_grey() -> None:
    figure = time_figure([Track("x [1]", (line(),))], window=(-1.0, 5.0), grey_until=2.0, group="other")
    assert figure.layout.xaxis.range == (-1.0, 5.0)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.0, 2.0)
    assert figure.layout.meta == {"group": "other"}


def test_a_shade_lies_between_its_curves() -> None:
    lower, upper = np.zeros(len(TIMES)), np.maximum(TIMES - 8.0, 0.0)
    figure = time_figure([Track("x [1]", (line(),), (Shade(TIMES, lower, upper),))])
    below, above = figure.data[0], figure.data[1]
    assert above.fill == "tonexty"
    assert max(above.y) == 2.0
    assert max(below.y) == 0.0
    assert list(below.x) == list(above.x)


def test_a_figure_survives_values_that_are_no_numbers() -> None:
    values = np.where(TIMES > 5.0, math.nan, math.inf)
    assert '"bdata"' in time_figure([Track("x [1]", (line(values=values),))]).to_json()
