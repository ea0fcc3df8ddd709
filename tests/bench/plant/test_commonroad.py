"""Tyre, body and single-track model beside ``commonroad-vehicle-models``: M. Althoff et al., CommonRoad, IEEE IV 2017.

Where the equations are the same, to rounding. Its multi-body car has twelve more degrees of freedom (axles that roll and heave on
their tyres, joints that give way sideways): there the cars only have to agree about what a step of the steering wheel does.
"""

import copy
import math

import numpy as np
import pytest
from interpreter import needs_compiler
from plant_rig import Rig

from bench.plant import body, driver, tyre

REASON = "commonroad-vehicle-models is not installed: pip install 'e4orce-hil[validation]'"


def theirs(module):
    """A module of commonroad-vehicle-models; without it these tests are skipped."""
    return pytest.importorskip(f"vehiclemodels.{module}", reason=REASON)


init_mb = theirs("init_mb").init_mb
parameters_vehicle2 = theirs("parameters_vehicle2").parameters_vehicle2
tire_model = theirs("utils.tire_model")
vehicle_dynamics_mb = theirs("vehicle_dynamics_mb").vehicle_dynamics_mb
vehicle_dynamics_st = theirs("vehicle_dynamics_st").vehicle_dynamics_st
vehicle_dynamics_std = theirs("vehicle_dynamics_std").vehicle_dynamics_std

EXACT = 1e-9
GRAVITY_THERE = 9.81  # [m/s2] of that package
SHIFTS = ("p_hx1", "p_vx1", "p_hy1", "p_vy1", "p_vy3")
COMBINED = ("r_bx1", "r_by1", "r_hx1", "r_hy1", "r_vy1", "r_vy3")


def car_there(*, pure=False):
    """Their BMW on tyres with our shape of the magic formula, C = 3/2, E = 0, without shifts; ``pure``: no combined slip."""
    car = copy.deepcopy(parameters_vehicle2())
    car.tire.p_cx1 = car.tire.p_cy1 = 1.5
    car.tire.p_ex1 = car.tire.p_ey1 = car.tire.p_dx3 = car.tire.p_dy3 = 0.0
    car.tire.p_hy3 = 0.0
    car.tire.p_dx1 = car.tire.p_dy1
    for name in (*SHIFTS, *(COMBINED if pure else ())):
        setattr(car.tire, name, 0.0)
    return car


def rig_like(there, speed=0.0):
    """Our plant with the parameters of their car; friction and stiffness in proportion to the load, as there."""
    rig = Rig("leaf_plus", speed)
    parameters = rig.parameters
    base, rubber = parameters.body, parameters.tyre
    base.mass, base.yaw_inertia = there.m, there.I_z
    base.wheelbase, base.front_axle_distance = there.a + there.b, there.a
    rubber.friction, rubber.friction_load_sensitivity = there.tire.p_dy1, 0.0
    rubber.slip_stiffness = there.tire.p_kx1
    rubber.nominal_load, rubber.cornering_stiffness_peak_load = there.m * GRAVITY_THERE / 4, 1e7
    rubber.cornering_stiffness_peak = -there.tire.p_ky1 * 1e7 / 2  # the slope at the origin of 2 x / (1 + x^2)
    rubber.camber_stiffness = 0.0
    for axle in (parameters.front, parameters.rear):
        axle.cornering_compliance = 1.0
        axle.drag_in_road_load = 0
    return rig


# --- tyre ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [800.0, 2700.0, 6000.0])
@pytest.mark.parametrize("slip", [-0.9, -0.1, -0.003, 0.02, 0.3])
def test_pure_longitudinal_slip_is_their_magic_formula(slip, load):
    there = car_there().tire
    rubber = rig_like(car_there()).parameters.tyre[0]
    limit = tyre.friction_limit(load, 1.0, rubber)
    rho = rubber.slip_stiffness * load * slip / limit
    secant, _ = tyre.combined_secants(rho, 0.0, 1.0)
    expected = tire_model.formula_longitudinal(-slip, 0.0, load, there)
    assert limit * secant * rho == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("inclination", [0.0, 0.05, -0.1])
@pytest.mark.parametrize("load", [800.0, 2700.0, 6000.0])
@pytest.mark.parametrize("slip", [-0.9, -0.1, -0.003, 0.02, 0.3])
def test_pure_lateral_slip_with_camber_is_their_magic_formula(slip, load, inclination):
    there = car_there().tire
    rubber = rig_like(car_there()).parameters.tyre[0]
    rubber.camber_stiffness = 0.9
    there.p_hy3 = 0.9 / there.p_ky1  # their shift of the slip angle per inclination; their camber leans the other way
    stiffness = tyre.cornering_stiffness(load, rubber)
    limit = tyre.friction_limit(load, 1.0, rubber)
    rho = stiffness * (slip + tyre.camber_slip(-inclination, load, rubber)) / limit
    _, secant = tyre.combined_secants(0.0, rho, 1.0)
    expected, _ = tire_model.formula_lateral(-slip, -inclination, load, there)
    assert limit * secant * rho == pytest.approx(expected, rel=EXACT, abs=1e-6)


# --- single track -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [5.0, 20.0, 45.0])
@pytest.mark.parametrize(
    ("yaw_rate", "sideslip", "delta"), [(0.3, 0.0, 0.0), (0.0, 0.02, 0.0), (0.0, 0.0, 0.05), (-0.4, 0.05, 0.1)]
)
def test_linear_single_track_model_of_the_driver_is_theirs(speed, yaw_rate, sideslip, delta):
    there = car_there()
    known = driver.DriverParameters.new()[0]
    known.mass, known.yaw_inertia = there.m, there.I_z
    known.wheelbase, known.front_axle_distance = there.a + there.b, there.a
    per_axle = -there.tire.p_ky1 * there.m * GRAVITY_THERE / (there.a + there.b)
    known.front_stiffness, known.rear_stiffness = per_axle * there.b, per_axle * there.a
    (a_vv, a_vr), (a_rv, a_rr), (b_v, b_r) = driver.single_track(speed, known)
    v_y = speed * sideslip  # their sideslip angle is small, and the speed constant
    expected = vehicle_dynamics_st([0.0, 0.0, delta, speed, 0.0, yaw_rate, sideslip], [0.0, 0.0], there)
    assert a_rv * v_y + a_rr * yaw_rate + b_r * delta == pytest.approx(expected[5], rel=EXACT)
    assert (a_vv * v_y + a_vr * yaw_rate + b_v * delta) / speed == pytest.approx(expected[6], rel=EXACT)


@pytest.mark.parametrize("speed", [5.0, 20.0, 45.0])
@pytest.mark.parametrize(
    ("yaw_rate", "sideslip", "delta"), [(0.3, 0.0, 0.0), (0.0, -0.3, 0.0), (0.0, 0.0, 0.4), (-0.6, 0.1, 0.2), (0.8, -0.15, -0.5)]
)
def test_body_without_width_moves_as_their_single_track_car_far_beyond_the_linear(speed, yaw_rate, sideslip, delta):
    there = car_there(pure=True)
    rig = rig_like(there)
    parameters, state, measured = rig.parameters[0], rig.state[0], rig.measured[0]
    base, rubber = parameters.body, parameters.tyre
    base.ackermann = base.road_load_0 = base.road_load_1 = base.road_load_2 = base.side_force_area = 0.0
    base.steering_ratio, base.road_wheel_angle_limit = 1.0, 0.8
    v_x, v_y = speed * math.cos(sideslip), speed * math.sin(sideslip)
    state.body.longitudinal_speed, state.body.lateral_speed, state.body.yaw_rate = v_x, v_y, yaw_rate

    directions = body.steer(1.0, delta, 0.0, base, state.body, measured.body)
    body.move_hubs(directions, 0.0, 0.0, base, state.body, measured)
    for axle, arm in ((measured.front, there.b), (measured.rear, there.a)):
        load = 0.5 * there.m * GRAVITY_THERE * arm / (there.a + there.b)
        for wheel in (axle.left, axle.right):
            limit = tyre.friction_limit(load, 1.0, rubber)
            # Their slip is the angle, ours its tangent: the same curve, read at their place.
            rho = -tyre.cornering_stiffness(load, rubber) * math.atan2(wheel.hub_speed_across, wheel.hub_speed_along) / limit
            wheel.lateral_force = limit * tyre.secant(abs(rho)) * rho
    body.blow(0.0, 0.0, 0.0, base, state.body, measured.body)
    body.push(directions, 0.0, 0.0, 0.0, base, measured)

    rolling = [v_x * math.cos(delta) + (v_y + there.a * yaw_rate) * math.sin(delta), v_x]  # wheels without longitudinal slip
    x = [0.0, 0.0, delta, speed, 0.0, yaw_rate, sideslip, *(v / there.R_w for v in rolling)]
    expected = vehicle_dynamics_std(x, [0.0, 0.0], there)
    a_x, a_y = measured.body.longitudinal_acceleration, measured.body.lateral_acceleration
    along = math.cos(sideslip) * a_x + math.sin(sideslip) * a_y
    across = math.cos(sideslip) * a_y - math.sin(sideslip) * a_x
    scale = there.tire.p_dy1 * GRAVITY_THERE  # [m/s2] what the tyres give at most
    assert along == pytest.approx(expected[3], abs=EXACT * scale)
    assert measured.body.yaw_acceleration == pytest.approx(expected[5], abs=EXACT * scale * there.m * there.a / there.I_z)
    assert across / speed - yaw_rate == pytest.approx(expected[6], abs=EXACT * scale / speed)


# --- multi-body car -----------------------------------------------------------------------------------------------------------

STEP_SPEED = 20.0  # [m/s]
STEP_TIME = 3.0  # [s]
STEPS_THERE = 1e-3  # [s] of Runge-Kutta


def multi_body_step(there, delta):
    """Yaw rate, sideslip, roll and lateral acceleration of their multi-body car over time, columns, after a step to ``delta``."""
    x = np.array(init_mb([0.0, 0.0, 0.0, STEP_SPEED, 0.0, 0.0, 0.0], there))
    rows = []
    for _ in range(round(STEP_TIME / STEPS_THERE)):
        rate = there.steering.v_max if x[2] < delta - 1e-12 else 0.0

        def f(y, rate=rate):
            return np.array(vehicle_dynamics_mb(list(y), [rate, 0.0], there))

        k_1 = f(x)
        k_2 = f(x + 0.5 * STEPS_THERE * k_1)
        k_3 = f(x + 0.5 * STEPS_THERE * k_2)
        k_4 = f(x + STEPS_THERE * k_3)
        x = x + STEPS_THERE / 6.0 * (k_1 + 2.0 * k_2 + 2.0 * k_3 + k_4)
        x[2] = min(x[2], delta)
        rows.append((x[5], math.atan2(x[10], x[3]), x[6], x[5] * x[3]))
    return np.array(rows)


def plant_step(there, delta):
    """The same of our plant with the parameters of their car."""
    rig = rig_like(there, STEP_SPEED)
    parameters = rig.parameters
    base = parameters.body
    m_f, m_r = (there.m_s * arm / (there.a + there.b) for arm in (there.b, there.a))
    unsprung = there.m_uf + there.m_ur
    base.centre_height = (there.m_s * there.h_s + unsprung * there.R_w) / there.m
    base.pitch_inertia = there.I_y_s
    base.roll_inertia = there.I_Phi_s + there.m_s * there.h_s**2  # about the roll axis on the ground
    base.road_load_0 = base.road_load_1 = base.road_load_2 = base.side_force_area = 0.0
    base.ackermann, base.steering_ratio = 0.0, 17.0
    base.steering_rate_limit = 17.0 * there.steering.v_max
    parameters.tyre.radius = there.R_w
    parameters.tyre.relaxation_length_lateral = parameters.tyre.relaxation_length_longitudinal = 0.05  # theirs have none
    stiffness = damping = 0.0
    shares = []
    for axle, k, d, auxiliary, track in (
        (parameters.front, there.K_sf, there.K_sdf, there.K_tsf, there.T_f),
        (parameters.rear, there.K_sr, there.K_sdr, there.K_tsr, there.T_r),
    ):
        axle.track, axle.wheel_inertia = track, there.I_y_w
        springs = 0.5 * k * track**2 - auxiliary
        tyres = 0.5 * there.K_zt * track**2  # their axles roll on their tyres, too
        shares.append(springs * tyres / (springs + tyres))
        stiffness += shares[-1]
        damping += 0.5 * d * track**2
    for axle, mass, unsprung_mass, k, d in (
        (parameters.front, m_f, there.m_uf, there.K_sf, there.K_sdf), (parameters.rear, m_r, there.m_ur, there.K_sr, there.K_sdr)
    ):  # fmt: skip
        omega = math.sqrt(2.0 * k / mass)
        axle.suspension.ride_frequency = omega / (2.0 * math.pi)
        axle.suspension.damping_ratio = 2.0 * d / (2.0 * mass * omega)
        axle.suspension.unsprung_mass = unsprung_mass
        axle.suspension.static_camber = axle.suspension.roll_camber = 0.0
        axle.suspension.brake_support = axle.suspension.drive_support = 0.0
    weight = there.m_s * there.h_s * GRAVITY_THERE
    base.roll_gradient = there.m_s * there.h_s / (stiffness - weight)  # what leans out pulls further down
    base.roll_stiffness_front = shares[0] / stiffness
    effective = there.m_s * there.h_s / float(base.roll_gradient[0])
    base.roll_damping = damping / (2.0 * math.sqrt(effective * float(base.roll_inertia[0])))
    rig.demands.front.connected = rig.demands.rear.connected = 0
    # Rotor and half shaft are not in their car.
    parameters.front.motor.rotor_inertia = 0.0
    rig.demands.steering_wheel_angle = 17.0 * delta
    rows = []
    for _ in range(round(STEP_TIME / STEPS_THERE)):
        rig.run(STEPS_THERE)
        motion = rig.measured.body[0]
        centripetal = motion.yaw_rate * motion.longitudinal_speed
        rows.append((motion.yaw_rate, motion.sideslip, rig.measured.ride.roll[0], centripetal))
    return np.array(rows)


def rise_time(values):
    """Time [s] to 90 % of the end."""
    return STEPS_THERE * float(np.argmax(values / values[-200:].mean() >= 0.9))


@needs_compiler
@pytest.mark.parametrize("delta", [0.02, 0.04])
def test_step_of_the_steering_wheel_moves_the_plant_as_their_multi_body_car(delta):
    there = car_there()
    theirs, ours = multi_body_step(there, delta), plant_step(there, delta)
    ends = theirs[-200:].mean(axis=0), ours[-200:].mean(axis=0)
    assert ends[0][3] > 140.0 * delta  # [m/s2] it corners
    for column, bound in ((0, 0.03), (3, 0.035)):  # yaw rate, lateral acceleration
        assert ends[1][column] == pytest.approx(ends[0][column], rel=bound)
    assert ends[1][2] == pytest.approx(-ends[0][2], rel=0.03)  # their roll is positive to the left
    assert ends[1][1] == pytest.approx(ends[0][1], abs=1.5e-3)  # the small difference of two larger angles ...
    rear_slip = [end[1] - there.b * end[0] / STEP_SPEED for end in ends]
    assert rear_slip[1] == pytest.approx(rear_slip[0], rel=0.07)  # ... of which this is one
    assert rise_time(ours[:, 0]) == pytest.approx(rise_time(theirs[:, 0]), abs=0.02)
    assert np.abs(ours[:, 0] - theirs[:, 0]).max() < 0.04 * np.abs(theirs[:, 0]).max()
