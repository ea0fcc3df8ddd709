"""Power budget: motor torques that keep the DC power inside the battery's limits.

With one common factor x on both motor torques the DC power of the car is a parabola, which is solved in closed form:

    P(x) = A x^2 + B x + C

    A = f sum of (p_T + p_w omega^2) T^2                        copper and field weakening
    B = sum of omega T                                          mechanical power
    C = f sum of (p_0 + p_omega omega^2), plus the auxiliaries  what flows without torque

It is solved for the motor speeds at which the torque will act, so that the power rides its limit and does not overshoot it
while the car gathers speed. The factor f on the modelled losses is learnt from the power that the pack shows.

A limit that falls faster than the inverters follow leaves power under way that is too much. As long as it is, the torque that
goes out is lower still: P_lim - k (y - P_lim), with y the power that the inverters, a lag of first order, will have reached
when the command gets there. That would be deadbeat with k = a / (1 - a), a = exp(-frame period / lag), 1.5 on a LEAF, were y
exact; somewhat more makes sure. The torque from which the torque path goes on is not touched by it.
"""

from math import inf, sqrt
from typing import Any

from firmware_model import motor
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag


@kernel
def fit(
    dt: float, front_torque: float, rear_torque: float, limits: Any, state: Any, measurements: Any, calibration: Any
) -> tuple[float, float]:
    """Front and rear motor torque [Nm], as much of them as ``limits`` (DischargeLimiterState) allow.

    What goes out is that times ``state.power_budget.lead_share``.
    """
    c, budget = calibration.power_budget, state.power_budget
    omega_f = _speed_ahead(dt, state.inputs.front.motor_speed, state.vehicle_speed.speed, budget.front, calibration.front, c)
    omega_r = _speed_ahead(dt, state.inputs.rear.motor_speed, state.vehicle_speed.speed, budget.rear, calibration.rear, c)
    a_f, b_f, c_f = _parabola(front_torque, omega_f, budget.loss_factor, calibration.front)
    a_r, b_r, c_r = _parabola(rear_torque, omega_r, budget.loss_factor, calibration.rear)
    quadratic, linear, constant = a_f + a_r, b_f + b_r, c_f + c_r + c.auxiliary_power
    front, rear = calibration.front, calibration.rear
    rounding = c.torque_rounding * (front.motor_present * abs(omega_f) + rear.motor_present * abs(omega_r))
    power_max, power_min = highest_power(limits, c) - rounding, lowest_power(limits, c) + rounding
    x = _factor(quadratic, linear, constant, power_max, power_min)

    underway = budget.power_underway
    excess_max, excess_min = underway - power_max, power_min - underway
    lead = x
    if excess_max > 0.0:
        lead = _factor(quadratic, linear, constant, power_max - c.lead_gain * excess_max, power_min)
    elif excess_min > 0.0:
        lead = _factor(quadratic, linear, constant, power_max, power_min + c.lead_gain * excess_min)
    if not lead < x:
        lead = x
    power = (quadratic * lead + linear) * lead + constant
    budget.power_underway = lag(underway, power, c.torque_lag, dt)
    budget.power_delivered = lag(budget.power_delivered, budget.power_underway, c.report_lag, dt)
    budget.power_predicted = power
    budget.loss_predicted = power - linear * lead - c.auxiliary_power
    budget.lead_share = lead / x if x > 0.0 else 1.0

    measurements.front.dc_power = (a_f * lead + b_f) * lead + c_f
    measurements.rear.dc_power = (a_r * lead + b_r) * lead + c_r
    measurements.power_budget.torque_factor = x
    measurements.power_budget.lead_share = budget.lead_share
    measurements.power_budget.predicted_power = power
    measurements.power_budget.share_of_limit = _share(power, limits, c)
    return x * front_torque, x * rear_torque


@kernel
def _parabola(torque: float, omega: float, loss_factor: float, axle: Any) -> tuple[float, float, float]:
    """Coefficients A, B, C [W] of one axle's DC power over the factor on its ``torque`` [Nm] at ``omega`` [rad/s]."""
    drag, copper = motor.loss_coefficients(omega, axle)
    return loss_factor * copper * torque * torque, omega * torque, loss_factor * drag


@kernel
def highest_power(limits: Any, c: Any) -> float:
    """DC power [W] that discharge may reach: the limit without its margins."""
    return (1.0 - c.margin) * limits.discharge_limit - c.margin_power


@kernel
def lowest_power(limits: Any, c: Any) -> float:
    """DC power [W, negative unless charging is forbidden] that charging may reach."""
    return c.margin_power - (1.0 - c.charge_margin) * limits.charge_limit


@kernel
def torque_limits(omega: float, power_max: float, power_min: float, loss_factor: float, axle: Any) -> tuple[float, float]:
    """Lowest and highest motor torque [Nm] at ``omega`` [rad/s] that keep one axle's DC power between its bounds [W].

    Infinite where the power cannot get there.
    """
    drag, copper = motor.loss_coefficients(omega, axle)
    driving = _rising_root(loss_factor * copper, abs(omega), power_max - loss_factor * drag)
    braking = _falling_root(loss_factor * copper, -abs(omega), loss_factor * drag - power_min)
    if omega < 0.0:
        return -driving, braking
    return -braking, driving


@kernel
def learn(dt: float, inputs: Any, state: Any, measurements: Any, c: Any) -> None:
    """Correct the modelled losses by the power that the pack shows, one step of ``dt`` [s], from ``inputs`` (QualifiedInputs).

    Normalised least mean squares: beside a small loss the frames' rounding is large, beside a changing power the lag is, and
    both teach little. Nothing is learnt while the inverters report another torque than they were asked for.
    """
    measured = inputs.battery.voltage * inputs.battery.current
    expected, loss = state.power_delivered, state.loss_predicted
    mechanical = inputs.front.motor_torque * inputs.front.motor_speed + inputs.rear.motor_torque * inputs.rear.motor_speed
    change = abs(state.power_predicted - expected)
    missing = abs(mechanical + loss + c.auxiliary_power - expected)
    obeyed = missing < c.obedience_power + c.obedience_share * abs(expected) + change
    if inputs.battery.state_trusted and obeyed:
        weight = loss / (loss * loss + c.learning_loss * c.learning_loss + c.learning_change * change * change)
        # The loss itself is in proportion to the factor.
        correction = c.learning_gain * dt * weight * (measured - expected) * state.loss_factor
        state.loss_factor = clamp(state.loss_factor + correction, c.loss_factor_min, c.loss_factor_max)
    measurements.measured_power = measured
    measurements.loss_factor = state.loss_factor


@kernel
def _speed_ahead(dt: float, omega: float, speed: float, state: Any, axle: Any, c: Any) -> float:
    """Motor speed [rad/s] when a torque commanded now acts: omega + T_a d(omega)/dt, in a car at ``speed`` [m/s].

    A motor that swings on its half shafts comes back. A torque that followed it, late, would keep it swinging; so its lead on the
    car is taken to last a while.
    """
    before = state.motor_speed
    state.motor_speed = lag(before, omega, c.acceleration_time_constant, dt)
    acceleration = clamp((state.motor_speed - before) / dt, -c.acceleration_max, c.acceleration_max)
    ahead = omega + c.look_ahead * acceleration
    rolling = speed * axle.gear_ratio / axle.wheel_radius
    direction = -1.0 if ahead < 0.0 else 1.0
    lead = direction * (ahead - rolling)
    falls_back = lead < state.speed_lead and ahead * state.speed_ahead > 0.0
    state.speed_lead = lag(state.speed_lead, lead, c.lead_hold, dt) if falls_back else lead
    state.speed_ahead = rolling + direction * state.speed_lead
    return state.speed_ahead


@kernel
def _factor(quadratic: float, linear: float, constant: float, power_max: float, power_min: float) -> float:
    """Largest torque factor [1] up to 1 with the power between its bounds [W]."""
    power = quadratic + linear + constant
    if power > power_max:
        return _rising_root(quadratic, linear, power_max - constant)
    if power < power_min:
        return _falling_root(quadratic, linear, constant - power_min)
    return 1.0


@kernel
def _rising_root(a: float, b: float, rise: float) -> float:
    """Where a x^2 + b x, going up, reaches ``rise``; 0 if it may not rise at all. In the form that loses no digits."""
    if rise <= 0.0:
        return 0.0
    root = sqrt(b * b + 4.0 * a * rise)
    return 2.0 * rise / (b + root) if b > 0.0 else (root - b) / (2.0 * a)


@kernel
def _falling_root(a: float, b: float, fall: float) -> float:
    """Where a x^2 + b x has first come down by ``fall``; 0 if it may not fall at all, infinite if it never does."""
    if fall <= 0.0:
        return 0.0
    discriminant = b * b - 4.0 * a * fall
    return 2.0 * fall / (sqrt(discriminant) - b) if discriminant > 0.0 else inf


@kernel
def _share(power: float, limits: Any, c: Any) -> float:
    """``power`` [W] as share [1] of the limit in its direction; 0 of a limit that is none, but for its resolution."""
    limit = limits.discharge_limit if power >= 0.0 else limits.charge_limit
    return abs(power) / limit if limit > c.margin_power else 0.0
