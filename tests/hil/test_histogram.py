"""Histograms of times: what they count against what numpy says of the same times."""

import numpy as np
import pytest

from firmware_model.kernel import new
from hil.histogram import BINS, Histogram, bin_of, count_time, lower_edges, mean, percentile


def histogram_of(times):
    histogram = new(Histogram)[0]
    for time in times:
        count_time(histogram, int(time))
    return histogram


def test_every_time_falls_into_the_bin_between_whose_edges_it_lies() -> None:
    edges = lower_edges()
    assert len(edges) == BINS + 1
    assert np.all(np.diff(edges) > 0)
    for time in [0, 1, 15, 16, 17, 31, 32, 33, 999, 1_000_000, 12_345_678, 2**34, *edges[:-1]]:
        place = bin_of(int(time))
        assert edges[place] <= time < edges[place + 1]


def test_a_bin_is_never_wider_than_a_sixteenth_of_its_times() -> None:
    edges = lower_edges()[16:]
    assert np.max(np.diff(edges) / edges[:-1]) == pytest.approx(1 / 16)


def test_percentiles_are_those_of_the_times_to_the_width_of_a_bin() -> None:
    times = np.random.default_rng(1).lognormal(10.0, 1.5, 20_000).astype(int)
    histogram = histogram_of(times)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999, 1.0):
        assert percentile(histogram, share) == pytest.approx(np.quantile(times, share), rel=0.07)
    assert mean(histogram) == pytest.approx(times.mean())
    assert histogram.worst == times.max()


def test_times_out_of_range_count_at_its_ends() -> None:
    histogram = histogram_of([-5, 2**60])
    assert (histogram.counts[0], histogram.counts[-1], histogram.total) == (1, 1, 2)
    assert histogram.worst == 2**60


def test_no_time_has_no_percentile() -> None:
    assert np.isnan(percentile(new(Histogram)[0], 0.5))
    assert np.isnan(mean(new(Histogram)[0]))
