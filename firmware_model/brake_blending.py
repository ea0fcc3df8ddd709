"""Brake blending: the motors brake first, the friction brakes fill in, the deceleration stays what was asked for.

The allocation does the blending, for it knows what the motors can reach in its raster; here is how far they may brake at all, and
what the brakes are told. Regeneration fades out before standstill, where friction alone holds the car. What a motor is told but
does not deliver is made up for.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import deadband, lag, ramp, sign
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def regeneration_limit(direction: float, speed: float, calibration: Any) -> float:
    """Force [N] with which the motors may brake in a gear of that ``direction`` (1, -1) at ``speed`` [m/s].

    None while the car rolls the other way.
    """
    c = calibration.brake_blending
    return calibration.vehicle.mass * c.regeneration_deceleration_max * ramp(direction * speed, c.fade_out_end, c.fade_out_start)


@kernel
def undelivered_force(dt: float, inputs: Any, torques: Any, state: Any, calibration: Any) -> float:
    """Force [N, positive forward] that the motors were told ``torques`` (TorquePathState) for but do not deliver.

    Compared after the lag of the path, and outside the tolerance of the reported torque.
    """
    c, front, rear = calibration.brake_blending, calibration.front, calibration.rear
    state.front_torque_expected = lag(state.front_torque_expected, torques.front_torque, c.delivery_lag, dt)
    state.rear_torque_expected = lag(state.rear_torque_expected, torques.rear_torque, c.delivery_lag, dt)
    missing_front = deadband(state.front_torque_expected - inputs.front.motor_torque, c.delivery_tolerance)
    missing_rear = deadband(state.rear_torque_expected - inputs.rear.motor_torque, c.delivery_tolerance)
    return missing_front * front.gear_ratio / front.wheel_radius + missing_rear * rear.gear_ratio / rear.wheel_radius


@kernel
def command(forces: Any, speed: float, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Friction torque [Nm] of all wheels into ``outputs`` (BrakeOutputs) for the allocated ``forces`` [N] at ``speed`` [m/s]."""
    front, rear = calibration.front.wheel_radius, calibration.rear.wheel_radius
    outputs.front_left = forces[2 + FRONT_LEFT] * front
    outputs.front_right = forces[2 + FRONT_RIGHT] * front
    outputs.rear_left = forces[2 + REAR_LEFT] * rear
    outputs.rear_right = forces[2 + REAR_RIGHT] * rear
    by_motors = -sign(speed) * (forces[0] + forces[1])
    measurements.regenerative_force = by_motors if by_motors > 0.0 else 0.0
    measurements.friction_force = forces[2] + forces[3] + forces[4] + forces[5]
