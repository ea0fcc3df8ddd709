"""The axle: momentum, torsion against the two-mass oscillator, backlash against free fall, brakes against Coulomb's law."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import COMPILED, examples
from plant_rig import Rig

from bench.plant import axle, brakes


def standing_axle(**measured):
    """Front axle of the twin-motor car; the wheels' hubs move at ``hub_speed_along``."""
    rig = Rig("leaf_twin_motor")
    for wheel in (rig.measured.front.left, rig.measured.front.right):
        wheel.vertical_force, wheel.surface = 4600.0, 1.0
        for key, value in measured.items():
            wheel[key] = value
    return rig


def on_ice(rig):
    """Leave the wheels to themselves: no tyre force worth mentioning."""
    for wheel in (rig.measured.front.left, rig.measured.front.right):
        wheel.vertical_force, wheel.surface = 0.0, 0.0
    return rig


def turn(rig, dt=1e-3, steps=1):
    """Turn rotor and wheels of the front axle, motor torque and brakes held; the twists [rad] on the way."""
    front, rubber, state, measured = rig.parameters.front[0], rig.parameters.tyre[0], rig.state.front[0], rig.measured.front[0]
    twists = []
    for _ in range(steps):
        torque = axle.shaft_torque(front, state)
        axle.turn_wheel(dt, 0.5 * torque, front, rubber, state.left, measured.left)
        axle.turn_wheel(dt, 0.5 * torque, front, rubber, state.right, measured.right)
        axle.turn_rotor(dt, torque, 1, front, state)
        twists.append(float(state.twist))
    return np.array(twists)


def rotor_inertia(rig):
    """Rotor's moment of inertia, seen at the wheels [kg m2]."""
    return float(rig.parameters.front.motor.rotor_inertia[0] * rig.parameters.front.gear_ratio[0] ** 2)


def test_momentum_of_both_wheels_and_the_rotor_is_conserved_but_for_what_the_gears_lose():
    rig = standing_axle(hub_speed_along=10.0)
    front, state, measured = rig.parameters.front[0], rig.state.front[0], rig.measured.front[0]
    state.left.speed, state.right.speed, state.motor.speed = 33.0, 30.0, 32.0 * front.gear_ratio
    state.motor.torque, state.twist = 100.0, 0.03

    def momentum():
        return (
            front.wheel_inertia * (state.left.speed + state.right.speed)
            + rotor_inertia(rig) / front.gear_ratio * state.motor.speed
        )

    before, lost = momentum(), front.gear_loss * abs(axle.shaft_torque(front, state))
    assert lost > 1.0
    turn(rig)
    force = measured.left.longitudinal_force + measured.right.longitudinal_force
    impulse = 1e-3 * (front.gear_ratio * 100.0 - rig.parameters.tyre.radius[0] * force - lost)
    assert momentum() - before == pytest.approx(impulse, rel=1e-9)


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_half_shafts_oscillate_at_the_frequency_and_damping_of_two_masses_on_a_spring(dt):
    rig = on_ice(standing_axle())
    front, state = rig.parameters.front[0], rig.state.front[0]
    front.backlash = 0.0
    state.twist = 0.05
    inertia = 1.0 / (1.0 / rotor_inertia(rig) + 0.5 / front.wheel_inertia)
    omega = math.sqrt(front.shaft_stiffness / inertia)
    zeta = front.shaft_damping / (2.0 * inertia * omega)
    twists = turn(rig, dt, round(0.3 / dt))
    time = dt * np.arange(1, len(twists) + 1)
    expected = 0.05 * np.exp(-zeta * omega * time) * np.cos(omega * math.sqrt(1 - zeta**2) * time)
    assert twists == pytest.approx(expected, abs=0.1 * 0.05 * (dt / 1e-3) + 0.07 * 0.05)
    crossings = time[1:][np.diff(np.sign(twists)) != 0]
    assert np.diff(crossings).mean() == pytest.approx(math.pi / omega, rel=0.01)


def test_rotor_crosses_its_backlash_like_a_free_fall():
    rig = on_ice(standing_axle())
    front, state = rig.parameters.front[0], rig.state.front[0]
    front.shaft_damping = 0.0
    state.motor.torque, state.twist = 5.0, -0.5 * front.backlash
    acceleration = front.gear_ratio * 5.0 / rotor_inertia(rig)
    time = math.sqrt(2.0 * front.backlash / acceleration)
    twists = turn(rig, 1e-4, round(time / 1e-4) + 20)
    inside = np.flatnonzero(np.abs(twists) <= 0.5 * front.backlash)
    assert 1e-4 * inside[-1] == pytest.approx(time, abs=3e-4)


@examples(50)
@given(twist=st.floats(-0.1, 0.1), rate=st.floats(-30, 30), dt=st.sampled_from([1e-4, 1e-3, 2e-3]))
def test_free_driveline_never_gains_energy(twist, rate, dt):
    rig = on_ice(standing_axle())
    front, state = rig.parameters.front[0], rig.state.front[0]
    state.twist, state.motor.speed = twist, rate * front.gear_ratio

    def energy():
        rotor = 0.5 * rotor_inertia(rig) * (state.motor.speed / front.gear_ratio) ** 2
        wheels = 0.5 * front.wheel_inertia * (state.left.speed**2 + state.right.speed**2)
        stretched = max(abs(state.twist) - 0.5 * front.backlash, 0.0)
        return rotor + wheels + 0.5 * front.shaft_stiffness * stretched**2

    before = energy()
    turn(rig, dt, 200)
    # Symplectic: what it conserves differs from the energy by a share omega dt / 2 that does not grow.
    assert energy() <= before * (1.0 + 120.0 * dt) + 1e-9


def test_axle_without_a_motor_has_no_torque_in_it():
    rig = Rig("leaf_plus", speed=10.0)
    rig.brake(200.0)
    rig.run(0.05)
    assert rig.measured.rear.half_shaft_torque[0] == 0.0
    mean = 0.5 * (rig.measured.rear.left.speed[0] + rig.measured.rear.right.speed[0])
    assert rig.measured.rear.motor.speed[0] == pytest.approx(8.193 * mean)


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
    state.motor.speed = 82.0
    state.left.brake_torque = state.right.brake_torque = 3000.0
    turn(rig, steps=20)
    assert (state.left.speed, state.right.speed) == (0.0, 0.0)
    assert rig.measured.front.left.longitudinal_force < 0.0


@examples(200)
@given(speed=st.floats(-50, 50), torque=st.floats(-2000, 2000), capacity=st.floats(0, 4000))
def test_a_brake_obeys_coulombs_law(speed, torque, capacity):
    rig = on_ice(standing_axle())
    front, wheel, dt = rig.parameters.front[0], rig.state.front.left[0], 1e-3
    wheel.speed, wheel.brake_torque = speed, capacity
    axle.turn_wheel(dt, torque, front, rig.parameters.tyre[0], wheel, rig.measured.front.left[0])
    held = (front.wheel_inertia * (speed - wheel.speed) + dt * torque) / dt
    if wheel.speed == 0.0:
        assert abs(held) <= capacity + 1.0
    else:
        assert held == pytest.approx(math.copysign(capacity, wheel.speed), abs=1.0)


def test_pressure_builds_up_no_faster_than_the_actuator_delivers_and_falls_with_the_lag_alone():
    rig = Rig()
    brake, wheel, measured = rig.parameters.front.brake[0], rig.state.front.left[0], rig.measured.front.left[0]
    brake.pressure_rise_rate = 50e6
    for _ in range(100):
        brakes.build_up(1e-3, 2000.0, brake, wheel, measured)
    assert measured.brake_pressure == pytest.approx(5e6)
    brakes.build_up(1e-3, 0.0, brake, wheel, measured)
    assert measured.brake_pressure == pytest.approx(5e6 * 60.0 / 61.0)


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
