"""``e4hil cycle``: drive a cycle, account for its energy, write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.commands.console import output, progress
from bench.commands.lists import print_list
from bench.cycles import sources
from bench.cycles.driving import Conditions, CycleResult, drive_cycle, new_drive
from bench.live_view import CompileProgress
from bench.rows import as_json, failed, print_table
from bench.vehicles import load_vehicle


def run(
    cycle: str, vehicle: str, network: str | None, repeat: int, conditions: Mapping[str, Any], out: Path | None, json: bool
) -> int:
    """Drive and report; returns the number of rows that miss their target."""
    car = load_vehicle(vehicle)
    trace = sources.load_cycle(cycle).repeated(repeat)
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    result = _drive(car, trace, Conditions(**conditions), network)
    title = f"{car.title}: {trace.title}"
    if json:
        print(as_json(title, result.rows, vehicle=car.name, cycle=trace.name, conditions=dict(conditions)))
    else:
        print_table(output(), title, result.rows)
    if out:
        from bench.report.cycle_report import write_cycle_report

        write_cycle_report(out / "report.html", result)
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(result.rows))


def _drive(car: Any, trace: Any, conditions: Conditions, network: str | None) -> CycleResult:
    """Drive under a progress bar."""
    from rich.progress import Progress

    console = progress()
    with CompileProgress(console):
        new_drive(car, trace, conditions, network).lockstep().compile()
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(trace.title, total=trace.duration)
        return drive_cycle(car, trace, conditions, network=network, look_on=lambda time: bar.update(task, completed=time))


def list_cycles(json: bool) -> None:
    """List the cycles that packages ship."""
    print_list("cycles", sources.list_cycles(), "e4hil cycle NAME", json)
