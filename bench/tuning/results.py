"""What a search came to, as rows, and as a calibration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.rows import Row, bounded, format_value
from bench.tuning.search import Found, Outcome
from bench.tuning.study_file import Limit, Study
from firmware_model.kernel.records import locate


def calibration_values(study: Study, parameters: Mapping[str, float]) -> dict[str, Any]:
    """The calibration values of some ``parameters`` by their dotted paths; curves and maps as a whole."""
    calibration = study.calibration(parameters)
    return {parameter.path: locate(calibration, parameter.path)[0].tolist() for parameter in study.parameters}


def written_name(trial: Found) -> str:
    """Name of the calibration file of a member of the front."""
    return f"trial_{trial.number:04d}.toml"


def result_rows(outcome: Outcome) -> list[Row]:
    """The objectives beside those of the vehicle's own calibration, the constraints, and every figure that was asked for."""
    best, default = outcome.best, outcome.default
    rows = [
        bounded("trials", len(outcome.trials), "1", note=f"each in {outcome.study.samples} cars"),
        Row("trial that was chosen", float(best.number), "1", note=chosen_because(outcome)),
    ]
    single = len(outcome.study.objectives) == 1
    for number, objective in enumerate(outcome.study.objectives):
        value, before = best.worth.objectives[number], default.worth.objectives[number]
        row = Row(f"objective {objective.name}", value, "1", note=f"default: {format_value(before)}")
        better = best.worth.allowed and (value < before or not default.worth.allowed)
        rows.append(replace(row, target=f"< {format_value(before)}", passed=better) if single else row)
    for number, limit in enumerate(outcome.study.limits):
        rows.append(limit_row(outcome, limit, default.worth.violations[number]))
    return [*rows, *figure_rows(outcome)]


def chosen_because(outcome: Outcome) -> str:
    """Why the best one is the best."""
    if not outcome.front:
        return "no trial keeps all constraints; this one breaks them least"
    if len(outcome.study.objectives) == 1:
        return "the lowest objective of those that keep all constraints"
    return f"of {len(outcome.front)} on the Pareto front, the nearest to the best in each objective"


def limit_row(outcome: Outcome, limit: Limit, default_violation: float) -> Row:
    """A constraint."""
    figure = outcome.study.manoeuvres[limit.drive].figures[limit.figure]
    value = told_over(outcome.best.worth.figures[limit.drive][limit.figure], limit.over, limit.sign)
    bound = {"maximum": limit.bound} if limit.sign > 0.0 else {"minimum": limit.bound}
    note = f"{limit.over} of the cars; the default {'keeps' if default_violation <= 0.0 else 'breaks'} it"
    return bounded(f"{limit.drive}: {figure.label}", value, figure.unit, note=note, **bound)


def told_over(values: Sequence[float], over: str, sign: float) -> float:
    """Mean, or worst for what is to be small (``sign`` 1) or large (-1); NaN if one of them is."""
    if any(math.isnan(value) for value in values):
        return math.nan
    if over == "worst":
        return max(values) if sign > 0.0 else min(values)
    return math.fsum(values) / len(values)


def figure_rows(outcome: Outcome) -> list[Row]:
    """The terms of the objectives, in the units of their figures."""
    rows = {}
    for objective in outcome.study.objectives:
        for term in objective.terms:
            figure = outcome.study.manoeuvres[term.drive].figures[term.figure]
            now, before = (
                told_over(trial.worth.figures[term.drive][term.figure], term.over, term.sign)
                for trial in (outcome.best, outcome.default)
            )
            note = f"{term.over} of the cars; default: {format_value(before)}"
            name = f"{term.drive}: {figure.label}, {term.over}"
            rows[name] = Row(name, now, figure.unit, note=note)
    return list(rows.values())
