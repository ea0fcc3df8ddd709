"""Yaw control: reference yaw rate, and the yaw moment that makes the car follow it.

Reference of the linear bicycle model, limited by friction, after a first-order lag:

    r_ref = v delta / (L + K v^2)        |r_ref| <= 0.85 mu g / v

Feedback is a PI law on the yaw-rate error outside a deadband, and a guard that pulls back sideslip beyond atan(0.02 mu g)
(R. Rajamani, Vehicle Dynamics and Control, chapter 8). The moment goes first to the front/rear split, whose authority is
small and costs no speed, and then to the wheel brakes.
"""

from math import atan
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, deadband, lag, ramp, sign


@kernel
def yaw_moment(dt: float, inputs: Any, speed: float, state: Any, measurements: Any, calibration: Any) -> float:
    """Yaw moment [Nm] wanted at ``speed`` [m/s], positive to the left; 0 while a sensor it needs is not trusted."""
    c = calibration.yaw_control
    fade = ramp(speed, c.fade_in_start, c.fade_in_end)
    active = c.enabled and fade > 0.0 and inputs.steering_trusted and inputs.motion_trusted
    measurements.active = active
    if not active:
        _rest(inputs, state, measurements)
        return 0.0
    error = _reference(dt, inputs, speed, state, calibration) - inputs.yaw_rate
    sideslip = _estimate_sideslip(dt, inputs, speed, state, c)
    moment = _feedback(dt, deadband(error, c.deadband), state, c)
    moment += c.sideslip_gain * deadband(sideslip, atan(c.sideslip_friction_share * c.friction * GRAVITY))
    moment = fade * clamp(moment, -c.moment_max, c.moment_max)
    measurements.yaw_rate_reference = state.yaw_rate_reference
    measurements.sideslip = sideslip
    measurements.yaw_moment = moment
    return moment


@kernel
def _rest(inputs: Any, state: Any, measurements: Any) -> None:
    """Stand by, such that control begins without a step."""
    state.yaw_rate_reference = inputs.yaw_rate
    state.error_integral = 0.0
    state.sideslip = 0.0
    measurements.yaw_rate_reference = inputs.yaw_rate
    measurements.sideslip = 0.0
    measurements.yaw_moment = 0.0


@kernel
def _reference(dt: float, inputs: Any, v: float, state: Any, calibration: Any) -> float:
    """Lagged reference yaw rate [rad/s] at ``v`` [m/s]."""
    c, vehicle = calibration.yaw_control, calibration.vehicle
    delta = inputs.wheel_angle / vehicle.steering_ratio
    r_max = c.friction_share * c.friction * GRAVITY / v
    r_ref = v * delta / (vehicle.wheelbase + c.understeer_gradient * v * v)
    state.yaw_rate_reference = lag(state.yaw_rate_reference, clamp(r_ref, -r_max, r_max), c.reference_time_constant, dt)
    return state.yaw_rate_reference


@kernel
def _estimate_sideslip(dt: float, inputs: Any, v: float, state: Any, c: Any) -> float:
    """Sideslip angle [rad]: d beta/dt = a_y / v - r, with a washout against the drift of the sensors."""
    rate = inputs.lateral_acceleration / v - inputs.yaw_rate
    state.sideslip = lag(state.sideslip + rate * dt, 0.0, c.sideslip_time_constant, dt)
    return state.sideslip


@kernel
def _feedback(dt: float, error: float, state: Any, c: Any) -> float:
    """PI yaw moment [Nm]; the integrator stands still while the moment is at its limit and the error would drive it on."""
    moment = c.gain * error + c.gain_integral * state.error_integral
    if abs(moment) < c.moment_max or moment * error < 0.0:
        state.error_integral += error * dt
    return moment


@kernel
def split_shift(moment: float, force: float, inputs: Any, measurements: Any, calibration: Any) -> float:
    """Shift of the front share [1] that serves ``moment`` [Nm] while the motors do ``force`` [N].

    Torque taken from an axle gives its tyres lateral force: a moment into the turn shifts torque to the rear, driving and
    braking alike. Authority grows with the force there is to shift.
    """
    c = calibration.yaw_control
    authority = c.split_moment * clamp(abs(force) / c.split_force, 0.0, 1.0)
    by_split = clamp(moment, -authority, authority)
    measurements.yaw_moment_split = by_split
    turn = sign(deadband(inputs.yaw_rate, c.deadband))
    if turn == 0.0 or c.split_moment == 0.0:
        measurements.yaw_moment_split = 0.0
        return 0.0
    return -turn * c.split_shift_max * by_split / c.split_moment


@kernel
def brake_torques(moment: float, inputs: Any, measurements: Any, calibration: Any) -> tuple[float, float]:
    """Brake torques [Nm] of the front and the rear wheel on the side to which ``moment`` [Nm] turns the car.

    A moment into the turn (against understeer) brakes the rear wheel, one out of it (against oversteer) the front wheel; what
    is beyond one wheel's limit goes to the other wheel of that side. Small moments are not worth the brakes.
    """
    c, vehicle = calibration.yaw_control, calibration.vehicle
    by_brakes = deadband(moment, c.brake_moment_min)
    measurements.yaw_moment_brakes = by_brakes
    front_per_moment = calibration.front.wheel_radius / (0.5 * vehicle.front_track)
    rear_per_moment = calibration.rear.wheel_radius / (0.5 * vehicle.rear_track)
    m = abs(by_brakes)
    if moment * inputs.yaw_rate > 0.0:
        rear = clamp(m * rear_per_moment, 0.0, c.wheel_torque_max)
        return clamp((m - rear / rear_per_moment) * front_per_moment, 0.0, c.wheel_torque_max), rear
    front = clamp(m * front_per_moment, 0.0, c.wheel_torque_max)
    return front, clamp((m - front / front_per_moment) * rear_per_moment, 0.0, c.wheel_torque_max)
