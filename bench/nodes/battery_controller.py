"""The LEAF's battery controller (LBC) as it behaves on CAN: it wakes, sends invalid values first, then what the pack measures."""

import math

from firmware_model.kernel import flag, kernel, real, record


@record
class BatteryControllerParameters:
    """Times of the battery controller, measured on the start of a LEAF e+."""

    valid_time = real("s", "from wake-up to the first valid values", default=0.19, minimum=0.0, maximum=5.0)
    relay_time = real("s", "from wake-up to the report of a closed relay", default=0.22, minimum=0.0, maximum=5.0)
    interlock_time = real("s", "from wake-up to the report of a closed interlock", default=0.35, minimum=0.0, maximum=5.0)
    # Our own frames beside the LEAF's, for packs beyond 512 A and 255.5 kW.
    wide_frames = flag("send the wide frames, too", default=0)
    # Turtle of a 62 kWh LEAF comes at about 1.0 kWh.
    turtle_energy = real("J", "remaining energy below which the car is to creep home", default=3.6e6, minimum=0.0, maximum=1e9)
    hot = real("degC", "temperature above which a lower limit has that reason", default=50.0)
    cold = real("degC", "temperature below which a lower limit has that reason", default=0.0)
    usable_power = real("W", "discharge limit below which power counts as limited", default=1e5, minimum=0.0)


@record
class BatteryControllerState:
    """What the battery controller remembers."""

    awake_time = real("s", "time since it was woken; 0 asleep")


@kernel
def step(dt, power, plant, state, parameters, report, wide):
    """Fill ``report`` (BatteryInputs) and ``wide`` (WideBatteryInputs) from the pack's measurements ``plant``."""
    state.awake_time = state.awake_time + dt if power.awake == 1 else 0.0
    silent = 0 if state.awake_time > 0.0 else 1
    report.state_link.silent = silent
    report.limit_link.silent = silent
    report.charge_link.silent = silent
    wide.link.silent = 0 if silent == 0 and parameters.wide_frames == 1 else 1

    valid = state.awake_time > parameters.valid_time
    report.voltage = plant.voltage if valid else math.nan
    report.current = plant.current if valid else 0.0
    report.discharge_limit = plant.discharge_limit if valid else math.nan
    report.charge_limit = plant.charge_limit if valid else math.nan
    report.relay_closed = 1 if state.awake_time > parameters.relay_time else 0
    report.interlock = 1 if state.awake_time > parameters.interlock_time else 0
    wide.voltage = report.voltage
    wide.current = report.current
    wide.discharge_limit = report.discharge_limit
    wide.charge_limit = report.charge_limit
    describe(plant, parameters, report)


@kernel
def describe(plant, parameters, report):
    """The slow values: charge, energy, health, temperatures, cells, and why power is limited."""
    report.state_of_charge = plant.state_of_charge
    report.state_of_health = plant.state_of_health
    report.remaining_energy = plant.remaining_energy
    report.full_energy = plant.full_energy
    report.temperature_highest = plant.temperature_highest
    report.temperature_average = plant.temperature_average
    report.temperature_lowest = plant.temperature_lowest
    report.cell_voltage_highest = plant.cell_voltage_highest
    report.cell_voltage_average = plant.cell_voltage_average
    report.cell_voltage_lowest = plant.cell_voltage_lowest
    limited = plant.discharge_limit < parameters.usable_power
    report.power_status = 3 if limited else 1
    report.failsafe_status = 1 if plant.remaining_energy < parameters.turtle_energy else 0
    report.limit_reason = 0
    if limited:
        report.limit_reason = (
            3 if plant.temperature_highest > parameters.hot else 4 if plant.temperature_lowest < parameters.cold else 1
        )
