"""The small pieces that every control law and every plant model is built from.

Plain comparisons instead of ``min`` and ``max``: with them NaN behaves the same with and without the compiler, and stays NaN.
"""

from typing import Any

from firmware_model.kernel.jit import kernel

GRAVITY = 9.80665  # [m/s2] standard gravity
NEGLIGIBLE = 1e-15  # far below a physical meaning in any unit used here


@kernel
def clamp(value: float, lower: float, upper: float) -> float:
    """``value``, kept between ``lower`` and ``upper``."""
    if value < lower:
        return lower
    if value > upper:
        return upper
    return value


@kernel
def sign(value: float) -> float:
    """-1, 0 or 1; 0 for NaN."""
    if value > 0.0:
        return 1.0
    if value < 0.0:
        return -1.0
    return 0.0


@kernel
def deadband(value: float, width: float) -> float:
    """``value`` without the range of ``width`` on both sides of zero, free of steps."""
    return value - clamp(value, -width, width)


@kernel
def ramp(value: float, start: float, end: float) -> float:
    """0 at ``start``, 1 at ``end`` (which may be the lower one), linear between and held outside; a step if they coincide."""
    if start == end:
        return 1.0 if value >= end else 0.0
    return clamp((value - start) / (end - start), 0.0, 1.0)


@kernel
def flush(value: float) -> float:
    """``value``, or zero if it is negligible.

    What decays exponentially ends among the denormal numbers, with which a processor is a hundred times slower.
    """
    return 0.0 if abs(value) < NEGLIGIBLE else value


@kernel
def lag(value: float, target: float, time_constant: float, dt: float) -> float:
    """First-order lag: ``value`` one step of ``dt`` [s] nearer to ``target``.

    Implicit Euler: stable for every ``time_constant`` [s], zero included.
    """
    return flush(value + (target - value) * dt / (time_constant + dt))


@kernel
def slew(value: float, target: float, fall: float, rise: float, dt: float) -> float:
    """``target``, as far as rates of ``fall`` and ``rise`` [1/s, both positive] reach from ``value`` in ``dt`` [s]."""
    return clamp(target, value - fall * dt, value + rise * dt)


@kernel
def interpolate(points: Any, values: Any, x: float) -> float:
    """Curve through ``values`` at the ascending ``points``, read at ``x``; its ends are held."""
    if x <= points[0]:
        return values[0]
    for k in range(1, len(points)):
        if x <= points[k]:
            return values[k - 1] + (values[k] - values[k - 1]) * (x - points[k - 1]) / (points[k] - points[k - 1])
    return values[len(points) - 1] if x == x else x


@kernel
def interpolate_surface(rows: Any, columns: Any, values: Any, y: float, x: float) -> float:
    """Surface through ``values[row, column]`` at the ascending ``rows`` and ``columns``, read at ``y`` and ``x``.

    Bilinear; its edges are held.
    """
    i, v = segment(rows, y)
    k, u = segment(columns, x)
    below = values[i, k] + u * (values[i, k + 1] - values[i, k])
    above = values[i + 1, k] + u * (values[i + 1, k + 1] - values[i + 1, k])
    return below + v * (above - below)


@kernel
def segment(points: Any, x: float) -> tuple[int, float]:
    """Where ``x`` lies among the ascending ``points``: the point before it, and the share of the way to the next one."""
    k = 0
    while k < len(points) - 2 and x > points[k + 1]:
        k += 1
    return k, clamp((x - points[k]) / (points[k + 1] - points[k]), 0.0, 1.0)


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


@kernel
def slope_at_position(curve: Any, position: float) -> float:
    """Rise of an equally spaced ``curve`` (n,) from point to point, where ``position`` lies; that of its ends outside."""
    last = len(curve) - 2
    i = int(position) if position > 0.0 else 0
    if i > last:
        i = last
    return curve[i + 1] - curve[i]
