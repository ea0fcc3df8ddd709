"""Full throttle and top speed: cars beside road tests and brochures.

The clock of an American magazine starts when the car has rolled one foot, that of everybody else when it starts to move.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from bench.comparison.contenders import THIS
from bench.comparison.figures import longest
from bench.comparison.scenarios import scenario
from bench.comparison.track import Trace, Trial, whole
from bench.scenarios import Scenario
from bench.validation.check import Check, Curve, Lab, Measure, Plot, Subject

KMH, MPH, FOOT, MILE, KILO = 3.6, 0.44704, 0.3048, 1609.344, 1e-3
SIXTY, HUNDRED, QUARTER = 60.0 * MPH, 100.0 / KMH, 0.25 * MILE
MOVING = 0.5 / KMH  # [m/s] from which satellite instruments count
PEDAL_AT = 0.5  # [s] of the scenario
LAUNCH_TIME = 35.0  # [s] in which all cars have come a kilometre far
TOP_SPEED_TIME = 80.0  # [s] in which all cars have reached their top speed
LAUNCHES = 7  # one after the other, each of ...
THROTTLE, BRAKE, PAUSE = 28.0, 7.0, 6.0  # [s] ... full pedal, a hard stop, and standing
BEGINS = tuple(PEDAL_AT + number * (THROTTLE + BRAKE + PAUSE) for number in range(LAUNCHES))  # [s]
HELD_BRAKE, STOP_BRAKE = 0.3, 0.7  # [1] pedal at a standstill, and for the stop


# --- drives -------------------------------------------------------------------------------------------------------------------


def full_throttle(duration: float, charge: float) -> Scenario:
    """Full pedal from a standstill on a dry, level road, for ``duration`` [s]."""
    return scenario(
        "full throttle", duration=duration, state_of_charge=charge, steering_deg=0.0,
        accelerator=[(0.0, 0.0), (PEDAL_AT, 0.0), (PEDAL_AT + 0.1, 1.0)],
        brake=[(0.0, HELD_BRAKE), (PEDAL_AT, HELD_BRAKE), (PEDAL_AT + 0.1, 0.0)],
    )  # fmt: skip


def repeated_launches(charge: float) -> Scenario:
    """Launch after launch with a stop in between, as a road tester does them."""
    accelerator, brake = [(0.0, 0.0)], [(0.0, HELD_BRAKE)]
    for begin in BEGINS:
        end = begin + THROTTLE
        accelerator += [(begin, 0.0), (begin + 0.1, 1.0), (end, 1.0), (end + 0.2, 0.0)]
        brake += [
            (begin, HELD_BRAKE), (begin + 0.1, 0.0), (end, 0.0), (end + 0.2, STOP_BRAKE), (end + BRAKE, STOP_BRAKE),
            (end + BRAKE + 0.1, HELD_BRAKE),
        ]  # fmt: skip
    return scenario(
        "repeated launches", duration=BEGINS[-1] + THROTTLE + BRAKE, state_of_charge=charge, steering_deg=0.0,
        accelerator=accelerator, brake=brake,
    )  # fmt: skip


def drive(lab: Lab, subject: Subject, wanted: Scenario) -> Trace:
    """The drive of a car with its own controller."""
    return lab.track.with_vehicle(subject.vehicle).drive(Trial(THIS, wanted), whole)


def launch(lab: Lab, subject: Subject) -> Trace:
    """One launch."""
    return drive(lab, subject, full_throttle(LAUNCH_TIME, subject.charge))


def speed_up(lab: Lab, subject: Subject) -> Trace:
    """The way to the top speed."""
    return drive(lab, subject, full_throttle(TOP_SPEED_TIME, subject.charge))


def wear_out(lab: Lab, subject: Subject) -> Trace:
    """Launches until the motor is hot."""
    return drive(lab, subject, repeated_launches(subject.charge))


# --- figures ------------------------------------------------------------------------------------------------------------------


def way(trace: Trace) -> np.ndarray:
    """Distance [m] since the pedal went down."""
    x = np.asarray(trace["x"])
    return x - float(np.interp(PEDAL_AT, trace["time"], x))


def crossing(trace: Trace, values: np.ndarray, level: float) -> float:
    """Time [s] at which ``values`` first reach a ``level``; NaN if they do not."""
    reached = np.flatnonzero(np.asarray(values) >= level)
    if not len(reached):
        return math.nan
    last = max(int(reached[0]), 1)
    piece = slice(last - 1, last + 1)
    return float(np.interp(level, values[piece], trace["time"][piece]))


def seconds_to(speed: float, rollout: float = 0.0) -> Callable[[Trace], float]:
    """Time [s] to a ``speed`` [m/s] after the car has rolled ``rollout`` [m]."""
    return lambda trace: crossing(trace, trace["speed"], speed) - clock_start(trace, rollout)


def seconds_over(distance: float, rollout: float = 0.0) -> Callable[[Trace], float]:
    """Time [s] over a ``distance`` [m] after the car has rolled ``rollout`` [m]."""
    return lambda trace: crossing(trace, way(trace), distance + rollout) - clock_start(trace, rollout)


def clock_start(trace: Trace, rollout: float) -> float:
    """Time [s] at which the clock starts: when the car moves, or has rolled so far [m]."""
    return crossing(trace, way(trace), rollout) if rollout else crossing(trace, trace["speed"], MOVING)


def speed_after(distance: float) -> Callable[[Trace], float]:
    """Speed [km/h] after a ``distance`` [m]."""
    return lambda trace: KMH * float(np.interp(distance, way(trace), trace["speed"], right=math.nan))


def highest(signal: str, factor: float = 1.0) -> Callable[[Trace], float]:
    """Highest value of a ``signal`` in another unit."""
    return lambda trace: factor * float(np.max(trace[signal]))


def highest_sum(front: str, rear: str, factor: float = 1.0) -> Callable[[Trace], float]:
    """Highest sum of two signals in another unit."""
    return lambda trace: factor * float(np.max(trace[front] + trace[rear]))


def milliseconds_above_limit(trace: Trace) -> float:
    """Longest time [ms] for which the discharge power was above what the battery's controller allows."""
    return 1e3 * longest(trace["time"], trace["battery_power"] > trace["discharge_limit"])


def launch_times(trace: Trace) -> list[float]:
    """Time [s] to 60 mph after one foot of each launch; one that did not get there counts as all the time that it had."""
    times = []
    for begin in BEGINS:
        part = trace.after(begin).before(begin + THROTTLE)
        rolled = np.asarray(part["x"]) - part["x"][0]
        time = crossing(part, part["speed"], SIXTY) - crossing(part, rolled, FOOT)
        times.append(THROTTLE if math.isnan(time) else time)
    return times


# --- plots --------------------------------------------------------------------------------------------------------------------


def speeds(title: str, text: str) -> Callable[[Mapping[Subject, Trace]], list[Plot]]:
    """A plot of the speed of all cars over time."""

    def plots(traces: Mapping[Subject, Trace]) -> list[Plot]:
        curves = [Curve(subject.name, trace["time"] - PEDAL_AT, KMH * trace["speed"]) for subject, trace in traces.items()]
        return [Plot(title, text, "time after the pedal [s]", "speed [km/h]", curves)]

    return plots


LAUNCH = Check(
    "launch", "Full throttle from a standstill", launch,
    speeds("Full throttle from a standstill", "Dry, level road, 25 °C, driver alone."),
)  # fmt: skip
TOP_SPEED = Check("top-speed", "Top speed", speed_up, speeds("Top speed", "Full pedal until the car no longer accelerates."))
HOT = Check(
    "repeated-launches", "Launches until the motor is hot", wear_out,
    speeds("Launch after launch", f"{THROTTLE:g} s of full pedal, a hard stop, {PAUSE:g} s of pause: what heat leaves."),
)  # fmt: skip

MEASURES = {
    "time_to_60_mph": Measure("0 to 60 mph after 1 ft", "s", LAUNCH, seconds_to(SIXTY, FOOT)),
    "time_to_60_mph_from_rest": Measure("0 to 60 mph", "s", LAUNCH, seconds_to(SIXTY)),
    "time_to_100_kmh": Measure("0 to 100 km/h", "s", LAUNCH, seconds_to(HUNDRED)),
    "quarter_mile_time": Measure("quarter mile after 1 ft", "s", LAUNCH, seconds_over(QUARTER, FOOT)),
    "quarter_mile_speed": Measure("speed after a quarter mile", "km/h", LAUNCH, speed_after(QUARTER)),
    "kilometre_time": Measure("1000 m", "s", LAUNCH, seconds_over(1000.0)),
    "peak_shaft_power": Measure("peak shaft power", "kW", LAUNCH, highest_sum("front_power", "rear_power", KILO)),
    "peak_dc_power": Measure("peak battery power", "kW", LAUNCH, highest("battery_power", KILO)),
    "discharge_limit": Measure("discharge limit", "kW", LAUNCH, highest("discharge_limit", KILO)),
    "highest_torque_wanted": Measure("highest motor torque wanted", "Nm", LAUNCH, highest_sum("front_wanted", "rear_wanted")),
    "time_above_limit": Measure("longest time above the limit", "ms", LAUNCH, milliseconds_above_limit),
    "top_speed": Measure("top speed", "km/h", TOP_SPEED, highest("speed", KMH)),
    "time_to_60_mph_when_hot": Measure(
        f"0 to 60 mph after 1 ft, launch {LAUNCHES}", "s", HOT, lambda trace: launch_times(trace)[-1],
        lambda trace: "one after the other: " + ", ".join(f"{time:.1f}" for time in launch_times(trace)) + " s",
    ),
}  # fmt: skip
