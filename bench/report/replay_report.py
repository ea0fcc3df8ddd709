"""The report of a replay, and its measurement."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.replay import FOLLOWER, NOT_RUN, ReplayResult
from bench.report.html import write_report
from bench.report.measurement import Group, write_mf4
from bench.report.replay_plots import replay_sections
from bench.rows import Row
from hil.decoding import DecodedMessage

NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)  # MF4 must have one


def write_replay_report(target: Path, result: ReplayResult, rows: list[Row]) -> None:
    """Write the report to ``target`` (HTML). Raises UsageError if plotly is missing or the file cannot be written."""
    capture = result.capture
    details = {
        "format": capture.format,
        "frames": str(len(capture.frames)),
        "network": result.network.name,
        "calibration": result.vehicle.name,
    }
    if capture.start:
        details["recorded"] = f"{capture.start:%Y-%m-%d %H:%M:%S} UTC"
    subtitle = f"A recording of a {result.network.title}, and what the controller makes of it"
    write_report(target, capture.path.name, subtitle, rows, replay_sections(result), details=details)


def write_replay_measurement(target: Path, result: ReplayResult) -> None:
    """Write all decoded signals, at the times of their frames, and what the controller computed to ``target`` (MF4).

    Raises UsageError if asammdf is missing or the file cannot be written.
    """
    comment = f"{result.capture.path.name}, replayed with {result.vehicle.name}"
    if not result.capture.start:
        comment += "; the recording holds no date"
    write_mf4(
        target,
        result.samples,
        (FOLLOWER,),
        left_out=NOT_RUN,
        groups=(group for decoded in result.recording.messages for group in _groups(decoded)),
        comment=comment,
        start=result.capture.start or NO_DATE,
    )


def _groups(decoded: DecodedMessage) -> Iterator[Group]:
    """The signals of a message; those that take turns in it, each on the times of its own turns."""
    message = decoded.bus_message.message
    name = f"{decoded.bus_message.bus}.{message.name}"
    turns = dict.fromkeys(signal.multiplexer_ids for signal in message.signals)
    for turn in turns:
        signals = {signal.name: decoded.signals[signal.name] for signal in message.signals if signal.multiplexer_ids == turn}
        times = next(iter(signals.values())).times
        if len(times):
            values = {key: (series.values, series.unit) for key, series in signals.items()}
            which = f", {message.multiplexer} {' or '.join(map(str, turn))}" if turn else ""
            yield Group(name, f"0x{message.identifier:X} on {decoded.bus_message.bus}{which}", times, values)
