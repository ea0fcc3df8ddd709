"""The driver at the wheel of a car whose pedals act directly on motors and brakes."""

import math

import numba
import numpy as np
import pytest
from interpreter import COMPILED, needs_compiler
from plant_rig import Rig

from bench.plant import car, driver

LIFT_TORQUE = 15.0  # [Nm] regeneration with both pedals released


@numba.njit(error_model="numpy")
def drive(dt, targets, path, hands, habits, demands, road, state, parameters, measured, log):
    """Follow ``targets`` (n,) [m/s] and ``path``; log speed, accelerator, brake, x, y, lateral acceleration."""
    for i in range(len(targets)):
        motion = state.body
        rise = (targets[min(i + 1, len(targets) - 1)] - targets[i]) / dt
        driver.follow_speed(dt, targets[i], rise, motion.longitudinal_speed, habits, hands)
        driver.follow_path(dt, measured.body, path, habits, hands)
        available = min(340.0, 165e3 / max(measured.front.motor.speed, 1.0))
        lift = LIFT_TORQUE if motion.longitudinal_speed > 1.0 else 0.0
        demands.front.motor_torque = hands.accelerator * (available + lift) - lift
        demands.front.left_brake_torque = demands.front.right_brake_torque = 1900.0 * hands.brake
        demands.rear.left_brake_torque = demands.rear.right_brake_torque = 950.0 * hands.brake
        demands.steering_wheel_angle = hands.steering_wheel_angle
        car.step(dt, demands, road, state, parameters, measured)
        log[i] = (
            motion.longitudinal_speed,
            hands.accelerator,
            hands.brake,
            motion.x,
            motion.y,
            measured.body.lateral_acceleration,
        )


def at_the_wheel(targets, path=None, speed=0.0, grade=0.0, dt=1e-3):
    rig = Rig(speed=speed)
    rig.road.grade = grade
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    driver.acquaint(rig.parameters[0], habits[0])
    straight = np.array([[0.0, 0.0], [1.0, 0.0]])
    log = np.zeros((len(targets), 6))
    drive(dt, targets, driver.path_table(straight if path is None else path), hands[0], habits[0], *rig.records, log)
    return log


def smooth(x, start, end):
    u = np.clip((x - start) / (end - start), 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def test_driver_learns_the_car():
    rig = Rig("leaf_twin_motor")
    habits = driver.DriverParameters.new()
    driver.acquaint(rig.parameters[0], habits[0])
    assert habits.full_acceleration[0] == pytest.approx(2 * 340 * 8.193 / 0.3108 / 1880)
    assert habits.full_specific_power[0] == pytest.approx(243e3 / 1880)
    stiffnesses = habits.front_stiffness[0], habits.rear_stiffness[0]
    assert stiffnesses == car.axle_stiffnesses(rig.parameters[0])
    assert stiffnesses[0] < stiffnesses[1]
    assert (habits.mass[0], habits.yaw_inertia[0], habits.front_axle_distance[0]) == (1880.0, 3150.0, 1.296)
    assert (habits.wheelbase[0], habits.steering_ratio[0]) == (2.7, 17.0)


@needs_compiler
def test_stop_and_go_is_followed_and_the_car_stands_in_between():
    time = np.arange(0.0, 60.0, 1e-3)
    targets = np.interp(time, [0, 3, 11, 20, 26, 31, 36, 45, 52, 60], [0, 0, 14, 14, 0, 0, 8, 8, 0, 0])
    log = at_the_wheel(targets)
    assert np.abs(log[:, 0] - targets).max() < 0.5
    standing = (time > 27.5) & (time < 31.0)
    assert np.abs(log[standing, 0]).max() < 0.02
    assert (log[standing, 2] > 0.0).all()


@needs_compiler
@pytest.mark.parametrize("grade", [-0.06, 0.0, 0.06])
def test_speed_is_held_on_slopes_with_one_foot(grade):
    targets = np.full(30_000, 20.0)
    log = at_the_wheel(targets, speed=20.0, grade=grade)
    settled = log[15_000:]
    assert np.abs(settled[:, 0] - 20.0).max() < 0.05
    assert (np.minimum(settled[:, 1], settled[:, 2]) == 0.0).all()
    changes = np.count_nonzero(np.diff((settled[:, 2] > 0.0).astype(int)))
    assert changes == 0


@needs_compiler
def test_a_speed_out_of_reach_does_not_wind_up_the_pedal():
    time = np.arange(0.0, 40.0, 1e-3)
    targets = np.where(time < 15.0, 60.0, 25.0)  # 216 km/h are too much; then the driver wants 90
    log = at_the_wheel(targets, speed=20.0)
    assert log[14_000, 1] == 1.0
    assert log[16_500, 1] == 0.0
    assert log[16_500, 2] > 0.0
    assert log[15_000:, 0].min() > 24.0
    assert log[-1, 0] == pytest.approx(25.0, abs=0.3)


@needs_compiler
def test_double_lane_change_at_60_kmh_stays_on_its_path():
    x = np.arange(0.0, 140.0, 0.5)
    path = np.column_stack([x, 3.2 * (smooth(x, 28, 48) - smooth(x, 54, 76))])
    log = at_the_wheel(np.full(7000, 60 / 3.6), path, speed=60 / 3.6)
    driven = log[log[:, 3] < 130.0]
    aside = driven[:, 4] - np.interp(driven[:, 3], path[:, 0], path[:, 1])
    assert np.abs(aside).max() < 0.45
    assert np.abs(driven[:, 5]).max() < 8.0


@needs_compiler
def test_circle_is_followed_without_an_offset_that_understeer_would_leave():
    angle = np.linspace(0.0, 2.0 * math.pi, 400)
    path = np.column_stack([100.0 * np.sin(angle), 100.0 * (1.0 - np.cos(angle))])
    log = at_the_wheel(np.full(20_000, 22.0), path, speed=22.0)
    radius = np.hypot(log[8000:, 3], log[8000:, 4] - 100.0)
    assert np.abs(radius - 100.0).max() < 0.4


def test_pedals_and_steering_wheel_move_no_faster_than_their_rates():
    steps = 60 if COMPILED else 15
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    path = driver.path_table(np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 20.0]]))
    motion = car.Measurements.new()[0].body
    motion.longitudinal_speed = 20.0
    for _ in range(steps):
        before = hands.copy()
        driver.follow_speed(1e-3, 30.0, 0.0, 0.0, habits[0], hands[0])
        driver.follow_path(1e-3, motion, path, habits[0], hands[0])
        assert abs(hands.accelerator - before.accelerator) <= 4.0e-3 + 1e-12
        assert abs(hands.steering_wheel_angle - before.steering_wheel_angle) <= 14.0e-3 + 1e-12
    for _ in range(steps):
        before = hands.copy()
        driver.follow_speed(1e-3, 0.0, -3.0, 20.0, habits[0], hands[0])
        assert abs(hands.brake - before.brake) <= 4.0e-3 + 1e-12
    assert hands.accelerator[0] == 0.0
    assert hands.braking[0] == 1


def test_driver_learns_what_the_pedal_lacks_unless_it_is_at_its_stop():
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    driver.follow_speed(1e-3, 20.0, 0.0, 19.0, habits[0], hands[0])
    assert hands.learnt_acceleration[0] == pytest.approx(0.4e-3)
    driver.follow_speed(1e-3, 40.0, 0.0, 19.0, habits[0], hands[0])
    assert hands.learnt_acceleration[0] == pytest.approx(0.4e-3)


@pytest.mark.parametrize(("speed", "share"), [(20.0, 1.0), (4.0, 1.0), (1.0, 0.25), (0.4, 0.1)])
def test_pedal_that_holds_a_speed_makes_up_for_what_lifting_off_would_brake_there(speed, share):
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    for _ in range(100):
        driver.follow_speed(1e-3, speed, 0.0, speed, habits[0], hands[0])
    lift = 0.6 * share
    full = min(4.5, 85.0 / max(speed, 1.0))
    assert hands.accelerator[0] == pytest.approx(lift / (full + lift))
    assert hands.brake[0] == 0.0


def test_standing_driver_holds_the_brake():
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    hands.learnt_acceleration = 1.0
    for _ in range(100):
        driver.follow_speed(1e-3, 0.0, 0.0, 0.01, habits[0], hands[0])
    assert hands.brake[0] == pytest.approx(0.3)
    assert hands.learnt_acceleration[0] == 0.0


def test_path_goes_straight_on_beyond_its_end_and_is_never_walked_back():
    hands = driver.DriverState.new()
    path = driver.path_table(np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 10.0]]))
    along = driver.locate(16.0, 5.0, path, hands[0])
    assert hands.segment[0] == 1
    assert along == pytest.approx(10.0 + 11.0 / math.sqrt(2.0))
    end = (along + 40.0) / math.sqrt(2.0)
    assert driver.preview(along + 50.0, path, 1) == pytest.approx((1, 10.0 + end, end))
    assert driver.preview(13.0, path, 0) == pytest.approx((1, 10.0 + 3.0 / math.sqrt(2.0), 3.0 / math.sqrt(2.0)))
    driver.locate(0.0, 0.0, path, hands[0])
    assert hands.segment[0] == 1


def test_understeer_gradient_is_that_of_the_axles_stiffnesses():
    parameters = Rig("leaf_twin_motor").parameters[0]
    c_f, c_r = car.axle_stiffnesses(parameters)
    expected = 1880.0 / 2.7 * ((2.7 - 1.296) / c_f - 1.296 / c_r)
    assert car.understeer_gradient(parameters) == pytest.approx(expected, rel=1e-12)
    assert 0.002 < expected < 0.006


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_the_path_is_looked_at_every_10_ms_whatever_the_step(dt):
    habits, hands = driver.DriverParameters.new(), driver.DriverState.new()
    path = driver.path_table(np.array([[0.0, 0.0], [100.0, 0.0]]))
    motion = car.Measurements.new()[0].body
    motion.longitudinal_speed = 20.0
    wanted = []
    for i in range(round(0.05 / dt)):
        motion.y = 1e-3 * i * dt  # the answer changes with every look
        driver.follow_path(dt, motion, path, habits[0], hands[0])
        wanted.append(float(hands.wanted_angle[0]))
    looks = np.flatnonzero(np.diff(wanted)) + 1
    assert np.diff(looks).tolist() == [round(0.01 / dt)] * 3
    assert len(looks) == 4
