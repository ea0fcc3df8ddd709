"""The tyre against its textbook equations and against the laws of friction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples
from plant_rig import Rig

from bench.plant import tyre

ROLLING = 20.0  # [m/s]


def contact(load=4500.0, surface=1.0, along=ROLLING, across=0.0, omega=None, compliance=1.0):
    """A wheel of the LEAF with a hub speed; a function that deflects it once, and the records to look at."""
    rig = Rig()
    rubber, wheel, measured = rig.parameters.tyre[0], rig.state.front.left[0], rig.measured.front.left[0]
    wheel.speed = along / rubber.radius if omega is None else omega
    measured.vertical_force, measured.surface = load, surface
    measured.hub_speed_along, measured.hub_speed_across = along, across

    def turn(dt, steps=1):
        for _ in range(steps):
            f, f_omega, u, u_omega = tyre.deflect(dt, compliance, rubber, wheel, measured)
            tyre.settle(f + f_omega * wheel.speed, u + u_omega * wheel.speed, rubber, wheel, measured)

    return turn, rubber, wheel, measured


def naive_steady_force(slip, slip_tangent, load, surface, rubber):
    """Similarity method with numpy's functions: force along and across [N]."""
    limit = surface * rubber.friction * (1 - rubber.friction_load_sensitivity * (load / rubber.nominal_load - 1)) * load
    retention = 10 * surface / (1 + 9 * surface)
    c_x = retention * rubber.slip_stiffness * load
    k_load = rubber.cornering_stiffness_peak_load * rubber.nominal_load
    c_y = retention * rubber.cornering_stiffness_peak * rubber.nominal_load * np.sin(2 * np.arctan(load / k_load))
    rho = np.hypot(c_x * slip, c_y * slip_tangent) / limit
    shape = np.sin(1.5 * np.arctan(rho / 1.5))
    direction = np.array([(c_y + (c_x - c_y) * shape / rho) * slip, c_y * slip_tangent])
    return limit * shape * direction / np.linalg.norm(direction)


def test_closed_form_is_the_magic_formula():
    for rho in np.geomspace(1e-6, 1e9, 61):
        assert tyre.secant(rho) * rho == pytest.approx(math.sin(1.5 * math.atan(rho / 1.5)), rel=1e-12)
    assert tyre.secant(0.0) == pytest.approx(1.0, rel=1e-15)


def test_cornering_stiffness_is_pacejkas():
    rubber = Rig().parameters.tyre[0]
    for load in (1.0, 1000.0, 4500.0, 9000.0, 15000.0):
        angle = 2 * math.atan(load / (rubber.cornering_stiffness_peak_load * rubber.nominal_load))
        expected = rubber.cornering_stiffness_peak * rubber.nominal_load * math.sin(angle)
        assert tyre.cornering_stiffness(load, rubber) == pytest.approx(expected, rel=1e-12)


def test_friction_falls_with_load_and_never_turns_negative():
    rubber = Rig().parameters.tyre[0]
    assert tyre.friction_limit(9000.0, 1.0, rubber) < 2 * tyre.friction_limit(4500.0, 1.0, rubber)
    assert tyre.friction_limit(4500.0, 0.5, rubber) == pytest.approx(0.5 * rubber.friction * 4500.0)
    assert tyre.friction_limit(1e6, 1.0, rubber) > 0.0


@pytest.mark.parametrize("surface", [0.1, 1.0])
@pytest.mark.parametrize("load", [1500.0, 4500.0])
@pytest.mark.parametrize(("slip", "slip_tangent"), [(0.02, 0.0), (-0.1, 0.05), (0.0, 0.08), (-1.0, 0.2), (0.5, -0.3)])
def test_force_settles_at_the_magic_formula(slip, slip_tangent, load, surface):
    along = ROLLING * (1.0 if slip <= 0.0 else 1.0 - slip)
    omega_r = ROLLING * (1.0 if slip > 0.0 else 1.0 + slip)
    radius = Rig().parameters.tyre.radius[0]
    turn, rubber, _, measured = contact(load, surface, along, -slip_tangent * ROLLING, omega_r / radius)
    turn(5e-3, 60)
    expected = naive_steady_force(slip, slip_tangent, load, surface, rubber)
    assert [measured.longitudinal_force, measured.lateral_force] == pytest.approx(expected, rel=1e-6, abs=1e-3)
    assert (measured.slip, measured.slip_tangent) == pytest.approx((slip, slip_tangent), abs=1e-12)


@pytest.mark.parametrize("inclination", [-0.08, 0.03])
def test_inclined_wheel_pulls_to_the_side_to_which_it_leans(inclination):
    turn, rubber, _, measured = contact()
    measured.inclination = inclination
    turn(5e-3, 120)
    linear = rubber.camber_stiffness * 4500.0 * inclination
    assert measured.lateral_force == pytest.approx(linear, rel=0.01)
    slip = linear / tyre.cornering_stiffness(4500.0, rubber)
    expected = naive_steady_force(0.0, slip, 4500.0, 1.0, rubber)[1]
    assert measured.lateral_force == pytest.approx(expected, rel=1e-6)
    assert measured.slip_tangent == 0.0  # the rim goes straight


def test_camber_shifts_the_curve_and_leaves_its_peak():
    peaks = []
    for inclination in (0.0, 0.1):
        forces = []
        for slip in np.linspace(0.05, 0.25, 41):
            turn, _, _, measured = contact(across=-slip * ROLLING)
            measured.inclination = inclination
            turn(5e-3, 40)
            forces.append(float(measured.lateral_force))
        peaks.append((max(forces), int(np.argmax(forces))))
    assert peaks[1][0] == pytest.approx(peaks[0][0], rel=1e-3)
    assert peaks[1][1] < peaks[0][1]


def test_locked_wheel_has_no_camber_thrust():
    turn, _, _, measured = contact(along=10.0, omega=0.0)
    measured.inclination = 0.1
    turn(1e-3, 200)
    assert measured.lateral_force == 0.0


def test_lateral_force_builds_up_over_the_relaxation_length():
    turn, rubber, _, measured = contact(across=-0.001 * ROLLING)
    dt = 1e-4
    turn(dt, round(rubber.relaxation_length_lateral / ROLLING / dt))
    after_one_length = measured.lateral_force
    turn(5e-3, 100)
    assert after_one_length / measured.lateral_force == pytest.approx(1 - math.exp(-1), rel=0.01)


def test_locked_wheel_slides_against_its_motion_however_it_is_steered():
    turn, _, _, measured = contact(along=10.0, across=4.0, omega=0.0)
    turn(1e-3, 200)
    direction = math.atan2(measured.lateral_force, measured.longitudinal_force)
    assert direction == pytest.approx(math.atan2(-4.0, -10.0), abs=math.radians(2.0))


def test_standing_tyre_is_a_spring():
    turn, rubber, wheel, measured = contact(along=-0.1, omega=0.0)
    turn(1e-3, 10)
    measured.hub_speed_along = 0.0
    turn(1e-3, 2)
    stiffness = rubber.slip_stiffness * 4500.0 / rubber.relaxation_length_longitudinal
    assert wheel.longitudinal_deflection == pytest.approx(1e-3, rel=0.1)
    assert measured.longitudinal_force == pytest.approx(stiffness * wheel.longitudinal_deflection, rel=1e-6)


def test_a_car_that_slides_sideways_on_standing_wheels_has_friction():
    turn, _, _, measured = contact(along=0.0, across=-3.0, omega=0.0)
    turn(1e-3, 200)
    assert measured.lateral_force / measured.friction_limit == pytest.approx(math.sin(0.75 * math.pi), rel=1e-3)
    assert measured.longitudinal_force == 0.0


def test_carcass_gives_way_when_friction_vanishes():
    turn, _, wheel, measured = contact(along=-0.1, omega=0.0)
    turn(1e-3, 100)
    before = wheel.longitudinal_deflection
    measured.hub_speed_along, measured.surface = 0.0, 0.05
    turn(1e-3)
    assert measured.longitudinal_force == pytest.approx(measured.friction_limit, rel=1e-3)
    assert 0.0 < wheel.longitudinal_deflection < before


def test_negligible_deflections_end_at_zero_so_that_no_denormal_number_slows_the_loop():
    turn, _, wheel, measured = contact(across=0.1)
    turn(1e-3, 10)
    measured.hub_speed_across = 0.0
    turn(5e-3, 400)
    assert wheel.lateral_deflection == 0.0


@examples(300)
@given(
    along=st.floats(-60, 60),
    across=st.floats(-30, 30),
    omega=st.floats(-300, 300),
    load=st.floats(0, 20e3),
    surface=st.floats(0, 1.2),
    dt=st.floats(1e-4, 2e-3),
)
def test_friction_circle_is_never_exceeded(along, across, omega, load, surface, dt):
    turn, _, _, measured = contact(load, surface, along, across, omega)
    for _ in range(10):
        turn(dt)
        total = math.hypot(measured.longitudinal_force, measured.lateral_force)
        assert total <= measured.friction_limit * (1 + 1e-12)


@examples(30)
@given(st.sampled_from(["vertical_force", "surface", "hub_speed_along", "hub_speed_across"]))
def test_nan_passes_through_without_a_crash(field):
    turn, _, _, measured = contact(across=0.1)
    measured[field] = math.nan
    turn(1e-3, 3)
