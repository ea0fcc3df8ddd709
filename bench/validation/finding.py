"""One published figure of a real car, and what the virtual one makes of it."""

import math
from dataclasses import dataclass

from bench.rows import SMALLEST, Row, format_value

LEVELS = {
    "A": "measured by an instrument or a regulator",
    "B": "told by the maker or the press",
    "C": "derived",
}
USUAL_CHARGE = 0.93  # [1] as in the recorded full-throttle drives of a LEAF e+
ROUNDING = 1.0 + 1e-9  # a difference that equals its tolerance passes


@dataclass(frozen=True)
class Published:
    """A figure of a real car: one entry of ``published.toml``, whose head says what the keys mean."""

    row: int
    vehicle: str
    measure: str
    value: float
    tolerance: float
    level: str
    source: str
    charge: float = USUAL_CHARGE
    most: bool = False


@dataclass(frozen=True)
class Finding(Row):
    """The row of a published figure; JSON has all of this."""

    row: int = 0
    vehicle: str = ""
    published: float = math.nan
    difference: float | None = None
    tolerance: float = math.nan
    level: str = ""
    source: str = ""
    most: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table says of it: figure, published, simulated, difference, tolerance, unit, level."""
        published = f"≤ {format_value(self.published)}" if self.most else format_value(self.published)
        tolerance = "" if self.most else f"± {format_value(self.tolerance)}"
        unit = "" if self.unit == "1" else self.unit
        return (self.name, published, format_value(self.value), signed(self.difference), tolerance, unit, self.level)

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "pass", False: "FAIL", None: "not run"}[self.passed]


def signed(difference: float | None) -> str:
    """A difference as people read it."""
    if difference is None:
        return "–"
    return "0" if abs(difference) < SMALLEST else f"{difference:+.3g}"


def judged(target: Published, label: str, unit: str, simulated: float, note: str) -> Finding:
    """The finding on ``target`` named ``label``; a figure that there is not (NaN) misses it."""
    if math.isnan(simulated):
        return _finding(target, label, unit, None, None, False, note)
    difference = float(simulated) - target.value
    passed = difference <= 0.0 if target.most else abs(difference) <= target.tolerance * ROUNDING
    return _finding(target, label, unit, float(simulated), difference, passed, note)


def not_run(target: Published, label: str, unit: str, why: str) -> Finding:
    """The finding on a ``target`` for which something is missing here: neither passed nor failed."""
    return _finding(target, label, unit, None, None, None, f"not run: {why}")


def _finding(
    target: Published, label: str, unit: str, value: float | None, difference: float | None, passed: bool | None, note: str
) -> Finding:
    wanted = format_value(target.value)
    wanted = f"≤ {wanted}" if target.most else f"{wanted} ± {format_value(target.tolerance)}"
    charge = "" if target.charge == USUAL_CHARGE else f", {100.0 * target.charge:g} % charge"
    return Finding(
        f"{target.vehicle}: {label}{charge}", value, unit, wanted, passed, note,
        row=target.row, vehicle=target.vehicle, published=target.value, difference=difference, tolerance=target.tolerance,
        level=target.level, source=target.source, most=target.most,
    )  # fmt: skip
