"""Torque split: the front share of the wanted force that is preferred while nothing is in conflict.

Two shares are mixed. At small force the losses decide: with P_j = k_j F_j^2 the least loss is at F_f / F_r = k_r / k_f. At large
force the tyres decide: the share follows the load on the axles, of which acceleration moves h a_x / (g L) to the rear.
"""

from typing import Any

from firmware_model import motor, ride_control
from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, ramp


@kernel
def preferred_front_share(force: float, friction: float, inputs: Any, load: Any, calibration: Any) -> float:
    """Front share [1] preferred for ``force`` [N] on ``friction`` [1]; ``load`` is the state of :mod:`tyre_load`.

    A force that brakes is shared as ride control wants it.
    """
    c, vehicle, front, rear = calibration.torque_split, calibration.vehicle, calibration.front, calibration.rear
    if not front.motor_present or not rear.motor_present:
        return 1.0 if front.motor_present else 0.0
    if calibration.ride_control.enabled and force * inputs.front.motor_speed < 0.0:
        braking = ride_control.braking_front_share(force, inputs.lateral_acceleration, friction, calibration)
        return clamp(braking, c.front_share_min, c.front_share_max)
    load_shift = vehicle.cg_height * load.longitudinal_acceleration / (GRAVITY * vehicle.wheelbase)
    by_load = c.front_share + c.mode_shift[inputs.drive_mode] - c.load_gain * load_shift
    k_front, k_rear = _loss_per_force_squared(inputs.front, front), _loss_per_force_squared(inputs.rear, rear)
    by_loss = k_rear / (k_front + k_rear)
    efficiency = c.efficiency_weight * ramp(abs(force), c.efficiency_force_end, c.efficiency_force_start)
    return clamp(by_load + efficiency * (by_loss - by_load), c.front_share_min, c.front_share_max)


@kernel
def _loss_per_force_squared(inputs: Any, axle: Any) -> float:
    """Loss [W/N2] of one motor per longitudinal force squared, at its speed."""
    _, copper = motor.loss_coefficients(inputs.motor_speed, axle)
    torque_per_force = axle.wheel_radius / axle.gear_ratio
    return copper * torque_per_force * torque_per_force
