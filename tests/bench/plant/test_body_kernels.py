"""The body against coast-down figures and the bicycle model."""

import math

import numpy as np
import pytest
from interpreter import needs_compiler
from plant_rig import GRAVITY, Rig

from bench.plant import body, car


@needs_compiler
def test_coast_down_returns_the_published_coefficients():
    rig = Rig(speed=40.0)
    rig.demands.front.connected = 0  # in neutral
    speeds, dt = [], 0.05
    while rig.speed > 2.0:
        rig.run(dt)
        speeds.append(rig.speed)
    speeds = np.array(speeds[20:])
    force = -np.gradient(speeds, dt) * (rig.parameters.body.mass[0] + rig.rotational_mass())
    f_2, f_1, f_0 = np.polyfit(speeds[1:-1], force[1:-1], 2)
    assert (f_0, f_1, f_2) == pytest.approx((135.05, 3.1851, 0.43537), rel=0.01)


def test_road_load_is_odd_and_fades_at_standstill():
    parameters = Rig().parameters.body[0]
    assert body.road_load(0.0, parameters) == 0.0
    assert body.road_load(20.0, parameters) == pytest.approx(135.05 + 3.1851 * 20 + 0.43537 * 400, rel=1e-4)
    for speed in (0.01, 0.3, 30.0):
        assert body.road_load(-speed, parameters) == -body.road_load(speed, parameters)


def test_front_wheels_follow_ackermann_within_a_hundredth_of_a_radian_and_the_rack_ends():
    rig = Rig()
    parameters, measured = rig.parameters.body[0], rig.measured.body[0]
    parameters.ackermann = 1.0
    for delta in (-0.3, 0.1, 0.3):
        body.steer(1.0, 17.0 * delta, 1.54, parameters, rig.state.body[0], measured)
        for angle, side in ((measured.left_wheel_angle, 1.0), (measured.right_wheel_angle, -1.0)):
            exact = math.atan(1.0 / (1.0 / math.tan(delta) - side * 1.54 / (2 * 2.7)))
            assert angle == pytest.approx(exact, abs=0.01)
    body.steer(1.0, 100.0, 1.54, parameters, rig.state.body[0], measured)
    assert measured.road_wheel_angle == parameters.road_wheel_angle_limit
    assert measured.steering_wheel_angle == pytest.approx(17.0 * 0.6)


def test_steering_rate_is_the_change_of_the_angle():
    rig = Rig()
    rig.demands.steering_wheel_angle = 0.01
    rig.run(1e-3)
    assert rig.measured.body.steering_wheel_rate[0] == pytest.approx(10.0)
    rig.run(1e-3)
    assert rig.measured.body.steering_wheel_rate[0] == 0.0


def test_steering_wheel_turns_no_faster_than_the_rack_follows():
    rig = Rig(speed=10.0)
    rig.demands.steering_wheel_angle = -1.0
    rig.run(0.02)
    assert rig.measured.body.steering_wheel_angle[0] == pytest.approx(-25.0 * 0.02)
    assert rig.measured.body.steering_wheel_rate[0] == pytest.approx(-25.0)
    rig.run(0.03)
    assert rig.measured.body.steering_wheel_angle[0] == pytest.approx(-1.0)


def blown(wind_x, wind_y, yaw=0.0, speed=25.0, lateral=0.0, motor_drag=0.0):
    """Road load and side force [N] of a car in a wind."""
    rig = Rig(speed=speed)
    state, motion = rig.state.body[0], rig.measured.body[0]
    state.yaw, state.lateral_speed = yaw, lateral
    body.blow(wind_x, wind_y, motor_drag, rig.parameters.body[0], state, motion)
    return float(motion.road_load), float(motion.wind_side_force)


def test_still_air_leaves_the_coast_down_exactly_as_it_was_measured():
    parameters = Rig().parameters.body[0]
    for speed in (-10.0, 0.0, 0.3, 25.0, 44.0):
        assert blown(0.0, 0.0, yaw=1.0, speed=speed) == (body.road_load(speed, parameters), 0.0)
    assert blown(0.0, 0.0, speed=20.0, lateral=3.0)[0] == body.road_load(20.0, parameters)


def test_drag_of_motors_that_the_coast_down_contains_is_left_to_them():
    for speed in (-10.0, 25.0):
        assert blown(0.0, 0.0, speed=speed, motor_drag=3.0)[0] == blown(0.0, 0.0, speed=speed)[0] - 3.0 * speed


def test_headwind_adds_the_drag_of_the_speed_through_the_air():
    calm, _ = blown(0.0, 0.0)
    half = 0.5 * 1.204 * 0.64
    assert blown(-10.0, 0.0)[0] - calm == pytest.approx(half * (35.0**2 - 25.0**2))
    assert blown(10.0, 0.0)[0] - calm == pytest.approx(half * (15.0**2 - 25.0**2))
    assert blown(40.0, 0.0)[0] - calm == pytest.approx(half * (-(15.0**2) - 25.0**2))  # it pushes
    assert blown(0.0, -10.0, yaw=math.pi / 2) == pytest.approx(blown(-10.0, 0.0), abs=1e-9)  # the car has turned into it


def test_crosswind_pushes_aside_and_turns_the_nose_away():
    _, side = blown(0.0, 8.0)
    through_air = math.hypot(25.0, 8.0)
    assert side == pytest.approx(0.5 * 1.204 * 5.0 * through_air * 8.0)
    rig = Rig(speed=25.0)
    rig.road.wind_y = 8.0
    rig.run(1e-3)
    motion, parameters = rig.measured.body[0], rig.parameters.body[0]
    assert motion.lateral_acceleration == pytest.approx(side / parameters.mass, rel=1e-6)
    assert motion.yaw_acceleration == pytest.approx(0.5 * side / parameters.yaw_inertia, rel=1e-6)


@needs_compiler
def test_steady_crosswind_is_held_by_the_tyres_and_rolls_the_body():
    rig = Rig(speed=30.0)
    rig.parameters.body.side_force_distance = 0.0
    rig.road.wind_y = 10.0
    for _ in range(40):
        rig.demands.steering_wheel_angle -= rig.measured.body.yaw_rate[0]
        rig.run(0.1)
    side = sum(float(wheel.lateral_force[0]) for wheel in rig.wheels)
    assert side == pytest.approx(-rig.measured.body.wind_side_force[0], rel=0.02)
    assert rig.measured.ride.roll[0] == pytest.approx(0.0087 * side / rig.parameters.body.mass[0], rel=0.03)


@needs_compiler
@pytest.mark.parametrize("vehicle", ["leaf_plus", "leaf_twin_motor"])
@pytest.mark.parametrize("speed", [10.0, 20.0, 30.0])
def test_gentle_cornering_has_the_bicycle_models_understeer_gradient(vehicle, speed):
    rig = Rig(vehicle, speed)
    rig.demands.steering_wheel_angle = 0.1
    for _ in range(100):
        rig.demands.front.motor_torque = 15.0 + 80.0 * (speed - rig.speed)
        rig.run(0.1)
    motion = rig.measured.body[0]
    radius = motion.longitudinal_speed / motion.yaw_rate
    gradient = (motion.road_wheel_angle - 2.7 / radius) / motion.lateral_acceleration
    assert gradient == pytest.approx(car.understeer_gradient(rig.parameters[0]), rel=0.03)


@needs_compiler
def test_hard_cornering_ends_in_understeer_at_the_limit_of_friction():
    rig = Rig(speed=25.0)
    rig.demands.steering_wheel_angle = 3.0
    rig.demands.front.motor_torque = 60.0
    rig.run(6.0)
    assert 6.5 < rig.measured.body.lateral_acceleration[0] < 1.05 * GRAVITY
    assert rig.measured.front.left.friction_used[0] > 0.97 > rig.measured.rear.left.friction_used[0]


def test_sideslip_is_measured_from_the_nose():
    rig = Rig(speed=10.0)
    rig.state.body.lateral_speed = 1.0
    rig.run(1e-3)
    assert rig.measured.body.sideslip[0] == pytest.approx(math.atan2(1.0, 10.0), abs=0.01)
