from math import sqrt

import numpy as np
import pytest
from allocation_rig import (
    BRAKE_REACH,
    BRAKES,
    FORCE_PER_TORQUE,
    FRONT_HALF_TRACK,
    L_F,
    L_R,
    MASS,
    MOTORS,
    REAR_HALF_TRACK,
    Allocating,
    capacity,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from interpreter import examples

from firmware_model.control_allocation import motor_torques

LEFT, RIGHT = slice(2, 6, 2), slice(3, 6, 2)
# Restated from the table
WEIGHT_MOMENT, WEIGHT_FORCE, WEIGHT_BRAKE = 1e6, 1e4, 100.0
GIVE_UP_SHARE, COMPENSATION = 0.3, 0.15
AUXILIARY_POWER, MARGIN, CHARGE_MARGIN, MARGIN_POWER = 400.0, 0.007, 0.02, 250.0
EXCHANGE = 0.01  # [Nm/N] moment that the weights let go for force: w_X (t/2)^2 / (w_M a_M)

# While nothing is in conflict


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("force", [4000.0, 0.0, -3000.0])
def test_without_a_conflict_the_motors_do_all_of_it_in_the_preferred_split(force, share):
    rig = Allocating()
    assert rig.serve(force, 0.0, share) == pytest.approx([share * force, (1.0 - share) * force, 0, 0, 0, 0], abs=1e-6)
    assert (rig.told.iterations, rig.told.solved) == (0, 1)
    assert (rig.told.force_missing, rig.told.moment_missing, rig.told.brake_force) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_the_motor_torques_are_those_of_the_forces():
    rig = Allocating()
    rig.serve(5000.0, 0.0, 0.4)
    assert motor_torques(rig.state.allocation, rig.calibration) == pytest.approx(
        (2000.0 / FORCE_PER_TORQUE, 3000.0 / FORCE_PER_TORQUE)
    )
    assert rig.told.front_share == pytest.approx(0.4)


def test_without_force_the_front_share_stays_what_it_was():
    rig = Allocating()
    rig.serve(5000.0, 0.0, 0.3)
    rig.serve(0.0, 0.0, 0.9)
    assert rig.told.front_share == pytest.approx(0.3)


def twin(rig, force, moment, share):
    """Weighted least squares by numpy, without any bound; the arms are those of a straight drive."""
    arms = np.array([0.0, 0.0, FRONT_HALF_TRACK, -FRONT_HALF_TRACK, REAR_HALF_TRACK, -REAR_HALF_TRACK])
    preferred = np.array([share * force, (1.0 - share) * force, 0.0, 0.0, 0.0, 0.0])
    loads = rig.state.tyre_load.vertical_force
    roots = np.sqrt([1.0, 1.0, *(WEIGHT_BRAKE * np.minimum(loads.mean() / loads, 4.0))])
    w_moment, w_force = sqrt(WEIGHT_MOMENT) / FRONT_HALF_TRACK, sqrt(WEIGHT_FORCE)
    system = np.vstack((w_moment * arms, w_force * np.array([1.0, 1.0, -1.0, -1.0, -1.0, -1.0]), np.diag(roots)))
    wanted = np.concatenate(([w_moment * (moment + arms @ preferred), w_force * force], roots * preferred))
    return np.linalg.lstsq(system, wanted, rcond=None)[0]


@given(st.floats(-9e3, 9e3), st.floats(-3e3, 3e3), st.floats(0, 1), st.floats(-0.4, 0.4), st.floats(-0.9, 0.9))
def test_without_bounds_the_solution_is_that_of_least_squares(force, moment, share, forward, across):
    rig = Allocating()
    rig.calibration.allocation.enabled = 0
    rig.calibration.allocation.compensation_share = 1.0
    rig.set_loads(forward, across)
    problem = rig.bound()
    problem.lower[:6], problem.upper[:6] = -1e6, 1e6
    solution = rig.solve(force, moment, share)
    assume(rig.told.iterations == 0)  # else the driver's row has a say
    assert solution == pytest.approx(twin(rig, force, moment, share), abs=1e-3)


def test_the_brakes_of_one_side_share_a_moment_by_arm_and_load():
    """The least of w_j B_j^2 for a given sum of a_j B_j is at B_j in proportion to a_j / w_j, and w_j goes with 1 / load."""
    rig = Allocating()
    rig.calibration.allocation.compensation_share = 1.0  # the motors make up for all of it
    rig.set_loads(forward=0.2)
    solution = rig.serve(6000.0, 2000.0)
    load = rig.state.tyre_load.vertical_force
    assert solution[2] / solution[4] == pytest.approx(FRONT_HALF_TRACK * load[0] / (REAR_HALF_TRACK * load[2]), rel=0.01)
    assert solution[RIGHT] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert rig.moment == pytest.approx(2000.0, rel=1e-3)


@pytest.mark.parametrize("moment", [2500.0, -2500.0])
def test_a_moment_brakes_its_side_and_the_motors_make_up_for_it(moment):
    rig = Allocating()
    solution = rig.serve(6000.0, moment)
    braking, free = (LEFT, RIGHT) if moment > 0.0 else (RIGHT, LEFT)
    assert solution[free] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert rig.moment == pytest.approx(moment, rel=0.01)
    made_up = solution[MOTORS].sum() - 6000.0
    assert made_up == pytest.approx(COMPENSATION * 6000.0, rel=1e-6)  # the braking is 3.2 kN, more than that
    assert solution[braking].sum() > made_up


def test_yaw_control_that_stands_by_asks_for_no_moment():
    rig = Allocating()
    rig.state.yaw_control.active = 0
    assert rig.serve(6000.0, 5000.0) == pytest.approx([3000.0, 3000.0, 0, 0, 0, 0], abs=1e-6)


# The arms


def test_steering_turns_the_arms_of_the_front_axle():
    rig = Allocating()
    rig.state.inputs.wheel_angle = 17.0 * 0.1
    rig.serve(0.0, 0.0)
    arms = rig.state.allocation.moment_arm
    assert arms[2:6] == pytest.approx(
        [FRONT_HALF_TRACK - L_F * 0.1, -FRONT_HALF_TRACK - L_F * 0.1, REAR_HALF_TRACK, -REAR_HALF_TRACK]
    )
    assert arms[:2] == pytest.approx([L_F * 0.1, 0.0])
    rig.state.inputs.steering_trusted = 0
    rig.serve(0.0, 0.0)
    assert rig.state.allocation.moment_arm[0] == 0.0


@pytest.mark.parametrize(("f_x", "f_y"), [(3000.0, 4000.0), (-3000.0, 4000.0), (3000.0, -4000.0), (8000.0, 5000.0)])
def test_the_arms_hold_the_lateral_force_that_an_axle_loses_to_its_own_longitudinal_one(f_x, f_y):
    """F_y = sqrt(1 - (F_x / C)^2) F_y0: its slope, as the difference of two close forces."""
    rig = Allocating(friction=1.0)
    rig.state.allocation.force[:2] = f_x
    load = rig.state.tyre_load
    load.front_lateral_force = load.rear_lateral_force = f_y
    front_circle, rear_circle = load.vertical_force[:2].sum(), load.vertical_force[2:].sum()
    rig.bound()
    rig.solve(0.0, 0.0)

    def slope(circle):
        f_y0 = f_y / sqrt(1.0 - (f_x / circle) ** 2)
        force = [f_y0 * sqrt(1.0 - ((f_x + step) / circle) ** 2) for step in (-0.5, 0.5)]
        return min(max(force[1] - force[0], -0.5), 0.5)

    assert rig.state.allocation.moment_arm[:2] == pytest.approx([L_F * slope(front_circle), -L_R * slope(rear_circle)], abs=1e-6)


def test_an_axle_beyond_its_circle_has_no_slope():
    rig = Allocating(friction=0.2)
    rig.state.allocation.force[:2] = 8000.0
    rig.state.tyre_load.front_lateral_force = rig.state.tyre_load.rear_lateral_force = 1000.0
    rig.serve(0.0, 0.0)
    assert rig.state.allocation.moment_arm[:2] == pytest.approx([0.0, 0.0])


# Each constraint is kept


forces, moments = st.floats(-25e3, 25e3), st.floats(-12e3, 12e3)
frictions, shares = st.floats(0.08, 1.2), st.floats(0, 1)


@examples(150)
@given(
    forces, moments, shares, frictions, frictions, st.floats(-0.3, 0.3), st.floats(-0.9, 0.9), st.floats(0.5, 43.0),
    st.floats(0, 300e3), st.floats(0, 100e3),
)  # fmt: skip
def test_every_constraint_is_kept(force, moment, share, left, right, forward, across, speed, discharge, charge):
    rig = Allocating(speed)
    rig.set_friction(left, right)
    rig.set_loads(forward, across)
    rig.set_power(discharge, charge)
    solution = rig.serve(force, moment, share)
    motors, brakes = solution[MOTORS], solution[BRAKES]
    slack = 0.5  # [N], and of power the same over the speed
    assert rig.told.solved == 1
    # Motors and brakes
    omega = speed * FORCE_PER_TORQUE
    envelope = FORCE_PER_TORQUE * min(340.0, 160e3 / omega)
    fade = min(max((speed - 1.0) / 2.5, 0.0), 1.0)
    regeneration = MASS * 3.0 * fade * np.array([share, 1.0 - share])
    assert (motors <= (envelope if force > 0.0 else 0.0) + slack).all()
    assert (motors >= (-np.minimum(regeneration, envelope) if force < 0.0 else 0.0) - slack).all()
    assert (brakes >= -slack).all()
    assert (brakes <= 3500.0 / 0.3108 + slack).all()
    # Tyres: a driven car's brakes are not there yet when the motors are
    reach = BRAKE_REACH if force > 0.0 else 1.0
    along = 0.5 * np.repeat(motors, 2) - reach * brakes
    front_lateral = rig.state.tyre_load.front_lateral_force
    given_up = GIVE_UP_SHARE * np.array([left, right, 0.0, 0.0]) * rig.state.tyre_load.vertical_force
    braking = np.maximum(capacity(rig), given_up) if moment * front_lateral < 0.0 else capacity(rig)
    assert (along <= capacity(rig) + slack).all()
    assert (along >= -braking - slack).all()
    # Battery: at the present torque of nothing power goes with the speed alone
    drag = 2.0 * (60.0 + 0.0051 * omega**2)
    power = speed * motors.sum() + drag + AUXILIARY_POWER
    assert power <= max((1.0 - MARGIN) * discharge - MARGIN_POWER, drag + AUXILIARY_POWER) + slack * speed + 0.01
    least = MARGIN_POWER - (1.0 - CHARGE_MARGIN) * charge
    assert power >= min(least, drag + AUXILIARY_POWER) - slack * speed - 0.01
    # Driver
    assert min((1.0 + COMPENSATION) * force, 0.0) - slack <= motors.sum() <= max((1.0 + COMPENSATION) * force, 0.0) + slack
    # What is told
    attained = motors.sum() - brakes.sum()
    assert rig.told.force_missing == pytest.approx(force - attained, abs=1e-3)
    assert rig.told.brake_force == pytest.approx(brakes.sum())
    assert rig.state.yaw_control.moment_missing == rig.told.moment_missing


@examples(300)
@given(
    forces, moments, shares, frictions, frictions, st.floats(-0.3, 0.3), st.floats(-0.9, 0.9), st.floats(-10.0, 43.0),
    st.floats(0, 300e3), st.floats(0, 100e3), st.tuples(st.floats(-340, 340), st.floats(-340, 340)),
    st.lists(st.floats(0, 3500), min_size=4, max_size=4), st.lists(st.floats(0, 3500), min_size=4, max_size=4),
    st.lists(st.floats(0, 3500), min_size=4, max_size=4), st.lists(st.integers(0, 1), min_size=4, max_size=4),
    st.sampled_from([1.0, -1.0, 0.0]),
)  # fmt: skip
def test_whatever_the_state_the_simple_bounds_are_kept(
    force, moment, share, left, right, forward, across, speed, discharge, charge, last, lowest, span, present, spins, direction
):
    """A state can contradict itself, and what is left of its constraints then is told; forces stay possible in any case."""
    rig = Allocating(speed, last=last)
    rig.calibration.torque_path.rise_rate, rig.calibration.torque_path.fall_rate = 1500.0, 1600.0
    rig.set_friction(left, right)
    rig.set_loads(forward, across)
    rig.set_power(discharge, charge)
    rig.set_wheels(-np.array(lowest), np.minimum(np.subtract(span, lowest), 3500.0), present, spins)
    rig.bound(force, share, direction, force)
    solution = rig.solve(force, moment, share)
    problem = rig.state.allocation.problem
    assert np.isfinite(solution).all()
    assert (solution >= problem.lower[:6]).all()
    assert (solution <= problem.upper[:6]).all()
    assert rig.told.iterations <= 24


@pytest.mark.parametrize("last", [(0.0, 0.0), (200.0, 60.0), (-40.0, 120.0)])
@pytest.mark.parametrize("limit", [20e3, 60e3])
def test_the_power_is_linear_around_the_last_torques(last, limit):
    """P + dP/dT (T - T_last) = limit, with P = T omega + losses; the factor on the losses has been learnt."""
    rig = Allocating(speed=15.0, last=last)
    rig.state.power_budget.loss_factor = 1.3
    rig.set_power(limit, 60e3)
    torques = rig.serve(12e3, 0.0, 0.4)[MOTORS] / FORCE_PER_TORQUE
    omega = 15.0 * FORCE_PER_TORQUE
    copper, drag = 1.3 * (0.0575 + 2.05e-7 * omega**2), 1.3 * (60.0 + 0.0051 * omega**2)
    now = np.array(last)
    power = now * omega + drag + copper * now**2 + (omega + 2.0 * copper * now) * (torques - now)
    assert power.sum() + AUXILIARY_POWER == pytest.approx((1.0 - MARGIN) * limit - MARGIN_POWER)


@pytest.mark.parametrize("last", [(0.0, 0.0), (300.0, 0.0), (100.0, 250.0)])
def test_at_a_power_limit_the_split_settles_where_both_motors_cost_the_same(last):
    """With what it has been told as what it is told next, at the rates of the torque path: no jumping to and fro."""
    rig = Allocating(speed=15.0, last=last)
    rig.calibration.torque_path.rise_rate, rig.calibration.torque_path.fall_rate = 1500.0, 1600.0
    rig.calibration.rear.loss_torque = 0.09
    rig.set_power(120e3, 60e3)
    torques = []
    for _ in range(150):
        torques.append(rig.serve(14e3, 0.0)[MOTORS] / FORCE_PER_TORQUE)
        rig.state.torque_path.front_torque, rig.state.torque_path.rear_torque = torques[-1]
    assert abs(np.diff(torques[-30:], axis=0)).max() < 0.1
    front, rear = torques[-1]
    omega = 15.0 * FORCE_PER_TORQUE
    weakening = 2.05e-7 * omega**2
    assert (0.0575 + weakening) * front == pytest.approx((0.09 + weakening) * rear, rel=0.03)


# The ranking


@pytest.mark.parametrize("moment", [3000.0, -3000.0])
def test_a_power_limit_of_nothing_costs_the_force_and_not_the_moment(moment):
    rig = Allocating()
    rig.set_power(0.0, 0.0)
    solution = rig.serve(8000.0, moment)
    assert solution[MOTORS].sum() <= 1.0
    assert rig.told.moment_missing == pytest.approx(0.0, abs=EXCHANGE * rig.told.force_missing)
    assert rig.told.force_missing > 8000.0


@pytest.mark.parametrize("limit", [0.0, 20e3, 60e3])
def test_without_a_moment_a_charge_limit_costs_nothing_for_the_brakes_fill_in(limit):
    rig = Allocating(speed=25.0)
    rig.set_power(300e3, limit)
    solution = rig.serve(-7000.0, 0.0)
    assert rig.told.force_missing == pytest.approx(0.0, abs=40.0)
    omega = 25.0 * FORCE_PER_TORQUE
    power = 25.0 * solution[MOTORS].sum() + 2.0 * (60.0 + 0.0051 * omega**2) + AUXILIARY_POWER
    assert power == pytest.approx(MARGIN_POWER - (1.0 - CHARGE_MARGIN) * limit, abs=10.0)
    assert solution[BRAKES].sum() > 0.0


def highest_moment(rig, force):
    """What a moment beyond reach attains beside ``force``."""
    rig.serve(force, 50e3)
    return 50e3 - rig.told.moment_missing


@pytest.mark.parametrize("friction", [0.15, 0.4, 0.9])
@pytest.mark.parametrize("force", [-20e3, -10e3, 12e3])
def test_where_friction_does_not_suffice_the_force_gives_way_and_the_moment_last(force, friction):
    alone, beside = Allocating(friction=friction), Allocating(friction=friction)
    assert highest_moment(beside, force) >= 0.99 * highest_moment(alone, 0.0)
    assert abs(beside.told.force_missing) > 0.2 * abs(force)


@given(st.floats(-20e3, 20e3), st.floats(-8e3, 8e3), frictions)
def test_the_moment_is_missed_only_where_no_force_would_help(force, moment, friction):
    most = Allocating(friction=friction)
    rig = Allocating(friction=friction)
    reachable = highest_moment(most, 0.0)
    rig.serve(force, moment)
    attained = abs(moment) - abs(rig.told.moment_missing)
    assert attained >= min(abs(moment), reachable) - EXCHANGE * abs(rig.told.force_missing) - 5.0


# Symmetry


@examples(150)
@given(
    st.floats(-15e3, 15e3), st.floats(-8e3, 8e3), shares, frictions, frictions, st.floats(-0.9, 0.9), st.floats(-0.3, 0.3),
    st.floats(5e3, 300e3),
)  # fmt: skip
def test_the_mirrored_car_has_the_mirrored_solution(force, moment, share, left, right, across, delta, discharge):
    solutions = []
    for side in (1.0, -1.0):
        rig = Allocating()
        rig.set_friction(left, right) if side > 0.0 else rig.set_friction(right, left)
        rig.set_loads(across=side * across)
        rig.set_power(discharge, 60e3)
        rig.state.inputs.wheel_angle = side * 17.0 * delta
        rig.state.allocation.force[:2] = 1000.0, 2000.0
        solutions.append(rig.serve(force, side * moment, share))
    assert solutions[0] == pytest.approx(solutions[1][[0, 1, 3, 2, 5, 4]], abs=0.5)


@given(st.floats(-15e3, 15e3), st.floats(-8e3, 8e3), shares, frictions, st.floats(0.5, 8.0))
def test_a_car_that_moves_backward_is_the_same_car_turned_round(force, moment, share, friction, speed):
    """Forces change their sign with the direction, the brakes' moments too: left becomes right."""
    forward, backward = Allocating(speed, friction), Allocating(-speed, friction)
    ahead = forward.serve(force, moment, share)
    backward.bound(-force, share, direction=-1.0)
    astern = backward.solve(-force, moment, share)
    assert astern[MOTORS] == pytest.approx(-ahead[MOTORS], abs=0.5)
    assert astern[BRAKES] == pytest.approx(ahead[[3, 2, 5, 4]], abs=0.5)
