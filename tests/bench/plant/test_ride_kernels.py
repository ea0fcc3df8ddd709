"""The ride against hand calculation: load transfer, pitch with the links' geometry, natural frequencies, roll."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples, needs_compiler
from plant_rig import GRAVITY, Rig

from bench.plant import ride

DEGREE = math.pi / 180.0


def stiffness(rig, axle, mass):
    """Stiffness of an axle's springs [N/m]: its ride frequency's."""
    return mass * (2.0 * math.pi * rig.parameters[axle].suspension.ride_frequency[0]) ** 2


def steady_pitch(rig, specific, drive, brake):
    """Pitch angle [rad] by hand at ``specific`` force [m/s2], half shafts and brakes pushing (front, rear) [N]."""
    body, radius = rig.parameters.body[0], rig.parameters.tyre.radius[0]
    unsprung = [float(rig.parameters[axle].suspension.unsprung_mass[0]) for axle in ("front", "rear")]
    transfer = (body.mass * body.centre_height - sum(unsprung) * radius) * specific / body.wheelbase
    weights = (body.wheelbase - body.front_axle_distance, body.front_axle_distance)
    compressions = []
    for axle, way, i in (("front", -1.0, 0), ("rear", 1.0, 1)):
        links = rig.parameters[axle].suspension[0]
        on_links = way * (links.drive_support * drive[i] + links.brake_support * brake[i])
        mass = body.mass * weights[i] / body.wheelbase - unsprung[i]
        compressions.append((way * transfer - on_links) / stiffness(rig, axle, mass))
    return (compressions[0] - compressions[1]) / body.wheelbase


@examples(200)
@given(
    pitch=st.floats(-0.1, 0.1),
    roll=st.floats(-0.2, 0.2),
    heave=st.floats(-0.2, 0.2),
    rates=st.floats(-1, 1),
    grade=st.floats(-0.3, 0.3),
    share=st.floats(0, 1),
)
def test_no_wheel_pulls_at_the_road_and_the_loads_are_what_the_springs_bear(pitch, roll, heave, rates, grade, share):
    rig = Rig()
    parameters, state = rig.parameters.body[0], rig.state.ride[0]
    parameters.roll_stiffness_front = share
    state.pitch, state.roll, state.heave = pitch, roll, heave
    state.pitch_rate = state.roll_rate = state.heave_rate = rates
    ride.load_wheels(grade, rig.parameters[0], state, rig.measured[0])
    loads = [float(wheel.vertical_force[0]) for wheel in rig.wheels]
    assert min(loads) >= 0.0
    m_f, m_r = ride.sprung_masses(rig.parameters[0])
    springs = 0.0
    for axle, mass, arm in (("front", m_f, 2.7 * m_r / (m_f + m_r)), ("rear", m_r, -2.7 * m_f / (m_f + m_r))):
        omega = 2.0 * math.pi * rig.parameters[axle].suspension.ride_frequency[0]
        springs += mass * omega * (omega * (arm * pitch - heave) + 0.6 * (arm * rates - rates))
    total = parameters.mass * GRAVITY * math.cos(grade) + springs
    assert sum(loads) == pytest.approx(max(total, 0.0), rel=1e-9, abs=1e-6)


def test_car_at_rest_stands_on_its_static_loads():
    rig = Rig()
    rig.run(0.1)
    front_left, front_right, rear_left, rear_right = (float(wheel.vertical_force[0]) for wheel in rig.wheels)
    weight = rig.parameters.body.mass[0] * GRAVITY
    assert front_left == front_right == pytest.approx(0.56 * weight / 2)
    assert rear_left == rear_right == pytest.approx(0.44 * weight / 2)


@needs_compiler
@pytest.mark.parametrize("vehicle", ["leaf_plus", "leaf_twin_motor"])
@pytest.mark.parametrize(
    ("front", "rear", "brake"), [(-120.0, 0.0, 0.0), (0.0, -120.0, 0.0), (80.0, 80.0, 0.0), (0.0, 0.0, 400.0)]
)
def test_steady_load_transfer_does_not_depend_on_springs_and_links(vehicle, front, rear, brake):
    rig = Rig(vehicle, speed=30.0)
    rig.demands.front.motor_torque, rig.demands.rear.motor_torque = front, rear
    rig.brake(brake)
    rig.run(3.0)
    body = rig.parameters.body[0]
    rear_load = rig.measured.rear.left.vertical_force[0] + rig.measured.rear.right.vertical_force[0]
    static = body.mass * GRAVITY * body.front_axle_distance / body.wheelbase
    transfer = body.mass * body.centre_height * rig.measured.body.longitudinal_specific_force[0] / body.wheelbase
    assert rear_load - static == pytest.approx(transfer, rel=5e-3, abs=2.0)


@needs_compiler
@pytest.mark.parametrize(
    ("front", "rear", "brake"),
    [(-180.0, 0.0, 0.0), (0.0, -180.0, 0.0), (100.0, 100.0, 0.0), (0.0, 0.0, 400.0), (-60.0, -60.0, 150.0)],
)
def test_steady_pitch_is_that_of_springs_and_side_view_geometry(front, rear, brake):
    rig = Rig("leaf_twin_motor", speed=30.0)
    rig.demands.front.motor_torque, rig.demands.rear.motor_torque = front, rear
    rig.brake(brake)
    rig.run(3.0)
    radius = rig.parameters.tyre.radius[0]
    drive = [float(rig.measured[axle].half_shaft_torque[0]) / radius for axle in ("front", "rear")]
    forces = [
        sum(float(rig.measured[axle][side].longitudinal_force[0]) for side in ("left", "right")) for axle in ("front", "rear")
    ]
    specific = float(rig.measured.body.longitudinal_specific_force[0])
    expected = steady_pitch(rig, specific, drive, [force - motor for force, motor in zip(forces, drive, strict=True)])
    assert rig.measured.ride.pitch[0] == pytest.approx(expected, rel=0.01)


@needs_compiler
def test_regeneration_behind_dives_less_than_in_front_by_the_links_support():
    angles = {}
    for axle in ("front", "rear"):
        rig = Rig("leaf_twin_motor", speed=30.0)
        rig.demands[axle].motor_torque = -200.0
        rig.run(2.5)
        angles[axle] = float(rig.measured.ride.pitch[0])
    assert angles["front"] > 0.6 * DEGREE
    assert angles["rear"] / angles["front"] == pytest.approx(0.70, abs=0.03)


@needs_compiler
@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_body_swings_at_the_frequencies_of_its_springs(dt):
    rig = Rig()
    for axle in (rig.parameters.front, rig.parameters.rear):
        axle.suspension.damping_ratio = 0.02
        axle.suspension.ride_frequency = 1.3
    rig.parameters.body.roll_damping = 0.02
    body, state = rig.parameters.body[0], rig.state.ride[0]
    m_f, m_r = ride.sprung_masses(rig.parameters[0])
    a = 2.7 * m_r / (m_f + m_r)
    k_f, k_r = stiffness(rig, "front", m_f), stiffness(rig, "rear", m_r)
    expected = {
        "heave": 1.3,
        "pitch": math.sqrt((k_f * a**2 + k_r * (2.7 - a) ** 2) / body.pitch_inertia) / (2 * math.pi),
        "roll": math.sqrt(ride.body_moment(rig.parameters[0]) / body.roll_gradient / body.roll_inertia) / (2 * math.pi),
    }
    assert expected["pitch"] == pytest.approx(1.4, abs=0.1)
    assert expected["roll"] == pytest.approx(1.6, abs=0.1)
    state.heave, state.pitch, state.roll = 0.02, 0.01, 0.03
    samples = []
    for _ in range(400):
        rig.run(0.01, dt)
        samples.append([float(rig.measured.ride[name][0]) for name in expected])
    for values, frequency in zip(np.array(samples).T, expected.values(), strict=True):
        crossings = np.flatnonzero(np.diff(np.sign(values))) * 0.01
        assert 0.5 / np.diff(crossings).mean() == pytest.approx(frequency, rel=0.02)


@needs_compiler
def test_steady_cornering_leans_by_the_roll_gradient_and_loads_the_right_wheels():
    rig = Rig("leaf_plus", speed=20.0)
    rig.demands.steering_wheel_angle, rig.demands.front.motor_torque = 0.5, 25.0
    rig.run(4.0)
    a_y, body = rig.measured.body.lateral_acceleration[0], rig.parameters.body[0]
    assert a_y > 2.0
    assert rig.measured.ride.roll[0] == pytest.approx(0.0087 * a_y, rel=0.01)
    front_left, front_right, rear_left, rear_right = (float(wheel.vertical_force[0]) for wheel in rig.wheels)
    moment = 0.5 * (front_right - front_left) * 1.540 + 0.5 * (rear_right - rear_left) * 1.555
    assert moment == pytest.approx(body.mass * body.centre_height * a_y, rel=0.01)
    assert 0.5 * (front_right - front_left) * 1.540 / moment == pytest.approx(0.57, abs=0.005)


def test_wheels_lean_with_the_body_as_far_as_their_suspension_lets_them():
    rig = Rig()
    rig.state.ride.roll = 0.05
    ride.load_wheels(0.0, rig.parameters[0], rig.state.ride[0], rig.measured[0])
    leans = [float(wheel.inclination[0]) for wheel in rig.wheels]
    assert leans == pytest.approx([-0.009 - 0.8 * 0.05, 0.009 - 0.8 * 0.05, -0.017 - 0.6 * 0.05, 0.017 - 0.6 * 0.05])


@needs_compiler
def test_braking_to_a_stop_ends_level():
    rig = Rig("leaf_twin_motor", speed=8.0)
    rig.brake(600.0)
    rig.run(0.6)
    assert rig.measured.ride.pitch[0] > 0.2 * DEGREE
    rig.run(2.0)
    rig.brake(0.0)  # until then the tyres hold the axles apart
    rig.run(4.0)
    assert rig.measured.ride.pitch[0] == pytest.approx(0.0, abs=1e-5)
    assert rig.measured.ride.heave[0] == pytest.approx(0.0, abs=1e-5)
