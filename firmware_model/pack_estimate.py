"""Pack estimate: state of charge, polarisation and resistance, from pack voltage and current alone.

A joint extended Kalman filter (G. Plett, J. Power Sources 134 (2004) 252 and 262) of the mean cell on two RC elements:

    x = (z, v_1, v_2, g_0, g_p)
    dz/dt = -i / Q      dv_k/dt = (g_p f_p R_k i - v_k) / tau_k      g_0 and g_p wander slowly
    v = U_0(z) - g_0 f_0 R_0 i - v_1 - v_2

    z, v_1, v_2   state of charge [1], voltages of the RC elements [V]
    g_0, g_p      resistances over those of the data sheet, series and RC elements: age, and what the data sheet does not know
    f_0, f_p      their factors by charge, temperature and the current's direction, of the data sheet
    i, v          pack current [A], pack voltage over the number of cells in series [V]

The state of charge starts from what the battery reports, as one measurement among others: where the open-circuit voltage is
steep, the first voltage corrects it at once; where it is flat (LFP), it stays.
"""

from math import exp
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import at_position, clamp, flush, slope_at_position

CHARGE_INTERVALS = 20.0  # of the curves over state of charge: points at 0, 0.05 ... 1
TEMPERATURE_FIRST = -30.0  # [degC] of the curve over temperature
TEMPERATURE_STEP = 5.0  # [K]
STATES = 5
CHARGE, FAST, SLOW, SERIES, POLARISATION = range(STATES)  # rows and columns of the covariance


@kernel
def open_circuit_voltage(charge: float, pack: Any) -> float:
    """Rest voltage of a cell [V] at state of ``charge`` [1]."""
    return at_position(pack.open_circuit_voltage, charge * CHARGE_INTERVALS)


@kernel
def over_charge(charge: float, pack: Any) -> tuple[float, float]:
    """Factors on the series resistance and on those of the RC elements [1] at state of ``charge`` [1]."""
    position = charge * CHARGE_INTERVALS
    return at_position(pack.series_over_charge, position), at_position(pack.polarisation_over_charge, position)


@kernel
def direction_factor(d: float, pack: Any) -> float:
    """Factor on all resistances [1] for a current of the sign of ``d``, positive in discharge."""
    return pack.resistance_in_charge if d < 0.0 else 1.0


@kernel
def follow_slow(battery: Any, state: Any, pack: Any, c: Any) -> None:
    """Capacity and the resistances' factors of temperature, of health and temperature in ``battery`` (QualifiedBattery)."""
    health = battery.state_of_health if battery.state_of_health > c.health_min else c.health_min
    state.capacity = pack.capacity * health
    mean = 0.5 * (battery.temperature_lowest + battery.temperature_highest)
    position = (mean - TEMPERATURE_FIRST) / TEMPERATURE_STEP
    state.series_over_temperature = at_position(pack.series_over_temperature, position)
    state.series_over_temperature_slope = slope_at_position(pack.series_over_temperature, position) / TEMPERATURE_STEP
    state.polarisation_over_temperature = at_position(pack.polarisation_over_temperature, position)
    state.polarisation_over_temperature_slope = slope_at_position(pack.polarisation_over_temperature, position) / TEMPERATURE_STEP


@kernel
def estimate(dt: float, battery: Any, state: Any, measurements: Any, pack: Any, c: Any) -> None:
    """One step of ``dt`` [s] with voltage and current of ``battery`` (QualifiedBattery), when they are trusted."""
    if not battery.state_trusted or battery.voltage < pack.cell_count * c.cell_voltage_plausible:
        state.initialised = 0  # the polarisation goes on unseen; what is known of the resistances stays
        return
    if not state.initialised:
        _start(battery, state, c)
    series, polarisation = over_charge(state.state_of_charge, pack)
    series *= state.series_over_temperature
    _advance(dt, 0.5 * (state.current + battery.current), polarisation * state.polarisation_over_temperature, state, pack, c)
    if battery.current != state.current or battery.voltage != state.voltage:  # what repeats itself teaches nothing
        _correct(battery.current, battery.voltage / pack.cell_count, series, state, pack, c)
    state.current = battery.current
    state.voltage = battery.voltage
    measurements.state_of_charge = state.state_of_charge
    measurements.open_circuit_voltage = pack.cell_count * open_circuit_voltage(state.state_of_charge, pack)
    measurements.polarisation_voltage = pack.cell_count * (state.fast_voltage + state.slow_voltage)
    measurements.resistance = pack.cell_count * series * state.series_growth * pack.resistance_0


@kernel
def _start(battery: Any, state: Any, c: Any) -> None:
    """The reported charge, no polarisation, and what is known of the resistances; all as uncertain as they are."""
    state.initialised = 1
    state.state_of_charge = battery.state_of_charge
    state.fast_voltage = state.slow_voltage = 0.0
    state.current = battery.current
    state.voltage = 0.0
    for row in range(STATES):
        for column in range(STATES):
            state.covariance[row, column] = 0.0
    state.covariance[CHARGE, CHARGE] = c.charge_deviation * c.charge_deviation
    state.covariance[FAST, FAST] = state.covariance[SLOW, SLOW] = c.polarisation_deviation * c.polarisation_deviation
    _forget(1.0, state.covariance, c)


@kernel
def _advance(dt: float, current: float, factor: float, state: Any, pack: Any, c: Any) -> None:
    """Let ``current`` [A] flow for ``dt`` [s]: x = F x, P = F P F' + Q."""
    keep_1 = exp(-dt / pack.time_constant_1)
    keep_2 = exp(-dt / pack.time_constant_2)
    driven = direction_factor(current, pack) * factor * current
    drive_1 = (1.0 - keep_1) * pack.resistance_1 * driven
    drive_2 = (1.0 - keep_2) * pack.resistance_2 * driven
    state.state_of_charge = clamp(state.state_of_charge - dt * current / state.capacity, 0.0, 1.0)
    state.fast_voltage = flush(keep_1 * state.fast_voltage + drive_1 * state.polarisation_growth)
    state.slow_voltage = flush(keep_2 * state.slow_voltage + drive_2 * state.polarisation_growth)
    p = state.covariance
    for k in range(STATES):
        p[FAST, k] = keep_1 * p[FAST, k] + drive_1 * p[POLARISATION, k]
        p[SLOW, k] = keep_2 * p[SLOW, k] + drive_2 * p[POLARISATION, k]
    for k in range(STATES):
        p[k, FAST] = keep_1 * p[k, FAST] + drive_1 * p[k, POLARISATION]
        p[k, SLOW] = keep_2 * p[k, SLOW] + drive_2 * p[k, POLARISATION]
    p[CHARGE, CHARGE] += dt * c.charge_noise * c.charge_noise
    p[FAST, FAST] += dt * c.polarisation_noise * c.polarisation_noise
    p[SLOW, SLOW] += dt * c.polarisation_noise * c.polarisation_noise
    if p[SERIES, SERIES] + p[POLARISATION, POLARISATION] < 2.0 * c.growth_deviation * c.growth_deviation:
        _forget(dt / c.growth_time, p, c)


@kernel
def _forget(share: float, p: Any, c: Any) -> None:
    """Add a ``share`` [1] of the uncertainty before anything is learnt to that of the resistance factors."""
    variance = share * c.growth_deviation * c.growth_deviation
    p[SERIES, SERIES] += variance
    p[POLARISATION, POLARISATION] += variance
    p[SERIES, POLARISATION] += c.growth_correlation * variance
    p[POLARISATION, SERIES] += c.growth_correlation * variance


@kernel
def _correct(current: float, voltage: float, factor: float, state: Any, pack: Any, c: Any) -> None:
    """Learn from the mean cell ``voltage`` [V] at ``current`` [A]: x += K (v - h(x)), P -= K H P, with K = P H' / S."""
    p, b = state.covariance, state.information
    drop = direction_factor(current, pack) * factor * pack.resistance_0 * current
    expected = open_circuit_voltage(state.state_of_charge, pack) - state.series_growth * drop
    innovation = voltage - (expected - state.fast_voltage - state.slow_voltage)
    slope = CHARGE_INTERVALS * slope_at_position(pack.open_circuit_voltage, state.state_of_charge * CHARGE_INTERVALS)
    for k in range(STATES):
        b[k] = slope * p[k, CHARGE] - p[k, FAST] - p[k, SLOW] - drop * p[k, SERIES]
    s = slope * b[CHARGE] - b[FAST] - b[SLOW] - drop * b[SERIES] + c.voltage_deviation * c.voltage_deviation
    if abs(innovation) > c.innovation_max:  # not quite believed (Huber): it moves the state less, and settles less
        s *= abs(innovation) / c.innovation_max
    state.state_of_charge = clamp(state.state_of_charge + b[CHARGE] * innovation / s, 0.0, 1.0)
    state.fast_voltage += b[FAST] * innovation / s
    state.slow_voltage += b[SLOW] * innovation / s
    state.series_growth = clamp(state.series_growth + b[SERIES] * innovation / s, c.growth_min, c.growth_max)
    state.polarisation_growth = clamp(state.polarisation_growth + b[POLARISATION] * innovation / s, c.growth_min, c.growth_max)
    for row in range(STATES):
        for column in range(STATES):
            p[row, column] -= b[row] * b[column] / s
