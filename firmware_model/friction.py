"""Friction: the highest coefficient that the road can be believed to have, for the wheels of either side.

What the tyres carry now is a lower bound for it, sqrt(a_x^2 + a_y^2) / g. An upper bound shows only where a tyre gives less than
its stiffness promises:

    across   a pair with F = C alpha / sqrt(1 + (C alpha / mu F_z)^2):   mu F_z = F C alpha / sqrt((C alpha)^2 - F^2)
    along    a wheel that slips while slip control holds its axle:       mu F_z = sqrt(F_x^2 + F_y^2)

where F_x is half of what the road takes from the axle, for the differential is open, less the wheel's brake. The estimate falls
quickly to such a bound, and comes back slowly while nothing confirms it. Cornering tells about both sides, slip about one.
"""

from math import sqrt
from typing import Any

from firmware_model import tyre_load
from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, lag
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def estimate(dt: float, inputs: Any, speed: float, state: Any, calibration: Any) -> float:
    """Friction coefficient [1], mean of both sides, after a step of ``dt`` [s] at ``speed`` [m/s].

    ``state`` is the controller's whole state; the coefficients of left and right go into ``state.friction``.
    """
    c, load, slip, friction = calibration.friction, state.tyre_load, state.wheel_slip, state.friction
    front, rear, both = calibration.front, calibration.rear, _shown_by_cornering(speed, state, calibration)
    half_front, half_rear = 0.5 * state.driveline.front.road_torque, 0.5 * state.driveline.rear.road_torque
    front_left = _shown_by_slip(FRONT_LEFT, half_front, slip.front, slip.front_left, load, front, c)
    front_right = _shown_by_slip(FRONT_RIGHT, half_front, slip.front, slip.front_right, load, front, c)
    rear_left = _shown_by_slip(REAR_LEFT, half_rear, slip.rear, slip.rear_left, load, rear, c)
    rear_right = _shown_by_slip(REAR_RIGHT, half_rear, slip.rear, slip.rear_right, load, rear, c)
    friction.left = _follow(dt, friction.left, _lowest(both, front_left, rear_left), c)
    friction.right = _follow(dt, friction.right, _lowest(both, front_right, rear_right), c)
    if inputs.motion_trusted:
        a_x, a_y = load.longitudinal_acceleration, load.lateral_acceleration
        missing = sqrt(a_x * a_x + a_y * a_y) / GRAVITY - 0.5 * (friction.left + friction.right)
        if missing > 0.0:
            friction.left = clamp(friction.left + missing, c.minimum, c.maximum)
            friction.right = clamp(friction.right + missing, c.minimum, c.maximum)
    return 0.5 * (friction.left + friction.right)


@kernel
def of_wheel(wheel: int, friction: Any) -> float:
    """Friction coefficient [1] under a ``wheel``; ``friction`` is the state of this module."""
    return friction.left if wheel in (FRONT_LEFT, REAR_LEFT) else friction.right


@kernel
def _follow(dt: float, before: float, shown: float, c: Any) -> float:
    """The estimate [1] after ``before``, with an upper bound ``shown`` (the highest there is, if none is)."""
    coefficient = lag(before, shown, c.fall_time_constant, dt) if shown < before else before + c.recovery_rate * dt
    return clamp(coefficient, c.minimum, c.maximum)


@kernel
def _lowest(a: float, b: float, c: float) -> float:
    lowest = a if a < b else b
    return lowest if lowest < c else c


@kernel
def _shown_by_cornering(speed: float, state: Any, calibration: Any) -> float:
    """Friction [1] that the weaker of the axles shows in a curve; the highest there is, if none does."""
    c, vehicle, load, angles = calibration.friction, calibration.vehicle, state.tyre_load, state.sideslip
    if speed < c.cornering_speed_min:
        return c.maximum
    promised = vehicle.front_cornering_stiffness * angles.front_angle
    front = _shown_by_pair(load.front_lateral_force, promised, tyre_load.axle_load(load, True), c)
    promised = vehicle.rear_cornering_stiffness * angles.rear_angle
    rear = _shown_by_pair(load.rear_lateral_force, promised, tyre_load.axle_load(load, False), c)
    return front if front < rear else rear


@kernel
def _shown_by_pair(force: float, linear: float, vertical: float, c: Any) -> float:
    """Friction [1] that a tyre pair shows whose stiffness would give ``linear`` [N] and which gives ``force`` [N]."""
    f, promised = abs(force), abs(linear)
    loaded = vertical > 0.0 and promised >= c.cornering_force_share * vertical
    if not loaded or force * linear <= 0.0 or f > c.linear_share * promised:
        return c.maximum
    return f * promised / (sqrt(promised * promised - f * f) * vertical)


@kernel
def _shown_by_slip(wheel: int, torque: float, axle_slip: Any, wheel_slip: Any, load: Any, axle: Any, c: Any) -> float:
    """Friction [1] that one wheel shows, driven by a ``torque`` [Nm], while slip control holds its axle.

    The highest there is, if it does not slip itself.
    """
    vertical = load.vertical_force[wheel]
    if not axle_slip.active or vertical <= 0.0 or abs(wheel_slip.slip) < c.slip_share * axle_slip.target:
        return c.maximum
    along = (torque - wheel_slip.torque) / axle.wheel_radius
    across = load.lateral_force[wheel]
    return sqrt(along * along + across * across) / vertical
