"""Control allocation: two axle motors and four wheel brakes from one constrained least-squares problem.

Unknowns are the longitudinal forces of motors and brakes, u = (F_f, F_r, B_fl, B_fr, B_rl, B_rr) [N]. With the arms a_M of the
yaw moment and a_X = (1, 1, -1, -1, -1, -1), its brakes turned round while the car moves backward:

    minimise   w_M (a_M (u - u_0) - M)^2 / (t/2)^2 + w_X (a_X u - X)^2 + sum r_j (u_j - u_0,j)^2

    subject to motors     F_low <= F <= F_high             envelope, slew, slip window, regeneration fading out
               brakes     0 <= B <= B_high                 strength
               tyres      |F_axle / 2 + a_X B| <= capacity what the lateral force leaves of the friction circle; slip windows
               battery    P_low <= P + dP/dF (F - F_last) <= P_high
               driver     the motors do not do more than the driver wants, but for a share to make up for brakes

u_0 is the preferred split with released brakes, so that nothing is iterated while nothing is in conflict. The weights rank what
gives way: first the preference, then the driver's longitudinal wish, last the yaw moment; a power limit costs acceleration, not
stability. (Weighted least squares with an active set: O. Harkegard, IEEE CDC 2002; tyre forces as unknowns and their friction as
constraint: J. Tjonnas, T. A. Johansen, IEEE Trans. Control Syst. Technol. 18 (2010) 1374.)

An axle's force acts on the yaw moment, too: by the steering angle, and by the lateral force that it takes from its own tyres,
dF_y/dF_x = -F_y F_x / (C^2 - F_x^2), C the friction circle's radius.

The power is linear only in its constraint. Its curvature counts in the objective at the price that the last solution paid for the
limit, as in sequential quadratic programming; without it the split at a limit would jump from one motor to the other for ever.

A bound that contradicts the present state (a slew that does not reach into an envelope any more) is widened to it: what protects
the parts acts once more behind this problem, in slip control, power budget and torque path.
"""

from typing import Any

from firmware_model import brake_blending, friction, motor, power_budget, quadratic_program, torque_path, tyre_load
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT

FRONT_MOTOR, REAR_MOTOR, FIRST_BRAKE = 0, 1, 2  # of the unknowns; brakes in the order of the wheels
# Of the constraints, after one for each unknown:
FIRST_TYRE, POWER, DRIVER = quadratic_program.VARIABLES, quadratic_program.VARIABLES + 4, quadratic_program.VARIABLES + 5
UNBOUNDED = 1e9  # [N] or [W]


@kernel
def allocate(
    force: float, moment: float, front_share: float, travel: float, state: Any, measurements: Any, calibration: Any
) -> None:
    """Serve ``force`` X [N] and ``moment`` M [Nm] from a preferred ``front_share`` [1]; the solution is in ``state.allocation``.

    The car moves in the direction ``travel`` (1, -1), against which its brakes act. The bounds of motors and brakes have been
    written into ``state.allocation.problem``; the rest follows from the controller's whole ``state``.
    """
    allocation = state.allocation
    problem = allocation.problem
    _prefer(force, front_share, allocation)
    _set_arms(travel, state, calibration)
    _set_objective(force, moment, state, calibration)
    _bound_tyres(force, moment, travel, state, calibration)
    _bound_power(state, calibration)
    _bound_driver(force, problem, calibration.allocation)
    solved = quadratic_program.solve(problem)
    for k in range(quadratic_program.VARIABLES):
        # Without a solution the last iterate is the best there is; its simple bounds are kept in any case.
        allocation.force[k] = clamp(problem.x[k], problem.lower[k], problem.upper[k])
    _measure(force, moment, solved, state, measurements.allocation)


@kernel
def motor_torques(allocation: Any, calibration: Any) -> tuple[float, float]:
    """Motor torques [Nm] of the last solution in ``allocation`` (AllocationState)."""
    front, rear = calibration.front, calibration.rear
    return (
        allocation.force[FRONT_MOTOR] * front.wheel_radius / front.gear_ratio,
        allocation.force[REAR_MOTOR] * rear.wheel_radius / rear.gear_ratio,
    )


@kernel
def bound_motors(
    dt: float,
    force: float,
    f_driver: float,
    direction: float,
    front_share: float,
    travel: float,
    state: Any,
    calibration: Any,
) -> None:
    """F_low and F_high [N] of both motors for a wanted ``force`` [N] in a gear of that ``direction`` (1, -1, 0).

    While the car rolls against its gear they do no more than the accelerator's ``f_driver`` [N]: the brakes stop it.
    """
    most = UNBOUNDED
    if force * direction <= 0.0:
        most = brake_blending.regeneration_limit(direction, state.vehicle_speed.speed, calibration)
    bounds, inputs, slip, s = state.allocation.problem, state.inputs, state.wheel_slip, state.supervisor
    front_last, rear_last = torque_path.underway(state)
    share = s.front_permitted * direction * direction * s.output_share
    lower, upper = _force_range(
        dt, force, front_share * most, share, front_last, inputs.front, slip.front, calibration.front, calibration.torque_path
    )
    bounds.lower[FRONT_MOTOR], bounds.upper[FRONT_MOTOR] = lower, upper
    share = s.rear_permitted * direction * direction * s.output_share
    lower, upper = _force_range(
        dt, force, (1.0 - front_share) * most, share, rear_last, inputs.rear, slip.rear, calibration.rear, calibration.torque_path
    )
    bounds.lower[REAR_MOTOR], bounds.upper[REAR_MOTOR] = lower, upper
    if direction * travel < 0.0:
        _bound_by_driver(FRONT_MOTOR, front_share * f_driver, bounds)
        _bound_by_driver(REAR_MOTOR, (1.0 - front_share) * f_driver, bounds)


@kernel
def _bound_by_driver(k: int, force: float, bounds: Any) -> None:
    least, most = (0.0, force) if force > 0.0 else (force, 0.0)
    bounds.lower[k] = clamp(bounds.lower[k], least, most)
    bounds.upper[k] = clamp(bounds.upper[k], least, most)


@kernel
def _force_range(
    dt: float, force: float, most: float, share: float, last: float, inputs: Any, slip: Any, axle: Any, path: Any
) -> tuple[float, float]:
    """Lowest and highest force [N] of one motor: a ``share`` [1] of its range, up to ``most`` [N], with the sign of ``force``.

    No motor works against the driver's wish, or against the other. What slew from the ``last`` torque [Nm] and slip allow bounds
    both; without a permission it is nothing at once.
    """
    if share == 0.0:
        return 0.0, 0.0
    force_per_torque = axle.gear_ratio / axle.wheel_radius
    lowest, highest = motor.torque_range(inputs, axle, path)
    torque_most = most / force_per_torque
    lowest = clamp(share * lowest, -torque_most, 0.0) if force < 0.0 else 0.0
    highest = clamp(share * highest, 0.0, torque_most) if force > 0.0 else 0.0
    if force * inputs.motor_speed < 0.0:
        lowest, highest = slip.regeneration_share * lowest, slip.regeneration_share * highest
    least, most = torque_path.reachable(dt, last, path)
    least, most = clamp(slip.torque_lowest, least, most), clamp(slip.torque_highest, least, most)
    return force_per_torque * clamp(lowest, least, most), force_per_torque * clamp(highest, least, most)


@kernel
def bound_brakes(bounds: Any, calibration: Any) -> None:
    """B_low and B_high [N] of all wheels, by the brakes' strength."""
    for wheel in range(4):
        axle = calibration.front if wheel < REAR_LEFT else calibration.rear
        bounds.lower[FIRST_BRAKE + wheel] = 0.0
        bounds.upper[FIRST_BRAKE + wheel] = calibration.wheel_slip.brake_torque_max / axle.wheel_radius


@kernel
def _prefer(force: float, front_share: float, allocation: Any) -> None:
    """u_0: the motors do all, the brakes nothing."""
    allocation.preferred[FRONT_MOTOR] = front_share * force
    allocation.preferred[REAR_MOTOR] = (1.0 - front_share) * force
    for wheel in range(4):
        allocation.preferred[FIRST_BRAKE + wheel] = 0.0


@kernel
def _set_arms(travel: float, state: Any, calibration: Any) -> None:
    """a_X [1] and a_M [m]: longitudinal force and yaw moment per force of each unknown."""
    vehicle, arms, load = calibration.vehicle, state.allocation.moment_arm, state.tyre_load
    for k in range(quadratic_program.VARIABLES):
        state.allocation.force_arm[k] = 1.0 if k < FIRST_BRAKE else -travel
    l_f = vehicle.front_axle_to_cg
    delta = state.inputs.wheel_angle / vehicle.steering_ratio if state.inputs.steering_trusted else 0.0
    last = state.allocation.force
    mu = 0.5 * (state.friction.left + state.friction.right)
    front_circle = mu * tyre_load.axle_load(load, True)
    rear_circle = mu * tyre_load.axle_load(load, False)
    c = calibration.allocation
    arms[FRONT_MOTOR] = l_f * (delta + _lateral_loss(last[FRONT_MOTOR], load.front_lateral_force, front_circle, c))
    arms[REAR_MOTOR] = -(vehicle.wheelbase - l_f) * _lateral_loss(last[REAR_MOTOR], load.rear_lateral_force, rear_circle, c)
    arms[FIRST_BRAKE + FRONT_LEFT] = travel * (0.5 * vehicle.front_track - l_f * delta)
    arms[FIRST_BRAKE + FRONT_RIGHT] = travel * (-0.5 * vehicle.front_track - l_f * delta)
    arms[FIRST_BRAKE + REAR_LEFT] = travel * 0.5 * vehicle.rear_track
    arms[FIRST_BRAKE + REAR_RIGHT] = travel * -0.5 * vehicle.rear_track


@kernel
def _lateral_loss(f_x: float, f_y: float, circle: float, c: Any) -> float:
    """dF_y/dF_x [1] of an axle with forces [N] on a friction ``circle`` [N]; bounded, since the edge of the circle is steep."""
    left = circle * circle - f_x * f_x
    if left <= 0.0:
        return 0.0
    return clamp(-f_y * f_x / left, -c.lateral_loss_max, c.lateral_loss_max)


@kernel
def _set_objective(force: float, moment: float, state: Any, calibration: Any) -> None:
    """H and g. The moment counts from u_0, whose own moment is the car as its driver knows it."""
    c, allocation, problem = calibration.allocation, state.allocation, state.allocation.problem
    half_track = 0.5 * calibration.vehicle.front_track
    w_moment = c.weight_moment / (half_track * half_track) if state.yaw_control.active else 0.0
    arms, along, preferred = allocation.moment_arm, allocation.force_arm, allocation.preferred
    wanted_moment = moment + arms[FRONT_MOTOR] * preferred[FRONT_MOTOR] + arms[REAR_MOTOR] * preferred[REAR_MOTOR]
    mean_load = 0.25 * (tyre_load.axle_load(state.tyre_load, True) + tyre_load.axle_load(state.tyre_load, False))
    for i in range(quadratic_program.VARIABLES):
        for k in range(i + 1):
            problem.hessian[i, k] = w_moment * arms[i] * arms[k] + c.weight_force * along[i] * along[k]
        preference = 1.0
        if i >= FIRST_BRAKE:
            load = state.tyre_load.vertical_force[i - FIRST_BRAKE]
            preference = c.weight_brake * clamp(mean_load / load if load > 0.0 else c.load_ratio_max, 0.0, c.load_ratio_max)
        problem.hessian[i, i] += preference
        problem.linear[i] = w_moment * arms[i] * wanted_moment + c.weight_force * along[i] * force + preference * preferred[i]


@kernel
def _bound_tyres(force: float, moment: float, travel: float, state: Any, calibration: Any) -> None:
    """Each wheel within its capacity and its slip window, as far as the motor's bounds let it get there.

    Against the turn, a front wheel may give up its lateral force: what that loses turns the car the same way.
    """
    driven = force * travel > 0.0 or state.vehicle_speed.speed == 0.0
    gives_up = moment * state.tyre_load.front_lateral_force < 0.0
    slip, front, rear = state.wheel_slip, calibration.front, calibration.rear
    _bound_tyre(FRONT_LEFT, FRONT_MOTOR, travel, driven, gives_up, slip.front.left, front, state, calibration)
    _bound_tyre(FRONT_RIGHT, FRONT_MOTOR, travel, driven, gives_up, slip.front.right, front, state, calibration)
    _bound_tyre(REAR_LEFT, REAR_MOTOR, travel, driven, False, slip.rear.left, rear, state, calibration)
    _bound_tyre(REAR_RIGHT, REAR_MOTOR, travel, driven, False, slip.rear.right, rear, state, calibration)


@kernel
def _bound_tyre(
    wheel: int, motor_: int, travel: float, driven: bool, gives_up: bool, slip: Any, axle: Any, state: Any, calibration: Any
) -> None:
    """One wheel (``slip``, WheelSlipState). While the car is ``driven``, a brake counts with what it will have reached in time.

    Only a wheel that spins is braked against a motor that cannot get out of its way as quickly.
    """
    problem = state.allocation.problem
    brake, row, along = FIRST_BRAKE + wheel, FIRST_TYRE + wheel, -travel
    reach = calibration.allocation.brake_reach if driven and not slip.spins else 1.0
    problem.rows[wheel, motor_] = 0.5
    problem.rows[wheel, brake] = along * reach
    lowest, highest = _tyre_range(wheel, travel, gives_up, slip, axle, state, calibration)
    present = along * (1.0 - reach) * slip.torque / axle.wheel_radius
    most, least = highest - present, lowest - present
    brakes_most = along * problem.upper[brake] if slip.spins else 0.0
    least_driving = 0.5 * problem.lower[motor_] + clamp(brakes_most, -UNBOUNDED, 0.0)
    least_braking = 0.5 * problem.upper[motor_] + clamp(brakes_most, 0.0, UNBOUNDED)
    problem.upper[row] = most if most > least_driving else least_driving
    problem.lower[row] = least if least < least_braking else least_braking


@kernel
def _tyre_range(
    wheel: int, travel: float, gives_up: bool, slip: Any, axle: Any, state: Any, calibration: Any
) -> tuple[float, float]:
    """Lowest and highest force [N] of motor and brake on one wheel, which may give up its lateral force for its brake."""
    c = calibration.allocation
    driving = braking = UNBOUNDED
    if c.enabled:
        mu = friction.of_wheel(wheel, state.friction)
        driving = braking = c.capacity_share * tyre_load.capacity(wheel, mu, state.tyre_load, calibration.tyre_load)
        given_up = c.give_up_share * mu * state.tyre_load.vertical_force[wheel]
        braking = given_up if gives_up and given_up > braking else braking
    driving = clamp(driving, -UNBOUNDED, slip.highest / axle.wheel_radius)
    braking = clamp(braking, -UNBOUNDED, -slip.lowest / axle.wheel_radius)
    braking = braking if braking > -driving else -driving  # a wheel that is to be braked may be, whatever the estimate says
    return (-braking, driving) if travel > 0.0 else (-driving, braking)


@kernel
def _bound_power(state: Any, calibration: Any) -> None:
    """DC power, linear in both forces around the present commands, within the battery's limits as far as the motors can get.

    Beyond a limit that is exceeded without any torque, torque of the other sign is not asked for.
    """
    problem, last, budget = state.allocation.problem, state.torque_path, state.power_budget
    front, rear = calibration.front, calibration.rear
    front_power, front_slope = _power(last.front_torque, budget.front.speed_ahead, budget.loss_factor, front)
    rear_power, rear_slope = _power(last.rear_torque, budget.rear.speed_ahead, budget.loss_factor, rear)
    row = POWER - quadratic_program.VARIABLES
    problem.rows[row, FRONT_MOTOR] = front_slope
    problem.rows[row, REAR_MOTOR] = rear_slope
    last_front = last.front_torque * front.gear_ratio / front.wheel_radius
    last_rear = last.rear_torque * rear.gear_ratio / rear.wheel_radius
    both_slopes = front_slope + rear_slope
    if both_slopes > 0.0 and state.allocation.force_missing > 0.0:
        price = 2.0 * calibration.allocation.weight_force * state.allocation.force_missing / both_slopes
        _bend_power(FRONT_MOTOR, price, last_front, budget.front.speed_ahead, budget.loss_factor, problem, front)
        _bend_power(REAR_MOTOR, price, last_rear, budget.rear.speed_ahead, budget.loss_factor, problem, rear)
    offset = front_power + rear_power + calibration.power_budget.auxiliary_power
    offset -= front_slope * last_front + rear_slope * last_rear
    upper = power_budget.highest_power(state.discharge_limiter, calibration.power_budget) - offset
    lower = power_budget.lowest_power(state.discharge_limiter, calibration.power_budget) - offset
    least = most = 0.0
    for k in range(FIRST_BRAKE):
        slope = problem.rows[row, k]
        at_lower, at_upper = slope * problem.lower[k], slope * problem.upper[k]
        least += at_lower if at_lower < at_upper else at_upper
        most += at_upper if at_lower < at_upper else at_lower
    without_torque = clamp(0.0, least, most)
    problem.upper[POWER] = upper if upper > without_torque else without_torque
    problem.lower[POWER] = lower if lower < without_torque else without_torque


@kernel
def _bend_power(k: int, price: float, last: float, omega: float, loss_factor: float, problem: Any, axle: Any) -> None:
    """Let the objective pay a ``price`` [1/W] for the curvature of one motor's power about its ``last`` force [N]."""
    _, copper = motor.loss_coefficients(omega, axle)
    torque_per_force = axle.wheel_radius / axle.gear_ratio
    weight = price * 2.0 * loss_factor * copper * torque_per_force * torque_per_force
    problem.hessian[k, k] += weight
    problem.linear[k] += weight * last


@kernel
def _bound_driver(force: float, problem: Any, c: Any) -> None:
    """Both motors together within the wanted ``force`` [N] and a share, as far as their bounds let them get there."""
    row = DRIVER - quadratic_program.VARIABLES
    problem.rows[row, FRONT_MOTOR] = problem.rows[row, REAR_MOTOR] = 1.0
    most = (1.0 + c.compensation_share) * force
    upper, lower = (most, 0.0) if force > 0.0 else (0.0, most)
    least = problem.lower[FRONT_MOTOR] + problem.lower[REAR_MOTOR]
    highest = problem.upper[FRONT_MOTOR] + problem.upper[REAR_MOTOR]
    problem.upper[DRIVER] = upper if upper > least else least
    problem.lower[DRIVER] = lower if lower < highest else highest


@kernel
def _power(torque: float, omega: float, loss_factor: float, axle: Any) -> tuple[float, float]:
    """DC power [W] of a motor at ``torque`` [Nm] and ``omega`` [rad/s], and its slope over the longitudinal force [W/N]."""
    drag, copper = motor.loss_coefficients(omega, axle)
    power = torque * omega + loss_factor * (drag + copper * torque * torque)
    slope = omega + 2.0 * loss_factor * copper * torque
    return power, slope * axle.wheel_radius / axle.gear_ratio


@kernel
def _measure(force: float, moment: float, solved: bool, state: Any, measurements: Any) -> None:
    """What was attained of ``force`` [N] and ``moment`` [Nm], and at what expense."""
    allocation = state.allocation
    attained_force = attained_moment = braking = 0.0
    for k in range(quadratic_program.VARIABLES):
        attained_force += allocation.force_arm[k] * allocation.force[k]
        attained_moment += allocation.moment_arm[k] * (allocation.force[k] - allocation.preferred[k])
        if k >= FIRST_BRAKE:
            braking += allocation.force[k]
    state.yaw_control.moment_missing = moment - attained_moment
    total = abs(allocation.force[FRONT_MOTOR]) + abs(allocation.force[REAR_MOTOR])
    measurements.front_share = abs(allocation.force[FRONT_MOTOR]) / total if total > 0.0 else measurements.front_share
    allocation.force_missing = measurements.force_missing = force - attained_force
    measurements.moment_missing = moment - attained_moment
    measurements.brake_force = braking
    measurements.iterations = allocation.problem.iterations
    measurements.solved = solved
