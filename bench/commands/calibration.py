"""``e4hil calibration``: show, compare, write and convert calibrations of the controller."""

import fnmatch
import json as json_module
from pathlib import Path
from typing import Any

from bench.calibrating import calibration_of
from bench.commands.console import output, progress
from bench.rows import format_value
from bench.vehicles import load_vehicle
from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from hil.calibration.changes import Change, differences, plain
from hil.calibration.files import READERS, read_file, write_file
from hil.calibration.table import AXES, FIELDS, VERSION, Axis, FixedAxis, axis_labels
from hil.errors import UsageError
from hil.files import write_text
from hil.toml_files import closest
from hil.xcp.a2l import generate_a2l
from hil.xcp.identity import EPK

DEFAULT = "default"


def show(pattern: str, calibration: Path | None, vehicle: str, json: bool) -> None:
    """Show the values that match."""
    values = _calibration(calibration, vehicle)
    paths = _matching(pattern)
    if json:
        told = [_told(path, values) for path in paths]
        print(json_module.dumps({"version": VERSION, "values": told}, indent=2, ensure_ascii=False))
    elif len(paths) == 1 and FIELDS[paths[0]].shape:
        _print_array(paths[0], values)
    else:
        _print_values(paths, values)


def diff(a: str, b: str, vehicle: str, json: bool) -> int:
    """Show in which values two calibrations differ; returns how many they are."""
    changes = differences(_named(a, vehicle), _named(b, vehicle))
    if json:
        told = [
            {"path": change.path, "unit": FIELDS[change.path].unit, "a": change.before, "b": change.after} for change in changes
        ]
        print(json_module.dumps({"a": a, "b": b, "differences": told}, indent=2, ensure_ascii=False))
    elif changes:
        _print_changes(a, b, changes)
    else:
        output().print(f"{a} and {b} are the same", markup=False)
    return len(changes)


def export(file: Path, calibration: Path | None, vehicle: str, changes: bool) -> None:
    """Write a calibration, or what differs from the vehicle's; or the A2L."""
    if file.suffix.lower() == ".a2l":
        if calibration or changes:
            raise UsageError(f"{file}: an A2L holds no values: --calibration and --changes are for .toml and .cdfx")
        write_text(file, generate_a2l())
        progress().print(f"A2L: {file}, of build {EPK.decode()}", markup=False)
        return
    values = _calibration(calibration, vehicle)
    write_file(file, values, base=_calibration(None, vehicle) if changes else None)
    progress().print(f"calibration: {file}", markup=False)


def import_(file: Path, out: Path, vehicle: str) -> None:
    """Write what fits of a file as a calibration of this version."""
    calibration, told = read_file(file).adapted_to(_calibration(None, vehicle))
    write_file(out, calibration)
    for line in told:
        progress().print(line, markup=False, soft_wrap=True)
    progress().print(f"calibration: {out}", markup=False)


def _calibration(file: Path | None, vehicle: str) -> Any:
    """The vehicle's calibration, under what the file holds."""
    own = calibration_of(load_vehicle(vehicle))
    return read_file(file).on(own) if file else own


def _named(name: str, vehicle: str) -> Any:
    """The calibration of a file, a vehicle, or the table's own. Raises UsageError."""
    if name == DEFAULT:
        return new(Calibration)
    if Path(name).suffix.lower() in READERS:
        return _calibration(Path(name), vehicle)
    return calibration_of(load_vehicle(name))


def _matching(pattern: str) -> list[str]:
    """The paths that a pattern means; all of an empty one. Raises UsageError if there is none."""
    wanted = pattern if any(mark in pattern for mark in "*?[") else f"*{pattern}*"
    paths = [pattern] if pattern in FIELDS else fnmatch.filter(FIELDS, wanted)
    if not paths:
        raise UsageError(f'no calibration value is called "{pattern}"{closest(pattern, FIELDS)}')
    return paths


def _told(path: str, values: Any) -> dict[str, Any]:
    field = FIELDS[path]
    return {
        "path": path, "value": plain(values, path), "unit": field.unit, "minimum": field.minimum, "maximum": field.maximum,
        "description": field.description,
    }  # fmt: skip


def _cell(value: Any) -> str:
    """A value as people read it; of an array its size and range."""
    if not isinstance(value, list):
        return f"{value:g}"
    rows = value if isinstance(value[0], list) else [value]
    numbers = [number for row in rows for number in row]
    size = f"{len(rows)} x {len(rows[0])}" if rows is value else f"{len(numbers)}"
    return f"{size}: {min(numbers):g} … {max(numbers):g}"


def _table(title: str, *columns: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(escape(column), justify="right" if column in ("value", "limits") else "left", overflow="fold")
    return table


def _print_values(paths: list[str], values: Any) -> None:
    table = _table(f"calibration, version {VERSION}", "path", "value", "unit", "limits", "meaning")
    for path in paths:
        field = FIELDS[path]
        unit = "" if field.unit == "1" else field.unit
        table.add_row(path, _cell(plain(values, path)), unit, f"{field.minimum:g} … {field.maximum:g}", field.description)
    output().print(table)


def _print_array(path: str, values: Any) -> None:
    """A curve or map with its axes."""
    field = FIELDS[path]
    title = f"{path} [{field.unit}], {field.minimum:g} … {field.maximum:g}: {field.description}"
    rows = plain(values, path)
    if not isinstance(rows[0], list):
        rows = [rows]
    axes = AXES.get(path, ())
    columns = axis_labels(axes[-1], len(rows[0]), values) if axes else [str(k) for k in range(len(rows[0]))]
    lines = axis_labels(axes[0], len(rows), values) if len(axes) > 1 else [""]
    table = _table(title, "", *columns)
    for line, row in zip(lines, rows, strict=True):
        table.add_row(line, *(format_value(float(number)) for number in row))
    console = output()
    console.print(table)
    for name, axis in zip(("rows", "columns")[2 - len(axes) :], axes, strict=True):
        console.print(f"{name}: {_axis_title(axis)}", style="dim", markup=False)


def _axis_title(axis: Axis) -> str:
    if isinstance(axis, FixedAxis):
        return axis.title + ("" if axis.unit == "1" else f" [{axis.unit}]")
    unit = FIELDS[axis].unit
    return f"{axis}" + ("" if unit == "1" else f" [{unit}]")


def _print_changes(a: str, b: str, changes: list[Change]) -> None:
    table = _table("differences", "path", a, b, "unit")
    for change in changes:
        unit = FIELDS[change.path].unit
        for name, before, after in _places(change):
            table.add_row(name, f"{before:.10g}", f"{after:.10g}", "" if unit == "1" else unit)
    output().print(table)


def _places(change: Change) -> list[tuple[str, float, float]]:
    """The numbers that differ; of arrays each with its place."""
    places = [(change.path, change.before, change.after)]
    while isinstance(places[0][1], list):
        places = [
            (f"{name}[{k}]", x, y)
            for name, before, after in places
            for k, (x, y) in enumerate(zip(before, after, strict=True))
            if x != y
        ]
    return places
