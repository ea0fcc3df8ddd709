"""The rest-bus: constant, plausible frames of roles that nobody fills, for a person with one inverter on the table.

It simulates nothing. The battery is a supply of one voltage that permits what it is told to permit; the car stands in its gear,
switched on, with all pedals released. Which roles are sent is for :attr:`hil.node.NodeSpec.roles` to say.
"""

from firmware_model.kernel import choice, flag, kernel, real, record
from firmware_model.signals import Gear

BATTERY = frozenset({"battery"})
CHASSIS = frozenset({"steering", "wheel_speeds", "motion", "pedals", "brakes"})
POWER_NORMAL = 1  # the LEAF's discharge power status: no limit


@record
class RestBusParameters:
    """What the constant frames say."""

    voltage = real("V", "voltage of the supply in the place of the pack", default=350.0, minimum=0.0, maximum=1000.0)
    discharge_limit = real("W", "power that it gives", default=5e3, minimum=0.0, maximum=1e6)
    # Assumption: a laboratory supply takes nothing back; 1 kW is what a slowing rotor warms up in cables and link.
    charge_limit = real("W", "power that it takes back", default=1e3, minimum=0.0, maximum=1e6)
    state_of_charge = real("1", "state of charge that it tells", default=0.6, minimum=0.0, maximum=1.0)
    full_energy = real("J", "energy of the full pack that it tells", default=2e8, minimum=1e6, maximum=1e9)
    temperature = real("degC", "temperature of the pack that it tells", default=25.0, minimum=-40.0, maximum=120.0)
    gear = choice(Gear, "shifter position", default=Gear.DRIVE)
    power_switch = flag("the driver wants the car on", default=1)


@kernel
def step(dt, sensors, commands, state, measurements, parameters):
    """Fill ``sensors`` (Inputs) with what the absent roles would say of a car that stands still, well and switched on."""
    supply(sensors.battery, parameters)
    sensors.battery_wide.link.silent = 1  # a supply needs no fields beyond the LEAF's
    sensors.pedals.gear = parameters.gear
    sensors.pedals.power_switch = parameters.power_switch


@kernel
def supply(battery, parameters):
    """A battery (BatteryInputs) at rest, with its relay and interlock closed."""
    battery.voltage = parameters.voltage
    battery.discharge_limit = parameters.discharge_limit
    battery.charge_limit = parameters.charge_limit
    battery.state_of_charge = parameters.state_of_charge
    battery.full_energy = parameters.full_energy
    battery.remaining_energy = parameters.state_of_charge * parameters.full_energy
    battery.temperature_highest = battery.temperature_average = battery.temperature_lowest = parameters.temperature
    battery.relay_closed = battery.interlock = 1
    battery.power_status = POWER_NORMAL
