"""What the buses carried: load over time, and how regularly every message came."""

from typing import Any

import numpy as np

from bench.drive import DriveResult
from bench.report.html import Cell, Section, Table
from bench.report.time_plot import CAR, EXTRA, FRONT, LIMIT, OTHER, PALETTE, REAR, Line, Track, time_figure
from hil.frames import FrameFlags
from hil.network.database import Network, NetworkBus
from hil.wire import frame_bits

LOAD_WINDOW = 0.1  # [s] over which load is averaged
COLOURS = {"front": FRONT, "rear": REAR, "chassis": EXTRA}
NANO = 1e-9
MILLI = 1e-6  # from [ns] to [ms]


def bits_on_wire(frames: Any) -> Any:
    """Bits that each frame takes at most, stuffing and interframe space included."""
    extended = frames["kind"] & FrameFlags.EXTENDED
    shapes, inverse = np.unique(np.stack([frames["length"], extended]), axis=1, return_inverse=True)
    bits = np.array([frame_bits(int(length), int(kind)) for length, kind in shapes.T])
    return bits[inverse]


def bus_load(frames: Any, bus: NetworkBus) -> tuple[Any, Any]:
    """Middle [s] of every window since power-on, and the share [1] of it in which the ``bus`` is busy."""
    own = frames[frames["bus"] == bus.index]
    if not len(frames):
        return np.zeros(0), np.zeros(0)
    windows = int(frames["time"][-1] * NANO / LOAD_WINDOW) + 1
    number = (own["time"] * NANO / LOAD_WINDOW).astype(np.int64)
    bits = np.bincount(number, bits_on_wire(own) if len(own) else None, windows)
    # The last window is not full.
    return (np.arange(windows - 1) + 0.5) * LOAD_WINDOW, bits[:-1] / (bus.bitrate * LOAD_WINDOW)


def load_section(result: DriveResult, begin: float) -> Section:
    """Load of every bus over the scenario's time, which begins ``begin`` [s] after power-on."""
    lines = []
    spare = iter((CAR, OTHER, LIMIT, *PALETTE * 2))
    for bus in result.network.buses:
        times, load = bus_load(result.frames, bus)
        lines.append(Line(bus.name, times - begin, 100.0 * load, COLOURS.get(bus.name) or next(spare)))
    last = float(result.samples["time"][-1]) - begin
    window = (-1.0, last) if last > 0.0 else None
    return Section(
        "Bus load",
        f"Share of the time in which each bus is busy, averaged over {LOAD_WINDOW:g} s, with the most stuffing that can happen.",
        time_figure([Track("bus load [%]", tuple(lines), include=(0.0, 50.0))], window=window, grey_until=0.0),
    )


def frame_section(result: DriveResult) -> Section:
    """Every message: how often it came, and how regularly."""
    headings = ("bus", "identifier", "message", "sent by", "frames", "period [ms]", "mean [ms]", "least [ms]", "most [ms]")
    return Section(
        "Frames",
        "All messages of the network, with the time from one frame to the next as it was on the wire.",
        table=Table(headings, tuple(_frame_lines(result.frames, result.network))),
    )


def _frame_lines(frames: Any, network: Network) -> list[tuple[Cell, ...]]:
    lines: list[tuple[Cell, ...]] = []
    for bus in network.buses:
        own = frames[frames["bus"] == bus.index]
        for bus_message in bus.messages:
            message = bus_message.message
            extended = (own["kind"] & FrameFlags.EXTENDED) == message.extended
            times = own["time"][(own["identifier"] == message.identifier) & extended]
            identifier = f"0x{message.identifier:0{8 if message.extended else 3}X}"
            gaps = np.diff(times) * MILLI if len(times) > 1 else np.array([np.nan])
            lines.append(
                (
                    *(bus.name, identifier, message.name, bus_message.role, len(times), message.period * MILLI),
                    *(float(gaps.mean()), float(gaps.min()), float(gaps.max())),
                )
            )
    return lines
