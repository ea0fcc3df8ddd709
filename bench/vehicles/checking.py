"""Whether a table of values fits a record: pydantic models made from the record's own declaration."""

import difflib
import itertools
import math
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from firmware_model.kernel import Field, Record
from hil.errors import UsageError

# Points of curves, which have to rise
RISING = ("discharge_energy", "charge_state", "limit_temperature")
LARGEST_UNSPRUNG_SHARE = 0.5  # more is a typing error; the body needs mass on its springs
FASTEST_DRIVELINE = 100.0  # [Hz] an oscillation is stable up to 1/(pi dt): 159 Hz at the largest step of 2 ms


def check(path: Path, content: dict[str, Any], record: Record) -> None:
    """Raise UsageError with the first value of ``content`` (of the file ``path``) that does not fit ``record``."""
    from pydantic import ValidationError  # half a second, which only a start with a vehicle should pay

    try:
        model(record).model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {describe(error.errors(include_url=False)[0], record)}") from None


def check_curves(path: Path, content: dict[str, Any]) -> None:
    """Raise UsageError if a vehicle's ``content``, checked against its record, contradicts itself."""
    battery = content["battery"]
    for key in RISING:
        points = battery[key]
        if any(upper <= lower for lower, upper in itertools.pairwise(points)):
            raise UsageError(f"{path}: battery.{key}: expected rising values, got {points}")
    check_masses(path, content)
    for axle in ("front", "rear"):
        check_axle(path, axle, content[axle])


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
