"""``e4hil replay``: read a capture, follow it, judge, write."""

from pathlib import Path

from bench.commands.console import output, progress
from bench.live_view import CompileProgress
from bench.replay import CaptureReplay, ReplayResult
from bench.replay_rows import IDENTIFIER_COLUMNS, identifier_cells, replay_rows
from bench.rows import WIDE, Row, as_json, failed, format_value, print_table
from bench.vehicles import load_vehicle
from hil.captures import read_capture
from hil.errors import UsageError

TEXT_COLUMNS = ("bus", "identifier", "message")  # the others are numbers
NARROW_COLUMNS = ("bus", "identifier", "message", "frames", "period_ms", "jitter_ms", "crc_errors", "frozen", "lost")


def run(capture: Path, bus_config: list[str], vehicle: str, network: str | None, out: Path | None, json: bool) -> int:
    """Replay and report; returns the number of rows that miss their target."""
    buses = parse_bus_config(bus_config)
    replay = CaptureReplay(read_capture(capture), load_vehicle(vehicle), network, buses)
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    with CompileProgress(progress()):
        replay.compile()
    result = replay.result()
    rows = replay_rows(result)
    if out:
        _write(out, result, rows)
    _print_notes(result.notes)
    print(_as_json(result, rows)) if json else _print_tables(result, rows)
    if out:
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(rows))


def parse_bus_config(options: list[str]) -> dict[str, str]:
    """``--bus-config`` options as channel -> bus. Raises UsageError."""
    chosen: dict[str, str] = {}
    for option in options:
        channel, _, bus = option.rpartition("=")
        if not channel or not bus:
            raise UsageError(f"--bus-config {option}: expected CHANNEL=BUS, for example can0=front")
        if channel in chosen:
            raise UsageError(f"--bus-config {option}: the channel {channel} is named twice")
        chosen[channel] = bus
    return chosen


def _print_notes(notes: list[str]) -> None:
    from rich.markup import escape

    for note in notes:
        progress().print(f"[dim]{escape(note)}[/]")


def _print_tables(result: ReplayResult, rows: list[Row]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    console = output()
    print_table(console, result.capture.path.name, rows)
    table = Table(title="Identifiers", title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    shown = [key for key in IDENTIFIER_COLUMNS if console.width >= WIDE or key in NARROW_COLUMNS]
    for key in shown:
        heading = escape(IDENTIFIER_COLUMNS[key]).replace(" ", "\n")
        table.add_column(heading, justify="left" if key in TEXT_COLUMNS else "right", no_wrap=key != "message")
    for entry in result.integrity:
        cells = dict(zip(IDENTIFIER_COLUMNS, identifier_cells(entry), strict=True))
        table.add_row(*(format_value(cells[key]) for key in shown))
    console.print(table)


def _as_json(result: ReplayResult, rows: list[Row]) -> str:
    identifiers = [dict(zip(IDENTIFIER_COLUMNS, identifier_cells(entry), strict=True)) for entry in result.integrity]
    names = {"capture": str(result.capture.path), "network": result.network.name, "vehicle": result.vehicle.name}
    return as_json(result.capture.path.name, rows, **names, notes=result.notes, identifiers=identifiers)


def _write(out: Path, result: ReplayResult, rows: list[Row]) -> None:
    """Report, measurement and frames."""
    from bench.report.replay_report import write_replay_measurement, write_replay_report
    from hil.captures import write_blf, write_candump

    names = [bus.name for bus in result.network.buses]
    start = result.capture.start.timestamp() if result.capture.start else 0.0
    write_replay_measurement(out / "measurement.mf4", result)
    write_blf(out / "frames.blf", result.frames, names, start)
    write_candump(out / "frames.log", result.frames, names, start)
    write_replay_report(out / "report.html", result, rows)
