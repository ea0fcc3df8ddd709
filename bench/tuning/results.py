"""What a search came to, as rows."""

import math
from collections.abc import Sequence

from bench.rows import Row, bounded, format_value
from bench.tuning.search import Found, Outcome
from bench.tuning.study_file import Limit


def written_name(trial: Found) -> str:
    """Name of the calibration file of a member of the front."""
    return f"trial_{trial.number:04d}.toml"


def result_rows(outcome: Outcome) -> list[Row]:
    """The objectives beside those of the default calibration, the constraints, and every figure that was asked for."""
    best, default = outcome.best, outcome.default
    rows = [
        bounded("trials", len(outcome.trials), "1", note=f"each in {outcome.study.samples} cars"),
        Row("trial that was chosen", float(best.number), "1", note=chosen_because(outcome)),
    ]
    for objective, value, before in zip(outcome.study.objectives, best.worth.objectives, default.worth.objectives, strict=True):
        target, passed = "", None
        if len(outcome.study.objectives) == 1:
            target, passed = "all constraints kept", best.worth.allowed
            if default.worth.allowed:
                target, passed = f"< {format_value(before)}", value < before
        rows.append(Row(f"objective {objective.name}", value, "1", target, passed, f"default: {format_value(before)}"))
    for number, limit in enumerate(outcome.study.limits):
        rows.append(limit_row(outcome, limit, default.worth.violations[number]))
    return [*rows, *figure_rows(outcome)]


def chosen_because(outcome: Outcome) -> str:
    """Why the best one is the best."""
    if not outcome.front:
        return "no trial keeps all constraints; this one breaks them least"
    if len(outcome.study.objectives) == 1:
        if outcome.best is outcome.default:
            return "the default: no other that keeps all constraints is better"
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
