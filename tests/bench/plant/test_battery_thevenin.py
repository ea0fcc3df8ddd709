"""The pack's cell against independent software: thevenin (NREL), the same circuit with its own solver."""

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.plant import battery
from bench.plant.battery import TEMPERATURE_FIRST, TEMPERATURE_STEP, BatteryMeasurements, BatteryState
from bench.vehicles import list_chemistries, load_vehicle, with_pack
from firmware_model.kernel import kernel, new

pytestmark = needs_compiler
thevenin = pytest.importorskip("thevenin", reason="thevenin is not installed: pip install 'e4orce-hil[validation]'")

STEP = 1.0  # [s] of the comparison
SUBSTEPS = 100  # of the plant in each: 10 ms
ZERO_CELSIUS = 273.15
# Discharge, rest, charge, rest, a long discharge and a long rest: current over capacity [1/h] and time [s]
PULSES = ((4.0, 10), (0.0, 40), (-1.5, 10), (0.0, 20), (1.0, 120), (0.0, 200))


@kernel
def draw(steps, dt, current, pack, state, measured):
    for _ in range(steps):
        battery.step(dt, battery.power_for_current(current, pack, state), state.temperature, pack, state, measured)


def single_cell(chemistry):
    """A pack of one cell that a climate chamber keeps at its temperature."""
    pack = with_pack(load_vehicle("leaf_plus"), chemistry=chemistry).parameters[0].battery
    pack.series = pack.parallel = 1
    pack.heat_capacity, pack.cooling_conductance = 1e7, 0.0
    return pack


def their_model(cell, temperature):
    """The same cell as a model of thevenin, whose parameters are functions of charge and temperature [K]."""
    charges = np.linspace(0.0, 1.0, len(cell.open_circuit_voltage))
    temperatures = ZERO_CELSIUS + TEMPERATURE_FIRST + TEMPERATURE_STEP * np.arange(len(cell.series_over_temperature))

    def resistance(own, group):
        over_charge, over_temperature = cell[f"{group}_over_charge"], cell[f"{group}_over_temperature"]
        return lambda z, kelvin: own * np.interp(z, charges, over_charge) * np.interp(kelvin, temperatures, over_temperature)

    r_1, r_2 = resistance(cell.resistance_1, "polarisation"), resistance(cell.resistance_2, "polarisation")
    return thevenin.Prediction(
        {
            "num_RC_pairs": 2, "soc0": 0.5, "capacity": cell.capacity / 3600.0, "ce": 1.0, "gamma": 0.0, "mass": 1.0,
            "isothermal": True, "Cp": 1000.0, "T_inf": ZERO_CELSIUS + temperature, "h_therm": 0.0, "A_therm": 1.0,
            "ocv": lambda z: np.interp(z, charges, cell.open_circuit_voltage), "M_hyst": lambda _z: 0.0,
            "R0": resistance(cell.resistance_0, "series"),
            "R1": r_1, "C1": lambda z, kelvin: cell.time_constant_1 / r_1(z, kelvin),
            "R2": r_2, "C2": lambda z, kelvin: cell.time_constant_2 / r_2(z, kelvin),
        }
    )  # fmt: skip


@pytest.mark.parametrize("temperature", [-10.0, 25.0])
@pytest.mark.parametrize("chemistry", [*[name for name in list_chemistries() if name != "cobalt_free"], "nmc_leaf_ze0"])
def test_the_voltage_of_a_pulse_train_is_theirs_within_a_tenth_of_a_millivolt(chemistry, temperature):
    pack = single_cell(chemistry)
    cell, state, measured = pack.cell, new(BatteryState)[0], new(BatteryMeasurements)[0]
    assert cell.resistance_in_charge == 1.0  # they have no direction
    state.state_of_charge, state.temperature = 0.615, temperature
    model = their_model(cell, temperature)
    model.set_options(rtol=1e-9, atol=1e-12)
    theirs = thevenin.TransientState(soc=0.615, T_cell=ZERO_CELSIUS + temperature, hyst=0.0, eta_j=np.zeros(2))
    differences = []
    for rate, seconds in PULSES:
        current = rate * cell.capacity / 3600.0
        for _ in range(round(seconds / STEP)):
            draw(SUBSTEPS, STEP / SUBSTEPS, current, pack, state, measured)
            theirs = model.take_step(theirs, float(current), STEP)
            ours = battery.source_voltage(pack, state) - current * battery.series_resistance(current, pack, state)
            differences.append(ours - theirs.voltage)
    assert theirs.soc < 0.6
    assert np.max(np.abs(differences)) < 1e-4
