"""``e4hil tune``: search, prove, and tell what came of it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from bench.commands.console import output, progress
from bench.commands.lists import print_list
from bench.live_view import CompileProgress
from bench.rows import as_json, failed, format_number, print_table
from bench.tuning.evaluation import LocalCores
from bench.tuning.extra import import_extra
from bench.tuning.proof import proof_rows, prove
from bench.tuning.results import result_rows, written_name
from bench.tuning.search import Found, Outcome, Workers, search
from bench.tuning.study_file import FOLDER, Study, load_study
from hil.calibration.toml_file import write_calibration
from hil.toml_files import titles

CALIBRATION = "calibration.toml"


def list_studies(json: bool) -> None:
    """List the studies that come with the bench."""
    print_list("studies", titles(FOLDER), "e4hil tune NAME", json)


def run(name: str, out: Path | None, workers: int | None, cluster: str | None, trials: int | None, json: bool) -> int:
    """Search and report; returns the number of rows that miss their target."""
    from bench.commands.files import prepare_output

    study = load_study(name)
    folder = out or Path("out") / Path(name).stem
    prepare_output(folder)
    import_extra("optuna")
    with workers_for(study, workers, cluster) as pool:
        outcome = _search(study, folder, pool, trials)
    write_files(folder, outcome)
    proofs = prove(study, folder / CALIBRATION, outcome.best)
    rows = [*result_rows(outcome), *proof_rows(proofs)]
    if json:
        print(as_json(study.title, rows, **_more(outcome, folder)))
    else:
        print_table(output(), study.title, rows)
        _print_parameters(outcome)
    from bench.report.tuning_report import write_tuning_report

    write_tuning_report(folder / "report.html", outcome, rows)
    progress().print(f"[dim]calibration: {folder / CALIBRATION}; report: {folder / 'report.html'}[/]")
    return len(failed(rows))


@contextmanager
def workers_for(study: Study, workers: int | None, cluster: str | None) -> Iterator[Workers]:
    """The cores of this machine, or those of a cluster. Raises UsageError if the cluster cannot be used."""
    with ExitStack() as stack:
        if cluster:
            from bench.tuning.cluster import Cluster

            yield stack.enter_context(closing(Cluster(study, cluster)))
        else:
            with CompileProgress(progress()):
                cores = LocalCores(study, workers)
            yield stack.enter_context(closing(cores))


def _search(study: Study, folder: Path, workers: Workers, trials: int | None) -> Outcome:
    """Search under a progress bar, whose steps are calibrations in cars."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=progress(), transient=True) as bar:
        task = bar.add_task("calibrations × cars", total=(trials or study.trials) * study.samples)
        return search(study, folder, workers, trials=trials, done=lambda count: bar.advance(task, count))


def write_files(folder: Path, outcome: Outcome) -> None:
    """The best calibration, and of many objectives every one of the front."""
    _write(folder / CALIBRATION, outcome, outcome.best)
    if len(outcome.study.objectives) > 1:
        for trial in outcome.front:
            _write(folder / "front" / written_name(trial), outcome, trial)


def _write(path: Path, outcome: Outcome, trial: Found) -> None:
    worth = ", ".join(
        f"{objective.name} {value:.4g}" for objective, value in zip(outcome.study.objectives, trial.worth.objectives, strict=True)
    )
    comments = (f"{outcome.study.title}: trial {trial.number} of {len(outcome.trials)}", worth)
    study = outcome.study
    write_calibration(path, study.calibration(trial.parameters), base=study.base, comments=comments)


def _more(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """What JSON has beside the rows."""
    study, best = outcome.study, outcome.best
    return {
        "study": study.title,
        "fingerprint": study.fingerprint,
        "trials": len(outcome.trials),
        "best": best.number,
        "objectives": [objective.name for objective in study.objectives],
        "parameters": {name: {"default": study.defaults[name], "value": value} for name, value in best.parameters.items()},
        "importances": outcome.importances,
        "front": [
            {"trial": trial.number, "objectives": list(trial.worth.objectives), "parameters": dict(trial.parameters)}
            for trial in outcome.front
        ],
        "calibration": str(folder / CALIBRATION),
    }


def _print_parameters(outcome: Outcome) -> None:
    """The values that were found, beside the default ones."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Calibration", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("value", "default", "found", "unit", *(f"weight in {each}" for each in outcome.importances)):
        table.add_column(heading, justify="left" if heading in ("value", "unit") else "right")
    for parameter in outcome.study.parameters:
        name = parameter.name
        weights = [f"{100.0 * shares[name]:.0f} %" if name in shares else "–" for shares in outcome.importances.values()]
        values = outcome.study.defaults[name], outcome.best.parameters[name]
        table.add_row(escape(name), *map(format_number, values), parameter.unit, *weights)
    output().print(table)
