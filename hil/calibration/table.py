"""The table of calibration values seen from outside the controller: its version, its axes, and which values bound each other.

The values themselves are declared in :mod:`firmware_model.calibration`.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import numpy as np

from firmware_model.calibration import Calibration
from firmware_model.kernel import Field, Record
from firmware_model.kernel.records import locate, words_of
from firmware_model.signals import DriveMode

RECORD = cast(Record, Calibration)
FIELDS: dict[str, Field] = dict(RECORD.fields())


def table_version(record: Record = RECORD) -> str:
    """Checksum of names, units and shapes: calibrations of one version can be exchanged value by value."""
    text = "\n".join(f"{path} {field.unit} {field.dtype} {field.shape}" for path, field in record.fields())
    return hashlib.sha256(text.encode()).hexdigest()[:8]


VERSION = table_version()


@dataclass(frozen=True)
class FixedAxis:
    """Points that are no calibration values: ``first``, ``first + step`` ..."""

    title: str
    unit: str
    first: float
    step: float

    def points(self, length: int) -> list[float]:
        """The first ``length`` points."""
        return [round(self.first + k * self.step, 9) for k in range(length)]


Axis = str | FixedAxis  # a path is that of the points

CHARGE = FixedAxis("state of charge", "1", 0.0, 0.05)
TEMPERATURE = FixedAxis("temperature", "degC", -30.0, 5.0)
MODE = FixedAxis("drive mode: " + ", ".join(f"{mode.value} {mode.name.lower()}" for mode in DriveMode), "1", 0.0, 1.0)
FAULT = FixedAxis("fault, by the number of its bit", "1", 0.0, 1.0)
PEDAL, SPEED, BRAKE = "driver_demand.pedal_points", "driver_demand.speed_points", "driver_demand.brake_points"

# The axes of every value that is an array, and no axis itself; of a map first that of its rows.
AXES: dict[str, tuple[Axis, ...]] = {
    **{f"driver_demand.force_{mode.name.lower()}": (PEDAL, SPEED) for mode in DriveMode},
    "driver_demand.force_lift_off_brake": (SPEED,),
    "driver_demand.force_lift_off_e_pedal": (SPEED,),
    "driver_demand.lift_off_gain": (MODE,),
    "driver_demand.brake_deceleration": (BRAKE,),
    "yaw_control.understeer_share": (MODE,),
    "torque_split.mode_shift": (MODE,),
    "pack.open_circuit_voltage": (CHARGE,),
    "pack.series_over_charge": (CHARGE,),
    "pack.polarisation_over_charge": (CHARGE,),
    "pack.series_over_temperature": (TEMPERATURE,),
    "pack.polarisation_over_temperature": (TEMPERATURE,),
    **{f"faults.{key}": (FAULT,) for key in ("debounce_time", "healing_time", "latch_count", "latch_time")},
}
# The values that are points of axes themselves
POINTS = {axis for axes in AXES.values() for axis in axes if isinstance(axis, str)}
# Interpolation divides by the distance of two points. A pack's voltage rises with its charge, or charge cannot be told from it.
RISING = (PEDAL, SPEED, BRAKE, "pack.open_circuit_voltage")


class Relation(StrEnum):
    """How two values must compare."""

    BELOW = "below"
    NOT_ABOVE = "at or below"


# Of a ramp both ends, which must differ; the lowest and the highest of what is clamped.
BOUNDS: tuple[tuple[str, Relation, str], ...] = (
    ("vehicle.front_axle_to_cg", Relation.BELOW, "vehicle.wheelbase"),
    *(
        row
        for axle in ("front", "rear")
        for row in (
            (f"{axle}.motor_temperature_start", Relation.BELOW, f"{axle}.motor_temperature_end"),
            (f"{axle}.inverter_temperature_start", Relation.BELOW, f"{axle}.inverter_temperature_end"),
        )
    ),
    ("input_qualification.temperature_min", Relation.BELOW, "input_qualification.temperature_max"),
    ("vehicle_speed.friction_used_start", Relation.BELOW, "vehicle_speed.friction_used_end"),
    ("vehicle_speed.gain_distrusted", Relation.NOT_ABOVE, "vehicle_speed.gain_trusted"),
    ("sideslip.fade_in_start", Relation.BELOW, "sideslip.fade_in_end"),
    ("friction.minimum", Relation.BELOW, "friction.maximum"),
    ("yaw_control.fade_in_start", Relation.BELOW, "yaw_control.fade_in_end"),
    ("torque_split.efficiency_force_start", Relation.BELOW, "torque_split.efficiency_force_end"),
    ("torque_split.front_share_min", Relation.NOT_ABOVE, "torque_split.front_share_max"),
    ("ride_control.fade_in_start", Relation.BELOW, "ride_control.fade_in_end"),
    ("brake_blending.fade_out_end", Relation.BELOW, "brake_blending.fade_out_start"),
    ("pack_estimate.growth_min", Relation.NOT_ABOVE, "pack_estimate.growth_max"),
    ("discharge_limiter.cell_voltage_min", Relation.BELOW, "discharge_limiter.cell_voltage_max"),
    ("discharge_limiter.discharge_charge_zero", Relation.BELOW, "discharge_limiter.discharge_charge_full"),
    ("discharge_limiter.charge_charge_full", Relation.BELOW, "discharge_limiter.charge_charge_zero"),
    ("discharge_limiter.hot_full", Relation.BELOW, "discharge_limiter.hot_zero"),
    ("discharge_limiter.cold_zero", Relation.BELOW, "discharge_limiter.cold_full"),
    ("discharge_limiter.turtle_energy", Relation.NOT_ABOVE, "discharge_limiter.turtle_release"),
    ("power_budget.loss_factor_min", Relation.NOT_ABOVE, "power_budget.loss_factor_max"),
    ("supervisor.precharge_time", Relation.BELOW, "supervisor.precharge_timeout"),
)
# The values that may contradict others, or themselves
RELATED = {*RISING, *(path for low, _, high in BOUNDS for path in (low, high))}


def axis_labels(axis: Axis, length: int, calibration: Any) -> list[str]:
    """The ``length`` points of an axis in a ``calibration`` (recarray (1,)), as people read them."""
    points = axis.points(length) if isinstance(axis, FixedAxis) else locate(calibration, axis)[0]
    return [f"{point:g}" for point in points]


def suspects(one: Any, other: Any) -> list[str]:
    """The paths of values that may differ in two calibrations (recarray (1,)): their memory does."""
    differing = words_of(one) != words_of(other)
    if not differing.any():
        return []
    return [path for path, (first, last) in _PLACES.items() if differing[first:last].any()]


def _places() -> dict[str, tuple[int, int]]:
    """Of each value its first 64-bit word in the record, and the one behind its last."""
    numbers = np.arange(RECORD.dtype.itemsize // 8).view(RECORD.dtype)
    found = {path: words_of(locate(numbers, path)) for path in FIELDS}
    return {path: (int(places[0]), int(places[-1]) + 1) for path, places in found.items()}


_PLACES = _places()
_DEFAULTS = RECORD.new()


def findings(calibration: Any) -> list[str]:
    """What is wrong with a calibration (recarray (1,)), one line each, first path by path; empty if nothing is."""
    checked = suspects(calibration, _DEFAULTS)  # the defaults are well: a test says so
    found = [line for path in checked for line in value_findings(path, locate(calibration, path)[0])]
    if found:  # what is no number compares with nothing
        return found
    for path in RISING:
        points = locate(calibration, path)[0]
        if not (np.diff(points) > 0.0).all():
            place = int(np.argmin(np.diff(points) > 0.0))
            found.append(f"{path}: must rise from point to point; {points[place]:g} is followed by {points[place + 1]:g}")
    for low, relation, high in BOUNDS:
        smaller, larger = float(locate(calibration, low)[0]), float(locate(calibration, high)[0])
        if smaller > larger or (smaller == larger and relation is Relation.BELOW):
            found.append(f"{low} = {smaller:g}: must be {relation} {high} = {larger:g}")
    return found


def value_findings(path: str, value: Any) -> list[str]:
    """What is wrong with one value, for itself; at most one line, also for an array."""
    field = FIELDS[path]
    numbers = np.atleast_1d(np.asarray(value, dtype=float))
    bad = ~((numbers >= field.minimum) & (numbers <= field.maximum))
    if not bad.any():
        return []
    place = np.unravel_index(int(np.argmax(bad)), numbers.shape)
    name = path + ("".join(f"[{index}]" for index in place) if field.shape else "")
    unit = "" if field.unit == "1" else f" {field.unit}"
    return [f"{name} = {numbers[place]:g}: allowed is {field.minimum:g} to {field.maximum:g}{unit}"]
