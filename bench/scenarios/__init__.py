"""Scenarios: manoeuvres as TOML, what driver and road do over time.

``docs/scenarios.md`` teaches the form. A stimulus may stand in the file or in a CSV beside it, with the same column names.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.nodes import road as patches
from bench.nodes import stimulus as columns
from firmware_model.signals import DriveMode, Gear
from hil import toml_files
from hil.csv_files import read_number, read_rows
from hil.errors import UsageError

FOLDER = Path(__file__).parent
GEARS = {"P": Gear.PARK, "R": Gear.REVERSE, "N": Gear.NEUTRAL, "D": Gear.DRIVE, "B": Gear.BRAKE}

# column in a file -> (column of the table, factor to SI, value where the file has no such column)
COLUMNS: dict[str, tuple[int, float, float]] = {
    "time": (columns.TIME, 1.0, math.nan),
    "accelerator": (columns.ACCELERATOR, 1.0, math.nan),
    "brake": (columns.BRAKE, 1.0, math.nan),
    "steering_deg": (columns.STEERING, math.pi / 180.0, math.nan),
    "speed_kmh": (columns.SPEED, 1.0 / 3.6, math.nan),
    "gear": (columns.GEAR, 1.0, float(Gear.DRIVE)),
    "grade_percent": (columns.GRADE, 0.01, 0.0),
    "friction": (columns.FRICTION_LEFT, 1.0, 1.0),
    "friction_right": (columns.FRICTION_RIGHT, 1.0, math.nan),
    "headwind_kmh": (columns.HEADWIND, 1.0 / 3.6, 0.0),
    "crosswind_kmh": (columns.CROSSWIND, 1.0 / 3.6, 0.0),
}
# column in a file -> what its values must lie between, in SI
RANGES: dict[str, tuple[float, float]] = {
    "accelerator": (0.0, 1.0),
    "brake": (0.0, 1.0),
    "friction": (0.01, 2.0),
    "grade_percent": (-0.5, 0.5),
    "headwind_kmh": (-60.0, 60.0),
    "crosswind_kmh": (-60.0, 60.0),
}


@dataclass(frozen=True)
class Target:
    """What a figure of a drive must reach."""

    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Scenario:
    """One manoeuvre, ready for the car node."""

    name: str
    title: str
    duration: float  # [s] of the scenario's own time
    start_speed: float  # [m/s]
    state_of_charge: float  # of the pack, at power-on
    temperature: float  # [degC] of the pack
    stimulus: Any  # float64 (n, COLUMNS)
    path: Any  # float64 (n, 2) [m]; one row where no path is followed
    road: Any  # float64 (n, bench.nodes.road.COLUMNS); patches over the road of the stimulus
    targets: dict[str, Target]
    drive_mode: DriveMode = DriveMode.STANDARD
    e_pedal: bool = False


def list_scenarios() -> list[tuple[str, str]]:
    """Name and title of every scenario that comes with the product."""
    return toml_files.titles(FOLDER)


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario by name, by the path of its TOML, or a CSV stimulus by itself.

    Raises UsageError, in one line, that names file, key and what was expected.
    """
    path = toml_files.find("scenario", name_or_path, FOLDER, also=(".csv",))
    if path.suffix == ".csv":
        content: dict[str, Any] = {"title": f"stimulus from {path.name}", "stimulus": {"csv": path.name}}
    else:
        content = toml_files.read(path)
    description = _validate(path, content)
    table = _stimulus(path, description.stimulus)
    road = _road(path, description.road)
    duration = description.duration or float(table[-1, columns.TIME])
    if duration <= 0:
        raise UsageError(f"{path}: duration: more than 0 s was expected, or a stimulus that takes time")
    points = np.array(description.path.points if description.path else [[0.0, 0.0]], dtype=np.float64)
    _check_path(path, points, table)
    return Scenario(
        name=path.stem,
        title=description.title,
        duration=duration,
        start_speed=description.start.speed_kmh / 3.6,
        state_of_charge=description.start.state_of_charge,
        temperature=description.start.temperature,
        drive_mode=DriveMode[description.start.drive_mode.upper()],
        e_pedal=description.start.e_pedal,
        stimulus=table,
        path=points,
        road=road,
        targets={name: Target(target.minimum, target.maximum) for name, target in description.targets.items()},
    )


def _validate(path: Path, content: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from bench.scenarios.description import ScenarioDescription

    try:
        return ScenarioDescription.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {toml_files.first_error(error)}") from error


def _stimulus(path: Path, description: Any) -> Any:
    """The stimulus table of a scenario, from its columns or from a CSV beside it."""
    given = {name: values for name, values in description.model_dump().items() if values is not None}
    where = f"{path}: stimulus"
    if "csv" in given:
        if len(given) > 1:
            raise UsageError(f"{where}: either csv or columns were expected, not both")
        where = str(path.parent / given["csv"])
        given = _read_csv(path.parent / given["csv"])
    return stimulus_table(given, where)


def stimulus_table(given: Mapping[str, Sequence[Any]], where: str = "stimulus") -> Any:
    """The table of :mod:`bench.nodes.stimulus` from columns named and measured as in a file. Raises UsageError."""
    if "time" not in given:
        raise UsageError(f"{where}: the column time [s] is missing")
    length = len(given["time"])
    table = np.empty((length, columns.COLUMNS))
    for name, (column, factor, default) in COLUMNS.items():
        values = list(given.get(name, [default] * length))
        if len(values) != length:
            raise UsageError(f"{where}: {name} has {len(values)} values, time has {length}; the same number was expected")
        if name == "gear":
            values = [_gear(where, value) for value in values]
        table[:, column] = np.array(values, dtype=np.float64) * factor
    right = table[:, columns.FRICTION_RIGHT]
    table[:, columns.FRICTION_RIGHT] = np.where(np.isnan(right), table[:, columns.FRICTION_LEFT], right)
    _check_stimulus(where, table)
    return table


def _road(path: Path, descriptions: Sequence[Any]) -> Any:
    """The table of :mod:`bench.nodes.road` from the ``[[road]]`` blocks of a scenario."""
    for number, description in enumerate(descriptions, start=1):
        where = f"{path}: road patch {number}"
        for axis in ("x", "y"):
            ends = getattr(description, axis)
            if ends is not None and ends[0] >= ends[1]:
                raise UsageError(f"{where}: {axis}: the lower end first was expected, got {list(ends)}")
        if description.friction is None and description.grade_percent is None:
            raise UsageError(f"{where}: friction, grade_percent or both were expected")
    return road_table(
        patch(x=each.x, y=each.y, friction=each.friction, grade_percent=each.grade_percent, squares=each.squares)
        for each in descriptions
    )


def patch(
    *,
    x: tuple[float, float] | None = None,
    y: tuple[float, float] | None = None,
    friction: float | None = None,
    grade_percent: float | None = None,
    squares: float | None = None,
) -> tuple[float, ...]:
    """One patch of road from x to x and y to y [m], without ends where none are given; what is left out stays as below it.

    With ``squares`` [m] it lies on every other square of a checkerboard.
    """
    whole = (-math.inf, math.inf)
    slope = math.nan if grade_percent is None else 0.01 * grade_percent
    values = (math.nan if value is None else value for value in (friction, slope, squares))
    return (*(x or whole), *(y or whole), *values)


def road_table(rows: Iterable[tuple[float, ...]]) -> Any:
    """The table of :mod:`bench.nodes.road` from its patches, of which later ones lie over earlier ones."""
    return np.array(list(rows), dtype=np.float64).reshape(-1, patches.COLUMNS)


def _read_csv(path: Path) -> dict[str, list[Any]]:
    """The columns of a CSV with a header of column names."""
    names, rows = read_rows(path, COLUMNS)
    result: dict[str, list[Any]] = {name: [] for name in names}
    for number, row in rows:
        for name, cell in zip(names, row, strict=True):
            result[name].append(cell.strip() if name == "gear" else _number(path, number, name, cell))
    return result


def _number(path: Path, line: int, name: str, cell: str) -> float:
    return read_number(path, line, name, cell) if cell.strip() else math.nan


def _gear(where: str, value: Any) -> float:
    if isinstance(value, str) and value in GEARS:
        return float(GEARS[value])
    if isinstance(value, float):
        return value
    raise UsageError(f"{where}: gear: one of {', '.join(GEARS)} was expected, got {value!r}")


def _check_stimulus(where: str, table: Any) -> None:
    time = table[:, columns.TIME]
    if not np.all(np.isfinite(time)) or np.any(np.diff(time) < 0):
        raise UsageError(f"{where}: time: finite values that never fall were expected")
    for name, (low, high) in RANGES.items():
        values = table[:, COLUMNS[name][0]]
        wrong = (values < low) | (values > high)
        if wrong.any():
            number = int(np.argmax(wrong))
            factor = COLUMNS[name][1]
            raise UsageError(
                f"{where}: {name}: {low / factor:g} to {high / factor:g} was expected, "
                f"value {number + 1} is {values[number] / factor:g}"
            )
    pedals = np.isnan(table[:, columns.ACCELERATOR]) & np.isnan(table[:, columns.BRAKE])
    if np.any(pedals & np.isnan(table[:, columns.SPEED])):
        raise UsageError(f"{where}: accelerator or brake, or else speed_kmh, was expected at every time")


def _check_path(path: Path, points: Any, table: Any) -> None:
    follows = np.isnan(table[:, columns.STEERING]).any()
    if follows and len(points) > 1 and np.any(np.diff(points[:, 0]) <= 0):
        raise UsageError(f"{path}: path.points: x that always rises was expected")
