"""The report of a search: how it went, what it found, what decides, and every drive before and after.

Grey is the default calibration, blue the one that was found; the shades hold the cars of the spread.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison.track import Trace
from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import DRIVER, FRONT, LIMIT, PALETTE, REAR, Line, Shade, Track, time_figure
from bench.rows import Row, format_number
from bench.tuning.evaluation import NOMINAL, Evaluation
from bench.tuning.search import Found, Outcome
from bench.tuning.spread import QUANTITIES
from bench.tuning.study_file import Parameter

HEIGHT = 380  # [px]
BAR_HEIGHT = 26  # [px]
MARGIN = {"l": 64, "r": 24, "t": 40, "b": 52}  # [px]
LEGEND = {"orientation": "h", "x": 0.0, "y": 1.0, "yanchor": "bottom"}
OWN_SHADE, FOUND_SHADE = "rgba(138, 147, 163, 0.25)", "rgba(59, 130, 214, 0.22)"
COLOURS_IN_WORDS = "Grey: the default calibration; blue: the one that was found; shades: between the cars of the spread."
STEERED = 0.05  # [rad] of the steering wheel from which a drive is one of cornering

Signal = tuple[str, Callable[[Trace], Any]]
CORNERING: tuple[Signal, ...] = (
    ("yaw rate [°/s]", lambda trace: np.degrees(trace["yaw_rate"])),
    ("sideslip angle [°]", lambda trace: np.degrees(trace.sideslip)),
    ("lateral acceleration [m/s²]", lambda trace: trace["lateral_acceleration"]),
    ("speed [km/h]", lambda trace: 3.6 * trace["speed"]),
)
STRAIGHT: tuple[Signal, ...] = (
    ("speed [km/h]", lambda trace: 3.6 * trace["speed"]),
    ("longitudinal acceleration [m/s²]", lambda trace: trace["longitudinal_acceleration"]),
    ("largest slip speed of a wheel [km/h]", lambda trace: 3.6 * largest_slip_speed(trace)),
    ("motor torque, both motors [Nm]", lambda trace: trace["front_torque"] + trace["rear_torque"]),
    ("battery power [kW]", lambda trace: 1e-3 * trace["battery_power"]),
)


def largest_slip_speed(trace: Trace) -> Any:
    """Largest slip speed [m/s] of the four wheels."""
    wheels = [f"{axle}.{side}" for axle in ("front", "rear") for side in ("left", "right")]
    return np.max([np.abs(trace[f"{wheel}.slip_speed"]) for wheel in wheels], axis=0)


def write_tuning_report(target: Path, outcome: Outcome, rows: Sequence[Row]) -> None:
    """Write the report of a search to ``target`` (HTML). Raises UsageError if that is not possible."""
    study = outcome.study
    details = {
        "vehicle": study.vehicle.title,
        "search": f"{len(outcome.trials)} trials by {study.sampler}, in generations of {study.generation}, seed {study.seed}",
        "drives": f"{len(study.drives)} manoeuvres in {study.samples} cars",
    }
    sections = [
        search_section(outcome),
        *([front_section(outcome)] if len(study.objectives) > 1 else []),
        importance_section(outcome),
        parameter_section(outcome),
        *([spread_section(outcome)] if study.spread else []),
        *drive_sections(outcome),
    ]
    write_report(target, study.title, study.description or "Search of calibration values", rows, sections, details=details)


# --- the search ------------------------------------------------------------------------------------------------------------


def search_section(outcome: Outcome) -> Section:
    """Every trial's objectives, and the best so far."""
    objectives = outcome.study.objectives
    figure = import_extra("plotly.subplots").make_subplots(
        rows=len(objectives), cols=1, shared_xaxes=True, vertical_spacing=0.08, subplot_titles=[each.name for each in objectives]
    )
    for row in range(len(objectives)):
        values = np.array([trial.worth.objectives[row] for trial in outcome.trials])
        allowed = np.array([trial.worth.allowed for trial in outcome.trials])
        numbers = np.arange(len(values))
        for name, kept, colour in (("keeps the constraints", allowed, FRONT), ("breaks one", ~allowed, DRIVER)):
            figure.add_scatter(
                x=numbers[kept], y=values[kept], name=name, mode="markers", marker={"color": colour, "size": 5, "opacity": 0.6},
                showlegend=row == 0, legendgroup=name, row=row + 1, col=1,
            )  # fmt: skip
        best = np.minimum.accumulate(np.where(allowed, values, np.inf))
        figure.add_scatter(
            x=numbers, y=np.where(np.isfinite(best), best, np.nan), name="best so far", mode="lines",
            line={"color": REAR, "shape": "hv"}, showlegend=row == 0, legendgroup="best", row=row + 1, col=1,
        )  # fmt: skip
        figure.add_hline(y=values[0], line={"color": DRIVER, "dash": "dash"}, row=row + 1, col=1)
        figure.update_yaxes(range=shown_range(np.append(values, values[0]), 0.5), row=row + 1, col=1)
    figure.update_xaxes(title_text="trial", row=len(objectives), col=1)
    figure.update_layout(height=HEIGHT * len(objectives), margin=MARGIN, legend=LEGEND)
    text = "One point a calibration. The dashed line is the default; what is far above the better half is left out."
    return Section("The search", text, figure)


def shown_range(values: Any, share: float) -> tuple[float, float]:
    """A range that holds the good ``share`` of ``values``, with some room: drives that fail count a thousand times as much."""
    low, high = float(np.min(values)), float(np.quantile(values, share))
    room = 0.15 * (high - low) or 1.0
    return low - room, high + room


def front_section(outcome: Outcome) -> Section:
    """The Pareto front, first objective against each of the others."""
    names = [objective.name for objective in outcome.study.objectives]
    figure = import_extra("plotly.subplots").make_subplots(rows=1, cols=len(names) - 1, horizontal_spacing=0.08)
    front = outcome.front
    for column in range(1, len(names)):
        for name, trials, marker in (
            ("trial", outcome.trials, {"color": DRIVER, "size": 4, "opacity": 0.4}),
            ("Pareto front", front, {"color": FRONT, "size": 8}),
            ("chosen", [outcome.best], {"color": REAR, "size": 14, "symbol": "star"}),
            ("default", [outcome.default], {"color": LIMIT, "size": 11, "symbol": "diamond"}),
        ):
            figure.add_scatter(
                x=[trial.worth.objectives[0] for trial in trials], y=[trial.worth.objectives[column] for trial in trials],
                hovertext=[f"trial {trial.number}" for trial in trials], name=name, mode="markers", marker=marker,
                showlegend=column == 1, legendgroup=name, row=1, col=column,
            )  # fmt: skip
        shown = [*front, outcome.default]
        across, up = (shown_range([each.worth.objectives[k] for each in shown], 0.75) for k in (0, column))
        figure.update_xaxes(title_text=names[0], range=across, row=1, col=column)
        figure.update_yaxes(title_text=names[column], range=up, row=1, col=column)
    figure.update_layout(height=HEIGHT + 80, margin=MARGIN, legend=LEGEND)
    return Section("Pareto front", "What nothing surpasses in every objective. Small is good in both directions.", figure)


def importance_section(outcome: Outcome) -> Section:
    """What decides."""
    figure = import_extra("plotly.graph_objects").Figure()
    names = [parameter.name for parameter in outcome.study.parameters]
    for number, (objective, shares) in enumerate(outcome.importances.items()):
        figure.add_bar(
            y=names, x=[100.0 * shares.get(name, 0.0) for name in names], name=objective, orientation="h",
            marker={"color": PALETTE[number % len(PALETTE)]},
        )  # fmt: skip
    height = MARGIN["t"] + MARGIN["b"] + BAR_HEIGHT * len(names) * max(1, len(outcome.importances))
    margin = {**MARGIN, "l": 12 + 7 * max(map(len, names))}
    figure.update_layout(height=height, margin=margin, legend=LEGEND, xaxis={"title": {"text": "share [%]"}})
    figure.update_yaxes(autorange="reversed")
    text = "How much each parameter decides whether an objective comes out low (PED-ANOVA of the trials). Few trials tell little."
    return Section("What decides", text, figure)


def values_of(outcome: Outcome, parameter: Parameter) -> tuple[float, float, float, float]:
    """A parameter's default, what was found, and the ends of its range."""
    name = parameter.name
    return outcome.study.defaults[name], outcome.best.parameters[name], parameter.minimum, parameter.maximum


def parameter_section(outcome: Outcome) -> Section:
    """The values found."""
    study = outcome.study
    lines = tuple((each.name, *map(format_number, values_of(outcome, each)), each.unit) for each in study.parameters)
    headings = ("value", "default", "found", "from", "to", "unit")
    text = "A value at the end of its range asks for a wider one. The calibration file holds these values with all digits."
    return Section("Calibration", text, table=Table(headings, lines))


def spread_section(outcome: Outcome) -> Section:
    """What the cars have else than the car of the data sheet."""
    lines = tuple(
        (name, QUANTITIES[name].description, low, high, QUANTITIES[name].unit)
        for name, (low, high) in outcome.study.spread.items()
    )
    text = f"{outcome.study.samples} cars by Latin hypercube, the same for every calibration; the controller is not told."
    return Section("Spread", text, table=Table(("quantity", "what it is", "from", "to", "unit"), lines))


# --- before and after --------------------------------------------------------------------------------------------------------


def drive_sections(outcome: Outcome) -> list[Section]:
    """Every drive with the default calibration and with the one that was found."""
    evaluation = Evaluation(outcome.study)
    sections = []
    for name, manoeuvre in outcome.study.manoeuvres.items():
        before, after = (traces_of(evaluation, outcome, trial, name) for trial in (outcome.default, outcome.best))
        steered = max(float(np.max(np.abs(trace["steering"]))) for trace in before) > STEERED
        tracks = [
            Track(signal[0], lines_of(before, after, signal), shades_of(before, after, signal))
            for signal in (CORNERING if steered else STRAIGHT)
        ]
        text = f"{COLOURS_IN_WORDS} {figures_in_words(outcome, name)}"
        sections.append(Section(f"{name}: {manoeuvre.title}", text, time_figure(tracks, group=name)))
    return sections


def traces_of(evaluation: Evaluation, outcome: Outcome, trial: Found, name: str) -> list[Trace]:
    """The first drive of a manoeuvre, in the car of the data sheet and then in those of the spread."""
    calibration = outcome.study.calibration(trial.parameters)
    cars = [NOMINAL, *range(outcome.study.samples)] if outcome.study.spread else [NOMINAL]
    return [evaluation.records(name, car, calibration)[0].trace for car in cars]


def lines_of(before: list[Trace], after: list[Trace], signal: Signal) -> tuple[Line, ...]:
    """Both calibrations in the car of the data sheet."""
    _, value = signal
    return (
        Line("default", before[0]["time"], value(before[0]), DRIVER, "dash", 2.0),
        Line("found", after[0]["time"], value(after[0]), FRONT, "solid", 2.2),
    )


def shades_of(before: list[Trace], after: list[Trace], signal: Signal) -> tuple[Shade, ...]:
    """Between which values the cars of the spread are with both calibrations."""
    _, value = signal
    shades = []
    for traces, colour in ((before, OWN_SHADE), (after, FOUND_SHADE)):
        if len(traces) > 1:
            length = min(len(trace["time"]) for trace in traces)
            values = np.array([value(trace)[:length] for trace in traces])
            shades.append(Shade(traces[0]["time"][:length], values.min(axis=0), values.max(axis=0), colour))
    return tuple(shades)


def figures_in_words(outcome: Outcome, drive: str) -> str:
    """The figures of a drive before and after, mean and worst of the cars."""
    parts = []
    for key in outcome.study.used_figures[drive]:
        figure = outcome.study.manoeuvres[drive].figures[key]
        before, after = (trial.worth.figures[drive][key] for trial in (outcome.default, outcome.best))
        parts.append(
            f"{figure.label} {np.mean(before):.3g} → {np.mean(after):.3g} {figure.unit} "
            f"({min(before):.3g} … {max(before):.3g} → {min(after):.3g} … {max(after):.3g})"
        )
    return "; ".join(parts) + "." if parts else ""
