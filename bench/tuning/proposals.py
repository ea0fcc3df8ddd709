"""What a study's sampler proposes: first the default, then what follows from what it was told."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from bench.tuning.evaluation import Worth
from bench.tuning.extra import import_extra
from bench.tuning.study_file import Parameter, Study

FIRST_STEPS = 0.08  # of the ranges: the standard deviation of the first proposals around the default
CONSTRAINT_WEIGHT = 10.0  # where constraints are costs: one that is missed by a tenth of its bound counts one


class Proposals(Protocol):
    """A sampler that is asked for a generation at a time, and then told what that is worth."""

    def next(self, count: int) -> list[dict[str, float]]:
        """The parameters of the next trials, at most ``count``."""

    def tell(self, worths: Sequence[Worth]) -> None:
        """What the trials that were asked for are worth, in their order."""


def proposals_of(study: Study, distributions: Mapping[str, Any]) -> Proposals:
    """The sampler that a study asks for."""
    return LocalProposals(study) if study.sampler == "cmaes" else GlobalProposals(study, distributions)


# --- anywhere in the ranges -------------------------------------------------------------------------------------------------


def distributions_of(study: Study) -> dict[str, Any]:
    """The ranges of the parameters as Optuna has them."""
    distributions = import_extra("optuna").distributions
    result: dict[str, Any] = {}
    for parameter in study.parameters:
        if parameter.whole:
            bounds = int(parameter.minimum), int(parameter.maximum)
            result[parameter.name] = distributions.IntDistribution(*bounds, log=parameter.logarithmic)
        else:
            result[parameter.name] = distributions.FloatDistribution(
                parameter.minimum, parameter.maximum, log=parameter.logarithmic
            )
    return result


class GlobalProposals:
    """Optuna's samplers."""

    def __init__(self, study: Study, distributions: Mapping[str, Any]) -> None:
        optuna = import_extra("optuna")
        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=study.seed),
            "nsga2": lambda: optuna.samplers.NSGAIISampler(population_size=study.generation, seed=study.seed),
            "random": lambda: optuna.samplers.RandomSampler(seed=study.seed),
        }
        self._distributions = dict(distributions)
        self._study = optuna.create_study(sampler=samplers[study.sampler](), directions=["minimize"] * len(study.objectives))
        self._study.enqueue_trial(dict(study.defaults))
        self._asked: list[Any] = []

    def next(self, count: int) -> list[dict[str, float]]:
        """See Proposals."""
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [dict(trial.params) for trial in self._asked]

    def tell(self, worths: Sequence[Worth]) -> None:
        """See Proposals."""
        for trial, each in zip(self._asked, worths, strict=True):
            for number, violation in enumerate(each.violations):
                trial.set_constraint(str(number), violation)
            self._study.tell(trial, list(each.objectives))


# --- around the default -----------------------------------------------------------------------------------------------------


class LocalProposals:
    """Covariance matrix adaptation of one objective, to which missed constraints are added. Its first trial is the default."""

    def __init__(self, study: Study) -> None:
        self._parameters = study.parameters
        self._default = study.defaults
        self._population = study.generation
        self._asked: list[Any] = []
        self._search = import_extra("cmaes").CMA(
            mean=np.array([place_of(each, study.defaults[each.name]) for each in study.parameters]),
            sigma=FIRST_STEPS, bounds=np.tile([0.0, 1.0], (len(study.parameters), 1)),
            population_size=study.generation, seed=study.seed,
        )  # fmt: skip
        self._begun = False

    def next(self, count: int) -> list[dict[str, float]]:
        """See Proposals."""
        if not self._begun:
            return [dict(self._default)]
        self._asked = [self._search.ask() for _ in range(count)]
        return [{each.name: value_at(each, x) for each, x in zip(self._parameters, asked, strict=True)} for asked in self._asked]

    def tell(self, worths: Sequence[Worth]) -> None:
        """See Proposals. A generation that is not complete is the search's last one: nothing is learned from it."""
        if self._begun and len(worths) == self._population:
            self._search.tell([(asked, cost(each)) for asked, each in zip(self._asked, worths, strict=True)])
        self._begun = True


def place_of(parameter: Parameter, value: float) -> float:
    """Where in its range a value is, from 0 to 1."""
    low, high = parameter.minimum, parameter.maximum
    if parameter.logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def value_at(parameter: Parameter, place: float) -> float:
    """The value at a place from 0 to 1."""
    low, high = parameter.minimum, parameter.maximum
    value = low * (high / low) ** place if parameter.logarithmic else low + (high - low) * place
    value = min(max(value, low), high)
    return float(round(value)) if parameter.whole else float(value)


def cost(worth: Worth) -> float:
    """The objective, and by how much constraints are missed."""
    return worth.objectives[0] + CONSTRAINT_WEIGHT * sum(max(0.0, violation) for violation in worth.violations)
