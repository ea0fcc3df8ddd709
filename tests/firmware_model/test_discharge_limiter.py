from math import inf, nan

import numpy as np
import pytest
from controller_rig import Rig

from firmware_model.discharge_limiter import derate, estimate_pack, limit
from firmware_model.measurements import Constraint

RASTER = 0.01


class LimiterRig(Rig):
    """The limiter alone: a pack at rest that allows everything unless told otherwise."""

    def __init__(self, **battery):
        super().__init__()
        self.battery, self.limiter = self.state.inputs.battery, self.state.discharge_limiter
        values = {
            "voltage": 390.0, "current": 0.0, "state_of_charge": 0.6, "discharge_limit": 900e3, "charge_limit": 900e3,
            "state_trusted": 1, "limit_trusted": 1, "charge_trusted": 1,
        } | battery  # fmt: skip
        for name, value in values.items():
            setattr(self.battery, name, value)
        self.c = self.calibration.discharge_limiter
        self.c.rise_rate = 10e6
        self.limiter.discharge_limit = self.limiter.charge_limit = 1e6
        self.results = self.measurements.discharge_limiter

    def settle(self, voltage=None, current=None, seconds=RASTER):
        if voltage is not None:
            self.battery.voltage, self.battery.current = voltage, current
        for _ in range(round(seconds / RASTER)):
            derate(self.battery, self.limiter, self.c)
            estimate_pack(RASTER, self.battery, self.limiter, self.results, self.c)
            limit(RASTER, self.battery, self.limiter, self.results, self.c)
        return self.results

    def find(self, power, direction="discharge"):
        results = self.settle()
        assert getattr(results, f"{direction}_limit") == pytest.approx(power, rel=1e-6)
        return Constraint(int(getattr(results, f"{direction}_constraint")))


def test_the_limit_of_the_battery_controller_binds_when_it_is_the_lowest():
    assert LimiterRig(discharge_limit=180e3).find(180e3) == Constraint.BATTERY_LIMIT
    assert LimiterRig(charge_limit=40e3).find(40e3, "charge") == Constraint.BATTERY_LIMIT


def test_the_voltage_floor_binds_on_a_weak_pack():
    rig = LimiterRig(voltage=320.0)
    floor = 96 * 3.0
    assert rig.find(floor * (320.0 - floor) / 0.0629) == Constraint.VOLTAGE


def test_the_voltage_ceiling_binds_on_a_full_pack():
    ceiling = 96 * 4.2
    assert LimiterRig(voltage=395.0).find(ceiling * (ceiling - 395.0) / 0.0629, "charge") == Constraint.VOLTAGE


def test_no_voltage_to_spend_means_no_power():
    assert LimiterRig(voltage=280.0).find(0.0) == Constraint.VOLTAGE
    assert LimiterRig(voltage=410.0).find(0.0, "charge") == Constraint.VOLTAGE


def test_the_current_limit_reckons_with_the_voltage_under_that_current():
    rig = LimiterRig()
    rig.c.discharge_current_max = 400.0
    rig.c.power_full = 1e6
    assert rig.find(400.0 * (390.0 - 0.0629 * 400.0)) == Constraint.CURRENT


def test_a_current_beyond_the_pack_s_power_peak_does_not_bind():
    rig = LimiterRig()
    rig.c.discharge_current_max, rig.c.cell_voltage_min = 3000.0, 2.2
    rig.c.resistance = rig.c.resistance_min = 0.2
    floor = 96 * 2.2
    assert rig.find(floor * (390.0 - floor) / 0.2) == Constraint.VOLTAGE


@pytest.mark.parametrize(("charge", "power"), [(0.05, 150e3), (0.0, 0.0)])
def test_a_low_state_of_charge_derates_the_discharge(charge, power):
    assert LimiterRig(state_of_charge=charge).find(power) == Constraint.STATE_OF_CHARGE


def test_a_high_state_of_charge_derates_the_charging():
    rig = LimiterRig(state_of_charge=0.98)
    rig.c.charge_current_max = 3000.0
    rig.c.cell_voltage_max = 4.5
    assert rig.find(60e3, "charge") == Constraint.STATE_OF_CHARGE


@pytest.mark.parametrize("battery", [{"temperature_highest": 55.0}, {"temperature_lowest": -20.0}])
def test_heat_and_cold_derate_both_directions(battery):
    rig = LimiterRig(**battery)
    rig.c.charge_current_max, rig.c.cell_voltage_max, rig.c.discharge_current_max = 3000.0, 4.5, 3000.0
    assert rig.find(150e3) == Constraint.TEMPERATURE
    assert rig.find(150e3, "charge") == Constraint.TEMPERATURE


@pytest.mark.parametrize("source", ["state_trusted", "limit_trusted", "charge_trusted"])
def test_without_a_trusted_source_there_is_no_power(source):
    rig = LimiterRig(**{source: 0})
    assert rig.find(0.0) == Constraint.NO_VALID_LIMIT
    assert rig.find(0.0, "charge") == Constraint.NO_VALID_LIMIT


def test_a_limit_falls_at_once_and_rises_at_its_rate():
    rig = LimiterRig(discharge_limit=50e3)
    rig.c.rise_rate = 200e3
    assert rig.find(50e3) == Constraint.BATTERY_LIMIT
    rig.battery.discharge_limit = 180e3
    assert rig.find(52e3) == Constraint.RISE_RATE
    assert rig.settle(seconds=0.7).discharge_limit == 180e3


@pytest.mark.parametrize("resistance", [0.045, 0.0629, 0.11])
def test_resistance_and_open_circuit_voltage_are_learnt_from_a_drive(resistance):
    rng = np.random.default_rng(5)
    rig = LimiterRig()
    open_circuit = 392.0
    for _ in range(30):
        current = float(rng.uniform(-60.0, 450.0))
        voltage = round(2.0 * (open_circuit - resistance * current)) / 2.0  # as in the frame
        rig.settle(voltage, current, seconds=1.0)
    assert rig.results.resistance == pytest.approx(resistance, rel=0.05)
    assert rig.results.open_circuit_voltage == pytest.approx(open_circuit, abs=2.0)


def test_a_constant_current_teaches_nothing_about_the_resistance():
    rig = LimiterRig()
    rig.settle(370.0, 200.0, seconds=60.0)
    assert rig.results.resistance == pytest.approx(0.0629)
    assert rig.results.open_circuit_voltage == pytest.approx(370.0 + 0.0629 * 200.0, abs=0.1)


def test_an_implausible_resistance_is_bounded():
    rig = LimiterRig()
    for second in range(60):
        rig.settle(390.0 - (100.0 if second % 2 else 0.0), 100.0 if second % 2 else 0.0, seconds=1.0)
    assert rig.results.resistance == rig.c.resistance_max


@pytest.mark.parametrize("value", [nan, inf, -1.0, 5e6])
def test_an_invalid_limit_counts_as_none_after_its_timeout(value):
    rig = Rig()
    rig.run(0.1)
    rig.inputs.battery.discharge_limit = value
    rig.run(0.09)
    assert rig.measurements.discharge_limiter.discharge_limit == 180e3
    rig.run(0.04)
    assert rig.measurements.discharge_limiter.discharge_limit == 0.0
    assert rig.measurements.discharge_limiter.discharge_constraint == Constraint.NO_VALID_LIMIT


def test_a_silent_limit_counts_as_none_after_its_timeout():
    rig = Rig()
    rig.run(0.1)
    rig.inputs.battery.limit_link.age = 0.11
    rig.run(0.02)
    assert rig.measurements.discharge_limiter.discharge_limit == 0.0


def test_the_wide_frame_takes_over_where_the_leaf_fields_end():
    rig = Rig()
    rig.inputs.battery.discharge_limit, rig.inputs.battery_wide.discharge_limit = 255.5e3, 290e3
    for name, value in (("voltage", 390.0), ("charge_limit", 60e3)):
        setattr(rig.inputs.battery_wide, name, value)
    rig.calibration.discharge_limiter.discharge_current_max = 1200.0
    rig.run(0.5)
    assert rig.measurements.discharge_limiter.discharge_limit == 255.5e3
    rig.inputs.battery_wide.link.age = 0.005
    rig.run(0.2)
    assert rig.measurements.discharge_limiter.discharge_limit == pytest.approx(290e3)
    rig.inputs.battery_wide.link.age = 0.2
    rig.run(0.02)
    assert rig.measurements.discharge_limiter.discharge_limit == 255.5e3


def test_a_battery_that_stops_charging_is_not_charged():
    rig = Rig()
    rig.inputs.battery.failsafe_status = 2
    rig.run(0.05)
    assert rig.measurements.discharge_limiter.charge_limit == 0.0
    assert rig.measurements.discharge_limiter.discharge_limit == 180e3
