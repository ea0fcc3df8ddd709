"""Where cycles come from: packages that ship the regulations' traces, or a file of the user's own."""

import csv
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.cycles.trace import EPA, KMH, MPH, WLTP, Cycle
from hil.errors import UsageError
from hil.files import read_text
from hil.toml_files import closest

EXTRA = "cycles are in an extra: pip install 'e4orce-hil[cycles]'; or give the path of a CSV with columns time and speed_kmh"
WLTC_HIGH_END = 1477.0  # [s] end of the high phase of the WLTC, class 3

# heading of a column -> what is in it, and its factor to SI
OWN_HEADINGS = {
    "time": ("time", 1.0),
    "speed_kmh": ("speed", KMH),
    "speed_ms": ("speed", 1.0),
    "speed_mph": ("speed", MPH),
    "grade_percent": ("grade", 0.01),
}
# ... and as FASTSim's files have them
HEADINGS = {
    **OWN_HEADINGS,
    "cycsecs": ("time", 1.0),
    "cycmps": ("speed", 1.0),
    "cycgrade": ("grade", 1.0),
    "time_seconds": ("time", 1.0),
    "speed_meters_per_second": ("speed", 1.0),
    "grade": ("grade", 1.0),
}
IGNORED = ("cycroadtype", "road_type")
MOST_SPEED = 100.0  # [m/s]
MOST_GRADE = 0.5


@dataclass(frozen=True)
class Source:
    """A cycle of a package."""

    title: str
    package: str
    read: Callable[[str], Cycle]


def list_cycles() -> list[tuple[str, str]]:
    """Names and titles of the cycles that packages ship."""
    return [(name, source.title) for name, source in SOURCES.items()]


def load_cycle(name_or_path: str) -> Cycle:
    """The cycle of that name, or of that CSV file. Raises UsageError, in one line."""
    if name_or_path in SOURCES:
        source = SOURCES[name_or_path]
        try:
            return source.read(name_or_path)
        except ImportError as error:
            raise UsageError(
                f'cycle "{name_or_path}" comes with the package {source.package}, which is missing; {EXTRA}'
            ) from error
    path = Path(name_or_path)
    if path.suffix or path.exists():
        return read_csv(path)
    known = ", ".join(SOURCES)
    raise UsageError(
        f'unknown cycle "{name_or_path}"{closest(name_or_path, SOURCES)}; there are: {known}; or give the path of a CSV'
    )


# --- packages -------------------------------------------------------------------------------------------------------------


def _of_fastsim(name: str) -> Cycle:
    """A cycle that FASTSim ships."""
    cycles = importlib.import_module("fastsim").Cycle
    resource = f"{name}.csv"
    if resource not in map(str, cycles.list_resources()):
        raise UsageError(
            f'cycle "{name}": this version of FASTSim does not ship it; give the path of a CSV (EPA publishes the trace)'
        )
    content = cycles.from_resource(resource).to_dict()
    time, speed = (np.array(content[key], dtype=np.float64) for key in ("time_seconds", "speed_meters_per_second"))
    return Cycle(name, SOURCES[name].title, time, speed, np.zeros(len(time)), EPA)


def _wltc(name: str) -> Cycle:
    """The WLTC of class 3b, one value a second from zero on."""
    content = importlib.import_module("wltp.cycles.class3").class_data_b()
    speed = KMH * np.array(content["cycle"], dtype=np.float64)
    return Cycle(name, SOURCES[name].title, np.arange(len(speed), dtype=np.float64), speed, np.zeros(len(speed)), WLTP)


def _wltc_japan(name: str) -> Cycle:
    """The WLTC of class 3b without its extra-high phase, as Japan drives it."""
    return _wltc(name).part(name, SOURCES[name].title, WLTC_HIGH_END)


SOURCES = {
    "udds": Source("UDDS, EPA city", "fastsim", _of_fastsim),
    "hwfet": Source("HWFET, EPA highway", "fastsim", _of_fastsim),
    "us06": Source("US06, EPA aggressive", "fastsim", _of_fastsim),
    "wltc_3b": Source("WLTC class 3b", "wltp", _wltc),
    "wltc_3b_japan": Source("WLTC class 3b, Japan (low, medium, high)", "wltp", _wltc_japan),
}


# --- files ----------------------------------------------------------------------------------------------------------------


def read_csv(path: Path) -> Cycle:
    """A cycle from a CSV with a heading: time [s]; speed_kmh, speed_ms or speed_mph; and perhaps grade_percent.

    Commas, semicolons or tabs part the columns; lines that begin with # are comments. Raises UsageError with the line.
    """
    lines = _lines(path)
    number, text = lines[0]
    separator = max(",;\t", key=text.count)
    headings = [cell.strip().lower() for cell in text.split(separator)]
    columns = _columns(path, number, headings)
    content: dict[str, list[float]] = {quantity: [] for quantity in columns}
    for number, text in lines[1:]:
        cells = next(csv.reader([text], delimiter=separator))
        if len(cells) != len(headings):
            raise UsageError(f"{path}: line {number}: {len(headings)} values were expected, there are {len(cells)}")
        for quantity, (place, factor) in columns.items():
            content[quantity].append(factor * _number(path, number, headings[place], cells[place]))
        _check_line(path, number, content)
    time = np.array(content["time"])
    speed = np.array(content["speed"])
    grade = np.array(content.get("grade", np.zeros(len(time))))
    return Cycle(path.stem, f"cycle from {path.name}", time - time[0], speed, grade, EPA)


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a file that say something, with their numbers."""
    if not path.exists():
        raise UsageError(f"cycle {path}: no such file; give the path of a CSV, or a name: {', '.join(SOURCES)}")
    numbered = [(number, line) for number, line in enumerate(read_text(path).splitlines(), start=1) if line.strip(" \t,;")]
    lines = [(number, line) for number, line in numbered if not line.lstrip().startswith("#")]
    if len(lines) < 3:
        raise UsageError(f"{path}: a heading and at least two lines of values were expected")
    return lines


def _columns(path: Path, number: int, headings: list[str]) -> dict[str, tuple[int, float]]:
    """What is in which column, and its factor to SI."""
    columns: dict[str, tuple[int, float]] = {}
    for place, heading in enumerate(headings):
        if heading in IGNORED:
            continue
        if heading not in HEADINGS:
            raise UsageError(f'{path}: line {number}: unknown column "{heading}"; there are: {", ".join(OWN_HEADINGS)}')
        quantity, factor = HEADINGS[heading]
        if quantity in columns:
            raise UsageError(f'{path}: line {number}: column "{heading}": there is another one with the {quantity}')
        columns[quantity] = (place, factor)
    for quantity, name in (("time", "time [s]"), ("speed", "speed_kmh, speed_ms or speed_mph")):
        if quantity not in columns:
            raise UsageError(f"{path}: line {number}: a column {name} was expected")
    return columns


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f'{path}: line {line}: {name}: a finite number was expected, got "{cell.strip()}"')
    return value


def _check_line(path: Path, line: int, content: dict[str, Any]) -> None:
    """The last value of each quantity must make sense after those before it."""
    time, speed = content["time"], content["speed"][-1]
    if len(time) > 1 and time[-1] <= time[-2]:
        raise UsageError(f"{path}: line {line}: time: a value above {time[-2]:g} s was expected, got {time[-1]:g}")
    if not 0.0 <= speed <= MOST_SPEED:
        raise UsageError(f"{path}: line {line}: speed: 0 to {MOST_SPEED / KMH:g} km/h was expected, got {speed / KMH:g} km/h")
    if "grade" in content and not abs(content["grade"][-1]) <= MOST_GRADE:
        raise UsageError(
            f"{path}: line {line}: grade: -{100 * MOST_GRADE:g} to {100 * MOST_GRADE:g} % was expected, "
            f"got {100 * content['grade'][-1]:g} %"
        )
