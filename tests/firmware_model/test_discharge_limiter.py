"""The limiter alone, on a pack whose estimate is given; the estimate has tests of its own."""

import math
from math import inf, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples

from firmware_model.discharge_limiter import derate, limit, predict
from firmware_model.measurements import Constraint
from firmware_model.pack_estimate import follow_slow
from firmware_model.state_of_power import CHARGE, DISCHARGE, sustainable

RASTER = 0.01
HORIZON = 0.2  # [s] for which the limit holds
ROWS = 96


class LimiterRig(Rig):
    """A pack at rest that allows everything unless told otherwise: flat resistances, certain of its charge."""

    def __init__(self, **battery):
        super().__init__()
        self.battery, self.limiter, self.estimate = (
            self.state.inputs.battery,
            self.state.discharge_limiter,
            self.state.pack_estimate,
        )
        values = {
            "voltage": 360.0, "current": 0.0, "state_of_charge": 0.6, "discharge_limit": 900e3, "charge_limit": 900e3,
            "state_trusted": 1, "limit_trusted": 1, "charge_trusted": 1,
        } | battery  # fmt: skip
        for name, value in values.items():
            setattr(self.battery, name, value)
        self.c, self.pack = self.calibration.discharge_limiter, self.calibration.pack
        self.c.rise_rate, self.c.power_full = 10e6, 1e6
        self.c.voltage_margin = self.c.charge_deviations = 0.0
        self.pack.series_over_charge = self.pack.polarisation_over_charge = 1.0
        self.limiter.discharge_limit = self.limiter.charge_limit = 1e6
        self.estimate.state_of_charge = self.battery.state_of_charge
        self.results = self.measurements.discharge_limiter

    def settle(self, seconds=RASTER):
        for _ in range(round(seconds / RASTER)):
            derate(self.battery, self.limiter, self.c)
            follow_slow(self.battery, self.estimate, self.pack, self.calibration.pack_estimate)
            limit(RASTER, self.battery, self.state, self.measurements, self.calibration)
            predict(self.battery, self.state, self.measurements, self.calibration)
        return self.results

    def find(self, power, direction="discharge", rel=1e-6):
        results = self.settle()
        assert getattr(results, f"{direction}_limit") == pytest.approx(power, rel=rel)
        return Constraint(int(getattr(results, f"{direction}_constraint")))

    def cell(self, charge):
        """Naive twin: rest voltage of a cell [V]."""
        position = 20.0 * charge
        k = min(int(position), 19)
        curve = self.pack.open_circuit_voltage
        return curve[k] + (position - k) * (curve[k + 1] - curve[k])

    def resistance(self, horizon=HORIZON):
        """Naive twin: resistance of a row [Ohm] to a pulse, loss of open-circuit voltage not included."""
        p = self.pack
        polarisation = sum(
            r * (1.0 - math.exp(-horizon / tau))
            for r, tau in ((p.resistance_1, p.time_constant_1), (p.resistance_2, p.time_constant_2))
        )
        return p.resistance_0 + polarisation


def test_the_limit_of_the_battery_controller_binds_when_it_is_the_lowest():
    assert LimiterRig(discharge_limit=180e3).find(180e3) == Constraint.BATTERY_LIMIT
    assert LimiterRig(charge_limit=40e3).find(40e3, "charge") == Constraint.BATTERY_LIMIT


@pytest.mark.parametrize("direction", ["discharge", "charge"])
def test_a_limit_of_the_battery_controller_that_is_as_low_as_another_one_is_the_one_that_is_named(direction):
    rig = LimiterRig(discharge_limit=0.0, charge_limit=0.0)
    rig.c.cell_voltage_min, rig.c.cell_voltage_max = 3.9, 3.6
    assert rig.find(0.0, direction) == Constraint.BATTERY_LIMIT


def test_the_voltage_floor_of_the_weakest_cell_binds_on_a_weak_pack():
    rig = LimiterRig()
    rig.c.cell_voltage_min = 3.4
    rig.pack.resistance_spread = 0.1
    room = rig.cell(0.59) - 3.4
    # At a point of the curve the estimate takes the slope above it.
    slope = 20.0 * (rig.cell(0.65) - rig.cell(0.60)) * HORIZON / rig.pack.capacity
    current = room / (1.1 * rig.resistance() + slope)
    power = ROWS * current * (rig.cell(0.6) - (rig.resistance() + slope) * current)
    assert rig.find(power) == Constraint.VOLTAGE
    assert rig.results.discharge_voltage_limit == pytest.approx(power)


def test_the_voltage_ceiling_of_the_strongest_cell_binds_on_a_full_pack():
    rig = LimiterRig(state_of_charge=0.92)
    rig.c.charge_charge_full = 1.0 - 1e-9
    rig.pack.resistance_spread = 0.0
    slope = 20.0 * (rig.cell(0.95) - rig.cell(0.90)) * HORIZON / rig.pack.capacity
    current = (4.2 - rig.cell(0.93)) / (rig.resistance() + slope)
    power = ROWS * current * (rig.cell(0.92) + (rig.resistance() + slope) * current)
    assert rig.find(power, "charge") == Constraint.VOLTAGE


def test_no_voltage_to_spend_means_no_power():
    rig = LimiterRig()
    rig.c.cell_voltage_min, rig.c.cell_voltage_max = 3.9, 3.6
    assert rig.find(0.0) == Constraint.VOLTAGE
    assert rig.find(0.0, "charge") == Constraint.VOLTAGE
    assert rig.settle(0.1).discharge_power_2s == 0.0
    assert rig.results.charge_power_30s == 0.0


def test_polarisation_takes_its_share_of_the_voltage():
    rig = LimiterRig()
    rig.c.cell_voltage_min = 3.4
    rested = rig.settle().discharge_limit
    rig.estimate.slow_voltage = 0.1
    assert rig.settle().discharge_limit < 0.8 * rested
    assert rig.results.charge_limit > 0.0


def test_a_margin_of_voltage_and_of_uncertain_charge_is_left_free():
    rig = LimiterRig(state_of_charge=0.08)
    rig.c.cell_voltage_min = 3.3
    free = rig.settle().discharge_voltage_limit
    rig.c.voltage_margin = 0.02
    assert rig.settle().discharge_voltage_limit < free
    rig.c.voltage_margin, rig.c.charge_deviations = 0.0, 3.0
    rig.estimate.covariance[0, 0] = 0.01**2
    assert rig.settle().discharge_voltage_limit < free


def test_a_margin_of_voltage_is_left_free_in_charging_too():
    rig = LimiterRig(state_of_charge=0.92)
    free = rig.settle().charge_voltage_limit
    rig.c.voltage_margin = 0.02
    assert rig.settle().charge_voltage_limit < free


def test_the_current_limit_reckons_with_the_voltage_under_that_current():
    rig = LimiterRig()
    rig.c.discharge_current_max = 400.0
    slope = 20.0 * (rig.cell(0.65) - rig.cell(0.60)) * HORIZON / rig.pack.capacity
    assert rig.find(ROWS * 400.0 * (rig.cell(0.6) - (rig.resistance() + slope) * 400.0)) == Constraint.CURRENT


def test_a_current_beyond_the_pack_s_power_peak_gives_no_more_power():
    rig = LimiterRig()
    rig.c.discharge_current_max, rig.c.cell_voltage_min, rig.c.heat_current = 3000.0, 1.5, 3000.0
    rig.estimate.series_growth = 8.0
    r = rig.resistance() + 7.0 * rig.pack.resistance_0
    assert rig.find(ROWS * rig.cell(0.6) ** 2 / (4.0 * r), rel=1e-3) == Constraint.VOLTAGE


def test_the_path_of_the_current_may_be_warm_for_ever_and_hot_for_a_while():
    rig = LimiterRig()
    rig.c.heat_current, rig.c.discharge_current_max = 300.0, 800.0
    assert rig.find(rig.settle().discharge_limit) != Constraint.HEAT
    rig.battery.current = 600.0
    rig.settle(seconds=60.0)
    assert rig.results.discharge_constraint == Constraint.HEAT
    assert rig.limiter.heat == pytest.approx(600.0**2 * -math.expm1(-60.0 / rig.c.heat_time), rel=0.01)
    rig.battery.current, rig.limiter.heat = 300.0, 300.0**2
    rig.settle(seconds=1.0)
    assert rig.results.discharge_limit == pytest.approx(300.0 * ROWS * (rig.cell(0.6) - 300.0 * rig.resistance()), rel=0.05)


@pytest.mark.parametrize(("charge", "power"), [(0.05, 50e3), (0.0, 0.0)])
def test_a_low_state_of_charge_derates_the_discharge(charge, power):
    rig = LimiterRig(state_of_charge=charge)
    rig.c.power_full, rig.c.cell_voltage_min = 100e3, 1.5
    assert rig.find(power) == Constraint.STATE_OF_CHARGE


def test_an_empty_weakest_cell_ends_the_discharge():
    rig = LimiterRig(state_of_charge=0.0101)
    rig.c.discharge_charge_full, rig.c.cell_voltage_min = 0.001, 1.5
    current = 0.0001 * rig.pack.capacity / rig.c.charge_horizon
    assert rig.find(current * ROWS * rig.cell(0.01), rel=0.02) == Constraint.STATE_OF_CHARGE


def test_a_high_state_of_charge_derates_the_charging():
    rig = LimiterRig(state_of_charge=0.98)
    rig.c.charge_current_max, rig.c.power_full = 3000.0, 300e3
    rig.c.cell_voltage_max = 4.5
    assert rig.find(60e3, "charge") == Constraint.STATE_OF_CHARGE


@pytest.mark.parametrize("battery", [{"temperature_highest": 55.0}, {"temperature_lowest": -20.0}])
def test_heat_and_cold_derate_both_directions(battery):
    rig = LimiterRig(**battery)
    rig.c.power_full, rig.c.charge_current_max, rig.c.cell_voltage_max, rig.c.cell_voltage_min = 100e3, 3000.0, 4.5, 1.5
    assert rig.find(50e3) == Constraint.TEMPERATURE
    assert rig.find(50e3, "charge") == Constraint.TEMPERATURE


def test_the_last_energy_is_for_creeping_home():
    rig = LimiterRig(remaining_energy=3e6)
    assert rig.find(rig.c.turtle_power) == Constraint.TURTLE
    assert rig.results.turtle == 1
    assert rig.settle(0.1).discharge_power_10s == rig.c.turtle_power
    rig.battery.remaining_energy = 5e6
    assert rig.find(rig.c.turtle_power) == Constraint.TURTLE
    rig.battery.remaining_energy = 8e6
    assert rig.find(rig.settle(0.1).discharge_limit) != Constraint.TURTLE


def test_an_energy_that_was_never_told_is_no_empty_pack():
    assert LimiterRig(remaining_energy=0.0).settle().turtle == 0


@pytest.mark.parametrize("direction", ["discharge", "charge"])
def test_what_can_be_kept_up_for_longer_is_never_more(direction):
    for charge in (0.05, 0.1, 0.5, 0.9, 0.97):
        rig = LimiterRig(state_of_charge=charge)
        rig.settle(0.06)
        powers = [float(getattr(rig.results, f"{direction}_power_{horizon}s")) for horizon in (2, 10, 30)]
        assert powers[0] >= powers[1] * (1.0 - 1e-3)
        assert powers[1] >= powers[2] * (1.0 - 1e-3)
        assert powers[0] <= getattr(rig.results, f"{direction}_limit") * (1.0 + 1e-3)


@pytest.mark.parametrize("direction", ["discharge", "charge"])
def test_a_colder_pack_is_never_the_stronger_one(direction):
    last = 0.0
    for temperature in range(-30, 50, 5):
        rig = LimiterRig(temperature_highest=float(temperature), temperature_lowest=float(temperature))
        rig.c.cell_voltage_min, rig.c.cell_voltage_max = 3.4, 3.9
        power = rig.settle(0.06)[f"{direction}_power_10s"]
        assert power >= last
        last = power


numbers = st.one_of(st.floats(-1e9, 1e9), st.floats(-10.0, 500.0), st.sampled_from([nan, inf, -inf]))


@pytest.mark.parametrize("horizon", [2, 10, 30])
@pytest.mark.parametrize(("direction", "d"), [("discharge", DISCHARGE), ("charge", CHARGE)])
def test_each_prediction_is_the_power_that_its_own_seconds_leave(direction, d, horizon):
    rig = LimiterRig()
    told = float(rig.settle(6 * RASTER)[f"{direction}_power_{horizon}s"])
    voltage = rig.c.cell_voltage_min if direction == "discharge" else rig.c.cell_voltage_max
    current = rig.c.discharge_current_max if direction == "discharge" else rig.c.charge_current_max
    expected = sustainable(d, float(horizon), voltage, current, rig.limiter.heat, 0.0, rig.estimate, rig.pack, rig.c)
    assert told == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("remaining", "turtle_power"), [(1.0, 20e3), (1.0, 900e3), (1e9, 20e3)])
def test_a_car_that_creeps_home_is_told_no_more_than_its_turtle_power(remaining, turtle_power):
    free = [float(LimiterRig().settle(6 * RASTER)[f"discharge_power_{horizon}s"]) for horizon in (2, 10, 30)]
    rig = LimiterRig(remaining_energy=remaining)
    rig.c.turtle_energy, rig.c.turtle_release, rig.c.turtle_power = 1e6, 2e6, turtle_power
    results = rig.settle(6 * RASTER)
    told = [float(results[f"discharge_power_{horizon}s"]) for horizon in (2, 10, 30)]
    assert told == pytest.approx([min(power, turtle_power) if remaining < 1e6 else power for power in free], rel=1e-3)


@examples(300)
@given(
    st.floats(0.0, 1.05), st.floats(-60.0, 250.0), st.floats(-60.0, 250.0), st.floats(0.0, 1e6), st.floats(0.0, 1e6),
    st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.3, 8.0), st.floats(0.0, 4e6), st.floats(-2500.0, 2500.0),
)  # fmt: skip
def test_no_limit_and_no_prediction_is_ever_above_that_of_the_battery(
    charge, hottest, coldest, discharge, charging, fast, slow, growth, heat, current
):
    rig = LimiterRig(
        state_of_charge=charge, temperature_highest=hottest, temperature_lowest=coldest, discharge_limit=discharge,
        charge_limit=charging, current=current,
    )  # fmt: skip
    rig.estimate.fast_voltage, rig.estimate.slow_voltage = fast, slow
    rig.estimate.series_growth = rig.estimate.polarisation_growth = growth
    rig.limiter.heat = heat
    results = rig.settle(0.06)
    for direction, highest in (("discharge", discharge), ("charge", charging)):
        for name in ("limit", "power_2s", "power_10s", "power_30s"):
            assert 0.0 <= results[f"{direction}_{name}"] <= highest


@examples(50)
@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers, numbers), min_size=1, max_size=20))
def test_whatever_the_battery_says_limits_and_estimate_stay_finite_and_below_it(messages):
    rig = Rig()
    for voltage, current, charge, hottest, discharge, energy in messages:
        battery = rig.inputs.battery
        battery.voltage, battery.current, battery.state_of_charge, battery.temperature_highest = voltage, current, charge, hottest
        battery.discharge_limit, battery.remaining_energy, battery.state_of_health = discharge, energy, charge
        rig.run(0.02)
        results = rig.measurements.discharge_limiter
        for name in results.dtype.names:
            assert math.isfinite(results[name]), name
        assert 0.0 <= results.discharge_limit <= rig.state.inputs.battery.discharge_limit


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
