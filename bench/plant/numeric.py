"""The declaration of a parameter of the car."""

from math import nan

from firmware_model.kernel import Field, real


def parameter(unit: str, description: str, minimum: float, maximum: float, shape: tuple[int, ...] = ()) -> Field:
    """A value that every vehicle has to state: it has no default, and a forgotten one spreads as NaN."""
    return real(unit, description, default=nan, minimum=minimum, maximum=maximum, shape=shape)
