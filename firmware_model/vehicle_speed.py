"""Speed over ground, also while an axle spins or locks.

Observer on the accelerometer, corrected towards the wheels as far as they can be believed:

    dv/dt = a_x - b + k (v_w - v)        db/dt = -k_b (v_w - v)

The sensor reads the specific force, so that its offset b holds the grade, too; it is learnt at standstill and while the wheels
roll. Of four wheels the slowest one counts while they drive the car, and the fastest one while they brake it, without the slip
that an elastic tyre has under its share of the force; the estimate stays on the possible side of it. The more of the friction the
motors use, the less the wheels are believed; those that slip control holds, or that depart from the estimate, hardly at all.
"""

from math import inf, isfinite
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, lag, ramp
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def estimate(dt: float, state: Any, measurements: Any, calibration: Any) -> None:
    """One step of ``dt`` [s]; keeps ``state.vehicle_speed``."""
    c, inputs, observer = calibration.vehicle_speed, state.inputs, state.vehicle_speed
    direction = _direction(observer.speed, inputs, c)
    motor_force = direction * _motor_force(state.torque_path, calibration)
    road_force, f_brake = _road_force(direction, state, calibration)
    # A wheel that a brake has just stopped looks, for a moment, as if its motor did it; one that spins is braked by slip control.
    slip = state.wheel_slip
    spins = slip.front.left.spins or slip.front.right.spins or slip.rear.left.spins or slip.rear.right.spins
    drives = road_force >= 0.0 and (spins or f_brake < abs(motor_force) + c.quiet_force)
    rolling_speed, slipping = _rolling_wheel(inputs, drives, state.wheel_slip, calibration)
    weight = calibration.vehicle.mass * GRAVITY
    v_w = direction * rolling_speed * (1.0 - road_force / (weight * calibration.vehicle.slip_stiffness))

    tolerance = c.trust_speed + c.trust_share * rolling_speed
    stands = abs(motor_force) < c.quiet_force and rolling_speed < c.standstill_speed
    used = abs(road_force) / (0.5 * (state.friction.left + state.friction.right) * weight)
    trust = ramp(used, c.friction_used_end, c.friction_used_start)
    if slipping or abs(v_w - observer.speed) > tolerance:
        trust = 0.0
    if abs(motor_force) + f_brake < c.quiet_force and abs(road_force) < c.quiet_force:
        trust = 1.0
    acceleration = _observe(dt, v_w, trust, stands, inputs, observer, c)
    observer.speed = _on_possible_side(observer.speed, v_w, tolerance, direction, drives)
    measurements.speed = observer.speed
    measurements.acceleration = acceleration
    measurements.acceleration_offset = observer.acceleration_offset
    measurements.trust = trust


@kernel
def _direction(speed: float, inputs: Any, c: Any) -> float:
    """1 forward, -1 backward: wheel speeds have no sign. Of a car that stands by its motors, which may swing on their shafts."""
    if abs(speed) < c.standstill_speed:
        speed = inputs.front.motor_speed + inputs.rear.motor_speed
    return -1.0 if speed < 0.0 else 1.0


@kernel
def _observe(dt: float, v_w: float, trust: float, stands: bool, inputs: Any, observer: Any, c: Any) -> float:
    """Advance by ``dt`` [s] towards the wheels ``v_w`` [m/s] by their ``trust`` [1]; the acceleration over ground [m/s2]."""
    a_x, b = inputs.longitudinal_acceleration, observer.acceleration_offset
    if not inputs.motion_trusted:
        observer.speed = lag(observer.speed, v_w, c.wheels_only_time_constant, dt)
        return 0.0
    if stands:
        observer.speed = lag(observer.speed, 0.0, c.standstill_time_constant, dt)
        observer.acceleration_offset = clamp(lag(b, a_x, c.standstill_time_constant, dt), -c.offset_max, c.offset_max)
        return 0.0
    error = v_w - observer.speed
    observer.speed += (a_x - b + (c.gain_distrusted + trust * (c.gain_trusted - c.gain_distrusted)) * error) * dt
    observer.acceleration_offset = clamp(b - trust * c.gain_offset * error * dt, -c.offset_max, c.offset_max)
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
def _road_force(direction: float, state: Any, calibration: Any) -> tuple[float, float]:
    """Force [N] with which the wheels drive the car in its ``direction``, and the part of it that the brakes take."""
    slip, shafts, front, rear = state.wheel_slip, state.driveline, calibration.front, calibration.rear
    by_brakes = (slip.front.left.torque + slip.front.right.torque) / front.wheel_radius
    by_brakes += (slip.rear.left.torque + slip.rear.right.torque) / rear.wheel_radius
    by_shafts = shafts.front.road_torque / front.wheel_radius + shafts.rear.road_torque / rear.wheel_radius
    return direction * by_shafts - by_brakes, by_brakes


@kernel
def _rolling_wheel(inputs: Any, drives: bool, slip: Any, calibration: Any) -> tuple[float, bool]:
    """Speed [m/s, without sign] over ground by the wheel that slips least, and whether even that one slips.

    Each wheel's speed is brought to the middle of the car by the yaw rate. An axle whose wheel sensors have failed is known by
    its motor.
    """
    vehicle, front, rear = calibration.vehicle, calibration.front, calibration.rear
    turn = 0.5 * inputs.yaw_rate if inputs.motion_trusted else 0.0
    speed, slips = (inf, False) if drives else (0.0, False)
    if inputs.front_wheels_trusted:
        spread, v = vehicle.front_track * turn, inputs.wheel_speed
        speed, slips = _better(v[FRONT_LEFT] + spread, _slips(slip.front.left, slip.front, drives), drives, speed, slips)
        speed, slips = _better(v[FRONT_RIGHT] - spread, _slips(slip.front.right, slip.front, drives), drives, speed, slips)
    elif front.motor_present:
        v_f = abs(inputs.front.motor_speed) * front.wheel_radius / front.gear_ratio
        speed, slips = _better(v_f, slip.front.active != 0, drives, speed, slips)
    if inputs.rear_wheels_trusted:
        spread, v = vehicle.rear_track * turn, inputs.wheel_speed
        speed, slips = _better(v[REAR_LEFT] + spread, _slips(slip.rear.left, slip.rear, drives), drives, speed, slips)
        speed, slips = _better(v[REAR_RIGHT] - spread, _slips(slip.rear.right, slip.rear, drives), drives, speed, slips)
    elif rear.motor_present:
        v_r = abs(inputs.rear.motor_speed) * rear.wheel_radius / rear.gear_ratio
        speed, slips = _better(v_r, slip.rear.active != 0, drives, speed, slips)
    return (speed, slips) if isfinite(speed) else (0.0, True)


@kernel
def _slips(wheel: Any, axle: Any, drives: bool) -> bool:
    """Whether slip control keeps this ``wheel`` from spinning (from locking, unless it ``drives``), by motor or brake."""
    by_motor = axle.active != 0 and abs(wheel.slip) > axle.target
    return by_motor or (wheel.spins if drives else wheel.locks) != 0


@kernel
def _better(v: float, slips: bool, drives: bool, best: float, best_slips: bool) -> tuple[float, bool]:
    """``v`` [m/s] of another wheel instead of the ``best`` so far, if it spins less or locks less."""
    return (v, slips) if (v < best) == drives else (best, best_slips)
