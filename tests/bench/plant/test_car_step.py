"""The whole car: energy, standstill, limits of friction, step size, published acceleration."""

import math

import numba
import numpy as np
import pytest
from interpreter import COMPILED, needs_compiler
from plant_rig import GRAVITY, Rig

from bench.plant import car
from bench.plant.ride import sprung_masses
from firmware_model.kernel.records import locate

LEAF_PLUS_LAUNCH = 1430.0  # [Nm/s] fastest rise of the torque request on CAN


@numba.njit(error_model="numpy")
def account(steps, dt, demands, road, state, parameters, measured, energy):
    """Run, and add up source, cells, motors, road, tyres, auxiliaries, gears in front [J]."""
    for _ in range(steps):
        car.step(dt, demands, road, state, parameters, measured)
        front, rear = measured.front, measured.rear
        energy[0] += dt * measured.battery.open_circuit_voltage * measured.battery.current
        energy[1] += dt * measured.battery.loss_power
        energy[2] += dt * (front.motor.loss_power + rear.motor.loss_power)
        energy[3] += dt * measured.body.road_load * measured.body.longitudinal_speed
        energy[4] += dt * (front.left.slip_loss + front.right.slip_loss + rear.left.slip_loss + rear.right.slip_loss)
        energy[5] += dt * demands.auxiliary_power
        meshing = parameters.front.gear_loss * abs(front.half_shaft_torque) / parameters.front.gear_ratio
        energy[6] += dt * meshing * abs(front.motor.speed)


@numba.njit(error_model="numpy")
def launch(dt, target_slip, demands, road, state, parameters, measured):
    """Time [s] to 100 km/h: a ramp of torque, held below the pack's limit and the wheels' best slip, in steps of ``dt`` [s].

    Slip is held slowly, so that the half shafts are left alone.
    """
    speed = time = 0.0
    torque = 0.0
    share = 1.0
    grip = np.ones(2)
    while state.body.longitudinal_speed < 100.0 / 3.6 and state.time < 20.0:
        speed, time = state.body.longitudinal_speed, state.time
        torque = min(torque + LEAF_PLUS_LAUNCH * dt, 340.0)
        share = min(1.0, share - 1e-4 * dt * (measured.battery.power - measured.battery.discharge_limit))
        grip[0] = min(grip[0] + 10.0 * dt * (target_slip - 0.5 * (measured.front.left.slip + measured.front.right.slip)), 1.0)
        grip[1] = min(grip[1] + 10.0 * dt * (target_slip - 0.5 * (measured.rear.left.slip + measured.rear.right.slip)), 1.0)
        demands.front.motor_torque, demands.rear.motor_torque = torque * share * grip[0], torque * share * grip[1]
        car.step(dt, demands, road, state, parameters, measured)
    return time + (state.time - time) * (100.0 / 3.6 - speed) / (state.body.longitudinal_speed - speed)


@numba.njit(error_model="numpy")
def torment(seconds, dt, plan, demands, road, state, parameters, measured):
    """Every half second other demands and another road; worst friction use, worst lift [N] against Newton's law, worst angle."""
    used = worst = angle = 0.0
    m_f, m_r = sprung_masses(parameters)
    for i in range(round(seconds / dt)):
        row = plan[int(i * dt / 0.5)]
        demands.front.motor_torque, demands.rear.motor_torque, demands.steering_wheel_angle = row[0], row[1], row[2]
        demands.front.left_brake_torque, demands.front.right_brake_torque = row[3], row[4]
        demands.rear.left_brake_torque, demands.rear.right_brake_torque = row[5], row[6]
        for wheel in range(4):
            road.friction[wheel] = row[7 + wheel]
        road.grade = row[11]
        rate = state.ride.heave_rate
        car.step(dt, demands, road, state, parameters, measured)
        load = -(m_f + m_r) * (state.ride.heave_rate - rate) / dt
        for wheel in (measured.front.left, measured.front.right, measured.rear.left, measured.rear.right):
            used = max(used, math.hypot(wheel.longitudinal_force, wheel.lateral_force) / wheel.friction_limit)
            load += wheel.vertical_force
        worst = max(worst, abs(load - parameters.body.mass * GRAVITY * math.cos(road.grade)))
        angle = max(angle, abs(measured.ride.pitch), abs(measured.ride.roll))
    return used, worst, angle


def kinetic_energy(rig):
    body, parameters = rig.state.body[0], rig.parameters
    energy = 0.5 * parameters.body.mass[0] * (body.longitudinal_speed**2 + body.lateral_speed**2)
    energy += 0.5 * parameters.body.yaw_inertia[0] * body.yaw_rate**2
    for axle, state in ((parameters.front[0], rig.state.front[0]), (parameters.rear[0], rig.state.rear[0])):
        energy += 0.5 * axle.wheel_inertia * (state.left.speed**2 + state.right.speed**2)
        energy += 0.5 * axle.motor.rotor_inertia * state.motor.speed**2
        energy += 0.5 * axle.shaft_stiffness * max(abs(state.twist) - 0.5 * axle.backlash, 0.0) ** 2
    return energy


@needs_compiler
@pytest.mark.parametrize(("torque", "steering"), [(150.0, 0.0), (340.0, 0.0), (60.0, 1.0), (-60.0, 0.3)])
def test_energy_of_the_pack_is_kinetic_energy_and_losses(torque, steering):
    rig = Rig(speed=20.0 if steering else 0.0)
    rig.demands.front.motor_torque, rig.demands.steering_wheel_angle, rig.demands.auxiliary_power = torque, steering, 600.0
    before, energy = kinetic_energy(rig), np.zeros(7)
    account(6000, 1e-3, *rig.records, energy)
    gained = kinetic_energy(rig) - before
    assert energy[0] == pytest.approx(energy[1:].sum() + gained, abs=0.01 * max(abs(energy[0]), abs(gained)))


@needs_compiler
@pytest.mark.parametrize("dt", [1e-4, 1e-3, 2e-3])
def test_car_stands_still_on_a_slope_with_the_brake_on(dt):
    rig = Rig()
    rig.road.grade = math.atan(0.1)
    rig.brake(800.0)
    rig.run(1.0, dt)  # the tyres take the weight, 1.4 mm
    settled = rig.state.body.x[0]
    assert abs(settled) < 2e-3
    rig.run(10.0, dt)
    assert rig.state.body.x[0] == pytest.approx(settled, abs=1e-6)
    assert abs(rig.speed) < 1e-6
    assert all(wheel.speed[0] == 0.0 for wheel in rig.wheels)


def test_car_on_a_slope_without_brakes_rolls_back():
    rig = Rig()
    rig.road.grade = 0.05
    rig.run(0.5 if COMPILED else 0.1)
    assert rig.speed < -0.02


@needs_compiler
def test_accelerometer_feels_the_slope_of_a_standing_car():
    rig = Rig()
    rig.road.grade = 0.1
    rig.brake(1500.0)
    rig.run(5.0)
    motion = rig.measured.body[0]
    assert motion.longitudinal_acceleration == pytest.approx(0.0, abs=1e-4)
    assert motion.longitudinal_specific_force == pytest.approx(GRAVITY * math.sin(0.1), abs=1e-4)


@needs_compiler
@pytest.mark.parametrize("dt", [1e-4, 5e-4, 1e-3, 2e-3])
@pytest.mark.parametrize("vehicle", ["leaf_plus", "leaf_twin_motor"])
def test_no_manoeuvre_breaks_the_laws_of_friction_and_weight(vehicle, dt):
    chance = np.random.default_rng(7)
    for speed in (-20.0, 0.0, 15.0, 55.0):
        rows = 20
        torques = chance.choice([-340.0, 0.0, 100.0, 340.0], (rows, 2))
        brakes = chance.choice([0.0, 0.0, 500.0, 3000.0], (rows, 4))
        surfaces = chance.choice([0.0, 0.05, 0.3, 1.0, 1.2], (rows, 4))
        plan = np.column_stack([torques, chance.uniform(-10, 10, rows), brakes, surfaces, chance.uniform(-0.2, 0.2, rows)])
        rig = Rig(vehicle, speed)
        used, worst, angle = torment(10.0, dt, plan, *rig.records)
        assert rig.is_finite()
        assert used <= 1.0 + 1e-9
        assert worst < 1e-6
        assert angle < 0.3


@needs_compiler
def test_results_hardly_depend_on_the_step():
    ends = []
    for dt in (1e-4, 1e-3, 2e-3):
        rig = Rig("leaf_twin_motor", speed=15.0)
        rig.demands.front.motor_torque = rig.demands.rear.motor_torque = 80.0
        rig.demands.steering_wheel_angle = 0.5
        rig.run(3.0, dt)
        ends.append((rig.speed, rig.state.body.yaw[0], rig.state.body.x[0], rig.state.body.y[0]))
    assert ends[1] == pytest.approx(ends[0], rel=2e-3)
    assert ends[2] == pytest.approx(ends[0], rel=4e-3)


@needs_compiler
def test_driving_backwards_mirrors_driving_forwards():
    forward, backward = Rig(), Rig()
    forward.demands.front.motor_torque, backward.demands.front.motor_torque = 60.0, -60.0
    forward.run(3.0)
    backward.run(3.0)
    assert backward.speed == pytest.approx(-forward.speed, rel=0.01)  # loads shift the other way, so not quite


@needs_compiler
def test_locked_wheels_stop_the_car_at_the_sliding_friction():
    rig = Rig(speed=30.0)
    rig.brake(3000.0)
    rig.run(1.0)
    assert all(wheel.speed[0] == 0.0 for wheel in rig.wheels)
    sliding = 0.75 * rig.parameters.tyre.friction[0]  # 0.707 of the peak, and the road load
    assert rig.measured.body.longitudinal_acceleration[0] == pytest.approx(-sliding * GRAVITY, rel=0.06)
    rig.run(6.0)
    assert rig.speed == pytest.approx(0.0, abs=1e-6)


@needs_compiler
def test_front_wheels_that_spin_on_ice_stay_finite_and_recover_on_tarmac():
    rig = Rig()
    rig.road.friction = 0.05
    rig.demands.front.motor_torque = 200.0
    rig.run(3.0)
    assert rig.measured.front.left.slip[0] > 0.9
    rig.road.friction = 1.0
    rig.demands.front.motor_torque = 50.0
    rig.run(3.0)
    assert abs(rig.measured.front.left.slip[0]) < 0.02


@needs_compiler
@pytest.mark.parametrize(("vehicle", "quickest", "slowest"), [("leaf_plus", 6.9, 7.15), ("leaf_twin_motor", 4.2, 4.8)])
def test_acceleration_to_100_kmh(vehicle, quickest, slowest):
    assert quickest < launch(1e-3, 0.11, *Rig(vehicle).records) < slowest


@needs_compiler
@pytest.mark.parametrize("vehicle", ["leaf_plus", "leaf_twin_motor"])
def test_half_the_step_leaves_the_time_to_100_kmh_to_two_thousandths(vehicle):
    assert launch(5e-4, 0.11, *Rig(vehicle).records) == pytest.approx(launch(1e-3, 0.11, *Rig(vehicle).records), rel=2e-3)


@needs_compiler
def test_twin_motor_car_has_its_published_power_within_its_battery_limit():
    rig = Rig("leaf_twin_motor")
    launch(1e-3, 0.11, *rig.records)
    assert rig.measured.battery.power[0] <= 1.01 * 243e3
    shafts = rig.measured.front.motor.mechanical_power[0] + rig.measured.rear.motor.mechanical_power[0]
    assert shafts == pytest.approx(227e3, rel=0.015)


def test_measurements_agree_with_each_other():
    rig = Rig("leaf_twin_motor", speed=10.0)
    rig.demands.front.motor_torque, rig.demands.rear.motor_torque = 100.0, 50.0
    rig.demands.auxiliary_power = 700.0
    rig.demands.steering_wheel_angle = 0.2
    rig.run(0.1)
    measured, state = rig.measured[0], rig.state[0]
    assert measured.time == state.time == pytest.approx(0.1)
    electrical = measured.front.motor.electrical_power + measured.rear.motor.electrical_power
    assert measured.battery.power == pytest.approx(electrical + 700.0)
    assert measured.battery.voltage == measured.front.motor.dc_voltage == measured.rear.motor.dc_voltage
    assert measured.front.axle_torque == pytest.approx(8.193 * measured.front.motor.torque)
    mean = 0.5 * (measured.front.left.speed + measured.front.right.speed)
    assert measured.front.motor.speed == pytest.approx(8.193 * mean, rel=0.1)  # the half shafts shudder
    assert measured.front.half_shaft_torque == pytest.approx(10e3 * (measured.front.twist - 0.006), abs=60.0)  # and its damper
    assert measured.body.distance == pytest.approx(measured.body.x, rel=1e-3)


def test_nothing_is_left_unmeasured():
    rig = Rig("leaf_twin_motor", speed=10.0)
    rig.demands.front.motor_torque = rig.demands.rear.motor_torque = 100.0
    rig.demands.steering_wheel_angle = 0.5
    rig.road.grade = 0.02
    rig.brake(100.0)
    rig.run(0.05)
    rig.demands.steering_wheel_angle = 0.4
    rig.demands.auxiliary_power = 900.0
    rig.run(1e-3)
    untouched = {path for path, _ in car.Measurements.fields() if locate(rig.measured, path)[0] == 0.0}
    assert untouched == {"battery.collapsed", "battery.charged_energy", "battery.limit_reason"}


@pytest.mark.parametrize("field", ["front.motor_torque", "rear.left_brake_torque", "steering_wheel_angle", "auxiliary_power"])
def test_a_demand_that_is_nan_does_not_crash(field):
    rig = Rig(speed=10.0)
    locate(rig.demands, field)[...] = math.nan
    rig.run(0.01)


def test_dead_dc_link_does_not_poison_the_car():
    rig = Rig()
    rig.state.front.motor.dc_voltage = 0.0
    rig.demands.front.motor_torque = 100.0
    rig.run(0.01)
    assert rig.is_finite()
    assert rig.state.front.motor.torque[0] > 0.0


def test_placed_car_rolls_on():
    rig = Rig(speed=20.0)
    rig.run(0.05)
    assert rig.speed == pytest.approx(20.0 - 0.05 * 0.2, abs=5e-3)
    assert abs(rig.measured.front.left.slip[0]) < 1e-3


@needs_compiler
def test_a_torque_step_makes_the_driveline_shudder_alike_at_every_step():
    traces = []
    for dt in (1e-4, 1e-3):
        rig = Rig("leaf_twin_motor", speed=5.0)
        rig.run(2.0, dt)
        rig.demands.front.motor_torque = 100.0
        trace = []
        for _ in range(100):
            rig.run(5e-3, dt)
            trace.append((rig.measured.front.half_shaft_torque[0], rig.measured.ride.pitch[0], rig.speed))
        traces.append(np.array(trace))
    fine, coarse = traces
    assert fine[:, 0].max() > 1.3 * 819.3  # it overshoots
    turns = 5e-3 * np.flatnonzero(np.diff(np.sign(fine[:, 0] - fine[-20:, 0].mean())))
    assert 7.0 < 0.5 / np.diff(turns[:7]).mean() < 12.0  # [Hz]
    assert coarse[:, 0] == pytest.approx(fine[:, 0], abs=0.05 * fine[:, 0].max())
    assert coarse[:, 1] == pytest.approx(fine[:, 1], abs=0.01 * np.abs(fine[:, 1]).max())
    assert coarse[:, 2] == pytest.approx(fine[:, 2], rel=1e-3)
