"""Result rows: what every reporting command prints, writes as JSON, and is judged by."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SMALLEST = 5e-4  # no figure here has a unit in which less than this means anything to people; JSON has every digit
OURS = "this controller"  # heads the values of rows that have others beside them
WIDE = 110  # [columns] from here on a terminal has room for the notes beside their rows


@dataclass(frozen=True)
class Row:
    """One figure of a result. ``passed`` is None where nothing is demanded of it."""

    name: str
    value: float | str | None
    unit: str = ""
    target: str = ""
    passed: bool | None = None
    note: str = ""
    beside: Mapping[str, float | str | None] = field(default_factory=dict)  # the same figure of others, by their names


def bounded(
    name: str, value: float, unit: str, *, minimum: float | None = None, maximum: float | None = None, note: str = ""
) -> Row:
    """A figure that must lie between two bounds; NaN lies between none."""
    parts = [f"≥ {minimum:g}"] if minimum is not None else []
    parts += [f"≤ {maximum:g}"] if maximum is not None else []
    if not parts:
        return Row(name, value, unit, note=note)
    low = minimum is None or value >= minimum
    high = maximum is None or value <= maximum
    return Row(name, value, unit, " and ".join(parts), bool(low and high), note)


def failed(rows: Iterable[Row]) -> list[Row]:
    """The rows that miss their target."""
    return [row for row in rows if row.passed is False]


def beside_names(rows: Iterable[Row]) -> list[str]:
    """The names of all others whose figures stand beside those of the rows, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row.beside))


def as_json(title: str, rows: list[Row], **more: Any) -> str:
    """One JSON object: title, ``rows``, and whatever else the command tells. A value that is not a number becomes null."""
    return json.dumps({"title": title, "rows": [_json_row(row) for row in rows], **more}, indent=2, ensure_ascii=False)


def _json_row(row: Row) -> dict[str, Any]:
    fields = asdict(row)
    fields["value"] = _json_value(row.value)
    beside = {name: _json_value(value) for name, value in fields.pop("beside").items()}
    return {**fields, "beside": beside} if beside else fields


def _json_value(value: float | str | None) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_value(value: float | str | None) -> str:
    """A figure as people read it: as format_number, and nothing if it is as good as that."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, str):
        return value
    return "0" if abs(value) < SMALLEST else format_number(value)


def format_number(value: float) -> str:
    """A number as people read it: four significant digits, whole numbers whole; a small one is told, as of calibration values."""
    if value == round(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def format_other(row: Row, name: str) -> str:
    """The figure of another one beside a row; empty where there is none."""
    return format_value(row.beside[name]) if name in row.beside else ""


def print_table(console: Any, title: str, rows: list[Row]) -> None:
    """Print rows as a table on a rich console. On a narrow one, notes stand below the table."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    wide = console.width >= WIDE
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("target")
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("note", style="dim")
    for row in rows:
        verdict = "" if row.passed is None else "[green]pass[/]" if row.passed else "[bold red]FAIL[/]"
        unit = "" if row.unit == "1" else row.unit
        cells = [escape(row.name), escape(format_value(row.value)), unit, escape(row.target), verdict]
        table.add_row(*cells, *([escape(row.note)] if wide else []))
    console.print(table)
    if not wide:
        for row in rows:
            if row.note:
                console.print(f"[dim]{escape(row.name)}: {escape(row.note)}[/]")
