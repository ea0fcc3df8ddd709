"""Torque split: the wanted force over front and rear axle.

The share follows the load on the axles, of which acceleration moves h a_x / (g L) to the rear, and yaw control's shift. What
one motor cannot give goes to the other.
"""

from typing import Any

from firmware_model import motor
from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, lag


@kernel
def split(
    dt: float, force: float, shift: float, inputs: Any, state: Any, measurements: Any, calibration: Any
) -> tuple[float, float]:
    """Motor torques [Nm] of front and rear axle for ``force`` [N]; ``shift`` [1] is added to the front share."""
    front, rear = calibration.front, calibration.rear
    share = _front_share(dt, shift, inputs, state, calibration)
    f_front, f_rear = share * force, (1.0 - share) * force

    f_front_min, f_front_max = _force_range(inputs.front.motor_speed, front, calibration.torque_path)
    f_rear_min, f_rear_max = _force_range(inputs.rear.motor_speed, rear, calibration.torque_path)
    missing_front = f_front - clamp(f_front, f_front_min, f_front_max)
    missing_rear = f_rear - clamp(f_rear, f_rear_min, f_rear_max)
    f_front = clamp(f_front + missing_rear, f_front_min, f_front_max)
    f_rear = clamp(f_rear + missing_front, f_rear_min, f_rear_max)

    total = f_front + f_rear
    measurements.torque_split.front_share = f_front / total if total != 0.0 else share
    measurements.front.motor_torque_wanted = f_front * front.wheel_radius / front.gear_ratio
    measurements.rear.motor_torque_wanted = f_rear * rear.wheel_radius / rear.gear_ratio
    return measurements.front.motor_torque_wanted, measurements.rear.motor_torque_wanted


@kernel
def _front_share(dt: float, shift: float, inputs: Any, state: Any, calibration: Any) -> float:
    """Front share [1] that load and yaw control want."""
    c, vehicle = calibration.torque_split, calibration.vehicle
    state.acceleration = lag(state.acceleration, inputs.longitudinal_acceleration, c.acceleration_time_constant, dt)
    a_x = state.acceleration if inputs.motion_trusted else 0.0
    load_shift = vehicle.cg_height * a_x / (GRAVITY * vehicle.wheelbase)
    return clamp(c.front_share - c.load_gain * load_shift + shift, c.front_share_min, c.front_share_max)


@kernel
def _force_range(omega: float, axle: Any, path: Any) -> tuple[float, float]:
    """Lowest and highest longitudinal force [N] of an axle at motor speed ``omega`` [rad/s]."""
    lowest, highest = motor.torque_range(omega, axle, path)
    force_per_torque = axle.gear_ratio / axle.wheel_radius
    return lowest * force_per_torque, highest * force_per_torque
