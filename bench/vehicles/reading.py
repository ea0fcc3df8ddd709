"""From a vehicle's TOML file to a complete and checked table of its values."""

from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from bench.plant import battery, car, motor
from bench.vehicles.checking import check, check_axle_masses, check_vehicle
from bench.vehicles.files import CALIBRATIONS, COMPONENTS, VEHICLES
from firmware_model.kernel import Record
from hil.calibration.files import read_file
from hil.errors import UsageError
from hil.toml_files import find, names, read

# The decorator turns these classes into records, which mypy does not see.
PARAMETERS = cast(Record, car.Parameters)
CELL = cast(Record, battery.CellParameters)
MOTOR = cast(Record, motor.MotorParameters)
DEFAULT_NETWORK = "leaf_ze1"


class Header(NamedTuple):
    """What a vehicle's file says beside its parameters."""

    title: str
    description: str
    network: str
    calibration: Path | None  # the file of the controller's values for this car


def read_vehicle(path: Path, above: tuple[Path, ...] = ()) -> tuple[Header, dict[str, Any]]:
    """Header and complete content of a vehicle's file; ``above`` are the files that rest on it. Raises UsageError."""
    own = read(path)
    network, calibration = DEFAULT_NETWORK, None
    below: dict[str, Any] = {}
    base = pop_text(path, own, "base", "")
    if base:
        base_header, below = read_vehicle(find_base(path, base, VEHICLES, "vehicle", above), (*above, path))
        network, calibration = base_header.network, base_header.calibration
    if "calibration" in own:
        calibration = find_calibration(path, pop_text(path, own, "calibration", ""))
    header = Header(
        title=pop_text(path, own, "title", path.stem), description=pop_text(path, own, "description", ""),
        network=pop_text(path, own, "network", network), calibration=calibration,
    )  # fmt: skip
    content = place_centre(path, complete(path, own, below, PARAMETERS))
    check(path, content, PARAMETERS)
    check_vehicle(path, content)
    return header, content


def place_centre(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with the centre of gravity where a body weighed as ``axle_masses`` (front, rear) [kg] has it."""
    body = content.get("body")
    if not isinstance(body, dict) or "axle_masses" not in body:
        return content
    body = dict(body)
    front, rear = check_axle_masses(path, body, body.pop("axle_masses"))
    body["front_axle_distance"] = body["wheelbase"] * rear / (front + rear)
    return {**content, "body": body}


def read_component(path: Path, kind: str, record: Record, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Complete content of a component's file, a block ``record`` of that kind. Raises UsageError."""
    own = read(path)
    below: dict[str, Any] = {}
    base = pop_text(path, own, "base", "")
    if base:
        below = read_component(find_base(path, base, COMPONENTS[kind], kind, above), kind, record, (*above, path))
    content = complete(path, own, below, record)
    check(path, content, record)
    return content


def find_base(path: Path, base: str, folder: Path, kind: str, above: tuple[Path, ...]) -> Path:
    """The file that ``path`` rests on. Raises UsageError if it is unknown, or rests on ``path`` itself."""
    found = find(kind, base, folder, beside=path.parent)
    if found.resolve() in [each.resolve() for each in (*above, path)]:
        raise UsageError(f"{path}: base: expected another {kind}, got {base!r}, which rests on this one")
    return found


def find_calibration(path: Path, name: str) -> Path | None:
    """The calibration file that the vehicle's file ``path`` names; none if it wants none. Raises UsageError."""
    return find("calibration", name, CALIBRATIONS, beside=path.parent, also=(".cdfx",)) if name else None


def read_calibration(path: Path | None) -> dict[str, Any]:
    """The values of a calibration file by their paths; none if there is none. Raises CalibrationError."""
    return read_file(path).checked() if path else {}


def pop_text(path: Path, content: dict[str, Any], key: str, default: str) -> str:
    """Take a text out of ``content``. Raises UsageError if it is something else."""
    value = content.pop(key, default)
    if not isinstance(value, str):
        raise UsageError(f"{path}: {key}: expected a text, got {value!r}")
    return value


def complete(path: Path, own: dict[str, Any], below: dict[str, Any], record: Record) -> dict[str, Any]:
    """The values ``own`` over those ``below``, block by block, with named components in their places."""
    content = dict(below)
    for key, value in own.items():
        member = record.members.get(key)
        if isinstance(member, Record):
            content[key] = complete_block(path, key, value, below.get(key, {}), member)
        else:
            content[key] = value
    return content


def complete_block(path: Path, key: str, own: Any, below: dict[str, Any], record: Record) -> dict[str, Any]:
    """One block: a table over the one ``below`` or over its own base, or the name of a component."""
    if key in COMPONENTS and isinstance(own, str):
        return read_component(find(key, own, COMPONENTS[key], beside=path.parent), key, record)
    if not isinstance(own, dict):
        wanted = f"a table or one of: {', '.join(names(COMPONENTS[key]))}" if key in COMPONENTS else "a table"
        raise UsageError(f"{path}: {key}: expected {wanted}, got {own!r}")
    own = dict(own)
    if key in COMPONENTS and "base" in own:
        base = pop_text(path, own, "base", "")
        below = read_component(find(key, base, COMPONENTS[key], beside=path.parent), key, record)
    return complete(path, own, below, record)


def fill(block: Any, content: dict[str, Any]) -> None:
    """Write checked ``content`` into a record array of the same structure."""
    for key, value in content.items():
        if isinstance(value, dict):
            fill(block[key], value)
        else:
            block[key] = np.asarray(value)
