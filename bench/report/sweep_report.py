"""The report of a sweep: curves over one axis, with the confidence interval of their means; maps over two."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import FRONT
from bench.tuning.spread import QUANTITIES
from bench.tuning.sweep import CONFIDENCE, Estimate, Sweep, Value, axis_text

HEIGHT = 440  # [px]
MARGIN = {"l": 72, "r": 24, "t": 40, "b": 56}  # [px]
MEAN_BAND, CAR_BAND = "rgba(59, 130, 214, 0.30)", "rgba(59, 130, 214, 0.12)"

Estimates = dict[tuple[Value, ...], list[Estimate]]


def write_sweep_report(target: Path, sweep: Sweep, told: Estimates) -> None:
    """Write the report of a sweep to ``target`` (HTML). Raises UsageError if that is not possible."""
    cars = "the one of the data sheet"
    if sweep.samples > 1:
        cars = f"{sweep.samples} by Monte Carlo at each point, seed {sweep.seed}"
    details = {"vehicle": sweep.vehicle.title, "points": str(len(sweep.points)), "cars": cars}
    sections = [figure_section(sweep, told, k) for k in range(len(sweep.figures))]
    if sweep.spread:
        sections.append(spread_section(sweep))
    write_report(target, sweep.title, sweep.description or "Sweep", [], [*sections, table_section(sweep, told)], details=details)


def figure_section(sweep: Sweep, told: Estimates, number: int) -> Section:
    """One figure over the axes."""
    drive, key = sweep.figures[number]
    manoeuvre = next(each for each in sweep.drives if each.name == drive).manoeuvre_for(sweep.vehicle)
    figure = manoeuvre.figures[key]
    title = f"{drive}: {figure.label}" + (f" [{figure.unit}]" if figure.unit not in ("", "1") else "")
    if len(sweep.axes) == 1:
        drawn = curve(sweep, [told[point][number] for point in sweep.points], title)
        band = f"Dark: {CONFIDENCE:.0%} confidence of the mean; light: the middle 90 % of the cars." if sweep.samples > 1 else ""
        return Section(title, f"{manoeuvre.title}. {band}".strip(), drawn)
    cars = " The mean of the cars." if sweep.samples > 1 else ""
    return Section(title, f"{manoeuvre.title}.{cars}", field(sweep, told, number))


def curve(sweep: Sweep, there: Sequence[Estimate], title: str) -> Any:
    """A figure over one axis."""
    figure = import_extra("plotly.graph_objects").Figure()
    positions = list(sweep.axes[0].values)
    if sweep.samples > 1:
        bands = (("least", "most", CAR_BAND, "middle 90 % of the cars"), ("low", "high", MEAN_BAND, "confidence of the mean"))
        for low, high, colour, name in bands:
            outline = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
            figure.add_scatter(x=positions, y=[getattr(each, low) for each in there], showlegend=False, **outline)
            upper = [getattr(each, high) for each in there]
            figure.add_scatter(x=positions, y=upper, fill="tonexty", fillcolor=colour, name=name, **outline)
    means = [each.mean for each in there]
    figure.add_scatter(x=positions, y=means, mode="lines+markers", line={"color": FRONT, "width": 2.2}, name="mean")
    figure.update_layout(
        height=HEIGHT, margin=MARGIN, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"},
        xaxis={"title": {"text": sweep.axes[0].label}}, yaxis={"title": {"text": title}},
    )  # fmt: skip
    return figure


def field(sweep: Sweep, told: Estimates, number: int) -> Any:
    """A figure over two axes, as coloured fields with their values in them."""
    figure = import_extra("plotly.graph_objects").Figure()
    across, up = sweep.axes[1], sweep.axes[0]
    means = np.array([[told[(y, x)][number].mean for x in across.values] for y in up.values])
    names = [[axis_text(value) for value in axis.values] for axis in (across, up)]
    figure.add_heatmap(x=names[0], y=names[1], z=means, colorscale="Viridis", texttemplate="%{z:.3g}")
    figure.update_layout(
        height=HEIGHT, margin=MARGIN, xaxis={"title": {"text": across.label}, "type": "category"},
        yaxis={"title": {"text": up.label}, "type": "category"},
    )  # fmt: skip
    return figure


def spread_section(sweep: Sweep) -> Section:
    """What the cars have else."""
    lines = tuple(
        (name, QUANTITIES[name].description, low, high, QUANTITIES[name].unit) for name, (low, high) in sweep.spread.items()
    )
    text = "Evenly distributed between these ends, each quantity by itself; the same cars at every point."
    return Section("Spread", text, table=Table(("quantity", "what it is", "from", "to", "unit"), lines))


def table_section(sweep: Sweep, told: Estimates) -> Section:
    """All points."""
    many = sweep.samples > 1
    headings = [axis.label for axis in sweep.axes]
    for name in sweep.names:
        headings += [name, "from", "to", "failed"] if many else [name]
    lines = []
    for point, there in told.items():
        cells: list[str | float | None] = [axis_text(value) for value in point]
        for each in there:
            cells += [each.mean, each.low, each.high, float(each.failed)] if many else [each.mean]
        lines.append(tuple(cells))
    text = f"From and to: {CONFIDENCE:.0%} confidence interval of the mean." if many else "Every point."
    return Section("All points", text, table=Table(tuple(headings), tuple(lines)))
