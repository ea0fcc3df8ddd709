"""``e4hil validate``: the virtual cars beside what was measured on real ones."""

from collections.abc import Sequence
from pathlib import Path

from bench.commands.console import output, progress
from bench.comparison.track import Track
from bench.live_view import CompileProgress
from bench.rows import WIDE, as_json, failed
from bench.validation.check import Lab
from bench.validation.finding import LEVELS, Published
from bench.validation.running import Validation, choose, jobs, validate
from bench.vehicles import load_vehicle
from hil.errors import UsageError

COLOURS = {True: "green", False: "bold red", None: "dim"}
TITLE = "The virtual cars beside the real ones"


def run(rows: list[int], data: Path | None, workers: int | None, out: Path | None, json: bool) -> int:
    """Run the checks of those ``rows`` (all for none) and report; returns the number of figures that miss their target."""
    targets = choose(rows)
    if data and not data.is_dir():
        raise UsageError(f"--data {data}: no such folder")
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    validation = _validate(targets, data, workers)
    if json:
        print(as_json(TITLE, list(validation.findings), summary=summary(validation), levels=LEVELS))
    else:
        _print(validation)
    if out:
        from bench.report.validation_report import write_validation_report

        write_validation_report(out / "report.html", TITLE, summary(validation), validation)
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(validation.findings))


def summary(validation: Validation) -> str:
    """One line that says how many rows of the list are within their tolerances."""
    passed, run = validation.rows_passed
    measured = [finding for finding in validation.findings if finding.level == "A" and finding.passed is not None]
    good = sum(finding.passed is True for finding in measured)
    listed = len({finding.row for finding in validation.findings})
    words = f"{passed} of {run} rows within tolerance"
    words += f"; of level A {good} of {len(measured)} figures" if measured else ""
    return words if run == listed else f"{words}; {listed - run} rows not run"


def _validate(targets: Sequence[Published], data: Path | None, workers: int | None) -> Validation:
    """Run the checks under a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = progress()
    track = Track(load_vehicle(targets[0].vehicle), workers)
    with CompileProgress(console):
        track.compile()
    columns = TextColumn("checks"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=len(jobs(targets)))
        return validate(Lab(track, data), targets, done=lambda: bar.advance(task))


def _print(validation: Validation) -> None:
    """One table, a line a figure."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    console = output()
    wide = console.width >= WIDE
    table = Table(title=TITLE, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row", justify="right")
    table.add_column("figure", no_wrap=wide)
    for name in ("published", "simulated", "difference", "tolerance"):
        table.add_column(name if wide else name[:4], justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("level" if wide else "")
    table.add_column("", no_wrap=True)
    last = 0
    for finding in validation.findings:
        verdict = f"[{COLOURS[finding.passed]}]{finding.verdict}[/]"
        table.add_row("" if finding.row == last else str(finding.row), *map(escape, finding.cells), verdict)
        last = finding.row
    console.print(table)
    for finding in validation.findings:
        if finding.note:
            console.print(f"[dim]{finding.row} {escape(finding.name)}: {escape(finding.note)}[/]")
    console.print(f"[bold]{summary(validation)}[/]")
    console.print(f"[dim]{'; '.join(f'{level}: {words}' for level, words in LEVELS.items())}[/]")
