"""The sine with dwell of FMVSS 126 and UN R140: does the car come back from a swerve that many cars spin in?

Amplitudes are multiples of A, the steering-wheel angle of 0.3 g in slowly increasing steer at 80 km/h: from 1.5 A in steps of
0.5 A to the larger of 6.5 A and 270 degrees, at most 300. The yaw rate 1.00 s and 1.75 s after the end of the steering is told
over its second peak, the one after the reversal; by magnitude, which is stricter than the standard's signed ratio.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, FRONT_DRIVE, THIS, Contender
from bench.comparison.result import (
    CORNERING_SIGNALS,
    AmplitudePlot,
    Manoeuvre,
    Overlay,
    Plot,
    Result,
    above,
    below,
    told,
    under,
)
from bench.comparison.scenarios import ramp, release, scenario, sine_with_dwell
from bench.comparison.track import Trace, Track, Trial
from bench.rows import Row
from bench.scenarios import Scenario
from firmware_model.kernel.math import GRAVITY

DEGREES = math.degrees(1.0)
HIGH, LOW = 0.9, 0.5  # friction of the road
TEST_SPEED = 80.0  # [km/h]
ENTRY_SPEED = 80.5  # [km/h] with the accelerator then released, 80 +- 1.6 are left when the steering begins
SLOW_RATE = 13.5  # [deg/s]
SLOW_END = 40.0  # [deg] beyond 0.375 g
FITTED = (0.1 * GRAVITY, 0.375 * GRAVITY)  # [m/s2] over which steering is fitted to lateral acceleration
CHARACTERISTIC = 0.3 * GRAVITY  # [m/s2]

RELEASED = 0.3  # [s]
BEGIN = 0.5  # [s] of the steering
FREQUENCY, DWELL = 0.7, 0.5  # [Hz], [s]
REVERSAL = BEGIN + 0.5 / FREQUENCY  # [s]
COMPLETE = BEGIN + 1.0 / FREQUENCY + DWELL  # [s]
DURATION = COMPLETE + 2.0  # [s]
LATER = (1.00, 1.75)  # [s] after the end of the steering
RATIO_LIMITS = (35.0, 20.0)  # [%]
ASIDE_AFTER = 1.07  # [s] after the beginning of the steering
ASIDE_LEAST = 1.83  # [m], cars up to 3500 kg, from 5 A on
RESPONSIVE = 5.0  # times A


@dataclass(frozen=True)
class Swerve:
    """What one sine with dwell came to."""

    factor: float  # times A
    amplitude: float  # [deg], positive to the left
    ratios: tuple[float, float]  # [%] of the second peak of the yaw rate, after 1.00 and 1.75 s
    aside: float  # [m] to the side to which the steering goes first
    entry_speed: float  # [km/h] when the steering begins
    acceleration: float  # [m/s2] highest lateral one

    @property
    def stable(self) -> bool:
        """Whether both ratios are inside their limits."""
        return all(ratio <= limit for ratio, limit in zip(self.ratios, RATIO_LIMITS, strict=True))


def characteristic_steer() -> Scenario:
    """Slowly increasing steer at a speed that the driver holds."""
    steering = ramp(0.5, SLOW_END, SLOW_RATE)
    return scenario(
        "slowly increasing steer", duration=0.5 + SLOW_END / SLOW_RATE, speed_kmh=TEST_SPEED, friction=HIGH, steering_deg=steering
    )


def characteristic_angle(trace: Trace) -> float:
    """A [deg]: the steering-wheel angle of 0.3 g on the line fitted between 0.1 and 0.375 g."""
    acceleration = trace["lateral_acceleration"]
    fitted = (acceleration >= FITTED[0]) & (acceleration <= FITTED[1])
    line = np.polynomial.Polynomial.fit(acceleration[fitted], trace["steering"][fitted] * DEGREES, 1)
    return float(line(CHARACTERISTIC))


def amplitudes(characteristic: float) -> list[tuple[float, float]]:
    """All amplitudes for A [deg]: multiple of A, and angle [deg]."""
    last = min(max(6.5 * characteristic, 270.0), 300.0)
    factors = [1.5 + 0.5 * step for step in range(1000) if (1.5 + 0.5 * step) * characteristic < last]
    return [(factor, factor * characteristic) for factor in factors] + [(last / characteristic, last)]


def swerve(amplitude: float, friction: float) -> Scenario:
    """Sine with dwell of an ``amplitude`` [deg], the car rolling with released pedals in D."""
    return scenario(
        f"sine with dwell, {amplitude:.0f}°, friction {friction:g}",
        duration=DURATION, speed_kmh=ENTRY_SPEED, friction=friction, accelerator=release(RELEASED), brake=release(RELEASED),
        steering_deg=sine_with_dwell(BEGIN, amplitude, FREQUENCY, DWELL),
    )  # fmt: skip


def measure(trace: Trace, factor: float, amplitude: float) -> Swerve:
    """The figures of the standard."""
    side = math.copysign(1.0, amplitude)
    turned = (trace["time"] >= REVERSAL) & (trace["time"] <= COMPLETE)
    second_peak = float(np.max(-side * trace["yaw_rate"][turned]))
    ratios = [100.0 * abs(trace.at("yaw_rate", COMPLETE + time)) / second_peak for time in LATER]
    heading = trace.at("yaw", BEGIN)
    dx, dy = (trace.at(axis, BEGIN + ASIDE_AFTER) - trace.at(axis, BEGIN) for axis in ("x", "y"))
    return Swerve(
        factor=factor,
        amplitude=amplitude,
        ratios=(ratios[0], ratios[1]),
        aside=side * (math.cos(heading) * dy - math.sin(heading) * dx),
        entry_speed=3.6 * trace.at("speed", BEGIN),
        acceleration=float(np.max(np.abs(trace["lateral_acceleration"]))),
    )


def run(track: Track) -> Result:
    """All amplitudes, both directions, both roads."""
    angles = track.drive_all([Trial(contender, characteristic_steer()) for contender in CONTENDERS], characteristic_angle)
    characteristic = dict(zip(CONTENDERS, angles, strict=True))
    note = "80 km/h; that of this controller is used for all"
    rows = under(f"friction {HIGH:g}", [told("A: steering-wheel angle of 0.3 g", characteristic, "°", note)], CHARACTERISTIC)
    plots: list[Plot] = []
    for friction in (HIGH, LOW):
        swerves = {contender: sweep(track, contender, characteristic[THIS], friction) for contender in CONTENDERS}
        rows += swerve_rows(swerves, friction)
        plots += [amplitude_plot(swerves, friction), largest(track, characteristic[THIS], friction)]
    return Result(rows, plots)


def sweep(track: Track, contender: Contender, characteristic: float, friction: float) -> list[Swerve]:
    """All amplitudes, to the left and to the right first."""
    cases = [(factor, sign * angle) for factor, angle in amplitudes(characteristic) for sign in (1.0, -1.0)]
    by_title = {swerve(angle, friction).title: (factor, angle) for factor, angle in cases}
    trials = [Trial(contender, swerve(angle, friction)) for _, angle in cases]
    return track.drive_all(trials, lambda trace: measure(trace, *by_title[trace.trial.scenario.title]))


def swerve_rows(swerves: Mapping[Contender, Sequence[Swerve]], friction: float) -> list[Row]:
    """The worst ratios of all amplitudes, and on high friction the least way aside."""
    ours = swerves[THIS]
    accelerations = [swerve.acceleration for swerve in ours]
    speeds = [swerve.entry_speed for swerve in ours]
    spun = {contender: [s for s in swerves[contender] if not s.stable] for contender in (FIXED_SPLIT, FRONT_DRIVE)}
    about = (
        f"{len(ours)} drives to {max(s.amplitude for s in ours):.0f}°, both directions, begun at {min(speeds):.1f} to "
        f"{max(speeds):.1f} km/h; not stable: " + ", ".join(f"{who.name} {len(lost)}" for who, lost in spun.items())
    )
    rows = []
    for index, (time, limit) in enumerate(zip(LATER, RATIO_LIMITS, strict=True)):
        worst = {contender: max(each.ratios[index] for each in all_) for contender, all_ in swerves.items()}
        lost = [abs(each.amplitude) for each in ours if each.ratios[index] > limit]
        missed = [f"in {len(lost)} of {len(ours)} drives, from {min(lost):.0f}° on"] if lost else []
        note = "; ".join([*missed, about] if index == 0 else missed)
        rows.append(below(f"friction {friction:g}: worst yaw-rate ratio at {time:.2f} s", worst, "%", limit, note))
    if friction == HIGH:
        least = {who: min(each.aside for each in all_ if each.factor >= RESPONSIVE) for who, all_ in swerves.items()}
        rows.append(above(f"friction {friction:g}: least way aside at {ASIDE_AFTER:g} s", least, "m", ASIDE_LEAST, "from 5 A on"))
    return under(f"friction {friction:g}", rows, max(accelerations))


def amplitude_plot(swerves: Mapping[Contender, Sequence[Swerve]], friction: float) -> AmplitudePlot:
    """The ratios and the way aside over the amplitude, the worse of both directions."""

    def points(index: int) -> dict[Contender, list[tuple[float, float]]]:
        return {
            who: [(each.amplitude, each.ratios[index]) for each in all_ if each.amplitude > 0.0] for who, all_ in swerves.items()
        }

    aside = {who: [(each.amplitude, each.aside) for each in all_ if each.amplitude > 0.0] for who, all_ in swerves.items()}
    panels = [(f"yaw-rate ratio at {time:.2f} s [%]", points(index), RATIO_LIMITS[index]) for index, time in enumerate(LATER)]
    return AmplitudePlot(
        f"Sine with dwell over amplitude, friction {friction:g}",
        "Steered to the left first; the grey line is the limit of FMVSS 126. A ratio near 100 % is a car that spins.",
        "steering-wheel amplitude [°]",
        (*panels, (f"way aside at {ASIDE_AFTER:g} s [m]", aside, ASIDE_LEAST)),
    )


def largest(track: Track, characteristic: float, friction: float) -> Overlay:
    """The drives with the largest amplitude."""
    _, angle = amplitudes(characteristic)[-1]
    traces = track.compare(CONTENDERS, swerve(angle, friction))
    text = f"The largest amplitude, {angle:.0f}°; the steering ends at {COMPLETE:.2f} s."
    return Overlay(f"Sine with dwell, {angle:.0f}°, friction {friction:g}", text, traces, CORNERING_SIGNALS)


MANOEUVRE = Manoeuvre("sine-with-dwell", "FMVSS 126 sine with dwell, 80 km/h, friction 0.9 and 0.5", 249, run)
