"""Small numerics that the parts of the car share, and the declaration of a parameter."""

from math import nan
from typing import Any

from firmware_model.kernel import Field, kernel, real
from firmware_model.kernel.math import lag

NEGLIGIBLE = 1e-15  # far below a physical meaning in any unit used here


def parameter(unit: str, description: str, minimum: float, maximum: float, shape: tuple[int, ...] = ()) -> Field:
    """A value that every vehicle has to state: it has no default, and a forgotten one spreads as NaN."""
    return real(unit, description, default=nan, minimum=minimum, maximum=maximum, shape=shape)


@kernel
def flush(value: float) -> float:
    """``value``, or zero if it is negligible.

    What decays exponentially ends among the denormal numbers, with which a processor is a hundred times slower.
    """
    return 0.0 if abs(value) < NEGLIGIBLE else value


@kernel
def follow(value: float, target: float, time_constant: float, dt: float) -> float:
    """First-order lag of ``time_constant`` [s], one step of ``dt`` [s], that ends at zero when the target is zero."""
    return flush(lag(value, target, time_constant, dt))


@kernel
def at_position(curve: Any, position: float) -> float:
    """Value of an equally spaced ``curve`` (n,) at ``position``, counted in points from 0; its ends are held."""
    last = len(curve) - 1
    if position <= 0.0:
        return curve[0]
    if position >= last:
        return curve[last]
    i = int(position) if position > 0.0 else 0  # NaN falls through to point 0 and comes out as NaN
    return curve[i] + (position - i) * (curve[i + 1] - curve[i])
