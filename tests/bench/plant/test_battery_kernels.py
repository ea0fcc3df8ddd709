"""The pack against its analytical solution and against a LEAF e+ on CAN."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples
from plant_rig import Rig

from bench.plant import battery
from bench.plant.battery import LimitReason
from bench.vehicles import list_chemistries, load_vehicle, with_pack


@pytest.fixture
def pack():
    rig = Rig()
    return rig.parameters.battery[0], rig.state.battery[0], rig.measured.battery[0]


def draw_current(dt, current, pack, state, measured, temperature=25.0):
    """One step at a given current [A] instead of a power."""
    battery.step(dt, battery.power_for_current(current, pack, state), temperature, pack, state, measured)


@examples(300)
@given(power=st.floats(-500e3, 900e3), source=st.floats(200, 450), resistance=st.floats(0.01, 0.3))
def test_current_gives_the_wanted_power_or_the_most_there_is(power, source, resistance):
    current, collapsed = battery.current_for_power(power, source, resistance)
    delivered = current * (source - resistance * current)
    assert collapsed == (4.0 * resistance * power > source**2)
    assert delivered == pytest.approx(source**2 / (4 * resistance) if collapsed else power, rel=1e-9, abs=1e-6)
    assert current <= source / (2 * resistance) * (1 + 1e-12)


def test_collapse_is_flagged(pack):
    parameters, state, measured = pack
    battery.step(1e-3, 2e6, 25.0, parameters, state, measured)
    assert measured.collapsed == 1
    assert measured.power < 0.5 * measured.wanted_power
    battery.step(1e-3, 50e3, 25.0, parameters, state, measured)
    assert measured.collapsed == 0
    assert measured.power == pytest.approx(50e3)


def test_step_response_is_the_sum_of_two_exponentials(pack):
    parameters, state, measured = pack
    cell = parameters.cell
    cell.open_circuit_voltage = 3.7  # a flat curve, so that charge does not matter ...
    cell.series_over_temperature = cell.polarisation_over_temperature = 1.0  # ... and neither does the heat
    current, dt, steps = 300.0, 5e-3, 2000
    for _ in range(steps):
        draw_current(dt, current, parameters, state, measured)
    elapsed = dt * (steps - 1)  # the voltage is told at the beginning of a step
    polarisation = cell.resistance_1 * -math.expm1(-elapsed / 1.5) + cell.resistance_2 * -math.expm1(-elapsed / 21.8)
    expected = 96 * 3.7 - 96 / 3 * current * (cell.resistance_0 + polarisation)
    assert measured.voltage == pytest.approx(expected, abs=1e-3)


def test_charge_is_counted(pack):
    parameters, state, measured = pack
    state.state_of_charge, parameters.state_of_health = 0.8, 0.9
    for _ in range(100):
        draw_current(1.0, 168.9, parameters, state, measured)
    assert state.state_of_charge == pytest.approx(0.8 - 100.0 / 3600.0 / 0.9, rel=1e-9)
    discharged = state.discharged_energy
    draw_current(1.0, -100.0, parameters, state, measured)
    assert state.discharged_energy == discharged > 0.0
    assert state.charged_energy == pytest.approx(-measured.power)


def test_coolant_takes_heat_from_a_warmer_pack_and_gives_none_to_a_colder_one(pack):
    parameters, state, measured = pack
    parameters.coolant_conductance, parameters.coolant_temperature, parameters.cooling_conductance = 400.0, 20.0, 0.0
    for temperature, cooling in ((35.0, 400.0 * 15.0), (10.0, 0.0)):
        state.temperature = temperature
        battery.step(1.0, 0.0, 40.0, parameters, state, measured)
        assert state.temperature == pytest.approx(temperature - cooling / parameters.heat_capacity, rel=1e-9)


def test_losses_warm_the_pack_and_the_air_cools_it(pack):
    parameters, state, measured = pack
    draw_current(1.0, 400.0, parameters, state, measured)
    assert state.temperature == pytest.approx(25.0 + measured.loss_power / parameters.heat_capacity)
    state.temperature = 45.0
    battery.step(1.0, 0.0, 25.0, parameters, state, measured)
    assert state.temperature < 45.0


@pytest.mark.parametrize(
    ("charge", "voltage"),
    [(0.208, 3.542), (0.5845, 3.734), (0.599, 3.750), (0.663, 3.818), (0.866, 4.050), (0.906, 4.102), (0.957, 4.172)],
)
def test_rest_voltage_goes_through_the_measured_points(pack, charge, voltage):
    assert battery.open_circuit_voltage(charge, pack[0].cell) == pytest.approx(voltage, abs=2e-3)


@pytest.mark.parametrize("chemistry", list_chemistries())
def test_nominal_voltage_is_the_mean_of_the_curve(chemistry):
    cell = with_pack(load_vehicle("leaf_plus"), chemistry=chemistry).parameters.battery.cell
    assert np.trapezoid(cell.open_circuit_voltage[0], dx=0.05) == pytest.approx(cell.nominal_voltage[0], abs=1e-3)


def test_resistances_rise_in_the_cold_and_near_empty(pack):
    parameters = pack[0]
    for factor, ratio in ((battery.series_factor, 2.73 / 1.60), (battery.polarisation_factor, 0.65 / 0.41)):
        assert factor(0.5, 25.0, parameters) == pytest.approx(1.0)
        assert factor(0.5, 10.0, parameters) / factor(0.5, 40.0, parameters) == pytest.approx(ratio, rel=0.01)
        assert factor(0.02, 25.0, parameters) > 1.3


@pytest.mark.parametrize(("group", "other"), [("series", "polarisation"), ("polarisation", "series")])
def test_age_charge_and_temperature_change_series_and_polarisation_resistance_apart(pack, group, other):
    parameters = pack[0]
    factor, untouched = getattr(battery, f"{group}_factor"), getattr(battery, f"{other}_factor")
    setattr(parameters, f"{group}_growth", 1.5)
    setattr(parameters.cell, f"{group}_over_charge", np.linspace(3.0, 1.0, 21))
    setattr(parameters.cell, f"{group}_over_temperature", np.linspace(2.0, 0.2, 19))
    assert factor(0.5, 25.0, parameters) == pytest.approx(1.5 * 2.0 * 0.9)
    assert factor(0.75, 15.0, parameters) == pytest.approx(1.5 * 1.5 * 1.1)
    assert untouched(0.5, 25.0, parameters) == pytest.approx(1.0)


def test_a_cell_that_resists_charge_more_does_so_with_all_its_resistances(pack):
    parameters, state, measured = pack
    parameters.cell.open_circuit_voltage = 3.7
    polarisations, drops = {}, {}
    for current in (200.0, -200.0):
        parameters.cell.resistance_in_charge = 1.4
        state.fast_voltage = state.slow_voltage = 0.0
        draw_current(0.1, current, parameters, state, measured)
        drops[current] = measured.open_circuit_voltage - measured.voltage
        polarisations[current] = float(state.fast_voltage), float(state.slow_voltage)
    assert drops[-200.0] == pytest.approx(-1.4 * drops[200.0], rel=1e-4)
    assert polarisations[-200.0] == pytest.approx([-1.4 * each for each in polarisations[200.0]], rel=1e-4)


def test_weak_and_strong_cells_are_on_the_right_sides_of_the_mean(pack):
    parameters, state, measured = pack
    for current in (300.0, 0.0, -300.0):
        draw_current(1e-3, current, parameters, state, measured)
        battery.spread_cells(parameters, state, measured)
        assert measured.cell_voltage_lowest < measured.cell_voltage_average < measured.cell_voltage_highest
    assert measured.temperature_lowest < measured.temperature_average < measured.temperature_highest


def limits(pack, charge, temperature=25.0):
    parameters, state, measured = pack
    state.state_of_charge, state.temperature = charge, temperature
    battery.spread_cells(parameters, state, measured)
    battery.own_limits(parameters, state, measured)
    return measured.discharge_limit, measured.charge_limit


@pytest.mark.parametrize(
    ("charge", "charge_limit"), [(0.208, 69.0), (0.663, 58.5), (0.866, 30.0), (0.906, 23.8), (0.9325, 19.4), (0.957, 2.0)]
)
def test_own_limits_are_the_measured_ones_at_moderate_temperature(pack, charge, charge_limit):
    discharge, charging = limits(pack, charge)
    assert discharge == 180e3
    assert charging == pytest.approx(1e3 * charge_limit, abs=3e3)


def test_discharge_limit_falls_near_empty_in_the_cold_and_in_the_heat(pack):
    assert limits(pack, 0.005)[0] == 0.0
    assert 0.0 < limits(pack, 1.0 / 61.0)[0] < 60e3  # turtle, about 1.0 kWh
    assert limits(pack, 0.5, -15.0)[0] < 0.7 * 180e3
    assert limits(pack, 0.5, 56.0)[0] < 0.6 * 180e3
    assert limits(pack, 0.98)[1] == 0.0
    assert limits(pack, 0.5, 0.0)[1] < 0.5 * 70e3


@pytest.mark.parametrize(
    ("charge", "temperature", "reason", "charge_reason"),
    [
        (0.5, 25.0, LimitReason.NONE, LimitReason.NONE), (0.02, 25.0, LimitReason.ENERGY, LimitReason.NONE),
        (0.5, -15.0, LimitReason.COLD, LimitReason.COLD), (0.5, 55.0, LimitReason.HOT, LimitReason.HOT),
        (0.9, 25.0, LimitReason.NONE, LimitReason.FULL), (0.02, -15.0, LimitReason.ENERGY, LimitReason.COLD),
        (0.96, -5.0, LimitReason.COLD, LimitReason.FULL),
    ],
)  # fmt: skip
def test_the_limits_tell_what_lowers_them_most(pack, charge, temperature, reason, charge_reason):
    limits(pack, charge, temperature)
    assert (pack[2].limit_reason, pack[2].charge_limit_reason) == (reason, charge_reason)


def test_full_energy_is_the_published_one(pack):
    limits(pack, 0.5)
    assert pack[2].full_energy == pytest.approx(62e3 * 3600.0, rel=0.03)
    assert pack[2].remaining_energy == pytest.approx(0.5 * pack[2].full_energy)
