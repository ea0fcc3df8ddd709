"""``e4hil sweep``: drive every point of a map, in one car or in many, and tell."""

import json as json_module
from pathlib import Path
from typing import Any

from bench.commands.console import output, progress
from bench.commands.lists import print_list
from bench.live_view import CompileProgress
from bench.rows import format_value
from bench.tuning.extra import import_extra
from bench.tuning.sweep import (
    FOLDER,
    Driving,
    Estimate,
    Line,
    Sweep,
    Value,
    axis_text,
    estimates,
    load_sweep,
    write_parquet,
)
from hil.toml_files import titles

Estimates = dict[tuple[Value, ...], list[Estimate]]


def list_sweeps(json: bool) -> None:
    """List the sweeps that come with the bench."""
    print_list("sweeps", titles(FOLDER), "e4hil sweep NAME", json)


def run(name: str, out: Path | None, workers: int | None, json: bool) -> None:
    """Drive and report."""
    sweep = load_sweep(name)
    if out:
        from bench.commands.files import prepare_output

        import_extra("pyarrow")
        prepare_output(out)
    lines = _drive(sweep, workers)
    told = estimates(sweep, lines)
    print(_as_json(sweep, told)) if json else _print(sweep, told)
    if out:
        from bench.report.sweep_report import write_sweep_report

        write_parquet(out / "drives.parquet", sweep, lines)
        write_sweep_report(out / "report.html", sweep, told)
        progress().print(f"[dim]drives: {out / 'drives.parquet'}; report: {out / 'report.html'}[/]")


def _drive(sweep: Sweep, workers: int | None) -> list[Line]:
    """Drive under a progress bar, whose steps are points in cars."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    driving = Driving(sweep)
    with CompileProgress(progress()):
        driving.compile()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=progress(), transient=True) as bar:
        task = bar.add_task("points × cars", total=len(sweep.points) * sweep.samples)
        return list(driving.lines(workers, lambda: bar.advance(task)))


def _as_json(sweep: Sweep, told: Estimates) -> str:
    points = [
        {
            "at": {axis.of: value for axis, value in zip(sweep.axes, point, strict=True)},
            "figures": {name: _plain(each) for name, each in zip(sweep.names, there, strict=True)},
        }
        for point, there in told.items()
    ]
    return json_module.dumps({"title": sweep.title, "samples": sweep.samples, "points": points}, indent=2, ensure_ascii=False)


def _plain(estimate: Estimate) -> dict[str, Any]:
    """An estimate for JSON, which has no NaN."""
    known = estimate.mean == estimate.mean
    values = {name: getattr(estimate, name) if known else None for name in ("mean", "low", "high", "least", "most")}
    return {**values, "failed": estimate.failed}


def _print(sweep: Sweep, told: Estimates) -> None:
    """One line a point."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(sweep.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for heading in (*(axis.label for axis in sweep.axes), *sweep.names):
        table.add_column(escape(heading), justify="right")
    for point, there in told.items():
        table.add_row(*map(axis_text, point), *(in_words(each, sweep.samples) for each in there))
    console = output()
    console.print(table)
    if sweep.samples > 1:
        console.print(f"[dim]mean of {sweep.samples} cars, and the 95 % confidence interval of it[/]")


def in_words(estimate: Estimate, samples: int) -> str:
    """A figure at a point as people read it."""
    if samples == 1:
        return format_value(estimate.mean)
    words = f"{format_value(estimate.mean)} ({format_value(estimate.low)} … {format_value(estimate.high)})"
    return f"{words}, {estimate.failed} failed" if estimate.failed else words
