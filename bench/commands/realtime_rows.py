"""How a run in real time kept its time, and how it went on its buses: rows for every command that runs in real time."""

import math
from typing import Any

from bench.rows import Row, bounded
from hil.histogram import mean, percentile
from hil.realtime import RealtimeBench


def loop_rows(bench: RealtimeBench) -> list[Row]:
    """How well the loops kept their time. A machine without a real-time kernel may slip: told, not judged."""
    rows = []
    for name, loop in bench.statistics.items():
        rows += [
            Row(f"{name} loop: cycle slips", int(loop.cycle_slips), "1", note=f"of {int(loop.periods)} periods"),
            _time_row(f"{name} loop: wake-up latency", loop.latency),
            _time_row(f"{name} loop: execution", loop.execution),
        ]
    return rows


def bus_rows(bench: RealtimeBench) -> list[Row]:
    """Load of each bus in the last second, how far frames were off their grid, and what went wrong."""
    rows = []
    for station, bus, load, deviation in bench.bus_figures:
        name = bus if len(bench.stations) == 1 else f"{station}, {bus}"
        rows.append(Row(f"{name}: bus load", 100.0 * load, "%"))
        late = None if math.isnan(deviation) else 1e3 * deviation
        rows.append(Row(f"{name}: off the grid, p99", late, "ms", note="" if late is not None else "no frame was sent"))
    rows.append(bounded("own frames of others", bench.foreign_frames, "1", maximum=0))
    rows += [Row("bus", "see note", note=problem) for problem in bench.problems]
    return rows + [Row("run", "failed", "", "no error", False, error) for error in bench.errors]


def _time_row(name: str, histogram: Any) -> Row:
    note = f"p99 {percentile(histogram, 0.99) * 1e-3:.0f} µs, worst {histogram.worst * 1e-3:.0f} µs"
    return Row(name, mean(histogram) * 1e-3, "µs", note=note)
