"""The LEAF's battery controller (LBC) as it behaves on CAN: invalid values first, then the pack, its limits and their reason.

It permits the main contactors, or asks for them to be opened; it cannot open them. The car drives their coils by wire.
"""

import math

from bench.nodes.reception import ListenerState, forget, frozen_counters, is_absent, listen, wrong_checks
from bench.plant.battery import LimitReason
from firmware_model.kernel import flag, integer, kernel, real, record
from firmware_model.signals import Failsafe, HighVoltage

NORMAL, IMMEDIATE_LIMIT = 1, 3  # discharge power status of 0x1DB
CUT_RELAY = 3  # of 0x1DB: any value but 0 is a request


@record
class BatteryControllerParameters:
    """Times and thresholds of the battery controller. Its times were measured on the start of a LEAF e+."""

    boot_time = real("s", "from wake-up to the first frame", default=0.087, minimum=0.0, maximum=5.0)
    valid_time = real("s", "from wake-up to the first valid values", default=0.188, minimum=0.0, maximum=5.0)
    relay_time = real("s", "from wake-up to the permission of the main relay", default=0.218, minimum=0.0, maximum=5.0)
    interlock_time = real("s", "from wake-up to the report of a closed interlock", default=0.348, minimum=0.0, maximum=5.0)
    interlock_open = flag("a high-voltage connector is unplugged")
    # Our own frames beside the LEAF's, for packs beyond 512 A and 255.5 kW.
    wide_frames = flag("send the wide frames, too", default=0)
    # A 62 kWh LEAF: turtle at about 1.0 kWh, shutdown at about 0.7 kWh.
    turtle_energy = real("J", "remaining energy below which the car is to creep home", default=3.6e6, minimum=0.0, maximum=1e9)
    empty_energy = real("J", "remaining energy below which the car is to stop", default=2.52e6, minimum=0.0, maximum=1e9)
    usable_power = real("W", "discharge limit below which power counts as limited", default=1e5, minimum=0.0)
    # Both as the inverter's: trouble codes "no CAN for 2 s" are in its list, too.
    frame_timeout = real("s", "silence of a frame after which it is missed", default=2.0, minimum=0.02, maximum=10.0)
    refused_limit = integer("frames refused in a row, for one reason, after which it gives up", default=200, minimum=1)
    # UNECE R100, 5.1.3: 500 Ohm a volt where AC and DC circuits are connected.
    isolation_per_volt = real("Ohm/V", "isolation resistance over pack voltage that needs no warning", default=500.0, minimum=0.0)
    # Captured cars say 856 to 911, whose scale is not public. Assumption: a divider, open at 911, with this resistance.
    isolation_open = real("1", "level of the insulation measurement without any leakage", default=911.0, minimum=0.0)
    isolation_divider = real("Ohm", "isolation resistance that halves the level", default=50e3, minimum=1.0)


@record
class BatteryControllerState:
    """What the battery controller remembers while it is awake."""

    awake_time = real("s", "time since it was woken; 0 asleep")
    malfunction = flag("it has missed or refused the car's frames for too long; latched until it sleeps")
    charger = ListenerState


@kernel
def energise_coils(power, demands):
    """The car's wires to the contactors in the pack (HighVoltageDemands), as ``power`` (PowerOutputs) tells of them."""
    demands.main_minus = power.relay_output
    demands.precharge = 1 if power.relay_output and power.high_voltage == HighVoltage.PRECHARGING else 0
    demands.main_plus = 1 if power.relay_output and power.high_voltage == HighVoltage.ON else 0


@kernel
def step(dt, power, circuit, plant, state, parameters, report, wide):
    """Fill ``report`` (BatteryInputs) and ``wide`` (WideBatteryInputs).

    From the ``circuit`` (HighVoltageMeasurements) and the pack's measurements ``plant``; ``power`` is what the car says.
    """
    if power.awake == 1:
        state.awake_time += dt
        watch(power, state, parameters)
    else:
        state.awake_time = 0.0
        state.malfunction = 0
        forget(power.charger_link, state.charger)
    silent = 0 if state.awake_time > parameters.boot_time else 1
    report.state_link.silent = silent
    report.limit_link.silent = silent
    report.charge_link.silent = silent
    wide.link.silent = 0 if silent == 0 and parameters.wide_frames == 1 else 1

    valid = state.awake_time > parameters.valid_time
    report.voltage = plant.voltage if valid else math.nan
    report.current = plant.current if valid else 0.0
    report.discharge_limit = plant.discharge_limit if valid else math.nan
    report.charge_limit = plant.charge_limit if valid else math.nan
    report.state_of_charge = plant.state_of_charge if valid else math.nan
    wide.voltage = report.voltage
    wide.current = report.current
    wide.discharge_limit = report.discharge_limit
    wide.charge_limit = report.charge_limit
    describe(plant, report)
    limit(plant, state, parameters, report)
    permit(circuit, plant, state, parameters, report)


@kernel
def watch(power, state, parameters):
    """Give up on a car whose 0x50B or 0x1F2 is missing, where that may be stored as a fault, or is refused."""
    listen(power.charger_link, state.charger)
    timeout, limit = parameters.frame_timeout, parameters.refused_limit
    stateless = is_absent(power.link, state.awake_time, timeout)
    chargerless = is_absent(power.charger_link, state.awake_time, timeout)
    refused = (
        wrong_checks(power.charger_link, state.charger) >= limit or frozen_counters(power.charger_link, state.charger) >= limit
    )
    if stateless or (chargerless and power.absence_diagnosis == 1) or refused:
        state.malfunction = 1


@kernel
def describe(plant, report):
    """The slow values: energy, health, temperatures, cells."""
    report.state_of_health = plant.state_of_health
    report.remaining_energy = plant.remaining_energy
    report.full_energy = plant.full_energy
    report.temperature_highest = plant.temperature_highest
    report.temperature_average = plant.temperature_average
    report.temperature_lowest = plant.temperature_lowest
    report.cell_voltage_highest = plant.cell_voltage_highest
    report.cell_voltage_average = plant.cell_voltage_average
    report.cell_voltage_lowest = plant.cell_voltage_lowest


@kernel
def limit(plant, state, parameters, report):
    """Whether power is limited, and why: the reasons of the pack's own limits have the numbers of the LEAF's field."""
    limited = plant.discharge_limit < parameters.usable_power
    report.power_status = IMMEDIATE_LIMIT if limited else NORMAL
    if state.malfunction:
        report.limit_reason = LimitReason.FAULT
    else:
        report.limit_reason = plant.limit_reason if limited else LimitReason.NONE


@kernel
def permit(circuit, plant, state, parameters, report):
    """Isolation, interlock, the permission of the main relay, and what the car has to do because of them."""
    isolation = circuit.isolation_resistance
    report.isolation = parameters.isolation_open * isolation / (isolation + parameters.isolation_divider)
    plugged = parameters.interlock_open == 0
    well = plugged and state.malfunction == 0
    report.relay_closed = 1 if well and state.awake_time > parameters.relay_time else 0
    report.interlock = 1 if plugged and state.awake_time > parameters.interlock_time else 0
    report.relay_cut_request = CUT_RELAY if state.malfunction else 0
    warns = (
        plant.remaining_energy < parameters.turtle_energy
        or isolation < parameters.isolation_per_volt * plant.voltage
        or state.malfunction
    )
    report.failsafe_status = Failsafe.WARNING.value if warns else 0
    if plant.remaining_energy < parameters.empty_energy:
        report.failsafe_status |= Failsafe.IMMOBILISE.value
