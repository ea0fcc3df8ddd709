"""What a calibration is worth: all drives of a study with each of its cars, in compiled lockstep, and their figures.

A piece of work is one calibration in one car. It depends on nothing else, so that its figures are the same on any number of
threads or machines, in any order.
"""

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.tuning.manoeuvres import Manoeuvre
from bench.tuning.rig import Prepared, Record, Rig
from bench.tuning.spread import Car, car_with, latin_hypercube
from bench.tuning.study_file import Limit, Objective, Study, Term
from hil.network.database import Network, load_network

NOMINAL = -1  # the number of the car of the data sheet, which is in no sample
# What a term or a constraint counts for a drive that has no such figure, in multiples of its scale: far more than any drive that
# came to its end.
FAILED = 1e3

Figures = dict[str, dict[str, float]]  # by drive and figure; NaN where a drive has none


@dataclass(frozen=True)
class Piece:
    """One calibration, by its values in the study's order of parameters, in one car."""

    values: tuple[float, ...]
    sample: int


class Evaluation:
    """Where the drives of one study happen, on any number of threads."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.network: Network = load_network(study.network)
        self.manoeuvres = study.manoeuvres
        self.cars = cars_of(study)
        self._threads = threading.local()

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        name = next(iter(self.manoeuvres))
        rig, prepared = Rig(self.network), self._prepared(name, 0, NOMINAL)
        rig.compile(prepared)

    def figures(self, piece: Piece, wanted: Mapping[str, Sequence[str]] | None = None) -> Figures:
        """The figures of all drives, those that the study uses unless others are ``wanted`` of each drive."""
        names = [parameter.name for parameter in self.study.parameters]
        calibration = self.study.calibration(dict(zip(names, piece.values, strict=True)))
        wanted = self.study.used_figures if wanted is None else wanted
        return {name: self._drive(name, piece.sample, calibration, keys) for name, keys in wanted.items() if keys}

    def records(self, name: str, sample: int, calibration: Any) -> list[Record]:
        """The records of one manoeuvre, to keep."""
        return [record.kept() for record in self._run(name, sample, calibration)]

    def _drive(self, name: str, sample: int, calibration: Any, keys: Sequence[str]) -> dict[str, float]:
        manoeuvre = self.manoeuvres[name]
        if len(manoeuvre.scenarios) == 1:
            records = self._run(name, sample, calibration)
        else:
            records = iter(self.records(name, sample, calibration))
        return measure(manoeuvre, list(records), keys)

    def _run(self, name: str, sample: int, calibration: Any) -> Iterable[Record]:
        local = self._threads
        if not hasattr(local, "rig"):
            local.rig, local.prepared = Rig(self.network), {}
        for number in range(len(self.manoeuvres[name].scenarios)):
            key = name, number, sample
            if key not in local.prepared:
                local.prepared[key] = self._prepared(*key)
            yield local.rig.run(local.prepared[key], calibration)

    def _prepared(self, name: str, number: int, sample: int) -> Prepared:
        car = Car(self.study.vehicle) if sample == NOMINAL else self.cars[sample]
        return prepared_drive(self.network, car, self.manoeuvres[name], number, self.study.base)


def prepared_drive(network: Network, car: Car, manoeuvre: Manoeuvre, number: int, calibration: Any) -> Prepared:
    """One drive of a ``manoeuvre`` with a ``car``."""
    settings = dict(car.settings)
    if manoeuvre.preview_time is not None:
        settings["driver.preview_time"] = manoeuvre.preview_time
    return Prepared(network, car.vehicle, car.scenario(manoeuvre.scenarios[number]), calibration=calibration, settings=settings)


def cars_of(study: Study) -> list[Car]:
    """The cars that every trial drives."""
    if not study.spread:
        return [car_with(study.vehicle, {}, study.seed + k) for k in range(study.samples)]
    drawn = latin_hypercube(study.spread, study.samples, study.seed)
    return [car_with(study.vehicle, values, study.seed + k) for k, values in enumerate(drawn)]


def measure(manoeuvre: Manoeuvre, records: list[Record], keys: Sequence[str]) -> dict[str, float]:
    """Some figures of the records of a manoeuvre; NaN where a drive did not come to its end, or has no such figure."""
    if not all(record.completed for record in records):
        return dict.fromkeys(keys, math.nan)
    with np.errstate(all="ignore"):
        return {key: float(manoeuvre.figures[key].compute(records)) for key in keys}


# --- from figures to objectives ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worth:
    """What a calibration is worth: its objectives, and by how much it breaks each constraint (0 or less: it keeps it)."""

    objectives: tuple[float, ...]
    violations: tuple[float, ...]
    figures: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)  # by drive and figure, one a car

    @property
    def allowed(self) -> bool:
        """Whether all constraints are kept."""
        return all(violation <= 0.0 for violation in self.violations)


def worth(study: Study, per_car: Sequence[Figures]) -> Worth:
    """The worth of a calibration by its figures in each car."""
    figures = {
        drive: {key: [each[drive][key] for each in per_car] for key in keys}
        for drive, keys in study.used_figures.items() if keys
    }  # fmt: skip
    objectives = tuple(objective_of(objective, figures) for objective in study.objectives)
    return Worth(objectives, tuple(violation_of(limit, figures) for limit in study.limits), figures)


def objective_of(objective: Objective, figures: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    """The sum of an objective's terms."""
    return float(sum(term_of(term, figures[term.drive][term.figure]) for term in objective.terms))


def term_of(term: Term, values: Sequence[float]) -> float:
    """One term: its figure in multiples of its scale, small where it is good."""
    told = [term.sign * value / term.scale if math.isfinite(value) else FAILED for value in values]
    return max(told) if term.over == "worst" else math.fsum(told) / len(told)


def violation_of(limit: Limit, figures: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    """By how much a constraint is broken, in multiples of its bound; 0 or less if it is kept."""
    values = figures[limit.drive][limit.figure]
    scale = abs(limit.bound) or 1.0
    told = [limit.sign * (value - limit.bound) / scale if math.isfinite(value) else FAILED for value in values]
    return max(told) if limit.over == "worst" else math.fsum(told) / len(told)


# --- on the cores of this machine ---------------------------------------------------------------------------------------


class LocalCores:
    """Threads of this process: compiled drives do not hold the interpreter's lock."""

    def __init__(self, study: Study, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._evaluation = Evaluation(study)
        self._evaluation.compile()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="drive")

    def figures(self, pieces: Sequence[Piece], done: Callable[[int], None] = lambda count: None) -> list[Figures]:
        """The figures of all pieces in their order; ``done`` is called with the number of pieces that have come to their end."""

        def work(piece: Piece) -> Figures:
            result = self._evaluation.figures(piece)
            done(1)
            return result

        return list(self._pool.map(work, pieces))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)
