"""Input qualification: what the laws may believe.

Every value is checked once, here. The laws work with ``state.inputs``, which is always finite: a source of which any value is
invalid (NaN) or implausible keeps its last plausible values, all of them. A source that is silent or invalid for longer than
its timeout has failed, and is trusted again when it has been well for some time.

Values that are plausible one by one may still contradict each other. Coarse checks that hold on any road find that out:

    both tracks of the accelerator      read the same; else the lower one counts, and of an invalid one the other
    DC link and pack                    have the same voltage
    mean wheel speed and motor          of an axle, which an open differential joins; the motor is believed, for a wrong
                                        resolver would not let it run
    yaw rate                            (v_right - v_left) / track of freely rolling wheels, where both axles agree
    acceleration                        and that of freely rolling wheels, both lagged; a grade is not enough to contradict

A contradiction is a fault once it has lasted (:mod:`firmware_model.faults`); then the sensor is no longer trusted, and the laws
fall back on another one. Driven or braked wheels are no witnesses: with open differentials those of one side may spin on both
axles alike, and what departs from the wheels then is what tells of it. Steering and yaw rate are not compared: on ice the one
tells nothing about the other. The wheels of an axle whose inverter has failed stand in for its motor speed.
"""

from math import inf
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag, sign
from firmware_model.measurements import FIRST_INVALID_BIT, Fault, Source, SupervisorState
from firmware_model.signals import (
    FRONT_LEFT,
    FRONT_RIGHT,
    NO_SECOND_TRACK,
    REAR_LEFT,
    REAR_RIGHT,
    DriveMode,
    Failsafe,
    Gear,
)

WHEELS = int(Fault.FRONT_WHEELS_CONTRADICTED | Fault.REAR_WHEELS_CONTRADICTED)


@kernel
def qualify(inputs: Any, state: Any, calibration: Any) -> None:
    """Take the plausible sources of ``inputs`` over into ``state.inputs``; the rest follow with :func:`qualify_slow`."""
    c = calibration.input_qualification
    qualified, sources = state.inputs, state.sources
    _qualify_axle(inputs.front, qualified.front, sources.front_inverter, c)
    _qualify_axle(inputs.rear, qualified.rear, sources.rear_inverter, c)
    _qualify_motion(inputs.motion, qualified, sources.motion, c)
    _qualify_wheels(inputs.wheels, qualified, state, calibration)
    sources.panel.age = inputs.panel.link.age
    sources.panel.valid = 1


@kernel
def qualify_slow(inputs: Any, state: Any, c: Any) -> None:
    """The same for what driver and battery tell, which nothing follows faster than vectoring and limits."""
    battery, sources = state.inputs.battery, state.sources
    _qualify_pedals(inputs.pedals, state.inputs, sources.pedals, c)
    _qualify_steering(inputs.steering, state.inputs, sources.steering, c)
    _qualify_pack(inputs, battery, sources.battery_state, c)
    _qualify_limits(inputs, battery, sources.battery_limit, c)
    _qualify_charge(inputs.battery, battery, sources.battery_charge, c)


@kernel
def watch(dt: float, state: Any, calibration: Any) -> None:
    """Age all sources by ``dt`` [s]; set the fault bits and trust flags that follow."""
    c = calibration.input_qualification
    sources, qualified = state.sources, state.inputs
    sources.faults = 0
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
    contradicted = state.faults.active | state.faults.latched
    motion = Fault.YAW_RATE_CONTRADICTED.value | Fault.ACCELERATION_CONTRADICTED.value
    front, rear = Fault.FRONT_WHEELS_CONTRADICTED.value, Fault.REAR_WHEELS_CONTRADICTED.value
    qualified.steering_trusted = sources.steering.fault == 0
    qualified.motion_trusted = sources.motion.fault == 0 and not contradicted & motion
    qualified.front_wheels_trusted = sources.front_wheels.fault == 0 and not contradicted & front
    qualified.rear_wheels_trusted = sources.rear_wheels.fault == 0 and not contradicted & rear
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
    if source.valid and not source.fault:
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
        health, energy = battery.state_of_health, battery.remaining_energy
        qualified.state_of_health = health if _plausible(health, 0.0, c.charge_max) else 1.0
        qualified.remaining_energy = energy if energy >= 0.0 and energy < inf else 0.0
        qualified.temperature_highest = battery.temperature_highest
        qualified.temperature_lowest = battery.temperature_lowest


@kernel
def _qualify_pedals(pedals: Any, qualified: Any, source: Any, c: Any) -> None:
    source.age = pedals.link.age
    gear = pedals.gear
    accelerator = _accelerator(pedals, c)
    source.valid = (
        _is_position(accelerator, c)
        and _is_position(pedals.brake, c)
        and (gear == Gear.PARK or (gear >= Gear.REVERSE and gear <= Gear.BRAKE))
    )
    if source.valid:
        qualified.accelerator = clamp(accelerator, 0.0, 1.0)
        qualified.brake = clamp(pedals.brake, 0.0, 1.0)
        qualified.gear = gear
        qualified.power_switch = pedals.power_switch
        qualified.e_pedal = pedals.e_pedal
        if pedals.drive_mode >= DriveMode.STANDARD and pedals.drive_mode <= DriveMode.SNOW:
            qualified.drive_mode = pedals.drive_mode


@kernel
def _is_position(pedal: float, c: Any) -> bool:
    """Whether ``pedal`` [1] is a position."""
    return _plausible(pedal, -c.pedal_tolerance, 1.0 + c.pedal_tolerance)


@kernel
def _accelerator(pedals: Any, c: Any) -> float:
    """The lower one of both tracks [1]; of an invalid one the other, of a pedal with one track that one."""
    first, second = pedals.accelerator, pedals.accelerator_track_2
    if not _is_position(second, c):
        return first
    return second if not _is_position(first, c) or second < first else first


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
def _qualify_wheels(wheels: Any, qualified: Any, state: Any, calibration: Any) -> None:
    """Speeds of the wheels, without their sign: the sensors do not know it. What contradicts the motor is not taken over."""
    c, front, rear, check = (
        calibration.input_qualification,
        state.sources.front_wheels,
        state.sources.rear_wheels,
        state.cross_check,
    )
    v_max = c.wheel_speed_max
    front.age = wheels.front_link.age
    front.valid = _plausible(wheels.front_left, -v_max, v_max) and _plausible(wheels.front_right, -v_max, v_max)
    if front.valid:
        left, right = abs(wheels.front_left), abs(wheels.front_right)
        inverter = state.sources.front_inverter
        check.front_wheels = _contradicts_motor(0.5 * (left + right), qualified.front, inverter, calibration.front, c)
        if not check.front_wheels:
            qualified.wheel_speed[FRONT_LEFT], qualified.wheel_speed[FRONT_RIGHT] = left, right
            qualified.front_wheel_speed = 0.5 * (left + right)
    rear.age = wheels.rear_link.age
    rear.valid = _plausible(wheels.rear_left, -v_max, v_max) and _plausible(wheels.rear_right, -v_max, v_max)
    if rear.valid:
        left, right = abs(wheels.rear_left), abs(wheels.rear_right)
        inverter = state.sources.rear_inverter
        check.rear_wheels = _contradicts_motor(0.5 * (left + right), qualified.rear, inverter, calibration.rear, c)
        if not check.rear_wheels:
            qualified.wheel_speed[REAR_LEFT], qualified.wheel_speed[REAR_RIGHT] = left, right
            qualified.rear_wheel_speed = 0.5 * (left + right)


@kernel
def _contradicts_motor(mean: float, motor: Any, inverter: Any, axle: Any, c: Any) -> bool:
    """Whether the ``mean`` wheel speed [m/s] of an axle is not that of its ``motor``, whose ``inverter`` is believed."""
    if not axle.motor_present or inverter.fault:
        return False
    v = abs(motor.motor_speed) * axle.wheel_radius / axle.gear_ratio
    return not abs(mean - v) <= c.wheel_tolerance + c.wheel_tolerance_share * v


@kernel
def cross_check(dt: float, inputs: Any, state: Any, calibration: Any) -> None:
    """Find the sources that contradict each other now, ``dt`` [s] after the last time."""
    c, qualified, sources = calibration.input_qualification, state.inputs, state.sources
    found = _check_tracks(inputs.pedals, sources.pedals, c)
    found |= _check_links(state, calibration)
    if state.cross_check.front_wheels and sources.front_wheels.fault == 0:
        found |= Fault.FRONT_WHEELS_CONTRADICTED.value
    if state.cross_check.rear_wheels and sources.rear_wheels.fault == 0:
        found |= Fault.REAR_WHEELS_CONTRADICTED.value
    heard = sources.motion.fault == 0 and sources.front_wheels.fault == 0 and sources.rear_wheels.fault == 0
    rolling = heard and not found & WHEELS and _roll(inputs.brakes, qualified, c)
    if rolling:
        d = sign(qualified.front.motor_speed + qualified.rear.motor_speed)
        found |= _check_yaw_rate(d, inputs.wheels, qualified, calibration)
        found |= _check_acceleration(dt, d, qualified, state.cross_check, c)
    state.cross_check.rolling = rolling
    sources.contradictions = found
    _replace_motor_speeds(qualified, sources, calibration)


@kernel
def _check_links(state: Any, calibration: Any) -> int:
    """DC links against the pack, while they are connected; bits of Fault."""
    s, qualified, sources = state.supervisor.state, state.inputs, state.sources
    connected = s == SupervisorState.HIGH_VOLTAGE_ON or s == SupervisorState.READY
    if not connected or sources.battery_state.fault:
        return 0
    pack, tolerance = qualified.battery.voltage, calibration.input_qualification.dc_link_tolerance
    found = 0
    if calibration.front.motor_present and _contradicts(qualified.front.dc_voltage, pack, tolerance, sources.front_inverter):
        found |= Fault.FRONT_DC_LINK.value
    if calibration.rear.motor_present and _contradicts(qualified.rear.dc_voltage, pack, tolerance, sources.rear_inverter):
        found |= Fault.REAR_DC_LINK.value
    return found


@kernel
def _replace_motor_speeds(qualified: Any, sources: Any, calibration: Any) -> None:
    """Put the wheels' speed for that of a motor whose inverter has failed, with the sign of the other motor, or the last one.

    Such a motor has been told to do nothing, and what it last said that it did is no longer true.
    """
    if sources.front_inverter.fault:
        qualified.front.motor_torque = 0.0
    if sources.rear_inverter.fault:
        qualified.rear.motor_torque = 0.0
    front, rear = calibration.front, calibration.rear
    if front.motor_present and sources.front_inverter.fault and qualified.front_wheels_trusted:
        reference = qualified.rear.motor_speed if rear.motor_present else qualified.front.motor_speed
        qualified.front.motor_speed = sign(reference) * qualified.front_wheel_speed * front.gear_ratio / front.wheel_radius
    if rear.motor_present and sources.rear_inverter.fault and qualified.rear_wheels_trusted:
        reference = qualified.front.motor_speed if front.motor_present else qualified.rear.motor_speed
        qualified.rear.motor_speed = sign(reference) * qualified.rear_wheel_speed * rear.gear_ratio / rear.wheel_radius


@kernel
def _contradicts(value: float, reference: float, tolerance: float, source: Any) -> bool:
    """Whether ``value`` is off its ``reference`` by more than ``tolerance``; a ``source`` that has failed contradicts nothing."""
    return source.fault == 0 and not abs(value - reference) <= tolerance


@kernel
def _check_tracks(pedals: Any, source: Any, c: Any) -> int:
    """What is wrong with the tracks of the accelerator, as bits of Fault; a pedal that has failed as a whole is another fault."""
    first, second = pedals.accelerator, pedals.accelerator_track_2
    if second == NO_SECOND_TRACK or not source.valid or source.fault:
        return 0
    if not _is_position(first, c):
        return Fault.ACCELERATOR_TRACK_1.value
    if not _is_position(second, c):
        return Fault.ACCELERATOR_TRACK_2.value
    return Fault.ACCELERATOR_TRACKS_DIFFER.value if abs(first - second) > c.accelerator_tolerance else 0


@kernel
def _roll(brakes: Any, qualified: Any, c: Any) -> bool:
    """Whether all wheels roll freely: hardly driven and not braked. False for a pressure that is NaN."""
    return (
        abs(qualified.front.motor_torque) + abs(qualified.rear.motor_torque) < c.motor_torque_free
        and brakes.front_left < c.brake_pressure_free
        and brakes.front_right < c.brake_pressure_free
        and brakes.rear_left < c.brake_pressure_free
        and brakes.rear_right < c.brake_pressure_free
    )


@kernel
def _check_yaw_rate(d: float, wheels: Any, qualified: Any, calibration: Any) -> int:
    """Yaw rate against the wheels of both axles, which go in direction ``d``; bit of Fault."""
    c = calibration.input_qualification
    v_front, v_rear = qualified.front_wheel_speed, qualified.rear_wheel_speed
    r_front = d * (abs(wheels.front_right) - abs(wheels.front_left)) / calibration.vehicle.front_track
    r_rear = d * (abs(wheels.rear_right) - abs(wheels.rear_left)) / calibration.vehicle.rear_track
    # Written so that a value that is not a number finds nothing.
    grips = abs(v_front - v_rear) < c.wheel_tolerance and abs(r_front - r_rear) < c.yaw_agreement
    rolls = v_rear > c.yaw_speed_min and grips
    if rolls and abs(qualified.yaw_rate - r_rear) > c.yaw_tolerance:
        return Fault.YAW_RATE_CONTRADICTED.value
    return 0


@kernel
def _check_acceleration(dt: float, d: float, qualified: Any, state: Any, c: Any) -> int:
    """Acceleration against that of the slower axle's wheels, both behind the same lag; bit of Fault."""
    front, rear = qualified.front_wheel_speed, qualified.rear_wheel_speed
    v = d * (front if front < rear else rear)
    if not state.rolling:
        state.speed, state.acceleration = v, 0.0
    state.speed = lag(state.speed, v, c.acceleration_lag, dt)
    state.acceleration = lag(state.acceleration, qualified.longitudinal_acceleration, c.acceleration_lag, dt)
    by_wheels = (v - state.speed) / c.acceleration_lag
    return Fault.ACCELERATION_CONTRADICTED.value if abs(state.acceleration - by_wheels) > c.acceleration_tolerance else 0
