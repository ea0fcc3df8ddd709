"""State of power: what the cells can give and take, for an instant and held for seconds.

A power is possible as long as the outermost cell (in discharge the weakest: charge s below the mean, resistance by the share
rho above it) stays within its voltage limit, its current within the current limits, and charge, or room for it, is left:

    d (U_0(z - d s) - u_lim) >= (1 + rho) d (g_0 f_0 R_0 i + v_1 + v_2)          d = 1 discharge, -1 charge

For an instant the current is taken as constant and everything is linear in it: closed form (Plett, J. Power Sources 134
(2004) 262, with the polarisation that there is). For seconds it is the power that is constant, and the current rises as the
voltage sinks: the pulse is walked through in steps, exact in the RC elements, along the curves of open-circuit voltage and
resistance and with the pack warming itself; the power at which the room to the nearest limit has just gone is found by
bracketed secants.
All currents here are positive in the direction d.
"""

from math import exp, inf, sqrt
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import slope_at_position
from firmware_model.pack_estimate import CHARGE_INTERVALS, direction_factor, open_circuit_voltage, over_charge

DISCHARGE = 1.0
CHARGE = -1.0
STEPS = 5  # of a pulse
WALKS = 5  # through a pulse, at most; two or three are usual
EXPECTED_SHARE = 0.3  # of the power of a constant current, by which an expected one may differ from it
ENOUGH = 2e-4  # [V] of room to the limit, to which the power is found


@kernel
def pulse_resistance(d: float, horizon: float, state: Any, pack: Any) -> tuple[float, float]:
    """Resistance [Ohm] of a mean row to a current that flows in direction ``d`` for ``horizon`` [s], and what is then left of
    the voltage [V] on its RC elements.
    """
    left_1 = exp(-horizon / pack.time_constant_1)
    left_2 = exp(-horizon / pack.time_constant_2)
    polarisation = pack.resistance_1 * (1.0 - left_1) + pack.resistance_2 * (1.0 - left_2)
    f_0, f_p = over_charge(state.state_of_charge, pack)
    series = f_0 * state.series_over_temperature * state.series_growth * pack.resistance_0
    polarisation *= f_p * state.polarisation_over_temperature * state.polarisation_growth
    return direction_factor(d, pack) * (series + polarisation), left_1 * state.fast_voltage + left_2 * state.slow_voltage


@kernel
def sinking(horizon: float, state: Any, pack: Any) -> float:
    """Open-circuit voltage [V] that a mean row loses in ``horizon`` [s] per ampere."""
    position = state.state_of_charge * CHARGE_INTERVALS
    return CHARGE_INTERVALS * slope_at_position(pack.open_circuit_voltage, position) * horizon / state.capacity


@kernel
def current_to_voltage(
    d: float, voltage: float, spread: float, resistance: float, relaxed: float, sink: float, state: Any, pack: Any
) -> float:
    """Constant current [A] that brings the outermost cell, by ``spread`` [1] of charge off the mean, to ``voltage`` [V]."""
    room = d * (open_circuit_voltage(state.state_of_charge - d * spread, pack) - voltage)
    worst = 1.0 + pack.resistance_spread
    current = (room - worst * d * relaxed) / (worst * resistance + sink)
    return current if current > 0.0 else 0.0


@kernel
def power_of_current(d: float, current: float, resistance: float, relaxed: float, sink: float, state: Any, pack: Any) -> float:
    """Power of the pack [W] at the end of a pulse of constant ``current`` [A]; beyond the peak of the power it is the peak."""
    source = open_circuit_voltage(state.state_of_charge, pack) - relaxed
    if d > 0.0 and current * 2.0 * (resistance + sink) > source:
        current = 0.5 * source / (resistance + sink)
    return pack.cell_count * current * (source - d * (resistance + sink) * current)


@kernel
def current_for_charge(d: float, horizon: float, state: Any, pack: Any) -> float:
    """Mean current [A] that empties the weakest cell, or fills the strongest, in ``horizon`` [s]."""
    outermost = state.state_of_charge - d * pack.charge_spread
    left = outermost if d > 0.0 else 1.0 - outermost
    return left * state.capacity / horizon if left > 0.0 else 0.0


@kernel
def current_for_heat(horizon: float, heat: float, c: Any) -> float:
    """Mean current [A] for ``horizon`` [s] after which the path of the current is just as warm as it may be for ever.

    d theta/dt = (i^2 - theta) / tau_h, with theta <= I_h^2; ``heat`` is theta [A2].
    """
    left = exp(-horizon / c.heat_time)
    room = c.heat_current * c.heat_current - left * heat
    return sqrt(room / (1.0 - left)) if room > 0.0 else 0.0


@kernel
def sustainable(
    d: float, horizon: float, voltage: float, current_max: float, heat: float, expected: float, state: Any, pack: Any, c: Any
) -> float:
    """Power [W] that the cells can keep up for ``horizon`` [s] in direction ``d``.

    Down or up to a cell ``voltage`` [V], with currents up to ``current_max`` [A]. The search begins at an ``expected`` power [W],
    such as the last one, unless it is far from that of a constant current.
    """
    if current_to_voltage(d, voltage, pack.charge_spread, 1.0, state.fast_voltage + state.slow_voltage, 0.0, state, pack) == 0.0:
        return 0.0  # beyond the limit without any current
    resistance, relaxed = pulse_resistance(d, horizon, state, pack)
    sink = sinking(horizon, state, pack)
    current_mean = current_for_charge(d, horizon, state, pack)
    by_heat = current_for_heat(horizon, heat, c)
    if by_heat < current_mean:
        current_mean = by_heat

    current = current_to_voltage(d, voltage, pack.charge_spread, resistance, relaxed, sink, state, pack)
    if current_max < current:
        current = current_max
    if current_mean < current:
        current = current_mean
    power = power_of_current(d, current, resistance, relaxed, sink, state, pack)
    if abs(expected - power) < EXPECTED_SHARE * power:
        power = expected
    slope = -resistance / (pack.cell_count * voltage)  # [V/W]
    lower, upper, last_power, last_room = 0.0, inf, 0.0, 0.0
    for k in range(WALKS):
        room = _room(d, power, horizon, voltage, current_max, current_mean, resistance, state, pack)
        if abs(room) < ENOUGH:
            return power
        if room > 0.0:
            lower = power
        else:
            upper = power
        if k > 0 and power != last_power and (room - last_room) / (power - last_power) < 0.0:
            slope = (room - last_room) / (power - last_power)
        last_power, last_room = power, room
        power -= room / slope
        if not (lower < power and power < upper):
            power = 0.5 * (lower + upper) if upper < inf else 2.0 * last_power
    return lower


@kernel
def _room(
    d: float, power: float, horizon: float, voltage: float, current_max: float, current_mean: float, resistance: float,
    state: Any, pack: Any,
) -> float:  # fmt: skip
    """Voltage [V] that is left to the nearest limit in the course of ``horizon`` [s] at constant ``power`` [W].

    Current limits count with the voltage across the ``resistance`` [Ohm].
    """
    dt = horizon / STEPS
    row_power = power / pack.cell_count
    share_1 = 1.0 - exp(-dt / pack.time_constant_1)
    share_2 = 1.0 - exp(-dt / pack.time_constant_2)
    z, v_1, v_2 = state.state_of_charge, state.fast_voltage, state.slow_voltage
    series = direction_factor(d, pack) * state.series_growth * pack.resistance_0
    polarisation = direction_factor(d, pack) * state.polarisation_growth
    by_temperature_0, by_temperature_p = state.series_over_temperature, state.polarisation_over_temperature
    worst = 1.0 + pack.resistance_spread
    room, peak, charge, last = voltage, 0.0, 0.0, 0.0
    for k in range(STEPS + 1):
        f_0, f_p = over_charge(z, pack)
        rest = open_circuit_voltage(z, pack)
        source = rest - v_1 - v_2
        r_0 = f_0 * by_temperature_0 * series
        discriminant = source * source - 4.0 * r_0 * d * row_power
        if discriminant < 0.0:
            return -voltage  # the pack cannot give this power
        current = 2.0 * row_power / (source + sqrt(discriminant))
        drop = v_1 + v_2 + d * r_0 * current
        outermost = d * (open_circuit_voltage(z - d * pack.charge_spread, pack) - voltage)
        left = outermost - d * drop * (worst if d * drop > 0.0 else 1.0)
        if left < room:
            room = left
        if current > peak:
            peak = current
        if k == STEPS:
            break
        # The current in the middle of the step, from its course so far.
        middle = current if k == 0 else 1.5 * current - 0.5 * last
        last = current
        charge += dt * middle
        driven = d * f_p * by_temperature_p * polarisation * middle
        v_1 += share_1 * (driven * pack.resistance_1 - v_1)
        v_2 += share_2 * (driven * pack.resistance_2 - v_2)
        z -= d * dt * middle / state.capacity
        warmer = dt * pack.cell_count * d * drop * middle / pack.heat_capacity  # [K]
        by_temperature_0 += state.series_over_temperature_slope * warmer
        by_temperature_p += state.polarisation_over_temperature_slope * warmer
    by_peak = resistance * (current_max - peak)
    by_mean = resistance * (current_mean - charge / horizon)
    if by_peak < room:
        room = by_peak
    return by_mean if by_mean < room else room
