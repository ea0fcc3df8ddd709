"""Histograms of times that a compiled loop fills: fixed memory, no allocation, a relative resolution of a sixteenth.

Bins grow with the value, sixteen to each doubling, as in an HDR histogram; up to 32 ns each bin is one nanosecond wide. What
percentiles say is therefore right to 6 %, from nanoseconds to half a minute; mean and worst are exact.
"""

from math import frexp
from typing import Any

import numpy as np

from firmware_model.kernel import integer, kernel, record

PARTS = 16  # bins to each doubling of the value
DOUBLINGS = 31  # from 16 ns to 34 s; what is longer counts in the last bin
BINS = PARTS * (DOUBLINGS + 1)
SMALLEST_EXPONENT = 5  # of frexp for 16, where the bins begin to be those of a doubling


@record
class Histogram:
    """How long something took, again and again. Times below zero count as zero."""

    counts = integer("times in each bin", shape=(BINS,))
    total = integer("times counted")
    time_sum = integer("sum of the times [ns]")
    worst = integer("longest time [ns]")


@kernel
def bin_of(value):
    """The bin of a time ``value`` [ns]."""
    if value < PARTS:
        return max(value, 0)
    mantissa, exponent = frexp(float(value))
    return min((exponent - SMALLEST_EXPONENT + 1) * PARTS + int((2.0 * mantissa - 1.0) * PARTS), BINS - 1)


@kernel
def count_time(histogram, value):
    """Count a time ``value`` [ns]."""
    value = max(value, 0)
    histogram.counts[bin_of(value)] += 1
    histogram.total += 1
    histogram.time_sum += value
    histogram.worst = max(histogram.worst, value)


def lower_edges() -> Any:
    """Lower edge [ns] of every bin, and behind them the upper edge of the last."""
    first = np.arange(PARTS)
    doublings = 2.0 ** np.arange(DOUBLINGS)
    rest = PARTS * doublings[:, None] * (1.0 + np.arange(PARTS) / PARTS)
    return np.concatenate([first, rest.ravel(), [PARTS * 2.0**DOUBLINGS]])


def percentile(histogram: Any, share: float) -> float:
    """The time [ns] that a ``share`` (0 to 1) of those counted does not exceed; NaN before the first.

    Straight between the edges of a bin, and never beyond the worst.
    """
    total = int(histogram.total)
    if not total:
        return float("nan")
    edges = lower_edges()
    reached = np.concatenate([[0], np.cumsum(histogram.counts)])
    return min(float(np.interp(share * total, reached, edges)), float(histogram.worst))


def mean(histogram: Any) -> float:
    """Mean time [ns]; NaN before the first."""
    return int(histogram.time_sum) / int(histogram.total) if histogram.total else float("nan")
