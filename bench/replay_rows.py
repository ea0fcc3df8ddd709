"""The figures of a replay: of the recording, of the car in it, and of the controller that followed it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.replay import SOURCES, ReplayResult
from bench.rows import Row
from firmware_model.measurements import Constraint, Fault
from hil.decoding import Series
from hil.diagnostics.trouble_codes import code_name
from hil.integrity import MessageIntegrity

NO_INPUT = "no input"
INVALID = "invalid"
LEAST_CUT = 0.5  # [Nm] below it a cut is the resolution of the torque on the bus
MOST_LISTED = 12

KILO = 1e-3
MILLI = 1e3
PERCENT = 100.0
RPM = 60.0 / (2.0 * np.pi)

IDENTIFIER_COLUMNS = {  # key in JSON -> heading
    "bus": "bus",
    "identifier": "identifier",
    "message": "message",
    "frames": "frames",
    "period_ms": "period [ms]",
    "jitter_ms": "jitter [ms]",
    "shortest_ms": "shortest [ms]",
    "longest_ms": "longest [ms]",
    "crc_errors": "CRC errors",
    "frozen": "frozen",
    "lost": "lost",
    "other_length": "other length",
}


def replay_rows(result: ReplayResult) -> list[Row]:
    """All rows, in the order in which they are read."""
    return [
        *origin_rows(result),
        *integrity_rows(result),
        *car_rows(result),
        calibration_row(result),
        *controller_rows(result),
        *no_input_rows(result),
    ]


def identifier_cells(entry: MessageIntegrity) -> tuple[str | float | None, ...]:
    """A line under IDENTIFIER_COLUMNS. None: the message has nothing by which that could be seen."""
    timing, errors = entry.timing, entry.errors
    distances = (timing.period, timing.jitter, timing.shortest, timing.longest)
    return (
        entry.bus,
        entry.label,
        entry.name or (f"({entry.elsewhere})" if entry.elsewhere else "unknown"),
        entry.frames,
        *(None if np.isnan(distance) else MILLI * distance for distance in distances),
        errors.crc,
        errors.frozen,
        errors.lost,
        errors.length,
    )


# --- recording ------------------------------------------------------------------------------------------------------------


def origin_rows(result: ReplayResult) -> list[Row]:
    """What was read."""
    capture, network, detection = result.capture, result.network, result.detection
    date = f"recorded on {capture.start:%Y-%m-%d %H:%M:%S} UTC" if capture.start else ""
    found = f"detected by {detection.matches} of its {len(network.messages)} messages" if detection else "as named"
    channels = ", ".join(f"{channel}={bus}" for channel, bus in result.assignment.buses.items())
    left_out = sum(result.assignment.left_out.values())
    duration = float(capture.frames["time"][-1]) * 1e-9
    return [
        Row("format", capture.format, note=date),
        Row("network", network.name, note=f"{network.title}, {found}"),
        Row("channels", channels, note=f"{left_out} frames of other channels left out" if left_out else ""),
        Row("frames", len(capture.frames), "1"),
        Row("duration", duration, "s", note="" if capture.has_times else "assumed: the file has no times"),
        Row("clock jumps", len(capture.jumps), "1", note=_listed([f"{jump.seconds:+.3f} s" for jump in capture.jumps])),
    ]


def integrity_rows(result: ReplayResult) -> list[Row]:
    """How the frames arrived, all identifiers together."""
    unknown = [entry for entry in result.integrity if not entry.name]
    checked = [entry for entry in result.integrity if entry.errors.crc is not None]
    frames = sum(entry.frames - (entry.errors.length or 0) for entry in checked)
    wrong = sum(entry.errors.crc or 0 for entry in checked)
    share: float | str = PERCENT * (frames - wrong) / frames if frames else NO_INPUT
    rows = [
        Row("unknown identifiers", len(unknown), "1", note=_listed([entry.label for entry in unknown])),
        Row(
            "CRCs right",
            share,
            "%",
            "100",
            wrong == 0 if frames else None,
            f"{frames - wrong} of {frames} frames with CRC or sum",
        ),
        Row(
            "frozen counters",
            sum(entry.errors.frozen or 0 for entry in result.integrity),
            "1",
            note="frames whose counter stood still",
        ),
        Row(
            "frames lost",
            sum(entry.errors.lost or 0 for entry in result.integrity),
            "1",
            note="by gaps in the counters; loggers drop frames",
        ),
    ]
    odd = [entry for entry in result.integrity if entry.errors.length]
    if odd:
        total = sum(entry.errors.length or 0 for entry in odd)
        rows.append(Row("frames of another length", total, "1", note=_listed([entry.label for entry in odd])))
    return rows


# --- car ------------------------------------------------------------------------------------------------------------------


def car_rows(result: ReplayResult) -> Iterator[Row]:
    """What the car did: peaks over all frames."""
    recording, power = result.recording, result.battery_power
    for axle in result.axles or ["front"]:
        which = f"{axle} " if len(result.axles) > 1 else ""
        yield _torque_row(f"peak {which}motor torque requested", recording.requested(f"{axle}.motor_torque"))
        yield _torque_row(f"peak {which}motor torque delivered", recording.received(f"{axle}.motor_torque"))
        yield _row(f"peak {which}motor speed", recording.received(f"{axle}.motor_speed"), "rpm", np.max, RPM)
    yield _row("peak shaft power", result.shaft_power, "kW", _largest, KILO, "delivered torque times speed")
    yield _row("peak power out of the battery", power, "kW", _largest, KILO, "pack voltage times current")
    yield _row("peak power into the battery", power, "kW", lambda values: _largest(-values), KILO)
    yield _row("lowest pack voltage", result.battery("voltage"), "V", np.min)
    charge = recording.received("battery.state_of_charge")
    yield _row("state of charge at the end", charge, "%", lambda share: share[-1], PERCENT, _range_note(charge, "%", PERCENT))
    for axle in result.axles or ["front"]:
        codes = recording.received(f"{axle}_condition.trouble_code")
        if len(codes):
            heard = [f"{code_name(int(code))} at {time:.2f} s" for time, code in zip(codes.times, codes.values, strict=True)]
            yield Row(f"trouble codes of the {axle} inverter", len(heard), "1", note=_listed(heard))
    for direction in ("discharge", "charge"):
        limit = result.battery(f"{direction}_limit")
        yield _row(f"{direction} limit of the battery", limit, "kW", np.max, KILO, _range_note(limit, "kW", KILO))
        yield _share_row(f"{direction} limit used at most", result.limit_share(direction) if len(limit) else Series())


def _torque_row(name: str, torque: Series) -> Row:
    return _row(name, torque, "Nm", _largest, note=_braking_note(torque.values))


def _braking_note(torque: Any) -> str:
    braking = np.fmin.reduce(torque, initial=0.0)
    return f"braking {-braking:.4g} Nm" if braking < 0.0 else ""


def _share_row(name: str, share: Series) -> Row:
    row = _row(name, share, "%", np.max, PERCENT)
    if not isinstance(row.value, float):
        return row
    note = f"at {share.times[np.nanargmax(share.values)]:.2f} s" if row.value else "the power stays below 1 kW"
    return replace(row, note=note)


# --- controller -----------------------------------------------------------------------------------------------------------


def calibration_row(result: ReplayResult) -> Row:
    """Whose calibration ran."""
    note = f"{result.vehicle.title}: its motor and loss data, its pack's current and voltage limits"
    if result.vehicle.network != result.network.name:
        note += f"; the recording is of another generation ({result.network.generation or result.network.name})"
    return Row("controller: calibration", result.vehicle.name, note=note)


def controller_rows(result: ReplayResult) -> list[Row]:
    """What limiter, torque path and monitor make of the recording."""
    if result.missing:
        first = Row("controller: peak motor torque", NO_INPUT, note="it needs " + ", ".join(result.missing))
        names = ("peak predicted power", "lowest discharge limit", "lowest charge limit", "largest torque cut", "monitor trips")
        return [first, *(Row(f"controller: {name}", NO_INPUT) for name in names), _fault_row(result)]
    power = KILO * _largest(result.measured("power_budget.predicted_power"))
    return [
        *(_command_row(result, axle) for axle in result.axles),
        Row("controller: peak predicted power", power, "kW", note="that its command takes from the battery"),
        *(_limit_row(result, direction) for direction in ("discharge", "charge")),
        _cut_row(result),
        Row("controller: monitor trips", int(result.measured("torque_monitor.trips")[-1]), "1"),
        _fault_row(result),
    ]


def _command_row(result: ReplayResult, axle: str) -> Row:
    which = f"{axle} " if len(result.axles) > 1 else ""
    torque = result.commanded(f"{axle}.motor_torque")
    return Row(f"controller: peak {which}motor torque", _largest(torque), "Nm", note=_braking_note(torque))


def _limit_row(result: ReplayResult, direction: str) -> Row:
    """The lowest limit while the battery is trusted, and what set the limit for how long."""
    limit = result.measured(f"discharge_limiter.{direction}_limit")
    constraint = result.measured(f"discharge_limiter.{direction}_constraint")
    settled = ~np.isin(constraint, (Constraint.NO_VALID_LIMIT, Constraint.RISE_RATE))
    lowest = KILO * float(limit[settled].min()) if settled.any() else None
    return Row(f"controller: lowest {direction} limit", lowest, "kW", note="set by " + _time_shares(constraint))


def _cut_row(result: ReplayResult) -> Row:
    cut = result.torque_cut
    active = cut > LEAST_CUT
    if not active.any():
        return Row("controller: largest torque cut", 0, "Nm", note="the limiter leaves the whole request")
    note = f"in {PERCENT * active.mean():.3g} % of the time, when the limit is set by {_time_shares(result.binding[active])}"
    return Row("controller: largest torque cut", float(cut.max()), "Nm", note=note)


def _time_shares(constraints: Any) -> str:
    """How often each constraint binds, most often first."""
    counts = Counter(constraints.tolist()).most_common()
    return ", ".join(f"{words(Constraint(code).name)} {PERCENT * count / len(constraints):.3g} %" for code, count in counts)


def _fault_row(result: ReplayResult) -> Row:
    faults = result.measured("supervisor.faults")
    shares = {words(str(fault.name)): PERCENT * float(np.mean(faults & fault.value != 0)) for fault in Fault}
    active = [f"{name} {share:.3g} %" for name, share in shares.items() if share]
    return Row("controller: faults", len(active), "1", note="of the time: " + ", ".join(active) if active else "")


def no_input_rows(result: ReplayResult) -> list[Row]:
    """Every source of the controller that the recording does not have."""
    return [Row(source.name, NO_INPUT, note=source.without) for source in SOURCES if not source.is_in(result.recording)]


# --- helpers --------------------------------------------------------------------------------------------------------------


def _row(name: str, series: Series, unit: str, figure: Callable[[Any], Any], factor: float = 1.0, note: str = "") -> Row:
    """A figure of a signal's valid values."""
    if not len(series):
        return Row(name, NO_INPUT, unit)
    values = series.values[np.isfinite(series.values)]
    if not len(values):
        return Row(name, INVALID, unit, note="marked as invalid in every frame")
    return Row(name, factor * float(figure(values)), unit, note=note)


def _largest(values: Any) -> float:
    """The highest value, or zero where all are negative."""
    return max(0.0, float(np.max(values)))


def _range_note(series: Series, unit: str, factor: float) -> str:
    values = factor * series.values[np.isfinite(series.values)]
    return f"{values.min():.4g} to {values.max():.4g} {unit}" if len(values) and np.ptp(values) else ""


def words(name: str) -> str:
    """The name of an enumeration's member as words."""
    return name.replace("_", " ").lower()


def _listed(items: list[str]) -> str:
    """The items with commas, the first ones if they are many."""
    more = f" and {len(items) - MOST_LISTED} more" if len(items) > MOST_LISTED else ""
    return ", ".join(items[:MOST_LISTED]) + more
