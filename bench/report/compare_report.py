"""The report of the comparison: one table, and the drives of all contenders over each other.

Green is this controller, orange the fixed split, blue the front drive, in every plot; dashed grey is a reference or a limit.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, FRONT_DRIVE, THIS, Contender
from bench.comparison.result import AmplitudePlot, BatteryPlots, LanePlot, Manoeuvre, Overlay, Plot, Result, Signal
from bench.comparison.track import Trace
from bench.report.battery_sections import battery_sections
from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import CAR, DRIVER, FRONT, LIMIT, REAR, Line, Track, thin, time_figure
from bench.rows import Row
from bench.vehicles import Vehicle

COLOURS = {THIS: CAR, FIXED_SPLIT: REAR, FRONT_DRIVE: FRONT}
WIDTHS = {THIS: 2.4, FIXED_SPLIT: 1.6, FRONT_DRIVE: 1.6}
MOST_POINTS = 1500  # of one curve: there are many
TRACK_HEIGHT = 130  # [px]
LANE_HEIGHT = 430  # [px]
PANEL_HEIGHT = 190  # [px]
MARGIN = {"l": 64, "r": 16, "t": 40, "b": 48}  # [px]
LEGEND = {"orientation": "h", "x": 0.0, "xanchor": "left", "y": 1.0, "yref": "container", "yanchor": "top"}
SUBTITLE = (
    "This controller beside (a) a fixed 50:50 split and (b) front drive: the same car, manoeuvre and driver, through the same "
    "frames and lags."
)


def write_compare_report(
    target: Path, title: str, vehicle: Vehicle, results: Mapping[Manoeuvre, Result], rows: Sequence[Row]
) -> None:
    """Write the report of the comparison to ``target`` (HTML). Raises UsageError if that is not possible."""
    sections = [section for result in results.values() for plot in result.plots for section in sections_of(plot)]
    details = {"vehicle": vehicle.name, "network": vehicle.network, "manoeuvres": str(len(results))}
    write_report(target, title, SUBTITLE, rows, [*sections, contender_section()], details=details)


def sections_of(plot: Plot) -> list[Section]:
    """One plot with its heading, or the several of the battery."""
    if isinstance(plot, BatteryPlots):
        return battery_sections(plot.results)
    if isinstance(plot, LanePlot):
        figure = lane_figure(plot)
    elif isinstance(plot, AmplitudePlot):
        figure = amplitude_figure(plot)
    else:
        figure = overlay_figure(plot)
    return [Section(plot.title, plot.text, figure)]


def overlay_figure(plot: Overlay) -> Any:
    """The traces of all contenders over time, one track a signal."""
    tracks = [Track(signal.title, lines_of(signal, plot.traces), height=TRACK_HEIGHT) for signal in plot.signals]
    return time_figure(tracks, window=plot.window, group=plot.title)


def lines_of(signal: Signal, traces: Mapping[Contender, Trace]) -> tuple[Line, ...]:
    """One signal of all contenders, the reference below them and this controller on top."""
    lines = []

    def add(name: str, trace: Trace, key: str, colour: str, dash: str, width: float) -> None:
        values = signal.factor * trace[key]
        kept = thin(values, MOST_POINTS)
        lines.append(Line(name, trace["time"][kept], values[kept], colour, dash, width))

    if signal.reference and THIS in traces:
        add(signal.reference.replace("_", " "), traces[THIS], signal.reference, DRIVER, "dash", 1.6)
    for who in reversed(CONTENDERS):
        if who in traces:
            add(who.name, traces[who], signal.name, COLOURS[who], "solid", WIDTHS[who])
    return tuple(lines)


def lane_figure(plot: LanePlot) -> Any:
    """The ways between the cones, seen from above."""
    figure = import_extra("plotly.graph_objects").Figure()
    for who in reversed(CONTENDERS):
        if who in plot.traces:
            trace = plot.traces[who]
            for way in plot.outline(trace):
                add_way(figure, way, who.name, {"color": COLOURS[who], "width": 0.8}, showlegend=False, legendgroup=who.name)
            centre = np.column_stack([trace["x"], trace["y"]])
            add_way(figure, centre, plot.labels[who], {"color": COLOURS[who], "width": 2.4}, legendgroup=who.name)
    figure.add_scatter(
        x=plot.cones[:, 0],
        y=plot.cones[:, 1],
        name="cones",
        mode="markers",
        marker={"symbol": "triangle-up", "size": 9, "color": LIMIT},
    )
    ends = float(plot.cones[0, 0]) - 5.0, float(plot.cones[-1, 0]) + 8.0
    figure.update_layout(
        height=LANE_HEIGHT, margin=MARGIN, legend=LEGEND, hovermode="closest",
        xaxis={"title": {"text": "x [m]"}, "range": ends, "zeroline": False},
        yaxis={"title": {"text": "y [m], to the left"}, "range": (-2.6, 6.2), "zeroline": False},
    )  # fmt: skip
    return figure


def add_way(figure: Any, way: Any, name: str, line: dict[str, Any], **options: Any) -> None:
    """A way over ground as a line."""
    kept = thin(way[:, 1], MOST_POINTS)
    figure.add_scatter(
        x=way[kept, 0].astype(np.float32), y=way[kept, 1].astype(np.float32), name=name, mode="lines", line=line, **options
    )


def amplitude_figure(plot: AmplitudePlot) -> Any:
    """Figures over the amplitude, one panel below the other, each with its limit."""
    figure = import_extra("plotly.subplots").make_subplots(
        rows=len(plot.panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.07,
        subplot_titles=[panel[0] for panel in plot.panels],
    )
    for row, (_, curves, limit) in enumerate(plot.panels, start=1):
        for who in reversed(CONTENDERS):
            if who in curves:
                figure.add_scatter(
                    x=[x for x, _ in curves[who]], y=[y for _, y in curves[who]], name=who.name, mode="lines+markers",
                    line={"color": COLOURS[who], "width": WIDTHS[who]}, marker={"size": 6}, legendgroup=who.name,
                    showlegend=row == 1, row=row, col=1,
                )  # fmt: skip
        figure.add_hline(y=limit, line={"color": DRIVER, "dash": "dash", "width": 1.4}, row=row, col=1)
    figure.update_xaxes(title_text=plot.axis, row=len(plot.panels), col=1)
    height = PANEL_HEIGHT * len(plot.panels) + MARGIN["t"] + MARGIN["b"]
    figure.update_layout(height=height, margin={**MARGIN, "t": 56}, legend=LEGEND)
    return figure


def contender_section() -> Section:
    """Who was compared, to the last calibration value."""
    lines = tuple(
        (who.name, who.description, ", ".join(f"{path} = {value:g}" for path, value in who.values.items()) or "none")
        for who in CONTENDERS
    )
    text = (
        "Baselines are calibrations of the same code; brakes act on the brake pedal only, and both axles have open differentials."
    )
    return Section("Contenders", text, table=Table(("name", "what it is", "calibration values that differ"), lines))
