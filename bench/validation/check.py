"""What a check is: something that is done with a virtual car, the figures that are read from it, and the plots of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.comparison.track import Track
from bench.vehicles import Vehicle


class MissingError(Exception):
    """Something that a check needs is not here; says what, and how to get it."""


@dataclass(frozen=True)
class Lab:
    """Where checks are done: the track, and the folder with measured data, if there is one."""

    track: Track
    data: Path | None = None


@dataclass(frozen=True)
class Curve:
    """A line of a plot; what was measured on a real car is drawn apart."""

    name: str
    x: Any
    y: Any
    measured: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves over one axis, and a sentence that says what there is to see."""

    title: str
    text: str
    x_title: str
    y_title: str
    curves: Sequence[Curve]


@dataclass(frozen=True, eq=False)
class Subject:
    """What a check is done with: a car, and the charge of its pack [1] at the beginning."""

    vehicle: Vehicle
    charge: float

    @property
    def name(self) -> str:
        """How plots name it."""
        return f"{self.vehicle.name}, {100.0 * self.charge:g} % charge"


@dataclass(frozen=True)
class Check:
    """One check. ``run`` raises MissingError where it cannot be done; ``plots`` shows what it came to, for all its subjects."""

    name: str
    title: str
    run: Callable[[Lab, Subject], Any]
    plots: Callable[[Mapping[Subject, Any]], Sequence[Plot]] = lambda _: ()


@dataclass(frozen=True)
class Measure:
    """One figure that is read from what a check came to; ``note`` says more about it."""

    label: str
    unit: str
    check: Check
    of: Callable[[Any], float]
    note: Callable[[Any], str] = lambda _: ""
