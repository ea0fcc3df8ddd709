"""The report of the validation: one table, how far each figure is off its tolerance, and the curves behind the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import CAR, LIMIT, PALETTE, thin
from bench.rows import format_value
from bench.validation.check import Plot
from bench.validation.finding import LEVELS, Finding
from bench.validation.running import Validation

MOST_POINTS = 1500  # of one curve
HEIGHT = 420  # [px] of a plot
LINE_HEIGHT = 19  # [px] of one figure in the overview
SHOWN = 3.0  # tolerances to either side that the overview shows
MARGIN = {"l": 64, "r": 16, "t": 40, "b": 48}  # [px]
LEGEND = {"orientation": "h", "x": 0.0, "xanchor": "left", "y": 1.0, "yref": "container", "yanchor": "top"}


def write_validation_report(target: Path, title: str, subtitle: str, validation: Validation) -> None:
    """Write the report to ``target`` (HTML). Raises UsageError if that is not possible."""
    sections = [overview(validation.findings), *(section(plot) for plot in validation.plots), sources(validation.findings)]
    write_report(target, title, subtitle, [], [table(validation.findings), *sections])


def table(findings: Sequence[Finding]) -> Section:
    """All figures."""
    headings = ("row", "figure", "published", "simulated", "difference", "tolerance", "unit", "level", "", "note")
    lines = tuple((str(finding.row), *finding.cells, finding.verdict, finding.note) for finding in findings)
    levels = "; ".join(f"{level}: {words}" for level, words in LEVELS.items())
    failed = frozenset(number for number, finding in enumerate(findings) if finding.passed is False)
    text = f"None is left out because it fails. Levels of evidence: {levels}."
    return Section("All figures", text, table=Table(headings, lines, failed))


def overview(findings: Sequence[Finding]) -> Section:
    """The difference of each figure in units of its tolerance."""
    judged = [finding for finding in reversed(findings) if finding.difference is not None and finding.tolerance > 0.0]
    shares = [finding.difference / finding.tolerance for finding in judged if finding.difference is not None]
    figure = import_extra("plotly.graph_objects").Figure()
    figure.add_vrect(x0=-1.0, x1=1.0, fillcolor=CAR, opacity=0.12, line_width=0)
    figure.add_scatter(
        x=[max(-SHOWN, min(SHOWN, share)) for share in shares],
        y=[f"{finding.row} {finding.name}" for finding in judged],
        mode="markers",
        marker={"size": 9, "color": [CAR if finding.passed else LIMIT for finding in judged]},
        customdata=[f"{format_value(finding.value)} of {finding.target} {finding.unit}" for finding in judged],
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(
        height=LINE_HEIGHT * len(judged) + MARGIN["t"] + MARGIN["b"], margin={**MARGIN, "l": 330},
        xaxis={"title": {"text": "difference over tolerance"}, "range": (-SHOWN * 1.05, SHOWN * 1.05), "zeroline": True},
        yaxis={"automargin": True, "dtick": 1},
    )  # fmt: skip
    text = (
        f"Inside the green band a figure is within its tolerance; what is further away than {SHOWN:g} times stands at the edge."
    )
    return Section("How far each figure is off", text, figure)


def section(plot: Plot) -> Section:
    """One plot."""
    figure: Any = import_extra("plotly.graph_objects").Figure()
    for number, curve in enumerate(plot.curves):
        kept = thin(curve.y, MOST_POINTS)
        dash = "dot" if curve.measured else "solid" if number < len(PALETTE) else "dash"
        line = {"color": PALETTE[number % len(PALETTE)], "width": 1.8, "dash": dash}
        figure.add_scatter(x=curve.x[kept], y=curve.y[kept], name=curve.name, mode="lines", line=line)
    figure.update_layout(
        height=HEIGHT, margin={**MARGIN, "t": 40 + 8 * len(plot.curves)}, legend=LEGEND, hovermode="x unified",
        xaxis={"title": {"text": plot.x_title}, "zeroline": False},
        yaxis={"title": {"text": plot.y_title}, "zeroline": False},
    )  # fmt: skip
    return Section(plot.title, plot.text, figure)


def sources(findings: Sequence[Finding]) -> Section:
    """Where each figure is from."""
    lines = tuple((str(finding.row), finding.name, finding.level, finding.source) for finding in findings)
    return Section("Sources", "Where the published figures are from.", table=Table(("row", "figure", "level", "source"), lines))
