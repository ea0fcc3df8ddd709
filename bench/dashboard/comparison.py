"""A and B: two calibrations on the same manoeuvre, driven in lockstep in the background, beside the run."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from nicegui import run as background
from nicegui import ui

from bench.calibrating import calibration_of
from bench.dashboard.health import table
from bench.dashboard.plots import GRID, TEXT
from bench.dashboard.run import Run
from bench.drive import Drive, DriveResult
from bench.figures import figure_rows
from bench.report.time_plot import CAR, EXTRA, FRONT, LIMIT, REAR
from bench.rows import Row, format_value
from bench.scenarios import list_scenarios, load_scenario
from firmware_model.kernel.records import locate
from firmware_model.measurements import fault_names
from hil.calibration.changes import differences
from hil.calibration.pages import Page
from hil.calibration.table import FIELDS
from hil.errors import UsageError

MOST_POINTS = 800  # of a curve
RUNNING, REFERENCE, VEHICLE = "working page", "reference page", "the vehicle's own"
DEGREES, KMH, KILO = 180.0 / math.pi, 3.6, 1e-3
PLANT = "car_measurements.plant"


@dataclass(frozen=True)
class Track:
    """One plot of both drives."""

    title: str
    curves: tuple[tuple[str, str, float, str], ...]  # name, path, factor, colour


TRACKS = (
    Track("speed [km/h]", (("speed", f"{PLANT}.body.longitudinal_speed", KMH, CAR),)),
    Track("yaw rate [°/s]", (("yaw rate", f"{PLANT}.body.yaw_rate", DEGREES, CAR),)),
    Track(
        "axle torque [Nm]",
        (("front", f"{PLANT}.front.axle_torque", 1.0, FRONT), ("rear", f"{PLANT}.rear.axle_torque", 1.0, REAR)),
    ),
    Track("power of the pack [kW]", (("power", f"{PLANT}.battery.power", KILO, LIMIT),)),
    Track("sideslip angle [°]", (("sideslip", f"{PLANT}.body.sideslip", DEGREES, EXTRA),)),
    Track("acceleration forward [m/s²]", (("acceleration", f"{PLANT}.body.longitudinal_acceleration", 1.0, CAR),)),
)


@dataclass(frozen=True)
class Contender:
    """One calibration by its name."""

    name: str
    calibration: Any


def drive_both(run: Run, scenario: str, contenders: tuple[Contender, Contender]) -> tuple[DriveResult, DriveResult]:
    """Drive the same scenario with both, in lockstep. Raises UsageError."""
    course = load_scenario(scenario)
    results = []
    for contender in contenders:
        drive = Drive(run.network, run.vehicle, course, calibration=contender.calibration)
        results.append(drive.result(list(drive.chunks(drive.lockstep()))))
    return results[0], results[1]


def figure_table(a: DriveResult, b: DriveResult) -> list[list[str]]:
    """The figures of both: name, A, B, difference, unit."""
    figures = [{row.name: row for row in _figures(result)} for result in (a, b)]
    rows = []
    for row in (figures[0] | figures[1]).values():
        values = [its[row.name].value if row.name in its else None for its in figures]
        numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
        change = format_signed(numbers[1] - numbers[0]) if len(numbers) == 2 else ""
        rows.append([row.name, *map(format_value, values), change, "" if row.unit == "1" else row.unit])
    return rows


def _figures(result: DriveResult) -> list[Row]:
    """The figures of a drive; none if its scenario never began."""
    return figure_rows(result.scenario_samples, {}) if len(result.scenario_samples) else []


def format_signed(value: float) -> str:
    """A difference as people read it."""
    return "=" if format_value(value) == "0" else f"{value:+.3g}".replace("-", "−")


class Comparison:
    """The view of one page."""

    def __init__(self, run: Run, kept: dict[str, Any], scenario: str) -> None:
        """``kept``: calibrations by the names under which people have kept them; shared by all pages."""
        self._run = run
        self._kept = kept
        self._scenario = scenario

    def build(self) -> None:
        """Make the view."""
        scenarios = dict(list_scenarios())
        with ui.row().classes("panel w-full items-center").style("gap: 12px"):
            options = scenarios if self._scenario in scenarios else {self._scenario: self._scenario, **scenarios}
            self._course = ui.select(options, value=self._scenario, label="manoeuvre").props("dense outlined options-dense")
            self._course.classes("col").style("min-width: 260px")
            self._a = ui.select(self._names(), value=REFERENCE, label="A (solid)").props("dense outlined options-dense")
            self._b = ui.select(self._names(), value=RUNNING, label="B (dashed)").props("dense outlined options-dense")
            for choice in (self._a, self._b):
                choice.style("min-width: 200px")
            self._button = ui.button("Drive both", icon="compare_arrows", on_click=self._drive).props("unelevated no-caps")
            self._spinner = ui.spinner(size="sm")
            self._spinner.set_visibility(False)
        self._result = ui.element("div").classes("w-full")
        with self._result:
            ui.label(
                "Choose a manoeuvre and two calibrations. Both are driven from power-on, faster than real time, while the run "
                "goes on. The bookmark in the calibration panel keeps a calibration under a name of its own."
            ).classes("dim")

    def refresh(self) -> None:
        """Offer what has been kept meanwhile."""
        names = self._names()
        if names != self._a.options:
            self._a.set_options(names, value=self._a.value)
            self._b.set_options(names, value=self._b.value)

    def _names(self) -> list[str]:
        return [REFERENCE, RUNNING, VEHICLE, *self._kept]

    def _contender(self, name: str) -> Contender:
        makers: dict[str, Callable[[], Any]] = {
            RUNNING: lambda: self._run.pages.page(Page.WORKING),
            REFERENCE: lambda: self._run.pages.page(Page.REFERENCE),
            VEHICLE: lambda: calibration_of(self._run.vehicle),
        }
        return Contender(name, makers[name]() if name in makers else self._kept[name])

    async def _drive(self) -> None:
        contenders = (self._contender(self._a.value), self._contender(self._b.value))
        self._button.disable()
        self._spinner.set_visibility(True)
        try:
            driven = await background.io_bound(drive_both, self._run, self._course.value, contenders)
            if driven:  # none if the dashboard ends
                self._show(driven[0], driven[1], contenders)
        except UsageError as error:
            ui.notify(str(error), type="negative", multi_line=True)
        finally:
            self._button.enable()
            self._spinner.set_visibility(False)

    def _show(self, a: DriveResult, b: DriveResult, contenders: tuple[Contender, Contender]) -> None:
        self._result.clear()
        with self._result, ui.element("div").classes("compare"):
            with ui.column().classes("panel").style("gap: 6px; min-width: 0"):
                ui.label(a.scenario.title).classes("brand")
                for name, result in (("A", a), ("B", b)):
                    if not result.completed:
                        ui.label(f"{name} did not reach the end of the manoeuvre: {_why(result)}").classes("banner error")
                figures = table(["figure", "A", "B", "B − A", ""], figure_table(a, b))
                ui.html(figures, sanitize=False).classes("w-full")
                _tell_differences(contenders)
            with ui.element("div").classes("tracks"):
                for track in TRACKS:
                    with ui.element("div").classes("panel"):
                        ui.echart(track_options(track, a, b)).style("height: max(190px, calc((100vh - 255px) / 3)); width: 100%")


def _why(result: DriveResult) -> str:
    """Why a drive has not come to its end."""
    note = result.rows[0].note
    faults = fault_names(int(result.samples["controller_measurements"]["supervisor"]["faults"][-1]))
    return f"{note}; faults at its end: {', '.join(faults)}" if faults else note


def _tell_differences(contenders: tuple[Contender, Contender]) -> None:
    """In what the two calibrations differ."""
    changes = differences(contenders[0].calibration, contenders[1].calibration)
    ui.label("The calibrations differ in" if changes else "The calibrations are the same.").classes("small dim")
    for change in changes[:12]:
        unit = "" if FIELDS[change.path].unit == "1" else f" {FIELDS[change.path].unit}"
        values = (
            "" if isinstance(change.before, list) else f": {format_value(change.before)} → {format_value(change.after)}{unit}"
        )
        ui.label(f"{change.path}{values}").classes("small")
    if len(changes) > 12:
        ui.label(f"and {len(changes) - 12} more").classes("small dim")


def track_options(track: Track, a: DriveResult, b: DriveResult) -> dict[str, Any]:
    """One plot over the scenario's time, A solid, B dashed."""
    series = []
    for letter, result, dash in (("A", a, "solid"), ("B", b, "dashed")):
        samples = result.scenario_samples
        times = samples["car_measurements"]["scenario_time"]
        stride = max(1, math.ceil(len(times) / MOST_POINTS))
        for name, path, factor, colour in track.curves:
            values = np.round(factor * locate(samples, path)[::stride], 4)
            points = [
                [round(float(t), 3), float(v) if math.isfinite(v) else None] for t, v in zip(times[::stride], values, strict=True)
            ]
            series.append(
                {
                    "type": "line", "name": f"{letter} {name}", "data": points, "symbol": "none", "animation": False,
                    "color": colour, "lineStyle": {"width": 2, "type": dash, "opacity": 0.7 if dash == "solid" else 1.0},
                }
            )  # fmt: skip
    label = {"color": TEXT, "fontSize": 11}
    return {
        "animation": False,
        "title": {"text": track.title, "textStyle": {"color": TEXT, "fontSize": 13, "fontWeight": 600}, "top": 0, "left": 0},
        "grid": {"left": 48, "right": 14, "top": 30, "bottom": 22},
        "legend": {
            "top": 0, "right": 0, "itemWidth": 26, "itemStyle": {"opacity": 0}, "textStyle": {"color": TEXT, "fontSize": 11},
        },
        "tooltip": {"trigger": "axis", "textStyle": {"fontSize": 12}, ":valueFormatter": "(v) => v == null ? '–' : v.toFixed(2)"},
        "xAxis": {
            "type": "value", "axisLabel": {**label, ":formatter": "(value) => value + ' s'"}, "splitLine": {"show": False},
            "min": 0, "max": round(a.scenario.duration, 3), "axisLine": {"lineStyle": {"color": GRID}},
        },
        "yAxis": {
            "type": "value", "scale": True, "axisLabel": {**label, ":formatter": "String"}, "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": GRID}},
        },
        "series": series,
    }  # fmt: skip
