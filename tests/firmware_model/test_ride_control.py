"""Ride control against brute force, against the filters' own theory, and on a two-mass driveline behind frames and lag."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import needs_compiler

from firmware_model.calibration import Calibration
from firmware_model.kernel import kernel
from firmware_model.measurements import Measurements
from firmware_model.ride_control import braking_front_share, damp_driveline, damp_pitch, shape
from firmware_model.state import State

GRAVITY = 9.80665
LAG = 0.02  # [s] of the motor's torque
FRAME = 0.01  # [s]


def fresh():
    return Calibration.new()[0], State.new()[0], Measurements.new()[0]


# --- braking_front_share -------------------------------------------------------------------------------------------------


def naive_share(force, calibration):
    """Front share by trying them all: squares of the pitch, over that of front braking, and of the tyres' use."""
    c, vehicle = calibration.ride_control, calibration.vehicle
    height = vehicle.cg_height / vehicle.wheelbase
    n_f = 1.0 - vehicle.front_axle_to_cg / vehicle.wheelbase + height * force / (vehicle.mass * GRAVITY)
    share = np.linspace(0.0, 1.0, 100_001)

    def pitch(x):
        front = (height - c.front_drive_support * x) / c.front_spring_rate
        return front + (height - c.rear_drive_support * (1.0 - x)) / c.rear_spring_rate

    cost = c.pitch_weight * (pitch(share) / pitch(1.0)) ** 2 + share**2 / n_f + (1.0 - share) ** 2 / (1.0 - n_f)
    return share[np.argmin(cost)]


@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("force", [500.0, 5500.0])
def test_front_share_is_the_least_squares_of_pitch_and_tyre_use(weight, force):
    calibration, _, _ = fresh()
    calibration.ride_control.pitch_weight = weight
    calibration.ride_control.rear_friction_share = 1.0
    share = braking_front_share(-force, 0.0, 1.0, calibration)
    assert share == pytest.approx(naive_share(force, calibration), abs=2e-5)
    assert share == braking_front_share(force, 0.0, 1.0, calibration)


def test_braking_moves_to_the_rear_only_where_the_links_reward_it():
    calibration, _, _ = fresh()
    c = calibration.ride_control
    rewarded = braking_front_share(-3000.0, 0.0, 1.0, calibration)
    c.rear_drive_support = c.front_drive_support = 0.0
    neutral = braking_front_share(-3000.0, 0.0, 1.0, calibration)
    c.pitch_weight = 0.0
    assert neutral == pytest.approx(braking_front_share(-3000.0, 0.0, 1.0, calibration))
    assert rewarded < neutral - 0.1


def test_rear_tyres_get_no_more_than_their_share_of_what_cornering_leaves():
    calibration, _, _ = fresh()
    vehicle, force = calibration.vehicle, 5000.0
    n_r = vehicle.front_axle_to_cg / vehicle.wheelbase - vehicle.cg_height / vehicle.wheelbase * force / (vehicle.mass * GRAVITY)
    share = braking_front_share(-force, 4.0, 0.5, calibration)
    grip = 0.6 * n_r * vehicle.mass * math.sqrt((0.5 * GRAVITY) ** 2 - 4.0**2)
    assert (1.0 - share) * force == pytest.approx(grip)
    assert braking_front_share(-force, 6.0, 0.5, calibration) == 1.0


@given(st.floats(-1e5, 1e5), st.floats(-30, 30), st.floats(0, 1.5), st.floats(0, 50), st.floats(-0.5, 0.5))
def test_front_share_is_a_share(force, lateral, friction, weight, support):
    calibration, _, _ = fresh()
    calibration.ride_control.pitch_weight, calibration.ride_control.rear_drive_support = weight, support
    assert 0.0 <= braking_front_share(force, lateral, friction, calibration) <= 1.0


# --- damp_pitch ----------------------------------------------------------------------------------------------------------


def pitch_force(acceleration, seconds=3.0, dt=1e-3, speed=20.0, trusted=1):
    """Trace of the damping force [N] under an ``acceleration`` [m/s2], a function of time."""
    calibration, state, measurements = fresh()
    inputs, trace = state.inputs, []
    inputs.motion_trusted = trusted
    for k in range(round(seconds / dt)):
        inputs.longitudinal_acceleration = acceleration(k * dt)
        trace.append(damp_pitch(dt, inputs, speed, state.ride_control, measurements.ride_control, calibration.ride_control))
    return np.array(trace), state


def test_a_nose_that_dives_is_pushed_and_a_steady_deceleration_is_left_alone():
    force, state = pitch_force(lambda t: -3.0)
    assert force[20:150].min() > 0.0
    assert abs(force[-1]) < 5.0
    assert state.ride_control.pitch == pytest.approx(3.0 * Calibration.new()[0].ride_control.pitch_gradient, rel=0.01)


def test_force_is_the_gain_on_the_rate_of_the_nominal_pitch_oscillation():
    c = Calibration.new()[0].ride_control
    a = 0.2
    force, _ = pitch_force(lambda t: -a)
    time = 1e-3 * np.arange(1, len(force) + 1)
    omega, zeta = c.pitch_frequency, c.pitch_damping_ratio
    damped = omega * math.sqrt(1 - zeta**2)
    rate = c.pitch_gradient * a * omega**2 / damped * np.exp(-zeta * omega * time) * np.sin(damped * time)
    assert force == pytest.approx(c.pitch_gain * rate, abs=0.02 * c.pitch_gain * rate.max())


def test_pitch_is_damped_alike_at_every_step():
    fine, coarse = (pitch_force(lambda t: -0.2, dt=dt)[0] for dt in (1e-4, 1e-2))
    assert coarse == pytest.approx(fine[99::100], abs=0.06 * fine.max())


def test_pitch_force_is_bounded_and_gone_at_walking_pace_and_without_a_sensor():
    highest = Calibration.new()[0].ride_control.pitch_force_max
    force, _ = pitch_force(lambda t: -10.0 * math.copysign(1.0, math.sin(8.0 * t)))
    assert np.abs(force).max() == highest
    assert not pitch_force(lambda t: -10.0, speed=0.5)[0].any()
    assert not pitch_force(lambda t: -10.0, trusted=0)[0].any()


def test_pitch_damping_adds_to_the_damping_ratio_what_it_promises():
    """Closed loop on the nominal oscillation, without delay: zeta grows by K g omega / (2 m)."""
    calibration, state, measurements = fresh()
    c, mass = calibration.ride_control, calibration.vehicle.mass
    c.pitch_force_max = 5000.0
    state.inputs.motion_trusted = 1
    omega, zeta, dt = c.pitch_frequency, c.pitch_damping_ratio, 1e-4
    pitch, rate, a_x, trace = 0.0, 0.0, -1.0, []
    for _ in range(30_000):
        state.inputs.longitudinal_acceleration = a_x
        force = damp_pitch(dt, state.inputs, 20.0, state.ride_control, measurements.ride_control, c)
        a_x = -1.0 + force / mass
        rate += dt * (-(omega**2) * (pitch + c.pitch_gradient * a_x) - 2.0 * zeta * omega * rate)
        pitch += dt * rate
        trace.append(pitch)
    overshoot = max(trace) / (c.pitch_gradient * 1.0) - 1.0
    damping = zeta + c.pitch_gain * c.pitch_gradient * omega / (2.0 * mass)
    assert damping > zeta + 0.15
    assert overshoot == pytest.approx(math.exp(-math.pi * damping / math.sqrt(1.0 - damping**2)), abs=0.02)


# --- shape ---------------------------------------------------------------------------------------------------------------


def shaped(wanted, dt=1e-3, seconds=1.0, start=100.0, permitted=True, change=None, cut=None):
    """Trace of the commanded torque [Nm] that follows ``wanted`` [Nm], a function of time, at any rate."""
    calibration, state, measurements = fresh()
    calibration.ride_control.feedback_gain = 0.0
    if change:
        change(calibration)
    axle, last, trace = state.ride_control.front, start, []
    for k in range(round(seconds / dt)):
        torque = wanted(k * dt)
        last = shape(
            dt, torque, last, permitted, state.inputs.front, axle, measurements.ride_control.front, calibration.front, calibration
        )
        if cut:
            last = min(last, cut(k * dt))
        trace.append(last)
    return np.array(trace)


def test_a_ramp_arrives_later_by_less_than_a_driver_feels():
    calibration = Calibration.new()[0]
    c = calibration.ride_control
    delay = 2.0 * (c.shaping_damping - c.driveline_damping) / calibration.front.driveline_frequency
    assert 0.02 < delay < 0.05
    torque = shaped(lambda t: 100.0 + 200.0 * t)
    assert torque[-1] == pytest.approx(100.0 + 200.0 * (1.0 - 1e-3 - delay), abs=0.2)


@pytest.mark.parametrize("dt", [pytest.param(1e-4, marks=needs_compiler), 1e-3])
def test_the_filter_takes_the_drivelines_frequency_out_and_lets_slow_torque_through(dt):
    calibration = Calibration.new()[0]
    c, omega = calibration.ride_control, calibration.front.driveline_frequency
    for frequency, gain in ((omega, c.driveline_damping / c.shaping_damping), (1.0, 1.0), (100.0 * omega, 1.0)):
        if frequency * dt < 1.0:
            swing = shaped(lambda t, w=frequency: 100.0 + 20.0 * math.sin(w * t), dt, 8.0 if frequency == 1.0 else 1.5)
            late = swing[len(swing) // 2 :]
            assert 0.5 * np.ptp(late) == pytest.approx(20.0 * gain, abs=0.5)


def test_a_step_of_torque_is_taken_alike_at_every_step():
    fine, coarse = (shaped(lambda t: 100.0 + 1500.0 * min(t, 0.1), dt) for dt in (1e-4, 1e-3))
    assert coarse == pytest.approx(fine[9::10], abs=2.0)
    assert coarse[-1] == pytest.approx(250.0, abs=0.01)


def test_backlash_is_crossed_at_its_own_rate_and_the_rest_is_not_delayed_by_it():
    def unshaped(calibration):
        calibration.ride_control.shaping_damping = calibration.ride_control.driveline_damping

    c = Calibration.new()[0].ride_control
    assert shaped(lambda t: 100.0, start=-30.0, change=unshaped)[0] == 100.0  # outside, the torque path's own rate holds it
    torque = shaped(lambda t: 100.0, start=-0.99 * c.backlash_torque, change=unshaped)
    inside = 1e-3 * np.count_nonzero(np.abs(torque) < c.backlash_torque)
    assert inside == pytest.approx(2.0 * c.backlash_torque / c.backlash_rate, abs=3e-3)
    assert inside < 0.1


def test_torque_that_must_go_goes_at_once_and_what_was_held_back_is_forgotten():
    going = shaped(lambda t: 50.0 - 1000.0 * t, permitted=False, seconds=0.05)
    assert going == pytest.approx([50.0 - k for k in range(50)])
    disabled = shaped(lambda t: 50.0, change=lambda c: setattr(c.ride_control, "enabled", 0))
    assert (disabled == 50.0).all()


def test_a_cut_by_slip_control_does_not_wind_the_shaping_up():
    calibration, state, measurements = fresh()
    calibration.ride_control.feedback_gain = 0.0
    axle, last, trace = state.ride_control.front, 100.0, []
    for k in range(1000):
        torque = min(last + axle.held_back + 1.5, 300.0)  # as the torque path approaches
        last = shape(
            1e-3, torque, last, True, state.inputs.front, axle, measurements.ride_control.front, calibration.front, calibration
        )
        if 300 <= k < 600:
            last = min(last, 80.0)
        trace.append(last)
    assert trace[299] == pytest.approx(300.0, abs=1.0)
    assert trace[599] == 80.0
    assert (np.diff(trace[600:]) < 3.0).all()
    assert trace[-1] == pytest.approx(300.0, abs=1.0)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.floats(-400, 400), st.floats(-1500, 1500), st.booleans()), min_size=5, max_size=40),
    st.sampled_from([1e-4, 1e-3]),
)
def test_no_sequence_leaves_the_motors_range_or_the_numbers(sequence, dt):
    calibration, state, measurements = fresh()
    axle, inputs, last = state.ride_control.front, state.inputs.front, 0.0
    for torque, omega, permitted in sequence:
        inputs.motor_speed = omega
        last = shape(dt, torque, last, permitted, inputs, axle, measurements.ride_control.front, calibration.front, calibration)
        assert math.isfinite(last)
        assert not permitted or abs(last) <= calibration.front.motor_torque_max


@kernel
def two_masses(steps, dt, twist, wheel_inertia, stiffness, state, measurements, calibration, trace):
    """Driveline that swings under a constant torque behind frames and lag; the wheels against the road (0: fixed), or free."""
    axle, inputs = calibration.front, state.inputs.front
    rotor = axle.rotor_inertia
    mean = 50.0
    commanded = delivered = request = mean
    omega_g = omega_w = 0.0
    twist += axle.gear_ratio * mean / stiffness
    clock = 0.0
    for k in range(steps):
        clock += dt
        if clock >= FRAME:
            clock -= FRAME
            request, inputs.motor_speed = commanded, omega_g * axle.gear_ratio
            damp_driveline(FRAME, inputs, state.ride_control.front, axle, calibration.ride_control)
        commanded = shape(
            dt, mean, commanded, True, inputs, state.ride_control.front, measurements.ride_control.front, axle, calibration
        )
        delivered += (request - delivered) * dt / (LAG + dt)
        shaft = stiffness * twist
        omega_g += dt * (axle.gear_ratio * delivered - shaft) / rotor
        if wheel_inertia > 0.0:
            omega_w += dt * (shaft - axle.gear_ratio * mean) / wheel_inertia
        twist += dt * (omega_g - omega_w)
        trace[k] = stiffness * twist - axle.gear_ratio * mean


def damping_ratio(frequency_error=0.0, wheel_inertia=0.0, gain=None):
    """Damping ratio of an undamped driveline with the feedback, from the decay of its swing over 0.3 s."""
    calibration, state, measurements = fresh()
    if gain is not None:
        calibration.ride_control.feedback_gain = gain
    axle = calibration.front
    omega = axle.driveline_frequency * (1.0 + frequency_error)
    rotor = axle.rotor_inertia
    trace = np.zeros(6000)
    two_masses(6000, 1e-4, 0.01, wheel_inertia, omega**2 * rotor, state, measurements, calibration, trace)
    if wheel_inertia:
        omega *= math.sqrt(1.0 + rotor / wheel_inertia)
    early, late = np.abs(trace[1500:3000]).max(), np.abs(trace[4500:6000]).max()
    return -math.log(late / early) / (omega * 0.3)


def test_feedback_through_frames_and_lag_damps_the_driveline():
    assert damping_ratio(gain=0.0) == pytest.approx(0.0, abs=2e-3)
    assert damping_ratio() > 0.08


@pytest.mark.parametrize("frequency_error", [-0.25, -0.1, 0.1, 0.25])
def test_feedback_damps_a_driveline_that_is_not_the_data_sheets(frequency_error):
    assert damping_ratio(frequency_error) > 0.04


def test_feedback_does_not_excite_wheels_that_have_lost_the_road():
    assert damping_ratio(wheel_inertia=2.0) > 0.005


def test_feedback_may_be_twice_as_strong_before_it_hurts():
    assert damping_ratio(gain=0.025) > damping_ratio()
    assert damping_ratio(gain=0.025, wheel_inertia=2.0) > 0.0
