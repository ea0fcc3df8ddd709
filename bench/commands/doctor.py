"""``e4hil doctor``: what of this machine matters to a real-time loop and to CAN, how to mend it, and how punctual it is."""

import json as json_module
from dataclasses import asdict

from bench.commands.console import output, progress
from hil.doctor import BETTER, LOOKS, OK, PROBLEM, Check, Jitter, examine, jitter_check, measure_jitter, needs_linux

RATES = (1_000, 10_000)  # [Hz]
COLOURS = {OK: "green", BETTER: "yellow", PROBLEM: "bold red"}


def run(seconds: float, json: bool) -> int:
    """Examine, measure for ``seconds`` and tell; returns the number of problems."""
    if seconds:
        needs_linux()
    checks, measured = _examine(seconds)
    if json:
        print(json_module.dumps({"checks": _rows(checks), "jitter": [_figures(jitter) for jitter in measured]}, indent=2))
    else:
        _print(checks)
    return sum(check.state == PROBLEM for check in checks)


def _examine(seconds: float) -> tuple[list[Check], list[Jitter]]:
    from rich.progress import Progress, TaskID

    with Progress(console=progress(), transient=True) as bar:
        task = bar.add_task("looking", total=len(LOOKS))
        checks = examine(progress=lambda name: bar.update(task, advance=1, description=name))
        measured = []
        for rate in RATES if seconds else ():
            task = bar.add_task(f"waking up at {rate / 1000:g} kHz", total=1.0)

            def tell(share: float, task: TaskID = task) -> None:
                bar.update(task, completed=share)

            measured.append(measure_jitter(rate, seconds / len(RATES), tell))
    return checks + [jitter_check(jitter) for jitter in measured], measured


def _rows(checks: list[Check]) -> list[dict[str, str]]:
    return [asdict(check) for check in checks]


def _figures(jitter: Jitter) -> dict[str, object]:
    """Fields and verdict; what is not a number becomes null."""
    fields = {**asdict(jitter), "verdict": jitter.verdict}
    return {name: None if value != value else value for name, value in fields.items()}


def _print(checks: list[Check]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    console = output()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("state", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for check in checks:
        table.add_row(escape(check.name), f"[{COLOURS[check.state]}]{check.state}[/]", escape(check.value))
    console.print(table)
    to_mend = [check for check in checks if check.remedy]
    if to_mend:
        console.print("[bold]To mend[/]")
    for check in to_mend:
        # On one line each, to be copied.
        console.print(f"  {escape(check.name)}: {escape(check.remedy)}", soft_wrap=True)
