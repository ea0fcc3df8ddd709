"""Torque path: the last hands on the torque.

On its way in, the wanted torque is held to its rates and to the motor's range; whatever comes after that only takes torque
away. On its way out it is checked to be a number, and handed to the inverter together with the torque range that the battery
leaves: as on the real car, the power limit is told to the inverter as a torque limit.
"""

from math import isfinite
from typing import Any

from firmware_model import motor, power_budget
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, slew


@kernel
def approach(
    dt: float, front_wanted: float, rear_wanted: float, permitted: bool, state: Any, calibration: Any
) -> tuple[float, float]:
    """Motor torques [Nm] one step of ``dt`` [s] nearer to the wanted ones; towards zero, and faster, unless ``permitted``."""
    last, inputs = state.torque_path, state.inputs
    front = _approach(dt, front_wanted, last.front_torque, permitted, inputs.front, calibration.front, calibration.torque_path)
    rear = _approach(dt, rear_wanted, last.rear_torque, permitted, inputs.rear, calibration.rear, calibration.torque_path)
    return front, rear


@kernel
def _approach(dt: float, wanted: float, last: float, permitted: bool, inputs: Any, axle: Any, c: Any) -> float:
    """Torque [Nm] of one motor. From the torque that was really commanded ``last`` [Nm], so that no limit winds it up."""
    if permitted:
        fall = c.fall_rate if last > 0.0 else c.rise_rate
        rise = c.rise_rate if last >= 0.0 else c.fall_rate
        torque = slew(last, wanted, fall, rise, dt)
    else:
        torque = slew(last, 0.0, c.safe_rate, c.safe_rate, dt)
    lowest, highest = motor.torque_range(inputs.motor_speed, axle, c)
    return clamp(torque, lowest, highest)


@kernel
def command(
    front_torque: float, rear_torque: float, permitted: bool, state: Any, outputs: Any, measurements: Any, calibration: Any
) -> None:
    """Write the torques [Nm] and their limits into ``outputs``; a torque that is not a number becomes zero, and a fault."""
    last, inputs = state.torque_path, state.inputs
    last.not_finite = not (isfinite(front_torque) and isfinite(rear_torque))
    last.front_torque = 0.0 if last.not_finite else front_torque
    last.rear_torque = 0.0 if last.not_finite else rear_torque
    outputs.front.motor_torque = last.front_torque
    outputs.rear.motor_torque = last.rear_torque
    rear_power, front_power = measurements.rear.dc_power, measurements.front.dc_power
    _write_limits(
        permitted, inputs.front.motor_speed, rear_power, state, outputs.front, measurements.front, calibration.front, calibration
    )
    _write_limits(
        permitted, inputs.rear.motor_speed, front_power, state, outputs.rear, measurements.rear, calibration.rear, calibration
    )


@kernel
def _write_limits(
    permitted: bool, omega: float, others_power: float, state: Any, outputs: Any, measurements: Any, axle: Any, calibration: Any
) -> None:
    """Torque range of one motor: its own, and what the battery leaves while the other axle takes ``others_power`` [W]."""
    c, limits = calibration.torque_path, state.discharge_limiter
    lowest, highest = motor.torque_range(omega, axle, c)
    measurements.motor_torque_available = highest
    others_power += calibration.power_budget.auxiliary_power
    power_max = power_budget.highest_power(limits, calibration.power_budget) - others_power
    power_min = power_budget.lowest_power(limits, calibration.power_budget) - others_power
    braking, driving = power_budget.torque_limits(omega, power_max, power_min, state.power_budget.loss_factor, axle)
    headroom = c.limit_headroom if permitted else 0.0
    upper = clamp(driving, 0.0, highest if permitted else 0.0) + headroom
    lower = clamp(braking, lowest if permitted else 0.0, 0.0) - headroom
    # The commanded torque belongs to a slightly later speed; it must never be cut by its own limits.
    outputs.torque_limit_upper = clamp(upper, clamp(outputs.motor_torque, 0.0, axle.motor_torque_max), axle.motor_torque_max)
    outputs.torque_limit_lower = clamp(lower, -axle.motor_torque_max, clamp(outputs.motor_torque, -axle.motor_torque_max, 0.0))
