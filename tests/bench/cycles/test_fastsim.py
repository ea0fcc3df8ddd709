"""The energy of a cycle beside FASTSim's (NREL, a backward-facing model of its own), for one car that both describe alike.

FASTSim has no force over speed, so the car has none either; it moves wheels without slip, and it follows the trace exactly.
"""

import math
from functools import cache
from typing import Any

import pytest
from interpreter import needs_compiler

from bench.cycles.driving import Conditions, CycleResult, drive_cycle
from bench.cycles.sources import load_cycle
from bench.vehicles import Vehicle, load_vehicle

fastsim = pytest.importorskip("fastsim", reason="FASTSim is in the extra [cycles], which is not installed")
pytestmark = needs_compiler

GRAVITY = 9.80665
AIR_DENSITY = 1.173  # [kg/m3] FASTSim's, from its drag energy on these cycles
ROLLING, DRAG_AREA, MASS, AUXILIARY = 0.0085, 0.70, 1750.0, 300.0
MOST_POWER = 160e3  # [W]


def our_car(lossless: bool) -> Vehicle:
    vehicle = load_vehicle("leaf_plus")
    body = vehicle.parameters[0].body
    body.mass = MASS
    front = vehicle.parameters[0].front
    front.gear_loss, front.drag_in_road_load = 0.0, 0
    body.road_load_0, body.road_load_1, body.road_load_2 = ROLLING * MASS * GRAVITY, 0.0, 0.5 * AIR_DENSITY * DRAG_AREA
    if lossless:
        motor = front.motor
        for name in motor.dtype.names:
            if name.startswith("loss_"):
                motor[name] = 0.0
    return vehicle


def their_car(ours: Vehicle, efficiency: float) -> Any:
    """FASTSim's car with our figures: its rotating parts, a constant ``efficiency`` [1] of its motor, all else without a loss."""
    content = fastsim.Vehicle.from_resource("2022_Renault_Zoe_ZE50_R135.yaml").to_dict()
    parameters = ours.parameters[0]
    inertia = 2.0 * float(parameters.front.wheel_inertia + parameters.rear.wheel_inertia)
    inertia += float(parameters.front.motor.rotor_inertia * parameters.front.gear_ratio**2)
    content["mass_kilograms"] = MASS
    content["pwr_aux_base_watts"] = AUXILIARY
    content["chassis"] |= {
        "drag_coef": 0.28,
        "frontal_area_square_meters": DRAG_AREA / 0.28,
        "wheel_rr_coef": ROLLING,
        "wheel_inertia_kilogram_square_meters": inertia / 4.0,
        "num_wheels": 4,
        "wheel_radius_meters": float(parameters.tyre.radius),
        "glider_mass_kilograms": None,
        "cargo_mass_kilograms": None,
    }
    drive = content["pt_type"]["BEV"]
    drive["transmission"]["eff_interp"] = 1.0
    drive["em"]["pwr_out_max_watts"] = MOST_POWER
    for name in ("eff_interp_achieved", "eff_interp_at_max_input"):
        data = drive["em"][name]["data"]
        data["grid"][0] |= {"dim": [2], "data": [0.0, 1.0]}
        data["values"] |= {"dim": [2], "data": [efficiency, efficiency]}
    return fastsim.Vehicle.from_dict(content)


@cache
def their_energies(name: str, lossless: bool) -> dict[str, float]:
    efficiency = 1.0 if lossless else mean_efficiency(our_result(name, False))
    run = fastsim.SimDrive(their_car(our_car(lossless), efficiency), fastsim.Cycle.from_resource(f"{name}.csv"))
    run.run()
    vehicle = run.to_dict()["veh"]
    battery = vehicle["pt_type"]["BEV"]["res"]["state"]
    return {
        "road_load": vehicle["state"]["energy_drag_joules"] + vehicle["state"]["energy_rr_joules"],
        "dc": battery["energy_out_electrical_joules"],
        "distance": vehicle["state"]["dist_meters"],
        "brakes": vehicle["state"]["energy_brake_joules"],
    }


@cache
def our_result(name: str, lossless: bool) -> CycleResult:
    return drive_cycle(our_car(lossless), load_cycle(name), Conditions(auxiliary_power=AUXILIARY))


def mean_efficiency(result: CycleResult) -> float:
    """The one efficiency e, either way, that gives our motor's loss: traction (1/e - 1) + regeneration (1 - e).

    FASTSim's curve of efficiency over power is no use here: when braking it takes the curve's first point, whatever the power.
    """
    joules = result.meter.joules
    traction, regeneration, loss = joules["traction"], joules["regeneration"], joules["motor_loss"]
    b = loss + traction - regeneration
    return (-b + math.sqrt(b * b + 4.0 * traction * regeneration)) / (2.0 * regeneration)


@pytest.mark.parametrize("name", ["udds", "hwfet"])
def test_road_and_wheels_take_the_same_energy_as_in_fastsim(name: str) -> None:
    ours, theirs = our_result(name, True), their_energies(name, True)
    assert ours.meter.distance == pytest.approx(theirs["distance"], rel=0.005)
    assert ours.meter.joules["road_load"] == pytest.approx(theirs["road_load"], rel=0.005)
    # What FASTSim does not know: the heat of friction brakes near a standstill, and the slip of tyres.
    extra = ours.meter.joules["slip_loss"] + ours.meter.joules["brake_loss"] - theirs["brakes"]
    assert ours.meter.dc - extra == pytest.approx(theirs["dc"], rel=0.01)


@pytest.mark.parametrize("name", ["udds", "hwfet"])
def test_dc_energy_is_that_of_fastsim_with_the_same_mean_efficiency_of_the_motor(name: str) -> None:
    ours, theirs = our_result(name, False), their_energies(name, False)
    extra = ours.meter.joules["slip_loss"] + ours.meter.joules["brake_loss"] - theirs["brakes"]
    assert ours.meter.dc - extra == pytest.approx(theirs["dc"], rel=0.01)
