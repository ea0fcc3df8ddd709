"""What a manoeuvre comes to: rows of figures side by side, and the drives that the report shows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.comparison.contenders import FIXED_SPLIT, THIS, Contender
from bench.comparison.track import Trace, Track
from bench.rows import Row, bounded, format_value

BOUND = "bound"  # the heading under which a row tells what no controller can surpass

Figures = Mapping[Contender, float]


@dataclass(frozen=True)
class Signal:
    """One plot over time in which the traces of all contenders lie over each other."""

    title: str
    name: str  # of a trace; "sideslip" is one, too
    factor: float = 1.0
    reference: str = ""  # a signal of this controller's trace that is drawn dashed


# What there is to see of a car that is steered.
CORNERING_SIGNALS = (
    Signal("steering wheel [°]", "steering", math.degrees(1.0)),
    Signal("yaw rate [°/s]", "yaw_rate", math.degrees(1.0), reference="yaw_rate_reference"),
    Signal("lateral acceleration [m/s²]", "lateral_acceleration"),
    Signal("sideslip angle [°]", "sideslip", math.degrees(1.0)),
    Signal("speed [km/h]", "speed", 3.6),
)


@dataclass(frozen=True)
class Overlay:
    """Plots over time, the traces of the contenders in each."""

    title: str
    text: str
    traces: Mapping[Contender, Trace]
    signals: tuple[Signal, ...]
    window: tuple[float, float] | None = None  # [s] that is shown at first


@dataclass(frozen=True)
class LanePlot:
    """Ways over ground between cones, seen from above."""

    title: str
    text: str
    traces: Mapping[Contender, Trace]
    labels: Mapping[Contender, str]
    cones: Any  # float64 (n, 2) [m]
    outline: Callable[[Trace], Sequence[Any]]  # the ways of the corners of the car


@dataclass(frozen=True)
class AmplitudePlot:
    """Figures over an amplitude: title and, by contender, points (x, y); a limit as a line."""

    title: str
    text: str
    axis: str
    panels: tuple[tuple[str, Mapping[Contender, Sequence[tuple[float, float]]], float], ...]  # name, points, limit


@dataclass(frozen=True)
class BatteryPlots:
    """What the battery comparison found, for its own plots."""

    results: Any


Plot = Overlay | LanePlot | AmplitudePlot | BatteryPlots


@dataclass(frozen=True)
class Result:
    """Rows and plots of one manoeuvre."""

    rows: list[Row]
    plots: list[Plot]


@dataclass(frozen=True)
class Manoeuvre:
    """One manoeuvre of the comparison."""

    name: str
    title: str
    drives: int  # about how many it takes, for the progress bar
    run: Callable[[Track], Result]


def compared(row: Row, figures: Figures, bound: float | None = None) -> Row:
    """``row`` with the ``figures`` of the other contenders beside it, and with what is possible at all."""
    beside: dict[str, float | str | None] = {
        contender.name: value for contender, value in figures.items() if contender is not THIS
    }
    if bound is not None:
        beside[BOUND] = bound
    return replace(row, beside=beside)


def told(name: str, figures: Figures, unit: str, note: str = "", bound: float | None = None) -> Row:
    """A figure of which nothing is demanded."""
    return compared(Row(name, figures[THIS], unit, note=note), figures, bound)


def below(name: str, figures: Figures, unit: str, maximum: float, note: str = "", bound: float | None = None) -> Row:
    """A figure that must not exceed ``maximum``."""
    return compared(explained(bounded(name, figures[THIS], unit, maximum=maximum, note=note), maximum), figures, bound)


def above(name: str, figures: Figures, unit: str, minimum: float, note: str = "", bound: float | None = None) -> Row:
    """A figure that must reach ``minimum``."""
    return compared(explained(bounded(name, figures[THIS], unit, minimum=minimum, note=note), minimum), figures, bound)


def explained(row: Row, limit: float) -> Row:
    """``row`` with a word on how far it misses its ``limit``, if it does."""
    if row.passed is not False:
        return row
    if not isinstance(row.value, float) or math.isnan(row.value):
        return with_miss(row, "there is no such figure, for the car did not get so far")
    return with_miss(row, f"by {format_value(abs(row.value - limit))} {row.unit}")


def less(
    name: str,
    figures: Figures,
    unit: str,
    share: float,
    note: str = "",
    bound: float | None = None,
    than: Contender = FIXED_SPLIT,
) -> Row:
    """A figure that must be lower than that of another contender by a ``share`` [1] of it."""
    ours, theirs, other = figures[THIS], figures[than], than.name.split()[0]
    target = f"≤ {100.0 * (1.0 - share):g} % of {other}" if share else f"≤ {other}"
    row = Row(name, ours, unit, target, bool(ours <= (1.0 - share) * theirs), note)
    return compared(row if row.passed else with_miss(row, change(ours, theirs, other)), figures, bound)


def with_miss(row: Row, words: str) -> Row:
    """``row`` with a note that says in ``words`` what is missing."""
    return replace(row, note="; ".join(part for part in (f"missed: {words}", row.note) if part))


def change(ours: float, theirs: float, other: str = "(a)") -> str:
    """How much more or less ``ours`` is than ``theirs``, in words."""
    if theirs == 0.0:
        return f"{other} has none"
    percent = 100.0 * (ours / theirs - 1.0)
    return f"{abs(percent):.1f} % {'more' if percent > 0.0 else 'less'} than {other}"


def under(conditions: str, rows: Sequence[Row], lateral_acceleration: float = 0.0) -> list[Row]:
    """The rows with their ``conditions`` and the highest ``lateral_acceleration`` [m/s2] at the end of their notes."""
    stated = f"{conditions}, {lateral_acceleration:.1f} m/s² lateral"
    return [replace(row, note="; ".join(part for part in (row.note, stated) if part)) for row in rows]
