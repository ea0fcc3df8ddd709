"""Discharge limiter: what the pack can give and take now.

Each constraint gives a candidate of its own; the lowest one binds and is named. The pack's voltage limits follow from an
estimate of open-circuit voltage U_0 and resistance R (HPPC form, see G. Plett, J. Power Sources 134 (2004) 262):

    P_dis = U_min (U_0 - U_min) / R        P_chg = U_max (U_max - U_0) / R

A limit falls at once and rises at a limited rate.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag, ramp
from firmware_model.measurements import Constraint


@kernel
def derate(battery: Any, state: Any, c: Any) -> None:
    """Powers [W] that state of charge and temperature allow; both change slowly."""
    discharge_share = ramp(battery.state_of_charge, c.discharge_charge_zero, c.discharge_charge_full)
    charge_share = ramp(battery.state_of_charge, c.charge_charge_zero, c.charge_charge_full)
    hot_share = ramp(battery.temperature_highest, c.hot_zero, c.hot_full)
    cold_share = ramp(battery.temperature_lowest, c.cold_zero, c.cold_full)
    state.discharge_by_charge = c.power_full * discharge_share
    state.charge_by_charge = c.power_full * charge_share
    state.power_by_temperature = c.power_full * (hot_share if hot_share < cold_share else cold_share)


@kernel
def estimate_pack(dt: float, battery: Any, state: Any, measurements: Any, c: Any) -> None:
    """Learn resistance and open-circuit voltage from pack voltage and current, one step of ``dt`` [s].

    Normalised least mean squares on the departures from the mean, u = -R i: a large change of current teaches, a small one
    (of which the frame's resolution is a large part) hardly.
    """
    if not battery.state_trusted or battery.voltage < c.cell_count * c.cell_voltage_plausible:
        return
    if not state.initialised:
        state.initialised = 1
        state.voltage_mean = battery.voltage
        state.current_mean = battery.current
        state.resistance = c.resistance
        state.open_circuit_voltage = battery.voltage + c.resistance * battery.current
    state.voltage_mean = lag(state.voltage_mean, battery.voltage, c.averaging_time, dt)
    state.current_mean = lag(state.current_mean, battery.current, c.averaging_time, dt)
    u = battery.voltage - state.voltage_mean
    i = battery.current - state.current_mean
    r = state.resistance
    r += dt / c.learning_time * i * (-u - r * i) / (i * i + c.learning_current * c.learning_current)
    state.resistance = clamp(r, c.resistance_min, c.resistance_max)
    u_0 = battery.voltage + state.resistance * battery.current
    state.open_circuit_voltage = lag(state.open_circuit_voltage, u_0, c.open_circuit_time, dt)
    measurements.open_circuit_voltage = state.open_circuit_voltage
    measurements.resistance = state.resistance


@kernel
def limit(dt: float, battery: Any, state: Any, measurements: Any, c: Any) -> None:
    """Discharge and charge limit [W] and the constraints that set them, one step of ``dt`` [s]."""
    _limit_discharge(dt, battery, state, measurements, c)
    _limit_charge(dt, battery, state, measurements, c)


@kernel
def _limit_discharge(dt: float, battery: Any, state: Any, measurements: Any, c: Any) -> None:
    u_0, r = state.open_circuit_voltage, state.resistance
    u_min = c.cell_count * c.cell_voltage_min
    by_voltage = _power_at_voltage(u_min, u_0 - u_min, r)
    by_current = _power_at_current(c.discharge_current_max, u_0, r)
    power, constraint = _lowest(
        battery, battery.discharge_limit, by_voltage, by_current, state.discharge_by_charge, state.power_by_temperature
    )
    state.discharge_limit, constraint = _rise(dt, state.discharge_limit, power, constraint, c)
    measurements.discharge_limit = state.discharge_limit
    measurements.discharge_constraint = constraint
    measurements.discharge_voltage_limit = by_voltage


@kernel
def _limit_charge(dt: float, battery: Any, state: Any, measurements: Any, c: Any) -> None:
    u_0, r = state.open_circuit_voltage, state.resistance
    u_max = c.cell_count * c.cell_voltage_max
    by_voltage = _power_at_voltage(u_max, u_max - u_0, r)
    by_current = c.charge_current_max * u_0  # the voltage is higher while charging: on the safe side
    power, constraint = _lowest(
        battery, battery.charge_limit, by_voltage, by_current, state.charge_by_charge, state.power_by_temperature
    )
    state.charge_limit, constraint = _rise(dt, state.charge_limit, power, constraint, c)
    measurements.charge_limit = state.charge_limit
    measurements.charge_constraint = constraint
    measurements.charge_voltage_limit = by_voltage


@kernel
def _power_at_voltage(u: float, drop: float, r: float) -> float:
    """Power [W] at terminal voltage ``u`` [V], with ``drop`` [V] of voltage to spend on the resistance ``r`` [Ohm]."""
    return u * drop / r if drop > 0.0 and r > 0.0 else 0.0


@kernel
def _power_at_current(i: float, u_0: float, r: float) -> float:
    """Power [W] at discharge current ``i`` [A]; beyond half of the open-circuit voltage more current gives no more power."""
    i_peak = 0.5 * u_0 / r if r > 0.0 else 0.0
    if i > i_peak:
        i = i_peak
    return i * (u_0 - r * i)


@kernel
def _lowest(
    battery: Any, by_battery: float, by_voltage: float, by_current: float, by_charge: float, by_temperature: float
) -> tuple[float, int]:
    """The lowest candidate [W] and its Constraint."""
    if not (battery.limit_trusted and battery.state_trusted and battery.charge_trusted):
        return 0.0, Constraint.NO_VALID_LIMIT.value
    power, constraint = by_battery, Constraint.BATTERY_LIMIT.value
    if by_voltage < power:
        power, constraint = by_voltage, Constraint.VOLTAGE.value
    if by_current < power:
        power, constraint = by_current, Constraint.CURRENT.value
    if by_charge < power:
        power, constraint = by_charge, Constraint.STATE_OF_CHARGE.value
    if by_temperature < power:
        power, constraint = by_temperature, Constraint.TEMPERATURE.value
    return power, constraint


@kernel
def _rise(dt: float, before: float, power: float, constraint: int, c: Any) -> tuple[float, int]:
    """``power`` [W], as far as the rise rate lets it get from the value ``before`` [W]; and what sets it."""
    highest = before + c.rise_rate * dt
    if power > highest:
        return highest, Constraint.RISE_RATE.value
    return power, constraint
