"""The scenarios of the manoeuvres, made from profiles over time: what a steering robot and a pedal robot are told."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bench.scenarios import Scenario, road_table, stimulus_table

Profile = float | Sequence[tuple[float, float]]  # a constant, or points of time [s] and value

STEP = 1e-3  # [s] a jump of a profile takes one tick
HELD = math.nan  # a pedal that is left to the driver, who keeps the speed
ROBOT_SAMPLE = 5e-3  # [s] between two points of a sine


def scenario(
    title: str,
    *,
    duration: float,
    speed_kmh: Profile = 0.0,
    state_of_charge: float = 0.93,
    path: Any = None,
    road: Iterable[tuple[float, ...]] = (),
    **profiles: Profile,
) -> Scenario:
    """A scenario from ``profiles`` named and measured like the columns of a scenario file.

    Without pedals the driver keeps ``speed_kmh``, with whose first value the scenario begins.
    """
    profiles = {"speed_kmh": speed_kmh, **profiles}
    times = sorted({0.0, duration}.union(*(times_of(profile) for profile in profiles.values())))
    columns = {name: [value_of(profile, time) for time in times] for name, profile in profiles.items()}
    return Scenario(
        name=title,
        title=title,
        duration=duration,
        start_speed=value_of(speed_kmh, 0.0) / 3.6,
        state_of_charge=state_of_charge,
        temperature=25.0,
        stimulus=stimulus_table({"time": times, **columns}, title),
        path=np.zeros((1, 2)) if path is None else path,
        road=road_table(road),
        targets={},
    )


def times_of(profile: Profile) -> set[float]:
    """The times [s] at which a profile has a point."""
    return set() if isinstance(profile, int | float) else {time for time, _ in profile}


def value_of(profile: Profile, time: float) -> float:
    """The value of a profile at a ``time`` [s]: linear between its points, held at its ends and towards HELD."""
    if isinstance(profile, int | float):
        return float(profile)
    if time <= profile[0][0]:
        return profile[0][1]
    for (before, low), (after, high) in pairwise(profile):
        if time < after:
            return low if math.isnan(high) else low + (high - low) * (time - before) / (after - before)
    return profile[-1][1]


def release(at: float, to: float = 0.0) -> Profile:
    """A pedal that the driver has until a time [s], and which stands at ``to`` [1] from then on."""
    return [(0.0, HELD), (at, HELD), (at + STEP, to)]


def ramp(at: float, value: float, rate: float) -> list[tuple[float, float]]:
    """From zero to ``value`` from a time ``at`` [s] on, with a ``rate`` [1/s] in the unit of the value."""
    return [(0.0, 0.0), (at, 0.0), (at + abs(value) / rate, value)]


def sine_with_dwell(at: float, amplitude: float, frequency: float = 0.7, dwell: float = 0.5) -> list[tuple[float, float]]:
    """One sine of an ``amplitude`` and ``frequency`` [Hz] from a time ``at`` [s] on, that rests ``dwell`` [s] at its second peak.

    As FMVSS 126 has it: 0.7 Hz, 500 ms.
    """
    second_peak = 0.75 / frequency
    phases = np.arange(0.0, second_peak, ROBOT_SAMPLE)
    points = [(at + phase, amplitude * math.sin(2.0 * math.pi * frequency * phase)) for phase in phases]
    rest = np.append(np.arange(second_peak, 1.0 / frequency, ROBOT_SAMPLE), 1.0 / frequency)
    points += [(at + second_peak, -amplitude)]
    points += [(at + dwell + phase, amplitude * math.sin(2.0 * math.pi * frequency * phase)) for phase in rest]
    return [(0.0, 0.0), *points]
