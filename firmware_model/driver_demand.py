"""Driver demand: pedals and shifter to wanted longitudinal force.

The accelerator chooses between the force of lift-off and full force, both curves over speed:

    F = F_lift(v) + s(pedal) (F_full(v) - F_lift(v))

so that lifting off regenerates and somewhere above it the car coasts. The brake pedal asks for a deceleration.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, interpolate, ramp
from firmware_model.signals import Gear


@kernel
def direction(gear: int) -> float:
    """1 in a forward gear, -1 in reverse, 0 in a gear that drives nothing."""
    if gear == Gear.DRIVE or gear == Gear.BRAKE:
        return 1.0
    return -1.0 if gear == Gear.REVERSE else 0.0


@kernel
def braking_force(brake: float, calibration: Any) -> float:
    """Braking force [N] that the ``brake`` pedal [1] wants."""
    c = calibration.driver_demand
    return calibration.vehicle.mass * interpolate(c.brake_points, c.brake_deceleration, brake)


@kernel
def acceleration_force(accelerator: float, gear: int, speed: float, f_brake: float, calibration: Any) -> float:
    """Force [N, positive forward] that the ``accelerator`` pedal [1] wants in ``gear`` at ``speed`` [m/s].

    ``f_brake`` [N] is what the brake pedal wants at the same time.
    """
    c = calibration.driver_demand
    share = interpolate(c.pedal_points, c.pedal_share, accelerator)
    if gear == Gear.REVERSE:
        return -_force_in_gear(-speed, c.reverse_share * share, c.force_lift_off_drive, c.speed_max_reverse, f_brake, calibration)
    if gear == Gear.DRIVE:
        return _force_in_gear(speed, share, c.force_lift_off_drive, c.speed_max, f_brake, calibration)
    if gear == Gear.BRAKE:
        return _force_in_gear(speed, share, c.force_lift_off_brake, c.speed_max, f_brake, calibration)
    return 0.0


@kernel
def _force_in_gear(v: float, share: float, lift_off: Any, v_max: float, f_brake: float, calibration: Any) -> float:
    """Force [N] in the direction of the gear, in which the car moves at ``v`` [m/s], for a pedal ``share`` [1]."""
    c = calibration.driver_demand
    f_lift = _creep_force(v, f_brake, c) - interpolate(c.speed_points, lift_off, v)
    f_full = interpolate(c.speed_points, c.force_full, v)
    # The limiter ends the driving at top speed; it does not brake.
    f_limit = clamp(_road_load(v, calibration.vehicle) + c.speed_limiter_gain * (v_max - v), 0.0, f_full)
    force = f_lift + share * (f_full - f_lift)
    return force if force < f_limit else f_limit


@kernel
def _creep_force(v: float, f_brake: float, c: Any) -> float:
    """Force [N] with which the car creeps at ``v`` [m/s]; a foot on the brake holds it back."""
    return c.creep_force * ramp(f_brake, c.creep_release_force, 0.0) * ramp(v, c.creep_speed, 0.0)


@kernel
def _road_load(v: float, vehicle: Any) -> float:
    """Rolling and air resistance [N] on the level at ``v`` [m/s]."""
    return vehicle.road_load_constant + vehicle.road_load_linear * v + vehicle.road_load_quadratic * v * v
