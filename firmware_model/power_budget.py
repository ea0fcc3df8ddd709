"""Power budget: motor torques that keep the DC power inside the battery's limits.

With one common factor x on both motor torques the DC power of the car is a parabola, which is solved in closed form:

    P(x) = A x^2 + B x + C

    A = f sum of (p_T + p_w omega^2) T^2                        copper and field weakening
    B = sum of omega T                                          mechanical power
    C = f sum of (p_0 + p_omega omega^2), plus the auxiliaries  what flows without torque

It is solved for the motor speeds at which the torque will act, so that the power rides its limit and does not overshoot it
while the car gathers speed. The factor f on the modelled losses is learnt from the power that the pack shows.
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
    """Front and rear motor torque [Nm], as much of them as ``limits`` (DischargeLimiterState) allow."""
    c, budget = calibration.power_budget, state.power_budget
    omega_f = _speed_ahead(dt, state.inputs.front.motor_speed, budget.front, c)
    omega_r = _speed_ahead(dt, state.inputs.rear.motor_speed, budget.rear, c)
    a_f, b_f, c_f = _parabola(front_torque, omega_f, budget.loss_factor, calibration.front)
    a_r, b_r, c_r = _parabola(rear_torque, omega_r, budget.loss_factor, calibration.rear)
    x = _factor(a_f + a_r, b_f + b_r, c_f + c_r + c.auxiliary_power, highest_power(limits, c), lowest_power(limits, c))
    front_power = (a_f * x + b_f) * x + c_f
    rear_power = (a_r * x + b_r) * x + c_r
    power = front_power + rear_power + c.auxiliary_power
    _predict(dt, power, power - (b_f + b_r) * x - c.auxiliary_power, budget, c)
    measurements.front.dc_power = front_power
    measurements.rear.dc_power = rear_power
    measurements.power_budget.torque_factor = x
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
    """DC power [W] that discharge may reach."""
    return _usable(limits.discharge_limit, c)


@kernel
def lowest_power(limits: Any, c: Any) -> float:
    """DC power [W, negative] that charging may reach."""
    return -_usable(limits.charge_limit, c)


@kernel
def _usable(limit: float, c: Any) -> float:
    """``limit`` [W] without its margins."""
    usable = (1.0 - c.margin) * limit - c.margin_power
    return usable if usable > 0.0 else 0.0


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
def learn(dt: float, battery: Any, state: Any, measurements: Any, c: Any) -> None:
    """Correct the modelled losses by the power that the pack shows, one step of ``dt`` [s].

    Only from power that is worth it and has been changing slowly for some time: a change tells more about the lag than about
    the losses.
    """
    measured = battery.voltage * battery.current
    expected = state.power_delivered
    settled = abs(state.power_predicted - expected) < c.learning_change
    state.settled_time = state.settled_time + dt if settled else 0.0
    worth = battery.state_trusted and abs(expected) > c.learning_power and state.loss_predicted > 0.0
    if worth and state.settled_time > c.learning_wait:
        # The loss itself is in proportion to the factor.
        error = (measured - expected) / state.loss_predicted
        state.loss_factor = clamp(state.loss_factor * (1.0 + c.learning_gain * dt * error), c.loss_factor_min, c.loss_factor_max)
    measurements.measured_power = measured
    measurements.loss_factor = state.loss_factor


@kernel
def _speed_ahead(dt: float, omega: float, state: Any, c: Any) -> float:
    """Motor speed [rad/s] when a torque commanded now acts: omega + T_a d(omega)/dt."""
    before = state.motor_speed
    state.motor_speed = lag(before, omega, c.acceleration_time_constant, dt)
    acceleration = clamp((state.motor_speed - before) / dt, -c.acceleration_max, c.acceleration_max)
    return omega + c.look_ahead * acceleration


@kernel
def _predict(dt: float, power: float, loss: float, state: Any, c: Any) -> None:
    """Pass ``power`` [W] through the response lag, two equal lags in series: what the pack should show; keep the ``loss`` [W]."""
    state.loss_predicted = loss
    state.power_predicted = power
    state.power_underway = lag(state.power_underway, power, 0.5 * c.response_lag, dt)
    state.power_delivered = lag(state.power_delivered, state.power_underway, 0.5 * c.response_lag, dt)


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
