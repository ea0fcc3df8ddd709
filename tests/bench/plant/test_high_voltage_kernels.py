"""The high-voltage circuit against its closed solutions."""

from math import exp, log, sqrt

import pytest

from bench.plant import high_voltage
from bench.plant.high_voltage import (
    ContactorFault,
    HighVoltageDemands,
    HighVoltageMeasurements,
    HighVoltageParameters,
    HighVoltageState,
)

DT = 1e-3
PACK = 394.0  # [V]
C, R_P, R_D, I_W = 1.088e-3, 36.8, 2022.0, 0.137


class Circuit:
    def __init__(self, link_voltage: float = 0.0) -> None:
        self.demands, self.parts = HighVoltageDemands.new()[0], HighVoltageParameters.new()[0]
        self.state, self.measured = HighVoltageState.new()[0], HighVoltageMeasurements.new()[0]
        self.state.link_voltage = link_voltage

    def run(self, duration: float, dt: float = DT) -> float:
        for _ in range(round(duration / dt)):
            high_voltage.step(dt, self.demands, PACK, self.parts, self.state, self.measured)
        return float(self.measured.link_voltage)

    def close(self, **coils: int) -> None:
        """Energise these coils and let the contacts close."""
        for name, energised in coils.items():
            setattr(self.demands, name, energised)
            getattr(self.state, name).armature = energised


def test_precharge_is_exponential_with_the_measured_time_constant() -> None:
    circuit = Circuit()
    circuit.close(main_minus=1, precharge=1)
    assert circuit.run(0.04) == pytest.approx(PACK * (1.0 - exp(-0.04 / (R_P * C))), rel=1e-9)
    time_constant = R_P * C
    assert time_constant == pytest.approx(0.04, rel=2e-3)


def test_two_inverters_take_twice_the_time() -> None:
    one, two = Circuit(), Circuit()
    two.demands.inverters = 2
    for circuit in (one, two):
        circuit.close(main_minus=1, precharge=1)
    assert two.run(0.08) == pytest.approx(one.run(0.04), rel=1e-9)


def test_discharge_through_resistor_and_winding_is_the_closed_solution() -> None:
    circuit = Circuit(PACK)
    circuit.demands.resistors = circuit.demands.windings = 1
    below = I_W * R_D
    assert circuit.run(1.0) == pytest.approx((PACK + below) * exp(-1.0 / (R_D * C)) - below, rel=1e-9)


def test_a_link_never_falls_below_zero_and_keeps_its_charge_where_nothing_takes_it() -> None:
    circuit = Circuit(PACK)
    assert circuit.run(10.0) == PACK
    circuit.demands.windings = 1
    empty = PACK * C / I_W
    assert circuit.run(0.5 * empty) == pytest.approx(0.5 * PACK, rel=1e-3)
    assert circuit.run(empty) == 0.0


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 1e-2])
def test_the_step_does_not_matter(dt: float) -> None:
    circuit = Circuit()
    circuit.demands.resistors = 1
    circuit.close(main_minus=1, precharge=1)
    steady = PACK * R_D / (R_D + R_P)
    assert circuit.run(0.1, dt) == pytest.approx(steady * (1.0 - exp(-0.1 * (1.0 / R_P + 1.0 / R_D) / C)), rel=1e-9)


def test_precharge_takes_from_the_pack_twice_what_the_link_stores() -> None:
    circuit = Circuit()
    circuit.close(main_minus=1, precharge=1)
    energy = 0.0
    for _ in range(4000):
        circuit.run(1e-4, 1e-4)
        energy += 1e-4 * float(circuit.measured.power)
    assert energy == pytest.approx(C * PACK**2, rel=0.01)


def test_a_contact_follows_its_coil_after_its_time() -> None:
    circuit = Circuit()
    circuit.demands.main_minus = circuit.demands.main_plus = 1
    circuit.run(0.019)
    assert circuit.measured.connected == 0
    circuit.run(0.002)
    assert (circuit.measured.connected, circuit.measured.link_voltage) == (1, PACK)
    assert circuit.measured.made_voltage == PACK
    circuit.demands.main_plus = 0
    circuit.run(0.01)
    circuit.demands.main_plus = 1  # the coil comes back in time
    circuit.run(0.03)
    assert circuit.measured.connected == 1


@pytest.mark.parametrize("name", ["main_plus", "main_minus", "precharge"])
def test_a_welded_contact_stays_closed_and_an_open_one_open(name: str) -> None:
    circuit = Circuit()
    setattr(circuit.parts, f"{name}_fault", ContactorFault.WELDED)
    circuit.run(0.05)
    assert getattr(circuit.measured, name) == 1
    setattr(circuit.parts, f"{name}_fault", ContactorFault.OPEN)
    setattr(circuit.demands, name, 1)
    circuit.run(0.05)
    assert getattr(circuit.measured, name) == 0


def test_one_welded_main_does_not_connect_the_pack() -> None:
    circuit = Circuit()
    circuit.parts.main_plus_fault = ContactorFault.WELDED
    assert circuit.run(1.0) == 0.0


@pytest.mark.parametrize("power", [40e3, -40e3, 500e3])
def test_when_the_mains_open_the_links_take_what_was_under_way(power: float) -> None:
    circuit = Circuit()
    circuit.close(main_minus=1, main_plus=1)
    circuit.run(0.01)
    circuit.demands.load_power = power
    circuit.parts.main_minus_fault = ContactorFault.OPEN
    assert circuit.run(DT) == pytest.approx(sqrt(max(PACK**2 - 2.0 * power * DT / C, 0.0)), rel=1e-9)


def test_a_discharge_that_meets_welded_mains_draws_from_the_pack() -> None:
    circuit = Circuit()
    circuit.close(main_minus=1, main_plus=1)
    circuit.demands.resistors, circuit.demands.windings = 2, 1
    circuit.run(0.1)
    assert circuit.measured.power == pytest.approx(2 * PACK**2 / R_D + PACK * I_W)


def test_a_leaf_is_below_60_volts_in_less_than_five_seconds_even_without_supply() -> None:
    # UNECE R100 and ISO 6469-4 look at 60 V.
    circuit = Circuit(PACK)
    circuit.demands.resistors = 1
    time = R_D * C * log(PACK / 60.0)
    assert time < 5.0
    assert circuit.run(time) == pytest.approx(60.0, rel=0.01)
