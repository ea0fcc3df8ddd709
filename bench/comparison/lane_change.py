"""The obstacle avoidance of ISO 3888-2: lanes for the width of the car, a way through them, cones, and the highest clean speed.

Five sections of 12, 13.5, 11, 12.5 and 12 m, 61 m in all. The lanes of the first, third and fifth are 1.1 b + 0.25 m, b + 1 m
and the larger of 1.3 b + 0.25 m and 3 m wide for a car of width b. The third lane lies 1 m to the left of the first; the fifth
has its right edge in line with the first. The accelerator is released 2 m into the first section.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.comparison.bounds import highest_lateral_acceleration
from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, THIS, Contender
from bench.comparison.figures import peak
from bench.comparison.result import CORNERING_SIGNALS, LanePlot, Manoeuvre, Overlay, Plot, Result, above, told, under
from bench.comparison.scenarios import release, scenario
from bench.comparison.track import Trace, Track, Trial, whole
from bench.rows import Row
from bench.scenarios import Scenario
from bench.vehicles import Vehicle

DEGREES = math.degrees(1.0)
APPROACH = 15.0  # [m] from the beginning of the scenario to the first lane
LENGTHS = (12.0, 13.5, 11.0, 12.5, 12.0)  # [m]
OFFSET = 1.0  # [m]
RELEASE_AT = 2.0  # [m] into the first section
AFTER = 30.0  # [m] of straight road after the last lane
FRICTION = 1.0
CONE_SPACING = 3.0  # [m] at most, along a lane

# What a driver may try, the same for everybody: how far ahead to look [s], how long before a lane to be in it [m], and how much
# of the room beside the car to keep [1].
PREVIEW_TIMES = (0.30, 0.35, 0.40)
EARLIER = (0.0, 0.2, 0.4)
ROOMS = (0.10, 0.15, 0.20)
SLOWEST, FASTEST = 60, 110  # [km/h]
FAILURES = 2  # so many speeds in a row without a clean drive end the search
GAIN = 5.0  # [km/h] wanted beyond the fixed split

GRID = 0.5  # [m] of the wanted way
SIDE_POINTS = 9  # along each side of the car that stay between the cones on it
SWEEPS = 4000


@dataclass(frozen=True)
class Lane:
    """A straight lane between cones. Lengths [m]."""

    begin: float
    end: float
    right: float
    left: float


@dataclass(frozen=True)
class Outline:
    """The car seen from above, from its centre of gravity. Lengths [m]."""

    front: float
    rear: float
    half_width: float

    def corners(self) -> tuple[tuple[float, float], ...]:
        """Forward and to the left: front left, front right, rear right, rear left."""
        w = self.half_width
        return (self.front, w), (self.front, -w), (-self.rear, -w), (-self.rear, w)


def outline_of(vehicle: Vehicle) -> Outline:
    """The outline of a vehicle."""
    body = vehicle.parameters[0].body
    rear = body.wheelbase - body.front_axle_distance + body.rear_overhang
    return Outline(float(body.front_axle_distance + body.front_overhang), float(rear), 0.5 * float(body.width))


def lanes_for(width: float) -> tuple[Lane, Lane, Lane]:
    """The three lanes for a car of that ``width`` [m], the first one around y = 0."""
    starts = APPROACH + np.concatenate([[0.0], np.cumsum(LENGTHS)])
    first = 1.1 * width + 0.25
    third, fifth = width + 1.0, max(1.3 * width + 0.25, 3.0)
    right = -0.5 * first
    beside = 0.5 * first + OFFSET
    return (
        Lane(float(starts[0]), float(starts[1]), right, right + first),
        Lane(float(starts[2]), float(starts[3]), beside, beside + third),
        Lane(float(starts[4]), float(starts[5]), right, right + fifth),
    )


def cones_of(lanes: Sequence[Lane]) -> Any:
    """Places of the cones [m], float64 (n, 2), on both sides of each lane, at its ends and in between."""
    places = []
    for lane in lanes:
        along = np.linspace(lane.begin, lane.end, math.ceil((lane.end - lane.begin) / CONE_SPACING) + 1)
        places += [(x, y) for x in along for y in (lane.right, lane.left)]
    return np.array(places)


# --- was it clean? ------------------------------------------------------------------------------------------------------------


def corner_ways(trace: Trace, outline: Outline) -> list[Any]:
    """The ways of the four corners over ground, float64 (n, 2) [m] each."""
    cos_psi, sin_psi = np.cos(trace["yaw"]), np.sin(trace["yaw"])
    return [
        np.column_stack([trace["x"] + cos_psi * a - sin_psi * b, trace["y"] + sin_psi * a + cos_psi * b])
        for a, b in outline.corners()
    ]


def is_clean(trace: Trace, lanes: Sequence[Lane], outline: Outline) -> bool:
    """Whether the car came through: no corner beyond the edge of a lane that it is in, no cone under the car, and all of the way.

    The edges count along all of a lane, as if the cones stood side by side.
    """
    if not np.isfinite(trace["x"]).all() or trace["x"][-1] < lanes[-1].end + outline.rear:
        return False
    for way in corner_ways(trace, outline):
        for lane in lanes:
            inside = (way[:, 0] >= lane.begin) & (way[:, 0] <= lane.end)
            if np.any(inside & ((way[:, 1] < lane.right) | (way[:, 1] > lane.left))):
                return False
    return not any(runs_over(trace, x, y, outline) for x, y in cones_of(lanes))


def runs_over(trace: Trace, x: float, y: float, outline: Outline) -> bool:
    """Whether the place ``x``, ``y`` [m] is ever under the car."""
    cos_psi, sin_psi = np.cos(trace["yaw"]), np.sin(trace["yaw"])
    dx, dy = x - trace["x"], y - trace["y"]
    forward, left = cos_psi * dx + sin_psi * dy, cos_psi * dy - sin_psi * dx
    under = (forward < outline.front) & (forward > -outline.rear) & (np.abs(left) < outline.half_width)
    return bool(under.any())


# --- the wanted way -----------------------------------------------------------------------------------------------------------


def way_through(lanes: Sequence[Lane], outline: Outline, earlier: float, room: float) -> Any:
    """The way of the centre of gravity that bends least, float64 (n, 2) [m]; it is in each lane so many metres ``earlier``.

    Least sum of (d2y/dx2)^2 such that the sides of a car that heads along the way, y + a y' +- w, stay inside the lanes and
    keep a share ``room`` [1] of the room that a car in the middle has on each side: a convex problem, solved with the
    alternating direction method of multipliers (S. Boyd et al., 2011, section 5.2).
    """
    x = np.arange(0.0, lanes[-1].end + AFTER + GRID, GRID)
    n = len(x)
    bend = np.diff(np.eye(n), 2, axis=0) / GRID**2
    heading = np.gradient(np.eye(n), GRID, axis=0)
    rows, low, high = [], [], []
    for reach in np.linspace(outline.front, -outline.rear, SIDE_POINTS):
        for k in range(n):
            place = x[k] + reach
            lane = next((lane for lane in lanes if lane.begin - earlier <= place <= lane.end), None)
            if lane:
                rows.append(np.eye(n)[k] + reach * heading[k])
                middle, beside = 0.5 * (lane.left + lane.right), 0.5 * (lane.left - lane.right) - outline.half_width
                low.append(middle - (1.0 - room) * beside)
                high.append(middle + (1.0 - room) * beside)
    # It begins where the car does, and ends straight.
    constraint = np.vstack([*rows, np.eye(n)[0], heading[-1]])
    lowest, highest = np.array([*low, 0.0, 0.0]), np.array([*high, 0.0, 0.0])
    weight = 1.0
    inverse = np.linalg.inv(bend.T @ bend * GRID + weight * constraint.T @ constraint)
    step = weight * inverse @ constraint.T
    z, u = np.clip(np.zeros(len(lowest)), lowest, highest), np.zeros(len(lowest))
    y = np.zeros(n)
    for _ in range(SWEEPS):
        y = step @ (z - u)
        reached = constraint @ y
        z = np.clip(reached + u, lowest, highest)
        u += reached - z
    return np.column_stack([x, y])


# --- the search ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passage:
    """One drive through the lanes."""

    entry_speed: float  # [km/h] where the accelerator is released
    clean: bool
    trial: Trial


def lane_change(speed_kmh: float, way: Any) -> Scenario:
    """Into the lanes with ``speed_kmh``, the accelerator then released, the driver steering along ``way``."""
    at = APPROACH + RELEASE_AT
    end = float(way[-1, 0])
    return scenario(
        f"lane change at {speed_kmh:g} km/h",
        duration=1.3 * (end - 0.5 * AFTER) / (speed_kmh / 3.6), speed_kmh=speed_kmh, friction=FRICTION, path=way,
        steering_deg=math.nan, accelerator=release(3.6 * at / speed_kmh), brake=release(3.6 * at / speed_kmh),
    )  # fmt: skip


def search(track: Track, contender: Contender, ways: Sequence[Any], lanes: Sequence[Lane], outline: Outline) -> Passage | None:
    """The fastest clean passage of a contender, from slow to fast in steps of 1 km/h, with any of the driver's habits."""
    habits = [(way, preview) for way in ways for preview in PREVIEW_TIMES]
    best: Passage | None = None
    failures = 0
    for speed in range(SLOWEST, FASTEST + 1):
        if failures == FAILURES:
            break
        failures += 1
        for number, (way, preview) in enumerate(habits):
            trial = Trial(contender, lane_change(float(speed), way), preview)
            passage = track.drive(trial, lambda trace: pass_through(trace, lanes, outline))
            if passage.clean:
                best, failures = passage, 0
                habits.insert(0, habits.pop(number))  # what was good now is tried first at the next speed
                break
    return best


def pass_through(trace: Trace, lanes: Sequence[Lane], outline: Outline) -> Passage:
    """Entry speed and verdict of a drive."""
    entry = float(np.interp(APPROACH + RELEASE_AT, trace["x"] + outline.front, trace["speed"]))
    return Passage(3.6 * entry, is_clean(trace, lanes, outline), trace.trial)


def run(track: Track) -> Result:
    """The search, and the fastest clean drives once more for the plots."""
    outline = outline_of(track.vehicle)
    lanes = lanes_for(2.0 * outline.half_width)
    ways = [way_through(lanes, outline, earlier, room) for earlier in EARLIER for room in ROOMS]
    found = track.each(lambda contender: search(track, contender, ways, lanes, outline), CONTENDERS)
    best = dict(zip(CONTENDERS, found, strict=True))
    speeds = {who: passage.entry_speed if passage else math.nan for who, passage in best.items()}
    trials = [passage.trial for passage in best.values() if passage]
    traces = {trace.contender: trace for trace in track.drive_all(trials, whole)}
    plots: list[Plot] = [lane_plot(traces, speeds, lanes, outline), overlay(traces)]
    return Result(rows_of(speeds, traces, highest_lateral_acceleration(track.vehicle, FRICTION)), plots)


def rows_of(speeds: Mapping[Contender, float], traces: Mapping[Contender, Trace], most: float) -> list[Row]:
    """The highest clean entry speed, and what the tyres gave there, of ``most`` [m/s2] that they could if nothing had to turn."""
    accelerations = {who: peak(traces[who]["lateral_acceleration"]) if who in traces else math.nan for who in CONTENDERS}
    sideslip = {who: DEGREES * peak(traces[who].sideslip) if who in traces else math.nan for who in CONTENDERS}
    previews = ", ".join(f"{who.name} {trace.trial.preview_time:g} s" for who, trace in traces.items())
    wanted = speeds[FIXED_SPLIT] + GAIN
    note = f"best preview: {previews}"
    row = above("highest clean entry speed", speeds, "km/h", round(wanted, 1), note)
    if row.passed is False:
        gained, used = speeds[THIS] - speeds[FIXED_SPLIT], accelerations[THIS]
        missed = f"missed: {gained:+.1f} km/h beside (a), {GAIN:+g} wanted, with {used:.1f} of at most {most:.1f} m/s²"
        row = replace(row, note=f"{missed}; {note}")
    limit = f"at most {most:.1f} m/s² with all friction of all tyres across the car"
    given = replace(told("peak lateral acceleration there", accelerations, "m/s²"), note=limit)
    rows = [row, given, told("peak sideslip there", sideslip, "°")]
    return under(f"friction {FRICTION:g}", rows, accelerations[THIS])


def lane_plot(
    traces: Mapping[Contender, Trace], speeds: Mapping[Contender, float], lanes: Sequence[Lane], outline: Outline
) -> LanePlot:
    """The ways between the cones."""
    return LanePlot(
        "Double lane change: the fastest clean drives",
        "Way of the centre of gravity (full) and of the four corners (thin) of each car between the cones. Scales differ.",
        traces,
        {who: f"{who.name}, {speeds[who]:.1f} km/h" for who in traces},
        cones_of(lanes),
        lambda trace: corner_ways(trace, outline),
    )


def overlay(traces: Mapping[Contender, Trace]) -> Overlay:
    """The same drives over time."""
    return Overlay("Double lane change over time", "Each car at its own highest clean entry speed.", traces, CORNERING_SIGNALS)


MANOEUVRE = Manoeuvre("lane-change", "ISO 3888-2 double lane change, lane offset 1 m, 61 m, dry", 250, run)
