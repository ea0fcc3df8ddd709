"""``e4hil compare``: this controller beside two baselines, in one table."""

import json as json_module
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.calibrating import with_calibration
from bench.commands.console import output, progress
from bench.comparison.contenders import CONTENDERS
from bench.comparison.hppc import cell_tests_in
from bench.comparison.manoeuvres import MANOEUVRES, choose
from bench.comparison.result import Manoeuvre, Result
from bench.comparison.track import Track
from bench.live_view import CompileProgress
from bench.rows import OURS, Row, as_json, beside_names, failed, format_other, format_value
from bench.vehicles import Vehicle, load_vehicle
from hil.errors import UsageError

Results = dict[Manoeuvre, Result]

NAME_WIDTHS = 16, 48  # [columns] least and most
NUMBER_WIDTH, UNIT_WIDTH, TARGET_WIDTH, MARK_WIDTH = 12, 6, 16, 5


def list_manoeuvres(json: bool) -> None:
    """Print the manoeuvres."""
    if json:
        entries = [{"name": manoeuvre.name, "title": manoeuvre.title} for manoeuvre in MANOEUVRES]
        print(json_module.dumps({"manoeuvres": entries}, indent=2, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for manoeuvre in MANOEUVRES:
        table.add_row(f"[bold]{manoeuvre.name}[/]", manoeuvre.title)
    console = output()
    console.print(table)
    console.print("[dim]e4hil compare --manoeuvre NAME[/]")


def run(
    names: list[str],
    vehicle: str,
    workers: int | None,
    out: Path | None,
    json: bool,
    cell_tests: Path | None = None,
    calibration: Path | None = None,
) -> int:
    """Drive the manoeuvres of those names (all for none) and report; returns the number of rows that miss their target."""
    chosen = choose(names)
    car = with_calibration(load_vehicle(vehicle), calibration)
    require_two_motors(car)
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    if cell_tests:
        chosen = [*chosen, cell_tests_in(cell_tests)]
    results = _drive(car, chosen, workers)
    rows = all_rows(results)
    title = f"{car.title}: this controller and two baselines"
    if json:
        contenders = [
            {"name": who.name, "description": who.description, "calibration": dict(who.values), "rear_motor": who.rear_motor}
            for who in CONTENDERS
        ]
        manoeuvres = [{"name": manoeuvre.name, "title": manoeuvre.title} for manoeuvre in chosen]
        print(as_json(title, rows, vehicle=car.name, contenders=contenders, manoeuvres=manoeuvres))
    else:
        _print(title, results)
    if out:
        from bench.report.compare_report import write_compare_report

        write_compare_report(out / "report.html", title, car, results, rows)
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(rows))


def require_two_motors(vehicle: Vehicle) -> None:
    """Raises UsageError if the car has not the two motors whose control is compared."""
    if any(axle.motor.envelope_torque.max() == 0.0 for axle in (vehicle.parameters.front, vehicle.parameters.rear)):
        raise UsageError(f"--vehicle {vehicle.name}: a car with a motor on each axle was expected, for example leaf_twin_motor")


def _drive(vehicle: Vehicle, chosen: list[Manoeuvre], workers: int | None) -> Results:
    """Drive the manoeuvres under a progress bar, whose steps are their drives."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = progress()
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    with CompileProgress(console):
        Track(vehicle, 1).compile()
    results: Results = {}
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=sum(manoeuvre.drives for manoeuvre in chosen))
        track = Track(vehicle, workers, driven=lambda: bar.advance(task))
        done = 0
        for manoeuvre in chosen:
            bar.update(task, description=manoeuvre.name)
            results[manoeuvre] = manoeuvre.run(track)
            done += manoeuvre.drives
            bar.update(task, completed=done)
    return results


def all_rows(results: Results) -> list[Row]:
    """All rows in one list, each named after its manoeuvre, too."""
    return [replace(row, name=f"{manoeuvre.name}: {row.name}") for manoeuvre, result in results.items() for row in result.rows]


def _print(title: str, results: Results) -> None:
    """One table in groups, a manoeuvre each; what there is to say to a figure stands below its group."""
    from rich.markup import escape

    console = output()
    others = beside_names(row for result in results.values() for row in result.rows)
    console.print(f"[bold]{escape(title)}[/]")
    for manoeuvre, result in results.items():
        console.print(f"\n[bold]{escape(manoeuvre.title)}[/]")
        console.print(_table(result.rows, others, console.width))
        for row in result.rows:
            if row.note:
                console.print(f"[dim]{escape(row.name)}: {escape(row.note)}[/]")
    console.print()
    for contender in CONTENDERS:
        console.print(f"[dim]{contender.name}: {escape(contender.description)}[/]")


def _table(rows: list[Row], others: list[str], width: int) -> Any:
    """The rows of one manoeuvre, in columns that are as wide as those of the other manoeuvres."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    fixed = (len(others) + 1) * NUMBER_WIDTH + UNIT_WIDTH + TARGET_WIDTH + MARK_WIDTH
    table.add_column("figure", width=min(max(width - fixed, NAME_WIDTHS[0]), NAME_WIDTHS[1]))
    for name in (OURS, *others):
        table.add_column(name, justify="right", width=NUMBER_WIDTH)
    table.add_column("unit", width=UNIT_WIDTH)
    table.add_column("target", width=TARGET_WIDTH)
    table.add_column("", width=MARK_WIDTH)
    for row in rows:
        verdict = "" if row.passed is None else "[green]pass[/]" if row.passed else "[bold red]FAIL[/]"
        figures = [format_value(row.value), *(format_other(row, name) for name in others)]
        unit = "" if row.unit == "1" else row.unit
        table.add_row(escape(row.name), *map(escape, figures), unit, escape(row.target), verdict)
    return table
