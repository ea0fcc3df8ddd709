"""Figures of signals over time: the response to a step, peaks, how oscillations decay, how long something lasts."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

SETTLED = 0.05  # [1] ISO 7401 leaves the band to the tester; 5 % of the steady value is usual
STEADY_TIME = 0.5  # [s] at the end of a record, over which the steady value is the mean


@dataclass(frozen=True)
class StepResponse:
    """The response to a step of the steering wheel, after ISO 7401. Times count from the middle of the step."""

    steady: float  # in the unit of the signal
    overshoot: float  # [1] of the steady value; 0 if there is none
    response_time: float  # [s] until 90 % of the steady value
    peak_time: float  # [s] until the peak
    settling_time: float  # [s] from which on it stays within 5 % of the steady value


def step_response(times: Any, values: Any, start: float) -> StepResponse:
    """Figures of the response ``values`` over ``times`` [s] to a step whose middle is at ``start`` [s]."""
    steady = float(np.mean(values[times >= times[-1] - STEADY_TIME]))
    relative = values / steady
    after = times >= start
    reached = np.flatnonzero(after & (relative >= 0.9))
    outside = np.flatnonzero(np.abs(relative - 1.0) > SETTLED)
    peak = int(np.argmax(np.where(after, relative, -math.inf)))
    return StepResponse(
        steady=steady,
        overshoot=max(0.0, float(relative[peak]) - 1.0),
        response_time=crossing(times, relative, int(reached[0]), 0.9) - start if len(reached) else math.nan,
        peak_time=float(times[peak]) - start,
        settling_time=float(times[min(outside[-1] + 1, len(times) - 1)]) - start if len(outside) else 0.0,
    )


def crossing(times: Any, values: Any, first: int, level: float) -> float:
    """Time [s] at which ``values`` cross a ``level`` on the way to sample ``first``."""
    if first == 0 or values[first] == values[first - 1]:
        return float(times[first])
    share = (level - values[first - 1]) / (values[first] - values[first - 1])
    return float(times[first - 1] + share * (times[first] - times[first - 1]))


def after_one_period(times: Any, deviation: Any, start: float) -> float:
    """What is left of a swing after one period: the largest ``deviation`` that comes after it; 0 if nothing swings.

    The first peak is the largest deviation after ``start`` [s]; the period is twice the time from there to the opposite peak, the
    largest one between the next two changes of sign.
    """
    kept = times >= start
    t, d = np.asarray(times)[kept], np.asarray(deviation)[kept]
    first = int(np.argmax(np.abs(d)))
    swung = d * np.sign(d[first])
    crossed = np.flatnonzero(swung[first:] < 0.0)
    if not len(crossed):
        return 0.0
    zero = first + int(crossed[0])
    back = np.flatnonzero(swung[zero:] > 0.0)
    end = zero + int(back[0]) if len(back) else len(d)
    opposite = zero + int(np.argmin(swung[zero:end]))
    later = np.abs(d[t >= 2.0 * t[opposite] - t[first]])
    return float(np.max(later)) if len(later) else 0.0


def peak(values: Any) -> float:
    """Largest magnitude."""
    return float(np.max(np.abs(values)))


def longest(times: Any, active: Any) -> float:
    """Longest stretch [s] in which ``active`` is true, each sample standing for the time until the next one."""
    best = current = 0.0
    for duration, on in zip(np.diff(times), active[:-1], strict=True):
        current = current + float(duration) if on else 0.0
        best = max(best, current)
    return best


def first_to_last(times: Any, active: Any) -> float:
    """Time [s] from the first to the last sample in which ``active`` is true, both included; 0 if there is none."""
    found = np.flatnonzero(active)
    if not len(found):
        return 0.0
    end = min(found[-1] + 1, len(times) - 1)
    return float(times[end] - times[found[0]])


def first_time(times: Any, reached: Any) -> float:
    """Time [s] of the first sample in which ``reached`` is true; NaN if there is none."""
    found = np.flatnonzero(reached)
    return float(times[found[0]]) if len(found) else math.nan
