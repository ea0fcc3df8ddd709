"""Discharge limiter: what the pack can give and take, now and over the next seconds.

Each constraint gives a candidate of its own; the lowest one binds and is named. Voltage, current, charge and heat are limits of
the cells' current and become a power by :mod:`firmware_model.state_of_power`; temperature, a low charge and the battery
controller's own limit are limits of power. The limit itself must hold for the instant in which it cannot be changed; what could
be kept up for 2, 10 and 30 s is told beside it. A limit falls at once and rises at a limited rate.

The instant is worked out in every step; of the six predictions (three horizons, two directions) one a step, in turn.
"""

from math import sqrt
from typing import Any

from firmware_model import state_of_power
from firmware_model.kernel import kernel
from firmware_model.kernel.math import lag, ramp
from firmware_model.measurements import Constraint
from firmware_model.state_of_power import CHARGE, DISCHARGE

HORIZONS = (2.0, 10.0, 30.0)  # [s] of the predictions, as their measurements are named
PREDICTIONS = 6


@kernel
def derate(battery: Any, state: Any, c: Any) -> None:
    """Powers [W] that state of charge and temperature allow, and whether the car creeps home; all change slowly."""
    discharge_share = ramp(battery.state_of_charge, c.discharge_charge_zero, c.discharge_charge_full)
    charge_share = ramp(battery.state_of_charge, c.charge_charge_zero, c.charge_charge_full)
    hot_share = ramp(battery.temperature_highest, c.hot_zero, c.hot_full)
    cold_share = ramp(battery.temperature_lowest, c.cold_zero, c.cold_full)
    state.discharge_by_charge = c.power_full * discharge_share
    state.charge_by_charge = c.power_full * charge_share
    state.power_by_temperature = c.power_full * (hot_share if hot_share < cold_share else cold_share)
    if battery.remaining_energy > 0.0:  # 0 before the battery has told it
        state.turtle = battery.remaining_energy < (c.turtle_release if state.turtle else c.turtle_energy)


@kernel
def limit(dt: float, battery: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Discharge and charge limit [W] and the constraints that set them, one step of ``dt`` [s]."""
    limiter, results, c = state.discharge_limiter, measurements.discharge_limiter, calibration.discharge_limiter
    limiter.heat = lag(limiter.heat, battery.current * battery.current, c.heat_time, dt)

    power, constraint, results.discharge_voltage_limit = _by_cells(
        DISCHARGE, c.cell_voltage_min + c.voltage_margin, c.discharge_current_max, state, calibration
    )
    power, constraint = _lowest(power, constraint, battery, battery.discharge_limit, limiter.discharge_by_charge, limiter)
    if limiter.turtle and c.turtle_power < power:
        power, constraint = c.turtle_power, Constraint.TURTLE.value
    limiter.discharge_limit, results.discharge_constraint = _rise(dt, limiter.discharge_limit, power, constraint, c)

    power, constraint, results.charge_voltage_limit = _by_cells(
        CHARGE, c.cell_voltage_max - c.voltage_margin, c.charge_current_max, state, calibration
    )
    power, constraint = _lowest(power, constraint, battery, battery.charge_limit, limiter.charge_by_charge, limiter)
    limiter.charge_limit, results.charge_constraint = _rise(dt, limiter.charge_limit, power, constraint, c)

    results.discharge_limit = limiter.discharge_limit
    results.charge_limit = limiter.charge_limit
    results.turtle = limiter.turtle


@kernel
def _by_cells(d: float, voltage: float, current_max: float, state: Any, calibration: Any) -> tuple[float, int, float]:
    """Power [W] that the cells allow now in direction ``d``, its Constraint, and the power down or up to ``voltage`` [V]."""
    estimate, pack, c = state.pack_estimate, calibration.pack, calibration.discharge_limiter
    r, relaxed = state_of_power.pulse_resistance(d, c.limit_horizon, estimate, pack)
    sink = state_of_power.sinking(c.limit_horizon, estimate, pack)
    # Where the open-circuit voltage bends, the outermost cell falls off before the mean cell lets the filter see it.
    spread = pack.charge_spread + c.charge_deviations * sqrt(estimate.covariance[0, 0])
    by_voltage = state_of_power.current_to_voltage(d, voltage, spread, r, relaxed, sink, estimate, pack)
    by_charge = state_of_power.current_for_charge(d, c.charge_horizon, estimate, pack)
    by_heat = state_of_power.current_for_heat(c.heat_horizon, state.discharge_limiter.heat, c)
    current, constraint = by_voltage, Constraint.VOLTAGE.value
    if current_max < current:
        current, constraint = current_max, Constraint.CURRENT.value
    if by_charge < current:
        current, constraint = by_charge, Constraint.STATE_OF_CHARGE.value
    if by_heat < current:
        current, constraint = by_heat, Constraint.HEAT.value
    power = state_of_power.power_of_current(d, current, r, relaxed, sink, estimate, pack)
    voltage_power = state_of_power.power_of_current(d, by_voltage, r, relaxed, sink, estimate, pack)
    return power, constraint, voltage_power


@kernel
def _lowest(power: float, constraint: int, battery: Any, by_battery: float, by_charge: float, limiter: Any) -> tuple[float, int]:
    """The lowest of the cells' ``power`` [W] with its ``constraint`` and of the limits of power, and the Constraint it is."""
    if not (battery.limit_trusted and battery.state_trusted and battery.charge_trusted):
        return 0.0, Constraint.NO_VALID_LIMIT.value
    if by_battery <= power:
        power, constraint = by_battery, Constraint.BATTERY_LIMIT.value
    if by_charge < power:
        power, constraint = by_charge, Constraint.STATE_OF_CHARGE.value
    if limiter.power_by_temperature < power:
        power, constraint = limiter.power_by_temperature, Constraint.TEMPERATURE.value
    return power, constraint


@kernel
def _rise(dt: float, before: float, power: float, constraint: int, c: Any) -> tuple[float, int]:
    """``power`` [W], as far as the rise rate lets it get from the value ``before`` [W]; and what sets it."""
    highest = before + c.rise_rate * dt
    if power > highest:
        return highest, Constraint.RISE_RATE.value
    return power, constraint


@kernel
def predict(battery: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Work out the next one of the six predictions [W]."""
    limiter, results, c = state.discharge_limiter, measurements.discharge_limiter, calibration.discharge_limiter
    due = limiter.prediction
    limiter.prediction = (due + 1) % PREDICTIONS
    if due % 2 == 0:
        power = _sustained(due, DISCHARGE, c.cell_voltage_min, c.discharge_current_max, state, calibration)
        power, _ = _lowest(power, 0, battery, battery.discharge_limit, limiter.discharge_by_charge, limiter)
        if limiter.turtle and c.turtle_power < power:
            power = c.turtle_power
    else:
        power = _sustained(due, CHARGE, c.cell_voltage_max, c.charge_current_max, state, calibration)
        power, _ = _lowest(power, 0, battery, battery.charge_limit, limiter.charge_by_charge, limiter)
    if due == 0:
        results.discharge_power_2s = power
    elif due == 1:
        results.charge_power_2s = power
    elif due == 2:
        results.discharge_power_10s = power
    elif due == 3:
        results.charge_power_10s = power
    elif due == 4:
        results.discharge_power_30s = power
    else:
        results.charge_power_30s = power


@kernel
def _sustained(due: int, d: float, voltage: float, current_max: float, state: Any, calibration: Any) -> float:
    """Power [W] that the cells can keep up in direction ``d`` for the horizon of the prediction that is ``due``."""
    limiter, c = state.discharge_limiter, calibration.discharge_limiter
    power = state_of_power.sustainable(
        d,
        HORIZONS[due // 2],
        voltage,
        current_max,
        limiter.heat,
        limiter.sustained[due],
        state.pack_estimate,
        calibration.pack,
        c,
    )
    limiter.sustained[due] = power
    return power
