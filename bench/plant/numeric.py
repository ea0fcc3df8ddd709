"""Small numerics that the parts of the car share, and the declaration of a parameter."""

from math import nan
from typing import Any

from firmware_model.kernel import Field, kernel, real


def parameter(unit: str, description: str, minimum: float, maximum: float, shape: tuple[int, ...] = ()) -> Field:
    """A value that every vehicle has to state: it has no default, and a forgotten one spreads as NaN."""
    return real(unit, description, default=nan, minimum=minimum, maximum=maximum, shape=shape)


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
