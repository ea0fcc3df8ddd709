"""A LEAF inverter as it behaves on CAN: it boots, charges its DC link, obeys 0x1D4, and gives up when nobody speaks."""

import math

from firmware_model.kernel import flag, integer, kernel, real, record
from firmware_model.signals import HighVoltage

# Of the four error bits of 0x1DA a collapsed high voltage sets the highest; absent frames add others on a bench inverter.
ERROR_NO_HIGH_VOLTAGE = 0x8
ERROR_NO_FRAMES = 0x2


@record
class InverterParameters:
    """Times and thresholds of one inverter. Measured on captures of real cars where a comment says so."""

    fitted = flag("this axle has a motor", default=1)
    # 0x1DA starts 0.2 s after the first 0x50B of a LEAF e+ that is switched on.
    boot_time = real("s", "from wake-up to the first frame", default=0.2, minimum=0.0, maximum=5.0)
    # 30 to 392 V in 0.21 s on the same car.
    precharge_time_constant = real("s", "DC link against the precharge resistor", default=0.04, minimum=1e-3, maximum=5.0)
    discharge_time_constant = real("s", "DC link against its discharge", default=0.1, minimum=1e-3, maximum=10.0)
    # An inverter alone on a bench reports the absence of all frames 2.0 s after power-on.
    frame_timeout = real("s", "silence of the torque request after which it gives up", default=2.0, minimum=0.02, maximum=10.0)
    voltage_timeout = real("s", "time after which a missing DC link is an error", default=10.0, minimum=0.1, maximum=60.0)
    voltage_threshold = real("V", "DC link below which there is no high voltage", default=180.0, minimum=0.0, maximum=1000.0)


@record
class InverterState:
    """What one inverter remembers."""

    awake_time = real("s", "time since it was woken; 0 asleep")
    link_voltage = real("V", "voltage of its DC link")
    errors = integer("error bits, latched until it sleeps")


@kernel
def step(dt, command, power, pack_voltage, plant, state, parameters, demands, report):
    """One inverter: obeys ``command`` (AxleOutputs) and ``power`` (PowerOutputs), asks ``demands`` of the plant (AxleDemands),
    and fills ``report`` (AxleInputs) from what the plant measured (AxleMeasurements).
    """
    awake = parameters.fitted == 1 and power.awake == 1
    state.awake_time = state.awake_time + dt if awake else 0.0
    state.link_voltage = link_voltage(dt, power, pack_voltage, state.link_voltage, parameters)
    watch(command, state, parameters)

    live = power.high_voltage == HighVoltage.ON and state.link_voltage > 0.95 * pack_voltage and pack_voltage > 0.0
    demands.connected = 1 if parameters.fitted == 1 and live else 0
    obeys = demands.connected == 1 and state.errors == 0
    wanted = min(max(command.motor_torque, command.torque_limit_lower), command.torque_limit_upper)
    demands.motor_torque = wanted if obeys else 0.0

    booted = state.awake_time > parameters.boot_time
    report.link.silent = report.temperature_link.silent = 0 if booted else 1
    report.motor_speed = plant.motor.speed
    report.motor_torque = plant.motor.torque
    report.dc_voltage = pack_voltage if demands.connected == 1 else state.link_voltage
    report.motor_temperature = plant.motor.winding_temperature
    report.inverter_temperature = plant.motor.inverter_temperature
    report.error_code = state.errors


@kernel
def link_voltage(dt, power, pack_voltage, voltage, parameters):
    """DC-link voltage [V] after ``dt``: exponential towards the pack through the precharge resistor, or towards zero."""
    precharging = power.high_voltage == HighVoltage.PRECHARGING or power.high_voltage == HighVoltage.ON
    if power.relay_output == 1 and precharging:
        return pack_voltage + (voltage - pack_voltage) * math.exp(-dt / parameters.precharge_time_constant)
    return voltage * math.exp(-dt / parameters.discharge_time_constant)


@kernel
def watch(command, state, parameters):
    """Latch the errors of a missing request and of a missing DC link; sleep clears them."""
    if state.awake_time == 0.0:
        state.errors = 0
        return
    if state.awake_time > parameters.frame_timeout and command.link.age > parameters.frame_timeout:
        state.errors |= ERROR_NO_FRAMES
    if state.awake_time > parameters.voltage_timeout and state.link_voltage < parameters.voltage_threshold:
        state.errors |= ERROR_NO_HIGH_VOLTAGE
