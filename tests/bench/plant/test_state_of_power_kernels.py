"""What the pack can keep up is found by trying it: the truth that predictions are judged by."""

import pytest

from bench.plant.battery import BatteryMeasurements, BatteryState
from bench.plant.state_of_power import CHARGE, DISCHARGE, endless_power, keeps_up, sustainable_power
from bench.vehicles import load_vehicle, with_pack
from firmware_model.kernel import new

NEW = 1.0, 1.0  # state of health [1], growth of resistance [1]
AGED = 0.8, 1.6


def pack_of(age=NEW):
    pack = with_pack(load_vehicle("leaf_twin_motor")).parameters[0].battery
    pack.state_of_health, pack.series_growth = age
    pack.polarisation_growth = pack.series_growth
    return pack


def rested(charge, temperature=25.0):
    state = new(BatteryState)[0]
    state.state_of_charge, state.temperature = charge, temperature
    return state


def true_power(d, horizon, state, pack):
    return sustainable_power(d, horizon, horizon / 200.0, pack, state, new(BatteryState)[0], new(BatteryMeasurements)[0])


@pytest.mark.parametrize("d", [DISCHARGE, CHARGE])
@pytest.mark.parametrize("age", [NEW, AGED])
def test_the_true_power_is_kept_up_and_a_percent_more_is_not(d, age):
    pack, charge = pack_of(age), 0.3 if d > 0.0 else 0.8
    power = true_power(d, 10.0, rested(charge, 0.0), pack)
    for factor, possible in ((0.999, True), (1.01, False)):
        state, measured = rested(charge, 0.0), new(BatteryMeasurements)[0]
        assert keeps_up(d, factor * power, 10.0, 0.05, pack, state, measured) == possible


def test_trying_does_not_change_the_pack():
    state = rested(0.5)
    true_power(DISCHARGE, 30.0, state, pack_of())
    assert (state.state_of_charge, state.slow_voltage, state.temperature) == (0.5, 0.0, 25.0)


def test_what_is_safe_for_ever_is_less_than_what_is_possible_for_thirty_seconds():
    pack = pack_of()
    assert endless_power(0.3, 0.0, pack) < true_power(DISCHARGE, 30.0, rested(0.3, 0.0), pack)
    assert endless_power(0.01, 0.0, pack) == 0.0
