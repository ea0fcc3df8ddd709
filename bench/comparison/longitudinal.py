"""Straight ahead: full throttle against the battery's limit, and a stop by regeneration."""

import math
from collections.abc import Mapping

import numpy as np

from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, FRONT_DRIVE, THIS, Contender
from bench.comparison.figures import first_time, longest, peak
from bench.comparison.result import Manoeuvre, Overlay, Plot, Result, Signal, above, below, less, told, under
from bench.comparison.scenarios import HELD, release, scenario
from bench.comparison.track import Trace, Track, Trial
from bench.rows import Row
from bench.scenarios import Scenario
from bench.vehicles import load_vehicle
from firmware_model.kernel.math import GRAVITY

KMH = 3.6  # km/h per m/s
KILO = 1e-3
DEGREES = math.degrees(1.0)

VEHICLES = ("leaf_plus", "leaf_twin_motor")
THROTTLE_TIME = 15.0  # [s]
MEAN_TIME = 1.0  # [s] over which the share of the limit is the mean
PRODUCTION_SHARE = 98.7  # [%] a LEAF e+ on CAN: 177.7 of 180.0 kW
OVERSHOOT_LIMIT, OVERSHOOT_TIME = 0.5, 10.0  # [%], [ms]

STOP_SPEED = 45.0  # [km/h] at which the battery still takes all the power of 0.3 g
STOP_CHARGE = 0.5  # state of charge with the highest charge limit
PEDAL_RANGE = (0.0, 0.8)  # of the brake pedal, in which the position of 0.3 g lies ...
PEDAL_HALVINGS = 9  # ... and how often it is halved to find it
STOP_BEGIN, PEDAL_TIME = 0.5, 0.15  # [s]
STOP_TIME = 6.0  # [s]
WANTED = 0.3 * GRAVITY  # [m/s2]
REGENERATING = 5.0  # [m/s] above it regeneration does not fade out

THROTTLE_SIGNALS = (
    Signal("battery power [kW]", "battery_power", KILO, reference="discharge_limit"),
    Signal("speed [km/h]", "speed", KMH),
    Signal("front motor torque [Nm]", "front_torque"),
    Signal("rear motor torque [Nm]", "rear_torque"),
)
DIVE = "(b) regenerates in front only; side-view geometry of the suspension: an assumption of the vehicle file"
STOP_SIGNALS = (
    Signal("pitch angle [°]", "pitch", DEGREES),
    Signal("pitch rate [°/s]", "pitch_rate", DEGREES),
    Signal("longitudinal acceleration [m/s²]", "longitudinal_acceleration"),
    Signal("speed [km/h]", "speed", KMH),
    Signal("front motor torque [Nm]", "front_torque"),
    Signal("rear motor torque [Nm]", "rear_torque"),
    Signal("front left brake [Nm]", "front.left.brake"),
    Signal("battery power [kW]", "battery_power", KILO),
)


# --- full throttle -------------------------------------------------------------------------------------------------------------


def full_throttle() -> Scenario:
    """Full pedal from a standstill on a dry road."""
    pedal = [(0.0, 0.0), (0.5, 0.0), (0.6, 1.0)]
    brake = [(0.0, 0.3), (0.5, 0.3), (0.6, 0.0)]
    return scenario("full throttle", duration=THROTTLE_TIME, accelerator=pedal, brake=brake, steering_deg=0.0)


def run_throttle(track: Track) -> Result:
    """Both cars, this controller and the static limit."""
    rows: list[Row] = []
    plots: list[Plot] = []
    for name in VEHICLES:
        traces = track.with_vehicle(load_vehicle(name)).compare((THIS, FIXED_SPLIT), full_throttle())
        rows += throttle_rows(name, traces)
        text = "The dashed line is the limit that the battery's controller sends."
        plots.append(Overlay(f"Full throttle, {name}", text, traces, THROTTLE_SIGNALS))
    return Result(rows, plots)


def throttle_rows(name: str, traces: Mapping[Contender, Trace]) -> list[Row]:
    """How much of the allowed power is used, and by how much and how long it is crossed."""
    share = {who: 100.0 * highest_mean_share(trace) for who, trace in traces.items()}
    overshoot = {who: 100.0 * max(0.0, float(np.max(share_of_limit(trace))) - 1.0) for who, trace in traces.items()}
    above_limit = {who: 1e3 * longest(trace["time"], share_of_limit(trace) > 1.0) for who, trace in traces.items()}
    time = {who: first_time(trace["time"], trace["speed"] >= 100.0 / KMH) - 0.5 for who, trace in traces.items()}
    note = f"highest mean over {MEAN_TIME:g} s of DC power over the limit sent on CAN"
    rows = [
        above(f"{name}: share of the allowed power", share, "%", PRODUCTION_SHARE, note),
        below(f"{name}: overshoot of the limit", overshoot, "%", OVERSHOOT_LIMIT),
        below(f"{name}: longest time above the limit", above_limit, "ms", OVERSHOOT_TIME),
        told(f"{name}: 0 to 100 km/h", time, "s"),
    ]
    return under("friction 1", rows)


def share_of_limit(trace: Trace) -> np.ndarray:
    """Discharge power over the limit of the battery's controller."""
    return trace["battery_power"] / np.maximum(trace["discharge_limit"], 1.0)


def highest_mean_share(trace: Trace) -> float:
    """Highest mean of the share of the limit over MEAN_TIME."""
    samples = round(MEAN_TIME / float(np.median(np.diff(trace["time"]))))
    total = np.concatenate([[0.0], np.cumsum(share_of_limit(trace))])
    return float(np.max(total[samples:] - total[:-samples]) / samples)


# --- regenerative stop ---------------------------------------------------------------------------------------------------------


def regenerative_stop(pedal: float) -> Scenario:
    """A stop with the brake ``pedal`` [1], at a speed and a charge at which regeneration alone can do 0.3 g."""
    brake = [(0.0, HELD), (STOP_BEGIN, HELD), (STOP_BEGIN + 1e-3, 0.0), (STOP_BEGIN + PEDAL_TIME, pedal)]
    return scenario(
        "0.3 g regenerative stop", duration=STOP_TIME, speed_kmh=STOP_SPEED, state_of_charge=STOP_CHARGE, brake=brake,
        accelerator=release(STOP_BEGIN), steering_deg=0.0,
    )  # fmt: skip


def mean_deceleration(trace: Trace) -> float:
    """Mean deceleration [m/s2] while the brakes are steady."""
    return -float(np.mean(steady_braking(trace)["longitudinal_acceleration"]))


def pedal_of(track: Track, deceleration: float) -> float:
    """The position of the brake pedal with which this controller decelerates so much [m/s2]."""
    low, high = PEDAL_RANGE
    for _ in range(PEDAL_HALVINGS):
        pedal = 0.5 * (low + high)
        if track.drive(Trial(THIS, regenerative_stop(pedal)), mean_deceleration) < deceleration:
            low = pedal
        else:
            high = pedal
    return 0.5 * (low + high)


def run_stop(track: Track) -> Result:
    """The stop of all three; front drive is the one that regenerates in front only."""
    pedal = pedal_of(track, WANTED)
    traces = track.compare(CONTENDERS, regenerative_stop(pedal))
    text = (
        f"Brake pedal at {100.0 * pedal:.1f} % from {STOP_BEGIN:g} s on, where this controller decelerates with 0.3 g; state of "
        f"charge {100.0 * STOP_CHARGE:g} %. Front drive regenerates in front only."
    )
    return Result(stop_rows(traces), [Overlay("0.3 g regenerative stop", text, traces, STOP_SIGNALS)])


def stop_rows(traces: Mapping[Contender, Trace]) -> list[Row]:
    """Deceleration and who does it."""
    braking = {who: steady_braking(trace) for who, trace in traces.items()}
    deceleration = {who: mean_deceleration(trace) for who, trace in traces.items()}
    friction = {who: max(peak(trace[f"{axle}.left.brake"]) for axle in ("front", "rear")) for who, trace in braking.items()}
    charge = {who: KILO * float(np.max(-trace["battery_power"])) for who, trace in traces.items()}
    share = {who: 100.0 * rear_share(trace) for who, trace in braking.items()}
    pitch = {who: DEGREES * peak(trace.after(STOP_BEGIN)["pitch"]) for who, trace in traces.items()}
    pitch_rate = {who: DEGREES * peak(trace.after(STOP_BEGIN)["pitch_rate"]) for who, trace in traces.items()}
    note = f"{WANTED:.2f} m/s² wanted; from 0.5 s after the pedal to {REGENERATING * KMH:g} km/h"
    rows = [
        told("mean deceleration", deceleration, "m/s²", note),
        told("highest friction brake torque of a wheel", friction, "Nm", "during that time"),
        told("peak charge power", charge, "kW"),
        told("rear share of the regeneration", share, "%"),
        less("peak pitch angle", pitch, "°", 0.1, DIVE, than=FRONT_DRIVE),
        less("peak pitch rate", pitch_rate, "°/s", 0.2, DIVE, than=FRONT_DRIVE),
    ]
    return under("friction 1", rows)


def steady_braking(trace: Trace) -> Trace:
    """The part between the build-up of the brakes and the fading of regeneration."""
    slow = first_time(trace["time"], trace["speed"] < REGENERATING)
    return trace.after(STOP_BEGIN + PEDAL_TIME + 0.5).before(STOP_TIME if math.isnan(slow) else slow)


def rear_share(trace: Trace) -> float:
    """Mean share of the rear motor in both motors' torque."""
    front, rear = float(np.mean(trace["front_torque"])), float(np.mean(trace["rear_torque"]))
    return abs(rear / (front + rear))


STOP = Manoeuvre("regenerative-stop", "0.3 g regenerative stop from 45 km/h", 12, run_stop)
THROTTLE = Manoeuvre("full-throttle", "Full throttle, leaf_plus and leaf_twin_motor", 4, run_throttle)
