"""Wheel slip: the window of motor torque, and of brake torque, in which wheels neither spin nor lock.

A shaft of inertia J is turned by its actuator and held by the road, which takes T_road from it (:mod:`driveline`). An actuator
with lag tau would leave a slip of s + tau ds/dt behind if it stopped acting now; it is told to take that back to the target s_t
within T_c:

    T_upper = T_road + J (a_x / r + (s_t - s - tau ds/dt) / (r T_c))        and T_lower with -s_t

The closed loop has the poles -1/tau and -1/T_c whatever the road does, and no integrator that winds up; driving, regeneration
and reverse are one case. The motor's window opens where slip is certain, for a motor swings on its half shafts without its wheels
slipping, and never asks for more than was wanted. Motors run at the base raster, each wheel's brake, by the same law, at 10 ms.
"""

from typing import Any

from firmware_model import driveline, tyre_load
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def limit(torque: float, shaft: Any, sensed: float, motion: Any, state: Any, measurements: Any, axle: Any, c: Any) -> float:
    """As much of the motor ``torque`` [Nm] as leaves the axle's slip at its target.

    ``shaft`` (ShaftState) tells what motor and wheels do; ``sensed`` [m/s] is the wheels' mean speed by their own slower sensors,
    without sign; ``motion`` (VehicleSpeedMeasurements) is the car's. The rest belongs to the axle.
    """
    state.slip = axle.wheel_radius * shaft.speed - motion.speed
    state.target = slip_target(motion.speed, state.target_share, c)
    ahead = state.slip + c.motor_lag * (axle.wheel_radius * shaft.acceleration - motion.acceleration)
    taken = torque
    if c.enabled and axle.motor_present and (state.active or _begins(ahead, sensed, motion.speed, state, c)):
        lower, upper = _window(
            ahead, state.target, shaft.road_torque, motion.acceleration, c.motor_time_constant, axle.wheel_radius, axle.inertia
        )
        taken = _within_wish(torque, lower / axle.gear_ratio, upper / axle.gear_ratio, shaft.speed, state, c)
    state.active = taken != torque
    state.torque_lowest = taken if taken > torque else -axle.motor_torque_max
    state.torque_highest = taken if taken < torque else axle.motor_torque_max
    measurements.slip_speed = state.slip
    measurements.slip_active = state.active
    measurements.slip_torque = axle.gear_ratio * (torque - taken)
    return taken


@kernel
def _begins(ahead: float, sensed: float, speed: float, state: Any, c: Any) -> bool:
    """Whether slip that is foreseen (``ahead`` [m/s]) is real: large, or seen by the wheels' own sensors (``sensed`` [m/s]), too.

    A motor that swings on its half shafts looks like slip, but never for long and never like much.
    """
    direction = 1.0 if ahead > 0.0 else -1.0
    if direction * ahead < state.target:
        return False
    by_sensors = (-sensed if speed < 0.0 else sensed) - speed
    return direction * state.slip > c.certain_share * state.target or direction * by_sensors > c.sensed_share * state.target


@kernel
def _within_wish(torque: float, lower: float, upper: float, speed: float, state: Any, c: Any) -> float:
    """``torque`` [Nm] between ``lower`` and ``upper`` [Nm], never more than itself, with wheels at ``speed`` [rad/s].

    Of the other sign only for wheels that spin already: slip that is foreseen may not come, and wheels that lock are released.
    """
    against = c.opposite_torque_max if state.slip * speed > 0.0 and abs(state.slip) > state.target else 0.0
    if torque >= 0.0:
        return clamp(upper, -against, torque)
    return clamp(lower, torque, against)


@kernel
def slip_target(speed: float, share: float, c: Any) -> float:
    """Slip speed [m/s] that is held at ``speed`` [m/s]: absolute when slow, in proportion above; in a curve a ``share`` [1]."""
    proportional = c.slip_ratio * abs(speed)
    return share * (proportional if proportional > c.slip_speed else c.slip_speed)


@kernel
def set_targets(friction: float, load: Any, state: Any, c: Any) -> None:
    """Leave each axle the more slip, the less of its ``friction`` [1] cornering takes; ``load`` is the state of tyre_load."""
    state.front.target_share = _target_share(load.front_lateral_force, friction * tyre_load.axle_load(load, True), c)
    state.rear.target_share = _target_share(load.rear_lateral_force, friction * tyre_load.axle_load(load, False), c)


@kernel
def _target_share(lateral_force: float, circle: float, c: Any) -> float:
    used = clamp(abs(lateral_force) / circle, 0.0, 1.0) if circle > 0.0 else 0.0
    return 1.0 - (1.0 - c.curve_share) * used


@kernel
def bound_brakes(dt: float, inputs: Any, wheels: Any, motion: Any, torques: Any, state: Any, calibration: Any) -> None:
    """Lowest and highest brake torque [Nm] of each wheel into ``state`` (WheelSlipStates); one step of ``dt`` [s].

    ``wheels`` (WheelInputs) tell by their counts which speeds are news, ``torques`` (TorquePathState) what the motors are told.
    """
    front, rear, vehicle = calibration.front, calibration.rear, calibration.vehicle
    direction = -1.0 if motion.speed < 0.0 else 1.0
    speed, acceleration = direction * motion.speed, direction * motion.acceleration
    turn = 0.5 * direction * inputs.yaw_rate if inputs.motion_trusted else 0.0
    drive = 0.5 * direction * front.gear_ratio * torques.front_torque
    news, spread = wheels.front_link.received, vehicle.front_track * turn
    _bound_brake(
        dt, inputs.wheel_speed[FRONT_LEFT], speed - spread, drive, acceleration, news, state.front_left, front, calibration
    )
    _bound_brake(
        dt, inputs.wheel_speed[FRONT_RIGHT], speed + spread, drive, acceleration, news, state.front_right, front, calibration
    )
    drive = 0.5 * direction * rear.gear_ratio * torques.rear_torque
    news, spread = wheels.rear_link.received, vehicle.rear_track * turn
    _bound_brake(dt, inputs.wheel_speed[REAR_LEFT], speed - spread, drive, acceleration, news, state.rear_left, rear, calibration)
    _bound_brake(
        dt, inputs.wheel_speed[REAR_RIGHT], speed + spread, drive, acceleration, news, state.rear_right, rear, calibration
    )


@kernel
def _bound_brake(
    dt: float,
    speed: float,
    hub_speed: float,
    drive: float,
    acceleration: float,
    received: int,
    state: Any,
    axle: Any,
    calibration: Any,
) -> None:
    """Window of one brake at circumferential ``speed`` [m/s] and ``drive`` torque [Nm], both in the direction of travel."""
    c = calibration.wheel_slip
    # Alone behind an open differential, a wheel turns the motor at half its speed.
    inertia = axle.wheel_inertia + 0.25 * axle.rotor_inertia
    shaft, watching = state.shaft, calibration.driveline
    driveline.observe(
        dt, speed / axle.wheel_radius, drive - state.torque, received, inertia, watching.wheel_time_constant, shaft, watching
    )
    state.slip = speed - hub_speed
    target = c.brake_target_share * slip_target(hub_speed, 1.0, c)
    ahead = state.slip + c.brake_lag * (axle.wheel_radius * shaft.acceleration - acceleration)
    lower, upper = _window(ahead, target, shaft.road_torque, acceleration, c.brake_time_constant, axle.wheel_radius, inertia)
    lowest = clamp(drive - upper, 0.0, c.brake_torque_max) if c.enabled and state.slip > target else 0.0
    highest = clamp(drive - lower, 0.0, c.brake_torque_max) if c.enabled and state.slip < -target else c.brake_torque_max
    # A window closes at once and opens slowly, for the wheel that was held has only just come back.
    state.lowest = lowest if lowest > state.lowest else lag(state.lowest, lowest, c.brake_release_time, dt)
    state.highest = highest if highest < state.highest else lag(state.highest, highest, c.brake_release_time, dt)


@kernel
def expect_brakes(dt: float, outputs: Any, state: Any, c: Any) -> None:
    """Follow the brakes' response to what they are told (BrakeOutputs) for ``dt`` [s]."""
    state.front_left.torque = lag(state.front_left.torque, outputs.front_left, c.brake_response, dt)
    state.front_right.torque = lag(state.front_right.torque, outputs.front_right, c.brake_response, dt)
    state.rear_left.torque = lag(state.rear_left.torque, outputs.rear_left, c.brake_response, dt)
    state.rear_right.torque = lag(state.rear_right.torque, outputs.rear_right, c.brake_response, dt)


@kernel
def _window(
    ahead: float, target: float, road_torque: float, acceleration: float, time_constant: float, radius: float, inertia: float
) -> tuple[float, float]:
    """Lowest and highest torque [Nm] that take a slip speed ``ahead`` [m/s] into +-``target`` [m/s] within ``time_constant`` [s].

    The road takes ``road_torque`` [Nm], the car gains ``acceleration`` [m/s2].
    """
    hold = road_torque + inertia * acceleration / radius
    per_speed = inertia / (radius * time_constant)
    return hold - per_speed * (target + ahead), hold + per_speed * (target - ahead)
