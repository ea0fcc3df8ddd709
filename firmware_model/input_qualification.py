"""Input qualification: what the laws may believe.

Every value is checked once, here. The laws work with ``state.inputs``, which is always finite: a source of which any value is
invalid (NaN) or implausible keeps its last plausible values, all of them. A source that is silent or invalid for longer than
its timeout has failed, and is trusted again when it has been well for some time.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp
from firmware_model.measurements import FIRST_INVALID_BIT, Source
from firmware_model.signals import Failsafe, Gear


@kernel
def qualify(inputs: Any, state: Any, calibration: Any) -> None:
    """Take the plausible sources of ``inputs`` over into ``state.inputs``."""
    c = calibration.input_qualification
    qualified, sources = state.inputs, state.sources
    _qualify_axle(inputs.front, qualified.front, sources.front_inverter, c)
    _qualify_axle(inputs.rear, qualified.rear, sources.rear_inverter, c)
    _qualify_pack(inputs, qualified.battery, sources.battery_state, c)
    _qualify_limits(inputs, qualified.battery, sources.battery_limit, c)
    _qualify_charge(inputs.battery, qualified.battery, sources.battery_charge, c)
    _qualify_pedals(inputs.pedals, qualified, sources.pedals, c)
    _qualify_steering(inputs.steering, qualified, sources.steering, c)
    _qualify_motion(inputs.motion, qualified, sources.motion, c)
    _qualify_wheels(inputs.wheels, qualified, sources, c)
    sources.panel.age = inputs.panel.link.age
    sources.panel.valid = 1


@kernel
def watch(dt: float, state: Any, calibration: Any) -> None:
    """Age all sources by ``dt`` [s]; set the fault bits and trust flags that follow."""
    c = calibration.input_qualification
    sources, qualified = state.sources, state.inputs
    sources.faults = 0
    sources.lasting_faults = 0
    if calibration.front.motor_present:
        _watch(dt, Source.FRONT_INVERTER.value, c.front_inverter_timeout, sources.front_inverter, sources, c)
    if calibration.rear.motor_present:
        _watch(dt, Source.REAR_INVERTER.value, c.rear_inverter_timeout, sources.rear_inverter, sources, c)
    if calibration.supervisor.arming_required:
        _watch(dt, Source.PANEL.value, c.panel_timeout, sources.panel, sources, c)
    _watch(dt, Source.BATTERY_STATE.value, c.battery_state_timeout, sources.battery_state, sources, c)
    _watch(dt, Source.BATTERY_LIMIT.value, c.battery_limit_timeout, sources.battery_limit, sources, c)
    _watch(dt, Source.BATTERY_CHARGE.value, c.battery_charge_timeout, sources.battery_charge, sources, c)
    _watch(dt, Source.PEDALS.value, c.pedals_timeout, sources.pedals, sources, c)
    _watch(dt, Source.STEERING.value, c.steering_timeout, sources.steering, sources, c)
    _watch(dt, Source.MOTION.value, c.motion_timeout, sources.motion, sources, c)
    _watch(dt, Source.FRONT_WHEELS.value, c.front_wheels_timeout, sources.front_wheels, sources, c)
    _watch(dt, Source.REAR_WHEELS.value, c.rear_wheels_timeout, sources.rear_wheels, sources, c)
    qualified.steering_trusted = sources.steering.fault == 0
    qualified.motion_trusted = sources.motion.fault == 0
    qualified.front_wheels_trusted = sources.front_wheels.fault == 0
    qualified.rear_wheels_trusted = sources.rear_wheels.fault == 0
    qualified.battery.state_trusted = sources.battery_state.fault == 0
    qualified.battery.limit_trusted = sources.battery_limit.fault == 0
    qualified.battery.charge_trusted = sources.battery_charge.fault == 0


@kernel
def _watch(dt: float, number: int, timeout: float, source: Any, sources: Any, c: Any) -> None:
    """Age one source; ``number`` (Source) chooses its fault bits, ``timeout`` [s] is how long it may be missing."""
    source.invalid_time = 0.0 if source.valid else source.invalid_time + dt
    if not (source.age <= timeout and source.invalid_time <= timeout):
        source.well_time = 0.0
        source.fault = 1 << (number + FIRST_INVALID_BIT) if source.age <= timeout else 1 << number
    elif source.valid:
        source.well_time += dt
        if source.well_time >= c.heal_time:
            source.fault = 0
    sources.faults |= source.fault
    if source.age >= c.latch_time or source.invalid_time >= c.latch_time:
        sources.lasting_faults |= source.fault


@kernel
def _plausible(value: float, lowest: float, highest: float) -> bool:
    """Whether ``value`` lies between its bounds; NaN does not."""
    return lowest <= value and value <= highest


@kernel
def _qualify_axle(axle: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = axle.link.age
    source.valid = (
        _plausible(axle.motor_speed, -c.motor_speed_max, c.motor_speed_max)
        and _plausible(axle.motor_torque, -c.motor_torque_max, c.motor_torque_max)
        and _plausible(axle.dc_voltage, 0.0, c.voltage_max)
    )
    if source.valid:
        qualified.motor_speed = axle.motor_speed
        qualified.motor_torque = axle.motor_torque
        qualified.dc_voltage = axle.dc_voltage


@kernel
def _qualify_pack(inputs: Any, qualified: Any, source: Any, c: Any) -> None:
    """Pack voltage and current: of the wide frame where there is one, for the LEAF's field ends at 512 A."""
    if inputs.battery_wide.link.age <= c.battery_state_timeout:
        source.age = inputs.battery_wide.link.age
        voltage, current = inputs.battery_wide.voltage, inputs.battery_wide.current
    else:
        source.age = inputs.battery.state_link.age
        voltage, current = inputs.battery.voltage, inputs.battery.current
    source.valid = _plausible(voltage, 0.0, c.voltage_max) and _plausible(current, -c.current_max, c.current_max)
    if source.valid:
        qualified.voltage = voltage
        qualified.current = current


@kernel
def _qualify_limits(inputs: Any, qualified: Any, source: Any, c: Any) -> None:
    """Power limits: of the wide frame where there is one, for the LEAF's field ends at 255.5 kW."""
    if inputs.battery_wide.link.age <= c.battery_limit_timeout:
        source.age = inputs.battery_wide.link.age
        discharge, charge = inputs.battery_wide.discharge_limit, inputs.battery_wide.charge_limit
    else:
        source.age = inputs.battery.limit_link.age
        discharge, charge = inputs.battery.discharge_limit, inputs.battery.charge_limit
    source.valid = _plausible(discharge, 0.0, c.power_max) and _plausible(charge, 0.0, c.power_max)
    if source.valid:
        qualified.discharge_limit = discharge
        qualified.charge_limit = 0.0 if inputs.battery.failsafe_status & Failsafe.STOP_CHARGING.value else charge


@kernel
def _qualify_charge(battery: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = battery.charge_link.age
    source.valid = (
        _plausible(battery.state_of_charge, 0.0, c.charge_max)
        and _plausible(battery.temperature_highest, c.temperature_min, c.temperature_max)
        and _plausible(battery.temperature_lowest, c.temperature_min, c.temperature_max)
    )
    if source.valid:
        qualified.state_of_charge = battery.state_of_charge
        qualified.temperature_highest = battery.temperature_highest
        qualified.temperature_lowest = battery.temperature_lowest


@kernel
def _qualify_pedals(pedals: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = pedals.link.age
    gear = pedals.gear
    source.valid = (
        _plausible(pedals.accelerator, -c.pedal_tolerance, 1.0 + c.pedal_tolerance)
        and _plausible(pedals.brake, -c.pedal_tolerance, 1.0 + c.pedal_tolerance)
        and (gear == Gear.PARK or (gear >= Gear.REVERSE and gear <= Gear.BRAKE))
    )
    if source.valid:
        qualified.accelerator = clamp(pedals.accelerator, 0.0, 1.0)
        qualified.brake = clamp(pedals.brake, 0.0, 1.0)
        qualified.gear = gear
        qualified.power_switch = pedals.power_switch


@kernel
def _qualify_steering(steering: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = steering.link.age
    source.valid = _plausible(steering.wheel_angle, -c.wheel_angle_max, c.wheel_angle_max)
    if source.valid:
        qualified.wheel_angle = steering.wheel_angle


@kernel
def _qualify_motion(motion: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = motion.link.age
    source.valid = (
        _plausible(motion.yaw_rate, -c.yaw_rate_max, c.yaw_rate_max)
        and _plausible(motion.longitudinal_acceleration, -c.acceleration_max, c.acceleration_max)
        and _plausible(motion.lateral_acceleration, -c.acceleration_max, c.acceleration_max)
    )
    if source.valid:
        qualified.yaw_rate = motion.yaw_rate
        qualified.longitudinal_acceleration = motion.longitudinal_acceleration
        qualified.lateral_acceleration = motion.lateral_acceleration


@kernel
def _qualify_wheels(wheels: Any, qualified: Any, sources: Any, c: Any) -> None:
    """Mean speed of each axle, without its sign: the sensors do not know it."""
    v_max = c.wheel_speed_max
    front, rear = sources.front_wheels, sources.rear_wheels
    front.age = wheels.front_link.age
    front.valid = _plausible(wheels.front_left, -v_max, v_max) and _plausible(wheels.front_right, -v_max, v_max)
    if front.valid:
        qualified.front_wheel_speed = 0.5 * (abs(wheels.front_left) + abs(wheels.front_right))
    rear.age = wheels.rear_link.age
    rear.valid = _plausible(wheels.rear_left, -v_max, v_max) and _plausible(wheels.rear_right, -v_max, v_max)
    if rear.valid:
        qualified.rear_wheel_speed = 0.5 * (abs(wheels.rear_left) + abs(wheels.rear_right))
