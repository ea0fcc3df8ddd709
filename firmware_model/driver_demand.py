"""Driver demand: pedals, shifter, drive mode and e-Pedal to wanted longitudinal force.

Each drive mode has a map of force over pedal position and speed, whose released pedal regenerates as in D. The map says which
share s of the way from the released to the floored pedal a position is worth; B and the e-Pedal put a stronger lift-off in:

    s = (F(p, v) - F(0, v)) / (F(1, v) - F(0, v))        F_wanted = F_lift(v) + s (F(1, v) - F_lift(v))

so that lifting off regenerates and somewhere above it the car coasts. Modes, B and the e-Pedal are blended over some time: to
change one moves the force smoothly to the other map. The brake pedal asks for a deceleration.

What the e-Pedal brakes is braking force, as if it came from the brake pedal: motors first, and friction for all that they
cannot do, which is everything at standstill and with a full battery. It brings the car to rest and holds it there; the hold
lets go in the measure in which the accelerator's force takes the car over, so that it does not roll back on a hill.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, interpolate, interpolate_surface, lag, ramp, slew
from firmware_model.signals import DriveMode, Gear


@kernel
def demand(
    dt: float, inputs: Any, gear: int, speed: float, state: Any, measurements: Any, calibration: Any
) -> tuple[float, float]:
    """Force of the accelerator [N, positive forward], and braking force of brake pedal and e-Pedal [N, never negative].

    ``inputs`` (QualifiedInputs), the engaged ``gear``, ``speed`` over ground [m/s]; ``dt`` [s] since the last time.
    """
    c = calibration.driver_demand
    _blend(dt, inputs, gear, state, c)
    f_pedal = braking_force(inputs.brake, calibration)
    d = direction(gear)
    force = _force_in_gear(inputs.accelerator, d, d * speed, f_pedal, state, calibration) if d != 0.0 else 0.0
    f_e = -state.e_pedal_share * force if force < 0.0 else 0.0
    hold = _hold(dt, force, gear, speed, inputs.e_pedal, state, c)
    measurements.force = d * (force + f_e)
    measurements.braking_force = f_pedal + (hold if hold > f_e else f_e)
    measurements.hold_force = hold
    return measurements.force, measurements.braking_force


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
def _blend(dt: float, inputs: Any, gear: int, state: Any, c: Any) -> None:
    """Move the shares of the maps towards mode, gear and e-Pedal; lags keep the sum of the modes' shares at 1."""
    for mode in range(len(state.mode_share)):
        chosen = 1.0 if inputs.drive_mode == mode else 0.0
        state.mode_share[mode] = lag(state.mode_share[mode], chosen, c.mode_time_constant, dt)
    state.brake_range_share = lag(state.brake_range_share, 1.0 if gear == Gear.BRAKE else 0.0, c.mode_time_constant, dt)
    state.e_pedal_share = lag(state.e_pedal_share, 1.0 if inputs.e_pedal else 0.0, c.mode_time_constant, dt)


@kernel
def _force_in_gear(accelerator: float, d: float, v: float, f_brake: float, state: Any, calibration: Any) -> float:
    """Force [N] in the direction ``d`` of the gear, in which the car moves at ``v`` [m/s]; negative where it is to slow down."""
    c = calibration.driver_demand
    f_released, f_full = _mapped_force(0.0, v, state, c), _mapped_force(1.0, v, state, c)
    share = 0.0
    if f_full > f_released:
        share = (_mapped_force(accelerator, v, state, c) - f_released) / (f_full - f_released)
    v_max = c.speed_max
    if d < 0.0:
        share *= c.reverse_share
        v_max = c.speed_max_reverse
    f_lift = _lift_off_force(f_released, v, f_brake, state, c)
    # The limiter ends the driving at top speed; it does not brake.
    f_limit = clamp(_road_load(v, calibration.vehicle) + c.speed_limiter_gain * (v_max - v), 0.0, f_full)
    force = f_lift + share * (f_full - f_lift)
    return force if force < f_limit else f_limit


@kernel
def _mapped_force(pedal: float, v: float, state: Any, c: Any) -> float:
    """Force [N] of the maps at ``pedal`` [1] and ``v`` [m/s], each with its share."""
    share = state.mode_share
    force = 0.0
    if share[DriveMode.STANDARD] > 0.0:
        force += share[DriveMode.STANDARD] * interpolate_surface(c.pedal_points, c.speed_points, c.force_standard, pedal, v)
    if share[DriveMode.SPORT] > 0.0:
        force += share[DriveMode.SPORT] * interpolate_surface(c.pedal_points, c.speed_points, c.force_sport, pedal, v)
    if share[DriveMode.ECO] > 0.0:
        force += share[DriveMode.ECO] * interpolate_surface(c.pedal_points, c.speed_points, c.force_eco, pedal, v)
    if share[DriveMode.SNOW] > 0.0:
        force += share[DriveMode.SNOW] * interpolate_surface(c.pedal_points, c.speed_points, c.force_snow, pedal, v)
    return force


@kernel
def _lift_off_force(f_released: float, v: float, f_brake: float, state: Any, c: Any) -> float:
    """Force [N] with the accelerator released: of the map, of B where that is stronger, or of the e-Pedal; and creeping."""
    gain = 0.0
    for mode in range(len(state.mode_share)):
        gain += state.mode_share[mode] * c.lift_off_gain[mode]
    f_range = -gain * interpolate(c.speed_points, c.force_lift_off_brake, v)
    f_e = -gain * interpolate(c.speed_points, c.force_lift_off_e_pedal, v)
    force = f_released
    if f_range < force:
        force += state.brake_range_share * (f_range - force)
    force += _creep_force(v, f_brake, c)
    return force + state.e_pedal_share * (f_e - force)


@kernel
def _creep_force(v: float, f_brake: float, c: Any) -> float:
    """Force [N] with which the car creeps at ``v`` [m/s]; a foot on the brake holds it back."""
    return c.creep_force * ramp(f_brake, c.creep_release_force, 0.0) * ramp(v, c.creep_speed, 0.0)


@kernel
def _road_load(v: float, vehicle: Any) -> float:
    """Rolling and air resistance [N] on the level at ``v`` [m/s]."""
    return vehicle.road_load_constant + vehicle.road_load_linear * v + vehicle.road_load_quadratic * v * v


@kernel
def _hold(dt: float, force: float, gear: int, speed: float, e_pedal: int, state: Any, c: Any) -> float:
    """Braking force [N] that holds the car once the e-Pedal has stopped it, until the accelerator's ``force`` [N] takes over."""
    if not e_pedal or gear == Gear.NEUTRAL or force >= c.hold_release_force:
        state.holding = 0
    elif abs(speed) < c.hold_speed and force <= 0.0 and gear != Gear.PARK:
        state.holding = 1
    wanted = c.hold_force * ramp(force, c.hold_release_force, 0.0) if state.holding else 0.0
    state.hold_force = slew(state.hold_force, wanted, c.hold_rate, c.hold_rate, dt)
    return state.hold_force
