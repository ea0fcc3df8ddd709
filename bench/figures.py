"""The figures of a drive: what the summary table says about its samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.rows import Row, bounded
from bench.scenarios import Target

KMH = 3.6  # km/h per m/s
# Beyond this the pack's power counts as above its limit: the resolution of the frames (0.5 A at 400 V on 180 kW is 0.1 %),
# and what a limiter may overshoot for one sample.
LIMIT_TOLERANCE = 0.005
OSCILLATION = 0.11  # [s] one period of a driveline of 9 Hz


@dataclass(frozen=True)
class Figure:
    """One figure: the key under which a scenario demands something of it, its label, its unit, and how it is computed."""

    key: str
    label: str
    unit: str
    compute: Callable[[Any], float]
    only_if: Callable[[Any], bool] = lambda samples: True


def plant(samples: Any) -> Any:
    """What the virtual car measured."""
    return samples["car_measurements"]["plant"]


def scenario_time(samples: Any) -> Any:
    """Time of the scenario [s]."""
    return samples["car_measurements"]["scenario_time"]


def speed(samples: Any) -> Any:
    """Speed over ground [m/s]."""
    return plant(samples)["body"]["longitudinal_speed"]


def time_to(samples: Any, target: float) -> float:
    """Time [s] from the first pressure on the accelerator until ``target`` [m/s]; NaN if it is not reached."""
    pressed = np.flatnonzero(samples["controller_inputs"]["pedals"]["accelerator"] > 0.01)
    reached = np.flatnonzero(speed(samples) >= target)
    if not len(pressed) or not len(reached) or reached[-1] < pressed[0]:
        return math.nan
    first = reached[reached >= pressed[0]][0]
    time = scenario_time(samples)
    if first == 0:
        return 0.0
    slope = speed(samples)[first] - speed(samples)[first - 1]
    past = (speed(samples)[first] - target) / slope if slope > 0 else 0.0
    return float(time[first] - past * (time[first] - time[first - 1]) - time[pressed[0]])


def starts_at_rest(samples: Any) -> bool:
    """Whether the scenario begins at a standstill."""
    return bool(abs(speed(samples)[0]) < 0.3)


def shaft_power(samples: Any) -> Any:
    """Mechanical power of both motors [W]."""
    return plant(samples)["front"]["motor"]["mechanical_power"] + plant(samples)["rear"]["motor"]["mechanical_power"]


def motor_torque(samples: Any) -> Any:
    """Sum of both motors' torque [Nm]."""
    return plant(samples)["front"]["motor"]["torque"] + plant(samples)["rear"]["motor"]["torque"]


def axle_torque(axle: str) -> Callable[[Any], float]:
    """Peak axle torque of one axle [Nm]."""
    return lambda samples: float(np.max(np.abs(plant(samples)[axle]["axle_torque"])))


def axle_power(axle: str) -> Callable[[Any], float]:
    """Peak shaft power of one axle's motor [kW]."""
    return lambda samples: float(np.max(np.abs(plant(samples)[axle]["motor"]["mechanical_power"]))) * 1e-3


def limit_share(samples: Any) -> Any:
    """Power of the pack as a share of its limit in that direction; 0 where the limit is not known or nothing flows."""
    battery = plant(samples)["battery"]
    power = battery["power"]
    limit = np.where(power >= 0, battery["discharge_limit"], battery["charge_limit"])
    # Below 1 kW the auxiliaries alone are the power, and no controller can do anything about them.
    relevant = (limit > 1e3) & (np.abs(power) > 1e3)
    return np.where(relevant, np.abs(power) / np.where(relevant, limit, 1.0), 0.0)


def limit_violations(samples: Any) -> float:
    """Samples in which the pack's power is above its limit."""
    return float(np.count_nonzero(limit_share(samples) > 1.0 + LIMIT_TOLERANCE))


def largest_slip(samples: Any) -> float:
    """Largest wheel slip above walking pace."""
    moving = np.abs(speed(samples)) > 1.5
    slips = [np.abs(plant(samples)[axle][side]["slip"]) for axle in ("front", "rear") for side in ("left", "right")]
    return float(np.max(np.where(moving, np.max(slips, axis=0), 0.0)))


def peak(path: tuple[str, ...], factor: float = 1.0) -> Callable[[Any], float]:
    """Largest magnitude of a measurement of the car."""

    def compute(samples: Any) -> float:
        values = plant(samples)
        for key in path:
            values = values[key]
        return float(np.max(np.abs(values))) * factor

    return compute


def jerk(samples: Any) -> float:
    """Largest change of the longitudinal acceleration [m/s3], between samples of 10 ms.

    In real time each node samples by its own clock, and two samples of the controller may meet the same one of the car.
    """
    times, first = np.unique(scenario_time(samples), return_index=True)
    return float(np.max(np.abs(np.gradient(plant(samples)["body"]["longitudinal_acceleration"][first], times))))


def shudder(samples: Any) -> float:
    """Largest swing [Nm] of an axle's half-shaft torque about the motor's torque at the axle.

    Less the mean of their difference over one oscillation: that part accelerates the rotor with the car.
    """
    time = scenario_time(samples)
    width = max(1, round(OSCILLATION / (time[1] - time[0])))
    if len(time) < width:
        return 0.0
    mean = np.ones(width) / width
    worst = 0.0
    for axle in ("front", "rear"):
        swing = plant(samples)[axle]["half_shaft_torque"] - plant(samples)[axle]["axle_torque"]
        inside = swing[width // 2 : len(swing) - (width - 1) // 2]
        worst = max(worst, float(np.max(np.abs(inside - np.convolve(swing, mean, "valid")))))
    return worst


FIGURES = (
    Figure("time_to_50_kmh", "0 to 50 km/h", "s", lambda s: time_to(s, 50 / KMH), starts_at_rest),
    Figure("time_to_100_kmh", "0 to 100 km/h", "s", lambda s: time_to(s, 100 / KMH), starts_at_rest),
    Figure("top_speed_kmh", "highest speed", "km/h", lambda s: float(np.max(speed(s))) * KMH),
    Figure("final_speed_kmh", "speed at the end", "km/h", lambda s: float(speed(s)[-1]) * KMH),
    Figure("distance", "distance", "m", lambda s: float(plant(s)["body"]["distance"][-1] - plant(s)["body"]["distance"][0])),
    Figure("peak_front_axle_torque", "peak front axle torque", "Nm", axle_torque("front")),
    Figure("peak_rear_axle_torque", "peak rear axle torque", "Nm", axle_torque("rear")),
    Figure("peak_motor_torque", "peak motor torque, both motors", "Nm", lambda s: float(np.max(np.abs(motor_torque(s))))),
    Figure("peak_front_power", "peak front shaft power", "kW", axle_power("front")),
    Figure("peak_rear_power", "peak rear shaft power", "kW", axle_power("rear")),
    Figure("peak_shaft_power", "peak shaft power, both motors", "kW", lambda s: float(np.max(shaft_power(s))) * 1e-3),
    Figure("peak_battery_power", "peak battery power", "kW", lambda s: float(np.max(plant(s)["battery"]["power"])) * 1e-3),
    Figure(
        "peak_regeneration",
        "peak power into the battery",
        "kW",
        lambda s: max(0.0, float(np.max(-plant(s)["battery"]["power"]))) * 1e-3,
    ),
    Figure(
        "lowest_cell_voltage", "lowest cell voltage", "V", lambda s: float(np.min(plant(s)["battery"]["cell_voltage_lowest"]))
    ),
    Figure("limit_share", "share of the battery limit used", "%", lambda s: float(np.max(limit_share(s))) * 100.0),
    Figure("peak_lateral_acceleration", "peak lateral acceleration", "m/s²", peak(("body", "lateral_acceleration"))),
    Figure("peak_yaw_rate", "peak yaw rate", "°/s", peak(("body", "yaw_rate"), math.degrees(1.0))),
    Figure("peak_sideslip", "peak sideslip angle", "°", peak(("body", "sideslip"), math.degrees(1.0))),
    Figure("peak_pitch", "peak pitch angle", "°", peak(("ride", "pitch"), math.degrees(1.0))),
    Figure("peak_pitch_rate", "peak pitch rate", "°/s", peak(("ride", "pitch_rate"), math.degrees(1.0))),
    Figure("peak_roll", "peak roll angle", "°", peak(("ride", "roll"), math.degrees(1.0))),
    Figure("peak_jerk", "peak longitudinal jerk", "m/s³", jerk),
    Figure("peak_shudder", "peak oscillation of the half-shaft torque", "Nm", shudder),
    Figure("largest_slip", "largest wheel slip above 5 km/h", "%", lambda s: largest_slip(s) * 100.0),
)


def figure_rows(samples: Any, targets: dict[str, Target]) -> list[Row]:
    """The figures of a drive's samples, each with what the scenario demands of it."""
    rows = []
    for figure in FIGURES:
        if figure.only_if(samples):
            target = targets.get(figure.key, Target())
            value = figure.compute(samples)
            rows.append(bounded(figure.label, value, figure.unit, minimum=target.minimum, maximum=target.maximum))
    note = f"samples of 10 ms more than {LIMIT_TOLERANCE:.1%} above the limit"
    rows.append(bounded("limit violations", limit_violations(samples), "1", maximum=0, note=note))
    return rows
