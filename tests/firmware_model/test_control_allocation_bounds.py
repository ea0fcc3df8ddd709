import numpy as np
import pytest
from allocation_rig import BRAKE_REACH, BRAKES, FORCE_PER_TORQUE, MASS, MOTORS, Allocating, capacity


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
