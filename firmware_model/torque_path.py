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
def approach(dt: float, front_wanted: float, rear_wanted: float, state: Any, calibration: Any) -> tuple[float, float]:
    """Motor torques [Nm] one step of ``dt`` [s] nearer to the wanted ones; towards zero, and faster, where none is permitted."""
    c, last, inputs, s = calibration.torque_path, state.torque_path, state.inputs, state.supervisor
    front_torque, rear_torque = underway(state)
    front_last = front_torque if s.front_permitted else last.front_torque
    rear_last = rear_torque if s.rear_permitted else last.rear_torque
    front = _approach(dt, front_wanted, front_last, s.front_permitted, s.output_share, inputs.front, calibration.front, c)
    rear = _approach(dt, rear_wanted, rear_last, s.rear_permitted, s.output_share, inputs.rear, calibration.rear, c)
    return front, rear


@kernel
def underway(state: Any) -> tuple[float, float]:
    """Torques [Nm] of both motors that the rates start from: the last commands, and what ride control holds back of them."""
    last, ride = state.torque_path, state.ride_control
    return (
        last.front_torque + ride.front.held_back - ride.front.feedback,
        last.rear_torque + ride.rear.held_back - ride.rear.feedback,
    )


@kernel
def reachable(dt: float, last: float, c: Any) -> tuple[float, float]:
    """Lowest and highest torque [Nm] that the rates allow ``dt`` [s] after ``last`` [Nm]."""
    fall = c.fall_rate if last > 0.0 else c.rise_rate
    rise = c.rise_rate if last >= 0.0 else c.fall_rate
    return last - fall * dt, last + rise * dt


@kernel
def _approach(dt: float, wanted: float, last: float, permitted: bool, share: float, inputs: Any, axle: Any, c: Any) -> float:
    """Torque [Nm] of one motor. From the torque that was really commanded ``last`` [Nm], so that no limit winds it up.

    A limited output leaves a ``share`` of the driving torque, which at standstill may be that of reverse.
    """
    if permitted:
        least, most = reachable(dt, last, c)
        torque = clamp(wanted, least, most)
    else:
        torque = slew(last, 0.0, c.safe_rate, c.safe_rate, dt)
    lowest, highest = _range(share, inputs, axle, c)
    return clamp(torque, lowest, highest)


@kernel
def _range(share: float, inputs: Any, axle: Any, c: Any) -> tuple[float, float]:
    """Lowest and highest torque [Nm] of a motor of whose driving torque a ``share`` [1] is left; braking is not limited."""
    lowest, highest = motor.torque_range(inputs, axle, c)
    if inputs.motor_speed <= 0.0:
        lowest *= share
    if inputs.motor_speed >= 0.0:
        highest *= share
    return lowest, highest


@kernel
def within_range(torque: float, approached: float, permitted: bool, share: float, inputs: Any, axle: Any, c: Any) -> float:
    """``torque`` [Nm] that ride and slip control made of the ``approached`` one, within the ``share`` [1] of the motor's range.

    Shaping swings beyond a limit, and slip control may turn a torque's sign; unless ``permitted``, they only take torque away.
    """
    if permitted:
        lowest, highest = _range(share, inputs, axle, c)
    else:
        lowest, highest = (0.0, approached) if approached > 0.0 else (approached, 0.0)
    return clamp(torque, lowest, highest)


@kernel
def command(front_torque: float, rear_torque: float, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Write the torques [Nm] and their limits into ``outputs``; a torque that is not a number becomes zero, and a fault."""
    last, inputs = state.torque_path, state.inputs
    last.not_finite = not (isfinite(front_torque) and isfinite(rear_torque))
    last.front_torque = 0.0 if last.not_finite else front_torque
    last.rear_torque = 0.0 if last.not_finite else rear_torque
    lead = state.power_budget.lead_share
    outputs.front.motor_torque = lead * last.front_torque
    outputs.rear.motor_torque = lead * last.rear_torque
    rear_power, front_power = measurements.rear.dc_power, measurements.front.dc_power
    s, front, rear = state.supervisor, calibration.front, calibration.rear
    _write_limits(s.front_permitted, inputs.front, rear_power, state, outputs.front, measurements.front, front, calibration)
    _write_limits(s.rear_permitted, inputs.rear, front_power, state, outputs.rear, measurements.rear, rear, calibration)


@kernel
def _write_limits(
    permitted: bool, drive: Any, others_power: float, state: Any, outputs: Any, measurements: Any, axle: Any, calibration: Any
) -> None:
    """Torque range of one motor (``drive``, QualifiedAxle): its own, and what the battery leaves beside ``others_power`` [W]."""
    c, limits = calibration.torque_path, state.discharge_limiter
    lowest, highest = motor.torque_range(drive, axle, c)
    measurements.motor_torque_available = highest
    others_power += calibration.power_budget.auxiliary_power
    power_max = power_budget.highest_power(limits, calibration.power_budget) - others_power
    power_min = power_budget.lowest_power(limits, calibration.power_budget) - others_power
    braking, driving = power_budget.torque_limits(drive.motor_speed, power_max, power_min, state.power_budget.loss_factor, axle)
    headroom = c.limit_headroom if permitted else 0.0
    upper = clamp(driving, 0.0, highest if permitted else 0.0) + headroom
    lower = clamp(braking, lowest if permitted else 0.0, 0.0) - headroom
    # The commanded torque belongs to a slightly later speed; it must never be cut by its own limits.
    outputs.torque_limit_upper = clamp(upper, clamp(outputs.motor_torque, 0.0, axle.motor_torque_max), axle.motor_torque_max)
    outputs.torque_limit_lower = clamp(lower, -axle.motor_torque_max, clamp(outputs.motor_torque, -axle.motor_torque_max, 0.0))
