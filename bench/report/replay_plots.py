"""The plots of a replay: what the car did, what its real controller wanted, and what ours makes of it.

Grey is what the real controller wanted, purple what ours says, red what the battery allows; everything else is what the car did.
A signal that was not recorded is not drawn, but named below the heading of its section.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from bench.replay import ReplayResult
from bench.replay_rows import IDENTIFIER_COLUMNS, KILO, MILLI, PERCENT, RPM, identifier_cells, words
from bench.report.bus_plots import LOAD_WINDOW, bus_load
from bench.report.extra import import_extra
from bench.report.html import Cell, Section, Table
from bench.report.time_plot import (
    CAR,
    DRIVER,
    EXTRA,
    FRONT,
    LIMIT,
    OTHER,
    PALETTE,
    REAR,
    Band,
    Line,
    Shade,
    Track,
    flag_band,
    labels_of,
    time_figure,
)
from firmware_model.measurements import Constraint, Fault
from firmware_model.signals import Gear, HighVoltage
from hil.decoding import NANO, Series
from hil.frames import bytes_from_payload
from hil.integrity import GAP, MessageIntegrity

SILENCE = 10.0  # periods without a frame: a curve ends there instead of running on
BIN = 0.1  # [ms] of the distances from frame to frame
SHOWN_SHARE = 99.9  # [%] of all distances that the first view shows
ROW_HEIGHT = 19  # [px] of an identifier
MOTOR_COLOURS = {"front": FRONT, "rear": REAR}
POWER_STATUS = {1: ("normal", CAR), 2: ("high rate", OTHER), 3: ("immediate limit", LIMIT)}
LIMIT_REASON = {1: ("capacity", OTHER), 2: ("battery fault", LIMIT), 3: ("hot", REAR), 4: ("cold", FRONT)}


@dataclass(frozen=True)
class ReplaySignals:
    """Curves of a replay over the time of the recording."""

    result: ReplayResult

    def received(self, name: str, path: str, colour: str, *, factor: float = 1.0, dash: str = "solid") -> Line:
        """What inverter or battery reported."""
        return series_line(name, self.result.recording.received(path), colour, factor, dash)

    def battery(self, name: str, signal: str, colour: str, *, factor: float = 1.0, dash: str = "solid") -> Line:
        """Voltage, current or a limit of the pack."""
        return series_line(name, self.result.battery(signal), colour, factor, dash)

    def requested(self, name: str, path: str, colour: str, *, factor: float = 1.0, dash: str = "dash") -> Line:
        """What the real controller wanted."""
        return series_line(name, self.result.recording.requested(path), colour, factor, dash)

    def measured(self, name: str, path: str, *, factor: float = 1.0, dash: str = "solid", colour: str = EXTRA) -> Line:
        """What our controller says; nothing if it could not follow the recording."""
        return self._ours(name, self.result.measured(path), factor, dash, colour)

    def estimated(self, name: str, path: str, *, factor: float = 1.0, dash: str = "solid") -> Line:
        """What our limiter learns; zero is what it says before it knows anything."""
        line = self.measured(name, path, factor=factor, dash=dash)
        return replace(line, values=np.where(line.values == 0.0, np.nan, line.values))

    def commanded(self, name: str, path: str, *, dash: str = "solid") -> Line:
        """What our controller commands."""
        return self._ours(name, self.result.commanded(path), 1.0, dash, EXTRA)

    def _ours(self, name: str, values: Any, factor: float, dash: str, colour: str) -> Line:
        if self.result.missing:
            return Line(name, np.zeros(0), np.zeros(0), colour, dash)
        return Line(name, self.result.samples["time"], factor * values, colour, dash)

    def received_state(self, name: str, path: str, labels: dict[int, tuple[str, str]]) -> Band:
        """A state that inverter or battery reported."""
        return series_band(name, self.result.recording.received(path), labels)

    def requested_state(self, name: str, path: str, labels: dict[int, tuple[str, str]]) -> Band:
        """A state that the real controller sent."""
        return series_band(name, self.result.recording.requested(path), labels)


def series_line(name: str, series: Series, colour: str, factor: float = 1.0, dash: str = "solid") -> Line:
    """A recorded signal as a curve, with a gap where it was silent for long."""
    times, values = series.times, factor * series.values
    distances = np.diff(times)
    if len(distances):
        silent = np.flatnonzero(distances > SILENCE * np.median(distances)) + 1
        times, values = np.insert(times, silent, times[silent]), np.insert(values, silent, np.nan)
    return Line(name, times, values, colour, dash)


def series_band(name: str, series: Series, labels: dict[int, tuple[str, str]]) -> Band:
    """A recorded state as a strip, empty where its code has no name."""
    return Band(name, series.times, np.nan_to_num(series.values, nan=-1.0).astype(np.int64), labels)


def section(title: str, text: str, tracks: Sequence[Track], bands: Sequence[Band] = ()) -> Section:
    """A section with all that has values; what has none is named."""
    lines = [line for track in tracks for line in track.lines]
    absent = list(
        dict.fromkeys([line.name for line in lines if not len(line.times)] + [b.name for b in bands if not len(b.times)])
    )
    invalid = [line.name for line in lines if len(line.times) and not np.isfinite(line.values).any()]
    text += f" No input: {', '.join(absent)}." if absent else ""
    text += f" Marked as invalid throughout: {', '.join(invalid)}." if invalid else ""
    drawn = [replace(track, lines=tuple(line for line in track.lines if np.isfinite(line.values).any())) for track in tracks]
    drawn = [track for track in drawn if track.lines]
    strips = [band for band in bands if len(band.times)]
    return Section(title, text, time_figure(drawn, strips) if drawn or strips else None)


def replay_sections(result: ReplayResult) -> list[Section]:
    """All sections of a replay's report."""
    signals = ReplaySignals(result)
    return [
        *(torque_section(signals, axle) for axle in result.axles or ["front"]),
        power_section(signals),
        motor_section(signals),
        battery_section(signals),
        temperature_section(signals),
        state_section(signals),
        identifier_section(result),
        *unknown_sections(result),
        jitter_section(result),
        load_section(result),
        *note_sections(result),
    ]


# --- signals --------------------------------------------------------------------------------------------------------------


def torque_section(signals: ReplaySignals, axle: str) -> Section:
    """Torque of one motor: wanted, commanded by ours, delivered; and between which limits."""
    torque = Track(
        "motor torque [Nm]",
        (
            signals.requested("car's request", f"{axle}.motor_torque", DRIVER),
            signals.received("delivered torque", f"{axle}.motor_torque", MOTOR_COLOURS[axle]),
            signals.commanded("our command", f"{axle}.motor_torque", dash="dot"),
        ),
        height=240,
        include=(-10.0, 10.0),
    )
    limits = Track(
        "torque limits [Nm]",
        (
            signals.requested("car's upper limit", f"{axle}.torque_limit_upper", DRIVER, dash="solid"),
            signals.commanded("our upper limit", f"{axle}.torque_limit_upper"),
            signals.commanded("our lower limit", f"{axle}.torque_limit_lower"),
            signals.requested("car's lower limit", f"{axle}.torque_limit_lower", DRIVER, dash="solid"),
        ),
    )
    title = "Torque" if len(signals.result.axles) < 2 else f"Torque of the {axle} motor"
    return section(
        title,
        "The torque that the car's own controller requested is the driver's demand to ours. Our command differs where our "
        "limiter, torque rates or monitor hold it back. The torque limits are what each controller tells the inverter.",
        (torque, limits),
    )


def power_section(signals: ReplaySignals) -> Section:
    """Power of the pack between the battery's limits and ours, and what sets ours."""
    result = signals.result
    power = result.battery_power
    share = [
        series_line(f"share of the {direction} limit", result.limit_share(direction), colour, PERCENT)
        for direction, colour in (("discharge", CAR), ("charge", OTHER))
    ]
    tracks = (
        Track(
            "power of the pack [kW]",
            (
                signals.battery("battery's discharge limit", "discharge_limit", LIMIT, factor=KILO, dash="dash"),
                signals.measured("our discharge limit", "discharge_limiter.discharge_limit", factor=KILO),
                series_line("power of the pack", power, CAR, KILO),
                signals.measured("our predicted power", "power_budget.predicted_power", factor=KILO, dash="dot"),
                signals.measured("our charge limit", "discharge_limiter.charge_limit", factor=-KILO),
                signals.battery("battery's charge limit", "charge_limit", LIMIT, factor=-KILO, dash="dash"),
            ),
            _beyond_limits(result),
            height=260,
        ),
        Track("share of the battery's limit [%]", tuple(share), height=110, include=(0.0, 100.0)),
        Track(
            "left of the request by our limiter [%]",
            (signals.measured("our torque factor", "power_budget.torque_factor", factor=PERCENT),),
            height=80,
            include=(0.0, 100.0),
        ),
    )
    return section(
        "Power and its limits",
        "Pack voltage times current, positive in discharge, beside the limits that the battery sent and those that our limiter "
        "forms from them; red where the car was beyond the battery's. The strips say which constraint sets our limits.",
        tracks,
        _constraint_bands(result),
    )


def _beyond_limits(result: ReplayResult) -> tuple[Shade, ...]:
    """Where the car took or gave more than the battery allowed."""
    power = result.battery_power
    values = KILO * power.values
    shades = []
    for direction, sign in (("discharge", 1.0), ("charge", -1.0)):
        limit = sign * KILO * result.battery(f"{direction}_limit").at(power.times)
        if np.any(sign * values > sign * limit):
            known = np.where(np.isnan(limit), values, limit)
            beyond = np.where(sign * values > sign * known, values, known)
            shades.append(Shade(power.times, np.fmin(known, beyond), np.fmax(known, beyond)))
    return tuple(shades)


def _constraint_bands(result: ReplayResult) -> list[Band]:
    if result.missing:
        return []
    labels = {code: (name.lower(), colour) for code, (name, colour) in labels_of(Constraint).items()}
    return [
        Band(f"{direction} set by", result.samples["time"], result.measured(f"discharge_limiter.{direction}_constraint"), labels)
        for direction in ("discharge", "charge")
    ]


def motor_section(signals: ReplaySignals) -> Section:
    """Speed and shaft power."""
    axles = signals.result.axles or ["front"]
    speeds = [signals.received(f"{axle} motor speed", f"{axle}.motor_speed", MOTOR_COLOURS[axle], factor=RPM) for axle in axles]
    shaft = series_line("shaft power", signals.result.shaft_power, CAR, KILO)
    return section(
        "Motor",
        "Speed as the inverter reports it, and delivered torque times speed.",
        (Track("motor speed [rpm]", tuple(speeds)), Track("shaft power [kW]", (shaft,), height=120, include=(-5.0, 5.0))),
    )


def battery_section(signals: ReplaySignals) -> Section:
    """Voltage, current, charge, cells; and the limiter's idea of the pack."""
    voltages = [signals.battery("pack voltage", "voltage", CAR)]
    voltages += [
        signals.received(f"DC link of the {axle} inverter", f"{axle}.dc_voltage", MOTOR_COLOURS[axle], dash="dot")
        for axle in signals.result.axles
    ]
    voltages.append(signals.estimated("our open-circuit estimate", "discharge_limiter.open_circuit_voltage", dash="dash"))
    cells = [
        signals.received(f"{name} cell", f"battery.cell_voltage_{name}", colour)
        for name, colour in (("highest", OTHER), ("average", CAR), ("lowest", LIMIT))
    ]
    tracks = (
        Track("voltage [V]", tuple(voltages)),
        Track("current [A]", (signals.battery("pack current", "current", CAR),), height=120, include=(-5.0, 5.0)),
        Track(
            "state of charge [%]",
            (signals.received("state of charge", "battery.state_of_charge", CAR, factor=PERCENT),),
            height=80,
        ),
        Track("cell voltage [V]", tuple(cells), height=100),
        Track(
            "pack resistance [mΩ]",
            (signals.estimated("our resistance estimate", "discharge_limiter.resistance", factor=MILLI),),
            height=80,
        ),
    )
    text = "The pack as its controller reports it, current positive in discharge; and what our limiter learns from it."
    return section("Battery", text, tracks)


def temperature_section(signals: ReplaySignals) -> Section:
    """Pack, motor, inverter."""
    pack = [
        signals.received(f"{name} of the pack", f"battery.temperature_{end}", colour)
        for name, end, colour in (
            ("warmest part", "highest", LIMIT),
            ("average", "average", CAR),
            ("coldest part", "lowest", FRONT),
        )
    ]
    drives = []
    for axle in signals.result.axles:
        colour = MOTOR_COLOURS[axle]
        drives.append(signals.received(f"{axle} motor", f"{axle}.motor_temperature", colour))
        drives.append(signals.received(f"{axle} power stage", f"{axle}.inverter_temperature", colour, dash="dot"))
    return section(
        "Temperatures",
        "As battery and inverter report them.",
        (Track("pack temperature [°C]", tuple(pack), height=110), Track("motor temperature [°C]", tuple(drives), height=110)),
    )


def state_section(signals: ReplaySignals) -> Section:
    """States that were recorded, and what our supervisor and monitor say."""
    yes = {1: ("yes", CAR)}
    recorded = [
        signals.requested_state("gear", "power.gear", _named(Gear)),
        signals.requested_state("high voltage", "power.high_voltage", _named(HighVoltage)),
        signals.requested_state("READY", "power.ready", yes),
        signals.requested_state("brake pressed", "power.brake_pressed", {1: ("yes", REAR)}),
        signals.received_state("main relay closed", "battery.relay_closed", yes),
        signals.received_state("interlock closed", "battery.interlock", yes),
        signals.received_state("power status of the battery", "battery.power_status", POWER_STATUS),
        signals.received_state("why the battery limits", "battery.limit_reason", LIMIT_REASON),
    ]
    monitor = Track(
        "torque monitor [Nm]",
        (
            signals.measured("highest that our monitor allows", "torque_monitor.allowed_upper", colour=LIMIT, dash="dash"),
            signals.measured("our torque command", "torque_monitor.commanded"),
            signals.measured("lowest that our monitor allows", "torque_monitor.allowed_lower", colour=LIMIT, dash="dash"),
        ),
        height=110,
        include=(-10.0, 10.0),
    )
    return section(
        "States and faults",
        "What our torque monitor allows beside what our torque path commands; then what the car's own control units said, and "
        "below it what our controller says.",
        (monitor,),
        [*recorded, *_our_bands(signals.result)],
    )


def _our_bands(result: ReplayResult) -> list[Band]:
    times, faults = result.samples["time"], result.measured("supervisor.faults")
    return [
        flag_band("torque permitted", times, result.measured("supervisor.torque_permitted"), CAR),
        flag_band("torque monitor tripped", times, result.measured("torque_monitor.tripped"), LIMIT),
        *(
            flag_band(f"fault: {words(str(fault.name))}", times, faults & fault.value != 0, LIMIT)
            for fault in Fault
            if np.any(faults & fault.value)
        ),
    ]


def _named(states: type[IntEnum]) -> dict[int, tuple[str, str]]:
    return {code: (name.lower(), colour) for code, (name, colour) in labels_of(states).items()}


# --- frames ---------------------------------------------------------------------------------------------------------------


def identifier_section(result: ReplayResult) -> Section:
    """Every identifier, how regularly it came, and what was wrong with it."""
    return Section(
        "Identifiers",
        f"The period is the median distance from frame to frame, jitter its standard deviation without gaps of more than {GAP:g} "
        "periods. A frozen counter stood still from one frame to the next; lost frames are told by gaps in the counter. In "
        "brackets: not of this bus, but of another one of the network.",
        table=Table(tuple(IDENTIFIER_COLUMNS.values()), tuple(identifier_cells(entry) for entry in result.integrity)),
    )


def unknown_sections(result: ReplayResult) -> list[Section]:
    """What can be said about the frames that nobody can decode."""
    unknown = [entry for entry in result.integrity if not entry.name]
    if not unknown:
        return []
    headings = ("bus", "identifier", "frames", "payloads", "bytes that change", "first payload", "last payload")
    text = (
        "Identifiers that the network does not have on their bus: how many different payloads, and which of their bytes change."
    )
    return [Section("Unknown identifiers", text, table=Table(headings, tuple(_unknown_line(result, entry) for entry in unknown)))]


def _unknown_line(result: ReplayResult, entry: MessageIntegrity) -> tuple[Cell, ...]:
    frames = _frames_of(result, entry)
    payloads = [bytes_from_payload(payload, length) for payload, length in zip(frames["payload"], frames["length"], strict=True)]
    shortest = min(len(payload) for payload in payloads)
    changing = [place for place in range(shortest) if len({payload[place] for payload in payloads}) > 1]
    first, last = payloads[0].hex(" ").upper(), payloads[-1].hex(" ").upper()
    return (entry.bus, entry.label, entry.frames, len(set(payloads)), " ".join(map(str, changing)) or "none", first, last)


def _frames_of(result: ReplayResult, entry: MessageIntegrity) -> Any:
    frames = result.frames
    bus = result.network.bus(entry.bus).index
    return frames[(frames["bus"] == bus) & (frames["identifier"] == entry.identifier) & (frames["kind"] & 1 == entry.extended)]


def jitter_section(result: ReplayResult) -> Section:
    """How far from regular the frames came."""
    figure = import_extra("plotly.graph_objects").Figure()
    late = [(entry, _lateness(result, entry)) for entry in result.integrity if np.isfinite(entry.timing.jitter)]
    for entry, values in late:
        steps, counts = np.unique(np.round(values / BIN), return_counts=True)
        figure.add_scatter(
            x=(steps * BIN).astype(np.float32),
            y=[f"{entry.label}  {entry.name or 'unknown'}"] * len(steps),
            customdata=counts,
            mode="markers",
            marker={"size": 3.0 + 3.0 * np.log10(counts), "color": FRONT if entry.name else DRIVER, "opacity": 0.75},
            hovertemplate="%{x:+.1f} ms: %{customdata} frames<extra>%{y}</extra>",
            showlegend=False,
        )
    everything = np.abs(np.concatenate([np.ones(1), *(values for _, values in late)]))
    widest = 1.25 * float(np.percentile(everything, SHOWN_SHARE))
    figure.update_layout(
        height=ROW_HEIGHT * len(late) + 70,
        margin={"l": 210, "r": 20, "t": 10, "b": 44},
        xaxis={"title": {"text": "later than its period [ms]"}, "range": (-widest, widest)},
        yaxis={"autorange": "reversed", "ticks": ""},
    )
    return Section(
        "Regularity of the frames",
        f"How much later or earlier than its median period each frame came after the one before, in steps of {BIN:g} ms. The "
        "larger a dot, the more frames (three times as large for a hundred times as many). The rare ones beyond the edges appear "
        f"on a double click; gaps of more than {GAP:g} periods are in the table above.",
        figure,
    )


def _lateness(result: ReplayResult, entry: MessageIntegrity) -> Any:
    """Distances from frame to frame beyond the period [ms], gaps left out."""
    distances = np.diff(_frames_of(result, entry)["time"] * NANO)
    return MILLI * (distances[distances < GAP * entry.timing.period] - entry.timing.period)


def load_section(result: ReplayResult) -> Section:
    """Load of every recorded bus."""
    lines = []
    for name, colour in zip(result.assignment.buses.values(), PALETTE, strict=False):
        times, load = bus_load(result.frames, result.network.bus(name))
        lines.append(Line(name, times, PERCENT * load, colour))
    return section(
        "Bus load",
        f"Share of the time in which a bus is busy with the recorded frames, averaged over {LOAD_WINDOW:g} s, with the most "
        "stuffing that can happen.",
        [Track("bus load [%]", tuple(lines), include=(0.0, 50.0))],
    )


def note_sections(result: ReplayResult) -> list[Section]:
    """What was put right, left out or assumed."""
    if not result.notes:
        return []
    return [
        Section(
            "Notes", "What was put right, left out or assumed.", table=Table(("note",), tuple((note,) for note in result.notes))
        )
    ]
