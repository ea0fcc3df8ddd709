"""Maps: figures of drives over one or two quantities, each point with one drive or with many by chance (Monte Carlo).

What is swept may be a calibration value, a parameter of the car, the pack, or one of the quantities of :mod:`.spread`.
With samples, each point has the mean of its figures and the confidence interval of that mean.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from bench.calibrating import calibration_of
from bench.rows import format_number
from bench.tuning.evaluation import measure, prepared_drive
from bench.tuning.extra import import_extra
from bench.tuning.manoeuvres import Manoeuvre
from bench.tuning.rig import Rig
from bench.tuning.spread import QUANTITIES, Car, Range, car_with, monte_carlo
from bench.tuning.study_file import DriveOf, check_drive, check_figure, check_once, check_spread
from bench.vehicles import Vehicle, load_vehicle, with_pack
from bench.vehicles.reading import PARAMETERS
from hil import toml_files
from hil.calibration.changes import misfit
from hil.calibration.table import FIELDS, RELATED, findings
from hil.errors import UsageError
from hil.files import atomic_path
from hil.network.database import load_network

FOLDER = Path(__file__).parent / "sweeps"
CALIBRATION, VEHICLE = "calibration.", "vehicle."
PARALLEL, CHEMISTRY = "pack.parallel", "pack.chemistry"
CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap
BLOCK = 1_000_000  # numbers drawn at a time
MOST_DRIVES = 1_000_000
POINTS_KEPT = 64  # whose calibrations are kept for their next samples: more than there are threads

Value = float | str


@dataclass(frozen=True)
class Axis:
    """What is swept, by which name in tables, and its values."""

    of: str
    unit: str
    values: tuple[Value, ...]

    @property
    def label(self) -> str:
        """The axis as it is told to people."""
        return f"{self.of} [{self.unit}]" if self.unit not in ("", "1") else self.of


@dataclass(frozen=True)
class Sweep:
    """A sweep with all that its files say."""

    title: str
    description: str
    vehicle: Vehicle
    seed: int
    samples: int
    drives: tuple[DriveOf, ...]
    axes: tuple[Axis, ...]
    figures: tuple[tuple[str, str], ...]  # drive and figure
    spread: Mapping[str, Range]

    @property
    def points(self) -> list[tuple[Value, ...]]:
        """The values of the axes at every point of the map."""
        return list(itertools.product(*(axis.values for axis in self.axes)))

    def vehicle_at(self, point: tuple[Value, ...]) -> Vehicle:
        """The vehicle of one point; quantities that spread are put by their own way."""
        vehicle = self.vehicle
        for axis, value in zip(self.axes, point, strict=True):
            vehicle = put(vehicle, axis.of, value)
        return vehicle

    @property
    def names(self) -> list[str]:
        """The figures as they are called in tables."""
        return [f"{drive}.{figure}" for drive, figure in self.figures]


def load_sweep(name_or_path: str) -> Sweep:
    """The sweep of that name, or of that TOML file. Raises UsageError, which lists all that is wrong with it."""
    from pydantic import ValidationError

    from bench.tuning.description import SweepDescription

    path = toml_files.find("sweep", name_or_path, FOLDER)
    try:
        told = SweepDescription.model_validate(toml_files.read(path))
    except ValidationError as error:
        raise UsageError(f"{path}: {toml_files.all_errors(error)}") from error
    vehicle = load_vehicle(told.vehicle)
    wrong: list[str] = []
    drives = tuple(drive for each in told.drive if (drive := check_drive(each, wrong)))
    check_once([each.name for each in told.drive], "drive", wrong)
    check_once([each.of for each in told.axis], "axis", wrong)
    axes = tuple(Axis(each.of, unit_of(each.of), tuple(each.values)) for each in told.axis)
    for axis in axes:
        check_axis(axis, vehicle, wrong)
    spread = check_spread(told.spread, wrong)
    wrong += [f"spread.{axis.of}: is an axis, too" for axis in axes if axis.of in spread]
    if told.samples > 1 and not spread:
        wrong.append("samples: quantities that spread were expected with more than one")
    manoeuvres = {drive.name: drive.manoeuvre_for(vehicle) for drive in drives}
    for each in told.figure:
        check_figure("figure", each.drive, each.figure, manoeuvres, wrong)
    count = told.samples * math.prod(len(axis.values) for axis in axes) * len(drives)
    if count > MOST_DRIVES:
        wrong.append(f"samples: at most {MOST_DRIVES} drives were expected, got {count}")
    if wrong:
        raise UsageError(f"{path}: {'; '.join(wrong)}")
    figures = tuple((each.drive, each.figure) for each in told.figure)
    sweep = Sweep(told.title, told.description, vehicle, told.seed, told.samples, drives, axes, figures, spread)
    if problem := relations_problem(sweep):
        raise UsageError(f"{path}: {problem}")
    return sweep


def unit_of(of: str) -> str:
    """The unit of what an axis sweeps; empty for what has none or is unknown."""
    if of in QUANTITIES:
        return QUANTITIES[of].unit
    if of.startswith(CALIBRATION) and of.removeprefix(CALIBRATION) in FIELDS:
        return FIELDS[of.removeprefix(CALIBRATION)].unit
    if of.startswith(VEHICLE) and of.removeprefix(VEHICLE) in PLANT_FIELDS:
        return PLANT_FIELDS[of.removeprefix(VEHICLE)].unit
    return ""


PLANT_FIELDS = dict(PARAMETERS.fields())


def check_axis(axis: Axis, vehicle: Vehicle, wrong: list[str]) -> None:
    """Whether there is what an axis sweeps, and whether its values fit."""
    if len(set(axis.values)) < len(axis.values):
        wrong.append(f"axis {axis.of}: every value once was expected")
    for value in axis.values:
        if problem := axis_problem(axis.of, value, vehicle):
            wrong.append(f"axis {axis.of}: {problem}")
            return


def axis_problem(of: str, value: Value, vehicle: Vehicle) -> str:
    """What is wrong with a value of an axis; empty if nothing is."""
    if of in (CHEMISTRY, PARALLEL):
        try:
            put(vehicle, of, value)
        except (UsageError, ValueError) as error:
            return str(error)
        return ""
    if isinstance(value, str):
        return f"a number was expected, got {value!r}"
    if of.startswith(CALIBRATION):
        return "".join(misfit(of.removeprefix(CALIBRATION), value))
    if of.startswith(VEHICLE):
        field = PLANT_FIELDS.get(of.removeprefix(VEHICLE))
        if field is None or field.shape:
            return f"no such number of a vehicle{toml_files.closest(of.removeprefix(VEHICLE), PLANT_FIELDS)}"
        inside = field.minimum <= value <= field.maximum
        return "" if inside else f"{field.minimum:g} to {field.maximum:g} {field.unit} was expected, got {value:g}"
    quantity = QUANTITIES.get(of)
    if quantity is None:
        known = ", ".join(QUANTITIES)
        return f"{CALIBRATION}PATH, {VEHICLE}PATH, {PARALLEL}, {CHEMISTRY} or one of {known} was expected"
    low, high = quantity.range
    return "" if low <= value <= high else f"{low:g} to {high:g} {quantity.unit} was expected, got {value:g}"


def relations_problem(sweep: Sweep) -> str:
    """Where calibration values that are swept contradict others; empty if they do nowhere."""
    if any(axis.of.removeprefix(CALIBRATION) in RELATED for axis in sweep.axes):
        for point in sweep.points:
            if found := findings(calibration_of(sweep.vehicle_at(point))):
                return f"axis {sweep.axes[0].of}: values that fit each other were expected: {found[0]}"
    return ""


def put(vehicle: Vehicle, of: str, value: Value) -> Vehicle:
    """The ``vehicle`` with a value of an axis, as it is if that is a quantity that spreads. Raises UsageError."""
    if of == CHEMISTRY:
        return with_pack(vehicle, chemistry=str(value))
    if of == PARALLEL:
        if isinstance(value, str) or value != int(value):
            raise UsageError(f"a whole number of cells was expected, got {value!r}")
        return with_pack(vehicle, parallel=int(value))
    if of.startswith(CALIBRATION):
        return replace(vehicle, calibration={**vehicle.calibration, of.removeprefix(CALIBRATION): value})
    if of.startswith(VEHICLE):
        *blocks, key = of.removeprefix(VEHICLE).split(".")
        changed = replace(vehicle, parameters=vehicle.parameters.copy())
        block = changed.parameters[0]
        for name in blocks:
            block = block[name]
        block[key] = value
        return changed
    return vehicle


def axis_text(value: Value) -> str:
    """A value of an axis as people read it."""
    return value if isinstance(value, str) else format_number(value)


# --- drives -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One point of the map in one car."""

    point: tuple[Value, ...]
    sample: int
    spread: Mapping[str, float]
    figures: tuple[float, ...]  # NaN where a drive has none


class Driving:
    """Where the drives of a sweep happen."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.network = load_network(sweep.vehicle.network)
        self.samples = monte_carlo(sweep.spread, sweep.samples, sweep.seed)
        self._local = local()
        self._at = lru_cache(maxsize=POINTS_KEPT)(self._point)

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        vehicle = self.sweep.vehicle
        manoeuvre = self.sweep.drives[0].manoeuvre_for(vehicle)
        Rig(self.network).compile(prepared_drive(self.network, Car(vehicle), manoeuvre, 0, calibration_of(vehicle)))

    def lines(self, workers: int | None = None, done: Callable[[], None] = lambda: None) -> Iterator[Line]:
        """All lines of the sweep in the order of its points and samples; ``done`` is called after each."""

        def work(case: tuple[tuple[Value, ...], int]) -> Line:
            line = self._line(*case)
            done()
            return line

        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            yield from pool.map(work, itertools.product(self.sweep.points, range(self.sweep.samples)))

    def _point(self, point: tuple[Value, ...]) -> tuple[Vehicle, Any, dict[str, Manoeuvre]]:
        """What all samples of a point have in common: the vehicle, the calibration for it, and the manoeuvres."""
        vehicle = self.sweep.vehicle_at(point)
        return vehicle, calibration_of(vehicle), {drive.name: drive.manoeuvre_for(vehicle) for drive in self.sweep.drives}

    def _line(self, point: tuple[Value, ...], sample: int) -> Line:
        """All drives of one point in one car; the controller is calibrated for the car of the point, not of the sample."""
        vehicle, calibration, manoeuvres = self._at(point)
        spread = dict(self.samples[sample])
        quantities = {axis.of: float(value) for axis, value in zip(self.sweep.axes, point, strict=True) if axis.of in QUANTITIES}
        car = car_with(vehicle, {**spread, **quantities}, self.sweep.seed + sample)
        if not hasattr(self._local, "rig"):
            self._local.rig = Rig(self.network)
        rig = self._local.rig
        told: dict[str, dict[str, float]] = {}
        for name, manoeuvre in manoeuvres.items():
            keys = [figure for drive, figure in self.sweep.figures if drive == name]
            drives = (prepared_drive(self.network, car, manoeuvre, k, calibration) for k in range(len(manoeuvre.scenarios)))
            told[name] = measure(manoeuvre, [rig.run(drive, calibration).kept() for drive in drives], keys)
        return Line(point, sample, spread, tuple(told[drive][figure] for drive, figure in self.sweep.figures))


# --- results --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """The mean of a figure at a point, the ends of its confidence interval, and the middle 90 % of the cars."""

    mean: float
    low: float
    high: float
    least: float
    most: float
    failed: int  # drives without the figure


def estimates(sweep: Sweep, lines: Sequence[Line]) -> dict[tuple[Value, ...], list[Estimate]]:
    """The estimates of every figure at every point."""
    grouped: dict[tuple[Value, ...], list[Line]] = {point: [] for point in sweep.points}
    for line in lines:
        grouped[line.point].append(line)
    return {
        point: [estimate([line.figures[k] for line in there], sweep.seed) for k in range(len(sweep.figures))]
        for point, there in grouped.items()
    }


def estimate(values: Sequence[float], seed: int) -> Estimate:
    """Mean and its confidence interval by the bootstrap of percentiles (B. Efron, 1979); NaN for none."""
    told = np.array([value for value in values if math.isfinite(value)])
    failed = len(values) - len(told)
    if not len(told):
        return Estimate(math.nan, math.nan, math.nan, math.nan, math.nan, failed)
    mean = float(np.mean(told))
    low = high = mean
    if len(told) > 1:
        generator = np.random.default_rng(seed)
        block = max(1, BLOCK // len(told))
        sizes = [min(block, RESAMPLES - k) for k in range(0, RESAMPLES, block)]
        means = np.concatenate([told[generator.integers(0, len(told), (size, len(told)))].mean(axis=1) for size in sizes])
        low, high = (float(np.quantile(means, share)) for share in (0.5 * (1.0 - CONFIDENCE), 0.5 * (1.0 + CONFIDENCE)))
    least, most = (float(np.quantile(told, share)) for share in (0.05, 0.95))
    return Estimate(mean, low, high, least, most, failed)


def write_parquet(target: Path, sweep: Sweep, lines: Sequence[Line]) -> None:
    """Write one row a point and car: axes, sample, what spread, figures. Raises UsageError if that is not possible."""
    arrow, parquet = import_extra("pyarrow"), import_extra("pyarrow.parquet")
    columns: dict[str, list[Any]] = {axis.of: [line.point[k] for line in lines] for k, axis in enumerate(sweep.axes)}
    columns["sample"] = [line.sample for line in lines]
    columns |= {f"spread.{name}": [line.spread[name] for line in lines] for name in sweep.spread}
    columns |= {name: [line.figures[k] for line in lines] for k, name in enumerate(sweep.names)}
    with atomic_path(target) as temporary:
        parquet.write_table(arrow.table(columns).replace_schema_metadata({"title": sweep.title}), temporary)
