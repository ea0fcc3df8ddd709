"""A LEAF inverter as it behaves on CAN: it boots, checks itself, obeys 0x1D4, discharges its DC link, and gives up for a reason.

    asleep -> silent -> invalid values -> STARTING -> OFF <-> RUNNING, and DISCHARGING on the way back
                                             any of them -> FAULT, until it sleeps

The times and codes are those of an inverter of 2018 or later alone on a bench, and of a 2011 car that is switched off. What is
latched stops the torque, shows in 0x1DA, and is broadcast once, one trouble code a frame.
"""

import math
from enum import IntFlag

import numpy as np

from bench.nodes.reception import ListenerState, forget, frozen_counters, is_absent, listen, wrong_checks
from firmware_model.kernel import flag, integer, kernel, real, record
from firmware_model.signals import HighVoltage, InverterStatus


class Trouble(IntFlag):
    """What an inverter can latch, in the order in which a real one broadcasts it."""

    RESOLVER = 1
    NO_CAN = 2
    WINDING_SENSOR = 4
    POWER_STAGE_SENSOR = 8
    NO_MODE = 16
    NO_CONTROLLER = 32
    WRONG_CHECK = 64
    FROZEN_COUNTER = 128
    NO_HIGH_VOLTAGE = 256


# Code and kind of failure. The first six are on the bus of the inverter alone [M], which frame they belong to is inferred: 0x11A
# "gets rid of P3197". P3199 and P31A4 are published meanings [S]; no code is known for the missing DC link [X].
CODES = {
    Trouble.RESOLVER: (0x0A3F, 0),
    Trouble.NO_CAN: (0xD000, 1),
    Trouble.WINDING_SENSOR: (0x0A2D, 0),
    Trouble.POWER_STAGE_SENSOR: (0x0A03, 0),
    Trouble.NO_MODE: (0x3197, 0),
    Trouble.NO_CONTROLLER: (0x318E, 0),
    Trouble.WRONG_CHECK: (0x3199, 0),
    Trouble.FROZEN_COUNTER: (0x31A4, 0),
}
TROUBLE_CODES = np.array([code for code, _ in CODES.values()])
TROUBLE_TYPES = np.array([kind for _, kind in CODES.values()])
SENSORS = int(Trouble.WINDING_SENSOR | Trouble.POWER_STAGE_SENSOR)
# Nissan's list of codes that stop the drive has all but these.
HARMLESS = SENSORS | int(Trouble.NO_CAN)

# Error bits of 0x1DA. Both bits of ERROR_FAULT come 9 ms after the first trouble code of the inverter alone; ERROR_OFF comes 2 s
# after the end of high voltage, together with the readiness for sleep, on both captured inverters [M]. A published comment gives
# the same bits to a missing DC link and to missing frames.
ERROR_FAULT = 0x6
ERROR_OFF = 0x8

MAY_NOT_SLEEP = 2
MAY_SLEEP = 3


@record
class InverterParameters:
    """Times and thresholds of one inverter. Those of the boot count from the first frame of a captured inverter."""

    fitted = flag("this axle has a motor", default=1)
    supplied = flag("its supply is on whatever 0x50B says, as on a bench")
    mute = flag("its transmitter is broken: it works, and says nothing")
    motor_connected = flag("resolver and temperature sensors of the motor are connected", default=1)
    # 0x1DA starts 0.2 s after the first 0x50B of a LEAF e+ that is switched on [M].
    boot_time = real("s", "from wake-up to the first frame", default=0.2, minimum=0.0, maximum=5.0)
    # Four frames say 0xFF before, if the first one of the capture is the second, as its counters say.
    measuring_time = real("s", "until it measures its DC link, and listens", default=0.032, minimum=0.0, maximum=5.0)
    temperature_time = real("s", "until it measures temperatures", default=0.1, minimum=0.0, maximum=5.0)
    temperature_first = real("degC", "what it reports before: 40 degF", default=40.0 / 1.8 - 160.0 / 9.0)
    temperature_missing = real("degC", "what it reports of a motor without sensors: 25 degF", default=25.0 / 1.8 - 160.0 / 9.0)
    start_time = real("s", "until its self-check begins", default=0.335, minimum=0.0, maximum=5.0)
    check_time = real("s", "until its self-check is done", default=0.612, minimum=0.0, maximum=5.0)
    # 2.0 s on the bench; a diagnostic comment says the same.
    frame_timeout = real("s", "silence of a frame after which it is missed", default=2.0, minimum=0.02, maximum=10.0)
    # Not public. Assumption: as long as silence, 2.0 s of frames that come every 10 ms.
    refused_limit = integer("frames refused in a row, for one reason, after which it gives up", default=200, minimum=1)
    # Published: 180 V within 10 s.
    voltage_timeout = real("s", "time after which a missing DC link is an error", default=10.0, minimum=0.1, maximum=60.0)
    voltage_threshold = real("V", "DC link below which there is no high voltage", default=180.0, minimum=0.0, maximum=1000.0)
    # 2.2 s after the self-check on the bench, 2.0 s after the end of high voltage in the 2011 car.
    off_time = real("s", "time without high voltage until it reports itself off", default=2.205, minimum=0.0, maximum=10.0)
    # The 2011 car: "discharging" 40 ms after 0x1D4 says so, down to 48 V.
    discharge_delay = real("s", "from the end of high voltage until it discharges", default=0.04, minimum=0.0, maximum=5.0)
    discharge_end = real("V", "DC link at which it stops to discharge", default=49.0, minimum=0.0, maximum=1000.0)
    broadcast_period = real("s", "distance of its trouble codes", default=0.01, minimum=1e-3, maximum=1.0)


@record
class InverterState:
    """What one inverter remembers while it is awake."""

    awake_time = real("s", "time since it was woken; 0 asleep")
    trouble = integer("bits of Trouble, latched until it sleeps")
    announced = integer("those of them that it has broadcast")
    broadcast_time = real("s", "time until it may broadcast the next one")
    off_time = real("s", "time without high voltage")
    released_time = real("s", "time since 0x1D4 took the high voltage back")
    discharges = flag("current flows through the winding to discharge the DC link")
    resistor = flag("its discharge resistor is switched in", default=1)
    request = ListenerState
    mode = ListenerState


@kernel
def step(dt, command, power, state_link, circuit, plant, state, parameters, demands, report, condition):
    """One inverter on a ``circuit`` (HighVoltageMeasurements): obeys ``command`` (AxleOutputs) and ``power`` (PowerOutputs).

    ``state_link`` is the Link of its 0x50B. Asks ``demands`` of the plant (AxleDemands), and fills ``report`` (AxleInputs) and
    ``condition`` (InverterCondition) from what the plant measured (AxleMeasurements).
    """
    awake = parameters.fitted == 1 and (power.awake == 1 or parameters.supplied == 1)
    if awake:
        state.awake_time += dt
    else:
        fall_asleep(command, state)
    time = state.awake_time - parameters.boot_time  # since its first frame
    deaf = False
    if time > 0.0:
        deaf = watch(time, command, power, state_link, circuit.link_voltage, state, parameters)
    discharge(dt, power, circuit.link_voltage, time, state, parameters)

    condition.enabled = 1 if is_enabled(time, power, circuit.link_voltage, state, parameters) else 0
    demands.connected = 1 if condition.enabled == 1 and circuit.connected == 1 else 0
    obeys = demands.connected == 1 and not deaf
    wanted = min(max(command.motor_torque, command.torque_limit_lower), command.torque_limit_upper)
    demands.motor_torque = wanted if obeys else 0.0

    speaks = time > 0.0 and parameters.mute == 0
    report.link.silent = report.temperature_link.silent = 0 if speaks else 1
    measure(time, circuit.link_voltage, plant.motor, parameters, report)
    describe(time, state, parameters, report, condition)
    broadcast(dt, state, parameters, condition)


@kernel
def fall_asleep(command, state):
    """Forget everything."""
    state.awake_time = 0.0
    state.trouble = state.announced = 0
    state.broadcast_time = 0.0
    state.off_time = state.released_time = 0.0
    state.discharges = 0
    forget(command.link, state.request)
    forget(command.mode_link, state.mode)


@kernel
def watch(time, command, power, state_link, link_voltage, state, parameters):
    """Latch what is wrong ``time`` [s] after the first frame; returns whether a frame is missing now.

    0x50B may withhold the permission to store absent frames as faults; torque ends all the same. Refused frames are another
    matter, and so is an 0x50B that is absent itself.
    """
    listen(command.link, state.request)
    listen(command.mode_link, state.mode)
    listening, timeout = time - parameters.measuring_time, parameters.frame_timeout
    stateless = is_absent(state_link, listening, timeout)
    requestless = stateless or is_absent(command.link, listening, timeout)
    modeless = is_absent(command.mode_link, listening, timeout)
    deaf = requestless or modeless
    limit = parameters.refused_limit
    wrong = wrong_checks(command.link, state.request) >= limit or wrong_checks(command.mode_link, state.mode) >= limit
    frozen = frozen_counters(command.link, state.request) >= limit or frozen_counters(command.mode_link, state.mode) >= limit
    if deaf and (stateless or power.absence_diagnosis == 1):
        state.trouble |= Trouble.NO_CAN.value
        if requestless:
            state.trouble |= Trouble.NO_CONTROLLER.value
        if modeless:
            state.trouble |= Trouble.NO_MODE.value
    if wrong:
        state.trouble |= Trouble.WRONG_CHECK.value
    if frozen:
        state.trouble |= Trouble.FROZEN_COUNTER.value
    if parameters.motor_connected == 0:
        if time > parameters.check_time:
            state.trouble |= Trouble.RESOLVER.value
        if listening > timeout:
            state.trouble |= SENSORS
    if state.off_time > parameters.voltage_timeout and link_voltage < parameters.voltage_threshold:
        state.trouble |= Trouble.NO_HIGH_VOLTAGE.value
    return deaf


@kernel
def discharge(dt, power, link_voltage, time, state, parameters):
    """Know how long there has been no high voltage, and discharge the link once 0x1D4 has taken it back."""
    wanted = power.high_voltage == HighVoltage.PRECHARGING or power.high_voltage == HighVoltage.ON
    high = link_voltage >= parameters.voltage_threshold
    checked = time > parameters.check_time
    state.off_time = state.off_time + dt if checked and not (wanted and high) else 0.0
    state.released_time = state.released_time + dt if checked and power.high_voltage == HighVoltage.OFF else 0.0
    released = state.released_time > parameters.discharge_delay
    state.discharges = 1 if released and link_voltage > parameters.discharge_end else 0
    # Its switch is closed without supply, so that the link of a dead inverter discharges, too [assumption].
    state.resistor = 0 if time > 0.0 and not released else 1


@kernel
def is_enabled(time, power, link_voltage, state, parameters):
    """Whether it can drive, ``time`` [s] after its first frame."""
    well = time > parameters.check_time and state.trouble & ~HARMLESS == 0
    return well and power.high_voltage == HighVoltage.ON and link_voltage >= parameters.voltage_threshold


@kernel
def measure(time, link_voltage, motor, parameters, report):
    """What it measures, as far as it can ``time`` [s] after its first frame."""
    connected = parameters.motor_connected == 1
    report.dc_voltage = link_voltage if time > parameters.measuring_time else math.nan
    report.motor_speed = motor.speed if connected and time > parameters.check_time else math.nan
    report.motor_torque = motor.torque
    if time > parameters.temperature_time:
        report.inverter_temperature = motor.inverter_temperature
        report.motor_temperature = motor.winding_temperature if connected else parameters.temperature_missing
    else:
        report.inverter_temperature = report.motor_temperature = parameters.temperature_first


@kernel
def describe(time, state, parameters, report, condition):
    """What it is doing, ``time`` [s] after its first frame, and what is wrong."""
    failed = state.trouble & ~HARMLESS != 0
    off = state.off_time > parameters.off_time
    if failed:
        condition.status = InverterStatus.FAULT
    elif parameters.start_time < time and time <= parameters.check_time:
        condition.status = InverterStatus.STARTING
    elif state.discharges:
        condition.status = InverterStatus.DISCHARGING
    else:
        condition.status = InverterStatus.RUNNING if condition.enabled else InverterStatus.OFF
    report.error_code = (ERROR_FAULT if failed else 0) | (ERROR_OFF if off else 0)
    condition.sleep_readiness = MAY_SLEEP if off else 0 if condition.enabled else MAY_NOT_SLEEP


@kernel
def broadcast(dt, state, parameters, condition):
    """Send each trouble code that has a code once, in their order: the link is open for one period of the frame."""
    state.broadcast_time -= dt
    if state.broadcast_time > 0.5 * dt:
        return
    condition.link.silent = 1
    waiting = state.trouble & ~state.announced
    if waiting == 0:
        return
    for number in range(len(TROUBLE_CODES)):
        if waiting >> number & 1:
            condition.trouble_code = TROUBLE_CODES[number]
            condition.trouble_type = TROUBLE_TYPES[number]
            condition.link.silent = parameters.mute
            state.announced |= 1 << number
            state.broadcast_time = parameters.broadcast_period
            return
