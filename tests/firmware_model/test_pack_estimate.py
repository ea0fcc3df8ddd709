"""The pack estimate against a naive twin of its filter, and on cells that are not those of the data sheet."""

import math

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples

from firmware_model.kernel import kernel
from firmware_model.kernel.math import at_position, slope_at_position
from firmware_model.pack_estimate import estimate, follow_slow, open_circuit_voltage

RASTER = 0.01
ROWS = 96
POINTS = np.arange(21) / 20.0


@kernel
def follow(currents, voltages, every, log, battery, state, measurements, pack, c):
    for k in range(len(currents)):
        battery.current, battery.voltage = currents[k], voltages[k]
        estimate(RASTER, battery, state, measurements, pack, c)
        log[k, 0], log[k, 1] = state.state_of_charge, measurements.resistance
        log[k, 2], log[k, 3] = state.fast_voltage + state.slow_voltage, state.polarisation_growth


class EstimateRig(Rig):
    """The estimate alone, on a battery whose frames are given."""

    def __init__(self, charge=0.6, temperature=25.0, health=1.0):
        super().__init__()
        self.battery, self.estimate = self.state.inputs.battery, self.state.pack_estimate
        self.battery.state_trusted = 1
        self.battery.state_of_charge, self.battery.state_of_health = charge, health
        self.battery.temperature_highest = self.battery.temperature_lowest = temperature
        self.pack, self.c = self.calibration.pack, self.calibration.pack_estimate
        follow_slow(self.battery, self.estimate, self.pack, self.c)

    def follow(self, currents, voltages):
        log = np.zeros((len(currents), 4))
        follow(currents, voltages, 1, log, self.battery, self.estimate, self.measurements.discharge_limiter, self.pack, self.c)
        return log

    def cell(self, charge):
        return np.interp(charge, np.arange(21) / 20.0, self.pack.open_circuit_voltage)

    def frames(self, currents, charge, growth=1.0, polarisation=None, capacity=None, rounding=0.5):
        """Pack voltages and true charges of a pack at ``currents`` [A], in the steps of the frame."""
        p, capacity = self.pack, capacity or self.pack.capacity
        by_series, by_polarisation = self.estimate.series_over_temperature, self.estimate.polarisation_over_temperature
        fast = slow = 0.0
        voltages, charges = np.zeros(len(currents)), np.zeros(len(currents))
        for k, current in enumerate(currents):
            felt = current * (p.resistance_in_charge if current < 0.0 else 1.0)
            series = by_series * np.interp(charge, POINTS, p.series_over_charge) * p.resistance_0
            voltage = ROWS * (self.cell(charge) - growth * series * felt - fast - slow)
            voltages[k], charges[k] = rounding * round(voltage / rounding), charge
            driven = (polarisation or growth) * by_polarisation * np.interp(charge, POINTS, p.polarisation_over_charge) * felt
            fast += (driven * p.resistance_1 - fast) * (1.0 - math.exp(-RASTER / p.time_constant_1))
            slow += (driven * p.resistance_2 - slow) * (1.0 - math.exp(-RASTER / p.time_constant_2))
            charge -= RASTER * current / capacity
        return voltages, charges


def some_drive(seconds, seed=3):
    """Currents [A] of a drive, a new one every second."""
    random = np.random.default_rng(seed)
    return np.round(np.repeat(random.uniform(-80.0, 500.0, seconds), round(1.0 / RASTER)) * 2.0) / 2.0


@pytest.mark.parametrize(("growth", "temperature"), [(1.0, 25.0), (1.8, 25.0), (0.7, 40.0), (1.4, -20.0)])
def test_the_resistances_are_learnt_from_a_drive_through_the_frames_steps(growth, temperature):
    rig = EstimateRig(temperature=temperature)
    currents = some_drive(40)
    voltages, charges = rig.frames(currents, 0.6, growth)
    log = rig.follow(currents, voltages)
    assert rig.estimate.series_growth == pytest.approx(growth, rel=0.035)
    assert rig.estimate.polarisation_growth == pytest.approx(growth, rel=0.05)
    assert log[-1, 0] == pytest.approx(charges[-1], abs=0.01)
    assert log[-1, 1] == pytest.approx(ROWS * growth * rig.estimate.series_over_temperature * rig.pack.resistance_0, rel=0.035)


def test_series_and_polarisation_resistance_are_told_apart():
    rig = EstimateRig(charge=0.7)
    currents = some_drive(120)
    rig.follow(currents, rig.frames(currents, 0.7, growth=1.5, polarisation=0.8)[0])
    assert rig.estimate.series_growth == pytest.approx(1.5, rel=0.03)
    assert rig.estimate.polarisation_growth == pytest.approx(0.8, rel=0.15)  # the slow one looks much like a loss of charge


def test_a_wrongly_reported_charge_is_corrected_where_the_rest_voltage_tells():
    rig = EstimateRig(charge=0.85)
    currents = some_drive(60)
    voltages, charges = rig.frames(currents, 0.83)
    log = rig.follow(currents, voltages)
    assert abs(log[-1, 0] - charges[-1]) < 0.01  # half of the error after a minute, though the battery was much believed


def test_a_flat_rest_voltage_leaves_the_reported_charge_alone():
    rig = EstimateRig(charge=0.5)
    rig.pack.open_circuit_voltage = 3.3
    currents = some_drive(20)
    voltages, charges = rig.frames(currents, 0.5)
    assert rig.follow(currents, voltages)[-1, 0] == pytest.approx(charges[-1], abs=1e-4)


def test_the_charge_of_an_aged_pack_is_counted_by_its_health():
    rig = EstimateRig(health=0.75)
    assert rig.estimate.capacity == pytest.approx(0.75 * rig.pack.capacity)
    rig.battery.state_of_health = 0.0
    follow_slow(rig.battery, rig.estimate, rig.pack, rig.c)
    assert rig.estimate.capacity == pytest.approx(rig.c.health_min * rig.pack.capacity)


def test_frames_that_repeat_themselves_teach_nothing():
    rig = EstimateRig()
    rig.follow(np.zeros(1), np.full(1, 360.0))
    before = rig.estimate.covariance[0, 0]
    rig.follow(np.zeros(500), np.full(500, 360.0))
    assert rig.estimate.covariance[0, 0] >= before


def test_a_pack_that_is_not_trusted_or_dead_is_not_followed_and_what_is_known_of_it_stays():
    rig = EstimateRig()
    rig.estimate.series_growth = 1.7
    rig.estimate.slow_voltage = 0.05
    rig.battery.state_trusted = 0
    rig.follow(np.full(10, 300.0), np.full(10, 350.0))
    assert rig.estimate.initialised == 0
    rig.battery.state_trusted = 1
    rig.follow(np.zeros(10), np.full(10, 100.0))
    assert rig.estimate.initialised == 0
    rig.follow(np.zeros(1), np.full(1, ROWS * rig.cell(0.6)))
    assert rig.estimate.initialised == 1
    assert rig.estimate.series_growth == pytest.approx(1.7)
    assert rig.estimate.slow_voltage == pytest.approx(0.0, abs=1e-3)


def test_a_single_wild_frame_moves_the_estimate_little_and_is_soon_forgotten():
    rig = EstimateRig()
    currents = some_drive(30)
    voltages, _ = rig.frames(currents, 0.6)
    voltages[2500] = 200.0
    log = rig.follow(currents, voltages)
    assert log[2500, 1] == pytest.approx(log[2499, 1], rel=0.25)
    assert log[2500, 0] == pytest.approx(log[2499, 0], abs=0.02)
    assert log[2800, 1] == pytest.approx(log[2499, 1], rel=0.03)


def test_one_step_is_that_of_the_textbook_filter():
    rig = EstimateRig(charge=0.62)
    state, pack, c = rig.estimate, rig.pack, rig.c
    currents = some_drive(3)
    rig.follow(currents, rig.frames(currents, 0.62, growth=1.2)[0])
    x = np.array([state.state_of_charge, state.fast_voltage, state.slow_voltage, state.series_growth, state.polarisation_growth])
    p, last, current, voltage = state.covariance.copy(), float(state.current), 123.5, 352.0

    series = state.series_over_temperature * np.interp(x[0], POINTS, pack.series_over_charge)
    over = state.polarisation_over_temperature * np.interp(x[0], POINTS, pack.polarisation_over_charge)
    keep = np.exp(-RASTER / np.array([pack.time_constant_1, pack.time_constant_2]))
    drive = (1.0 - keep) * over * np.array([pack.resistance_1, pack.resistance_2]) * 0.5 * (last + current)
    f = np.eye(5)
    f[1, 1], f[2, 2], f[1, 4], f[2, 4] = keep[0], keep[1], drive[0], drive[1]
    x = f @ x
    x[0] -= RASTER * 0.5 * (last + current) / state.capacity
    q = np.zeros((5, 5))
    q[0, 0], q[1, 1], q[2, 2] = RASTER * c.charge_noise**2, RASTER * c.polarisation_noise**2, RASTER * c.polarisation_noise**2
    correlation = np.array([[1.0, c.growth_correlation], [c.growth_correlation, 1.0]])
    q[3:, 3:] = RASTER / c.growth_time * c.growth_deviation**2 * correlation
    p = f @ p @ f.T + q
    drop = series * pack.resistance_0 * current
    h = np.array([20.0 * slope_at_position(pack.open_circuit_voltage, 20.0 * x[0]), -1.0, -1.0, -drop, 0.0])
    innovation = voltage / ROWS - (rig.cell(x[0]) - x[3] * drop - x[1] - x[2])
    s = h @ p @ h + c.voltage_deviation**2
    x += p @ h * innovation / s
    p -= np.outer(p @ h, p @ h) / s

    rig.follow(np.array([current]), np.array([voltage]))
    got = [state.state_of_charge, state.fast_voltage, state.slow_voltage, state.series_growth, state.polarisation_growth]
    assert abs(innovation) < c.innovation_max
    assert got == pytest.approx(x, rel=1e-9)
    assert state.covariance == pytest.approx(p, rel=1e-6, abs=1e-15)


def test_the_open_circuit_voltage_is_read_from_the_curve():
    rig = EstimateRig()
    assert open_circuit_voltage(0.575, rig.pack) == pytest.approx(0.5 * (3.701 + 3.751))
    assert open_circuit_voltage(-0.2, rig.pack) == rig.pack.open_circuit_voltage[0]
    assert open_circuit_voltage(1.3, rig.pack) == rig.pack.open_circuit_voltage[20]


@pytest.mark.parametrize("position", [-1.0, 0.0, 0.4, 7.5, 19.9, 20.0, 31.0])
def test_the_slope_is_that_of_the_curve(position):
    curve = np.arange(21.0) ** 2
    k = min(max(int(position), 0), 19)
    assert slope_at_position(curve, position) == curve[k + 1] - curve[k]
    assert at_position(curve, position) == pytest.approx(np.interp(position, np.arange(21.0), curve))


@examples(100)
@given(st.lists(st.tuples(st.floats(-2500.0, 2500.0), st.floats(0.0, 1000.0)), min_size=1, max_size=200), st.floats(0.0, 1.05))
def test_the_estimate_stays_finite_and_believable_on_any_frames(frames, charge):
    rig = EstimateRig(charge=charge)
    currents, voltages = (np.array(column) for column in zip(*frames, strict=True))
    rig.follow(currents, voltages)
    state, c = rig.estimate, rig.c
    assert 0.0 <= state.state_of_charge <= 1.0
    for growth in (state.series_growth, state.polarisation_growth):
        assert c.growth_min <= growth <= c.growth_max
    assert math.isfinite(state.fast_voltage + state.slow_voltage)
    assert np.all(np.isfinite(state.covariance))
    assert np.all(np.diag(state.covariance) >= 0.0)
