"""Torque monitor: the independent second opinion on the torque path (level 2 of the EGAS monitoring concept).

It reads the raw inputs, forms a coarse band of allowed torque by means of its own, and compares the commands with it. A sum
of torques beyond the band by more than a threshold, or of a sign that the band excludes, is after some time a fault, which
holds the torque at zero until the commands have been inside again for some time. State and calibration are its own.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, slew
from firmware_model.measurements import Fault
from firmware_model.signals import Gear


@kernel
def check_driver(dt: float, inputs: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Compare the commands in ``outputs`` with what driver and battery (raw ``inputs``) allow; ``dt`` [s] since the last time."""
    _hold_inputs(dt, inputs, state, calibration.torque_monitor)
    driving, braking = _allowed_torques(inputs, state, calibration)
    if inputs.pedals.gear == Gear.REVERSE:
        _check(dt, braking, -driving, outputs, state, measurements, calibration)
    elif inputs.pedals.gear == Gear.DRIVE or inputs.pedals.gear == Gear.BRAKE:
        _check(dt, driving, -braking, outputs, state, measurements, calibration)
    else:
        _check(dt, 0.0, 0.0, outputs, state, measurements, calibration)


@kernel
def check_request(dt: float, request: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Compare the commands in ``outputs`` with a recorded ``request`` (Outputs), which they may not exceed."""
    wanted = request.front.motor_torque + request.rear.motor_torque
    upper = wanted if wanted > 0.0 else 0.0
    lower = wanted if wanted < 0.0 else 0.0
    _check(dt, upper, lower, outputs, state, measurements, calibration)


@kernel
def _hold_inputs(dt: float, inputs: Any, state: Any, c: Any) -> None:
    """Keep the last valid pedals and battery limit for a short time, then reckon with none."""
    accelerator, brake = inputs.pedals.accelerator, inputs.pedals.brake
    limit = inputs.battery.discharge_limit
    if inputs.battery_wide.link.age <= c.hold_time:
        limit = inputs.battery_wide.discharge_limit
    if accelerator >= 0.0 and brake >= 0.0 and limit >= 0.0:  # false for NaN
        state.invalid_time = 0.0
        state.accelerator = accelerator
        state.brake = brake
        state.discharge_limit = limit
    else:
        state.invalid_time += dt
    if state.invalid_time > c.hold_time:
        state.accelerator = 0.0
        state.brake = 0.0
        state.discharge_limit = 0.0


@kernel
def _allowed_torques(inputs: Any, state: Any, calibration: Any) -> tuple[float, float]:
    """Sum of motor torques [Nm] allowed for driving and for braking, both positive."""
    c = calibration.torque_monitor
    omega = abs(inputs.front.motor_speed)
    if not calibration.front.motor_present or (calibration.rear.motor_present and abs(inputs.rear.motor_speed) < omega):
        omega = abs(inputs.rear.motor_speed)
    driving = c.torque_sum_max * clamp(c.pedal_gain * state.accelerator + c.pedal_offset, 0.0, 1.0)
    if omega < c.creep_speed:
        driving += c.creep_torque
    power = (1.0 + c.power_tolerance) * state.discharge_limit + c.power_floor
    if driving * omega > power:
        driving = power / omega
    if state.brake > 0.0:
        return driving, c.torque_sum_max
    if state.accelerator < c.regeneration_pedal:
        return driving, c.regeneration_share * c.torque_sum_max
    return driving, 0.0


@kernel
def _check(dt: float, upper: float, lower: float, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Compare with the band from ``lower`` to ``upper`` [Nm], which narrows no faster than the torque path can follow."""
    c = calibration.torque_monitor
    rate = c.release_rate * (calibration.front.motor_present + calibration.rear.motor_present)
    state.allowed_upper = upper if upper > state.allowed_upper else slew(state.allowed_upper, upper, rate, rate, dt)
    state.allowed_lower = lower if lower < state.allowed_lower else slew(state.allowed_lower, lower, rate, rate, dt)
    front, rear = outputs.front.motor_torque, outputs.rear.motor_torque
    commanded = front + rear
    single_max = c.motor_torque_max + c.excess_torque
    within = (
        commanded <= state.allowed_upper + c.excess_torque
        and commanded >= state.allowed_lower - c.excess_torque
        and abs(front) <= single_max
        and abs(rear) <= single_max
    )
    opposite = (state.allowed_upper == 0.0 and commanded > c.opposite_torque) or (
        state.allowed_lower == 0.0 and commanded < -c.opposite_torque
    )
    _judge(dt, within, opposite, state, measurements, c)
    measurements.allowed_upper = state.allowed_upper
    measurements.allowed_lower = state.allowed_lower
    measurements.commanded = commanded
    if state.faults:
        outputs.front.motor_torque = 0.0
        outputs.rear.motor_torque = 0.0


@kernel
def _judge(dt: float, within: bool, opposite: bool, state: Any, measurements: Any, c: Any) -> None:
    """Count the time of wrong and of right commands; raise and heal the faults."""
    state.excess_time = 0.0 if within else state.excess_time + dt
    state.opposite_time = state.opposite_time + dt if opposite else 0.0
    state.well_time = state.well_time + dt if within and not opposite else 0.0
    faults_before = state.faults
    margin = 0.5 * dt  # a sum of steps is not exact
    if state.excess_time > c.fault_time - margin and not within:
        state.faults |= Fault.MONITOR_EXCESS.value
    if state.opposite_time > c.fault_time - margin and opposite:
        state.faults |= Fault.MONITOR_OPPOSITE.value
    if state.well_time > c.heal_time - margin:
        state.faults = 0
    measurements.tripped = state.faults != 0
    if state.faults and not faults_before:
        measurements.trips += 1
