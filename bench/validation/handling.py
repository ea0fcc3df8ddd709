"""The skid pad and the lane change of the road testers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.comparison import lane_change
from bench.comparison.contenders import THIS, Contender
from bench.comparison.scenarios import scenario
from bench.comparison.track import Trace, Trial, whole
from bench.scenarios import Scenario
from bench.validation.check import Check, Curve, Lab, Measure, Plot, Subject

# Testers switch stability control off for the pad, which otherwise ends at its bound and not at the tyres' (assumption).
ESC_OFF = Contender("stability control off", "the vehicle's own calibration without yaw control", {"yaw_control.enabled": 0})

GRAVITY = 9.80665  # [m/s2]
KMH = 3.6

# The magazines' pad: a painted circle of 200 ft, followed as fast as the car stays on it.
RADIUS = 0.5 * 200.0 * 0.3048  # [m]
ENTRY = 10.0  # [m] of straight road before the circle
SPACING = 0.5  # [m] between two points of the line
SPEED_FROM, SPEED_TO = 36.0, 66.0  # [km/h] 0.33 to 1.1 g
RISE = 0.4  # [km/h per second] slow enough to be steady
BESIDE = 0.5  # [m] from the line at most
SUSTAINED = 3.0  # [s] a quarter of a lap


# --- skid pad -----------------------------------------------------------------------------------------------------------------


def pad_line(length: float) -> Any:
    """The way on a skid pad, to the left, float64 (n, 2) [m]."""
    angles = np.arange(0.0, length / RADIUS, SPACING / RADIUS)
    circle = np.column_stack([ENTRY + RADIUS * np.sin(angles), RADIUS * (1.0 - np.cos(angles))])
    return np.vstack([[0.0, 0.0], circle])


def skid_pad(charge: float) -> Scenario:
    """Round and round, slowly faster."""
    duration = (SPEED_TO - SPEED_FROM) / RISE
    speeds = [(0.0, SPEED_FROM), (duration, SPEED_TO)]
    length = duration * SPEED_TO / KMH
    return scenario(
        "skid pad", duration=duration, speed_kmh=speeds, state_of_charge=charge, steering_deg=math.nan, path=pad_line(length)
    )


def circle(lab: Lab, subject: Subject) -> Trace:
    """A car on the skid pad."""
    return lab.track.with_vehicle(subject.vehicle).drive(Trial(ESC_OFF, skid_pad(subject.charge)), whole)


def radius_of(trace: Trace) -> Any:
    """Distance [m] of the car from the centre of the pad."""
    return np.hypot(trace["x"] - ENTRY, trace["y"] - RADIUS)


def centripetal(trace: Trace) -> Any:
    """Speed squared over the radius [m/s2]."""
    return (trace["speed"] ** 2 + trace["lateral_speed"] ** 2) / radius_of(trace)


def sustained_acceleration(trace: Trace) -> float:
    """Highest mean centripetal acceleration [g] over SUSTAINED in which the car stayed on its line; NaN if it never did."""
    count = int(np.searchsorted(trace["time"], trace["time"][0] + SUSTAINED))
    on_line = np.abs(radius_of(trace) - RADIUS) < BESIDE
    sums = np.cumsum(np.column_stack([centripetal(trace), on_line]), axis=0)
    means = (sums[count:] - sums[:-count]) / count
    kept = means[means[:, 1] == 1.0, 0]
    return float(kept.max()) / GRAVITY if len(kept) else math.nan


def pad_plots(traces: Mapping[Subject, Trace]) -> list[Plot]:
    """How far each car is from its line over its acceleration."""
    curves = [
        Curve(subject.name, centripetal(trace)[::100] / GRAVITY, radius_of(trace)[::100] - RADIUS)
        for subject, trace in traces.items()
    ]
    text = f"A circle of {2.0 * RADIUS:.0f} m, {RISE:g} km/h faster every second, stability control off."
    return [Plot("Skid pad", text, "centripetal acceleration [g]", "way beside the line, outwards [m]", curves)]


# --- lane change --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moose:
    """The fastest clean drive between the cones."""

    entry_speed: float  # [km/h]; NaN if there is none
    way: Any  # float64 (n, 2) [m] of the centre of gravity
    cones: Any  # float64 (n, 2) [m]


def dodge(lab: Lab, subject: Subject) -> Moose:
    """The search for the highest clean entry speed through the lanes of ISO 3888-2, as in the comparison."""
    track = lab.track.with_vehicle(subject.vehicle)
    outline = lane_change.outline_of(subject.vehicle)
    lanes = lane_change.lanes_for(2.0 * outline.half_width)
    ways = [
        lane_change.way_through(lanes, outline, earlier, room) for earlier in lane_change.EARLIER for room in lane_change.ROOMS
    ]
    best = lane_change.search(track, THIS, ways, lanes, outline)
    if best is None:
        return Moose(math.nan, np.zeros((0, 2)), lane_change.cones_of(lanes))
    trace = track.drive(best.trial, whole)
    return Moose(best.entry_speed, np.column_stack([trace["x"], trace["y"]]), lane_change.cones_of(lanes))


def moose_plots(found: Mapping[Subject, Moose]) -> list[Plot]:
    """The fastest clean ways."""
    curves = [Curve(f"{subject.name}, {moose.entry_speed:.0f} km/h", *moose.way[::20].T) for subject, moose in found.items()]
    return [Plot("Lane change", "Way of the centre of gravity; scales differ.", "x [m]", "y [m]", curves)]


PAD = Check("skid-pad", "Skid pad of 200 ft", circle, pad_plots)
MOOSE = Check("moose", "Lane change of ISO 3888-2", dodge, moose_plots)

MEASURES = {
    "skid_pad": Measure("skid pad", "g", PAD, sustained_acceleration),
    "moose_speed": Measure("highest clean entry speed", "km/h", MOOSE, lambda moose: moose.entry_speed),
}
