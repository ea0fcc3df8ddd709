"""Conversion between the units on the bus and the SI units inside."""

from math import pi

from hil.errors import UsageError

# unit string in a DBC -> (SI unit as the records name it, factor)
TO_SI: dict[str, tuple[str, float]] = {
    "": ("1", 1.0),
    "1": ("1", 1.0),
    "%": ("1", 0.01),
    "V": ("V", 1.0),
    "mV": ("V", 1e-3),
    "A": ("A", 1.0),
    "W": ("W", 1.0),
    "kW": ("W", 1e3),
    "Wh": ("J", 3600.0),
    "kWh": ("J", 3.6e6),
    "J": ("J", 1.0),
    "Nm": ("Nm", 1.0),
    "rpm": ("rad/s", 2.0 * pi / 60.0),
    "deg": ("rad", pi / 180.0),
    "deg/s": ("rad/s", pi / 180.0),
    "rad": ("rad", 1.0),
    "rad/s": ("rad/s", 1.0),
    "km/h": ("m/s", 1.0 / 3.6),
    "m/s": ("m/s", 1.0),
    "m/s2": ("m/s2", 1.0),
    "m/s^2": ("m/s2", 1.0),
    "g": ("m/s2", 9.80665),
    "bar": ("Pa", 1e5),
    "kPa": ("Pa", 1e3),
    "Pa": ("Pa", 1.0),
    "degC": ("degC", 1.0),
    "°C": ("degC", 1.0),
    "s": ("s", 1.0),
    "ms": ("s", 1e-3),
}


def factor_to_si(unit: str, wanted: str, where: str) -> float:
    """Factor from a DBC unit to the SI unit ``wanted``. Raises UsageError, naming ``where``, if they do not fit."""
    if unit not in TO_SI:
        raise UsageError(f'{where}: unit "{unit}" is not known; use one of {", ".join(sorted(TO_SI))}')
    si, factor = TO_SI[unit]
    if si != wanted:
        raise UsageError(f'{where}: unit "{unit}" cannot become "{wanted}", the unit of the controller\'s signal')
    return factor
