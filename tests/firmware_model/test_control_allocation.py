from math import sqrt

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import assume, given
from hypothesis import strategies as st
from interpreter import examples

from firmware_model.control_allocation import allocate, bound_brakes, bound_motors, motor_torques
from firmware_model.kernel.math import GRAVITY

FORCE_PER_TORQUE = 8.1938 / 0.3108  # [N/Nm] of the default axle
MASS, WHEELBASE, L_F = 1875.0, 2.7, 1.29
L_R = WHEELBASE - L_F
FRONT_HALF_TRACK, REAR_HALF_TRACK = 0.5 * 1.54, 0.5 * 1.555
# Restated from the table
WEIGHT_MOMENT, WEIGHT_FORCE, WEIGHT_BRAKE = 1e6, 1e4, 100.0
CAPACITY_SHARE, CAPACITY_LEAST, GIVE_UP_SHARE, BRAKE_REACH, COMPENSATION = 0.95, 0.1, 0.3, 0.4, 0.15
AUXILIARY_POWER, MARGIN, CHARGE_MARGIN, MARGIN_POWER = 400.0, 0.005, 0.02, 250.0
EXCHANGE = 0.01  # [Nm/N] moment that the weights let go for force: w_X (t/2)^2 / (w_M a_M)
MOTORS, BRAKES, LEFT, RIGHT = slice(0, 2), slice(2, 6), slice(2, 6, 2), slice(3, 6, 2)


class Allocating(Rig):
    """The allocation alone: yaw control is on, the supervisor permits everything, no slew, a dry road at constant speed."""

    def __init__(self, speed=20.0, friction=1.0, last=(0.0, 0.0)):
        super().__init__(speed)
        state = self.state
        state.yaw_control.active = state.supervisor.front_permitted = state.supervisor.rear_permitted = 1
        state.inputs.steering_trusted = 1
        self.calibration.torque_path.rise_rate = self.calibration.torque_path.fall_rate = 1e6
        self.set_motor_speed(speed * FORCE_PER_TORQUE)
        self.set_power(300e3, 300e3)
        self.set_friction(friction, friction)
        self.set_loads()
        state.torque_path.front_torque, state.torque_path.rear_torque = last
        self.travel = -1.0 if speed < 0.0 else 1.0

    def set_motor_speed(self, omega):
        budget = self.state.power_budget
        self.state.inputs.front.motor_speed = budget.front.speed_ahead = omega
        self.state.inputs.rear.motor_speed = budget.rear.speed_ahead = omega

    def set_power(self, discharge, charge):
        self.state.discharge_limiter.discharge_limit, self.state.discharge_limiter.charge_limit = discharge, charge

    def set_friction(self, left, right):
        self.state.friction.left, self.state.friction.right = left, right

    def set_loads(self, forward=0.0, across=0.0):
        """Loads [N] of the wheels with the weight shifted by shares; lateral forces for as much of the circle as ``across``."""
        load = self.state.tyre_load
        static = 0.5 * MASS * GRAVITY / WHEELBASE * np.array([L_R, L_R, L_F, L_F])
        shift = np.array([1.0 - forward, 1.0 - forward, 1.0 + forward, 1.0 + forward])
        load.vertical_force[:] = static * shift * (1.0 + 0.6 * across * np.array([-1.0, 1.0, -1.0, 1.0]))
        load.lateral_force[:] = 0.8 * across * load.vertical_force
        load.front_lateral_force, load.rear_lateral_force = load.lateral_force[:2].sum(), load.lateral_force[2:].sum()

    def set_wheels(self, lowest=None, highest=None, present=None, spins=None):
        """Windows of motor and brake together [Nm], present brake torques [Nm], and which wheels spin."""
        slip = self.state.wheel_slip
        for k, wheel in enumerate((slip.front_left, slip.front_right, slip.rear_left, slip.rear_right)):
            wheel.lowest = wheel.lowest if lowest is None else lowest[k]
            wheel.highest = wheel.highest if highest is None else highest[k]
            wheel.torque = wheel.torque if present is None else present[k]
            wheel.spins = wheel.spins if spins is None else spins[k]

    def bound(self, force=1.0, share=0.5, direction=1.0, f_driver=0.0):
        """Bounds for a wanted ``force`` [N], of which ``f_driver`` [N] is the accelerator's."""
        bound_motors(0.01, force, f_driver, direction, share, self.travel, self.state, self.calibration)
        bound_brakes(self.state.allocation.problem, self.calibration)
        return self.state.allocation.problem

    def solve(self, force, moment, share=0.5):
        """Forces [N] of motors and brakes within the bounds that are there."""
        allocate(force, moment, share, self.travel, self.state, self.measurements, self.calibration)
        return np.array(self.state.allocation.force)

    def serve(self, force, moment, share=0.5):
        self.bound(force, share)
        return self.solve(force, moment, share)

    @property
    def told(self):
        return self.measurements.allocation

    @property
    def moment(self):
        """Yaw moment [Nm] of brakes and motors with the present arms."""
        return float(self.state.allocation.moment_arm @ self.state.allocation.force)


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


# The bounds


def test_motors_that_drive_are_bounded_by_their_envelope_and_do_not_brake():
    problem = Allocating(speed=20.0).bound(force=5000.0)
    assert problem.upper[:2] == pytest.approx(2 * [FORCE_PER_TORQUE * 160e3 / (20.0 * FORCE_PER_TORQUE)])
    assert problem.lower[:2] == pytest.approx([0.0, 0.0])


def test_motors_that_brake_are_bounded_by_regeneration_and_do_not_drive():
    problem = Allocating(speed=20.0).bound(force=-5000.0, share=0.4)
    assert problem.lower[:2] == pytest.approx([-0.4 * MASS * 3.0, -0.6 * MASS * 3.0])
    assert problem.upper[:2] == pytest.approx([0.0, 0.0])


def test_a_limited_output_and_heat_leave_a_share_of_the_envelope():
    rig = Allocating(speed=5.0)
    rig.state.supervisor.output_share = 0.5
    rig.state.inputs.rear.torque_share = 0.4
    problem = rig.bound(force=5000.0)
    assert problem.upper[:2] == pytest.approx([0.5 * 340.0 * FORCE_PER_TORQUE, 0.2 * 340.0 * FORCE_PER_TORQUE])


@pytest.mark.parametrize("force", [5000.0, -5000.0])
def test_in_reverse_the_bounds_are_turned_round(force):
    forward, reverse = Allocating(speed=5.0).bound(force), Allocating(speed=-5.0).bound(-force, direction=-1.0)
    assert reverse.upper[:2] == pytest.approx(-forward.lower[:2])
    assert reverse.lower[:2] == pytest.approx(-forward.upper[:2])


def test_the_slew_bounds_what_a_motor_reaches_until_the_next_time():
    rig = Allocating(speed=5.0, last=(100.0, -30.0))
    rig.calibration.torque_path.rise_rate, rig.calibration.torque_path.fall_rate = 1500.0, 1600.0
    problem = rig.bound(force=5000.0)
    assert problem.lower[:2] / FORCE_PER_TORQUE == pytest.approx([84.0, -14.0])
    assert problem.upper[:2] / FORCE_PER_TORQUE == pytest.approx([115.0, -14.0])
    problem = rig.bound(force=-5000.0)
    assert problem.lower[:2] / FORCE_PER_TORQUE == pytest.approx([84.0, -45.0])
    assert problem.upper[:2] / FORCE_PER_TORQUE == pytest.approx([84.0, -14.0])


def test_what_ride_control_holds_back_is_underway_and_counts_as_reached():
    rig = Allocating(speed=5.0, last=(100.0, 100.0))
    rig.calibration.torque_path.rise_rate = 1500.0
    ride = rig.state.ride_control.front
    ride.held_back, ride.feedback = 30.0, 4.0
    assert rig.bound(force=5000.0).upper[:2] / FORCE_PER_TORQUE == pytest.approx([141.0, 115.0])


def test_an_envelope_out_of_reach_of_the_slew_is_neared_as_fast_as_it_allows():
    rig = Allocating(speed=37.0, last=(340.0, 340.0))  # 164 Nm at this speed
    rig.calibration.torque_path.fall_rate = 1600.0
    problem = rig.bound(force=5000.0)
    assert (problem.lower[0], problem.upper[0]) == pytest.approx((324.0 * FORCE_PER_TORQUE,) * 2)


def test_the_window_of_slip_control_bounds_its_motor():
    rig = Allocating(speed=5.0)
    rig.state.wheel_slip.front.torque_highest, rig.state.wheel_slip.rear.torque_lowest = 40.0, -10.0
    assert rig.bound(force=5000.0).upper[0] == pytest.approx(40.0 * FORCE_PER_TORQUE)
    problem = rig.bound(force=-5000.0)
    assert problem.lower[1] == pytest.approx(-10.0 * FORCE_PER_TORQUE)


@pytest.mark.parametrize("direction", [1.0, -1.0, 0.0])
def test_a_motor_that_is_not_permitted_and_a_gear_that_drives_nothing_have_no_force(direction):
    rig = Allocating(last=(50.0, 50.0))
    rig.state.supervisor.rear_permitted = 0
    problem = rig.bound(direction=direction)
    assert (problem.lower[1], problem.upper[1]) == (0.0, 0.0)
    if direction == 0.0:
        assert (problem.lower[0], problem.upper[0]) == (0.0, 0.0)


@pytest.mark.parametrize(("speed", "direction"), [(-2.0, 1.0), (2.0, -1.0)])
@pytest.mark.parametrize("accelerator_force", [0.0, 3000.0])
def test_rolling_against_the_gear_the_motors_leave_the_brake_pedal_to_the_brakes(speed, direction, accelerator_force):
    rig = Allocating(speed)
    rig.bound(direction * (accelerator_force + 9000.0), 0.5, direction, direction * accelerator_force)
    solution = rig.solve(direction * (accelerator_force + 9000.0), 0.0)
    assert direction * solution[MOTORS] == pytest.approx(2 * [0.5 * accelerator_force], abs=1.0)
    assert solution[BRAKES].sum() == pytest.approx(9000.0, rel=0.01)


def test_the_brakes_are_bounded_by_their_strength():
    problem = Allocating().bound()
    assert list(problem.lower[2:6]) == [0.0] * 4
    assert problem.upper[2:6] * 0.3108 == pytest.approx([3500.0] * 4)


def test_a_spinning_wheel_is_held_by_its_brake_so_that_the_motor_can_drive_the_other_one():
    """Split friction: the right wheels may have 200 Nm, the left ones all that they want."""
    rig = Allocating(speed=3.0)
    rig.state.yaw_control.active = 0  # slower than it
    rig.set_wheels(highest=(3500.0, 200.0, 3500.0, 200.0), spins=(0, 1, 0, 1))
    solution = rig.serve(5e3, 0.0)
    assert solution[MOTORS].sum() == pytest.approx(1.15 * 5e3)  # as much as the driver's wish lets motors make up for brakes
    assert 0.5 * solution[MOTORS] - solution[[3, 5]] == pytest.approx([200.0 / 0.3108] * 2)
    assert solution[[2, 4]] == pytest.approx([0.0, 0.0], abs=1.0)


def test_an_axle_whose_wheels_both_spin_is_held_by_its_motor():
    rig = Allocating(speed=3.0)
    rig.state.yaw_control.active = 0
    rig.set_wheels(highest=(200.0, 200.0, 3500.0, 3500.0), spins=(1, 1, 0, 0))
    solution = rig.serve(8e3, 0.0)
    assert solution[0] == pytest.approx(2.0 * 200.0 / 0.3108, rel=0.05)  # but for what the weights let go
    assert solution[BRAKES] == pytest.approx([0.0] * 4, abs=30.0)


def test_a_spinning_wheel_is_braked_against_a_motor_that_cannot_get_out_of_the_way():
    rig = Allocating(speed=3.0, last=(300.0, 300.0))
    rig.calibration.torque_path.fall_rate = 1600.0
    rig.set_wheels(highest=(-100.0, 3500.0, 3500.0, 3500.0), spins=(1, 0, 0, 0))
    solution = rig.serve(12e3, 0.0)
    assert 0.5 * solution[0] - solution[2] == pytest.approx(-100.0 / 0.3108)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_wheel_that_is_to_be_braked_is_braked_beyond_the_estimated_friction(direction):
    rig = Allocating(speed=direction * 5.0, friction=0.15)
    rig.set_wheels(highest=(-600.0,) * 4, spins=(1,) * 4)
    rig.bound(direction * 5e3, direction=direction)
    solution = rig.solve(direction * 5e3, 0.0)
    assert rig.told.solved == 1
    assert 0.5 * direction * np.repeat(solution[MOTORS], 2) - solution[BRAKES] == pytest.approx([-600.0 / 0.3108] * 4, rel=0.01)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_wheel_that_locks_is_let_go(direction):
    rig = Allocating(speed=direction * 20.0)
    rig.set_wheels(lowest=(-3500.0, -3500.0, -200.0, -3500.0))
    solution = rig.serve(direction * -15e3, 0.0)
    assert direction * (0.5 * solution[1] - direction * solution[4]) == pytest.approx(-200.0 / 0.3108)


def test_after_slip_control_a_motor_brakes_with_the_share_that_it_is_given_back():
    rig = Allocating(speed=20.0)
    free = rig.bound(force=-9e3).lower[0]
    rig.state.wheel_slip.front.regeneration_share = 0.25
    assert rig.bound(force=-9e3).lower[0] == pytest.approx(0.25 * free)
    assert rig.bound(force=9e3).upper[0] > 0.0


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_against_the_turn_a_front_wheel_gives_up_its_lateral_force(side):
    """At the limit there is nothing left for a brake; but the outer front wheel can stop the car from turning further."""
    rig = Allocating(speed=30.0, friction=0.9)
    rig.set_loads(across=side * 1.1)
    rig.bound(force=0.0)
    rig.solve(0.0, side * -8e3)
    outer, rear = (3, 5) if side > 0.0 else (2, 4)
    given_up = rig.calibration.allocation.give_up_share * 0.9 * rig.state.tyre_load.vertical_force[outer - 2]
    assert rig.state.allocation.force[outer] == pytest.approx(given_up)
    assert rig.state.allocation.force[rear] == pytest.approx(capacity(rig)[rear - 2])
    rig.bound(force=0.0)
    rig.solve(0.0, side * 8e3)
    inner = 2 if side > 0.0 else 3
    assert rig.state.allocation.force[inner] == pytest.approx(capacity(rig)[inner - 2])


# Each constraint is kept


forces, moments = st.floats(-25e3, 25e3), st.floats(-12e3, 12e3)
frictions, shares = st.floats(0.08, 1.2), st.floats(0, 1)


def capacity(rig, enabled=True):
    """Longitudinal force [N] that each wheel may have beside its lateral one, restated."""
    load, friction = rig.state.tyre_load, rig.state.friction
    circle = np.array([friction.left, friction.right] * 2) * load.vertical_force
    left = circle**2 - load.lateral_force**2
    return CAPACITY_SHARE * np.maximum(np.sqrt(np.maximum(left, 0.0)), CAPACITY_LEAST * circle)


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


# Brakes that take their time


def test_a_driven_wheel_gets_no_more_torque_than_its_brake_has_reached_to_hold():
    """On ice, a moment of the other side's brake must not let the motor spin the wheel before that brake is there."""
    rig = Allocating(speed=3.0, friction=0.3)
    present = np.array([0.0, 300.0, 0.0, 300.0])
    rig.set_wheels(present=present)
    solution = rig.serve(9000.0, -1000.0)
    held = BRAKE_REACH * solution[BRAKES] + (1.0 - BRAKE_REACH) * present / 0.3108
    assert (abs(0.5 * np.repeat(solution[MOTORS], 2) - held) <= capacity(rig) + 0.5).all()


def test_a_brake_that_lets_go_still_holds_while_the_motor_builds_up():
    rig = Allocating(speed=3.0, friction=0.3)
    rig.set_wheels(present=(300.0,) * 4)
    solution = rig.serve(20e3, 0.0)
    held = (1.0 - BRAKE_REACH) * 300.0 / 0.3108
    assert 0.5 * solution[MOTORS] == pytest.approx(capacity(rig)[[0, 2]] + held)


def test_a_braked_car_is_held_by_its_brakes_alone_and_at_once():
    rig = Allocating(speed=20.0, friction=0.3)
    rig.set_wheels(present=(3000.0,) * 4)
    solution = rig.serve(-20e3, 0.0)
    assert 0.5 * np.repeat(solution[MOTORS], 2) - solution[BRAKES] == pytest.approx(-capacity(rig), rel=1e-4)


def test_switched_off_no_wheel_is_kept_within_its_friction():
    rig = Allocating(friction=0.1)
    rig.calibration.allocation.enabled = 0
    assert rig.serve(12e3, 0.0)[MOTORS] == pytest.approx([6e3, 6e3])
