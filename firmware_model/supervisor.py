"""Supervisor: start-up, precharge, READY, shut-down, and what faults do.

    OFF -> WAKE -> PRECHARGE -> HIGH_VOLTAGE_ON -> READY -> SHUTDOWN -> DISCHARGE -> OFF, or FAULT if a fault ends the drive

The table of :mod:`firmware_model.faults` says what each fault does, as fail-safe patterns. Of those that concern the torque, B
limits the output, E cuts it, F lets the car come to rest and opens the main relay, G opens it at once, A keeps the car off. A
fault of one inverter costs the torque of its own axle alone: the other one drives on, with limited output. That takes a high
voltage that is safe all the same, so that every DC link must have been precharged before; a car whose inverter is silent when it
is switched on does not start.
"""

from math import isfinite
from typing import Any

from firmware_model import faults as fault_memory
from firmware_model.kernel import kernel
from firmware_model.kernel.math import slew
from firmware_model.measurements import Fault, Pattern, SupervisorState
from firmware_model.signals import Failsafe, Gear, HighVoltage

STOP = int(Pattern.NORMAL_STOP | Pattern.SUDDEN_STOP)
NO_TORQUE = int(Pattern.OUTPUT_CUT) | STOP
# The car becomes READY with these and waits for its operator.
OPERATOR = int(Fault.NOT_ARMED | Fault.PANEL_SILENT)
ALL_FAULTS = sum(fault.value for fault in Fault)
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
def supervise(dt: float, inputs: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """One step of ``dt`` [s]: judge the faults, move the state machine, fill ``outputs.power``, permit torque."""
    s, memory, speed = state.supervisor, state.faults, measurements.vehicle_speed.speed
    _arm(inputs.panel, state.sources.panel, s)
    if s.state == SupervisorState.OFF:
        fault_memory.switch_off(memory)
    fault_memory.judge(dt, _present_faults(inputs, state, calibration), _latching_faults(s), memory, calibration.faults)
    patterns = memory.patterns | _patterns_without_axle(memory.patterns, memory.latched, calibration)
    s.time += dt
    following = _next_state(patterns, speed, inputs, state, calibration)
    if following != s.state:
        s.state = following
        s.time = 0.0
    _engage_gear(state.inputs.gear, speed, s, calibration.supervisor)
    _write_power(state.inputs.brake, patterns, s, outputs.power, calibration.supervisor)
    _write_silence(outputs, s, calibration)
    _permit(dt, patterns, s, calibration)
    _measure(memory.active, memory.latched, patterns, s, measurements.supervisor)


@kernel
def supervise_request(request: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Let a recorded ``request`` (Outputs) lead: its high-voltage state is passed on, its torque permitted without a fault."""
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
    s = state.supervisor
    s.front_permitted = s.rear_permitted = faults == 0
    s.output_share = 1.0
    _measure(faults, 0, fault_memory.patterns_of(faults), s, measurements.supervisor)


@kernel
def _measure(active: int, latched: int, patterns: int, s: Any, measurements: Any) -> None:
    measurements.state = s.state
    measurements.faults = active
    measurements.latched_faults = latched
    measurements.patterns = patterns
    measurements.torque_permitted = s.front_permitted or s.rear_permitted
    measurements.front_permitted = s.front_permitted
    measurements.rear_permitted = s.rear_permitted
    measurements.output_share = s.output_share


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
def _present_faults(inputs: Any, state: Any, calibration: Any) -> int:
    """Faults that are present now, bits of Fault; nothing is a fault while the car is off."""
    s, battery = state.supervisor, inputs.battery
    if s.state == SupervisorState.OFF:
        return 0
    faults = state.sources.faults | state.sources.contradictions | state.torque_monitor.faults
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
def _latching_faults(s: Any) -> int:
    """Faults that may be latched in this state: all in READY; before and after it those that open the main relay at once."""
    if s.state == SupervisorState.READY:
        return ALL_FAULTS
    if s.state == SupervisorState.OFF or s.state == SupervisorState.DISCHARGE or s.state == SupervisorState.FAULT:
        return 0
    return fault_memory.LATCHED_AT_ONCE


@kernel
def _patterns_without_axle(patterns: int, latched: int, calibration: Any) -> int:
    """What becomes of the axle cuts when no driven axle is left: the output is cut, and if they are latched, the car stops."""
    if not _cuts_all(patterns, calibration):
        return 0
    if _cuts_all(fault_memory.patterns_of(latched), calibration):
        return Pattern.OUTPUT_CUT.value | Pattern.NORMAL_STOP.value
    return Pattern.OUTPUT_CUT.value


@kernel
def _cuts_all(patterns: int, calibration: Any) -> bool:
    """Whether no motor may drive."""
    front = calibration.front.motor_present and not patterns & Pattern.FRONT_CUT.value
    rear = calibration.rear.motor_present and not patterns & Pattern.REAR_CUT.value
    return not (front or rear)


@kernel
def _permit(dt: float, patterns: int, s: Any, calibration: Any) -> None:
    """Torque of each axle, and how much driving torque is left; that share moves at its rates, without a step in the torque."""
    c = calibration.supervisor
    permitted = s.state == SupervisorState.READY and not patterns & NO_TORQUE
    s.front_permitted = permitted and not patterns & Pattern.FRONT_CUT.value
    s.rear_permitted = permitted and not patterns & Pattern.REAR_CUT.value
    wanted = c.limp_share if patterns & Pattern.OUTPUT_LIMITED.value else 1.0
    s.output_share = slew(s.output_share, wanted, c.limp_fall_rate, c.limp_rise_rate, dt)


@kernel
def _next_state(patterns: int, speed: float, inputs: Any, state: Any, calibration: Any) -> int:
    """The state that follows; the driver's switch counts as off when its frames have been missing for long."""
    s, c = state.supervisor, calibration.supervisor
    on = state.inputs.power_switch and inputs.pedals.link.age < c.switch_timeout
    stop = patterns & STOP or not on
    if s.state == SupervisorState.OFF:
        prohibited = patterns & Pattern.RESTART_PROHIBITED.value
        return SupervisorState.WAKE.value if on and not prohibited else SupervisorState.OFF.value
    if s.state == SupervisorState.WAKE:
        return SupervisorState.DISCHARGE.value if stop else _after_wake(inputs.battery, state, c)
    if s.state == SupervisorState.PRECHARGE:
        return SupervisorState.DISCHARGE.value if stop else _after_precharge(state, calibration)
    if s.state == SupervisorState.HIGH_VOLTAGE_ON and not stop:
        return SupervisorState.READY.value if _may_become_ready(patterns, state, calibration) else s.state
    if s.state == SupervisorState.HIGH_VOLTAGE_ON or s.state == SupervisorState.READY:
        return SupervisorState.SHUTDOWN.value if stop else s.state
    if s.state == SupervisorState.SHUTDOWN:
        return SupervisorState.DISCHARGE.value if _may_open_relay(patterns, speed, state, c) else s.state
    if s.state == SupervisorState.DISCHARGE and s.time >= c.discharge_time + c.sleep_time:
        return SupervisorState.FAULT.value if patterns & STOP else SupervisorState.OFF.value
    if s.state == SupervisorState.FAULT and not on:
        return SupervisorState.OFF.value
    return s.state


@kernel
def _may_become_ready(patterns: int, state: Any, calibration: Any) -> bool:
    """When nothing but the operator withholds torque; with one axle only after both have had their time."""
    s, c = state.supervisor, calibration.supervisor
    blocking = fault_memory.patterns_of(state.faults.active & ~OPERATOR)
    if blocking & NO_TORQUE or _cuts_all(patterns, calibration):
        return False
    limps = patterns & (Pattern.FRONT_CUT.value | Pattern.REAR_CUT.value)
    return s.time >= (c.limp_ready_time if limps else c.ready_time)


@kernel
def _after_wake(reported: Any, state: Any, c: Any) -> int:
    """Precharge once the battery is well: a plausible voltage, a closed interlock."""
    s, battery = state.supervisor, state.inputs.battery
    interlock = reported.interlock or not c.interlock_required
    if s.time >= c.wake_time and battery.state_trusted and battery.voltage >= c.precharge_voltage_min and interlock:
        return SupervisorState.PRECHARGE.value
    if s.time > c.battery_timeout:
        fault_memory.latch(Fault.BATTERY_NOT_READY.value, state.faults)
    return s.state


@kernel
def _after_precharge(state: Any, calibration: Any) -> int:
    """High voltage is on when the DC links of all motors have nearly reached the pack's voltage."""
    s, c, inputs = state.supervisor, calibration.supervisor, state.inputs
    wanted = c.precharge_share * inputs.battery.voltage
    charged = (inputs.front.dc_voltage >= wanted or not calibration.front.motor_present) and (
        inputs.rear.dc_voltage >= wanted or not calibration.rear.motor_present
    )
    time = s.time - c.relay_time
    if charged and time >= c.precharge_time:
        return SupervisorState.HIGH_VOLTAGE_ON.value
    if time > c.precharge_timeout:
        fault_memory.latch(Fault.PRECHARGE_TIMEOUT.value, state.faults)
    return s.state


@kernel
def _may_open_relay(patterns: int, speed: float, state: Any, c: Any) -> bool:
    """Without current, and at a speed at which no motor's back-EMF reaches the pack voltage, if the fault leaves the time."""
    s, sources = state.supervisor, state.sources
    idle = _is_idle(state.inputs.front, sources.front_inverter, s, c) and _is_idle(state.inputs.rear, sources.rear_inverter, s, c)
    if patterns & Pattern.SUDDEN_STOP.value:
        return idle or s.time > c.stop_timeout
    return (idle and abs(speed) < c.shutdown_speed) or s.time > c.shutdown_timeout


@kernel
def _is_idle(axle: Any, source: Any, s: Any, c: Any) -> bool:
    """Whether a motor carries no torque; of one that has failed nothing is known, it is given time."""
    return s.time > c.stop_timeout if source.fault else abs(axle.motor_torque) < c.shutdown_torque


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
def _write_power(brake: float, patterns: int, s: Any, power: Any, c: Any) -> None:
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
    falls_asleep = s.state == SupervisorState.DISCHARGE and not before_discharge and not patterns & STOP
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
    front, rear = off or not calibration.front.motor_present, off or not calibration.rear.motor_present
    outputs.power.link.silent = outputs.power.charger_link.silent = off
    outputs.brakes.link.silent = off
    outputs.front.link.silent = outputs.front.mode_link.silent = front
    outputs.rear.link.silent = outputs.rear.mode_link.silent = outputs.power.rear_link.silent = rear
