"""Brake blending: the motors brake first, the friction brakes fill in, the deceleration stays what the pedal asked for.

Regeneration fades out before standstill, where friction alone holds the car. Whatever else keeps the motors from braking
(charge limit, torque range, torque rate, a fault) is made up for by friction, but never more than the pedal wants: lift-off
has no claim on it. What slip control withholds is not made up for, for it would lock the wheels that it kept rolling.
"""

from typing import Any

from firmware_model import yaw_control
from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, ramp, sign


@kernel
def regeneration(f_brake: float, direction: float, speed: float, calibration: Any) -> float:
    """Force [N, positive forward] that the motors are asked for, of the ``f_brake`` [N] that the brake pedal wants.

    Only in the ``direction`` of the gear (1, 0, -1): without one, or rolling the other way, friction brakes alone.
    """
    c = calibration.brake_blending
    force = clamp(f_brake, 0.0, calibration.vehicle.mass * c.regeneration_deceleration_max)
    return -direction * force * ramp(direction * speed, c.fade_out_end, c.fade_out_start)


@kernel
def friction(
    f_brake: float,
    f_driver: float,
    speed: float,
    yaw_moment: float,
    state: Any,
    outputs: Any,
    measurements: Any,
    calibration: Any,
) -> None:
    """Friction torque of all wheels into ``outputs`` (BrakeOutputs).

    What the motors do not brake of ``f_brake`` [N] beyond the accelerator's ``f_driver`` [N], and ``yaw_moment`` [Nm] beside it.
    """
    inputs, direction = state.inputs, sign(speed)
    front, rear, torques = measurements.front, measurements.rear, state.torque_path
    by_front = _braking_force(direction, torques.front_torque, inputs.front.motor_torque, front.slip_torque, calibration.front)
    by_rear = _braking_force(direction, torques.rear_torque, inputs.rear.motor_torque, rear.slip_torque, calibration.rear)
    by_motors = clamp(direction * f_driver + by_front + by_rear, 0.0, f_brake)
    measurements.brake_blending.regenerative_force = by_motors
    measurements.brake_blending.friction_force = f_brake - by_motors
    _distribute(f_brake - by_motors, f_brake, yaw_moment, inputs, outputs, measurements, calibration)


@kernel
def _braking_force(direction: float, commanded: float, delivered: float, withheld: float, axle: Any) -> float:
    """Braking force [N] to be reckoned with from one motor: the weaker of what it is told and what it says it does [Nm].

    What slip control has ``withheld`` [Nm at the axle] counts as done.
    """
    torque = -direction * commanded
    if -direction * delivered < torque:
        torque = -direction * delivered
    force = torque * axle.gear_ratio / axle.wheel_radius
    withheld_force = -direction * withheld / axle.wheel_radius
    return force + withheld_force if withheld_force > 0.0 else force


@kernel
def _distribute(
    force: float, f_brake: float, yaw_moment: float, inputs: Any, outputs: Any, measurements: Any, calibration: Any
) -> None:
    """``force`` [N] by the axle loads that the whole ``f_brake`` [N] makes, ``yaw_moment`` [Nm] on the wheels of one side."""
    c, vehicle, front, rear = calibration.brake_blending, calibration.vehicle, calibration.front, calibration.rear
    load_shift = vehicle.cg_height * f_brake / (vehicle.mass * GRAVITY)
    share = clamp((vehicle.wheelbase - vehicle.front_axle_to_cg + load_shift) / vehicle.wheelbase, 0.0, 1.0)
    each_front = 0.5 * share * force * front.wheel_radius
    each_rear = 0.5 * (1.0 - share) * force * rear.wheel_radius
    yaw_front, yaw_rear = yaw_control.brake_torques(yaw_moment, inputs, measurements.yaw_control, calibration)
    left = 1.0 if yaw_moment > 0.0 else 0.0
    outputs.front_left = clamp(each_front + left * yaw_front, 0.0, c.wheel_torque_max)
    outputs.front_right = clamp(each_front + (1.0 - left) * yaw_front, 0.0, c.wheel_torque_max)
    outputs.rear_left = clamp(each_rear + left * yaw_rear, 0.0, c.wheel_torque_max)
    outputs.rear_right = clamp(each_rear + (1.0 - left) * yaw_rear, 0.0, c.wheel_torque_max)
