"""Studies as TOML: what is searched, what is driven, what is wanted. Everything is checked before anything is driven."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibrating import calibration_of
from bench.scenarios import Scenario, load_scenario
from bench.tuning.manoeuvres import KINDS, Manoeuvre, from_file
from bench.tuning.spread import QUANTITIES, Range
from bench.vehicles import Vehicle, load_vehicle
from firmware_model.kernel.records import locate
from hil import toml_files
from hil.calibration.table import FIELDS, RELATED, findings
from hil.errors import UsageError

FOLDER = Path(__file__).parent / "studies"
LEAST_POPULATION = 4  # of covariance matrix adaptation
ONCE = ("duration", "start_speed", "state_of_charge", "temperature", "drive_mode", "e_pedal")  # what is no table in a scenario
ELEMENT = re.compile(r"^(?P<path>[a-z0-9_.]+?)(?P<place>(\[\d+\])*)$")


@dataclass(frozen=True)
class Parameter:
    """A calibration value, or one element of a curve or map, that is searched."""

    name: str  # as in the study: dotted path, with its place in brackets
    path: str
    place: tuple[int, ...]
    minimum: float
    maximum: float
    logarithmic: bool
    whole: bool
    unit: str

    def value_in(self, calibration: Any) -> float:
        """Its value in a ``calibration`` (recarray (1,))."""
        return float(locate(calibration, self.path)[0][self.place])

    def put(self, calibration: Any, value: float) -> None:
        """Write its ``value`` into a ``calibration`` (recarray (1,))."""
        locate(calibration, self.path)[(0, *self.place)] = value


@dataclass(frozen=True)
class DriveOf:
    """What one drive of a study is: a scenario with all that its file says, or the name of a manoeuvre."""

    name: str
    scenario: Scenario | None
    manoeuvre: str
    settings: Mapping[str, float]

    def manoeuvre_for(self, vehicle: Vehicle) -> Manoeuvre:
        """The manoeuvre with the ``vehicle`` of the data sheet."""
        if self.scenario is not None:
            return from_file(self.scenario)
        return KINDS[self.manoeuvre].make(vehicle, **self.settings)


@dataclass(frozen=True)
class Term:
    """A figure of a drive, told over the samples by its mean or its worst, in multiples of ``scale``."""

    drive: str
    figure: str
    scale: float
    over: str
    sign: float  # 1: less is better; -1: more


@dataclass(frozen=True)
class Objective:
    """A sum of terms, to become small."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Limit:
    """A bound of a figure: ``sign`` times the figure must not be above ``sign`` times the bound."""

    drive: str
    figure: str
    bound: float
    over: str
    sign: float


@dataclass(frozen=True)
class Study:
    """A study with all that its files say, so that it can be sent to other machines."""

    title: str
    description: str
    vehicle: Vehicle
    network: str
    sampler: str
    seed: int
    trials: int
    generation: int
    samples: int
    drives: tuple[DriveOf, ...]
    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    spread: Mapping[str, Range]
    fingerprint: str  # of everything that decides the results but the number of trials

    @cached_property
    def manoeuvres(self) -> dict[str, Manoeuvre]:
        """The manoeuvres by the names of the drives."""
        return {drive.name: drive.manoeuvre_for(self.vehicle) for drive in self.drives}

    @cached_property
    def used_figures(self) -> dict[str, tuple[str, ...]]:
        """The figures that objectives and constraints ask of each drive."""
        asked = [(term.drive, term.figure) for objective in self.objectives for term in objective.terms]
        asked += [(limit.drive, limit.figure) for limit in self.limits]
        return {drive.name: tuple(dict.fromkeys(figure for name, figure in asked if name == drive.name)) for drive in self.drives}

    @cached_property
    def base(self) -> Any:
        """The vehicle's own calibration (recarray (1,))."""
        return calibration_of(self.vehicle)

    def calibration(self, values: Mapping[str, float]) -> Any:
        """The vehicle's own calibration (recarray (1,)) with the ``values`` of some parameters."""
        calibration = self.base.copy()
        for parameter in self.parameters:
            if parameter.name in values:
                parameter.put(calibration, values[parameter.name])
        return calibration

    @cached_property
    def defaults(self) -> dict[str, float]:
        """The values of the parameters in the vehicle's own calibration."""
        return {parameter.name: parameter.value_in(self.base) for parameter in self.parameters}


def load_study(name_or_path: str) -> Study:
    """The study of that name, or of that TOML file. Raises UsageError, which lists all that is wrong with it."""
    from pydantic import ValidationError

    from bench.tuning.description import StudyDescription

    path = toml_files.find("study", name_or_path, FOLDER)
    content = toml_files.read(path)
    try:
        told = StudyDescription.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {toml_files.all_errors(error)}") from error
    vehicle = load_vehicle(told.vehicle)
    if told.untuned:
        vehicle = replace(vehicle, calibration={})
    wrong: list[str] = []
    drives = tuple(drive for each in told.drive if (drive := check_drive(each, wrong)))
    parameters = tuple(parameter for each in told.parameter if (parameter := check_parameter(each, wrong)))
    check_once([each.name for each in told.drive], "drive", wrong)
    check_once([each.path for each in told.parameter], "parameter", wrong)
    check_once([each.name for each in told.objective], "objective", wrong)
    check_sampler(told, wrong)
    if wrong:
        raise UsageError(f"{path}: {'; '.join(wrong)}")
    study = Study(
        title=told.title, description=told.description, vehicle=vehicle, network=told.network or vehicle.network,
        sampler=told.sampler, seed=told.seed, trials=told.trials, generation=told.generation, samples=told.samples,
        drives=drives, parameters=parameters,
        objectives=tuple(
            Objective(
                each.name,
                tuple(Term(t.drive, t.figure, t.scale, t.over, 1.0 if t.want == "less" else -1.0) for t in each.term),
            )
            for each in told.objective
        ),
        limits=tuple(limit_of(each) for each in told.constraint),
        spread=check_spread(told.spread, wrong),
        fingerprint=fingerprint(told, vehicle, drives),
    )  # fmt: skip
    check_figures(study, wrong)
    check_defaults(study, wrong)
    check_relations(study, wrong)
    if wrong:
        raise UsageError(f"{path}: {'; '.join(wrong)}")
    return study


def limit_of(told: Any) -> Limit:
    """The bound that a constraint describes."""
    upper = told.maximum is not None
    return Limit(told.drive, told.figure, told.maximum if upper else told.minimum, told.over, 1.0 if upper else -1.0)


def fingerprint(told: Any, vehicle: Vehicle, drives: tuple[DriveOf, ...]) -> str:
    """A hash of what decides the results: a journal goes on only with the study that it was begun with."""
    digest = hashlib.sha256(told.model_dump_json(exclude={"trials", "title", "description"}).encode())
    digest.update(vehicle.parameters.tobytes())
    digest.update(calibration_of(vehicle).tobytes())
    for drive in drives:
        if drive.scenario is not None:
            told_once = [getattr(drive.scenario, name) for name in ONCE]
            digest.update(repr(told_once).encode())
            for table in (drive.scenario.stimulus, drive.scenario.path, drive.scenario.road):
                digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()[:16]


# --- checks, each of which adds what is wrong ------------------------------------------------------------------------------


def check_once(names: list[str], what: str, wrong: list[str]) -> None:
    """Names that occur twice."""
    wrong += [f"{what} {name}: is there twice" for name in dict.fromkeys(names) if names.count(name) > 1]


def check_drive(told: Any, wrong: list[str]) -> DriveOf | None:
    """One drive; None if it is wrong."""
    if told.scenario is not None:
        if told.settings:
            wrong.append(f"drive {told.name}: settings belong to a manoeuvre, not to a scenario")
        return DriveOf(told.name, load_scenario(told.scenario), "", {})
    kind = KINDS.get(told.manoeuvre)
    if kind is None:
        known = ", ".join(KINDS)
        wrong.append(f'drive {told.name}: unknown manoeuvre "{told.manoeuvre}"; there are: {known}')
        return None
    for key, value in told.settings.items():
        setting = kind.settings.get(key)
        if setting is None:
            known = ", ".join(kind.settings) or "none"
            wrong.append(f"drive {told.name}: settings.{key}: {told.manoeuvre} has no such setting; there are: {known}")
        elif not setting.minimum <= value <= setting.maximum:
            allowed = f"{setting.minimum:g} to {setting.maximum:g} {setting.unit}"
            wrong.append(f"drive {told.name}: settings.{key}: {allowed} was expected, got {value:g}")
    settings = {key: setting.default for key, setting in kind.settings.items()}
    return DriveOf(told.name, None, told.manoeuvre, {**settings, **told.settings})


def check_parameter(told: Any, wrong: list[str]) -> Parameter | None:
    """One parameter against the table of calibration values; None if it is wrong."""
    match = ELEMENT.match(told.path)
    path = match["path"] if match else told.path
    place = tuple(int(number) for number in re.findall(r"\d+", match["place"])) if match else ()
    field = FIELDS.get(path)
    if field is None:
        wrong.append(f"parameter {told.path}: no such calibration value{toml_files.closest(path, FIELDS)}")
        return None
    if len(place) != len(field.shape) or any(index >= size for index, size in zip(place, field.shape, strict=True)):
        shape = "".join(f"[0..{size - 1}]" for size in field.shape)
        wrong.append(f"parameter {told.path}: {path}{shape} was expected" if shape else f"parameter {told.path}: is one number")
        return None
    if told.minimum >= told.maximum:
        wrong.append(
            f"parameter {told.path}: a minimum below the maximum was expected, got {told.minimum:g} and {told.maximum:g}"
        )
    if told.minimum < field.minimum or told.maximum > field.maximum:
        wrong.append(
            f"parameter {told.path}: a range inside {field.minimum:g} to {field.maximum:g} {field.unit} was expected, "
            f"got {told.minimum:g} to {told.maximum:g}"
        )
    if told.logarithmic and told.minimum <= 0.0:
        wrong.append(f"parameter {told.path}: a minimum above 0 was expected of a logarithmic range, got {told.minimum:g}")
    whole = field.dtype == "i8"
    return Parameter(told.path, path, place, told.minimum, told.maximum, told.logarithmic, whole, field.unit)


def check_sampler(told: Any, wrong: list[str]) -> None:
    """What a sampler cannot do."""
    if told.sampler == "cmaes" and len(told.objective) > 1:
        wrong.append("sampler cmaes: one objective was expected; tpe and nsga2 take more")
    if told.sampler == "cmaes" and len(told.parameter) < 2:
        wrong.append("sampler cmaes: two parameters or more were expected, of which it learns how they go together")
    if told.sampler == "cmaes" and told.generation < LEAST_POPULATION:
        wrong.append(f"generation: {LEAST_POPULATION} or more were expected of cmaes, which learns from each as a whole")
    if told.sampler == "nsga2" and told.generation < 2:
        wrong.append("generation: 2 or more were expected of nsga2, whose population it is")


def check_spread(told: Mapping[str, Any], wrong: list[str]) -> dict[str, Range]:
    """The ranges of the quantities that spread."""
    ranges: dict[str, Range] = {}
    for name, each in told.items():
        quantity = QUANTITIES.get(name)
        if quantity is None:
            known = ", ".join(QUANTITIES)
            wrong.append(f"spread.{name}: no such quantity{toml_files.closest(name, QUANTITIES)}; there are: {known}")
            continue
        low, high = quantity.range
        if not low <= each.minimum <= each.maximum <= high:
            got = f"got {each.minimum:g} to {each.maximum:g}"
            wrong.append(f"spread.{name}: a range inside {low:g} to {high:g} {quantity.unit} was expected, {got}")
        ranges[name] = (each.minimum, each.maximum)
    return ranges


def check_figures(study: Study, wrong: list[str]) -> None:
    """Whether the drives have the figures that are asked of them."""
    asked = [(f"objective {each.name}", term.drive, term.figure) for each in study.objectives for term in each.terms]
    asked += [("constraint", limit.drive, limit.figure) for limit in study.limits]
    for where, drive, figure in asked:
        check_figure(where, drive, figure, study.manoeuvres, wrong)


def check_figure(where: str, drive: str, figure: str, manoeuvres: Mapping[str, Manoeuvre], wrong: list[str]) -> None:
    """Whether a drive has a figure."""
    if drive not in manoeuvres:
        wrong.append(f'{where}: unknown drive "{drive}"; there are: {", ".join(manoeuvres)}')
    elif figure not in (known := manoeuvres[drive].figures):
        meant = toml_files.closest(figure, known)
        wrong.append(f'{where}: drive {drive} has no figure "{figure}"{meant}; it has: {", ".join(known)}')


def check_defaults(study: Study, wrong: list[str]) -> None:
    """The search begins with the vehicle's own values, which have to be in its ranges."""
    for parameter in study.parameters:
        value = study.defaults[parameter.name]
        if not parameter.minimum <= value <= parameter.maximum:
            wrong.append(
                f"parameter {parameter.name}: a range around the vehicle's own {value:g} {parameter.unit} was expected, "
                f"got {parameter.minimum:g} to {parameter.maximum:g}"
            )


def check_relations(study: Study, wrong: list[str]) -> None:
    """Whether values that bound each other do so anywhere in their ranges: no relation is one of more than two numbers."""
    related = [parameter for parameter in study.parameters if parameter.path in RELATED]
    for one, other in combinations_with_replacement(related, 2):
        for value, its in product((one.minimum, one.maximum), (other.minimum, other.maximum)):
            if found := findings(study.calibration({one.name: value, other.name: its})):
                wrong.append(f"parameter {one.name}: a range in which values fit each other was expected: {found[0]}")
                return
