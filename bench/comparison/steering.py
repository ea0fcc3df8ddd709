"""Open-loop steering at 100 km/h: the step of ISO 7401, gently and at the limit, and lift-off in a curve at the limit."""

import math
from collections.abc import Mapping

import numpy as np

from bench.comparison.bounds import fastest_yaw_rate, first_reaction
from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, THIS, Contender
from bench.comparison.figures import SETTLED, StepResponse, after_one_period, first_time, peak, step_response
from bench.comparison.result import CORNERING_SIGNALS, Manoeuvre, Overlay, Plot, Result, below, less, told, under
from bench.comparison.scenarios import ramp, release, scenario
from bench.comparison.track import Trace, Track, Trial, whole
from bench.rows import Row
from bench.scenarios import Scenario

DEGREES = math.degrees(1.0)
SPEED = 100.0  # [km/h] ISO 7401 and ISO 9816: the standard test speed
GENTLE = 4.0  # [m/s2] ISO 7401
STEP_RATE = 400.0  # [deg/s] at the steering wheel; ISO 7401 asks for 200 to 500
STEP_START = 0.5  # [s]
STEP_DURATION = 4.5  # [s] after which the yaw rate stands still
SLOW_RATE = 13.5  # [deg/s] at the steering wheel, FMVSS 126
SLOW_END = 200.0  # [deg] beyond what the tyres can use
LIMIT_SHARE = 0.9  # of the highest lateral acceleration
DRY, WET = 1.0, 0.5  # friction of the road; the tyre's own friction comes on top
LIFT_OFF = 2.0  # [s] of steady cornering before the accelerator is released
LIFT_OBSERVED = 3.0  # [s] after lift-off

NOTICED_BY = ("steering.wheel_angle", "motion.yaw_rate", "motion.lateral_acceleration")
COMMANDS = ("front.motor_torque", "rear.motor_torque", "brakes")  # with any of them a controller could turn the car


# --- what the car does by itself -----------------------------------------------------------------------------------------


def slow_steer(speed_kmh: float, friction: float, end: float = SLOW_END) -> Scenario:
    """Slowly increasing steer to ``end`` [deg] at a speed that the driver holds (ISO 4138, FMVSS 126)."""
    title = f"slowly increasing steer, {speed_kmh:g} km/h, friction {friction:g}"
    duration = 1.0 + end / SLOW_RATE
    return scenario(title, duration=duration, speed_kmh=speed_kmh, friction=friction, steering_deg=ramp(0.5, end, SLOW_RATE))


def steering_at(trace: Trace, acceleration: float) -> float:
    """Steering-wheel angle [deg] at which the car first corners with an ``acceleration`` [m/s2] in slowly increasing steer."""
    reached = np.flatnonzero(trace["lateral_acceleration"] >= acceleration)
    return float(trace["steering"][reached[0]]) * DEGREES if len(reached) else math.nan


def highest_acceleration(trace: Trace) -> float:
    """Highest lateral acceleration [m/s2]."""
    return float(np.max(trace["lateral_acceleration"]))


def limit_angle(trace: Trace) -> float:
    """Steering-wheel angle [deg] of LIMIT_SHARE of the highest lateral acceleration in slowly increasing steer."""
    return steering_at(trace, LIMIT_SHARE * highest_acceleration(trace))


# --- step steer ------------------------------------------------------------------------------------------------------------


def step_steer(angle: float, friction: float) -> Scenario:
    """A step of the steering wheel to ``angle`` [deg] at a speed that the driver holds."""
    return scenario(
        f"step steer to {angle:.0f}°, friction {friction:g}",
        duration=STEP_DURATION, speed_kmh=SPEED, friction=friction, steering_deg=ramp(STEP_START, angle, STEP_RATE),
    )  # fmt: skip


def middle_of(angle: float) -> float:
    """Time [s] at which a step is half done."""
    return STEP_START + 0.5 * angle / STEP_RATE


def response_of(trace: Trace, angle: float) -> StepResponse:
    """The response of the yaw rate to a step of ``angle`` [deg]."""
    return step_response(trace["time"], trace["yaw_rate"], middle_of(angle))


def run_gentle(track: Track) -> Result:
    """The step steer of the standard, with the angle that gives the fixed split 4 m/s2."""
    [angle] = track.drive_all([Trial(FIXED_SPLIT, slow_steer(SPEED, DRY, 60.0))], lambda trace: steering_at(trace, GENTLE))
    step, straight = step_steer(angle, DRY), step_steer(0.0, DRY)
    traces = track.compare(CONTENDERS, step)
    responses = {contender: response_of(trace, angle) for contender, trace in traces.items()}
    reaction = first_reaction(track, Trial(THIS, step), Trial(THIS, straight), NOTICED_BY, COMMANDS)
    fastest = fastest_yaw_rate(traces[FIXED_SPLIT], track.vehicle, DRY, min(reaction.arrives)) / responses[THIS].steady
    bounds = [
        1e3 * (first_time(traces[FIXED_SPLIT]["time"], fastest >= level) - middle_of(angle)) for level in (1.0 - SETTLED, 0.9)
    ]
    text = "Speed held by the driver. The dashed line is the reference of this controller's yaw control."
    return Result(
        gentle_rows(traces, responses, angle, *bounds), [Overlay("Step steer at 100 km/h, dry", text, traces, CORNERING_SIGNALS)]
    )


def gentle_rows(
    traces: Mapping[Contender, Trace],
    responses: Mapping[Contender, StepResponse],
    angle: float,
    settling_bound: float,
    response_bound: float,
) -> list[Row]:
    """Overshoot, settling and rise."""
    steady = {contender: float(trace["lateral_acceleration"][-1]) for contender, trace in traces.items()}
    overshoot = {contender: 100.0 * response.overshoot for contender, response in responses.items()}
    settling = {contender: 1e3 * response.settling_time for contender, response in responses.items()}
    rise = {contender: 1e3 * response.response_time for contender, response in responses.items()}
    peaks = {contender: 1e3 * response.peak_time for contender, response in responses.items()}
    rows = [
        told("steady lateral acceleration", steady, "m/s²", f"{angle:.1f}° at {STEP_RATE:g} °/s"),
        less("yaw-rate overshoot", overshoot, "%", 0.2),
        less(
            "yaw-rate settling time", settling, "ms", 0.2,
            f"into ±{100.0 * SETTLED:g} % for good; from half of the step on, like the others", settling_bound,
        ),
        less("yaw-rate response time", rise, "ms", 0.0, "to 90 % of the steady yaw rate", response_bound),
        told("yaw-rate peak response time", peaks, "ms"),
    ]  # fmt: skip
    return under(f"friction {DRY:g}", rows, peak(traces[THIS]["lateral_acceleration"]))


# --- at the limit ------------------------------------------------------------------------------------------------------------


def run_limit(track: Track) -> Result:
    """Step steer and lift-off at 0.9 of the highest lateral acceleration, on both roads."""
    rows: list[Row] = []
    plots: list[Plot] = []
    for friction in (DRY, WET):
        [slow] = track.drive_all([Trial(FIXED_SPLIT, slow_steer(SPEED, friction))], whole)
        angle = limit_angle(slow)
        wanted = LIMIT_SHARE * highest_acceleration(slow)
        about = f"{angle:.0f}° for {wanted:.1f} m/s², {LIMIT_SHARE:g} of the highest"
        steps = track.compare(CONTENDERS, step_steer(angle, friction))
        here = f"friction {friction:g}"
        lateral = peak(steps[THIS]["lateral_acceleration"])
        rows += under(here, limit_rows(f"step, {here}", steps, middle_of(angle), about), lateral)
        plots.append(
            Overlay(f"Step steer at the limit, friction {friction:g}", f"At 100 km/h; {about}.", steps, CORNERING_SIGNALS)
        )
        lifts = track.compare(CONTENDERS, lift_off(angle, friction))
        begin = lift_time(angle)
        lateral = peak(lifts[THIS]["lateral_acceleration"])
        rows += under(here, lift_rows(f"lift-off, {here}", lifts, begin, about), lateral)
        text = f"Accelerator released at {begin:.2f} s in D, steering wheel held; at 100 km/h, {about}."
        window = begin - 1.0, begin + LIFT_OBSERVED
        plots.append(Overlay(f"Lift-off in a curve, friction {friction:g}", text, lifts, CORNERING_SIGNALS, window))
    return Result(rows, plots)


def limit_rows(name: str, traces: Mapping[Contender, Trace], start: float, about: str) -> list[Row]:
    """Peak sideslip, and what is left of the yaw oscillation after one period."""
    sideslip = {contender: DEGREES * peak(trace.after(start).sideslip) for contender, trace in traces.items()}
    left = {contender: left_of_swing(trace, start) for contender, trace in traces.items()}
    return [
        less(f"{name}: peak sideslip", sideslip, "°", 0.25, about),
        below(f"{name}: yaw oscillation after one period", left, "%", 100.0 * SETTLED, "of the steady yaw rate"),
    ]


def left_of_swing(trace: Trace, start: float) -> float:
    """Largest deviation of the yaw rate from its steady value, one period after its first peak, as share of that value [%].

    The swing begins where the yaw rate first reaches its steady value; on the way there it only rises.
    """
    times, rate = trace["time"], trace["yaw_rate"]
    steady = step_response(times, rate, start).steady
    reached = first_time(times, (times >= start) & (np.sign(steady) * rate >= abs(steady)))
    if math.isnan(reached):
        return math.nan
    return 100.0 * after_one_period(times, rate - steady, reached) / abs(steady)


def lift_time(angle: float) -> float:
    """Time [s] at which the accelerator is released."""
    return STEP_START + angle / SLOW_RATE + LIFT_OFF


def lift_off(angle: float, friction: float) -> Scenario:
    """Steady cornering with the steering wheel at ``angle`` [deg], then the accelerator is released (ISO 9816)."""
    begin = lift_time(angle)
    return scenario(
        f"lift-off at {angle:.0f}°, friction {friction:g}",
        duration=begin + LIFT_OBSERVED, speed_kmh=SPEED, friction=friction,
        steering_deg=ramp(STEP_START, angle, SLOW_RATE), accelerator=release(begin), brake=release(begin),
    )  # fmt: skip


def lift_rows(name: str, traces: Mapping[Contender, Trace], start: float, about: str) -> list[Row]:
    """Peak sideslip after lift-off, and what is left of the oscillation of the curvature after one period."""
    sideslip = {contender: DEGREES * peak(trace.after(start).sideslip) for contender, trace in traces.items()}
    left = {contender: left_of_curvature(trace, start) for contender, trace in traces.items()}
    before = {contender: DEGREES * abs(trace.at("sideslip", start)) for contender, trace in traces.items()}
    return [
        told(f"{name}: sideslip before", before, "°", about),
        less(f"{name}: peak sideslip", sideslip, "°", 0.25),
        below(f"{name}: oscillation after one period", left, "%", 100.0 * SETTLED, "of the curvature of the way"),
    ]


def left_of_curvature(trace: Trace, start: float) -> float:
    """What is left of a swing of the curvature r / v [%], about a straight line since the car slows down, after one period."""
    late = trace.after(start)
    curvature = late["yaw_rate"] / late["speed"]
    settled = late["time"] >= start + 0.5 * LIFT_OBSERVED
    trend = np.polynomial.Polynomial.fit(late["time"][settled], curvature[settled], 1)(late["time"])
    return 100.0 * after_one_period(late["time"], curvature - trend, start) / peak(trend)


GENTLE_STEP = Manoeuvre("step-steer", "ISO 7401 step steer, 100 km/h, 4 m/s², dry", 6, run_gentle)
LIMIT = Manoeuvre("limit", "Step steer and lift-off at the limit, 100 km/h, dry and friction 0.5", 14, run_limit)
