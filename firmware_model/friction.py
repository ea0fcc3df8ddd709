"""Friction: the highest coefficient that the road can be believed to have, for the wheels of either side.

What the tyres carry now is a lower bound for it, sqrt(a_x^2 + a_y^2) / g. An upper bound shows only where a tyre gives less force
F than the linear one P that its stiffness promises; of a tyre with F = P / sqrt(1 + (P / mu F_z)^2) it is

    mu F_z = F P / sqrt(P^2 - F^2)

    across   of both tyres of an axle, P_y = C alpha; beside a longitudinal force F_x, force and slip have one direction, so that
             P / F = P_y / F_y, and mu F_z is that of the lateral parts times F / F_y
    along    of a wheel that slips while slip control holds it, P = C_s s F_z; what cornering takes of its friction comes on top

The estimate falls quickly to such a bound. It comes back slowly while nothing confirms it, and faster while the tyres use nearly
all of it and do not slip. Cornering tells about both sides, slip about one; where that one is slippery, the other is no dry road
either until it has shown so.
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
    left_shown = _lower(
        _shown_by_slip(FRONT_LEFT, slip.front, slip.front.left, load, front, calibration),
        _shown_by_slip(REAR_LEFT, slip.rear, slip.rear.left, load, rear, calibration),
    )
    right_shown = _lower(
        _shown_by_slip(FRONT_RIGHT, slip.front, slip.front.right, load, front, calibration),
        _shown_by_slip(REAR_RIGHT, slip.rear, slip.rear.right, load, rear, calibration),
    )
    fl, rl = (
        _used(FRONT_LEFT, slip.front.left, load, front, calibration),
        _used(REAR_LEFT, slip.rear.left, load, rear, calibration),
    )
    fr, rr = (
        _used(FRONT_RIGHT, slip.front.right, load, front, calibration),
        _used(REAR_RIGHT, slip.rear.right, load, rear, calibration),
    )
    left_before, right_before = friction.left, friction.right
    friction.left = _follow(dt, left_before, both, left_shown, _lower(fl, rl), c)
    friction.right = _follow(dt, right_before, both, right_shown, _lower(fr, rr), c)
    if right_shown < right_before:
        friction.left = _doubt(friction.left, friction.right + c.side_difference, _higher(fl, rl))
    if left_shown < left_before:
        friction.right = _doubt(friction.right, friction.left + c.side_difference, _higher(fr, rr))
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
def _follow(dt: float, before: float, across: float, along: float, used: float, c: Any) -> float:
    """The estimate [1] after ``before``, with upper bounds shown ``across`` and ``along`` (the highest there is, if none is).

    So much is in use as ``used`` [1].
    """
    friction = before
    if across < friction:
        friction = lag(friction, across, c.cornering_time_constant, dt)
    if along < friction:
        friction = lag(friction, along, c.slip_time_constant, dt)
    if friction == before:
        friction *= 1.0 + dt * (c.tested_rate if used > c.tested_share * before else c.recovery_rate)
    return clamp(friction, c.minimum, c.maximum)


@kernel
def _doubt(friction: float, most: float, used: float) -> float:
    """``friction`` [1] of the side beside a slippery one: no more than ``most`` [1], unless more is in use."""
    return _lower(friction, _higher(most, used))


@kernel
def _lower(a: float, b: float) -> float:
    return a if a < b else b


@kernel
def _higher(a: float, b: float) -> float:
    return a if a > b else b


@kernel
def _shown_by_cornering(speed: float, state: Any, calibration: Any) -> float:
    """Friction [1] that the weaker of the axles shows in a curve; the highest there is, if none does."""
    c, vehicle, load, angles, slip = calibration.friction, calibration.vehicle, state.tyre_load, state.sideslip, state.wheel_slip
    if speed < c.cornering_speed_min:
        return c.maximum
    promised = vehicle.front_cornering_stiffness * angles.front_angle
    along = _longitudinal(slip.front) / calibration.front.wheel_radius
    front = _shown_by_pair(load.front_lateral_force, along, promised, tyre_load.axle_load(load, True), c)
    promised = vehicle.rear_cornering_stiffness * angles.rear_angle
    along = _longitudinal(slip.rear) / calibration.rear.wheel_radius
    rear = _shown_by_pair(load.rear_lateral_force, along, promised, tyre_load.axle_load(load, False), c)
    return front if front < rear else rear


@kernel
def _longitudinal(axle_slip: Any) -> float:
    """Torque [Nm] that the road takes of both wheels of an axle, whatever its signs: one may brake while the other drives."""
    return abs(axle_slip.left.shaft.road_torque) + abs(axle_slip.right.shaft.road_torque)


@kernel
def _shown_by_pair(force: float, along: float, linear: float, vertical: float, c: Any) -> float:
    """Friction [1] that a tyre pair shows whose stiffness would give ``linear`` [N] across and which gives ``force`` [N].

    ``along`` [N] is the sum of its longitudinal forces, whatever their signs.
    """
    if force * linear <= 0.0 or abs(linear) < c.cornering_force_share * vertical:
        return c.maximum
    limit = _limit(abs(force), abs(linear), c) * sqrt(1.0 + (along / force) * (along / force))
    return limit / vertical if 0.0 < limit < c.maximum * vertical else c.maximum


@kernel
def _limit(force: float, promised: float, c: Any) -> float:
    """Highest force [N] of a tyre that gives ``force`` where its stiffness has ``promised`` another; 0 if it shows none."""
    if force > c.linear_share * promised:
        return 0.0
    return force * promised / sqrt(promised * promised - force * force)


@kernel
def _shown_by_slip(wheel: int, axle_slip: Any, wheel_slip: Any, load: Any, axle: Any, calibration: Any) -> float:
    """Friction [1] that one wheel shows while slip control holds it by its motor or by its brake.

    The highest there is, if it does not slip itself.
    """
    c, vertical, slip = calibration.friction, load.vertical_force[wheel], abs(wheel_slip.slip)
    held = axle_slip.active or wheel_slip.spins or wheel_slip.locks
    if not held or vertical <= 0.0 or slip < c.slip_share * axle_slip.target:
        return c.maximum
    if wheel_slip.slip * wheel_slip.shaft.road_torque <= 0.0:  # a force along the slip: the speed over ground is wrong
        return c.maximum
    rolling = axle.wheel_radius * wheel_slip.shaft.speed
    if rolling < calibration.vehicle_speed.standstill_speed:  # its brake holds it, with who knows how much to spare
        return c.maximum
    faster = rolling if wheel_slip.slip > 0.0 else rolling + slip
    promised = calibration.vehicle.slip_stiffness * vertical * (slip / faster if faster > slip else 1.0)
    along = _limit(abs(wheel_slip.shaft.road_torque) / axle.wheel_radius, promised, c)
    across = load.lateral_force[wheel]
    return sqrt(along * along + across * across) / vertical if along > 0.0 else c.maximum


@kernel
def _used(wheel: int, wheel_slip: Any, load: Any, axle: Any, calibration: Any) -> float:
    """Friction [1] that the force of one wheel makes use of; what the road does to a standing one is not known."""
    vertical, rolling = load.vertical_force[wheel], axle.wheel_radius * wheel_slip.shaft.speed
    if vertical <= 0.0 or rolling < calibration.vehicle_speed.standstill_speed:
        return 0.0
    along = wheel_slip.shaft.road_torque / axle.wheel_radius
    across = load.lateral_force[wheel]
    return sqrt(along * along + across * across) / vertical
