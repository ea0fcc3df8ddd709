"""Speed over ground, also while an axle spins or locks.

Observer on the accelerometer, corrected towards the wheels as long as they can be believed:

    dv/dt = a_x - b + k (v_w - v)        db/dt = -k_b (v_w - v)

The sensor reads the specific force, so that its offset b holds the grade, too; it is learnt at standstill and while the wheels
roll. Of two axles the slower one counts while the motors drive, and the faster one while anything brakes; the estimate stays
on the possible side of it. Wheels that depart from the estimate, or are held by slip control, pull on it only weakly.
"""

from typing import Any

from firmware_model import driver_demand
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag


@kernel
def estimate(dt: float, state: Any, measurements: Any, calibration: Any) -> None:
    """One step of ``dt`` [s]; keeps ``state.vehicle_speed``."""
    c, inputs, observer = calibration.vehicle_speed, state.inputs, state.vehicle_speed
    direction = -1.0 if inputs.front.motor_speed + inputs.rear.motor_speed < 0.0 else 1.0
    drive_force = direction * _motor_force(state.torque_path, calibration)
    f_brake = driver_demand.braking_force(inputs.brake, calibration)
    drives = drive_force >= f_brake
    rolling_speed, slipping = _rolling_axle(inputs, drives, state.wheel_slip, calibration)
    v_w = direction * rolling_speed

    tolerance = c.trust_speed + c.trust_share * rolling_speed
    quiet = abs(drive_force) < c.quiet_force
    trusted = (quiet and f_brake < c.quiet_force) or (abs(v_w - observer.speed) < tolerance and not slipping)
    acceleration = _observe(dt, v_w, trusted, quiet, inputs, observer, c)
    observer.speed = _on_possible_side(observer.speed, v_w, tolerance, direction, drives)
    measurements.speed = observer.speed
    measurements.acceleration = acceleration
    measurements.acceleration_offset = observer.acceleration_offset
    measurements.wheels_trusted = trusted


@kernel
def _observe(dt: float, v_w: float, trusted: bool, quiet: bool, inputs: Any, observer: Any, c: Any) -> float:
    """Advance the observer by ``dt`` [s]; ``v_w`` [m/s] are the wheels. Returns the acceleration over ground [m/s2]."""
    a_x, b = inputs.longitudinal_acceleration, observer.acceleration_offset
    if not inputs.motion_trusted:
        observer.speed = lag(observer.speed, v_w, c.wheels_only_time_constant, dt)
        return 0.0
    if quiet and abs(v_w) < c.standstill_speed:
        observer.speed = lag(observer.speed, 0.0, c.standstill_time_constant, dt)
        observer.acceleration_offset = clamp(lag(b, a_x, c.standstill_time_constant, dt), -c.offset_max, c.offset_max)
        return 0.0
    error = v_w - observer.speed
    observer.speed += (a_x - b + (c.gain_trusted if trusted else c.gain_distrusted) * error) * dt
    if trusted:
        observer.acceleration_offset = clamp(b - c.gain_offset * error * dt, -c.offset_max, c.offset_max)
    return a_x - b


@kernel
def _on_possible_side(v: float, v_w: float, tolerance: float, direction: float, drives: bool) -> float:
    """``v`` [m/s], not faster than wheels ``v_w`` that are driven, not slower than wheels that are braked.

    The ``tolerance`` [m/s] leaves room for the age of the wheel speeds: 20 ms and more.
    """
    if drives:
        return v_w + direction * tolerance if direction * (v - v_w) > tolerance else v
    return v_w - direction * tolerance if direction * (v_w - v) > tolerance else v


@kernel
def _motor_force(torques: Any, calibration: Any) -> float:
    """Longitudinal force [N] of the last commanded motor torques."""
    front, rear = calibration.front, calibration.rear
    return (
        torques.front_torque * front.gear_ratio / front.wheel_radius + torques.rear_torque * rear.gear_ratio / rear.wheel_radius
    )


@kernel
def _rolling_axle(inputs: Any, drives: bool, slip: Any, calibration: Any) -> tuple[float, bool]:
    """Speed [m/s, without sign] of the axle that slips less, and whether slip control holds even that one.

    An axle whose wheel sensors have failed is known by its motor.
    """
    front, rear = calibration.front, calibration.rear
    v_f, v_r = inputs.front_wheel_speed, inputs.rear_wheel_speed
    if not inputs.front_wheels_trusted:
        v_f = abs(inputs.front.motor_speed) * front.wheel_radius / front.gear_ratio if front.motor_present else v_r
    if not inputs.rear_wheels_trusted:
        v_r = abs(inputs.rear.motor_speed) * rear.wheel_radius / rear.gear_ratio if rear.motor_present else v_f
    if (v_f < v_r) == drives:
        return v_f, slip.front.active != 0
    return v_r, slip.rear.active != 0
