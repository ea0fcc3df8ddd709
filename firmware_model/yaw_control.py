"""Yaw control: reference yaw rate, and the yaw moment that makes the car follow it.

Reference of the linear bicycle model with the understeer gradient K that the drive mode wants, rounded off where friction ends:

    r_lin = v delta / (L + K v^2)        r_ref = r_lin / (1 + (r_lin / r_max)^4)^(1/4)        r_max = share mu g / v

which the car shall reach after a first-order lag tau = k v^2, since a car answers the more slowly and with the less damping the
faster it goes; out of a curve after a share of it, since what lags behind who steers back pushes the car on into the curve. The
moment feeds its acceleration forward and feeds its error back,

    M = I_z (k_ff dr_ref/dt) + k_p e + k_d de/dt + k_i integral(e) + k_beta beta',      e = r_ref - r outside a deadband,

with beta' the sideslip beyond its bound atan(c mu g) (Rajamani, Vehicle Dynamics and Control, chapter 8; feed-forward and
understeer characteristics as drive modes after L. De Novellis et al., Mech. Syst. Signal Process. 64-65 (2015) 330).
"""

from math import atan, sqrt
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, deadband, lag, ramp


@kernel
def yaw_moment(
    dt: float, inputs: Any, speed: float, sideslip: float, friction: float, state: Any, measurements: Any, calibration: Any
) -> float:
    """Yaw moment [Nm] wanted at ``speed`` [m/s], positive to the left; 0 while a sensor it needs is not trusted.

    ``sideslip`` [rad] and ``friction`` [1] are the estimates; ``dt`` [s] is the raster of vectoring.
    """
    c = calibration.yaw_control
    fade = ramp(speed, c.fade_in_start, c.fade_in_end)
    active = c.enabled and fade > 0.0 and inputs.steering_trusted and inputs.motion_trusted
    state.active = measurements.active = active
    if not active:
        _rest(inputs, state, measurements)
        return 0.0
    reference_before, error_before = state.yaw_rate_reference, state.error
    _follow_reference(dt, inputs, speed, friction, state, calibration)
    error = state.yaw_rate_reference - inputs.yaw_rate
    state.error = error
    state.error_rate = lag(state.error_rate, (error - error_before) / dt, c.error_rate_time_constant, dt)
    moment = c.feed_forward * calibration.vehicle.yaw_inertia * (state.yaw_rate_reference - reference_before) / dt
    moment += c.gain * deadband(error, c.deadband) + c.gain_rate * state.error_rate
    moment += _integral(dt, deadband(error, c.deadband), moment, state, c)
    moment += c.sideslip_gain * deadband(sideslip, atan(c.sideslip_friction_share * friction * GRAVITY))
    moment = fade * clamp(moment, -c.moment_max, c.moment_max)
    measurements.yaw_rate_reference = state.yaw_rate_reference
    measurements.yaw_moment = moment
    return moment


@kernel
def _rest(inputs: Any, state: Any, measurements: Any) -> None:
    """Stand by, such that control begins without a step."""
    state.yaw_rate_reference = inputs.yaw_rate
    state.error = state.error_rate = state.error_integral = 0.0
    measurements.yaw_rate_reference = inputs.yaw_rate
    measurements.yaw_moment = 0.0


@kernel
def _follow_reference(dt: float, inputs: Any, v: float, friction: float, state: Any, calibration: Any) -> None:
    """Move the reference yaw rate [rad/s] on to where the steering wheel wants it at ``v`` [m/s]."""
    c, vehicle = calibration.yaw_control, calibration.vehicle
    delta = inputs.wheel_angle / vehicle.steering_ratio
    r_max = c.friction_share * friction * GRAVITY / v
    gradient = c.understeer_gradient * c.understeer_share[inputs.drive_mode]
    r_linear = v * delta / (vehicle.wheelbase + gradient * v * v)
    used = (r_linear / r_max) * (r_linear / r_max)
    r_ref = r_linear / sqrt(sqrt(1.0 + used * used))
    before = state.yaw_rate_reference
    returning = (r_ref - before) * before < 0.0
    share = c.exit_lag_share if returning else 1.0
    state.yaw_rate_reference = lag(before, r_ref, share * c.reference_lag_gradient * v * v, dt)


@kernel
def _integral(dt: float, error: float, moment: float, state: Any, c: Any) -> float:
    """Integral part [Nm]; it stands still while brakes and motors do less than is wanted and the error would drive it on.

    ``state.moment_missing`` [Nm] is what the allocation could not do of the last ``moment``.
    """
    integral = c.gain_integral * state.error_integral
    saturated = abs(state.moment_missing) > c.moment_tolerance or abs(moment + integral) > c.moment_max
    if not saturated or (moment + integral) * error < 0.0:
        state.error_integral += error * dt
    state.error_integral = lag(state.error_integral, 0.0, c.integral_time_constant, dt)
    return integral
