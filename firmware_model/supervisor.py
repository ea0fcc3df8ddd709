"""Supervisor: start-up, precharge, READY, shut-down, and what faults do.

    OFF -> WAKE -> PRECHARGE -> HIGH_VOLTAGE_ON -> READY -> SHUTDOWN -> DISCHARGE -> OFF, or FAULT if a fault was latched

A fault stops the torque while it lasts. When it lasts long, or is of a kind that forbids high voltage, it is latched: the car
shuts down and stays in FAULT until the driver switches it off.
"""

from math import isfinite
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.measurements import Fault, SupervisorState
from firmware_model.signals import Failsafe, Gear, HighVoltage

# Yaw control does without these; everything else stops the torque.
TOLERATED = int(Fault.STEERING_SILENT | Fault.STEERING_INVALID | Fault.MOTION_SILENT | Fault.MOTION_INVALID)
# The car becomes READY with these and waits for its operator.
OPERATOR = int(Fault.NOT_ARMED | Fault.PANEL_SILENT)
# Latched at once; the main relay opens without waiting for the car to stand.
HIGH_VOLTAGE_STOP = int(
    Fault.EMERGENCY_STOP | Fault.RELAY_CUT_REQUEST | Fault.BATTERY_IMMOBILISES | Fault.PRECHARGE_TIMEOUT | Fault.BATTERY_NOT_READY
)
# What a recorded request needs: there is no chassis beside it.
FOLLOWED = int(
    Fault.FRONT_INVERTER_SILENT
    | Fault.FRONT_INVERTER_INVALID
    | Fault.REAR_INVERTER_SILENT
    | Fault.REAR_INVERTER_INVALID
    | Fault.BATTERY_STATE_SILENT
    | Fault.BATTERY_STATE_INVALID
    | Fault.BATTERY_LIMIT_SILENT
    | Fault.BATTERY_LIMIT_INVALID
)


@kernel
def supervise(dt: float, inputs: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> bool:
    """One step of ``dt`` [s]: move the state machine, fill ``outputs.power``; whether torque is permitted."""
    s, speed = state.supervisor, measurements.vehicle_speed.speed
    _arm(inputs.panel, state.sources.panel, s)
    faults = _collect_faults(inputs, state, calibration)
    _latch_faults(faults, state.sources, s)
    s.time += dt
    following = _next_state(faults, speed, inputs, state, calibration)
    if following != s.state:
        s.state = following
        s.time = 0.0
    _engage_gear(state.inputs.gear, speed, s, calibration.supervisor)
    _write_power(state.inputs.brake, s, outputs.power, calibration.supervisor)
    _write_silence(outputs, s, calibration)
    permitted = s.state == SupervisorState.READY and ((faults | s.latched_faults) & ~TOLERATED) == 0
    measurements.supervisor.state = s.state
    measurements.supervisor.faults = faults
    measurements.supervisor.latched_faults = s.latched_faults
    measurements.supervisor.torque_permitted = permitted
    return permitted


@kernel
def supervise_request(request: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> bool:
    """Let a recorded ``request`` (Outputs) lead: its high-voltage state is passed on; whether its torque is permitted."""
    outputs.power.high_voltage = request.power.high_voltage
    outputs.power.relay_output = request.power.relay_output
    outputs.power.ready = request.power.ready
    outputs.power.awake = request.power.awake
    outputs.power.absence_diagnosis = request.power.absence_diagnosis
    outputs.power.car_on = request.power.car_on
    outputs.power.gear = request.power.gear
    outputs.power.brake_pressed = request.power.brake_pressed
    outputs.power.charger_power = request.power.charger_power
    faults = (state.sources.faults & FOLLOWED) | state.torque_monitor.faults
    if request.front.link.age > calibration.input_qualification.request_timeout:
        faults |= Fault.REQUEST_SILENT.value
    if not (isfinite(request.front.motor_torque) and isfinite(request.rear.motor_torque)):
        faults |= Fault.REQUEST_INVALID.value
    if state.torque_path.not_finite:
        faults |= Fault.TORQUE_NOT_FINITE.value
    measurements.supervisor.faults = faults
    measurements.supervisor.torque_permitted = faults == 0
    return faults == 0


@kernel
def _arm(panel: Any, source: Any, s: Any) -> None:
    """The operator arms by raising the panel's flag; stop, silence and taking it back disarm until it is raised anew."""
    if source.fault or panel.emergency_stop or not panel.armed:
        s.armed = 0
    elif not s.armed_input:
        s.armed = 1
    if not source.fault:
        s.armed_input = panel.armed


@kernel
def _collect_faults(inputs: Any, state: Any, calibration: Any) -> int:
    """Faults that are active now, bits of Fault; nothing is a fault while the car is off."""
    s, battery = state.supervisor, inputs.battery
    if s.state == SupervisorState.OFF:
        return 0
    faults = state.sources.faults | state.torque_monitor.faults
    if s.state == SupervisorState.HIGH_VOLTAGE_ON or s.state == SupervisorState.READY:
        # Before, an inverter has every reason to complain about its missing DC link.
        if calibration.front.motor_present and inputs.front.error_code & calibration.front.error_mask:
            faults |= Fault.FRONT_INVERTER_ERROR.value
        if calibration.rear.motor_present and inputs.rear.error_code & calibration.rear.error_mask:
            faults |= Fault.REAR_INVERTER_ERROR.value
    if battery.failsafe_status & Failsafe.IMMOBILISE.value:
        faults |= Fault.BATTERY_IMMOBILISES.value
    if battery.relay_cut_request:
        faults |= Fault.RELAY_CUT_REQUEST.value
    if inputs.panel.emergency_stop:
        faults |= Fault.EMERGENCY_STOP.value
    if calibration.supervisor.arming_required and not s.armed:
        faults |= Fault.NOT_ARMED.value
    if state.torque_path.not_finite:
        faults |= Fault.TORQUE_NOT_FINITE.value
    return faults


@kernel
def _latch_faults(faults: int, sources: Any, s: Any) -> None:
    if s.state == SupervisorState.OFF:
        s.latched_faults = 0
    elif s.state != SupervisorState.DISCHARGE and s.state != SupervisorState.FAULT:
        s.latched_faults |= faults & HIGH_VOLTAGE_STOP
    if s.state == SupervisorState.READY:
        s.latched_faults |= sources.lasting_faults & ~(TOLERATED | OPERATOR)


@kernel
def _next_state(faults: int, speed: float, inputs: Any, state: Any, calibration: Any) -> int:
    """The state that follows; the driver's switch counts as off when its frames have been missing for long."""
    s, c = state.supervisor, calibration.supervisor
    on = state.inputs.power_switch and inputs.pedals.link.age < calibration.input_qualification.latch_time
    stop = s.latched_faults or not on
    if s.state == SupervisorState.OFF:
        return SupervisorState.WAKE.value if on else SupervisorState.OFF.value
    if s.state == SupervisorState.WAKE:
        return SupervisorState.DISCHARGE.value if stop else _after_wake(inputs.battery, state.inputs.battery, s, c)
    if s.state == SupervisorState.PRECHARGE:
        return SupervisorState.DISCHARGE.value if stop else _after_precharge(state.inputs, s, calibration)
    if s.state == SupervisorState.HIGH_VOLTAGE_ON and not stop:
        well = (faults & ~(TOLERATED | OPERATOR)) == 0
        return SupervisorState.READY.value if well and s.time >= c.ready_time else s.state
    if s.state == SupervisorState.HIGH_VOLTAGE_ON or s.state == SupervisorState.READY:
        return SupervisorState.SHUTDOWN.value if stop else s.state
    if s.state == SupervisorState.SHUTDOWN:
        return SupervisorState.DISCHARGE.value if _may_open_relay(speed, state, c) else s.state
    if s.state == SupervisorState.DISCHARGE and s.time >= c.discharge_time + c.sleep_time:
        return SupervisorState.FAULT.value if s.latched_faults else SupervisorState.OFF.value
    if s.state == SupervisorState.FAULT and not on:
        return SupervisorState.OFF.value
    return s.state


@kernel
def _after_wake(reported: Any, battery: Any, s: Any, c: Any) -> int:
    """Precharge once the battery is well: a plausible voltage, a closed interlock."""
    interlock = reported.interlock or not c.interlock_required
    if s.time >= c.wake_time and battery.state_trusted and battery.voltage >= c.precharge_voltage_min and interlock:
        return SupervisorState.PRECHARGE.value
    if s.time > c.battery_timeout:
        s.latched_faults |= Fault.BATTERY_NOT_READY.value
    return s.state


@kernel
def _after_precharge(inputs: Any, s: Any, calibration: Any) -> int:
    """High voltage is on when the DC links of all motors have nearly reached the pack's voltage."""
    c = calibration.supervisor
    wanted = c.precharge_share * inputs.battery.voltage
    charged = (inputs.front.dc_voltage >= wanted or not calibration.front.motor_present) and (
        inputs.rear.dc_voltage >= wanted or not calibration.rear.motor_present
    )
    time = s.time - c.relay_time
    if charged and time >= c.precharge_time:
        return SupervisorState.HIGH_VOLTAGE_ON.value
    if time > c.precharge_timeout:
        s.latched_faults |= Fault.PRECHARGE_TIMEOUT.value
    return s.state


@kernel
def _may_open_relay(speed: float, state: Any, c: Any) -> bool:
    """Without current, and at a speed at which no motor's back-EMF reaches the pack voltage, if the fault leaves the time."""
    s, front, rear = state.supervisor, state.inputs.front, state.inputs.rear
    idle = abs(front.motor_torque) < c.shutdown_torque and abs(rear.motor_torque) < c.shutdown_torque
    if s.latched_faults & HIGH_VOLTAGE_STOP:
        return idle or s.time > c.stop_timeout
    return (idle and abs(speed) < c.shutdown_speed) or s.time > c.shutdown_timeout


@kernel
def _engage_gear(shifter: int, speed: float, s: Any, c: Any) -> None:
    """Engage what the shifter says, unless the car moves the other way at more than ``engage_speed``."""
    if s.state != SupervisorState.READY:
        s.gear = Gear.PARK if abs(speed) < c.engage_speed else Gear.NEUTRAL
    elif shifter != s.gear:
        forward = shifter == Gear.DRIVE or shifter == Gear.BRAKE
        fits = (
            (forward and speed > -c.engage_speed)
            or (shifter == Gear.REVERSE and speed < c.engage_speed)
            or (shifter == Gear.PARK and abs(speed) < c.engage_speed)
        )
        s.gear = shifter if fits else Gear.NEUTRAL


@kernel
def _write_power(brake: float, s: Any, power: Any, c: Any) -> None:
    """High voltage, relay, readiness and gear, as the state wants them."""
    before_discharge = s.state == SupervisorState.DISCHARGE and s.time < c.discharge_time
    high_voltage_on = s.state >= SupervisorState.HIGH_VOLTAGE_ON and s.state <= SupervisorState.SHUTDOWN
    precharging = s.state == SupervisorState.PRECHARGE and s.time >= c.relay_time
    if high_voltage_on:
        power.high_voltage = HighVoltage.ON
    elif precharging:
        power.high_voltage = HighVoltage.PRECHARGING
    elif before_discharge:
        power.high_voltage = HighVoltage.STARTING_DISCHARGE
    elif s.state == SupervisorState.WAKE or s.state == SupervisorState.PRECHARGE:
        power.high_voltage = HighVoltage.PRECHARGE_NOT_STARTED
    else:
        power.high_voltage = HighVoltage.OFF
    falls_asleep = s.state == SupervisorState.DISCHARGE and not before_discharge and not s.latched_faults
    power.relay_output = high_voltage_on or before_discharge or s.state == SupervisorState.PRECHARGE
    power.ready = s.state == SupervisorState.READY
    power.awake = s.state != SupervisorState.OFF and not falls_asleep
    power.absence_diagnosis = s.state == SupervisorState.READY and s.time >= c.absence_diagnosis_time
    power.car_on = s.state >= SupervisorState.WAKE and s.state <= SupervisorState.READY
    power.gear = s.gear
    power.brake_pressed = brake >= c.brake_pressed


@kernel
def _write_silence(outputs: Any, s: Any, calibration: Any) -> None:
    """A car that is off transmits nothing, and never anything to an inverter that it has not got."""
    off = s.state == SupervisorState.OFF
    outputs.power.link.silent = off
    outputs.brakes.link.silent = off
    outputs.front.link.silent = off or not calibration.front.motor_present
    outputs.rear.link.silent = off or not calibration.rear.motor_present
