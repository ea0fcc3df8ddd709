"""Calibration files: values of the controller's table by their dotted paths, as TOML. What is not in the file stays as it was.

[yaw_control]
gain = 45e3
understeer_share = [1.0, 0.8, 1.0, 1.3]
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench.vehicles import Vehicle
from firmware_model.calibration import Calibration
from firmware_model.kernel import Field, Record
from firmware_model.kernel.records import locate
from hil import toml_files
from hil.errors import UsageError
from hil.files import write_text

TABLE = cast(Record, Calibration)
FIELDS: dict[str, Field] = dict(TABLE.fields())
AXES = "_points"  # fields of such names are the axes of maps and curves, and rise

Values = Mapping[str, Any]  # by dotted path: a number, or nested lists of the shape of its field


def read_calibration(path: Path) -> dict[str, Any]:
    """The values of a calibration file, each checked against the table.

    Raises UsageError, which lists all that is wrong with the file.
    """
    values = dict(flatten(toml_files.read(path)))
    wrong = [problem for key, value in values.items() if (problem := problem_of(key, value))]
    if wrong:
        raise UsageError(f"{path}: {len(wrong)} wrong: {'; '.join(wrong)}")
    return values


def flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables with their dotted paths."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def problem_of(path: str, value: Any) -> str:
    """What is wrong with a ``value`` for a dotted ``path``; empty if nothing is."""
    field = FIELDS.get(path)
    if field is None:
        return f"{path}: no such calibration value{toml_files.closest(path, FIELDS)}"
    try:
        given = np.asarray(value)
    except ValueError:
        given = np.asarray("ragged")
    kinds = "iu" if field.dtype == "i8" else "iuf"
    if given.dtype.kind not in kinds or given.shape != field.shape:
        return f"{path}: {expected(field)} was expected, got {value!r}"
    inside = np.isfinite(given) & (given >= field.minimum) & (given <= field.maximum)
    if not inside.all():
        found = np.atleast_1d(given)[~np.atleast_1d(inside)][0]
        return f"{path}: {field.minimum:g} to {field.maximum:g} {field.unit} was expected, got {found:g}"
    if path.endswith(AXES) and np.any(np.diff(given) <= 0.0):
        return f"{path}: rising values were expected, got {value!r}"
    return ""


def expected(field: Field) -> str:
    """What a value has to be, in words."""
    kind = "whole number" if field.dtype == "i8" else "number"
    if not field.shape:
        return f"a {kind}"
    return f"{' lists of '.join(str(size) for size in field.shape)} {kind}s"


def apply(calibration: Any, values: Values) -> Any:
    """``calibration`` (recarray (1,)) with ``values`` written into it."""
    for path, value in values.items():
        locate(calibration, path)[...] = value
    return calibration


def with_calibration(vehicle: Vehicle, path: Path | None) -> Vehicle:
    """The ``vehicle`` whose controller has the values of a calibration file, too. Raises UsageError, as read_calibration."""
    return vehicle if path is None else replace(vehicle, calibration={**vehicle.calibration, **read_calibration(path)})


def write_calibration(path: Path, values: Values, comments: tuple[str, ...] = ()) -> None:
    """Write ``values`` to a calibration file, with ``comments`` above and each value's unit and meaning beside it.

    A file that is read again gives the same values to the bit. Raises UsageError if it cannot be written.
    """
    lines = [f"# {comment}" for comment in comments]
    block = ""
    for name in sorted(values, key=list(FIELDS).index):
        table, _, key = name.rpartition(".")
        if table != block:
            lines += ["", f"[{table}]"]
            block = table
        field = FIELDS[name]
        lines.append(f"{key} = {as_toml(values[name], field)}  # [{field.unit}] {field.description}")
    write_text(path, "\n".join(lines).lstrip("\n") + "\n")


def as_toml(value: Any, field: Field) -> str:
    """A number or nested lists of numbers as TOML, with all digits."""
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(as_toml(each, field) for each in value)}]"
    if field.dtype == "i8":
        return str(int(value))
    return repr(float(value)) if math.isfinite(value) else "nan"
