"""The axle against conservation of momentum and a brute-force solution of its two brakes."""

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plant_rig import COMPILED, Rig

from bench.plant import axle, brakes


def standing_axle(**measured):
    rig = Rig("leaf_twin_motor")
    for wheel in (rig.measured.front.left, rig.measured.front.right):
        wheel.vertical_force, wheel.surface = 4600.0, 1.0
        for key, value in measured.items():
            wheel[key] = value
    return rig


def turn(rig, dt=1e-3):
    axle.turn_wheels(dt, rig.parameters.front[0], rig.parameters.tyre[0], rig.state.front[0], rig.measured.front[0])


def naive_brakes(p, m, coupling, capacity):
    """Both wheels' speeds, by trying every pair of stuck, sliding forward, sliding backward."""
    for signs in itertools.product((0, 1, -1), repeat=2):
        left = (p[0] - signs[0] * capacity[0], m[0], coupling)
        right = (p[1] - signs[1] * capacity[1], coupling, m[1])
        if signs == (0, 0):
            omega = (0.0, 0.0)
        elif signs[0] == 0:
            omega = (0.0, right[0] / m[1])
        elif signs[1] == 0:
            omega = (left[0] / m[0], 0.0)
        else:
            determinant = m[0] * m[1] - coupling**2
            omega = ((m[1] * left[0] - coupling * right[0]) / determinant, (m[0] * right[0] - coupling * left[0]) / determinant)
        held = (p[0] - m[0] * omega[0] - coupling * omega[1], p[1] - m[1] * omega[1] - coupling * omega[0])
        fits = all(w * s > 0.0 if s else abs(h) <= c for w, s, h, c in zip(omega, signs, held, capacity, strict=True))
        if fits:
            return omega
    return None


def test_momentum_of_both_wheels_and_the_rotor_is_conserved():
    rig = standing_axle(hub_speed_along=10.0)
    front, state, measured = rig.parameters.front[0], rig.state.front[0], rig.measured.front[0]
    state.left.speed, state.right.speed, state.motor.torque = 33.0, 30.0, 100.0
    before = state.left.speed + state.right.speed
    turn(rig)
    inertia = front.wheel_inertia + 0.5 * front.motor.rotor_inertia * front.gear_ratio**2
    gained = inertia * (state.left.speed + state.right.speed - before)
    force = measured.left.longitudinal_force + measured.right.longitudinal_force
    assert gained == pytest.approx(1e-3 * (front.gear_ratio * 100.0 - rig.parameters.tyre.radius[0] * force), rel=1e-9)


def test_open_differential_spins_the_wheel_on_ice_and_leaves_the_other_no_more_torque():
    rig = Rig("leaf_plus")
    rig.road.friction = (0.05, 1.0, 1.0, 1.0)
    rig.demands.front.motor_torque = 100.0
    rig.run(1.0 if COMPILED else 0.15)
    left, right = rig.measured.front.left, rig.measured.front.right
    assert left.speed > 2.0 * right.speed
    assert left.longitudinal_force < 300.0
    if COMPILED:
        assert rig.speed < 1.5


def test_braked_wheels_stop_and_stay_exactly_at_zero():
    rig = standing_axle(hub_speed_along=5.0)
    state = rig.state.front[0]
    state.left.speed = state.right.speed = 10.0
    state.left.brake_torque = state.right.brake_torque = 3000.0
    for _ in range(20):
        turn(rig)
    assert (state.left.speed, state.right.speed) == (0.0, 0.0)
    assert rig.measured.front.left.longitudinal_force < 0.0


@settings(max_examples=500 if COMPILED else 100)
@given(
    p=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    m=st.tuples(st.floats(1.6, 3.0), st.floats(1.6, 3.0)),
    capacity=st.tuples(st.floats(0, 10), st.floats(0, 10)),
)
def test_both_brakes_solve_coulombs_law(p, m, capacity):
    coupling = 0.67  # of the LEAF
    expected = naive_brakes(p, m, coupling, capacity)
    assume(expected is not None)
    left, right = Rig().state.front.left[0], Rig().state.front.right[0]
    determinant = m[0] * m[1] - coupling**2
    left.speed, right.speed = (m[1] * p[0] - coupling * p[1]) / determinant, (m[0] * p[1] - coupling * p[0]) / determinant
    left.brake_torque, right.brake_torque = capacity
    axle.brake(1.0, *p, *m, coupling, left, right)
    assert (left.speed, right.speed) == pytest.approx(expected, abs=1e-3)


def test_brake_torque_lags_its_request_and_has_a_limit():
    rig = Rig()
    brake, wheel, measured = rig.parameters.front.brake[0], rig.state.front.left[0], rig.measured.front.left[0]
    for _ in range(60):
        brakes.build_up(1e-3, 1000.0, brake, wheel, measured)
    assert wheel.brake_torque == pytest.approx(1000.0 * (1 - math.exp(-1)), rel=0.01)
    assert measured.brake_pressure * brake.characteristic == pytest.approx(wheel.brake_torque)
    for request, settled in ((1e5, brake.maximum_torque), (-50.0, 0.0)):
        for _ in range(3000):
            brakes.build_up(1e-3, request, brake, wheel, measured)
        assert wheel.brake_torque == pytest.approx(settled, abs=1e-9)
