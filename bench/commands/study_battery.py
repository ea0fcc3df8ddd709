"""``e4hil study battery``: sweep the pack of the twin-motor LEAF, and name what binds."""

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.commands.console import output, progress
from bench.live_view import CompileProgress
from bench.rows import Row, as_json, failed, print_table
from bench.studies import battery
from bench.studies.battery import Case, Limit, Outcome, Outcomes

TITLE = "Why the twin-motor LEAF made 227 kW"
LEGEND = (
    "all limits: as the battery's controller allows (power) and its cells bear; cells only: without that power limit; "
    "binds: what sets the limit at the moment of the highest battery power, or the motors where no limit is reached"
)


def run(out: Path | None, json: bool) -> int:
    """Drive all cases and report; returns the number of rows that miss their target."""
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    outcomes = _drive(battery.all_cases())
    rows = battery.result_rows(outcomes)
    if json:
        print(as_json(TITLE, rows, cases=[battery.table_line(outcome) for outcome in outcomes.values()]))
    else:
        _print(outcomes, rows)
    if out:
        _write(out, outcomes, rows)
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(rows))


def _drive(cases: list[Case]) -> Outcomes:
    """Drive the cases under a progress bar."""
    from rich.progress import Progress

    console = progress()
    with CompileProgress(console):
        battery.new_drive(cases[0]).lockstep().compile()
    with Progress(console=console, transient=True) as bar:
        outcomes = bar.track(battery.run_cases(cases), total=len(cases), description=f"{len(cases)} launches")
        return {outcome.case: outcome for outcome in outcomes}


# --- tables -------------------------------------------------------------------------------------------------------------


def _print(outcomes: Outcomes, rows: list[Row]) -> None:
    """The sweeps, each pack with all limits and with those of its cells alone; then the answer."""
    console = output()
    packs = [case for chemistry in battery.chemistries() for case in battery.pack_sweep(chemistry, Limit.ALL)]
    charges, temperatures = battery.charge_sweep(Limit.ALL), battery.temperature_sweep(Limit.ALL)
    console.print(_sweep_table("Pack size and chemistry, at 93 % charge and 25 °C", outcomes, packs, _pack_name))
    console.print(_sweep_table("Charge of the 62 kWh pack, at 25 °C", outcomes, charges, _charge_name))
    console.print(_sweep_table("Temperature of the 62 kWh pack, at 93 % charge", outcomes, temperatures, _temperature_name))
    console.print(f"[dim]{LEGEND}[/]\n")
    print_table(console, TITLE, rows)
    console.print(battery.answer(outcomes))


def _sweep_table(title: str, outcomes: Outcomes, cases: list[Case], name: Callable[[Outcome], str]) -> Any:
    """One line a pack: peak shaft power, 0 to 100 km/h and what binds, first with all limits, then with those of its cells."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("\npack")
    for limit in (Limit.ALL, Limit.CELLS):
        table.add_column(f"{limit}\nshaft kW", justify="right")
        table.add_column("0-100\ns", justify="right")
        table.add_column("\nbinds")
    for case in cases:
        pair = outcomes[case], outcomes[battery.without_controller_limit(case)]
        style = "bold" if case == battery.PROTOTYPE else ""
        table.add_row(name(pair[0]), *(cell for outcome in pair for cell in _cells(outcome)), style=style)
    return table


def _cells(outcome: Outcome) -> tuple[str, str, str]:
    time = "–" if math.isnan(outcome.time_to_100) else f"{outcome.time_to_100:.2f}"
    return f"{outcome.shaft_power * 1e-3:.1f}", time, outcome.constraint


def _pack_name(outcome: Outcome) -> str:
    return f"{outcome.case.chemistry} {outcome.case.parallel}p, {outcome.energy / battery.KILOWATT_HOUR:.0f} kWh"


def _charge_name(outcome: Outcome) -> str:
    return f"{100.0 * outcome.case.state_of_charge:.0f} %"


def _temperature_name(outcome: Outcome) -> str:
    return f"{outcome.case.temperature:.0f} °C"


# --- files --------------------------------------------------------------------------------------------------------------


def _write(out: Path, outcomes: Outcomes, rows: list[Row]) -> None:
    """Cases as CSV, and the report."""
    from bench.report.study_report import write_battery_report
    from hil.files import write_text

    write_text(out / "cases.csv", _as_csv(outcomes))
    write_battery_report(out / "report.html", TITLE, outcomes, rows)


def _as_csv(outcomes: Outcomes) -> str:
    """All cases, one a line; a figure without a value is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.key for column in battery.COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(battery.table_line(outcome) for outcome in outcomes.values())
    return text.getvalue()
