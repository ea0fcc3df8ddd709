"""All published figures, the checks behind them, and how they are run."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.validation import energy, handling, packs, powertrain, software, straight
from bench.validation.check import Check, Lab, Measure, MissingError, Plot, Subject
from bench.validation.finding import Finding, Published, judged, not_run
from bench.vehicles import load_vehicle
from hil.errors import UsageError

PUBLISHED = Path(__file__).with_name("published.toml")
MODULES = (straight, powertrain, packs, energy, handling, software)
MEASURES: Mapping[str, Measure] = {name: measure for module in MODULES for name, measure in module.MEASURES.items()}


@dataclass(frozen=True)
class Validation:
    """What all checks came to: a finding for every published figure, in their order, and the plots."""

    findings: list[Finding]
    plots: list[Plot]

    @property
    def rows_passed(self) -> tuple[int, int]:
        """How many rows of the list have all of their figures within tolerance, and how many rows were run at all."""
        rows = {finding.row for finding in self.findings if finding.passed is not None}
        missed = {finding.row for finding in self.findings if finding.passed is False}
        return len(rows - missed), len(rows)


def published() -> list[Published]:
    """All published figures."""
    return [Published(**entry) for entry in tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))["published"]]


def choose(rows: Sequence[int]) -> list[Published]:
    """The figures of those rows, all of them for none. Raises UsageError for an unknown row."""
    targets = published()
    known = {target.row for target in targets}
    for row in rows:
        if row not in known:
            raise UsageError(f"--row {row}: there are rows {min(known)} to {max(known)}")
    return [target for target in targets if not rows or target.row in rows]


def jobs(targets: Sequence[Published]) -> dict[tuple[Check, str, float], list[Published]]:
    """What has to be run for ``targets``: a check with a car and a charge, and the figures that are read from it."""
    wanted: dict[tuple[Check, str, float], list[Published]] = {}
    for target in targets:
        wanted.setdefault((MEASURES[target.measure].check, target.vehicle, target.charge), []).append(target)
    return wanted


def validate(lab: Lab, targets: Sequence[Published], done: Callable[[], None] = lambda: None) -> Validation:
    """Run all checks behind ``targets`` on the threads of the lab's track; ``done`` is called after each."""
    wanted = jobs(targets)
    subjects = {key: Subject(load_vehicle(key[1]), key[2]) for key in wanted}

    def run(key: tuple[Check, str, float]) -> Any:
        try:
            return key[0].run(lab, subjects[key])
        except MissingError as missing:
            return missing
        finally:
            done()

    results = dict(zip(wanted, lab.track.each(run, list(wanted)), strict=True))
    findings = {target: finding(target, results[key]) for key, group in wanted.items() for target in group}
    return Validation([findings[target] for target in targets], plots_of(results, subjects))


def finding(target: Published, result: Any) -> Finding:
    """What the ``result`` of its check says on a target."""
    measure = MEASURES[target.measure]
    if isinstance(result, MissingError):
        return not_run(target, measure.label, measure.unit, str(result))
    return judged(target, measure.label, measure.unit, measure.of(result), measure.note(result))


def plots_of(results: Mapping[tuple[Check, str, float], Any], subjects: Mapping[tuple[Check, str, float], Subject]) -> list[Plot]:
    """The plots of all checks, with all of their subjects in them."""
    shown: dict[Check, dict[Subject, Any]] = {}
    for key, result in results.items():
        if not isinstance(result, MissingError):
            shown.setdefault(key[0], {})[subjects[key]] = result
    return [plot for check, group in shown.items() for plot in check.plots(group)]
