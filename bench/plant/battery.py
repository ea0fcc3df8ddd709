"""The pack: two-RC equivalent circuit, heat, and the power limits that its controller broadcasts.

The resistances form two groups that charge, temperature and age change differently: the series resistance (conductors,
electrolyte, all that is faster than the first sample), and the polarisation of the two RC elements. The time constants are
constant: on the pulse tests of a LEAF cell at 10 and 40 degC a temperature factor on them moves the error by less than 1 mV.
The current's direction is one factor: in the same tests the resistance from 0.5 to 10 s is the same both ways within 2 %.
"""

from enum import IntEnum
from math import sqrt
from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import choice, flag, integer, kernel, real, record
from firmware_model.kernel.math import at_position, flush, interpolate, segment

CHARGE_POINTS = 21  # state of charge 0, 0.05 ... 1
CHARGE_INTERVALS = 20.0
TEMPERATURE_POINTS = 19  # -30, -25 ... 60 degC
TEMPERATURE_FIRST = -30.0  # [degC]
TEMPERATURE_STEP = 5.0  # [K]
LIMIT_POINTS = 8  # of a limit's curve


class LimitReason(IntEnum):
    """Why the pack's controller allows less than its most, in the numbers of the LEAF's field; FULL is ours, for charge."""

    NONE = 0
    ENERGY = 1  # little is left, or the cells are small
    FAULT = 2
    HOT = 3
    COLD = 4
    FULL = 5


@record
class CellParameters:
    """One cell of the pack: chemistry and format. Resistances hold at 25 degC and mid charge, at the age that was measured."""

    capacity = parameter("A s", "charge of the new cell", 1.0, 2e6)
    nominal_voltage = parameter("V", "mean rest voltage over charge", 1.0, 5.0)
    open_circuit_voltage = parameter("V", "rest voltage at charge 0, 0.05 ... 1", 1.0, 5.0, shape=(CHARGE_POINTS,))
    resistance_0 = parameter("Ohm", "series resistance", 1e-6, 1.0)
    resistance_1 = parameter("Ohm", "resistance of the fast RC element", 0.0, 1.0)
    resistance_2 = parameter("Ohm", "resistance of the slow RC element", 0.0, 1.0)
    time_constant_1 = parameter("s", "time constant of the fast RC element", 0.05, 1e3)
    time_constant_2 = parameter("s", "time constant of the slow RC element", 0.05, 1e4)
    series_over_charge = parameter("1", "factor on resistance_0 at charge 0, 0.05 ... 1", 0.1, 20.0, shape=(CHARGE_POINTS,))
    polarisation_over_charge = parameter(
        "1", "factor on resistance_1 and _2 at charge 0, 0.05 ... 1", 0.1, 20.0, shape=(CHARGE_POINTS,)
    )
    series_over_temperature = parameter(
        "1", "factor on resistance_0 at -30, -25 ... 60 degC", 0.05, 100.0, shape=(TEMPERATURE_POINTS,)
    )
    polarisation_over_temperature = parameter(
        "1", "factor on resistance_1 and _2 at -30, -25 ... 60 degC", 0.05, 100.0, shape=(TEMPERATURE_POINTS,)
    )
    resistance_in_charge = parameter("1", "factor on all resistances while the cell is charged", 0.2, 5.0)
    # What the cell may be asked for. The plant does not obey these; controllers are calibrated with them.
    voltage_min = parameter("V", "voltage that discharge must not go below", 1.0, 5.0)
    voltage_max = parameter("V", "voltage that charge must not exceed", 1.0, 5.0)
    discharge_current_max = parameter("A", "highest discharge current, for some seconds", 0.01, 1e4)
    charge_current_max = parameter("A", "highest charge current, for some seconds", 0.01, 1e4)


@record
class BatteryParameters:
    """The pack and its controller."""

    cell = CellParameters
    series = integer("cells in series", default=1, minimum=1, maximum=400)
    parallel = integer("cells in parallel", default=1, minimum=1, maximum=200)
    state_of_health = parameter("1", "capacity now over capacity when new", 0.2, 1.0)
    series_growth = parameter("1", "factor on resistance_0 for another age than the measured cell's", 0.5, 5.0)
    polarisation_growth = parameter("1", "factor on resistance_1 and _2 for another age than the measured cell's", 0.5, 5.0)
    charge_spread = parameter("1", "state of charge of the strongest cell above the mean, of the weakest below", 0.0, 0.1)
    resistance_spread = parameter("1", "share by which the worst cell's resistance is above the mean", 0.0, 1.0)
    temperature_spread = parameter("K", "from the coldest to the warmest cell", 0.0, 40.0)
    heat_capacity = parameter("J/K", "heat capacity of the pack", 1e3, 1e7)
    cooling_conductance = parameter("W/K", "from the pack to the air", 0.0, 1e4)
    coolant_conductance = parameter("W/K", "from the pack to a coolant that flows while the pack is warmer; 0 without", 0.0, 1e4)
    coolant_temperature = parameter("degC", "temperature at which the coolant is kept", -30.0, 60.0)
    discharge_power_rated = parameter("W", "discharge limit at moderate charge and temperature", 0.0, 2e6)
    discharge_energy = parameter("J", "remaining energy at the points of the next curve", 0.0, 1e9, shape=(LIMIT_POINTS,))
    discharge_over_energy = parameter("1", "share of the rated discharge power", 0.0, 1.0, shape=(LIMIT_POINTS,))
    charge_state = parameter("1", "state of charge at the points of the next curve", 0.0, 1.0, shape=(LIMIT_POINTS,))
    charge_power = parameter("W", "charge limit at moderate temperature", 0.0, 2e6, shape=(LIMIT_POINTS,))
    limit_temperature = parameter("degC", "temperature at the points of the next two curves", -60.0, 100.0, shape=(LIMIT_POINTS,))
    discharge_over_temperature = parameter("1", "share of the discharge limit", 0.0, 1.0, shape=(LIMIT_POINTS,))
    charge_over_temperature = parameter("1", "share of the charge limit", 0.0, 1.0, shape=(LIMIT_POINTS,))


@record
class BatteryState:
    """What the pack remembers."""

    state_of_charge = real("1", "state of charge", default=0.5)
    fast_voltage = real("V", "voltage of a mean cell's fast RC element, positive after discharge")
    slow_voltage = real("V", "voltage of a mean cell's slow RC element, positive after discharge")
    temperature = real("degC", "mean temperature of the pack", default=25.0)
    discharged_energy = real("J", "energy taken from the terminals since the start")
    charged_energy = real("J", "energy put into the terminals since the start")


@record
class BatteryMeasurements:
    """What can be known about the pack."""

    voltage = real("V", "terminal voltage")
    current = real("A", "current, positive in discharge")
    power = real("W", "power at the terminals, positive in discharge")
    wanted_power = real("W", "power that motors and auxiliaries wanted")
    collapsed = flag("the pack could not give the wanted power and gave its most")
    loss_power = real("W", "heat in the cells")
    open_circuit_voltage = real("V", "voltage at which the pack would come to rest")
    resistance = real("Ohm", "series resistance of the pack")
    state_of_charge = real("1", "state of charge", default=0.5)
    state_of_health = real("1", "state of health", default=1.0)
    remaining_energy = real("J", "energy left")
    full_energy = real("J", "energy of the full pack")
    discharged_energy = real("J", "energy taken from the terminals since the start")
    charged_energy = real("J", "energy put into the terminals since the start")
    cell_voltage_lowest = real("V", "lowest cell voltage")
    cell_voltage_average = real("V", "average cell voltage")
    cell_voltage_highest = real("V", "highest cell voltage")
    temperature_lowest = real("degC", "temperature of the coldest cell", default=25.0)
    temperature_average = real("degC", "average temperature", default=25.0)
    temperature_highest = real("degC", "temperature of the warmest cell", default=25.0)
    discharge_limit = real("W", "power the pack allows in discharge")
    charge_limit = real("W", "power the pack allows in charge, positive")
    limit_reason = choice(LimitReason, "why the discharge limit is below its most", default=LimitReason.NONE)
    charge_limit_reason = choice(LimitReason, "why the charge limit is below its most", default=LimitReason.NONE)


@kernel
def open_circuit_voltage(charge: float, cell: Any) -> float:
    """Rest voltage of a cell [V] at state of ``charge`` [1]."""
    return at_position(cell.open_circuit_voltage, charge * CHARGE_INTERVALS)


@kernel
def series_factor(charge: float, temperature: float, pack: Any) -> float:
    """Factor on the series resistance [1] at state of ``charge`` [1] and ``temperature`` [degC], in discharge."""
    over_charge = at_position(pack.cell.series_over_charge, charge * CHARGE_INTERVALS)
    over_temperature = at_position(pack.cell.series_over_temperature, (temperature - TEMPERATURE_FIRST) / TEMPERATURE_STEP)
    return pack.series_growth * over_charge * over_temperature


@kernel
def polarisation_factor(charge: float, temperature: float, pack: Any) -> float:
    """Factor on the resistances of the RC elements [1], likewise."""
    over_charge = at_position(pack.cell.polarisation_over_charge, charge * CHARGE_INTERVALS)
    over_temperature = at_position(pack.cell.polarisation_over_temperature, (temperature - TEMPERATURE_FIRST) / TEMPERATURE_STEP)
    return pack.polarisation_growth * over_charge * over_temperature


@kernel
def direction_factor(d: float, cell: Any) -> float:
    """Factor on all resistances [1] for a current, or a power, of the sign of ``d``: positive in discharge."""
    return cell.resistance_in_charge if d < 0.0 else 1.0


@kernel
def current_for_power(power: float, source: float, resistance: float) -> tuple[float, bool]:
    """Current [A] at which a ``source`` [V] behind a ``resistance`` [Ohm] gives ``power`` [W], and whether it cannot.

    The smaller root of R i^2 - E i + P = 0, written so that nothing cancels at small power. Where there is none, the
    current of the highest power, E / (2 R).
    """
    discriminant = source * source - 4.0 * resistance * power
    if discriminant < 0.0:
        return source / (2.0 * resistance), True
    return 2.0 * power / (source + sqrt(discriminant)), False


@kernel
def power_for_current(current: float, pack: Any, state: Any) -> float:
    """Power [W] at the terminals at which ``current`` [A] flows: what a measured current asks of :func:`step`."""
    return current * (source_voltage(pack, state) - series_resistance(current, pack, state) * current)


@kernel
def source_voltage(pack: Any, state: Any) -> float:
    """Voltage [V] of the pack behind its series resistance."""
    rest = open_circuit_voltage(state.state_of_charge, pack.cell)
    return pack.series * (rest - state.fast_voltage - state.slow_voltage)


@kernel
def series_resistance(d: float, pack: Any, state: Any) -> float:
    """Series resistance of the pack [Ohm] for a current, or a power, of the sign of ``d``."""
    factor = series_factor(state.state_of_charge, state.temperature, pack) * direction_factor(d, pack.cell)
    return pack.series * factor * pack.cell.resistance_0 / pack.parallel


@kernel
def relax(voltage: float, steady: float, time_constant: float, dt: float) -> float:
    """Voltage [V] of an RC element that settles at ``steady`` [V]: one trapezoidal step of ``dt`` [s], exact to (dt / tau)^3."""
    half = 0.5 * dt / time_constant
    return flush(voltage + (steady - voltage) * 2.0 * half / (1.0 + half))


@kernel
def step(dt: float, power: float, air_temperature: float, pack: Any, state: Any, measured: Any) -> None:
    """Take ``power`` [W] from the pack for ``dt`` [s] (negative: charge it), in air of that temperature [degC]."""
    source = source_voltage(pack, state)
    rest = source + pack.series * (state.fast_voltage + state.slow_voltage)
    resistance = series_resistance(power, pack, state)
    current, collapsed = current_for_power(power, source, resistance)
    measured.voltage = source - resistance * current
    measured.current = current
    measured.power = measured.voltage * current
    measured.wanted_power = power
    measured.collapsed = collapsed
    measured.open_circuit_voltage = rest
    measured.resistance = resistance
    measured.loss_power = (rest - measured.voltage) * current  # what the RC elements store becomes heat soon enough
    draw(dt, current / pack.parallel, pack, state)
    warm(dt, air_temperature, pack, state, measured)
    count(dt, measured.power, state)


@kernel
def draw(dt: float, current: float, pack: Any, state: Any) -> None:
    """Draw ``current`` [A] from a mean cell for ``dt`` [s].

    dv_k/dt = (f R_k i - v_k) / tau_k, dz/dt = -i / Q (Plett, Battery Management Systems, vol. 1, ch. 2).
    """
    cell = pack.cell
    driven = current * polarisation_factor(state.state_of_charge, state.temperature, pack) * direction_factor(current, cell)
    state.fast_voltage = relax(state.fast_voltage, cell.resistance_1 * driven, cell.time_constant_1, dt)
    state.slow_voltage = relax(state.slow_voltage, cell.resistance_2 * driven, cell.time_constant_2, dt)
    state.state_of_charge -= dt * current / (cell.capacity * pack.state_of_health)


@kernel
def warm(dt: float, air_temperature: float, pack: Any, state: Any, measured: Any) -> None:
    """Let the losses warm the pack for ``dt`` [s], air of that temperature [degC] and its coolant cool it: one lump."""
    cooling = pack.cooling_conductance * (state.temperature - air_temperature)
    if state.temperature > pack.coolant_temperature:
        cooling += pack.coolant_conductance * (state.temperature - pack.coolant_temperature)
    state.temperature += dt * (measured.loss_power - cooling) / pack.heat_capacity


@kernel
def count(dt: float, power: float, state: Any) -> None:
    """Add up the energy of ``power`` [W] over ``dt`` [s], apart for each direction."""
    if power > 0.0:
        state.discharged_energy += dt * power
    else:
        state.charged_energy -= dt * power


@kernel
def spread_cells(pack: Any, state: Any, measured: Any) -> None:
    """Lowest and highest cell voltage, and temperatures, from the pack's mean and its declared spread."""
    charge = state.state_of_charge
    mean = measured.voltage / pack.series
    drop = measured.open_circuit_voltage / pack.series - mean
    below = open_circuit_voltage(charge, pack.cell) - open_circuit_voltage(charge - pack.charge_spread, pack.cell)
    above = open_circuit_voltage(charge + pack.charge_spread, pack.cell) - open_circuit_voltage(charge, pack.cell)
    measured.cell_voltage_average = mean
    measured.cell_voltage_lowest = mean - below - pack.resistance_spread * max(drop, 0.0)
    measured.cell_voltage_highest = mean + above + pack.resistance_spread * max(-drop, 0.0)
    measured.temperature_average = state.temperature
    measured.temperature_lowest = state.temperature - 0.5 * pack.temperature_spread
    measured.temperature_highest = state.temperature + 0.5 * pack.temperature_spread


@kernel
def own_limits(pack: Any, state: Any, measured: Any) -> None:
    """The limits that the pack's own controller broadcasts, from charge and temperature, and the energy they rest on.

    The measured LBC holds its discharge limit flat over charge until nearly empty, and tapers its charge limit towards
    full. In the cold the coldest cell counts, in the heat the warmest.
    """
    full = pack.series * pack.parallel * pack.state_of_health * pack.cell.capacity * pack.cell.nominal_voltage
    measured.state_of_charge = state.state_of_charge
    measured.state_of_health = pack.state_of_health
    measured.full_energy = full
    measured.remaining_energy = full * state.state_of_charge
    measured.discharged_energy = state.discharged_energy
    measured.charged_energy = state.charged_energy
    coldest, warmest = measured.temperature_lowest, measured.temperature_highest
    by_energy = interpolate(pack.discharge_energy, pack.discharge_over_energy, measured.remaining_energy)
    i_cold, u_cold = segment(pack.limit_temperature, coldest)
    i_hot, u_hot = segment(pack.limit_temperature, warmest)
    cold = at_segment(pack.discharge_over_temperature, i_cold, u_cold)
    hot = at_segment(pack.discharge_over_temperature, i_hot, u_hot)
    measured.discharge_limit = pack.discharge_power_rated * by_energy * min(cold, hot)
    measured.limit_reason = strictest(by_energy, LimitReason.ENERGY.value, cold, hot)
    charge = interpolate(pack.charge_state, pack.charge_power, state.state_of_charge)
    cold = at_segment(pack.charge_over_temperature, i_cold, u_cold)
    hot = at_segment(pack.charge_over_temperature, i_hot, u_hot)
    measured.charge_limit = charge * min(cold, hot)
    most = pack.charge_power[0]
    measured.charge_limit_reason = strictest(charge / most if charge < most else 1.0, LimitReason.FULL.value, cold, hot)


@kernel
def at_segment(values: Any, i: int, share: float) -> float:
    """Value of a curve, ``share`` [1] of the way from its point ``i`` to the next."""
    return values[i] + share * (values[i + 1] - values[i])


@kernel
def strictest(share: float, reason: int, cold: float, hot: float) -> int:
    """Of the shares [1] of the most power that charge (with its ``reason``), cold and heat leave, what the lowest stands for."""
    if min(share, cold, hot) >= 1.0:
        return LimitReason.NONE.value
    if share <= min(cold, hot):
        return reason
    return LimitReason.COLD.value if cold <= hot else LimitReason.HOT.value
