"""The search: a sampler proposes calibrations a generation at a time, drives tell what they are worth, the journal keeps it.

The sampler sees results only when its whole generation is done, in the order of their numbers. So the search depends on the study
alone, not on the number of workers. To go on after a crash it proposes anew, from its seed, what it proposed before; what the
journal knows is not driven again.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.tuning.evaluation import Figures, Piece, Worth, worth
from bench.tuning.extra import import_extra
from bench.tuning.journal import FILE, Journal
from bench.tuning.proposals import distributions_of, proposals_of
from bench.tuning.study_file import Study
from hil.errors import UsageError

Done = Callable[[int], None]


class Workers(Protocol):
    """Where pieces of work are done."""

    def figures(self, pieces: Sequence[Piece], done: Done) -> list[Figures]:
        """The figures of all pieces, in their order; ``done`` is told how many more are done."""


@dataclass(frozen=True)
class Found:
    """A calibration and its worth."""

    number: int
    parameters: Mapping[str, float]
    worth: Worth


@dataclass(frozen=True)
class Outcome:
    """What a search came to. The first trial is the default: the vehicle's own calibration, or the untuned one."""

    study: Study
    trials: tuple[Found, ...]
    importances: Mapping[str, Mapping[str, float]]  # by objective and parameter; they sum to 1

    @property
    def default(self) -> Found:
        """What the search began with."""
        return self.trials[0]

    @property
    def front(self) -> list[Found]:
        """The allowed trials that no other allowed one surpasses in every objective, best in the first objective first."""
        allowed = [trial for trial in self.trials if trial.worth.allowed]
        best = [trial for trial in allowed if not any(surpasses(other, trial) for other in allowed)]
        return sorted(best, key=lambda trial: (trial.worth.objectives, trial.number))

    @property
    def best(self) -> Found:
        """The best of one objective; of many, the member of the front that is nearest to the best in each.

        If no trial keeps the constraints, the one that breaks them least.
        """
        front = self.front
        if not front:
            return min(self.trials, key=lambda trial: (sum(max(0.0, v) for v in trial.worth.violations), trial.number))
        ends = [(min(values), max(values)) for values in zip(*(trial.worth.objectives for trial in front), strict=True)]

        def distance(trial: Found) -> float:
            return sum(
                ((value - low) / (high - low)) ** 2 if high > low else 0.0
                for value, (low, high) in zip(trial.worth.objectives, ends, strict=True)
            )

        return min(front, key=lambda trial: (distance(trial), trial.number))


def surpasses(one: Found, other: Found) -> bool:
    """Whether ``one`` is nowhere worse and somewhere better; of two alike, the earlier one."""
    mine, its = one.worth.objectives, other.worth.objectives
    if mine == its:
        return one.number < other.number
    return all(a <= b for a, b in zip(mine, its, strict=True))


def search(
    study: Study, folder: Path, workers: Workers, *, trials: int | None = None, done: Done = lambda count: None
) -> Outcome:
    """Search until the study has so many ``trials``, going on with what the journal in ``folder`` has.

    ``done`` is told how many more pieces of work (one calibration in one car) are done; those of the journal count, too.
    Raises UsageError if the journal cannot be used.
    """
    wanted = trials or study.trials
    distributions = distributions_of(study)
    journal = Journal(folder, study, distributions)
    try:
        known = journal.done()
        if known:
            check_same_drives(study, folder, workers, *known[0])
        proposals = proposals_of(study, distributions)
        found: list[Found] = []
        while len(found) < wanted:
            asked = proposals.next(min(study.generation, wanted - len(found)))
            told = known[len(found) : len(found) + len(asked)]
            check_replay(folder, asked, [parameters for parameters, _ in told], len(found))
            done(len(told) * study.samples)
            first = len(found)
            worths = [worth for _, worth in told]
            found += [Found(first + k, asked[k], worths[k]) for k in range(len(told))]
            for parameters, value in zip(asked[len(told) :], evaluated(study, asked[len(told) :], workers, done), strict=True):
                journal.add(parameters, value)
                found.append(Found(len(found), parameters, value))
            proposals.tell([trial.worth for trial in found[first:]])
        return Outcome(study, tuple(found), importances(study, journal.study))
    finally:
        journal.close()


def check_same_drives(study: Study, folder: Path, workers: Workers, parameters: Mapping[str, float], then: Worth) -> None:
    """Raises UsageError if the journal's first trial comes to something else now: results of two versions are no search."""
    [now] = evaluated(study, [parameters], workers, lambda count: None)
    if (now.objectives, now.violations) != (then.objectives, then.violations):
        raise UsageError(
            f"{folder / FILE}: was written by another version of the bench: its first trial comes to {now.objectives[0]:.6g} "
            f"now, {then.objectives[0]:.6g} then; choose another --out"
        )


def check_replay(folder: Path, asked: Sequence[Mapping[str, float]], known: Sequence[Mapping[str, float]], first: int) -> None:
    """Raises UsageError if the sampler proposes something else now than when the journal was written."""
    for number, (now, then) in enumerate(zip(asked, known, strict=False)):
        if dict(now) != dict(then):
            raise UsageError(
                f"{folder / FILE}: trial {first + number} was proposed by another version of the sampler; choose another --out"
            )


def evaluated(study: Study, parameters: Sequence[Mapping[str, float]], workers: Workers, done: Done) -> list[Worth]:
    """The worth of some calibrations."""
    names = [parameter.name for parameter in study.parameters]
    pieces = [Piece(tuple(each[name] for name in names), sample) for each in parameters for sample in range(study.samples)]
    figures = workers.figures(pieces, done) if pieces else []
    return [worth(study, figures[k : k + study.samples]) for k in range(0, len(figures), study.samples)]


def importances(study: Study, done: Any) -> dict[str, dict[str, float]]:
    """How much each parameter decides about each objective (PED-ANOVA); nothing for too few trials."""
    optuna = import_extra("optuna")
    result = {}
    for number, objective in enumerate(study.objectives):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of small values that are wanted, which they are
                found = optuna.importance.get_param_importances(done, target=lambda trial, number=number: trial.values[number])
        except (ValueError, RuntimeError):
            found = {}
        result[objective.name] = {name: float(value) for name, value in found.items()}
    return result
