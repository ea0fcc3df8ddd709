"""``e4hil tester``: ask a control unit on a bus, and show its answers."""

import json as json_module
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.commands.console import output
from bench.tester.actions import Table, find_action, find_level, read_values, wanted
from bench.tester.link import TARGETS, Link, connected
from hil.bus import parse_bus_address
from hil.diagnostics.controller import NAME
from hil.diagnostics.lock import SECRET_FILE
from hil.errors import UsageError
from hil.state_directory import state_directory
from hil.toml_files import closest

THEN = "then"
WATCH = "watch"


def run(
    bus: str,
    words: list[str],
    target: str,
    unlock: str | None,
    key_file: Path | None,
    timeout: float,
    period: float,
    count: int | None,
    json: bool,
) -> None:
    """Do the actions that ``words`` name, one after another, on one connection. Raises UsageError."""
    if target not in TARGETS:
        raise UsageError(f'--target "{target}"{closest(target, TARGETS)}; there are {", ".join(TARGETS)}')

    def open_level(link: Link, level: str) -> None:
        link.unlock(find_level(level), key_file or state_directory(NAME) / SECRET_FILE)

    def look_on(link: Link, arguments: list[str]) -> Table:
        return watch(link, arguments, period, count, json)

    actions = [
        (look_on if part[0] == WATCH else find_action(part[0], open_level), part[1:]) for part in parts_of(words)
    ]  # before anything is sent
    if unlock:
        find_level(unlock)
    with connected(parse_bus_address(bus), TARGETS[target], timeout) as link:
        if unlock:
            open_level(link, unlock)
        for action, arguments in actions:
            show(action(link, arguments), json)


def parts_of(words: list[str]) -> list[list[str]]:
    """The words of each action. Raises UsageError if one has none."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            raise UsageError(f'unknown option "{word}"; e4hil tester --help lists them')
        if word == THEN:
            parts.append([])
        else:
            parts[-1].append(word)
    if not all(parts):
        raise UsageError("an action was expected, as read, dtcs or battery; e4hil tester --help lists them")
    return parts


def show(table: Table, json: bool) -> None:
    """Print what came of an action; one JSON object a line, so that several can be taken apart."""
    if json:
        if table.columns:
            rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            print(json_module.dumps({"title": table.title, "rows": rows}, ensure_ascii=False), flush=True)
    elif table.columns:
        output().print(_rich(table))


def watch(link: Link, words: list[str], period: float, count: int | None, json: bool) -> Table:
    """Show the values again and again, until Ctrl-C or ``count`` times; the last of them are given back."""
    from rich.live import Live

    chosen = wanted(link, words, "watch: expected identifiers, for example watch vehicle_speed.speed")
    table = read_values(link, chosen)
    looks = 1
    console = output()

    def go_on(tell: Callable[[Table], None]) -> None:
        nonlocal table, looks
        while count is None or looks < count:
            time.sleep(period)
            table = read_values(link, chosen)
            looks += 1
            tell(table)

    try:
        if json or not console.is_terminal:
            show(table, json)
            go_on(lambda table: show(table, json))
        else:
            with Live(_rich(table), console=console, auto_refresh=False) as live:
                go_on(lambda table: live.update(_rich(table), refresh=True))
    except KeyboardInterrupt:
        pass
    return Table("", (), [])


def _rich(table: Table) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        shown.add_column(column, overflow="fold")
    for row in table.rows:
        shown.add_row(*(escape(_text(value)) for value in row))
    if not table.rows:
        shown.caption = "none"
    return shown


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(_text(each) for each in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
