"""What a study drives: scenarios from files and manoeuvres of the comparison, and the figures that either has.

A manoeuvre here is one or a few drives whose settings stand in the study, where the comparison searches for an angle or a speed.
Samples are 10 ms apart, as in ``e4hil drive``; the comparison takes one each millisecond.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from bench import figures
from bench.comparison import grip, lane_change, longitudinal, sine_with_dwell, steering
from bench.comparison.figures import peak
from bench.comparison.track import Trace
from bench.figures import KMH
from bench.scenarios import Scenario
from bench.tuning.rig import Record
from bench.vehicles import Vehicle
from firmware_model.kernel.math import GRAVITY

DEGREES = math.degrees(1.0)
WATT_HOUR = 3600.0  # [J]


@dataclass(frozen=True)
class Figure:
    """A figure of a manoeuvre: label, unit, and how it follows from the records of its drives."""

    label: str
    unit: str
    compute: Callable[[Sequence[Record]], float]


@dataclass(frozen=True)
class Setting:
    """A number that a manoeuvre is told."""

    default: float
    minimum: float
    maximum: float
    unit: str


@dataclass(frozen=True)
class Manoeuvre:
    """Some drives, and what they are measured by."""

    title: str
    scenarios: tuple[Scenario, ...]
    figures: Mapping[str, Figure]
    preview_time: float | None = None  # [s] of a driver who follows a path


@dataclass(frozen=True)
class Kind:
    """A manoeuvre before its settings are known."""

    title: str
    make: Callable[..., Manoeuvre]  # of the vehicle and the settings
    settings: Mapping[str, Setting] = field(default_factory=dict)


# --- figures that every drive has ------------------------------------------------------------------------------------------


def of_samples(compute: Callable[[Any], float]) -> Callable[[Sequence[Record]], float]:
    """A figure of the first drive, by its samples."""
    return lambda records: compute(records[0].samples)


def of_trace(compute: Callable[[Trace], float]) -> Callable[[Sequence[Record]], float]:
    """A figure of the first drive, by its trace."""
    return lambda records: compute(records[0].trace)


def energy(samples: Any) -> float:
    """Energy that the battery gave [Wh], less what it got."""
    power, time = figures.plant(samples)["battery"]["power"], figures.scenario_time(samples)
    return float(np.trapezoid(power, time)) / WATT_HOUR


def faults(samples: Any) -> float:
    """How many different faults there were."""
    return float(int(np.bitwise_or.reduce(samples["controller_measurements"]["supervisor"]["faults"])).bit_count())


def root_mean_square(values: Any) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def jerk_mean(samples: Any) -> float:
    """Root mean square of the longitudinal jerk [m/s3]."""
    acceleration = figures.plant(samples)["body"]["longitudinal_acceleration"]
    return root_mean_square(np.gradient(acceleration, figures.scenario_time(samples)))


def yaw_error(trace: Trace) -> float:
    """Root mean square of the difference [deg/s] of yaw rate and the reference of yaw control."""
    return DEGREES * root_mean_square(trace["yaw_rate"] - trace["yaw_rate_reference"])


COMMON: dict[str, Figure] = {
    **{each.key: Figure(each.label, each.unit, of_samples(each.compute)) for each in figures.FIGURES},
    "limit_violations": Figure("samples above the battery's limit", "1", of_samples(figures.limit_violations)),
    "energy": Figure("energy from the battery", "Wh", of_samples(energy)),
    "jerk": Figure("root mean square of the longitudinal jerk", "m/s³", of_samples(jerk_mean)),
    "yaw_error": Figure("root mean square of the yaw-rate error", "°/s", of_trace(yaw_error)),
    "faults": Figure("faults", "1", of_samples(faults)),
}


def from_file(scenario: Scenario) -> Manoeuvre:
    """A scenario with the figures of every drive."""
    return Manoeuvre(scenario.title, (scenario,), COMMON)


# --- manoeuvres of the comparison ------------------------------------------------------------------------------------------


def step_steer(vehicle: Vehicle, angle: float, friction: float) -> Manoeuvre:
    """A step of the steering wheel at 100 km/h."""
    begin = steering.middle_of(angle)

    def response(name: str, factor: float) -> Callable[[Sequence[Record]], float]:
        return of_trace(lambda trace: factor * float(getattr(steering.response_of(trace, angle), name)))

    own = {
        "overshoot": Figure("yaw-rate overshoot", "%", response("overshoot", 100.0)),
        "response_time": Figure("yaw-rate response time", "ms", response("response_time", 1e3)),
        "settling_time": Figure("yaw-rate settling time", "ms", response("settling_time", 1e3)),
        "oscillation": Figure(
            "yaw oscillation after one period", "%", of_trace(lambda trace: steering.left_of_swing(trace, begin))
        ),
    }
    return Manoeuvre(f"step steer to {angle:g}°", (steering.step_steer(angle, friction),), {**COMMON, **own})


def lift_off(vehicle: Vehicle, angle: float, friction: float) -> Manoeuvre:
    """The accelerator is released in a curve at 100 km/h."""
    begin = steering.lift_time(angle)
    own = {
        "sideslip_after": Figure(
            "peak sideslip after lift-off", "°", of_trace(lambda trace: DEGREES * peak(trace.after(begin).sideslip))
        ),
        "oscillation": Figure(
            "oscillation of the curvature after one period", "%", of_trace(lambda trace: steering.left_of_curvature(trace, begin))
        ),
    }
    return Manoeuvre(f"lift-off at {angle:g}°", (steering.lift_off(angle, friction),), {**COMMON, **own})


def dwell(vehicle: Vehicle, amplitude: float, friction: float) -> Manoeuvre:
    """Sine with dwell at 80 km/h."""

    def measured(compute: Callable[[sine_with_dwell.Swerve], float]) -> Callable[[Sequence[Record]], float]:
        return of_trace(lambda trace: compute(sine_with_dwell.measure(trace, 0.0, amplitude)))

    own = {
        "ratio_100": Figure("yaw-rate ratio at 1.00 s", "%", measured(lambda swerve: swerve.ratios[0])),
        "ratio_175": Figure("yaw-rate ratio at 1.75 s", "%", measured(lambda swerve: swerve.ratios[1])),
        "way_aside": Figure("way aside at 1.07 s", "m", measured(lambda swerve: swerve.aside)),
    }
    return Manoeuvre(f"sine with dwell, {amplitude:g}°", (sine_with_dwell.swerve(amplitude, friction),), {**COMMON, **own})


@cache
def way_for(width: float, front: float, rear: float) -> Any:
    """The way of least bend through the lanes for a car of that outline [m]."""
    outline = lane_change.Outline(front, rear, 0.5 * width)
    return lane_change.way_through(lane_change.lanes_for(width), outline, lane_change.EARLIER[1], lane_change.ROOMS[1])


def lanes(vehicle: Vehicle, slowest: float, fastest: float, speeds: float, preview: float) -> Manoeuvre:
    """The double lane change at some speeds from slow to fast."""
    outline = lane_change.outline_of(vehicle)
    edges = lane_change.lanes_for(2.0 * outline.half_width)
    way = way_for(2.0 * outline.half_width, outline.front, outline.rear)
    tried = np.linspace(slowest, fastest, int(speeds))

    def clean_speed(records: Sequence[Record]) -> float:
        best = 0.0
        for record in records:
            passage = lane_change.pass_through(record.trace, edges, outline)
            if not passage.clean:
                break
            best = passage.entry_speed
        return best

    def clearance(records: Sequence[Record]) -> float:
        return min(least_room(record.trace, edges, outline) for record in records)

    own = {
        "clean_speed": Figure("highest clean entry speed of those tried", "km/h", clean_speed),
        "clearance": Figure("least room to the edge of a lane, at any speed", "m", clearance),
    }
    scenarios = tuple(lane_change.lane_change(float(speed), way) for speed in tried)
    return Manoeuvre(f"double lane change at {slowest:g} to {fastest:g} km/h", scenarios, {**COMMON, **own}, preview)


def least_room(trace: Trace, edges: Sequence[lane_change.Lane], outline: lane_change.Outline) -> float:
    """Least distance [m] of a corner of the car to the edge of a lane that it is in; negative beyond it."""
    least = math.inf
    for way in lane_change.corner_ways(trace, outline):
        for lane in edges:
            y = way[(way[:, 0] >= lane.begin) & (way[:, 0] <= lane.end), 1]
            if len(y):
                least = min(least, float(np.min(y)) - lane.right, lane.left - float(np.max(y)))
    return least


def hill_start(vehicle: Vehicle) -> Manoeuvre:
    """Full pedal on a hill with ice on one side."""
    own = {
        "time_to_20_kmh": Figure("time to 20 km/h", "s", of_trace(grip.time_to_start)),
        "slip_time": Figure("slip above its limit, first to last", "ms", of_trace(lambda trace: 1e3 * grip.excess_time(trace))),
        "slip_speed": Figure("peak wheel slip speed", "km/h", of_trace(lambda trace: KMH * grip.largest_slip_speed(trace))),
    }
    return Manoeuvre("ice hill start", (grip.hill_start(),), {**COMMON, **own})


def friction_jump(vehicle: Vehicle, edge: float) -> Manoeuvre:
    """Onto ice at full pedal."""
    front = float(vehicle.parameters.body.front_axle_distance[0])

    def after(trace: Trace) -> Trace:
        return trace.after(grip.crossing_time(trace, edge - front))

    own = {
        "overspeed": Figure(
            "peak wheel overspeed", "km/h", of_trace(lambda trace: KMH * float(np.max(grip.overspeed(after(trace)))))
        ),
        # Who hardly drives spins no wheel.
        "edge_speed": Figure("speed at the edge of the ice", "km/h", of_trace(lambda trace: KMH * after(trace)["speed"][0])),
        "back_time": Figure("time back under 3 km/h", "ms", of_trace(lambda trace: 1e3 * grip.back_time(after(trace)))),
    }
    return Manoeuvre("friction jump", (grip.friction_jump(edge),), {**COMMON, **own})


def regenerative_stop(vehicle: Vehicle, pedal: float) -> Manoeuvre:
    """A stop by regeneration."""
    own = {
        "deceleration": Figure("mean deceleration", "m/s²", of_trace(longitudinal.mean_deceleration)),
        "deceleration_error": Figure(
            "difference of the mean deceleration from 0.3 g", "m/s²",
            of_trace(lambda trace: abs(longitudinal.mean_deceleration(trace) - 0.3 * GRAVITY)),
        ),
    }  # fmt: skip
    return Manoeuvre("regenerative stop", (longitudinal.regenerative_stop(pedal),), {**COMMON, **own})


def full_throttle(vehicle: Vehicle) -> Manoeuvre:
    """Full pedal from a standstill."""
    own = {
        "mean_limit_share": Figure(
            "share of the allowed power, highest mean of 1 s", "%",
            of_trace(lambda trace: 100.0 * longitudinal.highest_mean_share(trace)),
        ),
    }  # fmt: skip
    return Manoeuvre("full throttle", (longitudinal.full_throttle(),), {**COMMON, **own})


FRICTION = Setting(1.0, 0.05, 1.5, "1")
KINDS: dict[str, Kind] = {
    "step-steer": Kind(
        "step of the steering wheel at 100 km/h", step_steer, {"angle": Setting(40.0, 1.0, 300.0, "°"), "friction": FRICTION}
    ),
    "lift-off": Kind(
        "lift-off in a curve at 100 km/h", lift_off, {"angle": Setting(60.0, 1.0, 200.0, "°"), "friction": FRICTION}
    ),
    "sine-with-dwell": Kind(
        "sine with dwell at 80 km/h", dwell,
        {"amplitude": Setting(200.0, 5.0, 300.0, "°"), "friction": Setting(sine_with_dwell.HIGH, 0.05, 1.5, "1")},
    ),
    "lane-change": Kind(
        "ISO 3888-2 double lane change", lanes,
        {
            "slowest": Setting(70.0, 20.0, 150.0, "km/h"),
            "fastest": Setting(70.0, 20.0, 150.0, "km/h"),
            "speeds": Setting(1.0, 1.0, 20.0, "1"),
            "preview": Setting(0.35, 0.05, 2.0, "s"),
        },
    ),
    "hill-start": Kind("ice hill start, 10 %, friction 0.8 and 0.15", hill_start),
    "friction-jump": Kind("friction 1 to 0.2 at full pedal", friction_jump, {"edge": Setting(15.0, 3.0, 200.0, "m")}),
    "regenerative-stop": Kind("stop from 45 km/h", regenerative_stop, {"pedal": Setting(0.4, 0.0, 1.0, "1")}),
    "full-throttle": Kind("full throttle", full_throttle),
}  # fmt: skip
