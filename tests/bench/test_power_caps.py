"""What the caps of their supplies leave the cars of the e-4ORCE family, through controller, frames and actuators."""

import dataclasses

import pytest

from bench.drive import Drive
from bench.figures import plant
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.network.database import load_network


@pytest.mark.parametrize(
    ("name", "kilowatts"),
    [
        ("leaf_twin_motor", 227),
        ("ariya_e4orce_205", 205),
        ("ariya_e4orce_225", 225),
        ("ariya_e4orce_250", 250),
        ("ariya_e4orce_290", 290),
        ("ariya_nismo", 320),
        ("x_trail_e4orce", 157),
    ],
)
def test_cap_of_the_supply_leaves_the_published_power_of_both_motors(name, kilowatts):
    vehicle = load_vehicle(name)
    scenario = dataclasses.replace(load_scenario("launch"), state_of_charge=0.9, duration=9.0)
    run = Drive(load_network(vehicle.network), vehicle, scenario)
    result = run.result(list(run.chunks(run.lockstep())))
    samples = plant(result.scenario_samples)
    power = samples["front"]["motor"]["mechanical_power"] + samples["rear"]["motor"]["mechanical_power"]
    assert power.max() == pytest.approx(1e3 * kilowatts, rel=0.01)
    assert (samples["battery"]["power"] <= 1.005 * samples["battery"]["discharge_limit"]).all()
