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
def bound(state: Any, measurements: Any, calibration: Any) -> None:
    """Torque range [Nm] of both motors: each its own, and what the battery leaves beside the power of the other."""
    last, inputs, front, rear = state.torque_path, state.inputs, calibration.front, calibration.rear
    front_power, rear_power = measurements.front.dc_power, measurements.rear.dc_power
    last.front_lowest, last.front_highest = _bounds(inputs.front, rear_power, state, measurements.front, front, calibration)
    last.rear_lowest, last.rear_highest = _bounds(inputs.rear, front_power, state, measurements.rear, rear, calibration)


@kernel
def _bounds(drive: Any, others_power: float, state: Any, measurements: Any, axle: Any, calibration: Any) -> tuple[float, float]:
    """Lowest and highest torque [Nm] of one motor (``drive``, QualifiedAxle) beside ``others_power`` [W], with some headroom."""
    c, limits = calibration.torque_path, state.discharge_limiter
    lowest, highest = motor.torque_range(drive, axle, c)
    measurements.motor_torque_available = highest
    others_power += calibration.power_budget.auxiliary_power
    power_max = power_budget.highest_power(limits, calibration.power_budget) - others_power
    power_min = power_budget.lowest_power(limits, calibration.power_budget) - others_power
    braking, driving = power_budget.torque_limits(drive.motor_speed, power_max, power_min, state.power_budget.loss_factor, axle)
    return clamp(braking, lowest, 0.0) - c.limit_headroom, clamp(driving, 0.0, highest) + c.limit_headroom


@kernel
def command(front_torque: float, rear_torque: float, state: Any, outputs: Any, calibration: Any) -> None:
    """Write the torques [Nm] and their limits into ``outputs``; a torque that is not a number becomes zero, and a fault."""
    last, s, front, rear = state.torque_path, state.supervisor, calibration.front, calibration.rear
    last.not_finite = not (isfinite(front_torque) and isfinite(rear_torque))
    last.front_torque = 0.0 if last.not_finite else front_torque
    last.rear_torque = 0.0 if last.not_finite else rear_torque
    lead = state.power_budget.lead_share
    _write(lead * last.front_torque, s.front_permitted, last.front_lowest, last.front_highest, outputs.front, front)
    _write(lead * last.rear_torque, s.rear_permitted, last.rear_lowest, last.rear_highest, outputs.rear, rear)


@kernel
def _write(torque: float, permitted: bool, lowest: float, highest: float, outputs: Any, axle: Any) -> None:
    """One motor's ``torque`` [Nm], with its limits if it is ``permitted`` any.

    The torque belongs to a slightly later speed than its limits; it must never be cut by them.
    """
    most = axle.motor_torque_max
    outputs.motor_torque = torque
    outputs.torque_limit_upper = clamp(highest if permitted else 0.0, clamp(torque, 0.0, most), most)
    outputs.torque_limit_lower = clamp(lowest if permitted else 0.0, -most, clamp(torque, -most, 0.0))
