"""What can be kept up, against a naive twin that walks through the pulse in small steps."""

import math

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples

from firmware_model.state_of_power import (
    CHARGE,
    DISCHARGE,
    current_for_charge,
    current_for_heat,
    current_to_voltage,
    power_of_current,
    pulse_resistance,
    sinking,
    sustainable,
)

ROWS = 96
POINTS = np.arange(21) / 20.0


class PowerRig(Rig):
    """A pack in a given state."""

    def __init__(self, charge=0.6, fast=0.0, slow=0.0, growth=1.0, slope=-0.02):
        super().__init__()
        self.s, self.pack, self.c = self.state.pack_estimate, self.calibration.pack, self.calibration.discharge_limiter
        self.s.state_of_charge, self.s.fast_voltage, self.s.slow_voltage = charge, fast, slow
        self.s.series_growth = self.s.polarisation_growth = growth
        self.s.series_over_temperature_slope, self.s.polarisation_over_temperature_slope = slope, 0.85 * slope
        self.c.heat_current = 3000.0

    def sustainable(self, d, horizon, expected=0.0):
        floor, current = (3.0, 800.0) if d > 0 else (4.2, 400.0)
        return sustainable(d, horizon, floor, current, 0.0, expected, self.s, self.pack, self.c)

    def keeps_up(self, d, power, horizon, steps=600):
        """Naive twin: whether ``power`` [W] can be kept up, in small steps."""
        p, s, dt = self.pack, self.s, horizon / steps
        z, fast, slow = s.state_of_charge, s.fast_voltage, s.slow_voltage
        growth = s.series_growth * (p.resistance_in_charge if d < 0 else 1.0)
        by_series, by_polarisation = s.series_over_temperature, s.polarisation_over_temperature
        floor, current_max = (3.0, 800.0) if d > 0 else (4.2, 400.0)
        for k in range(steps + 1):
            factor = np.interp(z, POINTS, p.polarisation_over_charge) * by_polarisation * growth
            source = np.interp(z, POINTS, p.open_circuit_voltage) - fast - slow
            r = np.interp(z, POINTS, p.series_over_charge) * by_series * growth * p.resistance_0
            discriminant = source**2 - 4.0 * r * d * power / ROWS
            if discriminant < 0.0:
                return False
            current = 2.0 * d * power / ROWS / (source + math.sqrt(discriminant))
            drop = fast + slow + r * current
            outermost = np.interp(z - d * p.charge_spread, POINTS, p.open_circuit_voltage)
            outermost -= drop * (1.0 + p.resistance_spread if d * drop > 0.0 else 1.0)
            if d * (outermost - floor) < 0.0 or d * current > current_max:
                return False
            if k < steps:
                fast += (factor * p.resistance_1 * current - fast) * (1.0 - math.exp(-dt / p.time_constant_1))
                slow += (factor * p.resistance_2 * current - slow) * (1.0 - math.exp(-dt / p.time_constant_2))
                z -= dt * current / s.capacity
                warmer = dt * ROWS * drop * current / p.heat_capacity
                by_series += s.series_over_temperature_slope * warmer
                by_polarisation += s.polarisation_over_temperature_slope * warmer
        return 0.0 <= z - d * p.charge_spread <= 1.0

    def naive(self, d, horizon):
        low, high = 0.0, 1e6
        for _ in range(18):
            power = 0.5 * (low + high)
            low, high = (power, high) if self.keeps_up(d, power, horizon) else (low, power)
        return low


@pytest.mark.parametrize("d", [DISCHARGE, CHARGE])
@pytest.mark.parametrize("horizon", [2.0, 10.0, 30.0])
@pytest.mark.parametrize(
    "state",
    [
        {}, {"charge": 0.1, "growth": 2.0}, {"charge": 0.07}, {"charge": 0.95, "growth": 3.0}, {"slow": 0.08, "fast": 0.02},
        {"slow": -0.05, "fast": -0.03, "charge": 0.2}, {"charge": 0.3, "growth": 4.0},
    ],
    ids=str,
)  # fmt: skip
def test_the_power_is_what_a_walk_in_small_steps_can_just_keep_up(d, horizon, state):
    rig = PowerRig(**state)
    assert rig.sustainable(d, horizon) == pytest.approx(rig.naive(d, horizon), rel=0.01, abs=300.0)


@pytest.mark.parametrize("d", [DISCHARGE, CHARGE])
@pytest.mark.parametrize("horizon", [2.0, 10.0, 30.0])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999, 1.1, 3.0])
@pytest.mark.parametrize("state", [{}, {"charge": 0.1, "growth": 2.0}, {"slow": -0.05, "fast": -0.03, "charge": 0.2}], ids=str)
def test_where_the_search_begins_does_not_change_what_it_finds(d, horizon, share, state):
    """A drive that goes on finds the last power all but right; one that has just changed does not."""
    rig = PowerRig(**state)
    power = rig.sustainable(d, horizon)
    assert rig.sustainable(d, horizon, share * power) == pytest.approx(power, rel=0.004)


@pytest.mark.parametrize("d", [DISCHARGE, CHARGE])
def test_a_cell_of_other_curves_for_its_polarisation_and_another_resistance_in_charge_is_walked_through_likewise(d):
    rig = PowerRig(charge=0.25, slow=0.02)
    rig.pack.polarisation_over_charge, rig.pack.resistance_in_charge = np.linspace(4.0, 0.8, 21), 1.6
    rig.s.series_over_temperature, rig.s.polarisation_over_temperature = 1.5, 2.5
    assert rig.sustainable(d, 30.0) == pytest.approx(rig.naive(d, 30.0), rel=0.01, abs=300.0)


def test_a_flat_cell_without_polarisation_has_the_power_of_the_textbook():
    rig = PowerRig()
    rig.pack.open_circuit_voltage, rig.pack.series_over_charge = 3.6, 1.0
    rig.pack.resistance_1 = rig.pack.resistance_2 = rig.pack.resistance_spread = rig.pack.charge_spread = 0.0
    rig.s.series_over_temperature_slope, rig.s.series_growth = 0.0, 2.0
    r = 2.0 * rig.pack.resistance_0
    assert rig.sustainable(DISCHARGE, 10.0) == pytest.approx(ROWS * 3.0 * (3.6 - 3.0) / r, rel=1e-3)


def test_the_highest_current_binds_where_the_voltage_does_not():
    rig = PowerRig(charge=0.9)
    power = rig.sustainable(DISCHARGE, 2.0)
    r, relaxed = pulse_resistance(DISCHARGE, 2.0, rig.s, rig.pack)
    assert power == pytest.approx(
        power_of_current(DISCHARGE, 800.0, r, relaxed, sinking(2.0, rig.s, rig.pack), rig.s, rig.pack), rel=0.01
    )


def test_heat_of_the_path_leaves_the_mean_current_that_it_may():
    rig = PowerRig()
    rig.c.heat_current, rig.c.heat_time = 300.0, 60.0
    theta = 200.0**2
    current = current_for_heat(30.0, theta, rig.c)
    left = math.exp(-0.5)
    assert left * theta + (1.0 - left) * current**2 == pytest.approx(300.0**2)
    assert current_for_heat(30.0, 600.0**2, rig.c) == 0.0


def test_charge_leaves_the_mean_current_that_empties_the_weakest_and_fills_the_strongest_cell():
    rig = PowerRig(charge=0.04)
    rig.pack.charge_spread = 0.01
    assert current_for_charge(DISCHARGE, 30.0, rig.s, rig.pack) == pytest.approx(0.03 * rig.s.capacity / 30.0)
    assert current_for_charge(CHARGE, 30.0, rig.s, rig.pack) == pytest.approx(0.95 * rig.s.capacity / 30.0)
    rig.s.state_of_charge = 0.005
    assert current_for_charge(DISCHARGE, 30.0, rig.s, rig.pack) == 0.0


def test_a_constant_current_ends_at_the_voltage_that_was_asked_for():
    rig = PowerRig(charge=0.52, slow=0.01)
    r, relaxed = pulse_resistance(DISCHARGE, 5.0, rig.s, rig.pack)
    sink = sinking(5.0, rig.s, rig.pack)
    current = current_to_voltage(DISCHARGE, 3.3, rig.pack.charge_spread, r, relaxed, sink, rig.s, rig.pack)
    weakest = np.interp(0.51, POINTS, rig.pack.open_circuit_voltage)
    assert weakest - sink * current - 1.05 * (relaxed + r * current) == pytest.approx(3.3)


@examples(300)
@given(
    st.sampled_from([DISCHARGE, CHARGE]), st.sampled_from([2.0, 10.0, 30.0]), st.floats(0.0, 1.0), st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5), st.floats(0.3, 8.0), st.floats(-0.5, 0.0),
)  # fmt: skip
def test_the_power_is_finite_and_never_negative_in_any_state(d, horizon, charge, fast, slow, growth, slope):
    power = PowerRig(charge, fast, slow, growth, slope).sustainable(d, horizon)
    assert 0.0 <= power < 5e6
