"""Slip limitation of one axle through its motor.

The motor's speed is the fastest signal there is of a wheel (10 ms, where wheel speeds take 20 ms). When the axle's slip speed
exceeds its target, a PI law takes over the torque and holds the slip there. It starts from the torque that the road has been
taking, which motor torque and acceleration tell:

    T_road = i T_motor - J d(omega)/dt

and lets go when the driver wants no more than it allows.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag


@kernel
def limit(
    dt: float, torque: float, wanted: float, inputs: Any, speed: float, state: Any, measurements: Any, axle: Any, c: Any
) -> float:
    """As much of the motor ``torque`` [Nm] as the road takes, at ``speed`` [m/s] over ground.

    ``torque`` is on its way to the ``wanted`` one [Nm], which slip control hands back to. ``inputs`` (QualifiedAxle),
    ``state``, ``measurements`` and ``axle`` are those of one axle. All below is at the axle and in the direction of the
    torque, so that driving, regeneration and reverse are one case.
    """
    road_torque = _road_torque(dt, inputs, state, axle, c)
    if torque * state.direction < 0.0:
        state.direction = -state.direction
        state.active = 0
    given = abs(torque) * axle.gear_ratio
    slip_speed = inputs.motor_speed * axle.wheel_radius / axle.gear_ratio - speed
    target = _target(speed, c)
    error = state.direction * slip_speed - target
    if c.enabled and error > 0.0 and not state.active:
        state.active = 1
        state.adhesion_torque = clamp(c.adhesion_share * state.direction * road_torque, 0.0, given)
    allowed = _hold_slip(dt, error, target, state.direction * wanted * axle.gear_ratio, state, c) if state.active else given
    taken = clamp(allowed, 0.0, given)
    measurements.slip_speed = slip_speed
    measurements.slip_active = state.active
    measurements.slip_torque = state.direction * (given - taken)
    return state.direction * taken / axle.gear_ratio


@kernel
def _target(speed: float, c: Any) -> float:
    """Slip speed [m/s] that is held: absolute at low speed, a share of the speed above."""
    proportional = c.slip_ratio * abs(speed)
    return proportional if proportional > c.slip_speed else c.slip_speed


@kernel
def _hold_slip(dt: float, error: float, target: float, wanted: float, state: Any, c: Any) -> float:
    """Axle torque [Nm] of the PI law on the slip-speed ``error`` [m/s]; it ends when it allows all that is ``wanted`` [Nm].

    Well below the ``target`` [m/s] the wheel grips again, and torque comes back faster.
    """
    gain = c.gain_integral if error > -0.5 * target else c.gain_release
    highest = wanted if wanted > 0.0 else 0.0
    state.adhesion_torque = clamp(state.adhesion_torque - gain * error * dt, 0.0, highest)
    allowed = state.adhesion_torque - c.gain * error
    if error < 0.0 and allowed >= highest:
        state.active = 0
    return allowed


@kernel
def _road_torque(dt: float, inputs: Any, state: Any, axle: Any, c: Any) -> float:
    """Axle torque [Nm] that reaches the road, positive forward."""
    omega_before = state.motor_speed
    state.motor_speed = lag(omega_before, inputs.motor_speed, c.acceleration_time_constant, dt)
    wheel_acceleration = (state.motor_speed - omega_before) / (dt * axle.gear_ratio)
    return inputs.motor_torque * axle.gear_ratio - axle.inertia * wheel_acceleration
