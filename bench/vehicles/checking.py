"""Whether a table of values fits a record: pydantic models made from the record's own declaration."""

import difflib
import itertools
import math
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from firmware_model.kernel import Field, Record
from firmware_model.kernel.math import GRAVITY
from hil.errors import UsageError

# Points of curves, which have to rise
RISING = ("discharge_energy", "charge_state", "limit_temperature")
LARGEST_UNSPRUNG_SHARE = 0.5  # more is a typing error; the body needs mass on its springs
AXLE_MASS_TOLERANCE = 0.01  # scales and rounding
# What cars are, generously, so that a unit that is wrong by 1000 stands out
GYRATION = (0.15, 0.8)  # radius of gyration over wheelbase, or over the track in roll
DRIVING_FORCE = (0.05, 3.0)  # over the weight
ROAD_LOAD_SPEED, ROAD_LOAD = 30.0, (0.005, 0.2)  # [m/s], over the weight
POWER_PER_ENERGY = (0.2, 200.0)  # [1/h] discharged in five hours or in eighteen seconds
LARGEST_LOSS_SHARE = 0.5
FASTEST_DRIVELINE = 100.0  # [Hz] an oscillation is stable up to 1/(pi dt): 159 Hz at the largest step of 2 ms


def check(path: Path, content: dict[str, Any], record: Record) -> None:
    """Raise UsageError with the first value of ``content`` (of the file ``path``) that does not fit ``record``."""
    from pydantic import ValidationError  # half a second, which only a start with a vehicle should pay

    try:
        model(record).model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {describe(error.errors(include_url=False)[0], record)}") from None


def check_axle_masses(path: Path, body: dict[str, Any], masses: Any) -> tuple[float, float]:
    """Front and rear axle's ``masses`` [kg] of a ``body``. Raises UsageError unless they are two that add up to its mass."""
    numbers = [value for value in (body.get("mass"), body.get("wheelbase")) if isinstance(value, int | float)]
    if len(numbers) < 2:
        raise UsageError(f"{path}: body.axle_masses: expected the body's mass and wheelbase beside it, got neither or one")
    if not (isinstance(masses, list) and len(masses) == 2 and all(isinstance(mass, int | float) and mass > 0 for mass in masses)):
        raise UsageError(f"{path}: body.axle_masses: expected the mass on front and rear axle [kg], got {masses!r}")
    mass = numbers[0]
    if abs(sum(masses) - mass) > AXLE_MASS_TOLERANCE * mass:
        raise UsageError(
            f"{path}: body.axle_masses: expected two that add up to the mass of {mass:g} kg within {AXLE_MASS_TOLERANCE:.0%}, "
            f"got {masses[0]:g} + {masses[1]:g} = {sum(masses):g}"
        )
    return masses[0], masses[1]


def check_vehicle(path: Path, content: dict[str, Any]) -> None:
    """Raise UsageError if a vehicle's ``content``, checked against its record, contradicts itself or what cars can be."""
    check_masses(path, content)
    check_inertias(path, content["body"], content["front"]["track"])
    check_force(path, content)
    for axle in ("front", "rear"):
        check_axle(path, axle, content[axle])
        check_motor(path, axle, content[axle], content)
    check_battery(path, content["battery"])


def within(path: Path, key: str, value: float, lowest: float, highest: float, unit: str, told: str) -> None:
    """Raise UsageError unless ``lowest`` <= ``value`` <= ``highest``, all in ``unit``; ``told`` says what the value is."""
    if not lowest <= value <= highest:
        raise UsageError(f"{path}: {key}: expected {told} from {lowest:.4g} to {highest:.4g} {unit}, got {value:.4g}")


def check_inertias(path: Path, body: dict[str, Any], track: float) -> None:
    """Raise UsageError if a radius of gyration is none of a car's: a unit is wrong, or the mass."""
    for key, length in (("yaw_inertia", body["wheelbase"]), ("pitch_inertia", body["wheelbase"]), ("roll_inertia", track)):
        lowest, highest = (body["mass"] * (share * length) ** 2 for share in GYRATION)
        within(path, f"body.{key}", body[key], lowest, highest, "kg m2", f"at {body['mass']:g} kg")


def check_force(path: Path, content: dict[str, Any]) -> None:
    """Raise UsageError if motors or road load move the car as nothing moves one: a unit is wrong."""
    body, radius = content["body"], content["tyre"]["radius"]
    force = sum(
        content[axle]["gear_ratio"] * max(content[axle]["motor"]["envelope_torque"]) / radius for axle in ("front", "rear")
    )
    weakest, strongest = (share * body["mass"] * GRAVITY for share in DRIVING_FORCE)
    within(
        path, "front.motor.envelope_torque, rear.motor.envelope_torque", force, weakest, strongest, "N",
        "both axles' peak torque over the wheels' radius",
    )  # fmt: skip
    load = body["road_load_0"] + ROAD_LOAD_SPEED * (body["road_load_1"] + ROAD_LOAD_SPEED * body["road_load_2"])
    lowest, highest = (share * body["mass"] * GRAVITY for share in ROAD_LOAD)
    within(path, "body.road_load_0, _1, _2", load, lowest, highest, "N", f"a road load at {ROAD_LOAD_SPEED:g} m/s")
    carried = 0.25 * body["mass"] * GRAVITY
    within(
        path,
        "tyre.nominal_load",
        content["tyre"]["nominal_load"],
        0.5 * carried,
        2.0 * carried,
        "N",
        "about a quarter of the car:",
    )


def check_battery(path: Path, battery: dict[str, Any]) -> None:
    """Raise UsageError if the pack's curves do not rise, or its power is none of a pack of its energy."""
    for key in RISING:
        points = battery[key]
        if any(upper <= lower for lower, upper in itertools.pairwise(points)):
            raise UsageError(f"{path}: battery.{key}: expected rising values, got {points}")
    check_cell(path, battery["cell"])
    cell = battery["cell"]
    energy = battery["series"] * battery["parallel"] * cell["capacity"] * cell["nominal_voltage"]
    lowest, highest = (rate / 3600.0 * energy for rate in POWER_PER_ENERGY)
    told = f"with cells of {energy / 3.6e6:.4g} kWh"
    within(path, "battery.discharge_power_rated", battery["discharge_power_rated"], lowest, highest, "W", told)
    within(path, "battery.charge_power", max(battery["charge_power"]), 0.0, highest, "W", told)


def check_cell(path: Path, cell: dict[str, Any]) -> None:
    """Raise UsageError if the open-circuit voltage falls with charge, or contradicts the cell's other voltages."""
    curve = cell["open_circuit_voltage"]
    for i, (lower, upper) in enumerate(itertools.pairwise(curve)):
        if upper < lower:
            raise UsageError(
                f"{path}: battery.cell.open_circuit_voltage[{i + 1}]: expected a voltage that never falls with charge, at least "
                f"{lower:g} V, got {upper:g}"
            )
    within(path, "battery.cell.nominal_voltage", cell["nominal_voltage"], curve[0], curve[-1], "V", "a voltage of the rest curve")
    within(
        path, "battery.cell.voltage_max", cell["voltage_max"], cell["nominal_voltage"], 5.0, "V", "more than the nominal voltage:"
    )  # fmt: skip
    within(
        path, "battery.cell.voltage_min", cell["voltage_min"], 1.0, cell["nominal_voltage"], "V", "less than the nominal voltage:"
    )


def check_motor(path: Path, name: str, axle: dict[str, Any], content: dict[str, Any]) -> None:
    """Raise UsageError if a motor's envelope, losses, temperatures and pack contradict each other."""
    motor, key = axle["motor"], f"{name}.motor"
    for lump in ("winding", "rotor", "inverter"):
        start, end = motor[lump]["temperature_start"], motor[lump]["temperature_end"]
        if end <= start:
            raise UsageError(
                f"{path}: {key}.{lump}.temperature_end: expected more than temperature_start of {start:g} degC, got {end:g}"
            )
    torques = motor["envelope_torque"]
    if max(torques) == 0.0:
        return
    if torques[-1] != 0.0:
        raise UsageError(
            f"{path}: {key}.envelope_torque[{len(torques) - 1}]: expected 0, for an envelope has an end, got {torques[-1]:g}"
        )
    if motor["rotor_inertia"] == 0.0:
        raise UsageError(f"{path}: {key}.rotor_inertia: expected more than 0 of a motor with torque, got 0")
    speed = content["control"]["top_speed"] / content["tyre"]["radius"] * axle["gear_ratio"]
    ends = motor["envelope_speed_step"] * max(i + 1 for i, torque in enumerate(torques) if torque > 0.0)
    within(path, "control.top_speed", speed, 0.0, ends, "rad/s", f"a speed of the {name} motor")
    battery = content["battery"]
    full = battery["series"] * battery["cell"]["open_circuit_voltage"][-1]
    within(
        path,
        f"{key}.envelope_voltage",
        motor["envelope_voltage"],
        0.4 * full,
        1.5 * full,
        "V",
        f"with a full pack of {full:.0f} V",
    )
    check_losses(path, key, motor)


def check_losses(path: Path, key: str, motor: dict[str, Any]) -> None:
    """Raise UsageError if a motor loses more than it gives at its highest power, or a wound rotor needs no current."""
    if motor["excited"]:
        for needed in ("loss_excitation", "loss_torque"):
            if motor[needed] == 0.0:
                raise UsageError(f"{path}: {key}.{needed}: expected more than 0 of a wound rotor (excited = 1), got 0")
    points = [(torque, i * motor["envelope_speed_step"]) for i, torque in enumerate(motor["envelope_torque"])]
    torque, omega = max(points, key=lambda point: point[0] * point[1])
    lost = motor["loss_constant"] + motor["loss_excitation"] + motor["loss_speed"] * omega**2
    lost += torque**2 * (motor["loss_torque"] + motor["loss_weakening"] * omega**2)
    share = lost / (torque * omega)
    within(
        path,
        f"{key}.loss_*",
        share,
        0.0,
        LARGEST_LOSS_SHARE,
        "of it",
        f"at the highest power, {torque * omega * 1e-3:.4g} kW, a loss",
    )


def check_masses(path: Path, content: dict[str, Any]) -> None:
    """Raise UsageError if the centre of gravity is not between the axles, or the wheels outweigh what they carry."""
    body = content["body"]
    if body["front_axle_distance"] >= body["wheelbase"]:
        got = body["front_axle_distance"]
        raise UsageError(
            f"{path}: body.front_axle_distance: expected less than the wheelbase of {body['wheelbase']} m, got {got}"
        )
    on_rear = body["mass"] * body["front_axle_distance"] / body["wheelbase"]
    for axle, carried in (("front", body["mass"] - on_rear), ("rear", on_rear)):
        unsprung = content[axle]["suspension"]["unsprung_mass"]
        if unsprung > LARGEST_UNSPRUNG_SHARE * carried:
            raise UsageError(
                f"{path}: {axle}.suspension.unsprung_mass: expected at most {LARGEST_UNSPRUNG_SHARE:.0%} of the {carried:.0f} kg "
                f"on that axle, got {unsprung}"
            )


def check_axle(path: Path, name: str, axle: dict[str, Any]) -> None:
    """Raise UsageError if an axle's links contradict each other, or its driveline is too stiff for the steps of the bench."""
    links = axle["suspension"]
    if links["brake_support"] < links["drive_support"]:
        raise UsageError(
            f"{path}: {name}.suspension.brake_support: expected at least the drive_support of {links['drive_support']}, for the "
            f"contact patch is below the wheel's centre, got {links['brake_support']}"
        )
    rotor, wheels = axle["motor"]["rotor_inertia"] * axle["gear_ratio"] ** 2, 2.0 * axle["wheel_inertia"]
    if rotor == 0.0:
        return
    frequency = math.sqrt(axle["shaft_stiffness"] * (1.0 / rotor + 1.0 / wheels)) / (2.0 * math.pi)
    if frequency > FASTEST_DRIVELINE:
        raise UsageError(
            f"{path}: {name}.shaft_stiffness: expected a driveline slower than {FASTEST_DRIVELINE:g} Hz with its wheels free, "
            f"got {frequency:.0f} Hz; a softer shaft or a heavier rotor"
        )


@cache
def model(record: Record) -> Any:
    """The pydantic model of a record: every field required, in its limits, nothing else allowed."""
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {
        key: (annotation(member) if isinstance(member, Field) else model(member), ...) for key, member in record.members.items()
    }
    return create_model(record.name, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def annotation(field: Field) -> Any:
    """The type of one field, with its limits and its number of points."""
    from pydantic import Field as Limits
    from pydantic import FiniteFloat

    limits = Limits(ge=field.minimum, le=field.maximum)
    scalar: Any = Annotated[int, limits] if field.dtype == "i8" else Annotated[FiniteFloat, limits]
    if not field.shape:
        return scalar
    return Annotated[list[scalar], Limits(min_length=field.shape[0], max_length=field.shape[0])]


def describe(error: Any, record: Record) -> str:
    """One of pydantic's errors as: key, what was expected, what was found."""
    keys = [key for key in error["loc"] if isinstance(key, str)]
    path = ".".join(keys)
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(keys[-1], block(record, keys[:-1]).members, n=1)
        return f"{path}: unknown key{f', did you mean {close[0]}?' if close else ''}"
    member = block(record, keys[:-1]).members[keys[-1]]
    found = "nothing" if error["type"] == "missing" else shorten(error["input"])
    where = "".join(f"[{key}]" for key in error["loc"] if isinstance(key, int))
    return f"{path}{where}: expected {expectation(member)}, got {found}"


def block(record: Record, keys: list[str]) -> Record:
    """The record at the end of the way ``keys``."""
    for key in keys:
        member = record.members[key]
        assert isinstance(member, Record)
        record = member
    return record


def expectation(member: Field | Record) -> str:
    """What a value has to be, in words."""
    if isinstance(member, Record):
        return "a table"
    kind = "whole number" if member.dtype == "i8" else "number"
    limits = f"from {member.minimum:g} to {member.maximum:g} [{member.unit}]"
    if member.shape:
        return f"a list of {member.shape[0]} {kind}s {limits}"
    return f"a {kind} {limits}"


def shorten(value: Any) -> str:
    """A value as it stands in a message: a long list by its length."""
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)
