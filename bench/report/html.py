"""A report as one HTML file that needs no network: figures of merit, plots with their explanation, tables.

Every command writes its report with this. The look is in ``page.css``, the behaviour of the plots in ``page.js``.
"""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from bench.report.extra import import_extra
from bench.rows import OURS, Row, beside_names, failed, format_other, format_value
from hil.files import write_text

FOLDER = Path(__file__).parent

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """A plain table: headings, and as many cells a line. Numbers stand to the right. ``failed`` lines stand out."""

    headings: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]
    failed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """One part of a report: a heading, a sentence that says what there is to see, and a plotly figure, a table, or both.

    Figures made by :func:`bench.report.time_plot.time_figure` share cursor and zoom; any other plotly figure stands alone.
    """

    title: str
    text: str
    figure: Any = None
    table: Table | None = None


def write_report(
    target: Path,
    title: str,
    subtitle: str,
    rows: Iterable[Row],
    sections: Iterable[Section],
    *,
    details: Mapping[str, str] | None = None,
) -> None:
    """Write the report to ``target``, whole or not at all; ``details`` (vehicle, network ...) stand under the subtitle.

    Raises UsageError if plotly is missing or the file cannot be written.
    """
    plotly = import_extra("plotly.offline").get_plotlyjs()
    rows = list(rows)
    page = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
    text = page.substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        details=_details(details or {}),
        verdict=_verdict(rows),
        rows=_rows(rows),
        sections="\n".join(_section(section) for section in sections),
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        plotly=plotly,
        script=(FOLDER / "page.js").read_text(encoding="utf-8"),
    )
    write_text(target, text)


def _details(details: Mapping[str, str]) -> str:
    if not details:
        return ""
    pairs = "".join(f"<div><dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd></div>" for key, value in details.items())
    return f'<dl class="details">{pairs}</dl>'


def _verdict(rows: list[Row]) -> str:
    """One line that says whether all is well; nothing where no target was set."""
    judged = sum(row.passed is not None for row in rows)
    missed = failed(rows)
    if not judged:
        return ""
    if not missed:
        return f'<p class="verdict pass">{"The target is" if judged == 1 else f"All {judged} targets are"} met</p>'
    names = html.escape(", ".join(row.name for row in missed))
    return f'<p class="verdict fail">{len(missed)} of {judged} targets missed: {names}</p>'


def _rows(rows: list[Row]) -> str:
    """The figures of merit as a table; figures of others stand beside them."""
    if not rows:
        return ""
    others = beside_names(rows)
    numbers = "".join(f'<th class="number">{html.escape(name)}</th>' for name in (OURS if others else "value", *others))
    note = "" if others else "<th>note</th>"
    head = f"<th>figure</th>{numbers}<th>unit</th><th>target</th><th></th>{note}"
    body = "".join(_row(row, others) for row in rows)
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(row: Row, others: list[str]) -> str:
    verdict = "" if row.passed is None else "pass" if row.passed else "fail"
    unit = "" if row.unit == "1" else row.unit
    cells = [
        f"<td>{html.escape(row.name)}</td>",
        f'<td class="number">{html.escape(format_value(row.value))}</td>',
        *(f'<td class="other number">{html.escape(format_other(row, name))}</td>' for name in others),
        f"<td>{html.escape(unit)}</td>",
        f"<td>{html.escape(row.target)}</td>",
        f'<td class="mark">{verdict}</td>',
    ]
    if not others:
        cells.append(f'<td class="note">{html.escape(row.note)}</td>')
        return f'<tr class="{verdict}">{"".join(cells)}</tr>'
    # Beside so many figures there is no room for a note but below.
    below = f'<tr class="{verdict} about"><td class="note" colspan="{len(cells)}">{html.escape(row.note)}</td></tr>'
    return f'<tr class="{verdict}{" noted" if row.note else ""}">{"".join(cells)}</tr>{below if row.note else ""}'


def _section(section: Section) -> str:
    figure = "" if section.figure is None else _figure(section.figure)
    table = "" if section.table is None else _table(section.table)
    heading = f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.text)}</p>"
    return f"<section>{heading}{figure}{table}</section>"


def _figure(figure: Any) -> str:
    """The figure as JSON, which ``page.js`` draws; its place is kept free so that the page does not jump."""
    content = figure.to_json()  # plotly escapes "<", so that no text can end the script element
    height = figure.layout.height or 400
    place = f'<div class="canvas" style="height: {height}px"></div><div class="signals"></div>'
    return f'<figure class="plot">{place}<script type="application/json">{content}</script></figure>'


def _table(table: Table) -> str:
    numbers = [not isinstance(cell, str) for cell in table.lines[0]] if table.lines else [False] * len(table.headings)
    head = "".join(_cell("th", heading, number) for heading, number in zip(table.headings, numbers, strict=True))
    body = "".join(_line(line, number in table.failed) for number, line in enumerate(table.lines))
    return f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _line(line: tuple[Cell, ...], failed: bool) -> str:
    cells = "".join(_cell("td", format_value(cell), not isinstance(cell, str)) for cell in line)
    return f'<tr class="fail">{cells}</tr>' if failed else f"<tr>{cells}</tr>"


def _cell(tag: str, text: str, is_number: bool) -> str:
    kind = ' class="number"' if is_number else ""
    return f"<{tag}{kind}>{html.escape(text)}</{tag}>"
