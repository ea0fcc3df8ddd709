"""What is wrong, in words: faults and what they do, the buses, and how the loop keeps its time."""

import html
import math
import time
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from bench.dashboard.run import Run, Standing
from firmware_model.faults import TABLE
from firmware_model.measurements import Fault, Pattern, SupervisorState, fault_names

EFFECTS = {
    Pattern.RESTART_PROHIBITED: "no restart",
    Pattern.OUTPUT_LIMITED: "limp home: output limited",
    Pattern.QUICK_CHARGE_PROHIBITED: "no quick charge",
    Pattern.NORMAL_CHARGE_PROHIBITED: "no normal charge",
    Pattern.OUTPUT_CUT: "no torque",
    Pattern.NORMAL_STOP: "main relay opens at standstill",
    Pattern.SUDDEN_STOP: "main relay opens at once",
    Pattern.AIR_CONDITIONING_STOP: "no air conditioning",
    Pattern.FRONT_CUT: "no torque in front",
    Pattern.REAR_CUT: "no torque at the rear",
}
LINES = 30  # of what happened


@dataclass(frozen=True)
class FaultLine:
    """One fault as people read it."""

    name: str
    effects: str
    is_latched: bool
    is_active: bool


def fault_lines(supervisor: Any) -> list[FaultLine]:
    """The faults of a sample's ``controller_measurements.supervisor``."""
    active, latched = int(supervisor["faults"]), int(supervisor["latched_faults"])
    lines = []
    for fault in Fault:
        if fault & (active | latched):
            patterns = TABLE[fault].patterns
            effects = ", ".join(text for pattern, text in EFFECTS.items() if pattern in patterns)
            name = fault_names(int(fault))[0]
            lines.append(FaultLine(name, effects or "nothing is withheld", bool(fault & latched), bool(fault & active)))
    return lines


class Health:
    """The panel of one page."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told: Any = None

    def build_faults(self) -> None:
        """The part about faults."""
        self._faults = ui.column().classes("w-full").style("gap: 0")

    def build_system(self) -> None:
        """The part about buses and loop."""
        ui.label("Loop").classes("brand")
        self._loop = ui.html("", sanitize=False).classes("w-full")
        ui.label("Buses").classes("brand").style("margin-top: 8px")
        self._buses = ui.html("", sanitize=False).classes("w-full")
        ui.label("What happened").classes("brand").style("margin-top: 8px")
        self._lines = ui.column().classes("w-full log dim").style("gap: 1px")

    def count(self) -> int:
        """How many faults there are now, but for what a car that starts waits for."""
        last = self._run.history.last
        if last is None or not self._run.is_on:
            return 0
        supervisor = last["controller_measurements"]["supervisor"]
        return 0 if _is_starting(supervisor) else int(supervisor["faults"]).bit_count()

    def refresh(self) -> None:
        """Show what is so now."""
        self._show_faults()
        self._loop.content = table([], self._loop_rows())
        self._buses.content = table(["bus", "load", "off the grid, p99"], self._bus_rows())
        lines = list(self._run.lines)[-LINES:][::-1]
        if lines != self._told:
            self._told = lines
            self._lines.clear()
            with self._lines:
                for moment, text in lines:
                    ui.label(f"{time.strftime('%H:%M:%S', time.localtime(moment))}  {text}")

    def _show_faults(self) -> None:
        last = self._run.history.last
        supervisor = None if last is None else last["controller_measurements"]["supervisor"]
        lines = [] if supervisor is None else fault_lines(supervisor)
        is_starting = supervisor is not None and _is_starting(supervisor) and self._run.is_on
        shown = (lines, is_starting, self._run.standing)
        if shown == getattr(self, "_shown_faults", None):
            return
        self._shown_faults = shown
        self._faults.clear()
        with self._faults:
            if supervisor is None:
                ui.label("The car is off: nothing to report.").classes("dim")
            elif not lines:
                ui.label("No faults.").style("color: var(--motor); font-weight: 600")
            if lines and is_starting:
                ui.label("The car is starting, and waits for this:").classes("dim")
            if lines and self._run.standing is not Standing.RUNNING:
                ui.label("As of the end of the run:").classes("dim")
            for line in lines:
                with ui.column().classes("fault").style("gap: 0"):
                    with ui.row().classes("items-center").style("gap: 8px"):
                        ui.label(line.name).style("font-weight: bold")
                        if line.is_latched:
                            ui.badge("latched until switched off").props("color=negative")
                        if not line.is_active:
                            ui.badge("over").props("color=grey")
                    ui.label(line.effects).classes("small dim")

    def _loop_rows(self) -> list[list[str]]:
        figures = self._run.loop_figures()
        if figures is None:
            return [["no loop has run yet", ""]]
        rows = [
            ["state", self._run.standing.value],
            ["period", f"{1e3 * figures.period:g} ms"],
            ["periods run", f"{figures.periods}"],
            ["periods missed", f"{figures.missed}"],
        ]
        if figures.periods:
            rows += [
                ["wake-up after its time, p99", f"{1e6 * figures.wake_up_p99:.0f} µs"],
                ["the same, worst", f"{1e6 * figures.wake_up_worst:.0f} µs"],
                ["execution, p99", f"{1e6 * figures.execution_p99:.0f} µs"],
            ]
        return rows

    def _bus_rows(self) -> list[list[str]]:
        bench = self._run.bench
        if bench is None or not self._run.is_on:
            return [["off", "", ""]]
        rows = []
        for _, name, load, deviation in bench.bus_figures:
            late = "–" if math.isnan(deviation) else f"{1e3 * deviation:.2f} ms"
            rows.append([name, f"{100.0 * load:.0f} %", late])
        return rows


def _is_starting(supervisor: Any) -> bool:
    return int(supervisor["state"]) < SupervisorState.READY


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A plain table as HTML of these texts."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="results">{f"<tr>{head}</tr>" if headings else ""}{body}</table>'
