"""A cycle driven over CAN: the trace is kept, the energies are those of the physics, and the memory stays bounded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.cycles import driving
from bench.cycles.driving import Conditions, CycleResult, drive_cycle
from bench.cycles.energy import ENERGIES, Meter, driving_samples
from bench.cycles.sources import read_csv
from bench.cycles.trace import EPA, WLTP, Cycle
from bench.drive import Drive
from bench.plant.axle import drag_in_road_load
from bench.vehicles import load_vehicle

pytestmark = needs_compiler


def trace(points: list[tuple[float, float]], grade: float = 0.0) -> Cycle:
    """A cycle through points of time [s] and speed [km/h]."""
    corners = np.array(points)
    time = np.arange(corners[-1, 0] + 1.0)
    speed = np.interp(time, corners[:, 0], corners[:, 1]) / 3.6
    return Cycle("test", "test", time, speed, np.full(len(time), grade), EPA)


@pytest.fixture(scope="module")
def town() -> CycleResult:
    return drive_cycle(
        load_vehicle("leaf_plus"), trace([(0, 0), (5, 0), (15, 50), (40, 50), (50, 0), (55, 0), (63, 30), (75, 0), (80, 0)])
    )


def value(result: CycleResult, name: str) -> float:
    return float(next(row.value for row in result.rows if row.name == name))


def test_every_row_that_has_a_target_reaches_it(town: CycleResult) -> None:
    assert [row.name for row in town.rows if row.passed is False] == []
    assert town.completed
    assert value(town, "times out of the tolerance") == 0
    assert value(town, "distance") == pytest.approx(town.cycle.distance * 1e-3, abs=0.005)


def test_energy_balance_closes(town: CycleResult) -> None:
    assert abs(town.meter.open_balance) < 1e-3 * town.meter.dc
    joules = town.meter.joules
    assert joules["cells"] - joules["pack_loss"] == pytest.approx(town.meter.dc, rel=1e-6)
    assert set(joules) == set(ENERGIES)


def test_metered_dc_energy_is_what_the_pack_counted(town: CycleResult) -> None:
    ends = [sample["car_measurements"]["plant"]["battery"] for sample in (town.meter.first, town.meter.last)]
    for name, counter in (("discharged", "discharged_energy"), ("charged", "charged_energy")):
        counted = float(ends[1][counter]) - float(ends[0][counter])
        assert town.meter.joules[name] == pytest.approx(counted, rel=2e-3)
    capacity = 3 * float(town.vehicle.parameters[0].battery.cell.capacity)
    used = float(ends[0]["state_of_charge"]) - float(ends[1]["state_of_charge"])
    assert town.meter.charge == pytest.approx(used * capacity, rel=2e-3)


def test_motors_do_the_braking_of_a_calm_stop(town: CycleResult) -> None:
    assert value(town, "share of the braking done by the motors") > 90.0
    assert value(town, "regenerated") > 0.2 * value(town, "DC energy, net")


def test_steady_speed_takes_road_load_losses_and_auxiliaries() -> None:
    vehicle = load_vehicle("leaf_plus")
    cycle = trace([(0, 90), (40, 90)])
    result = drive_cycle(vehicle, cycle, Conditions(auxiliary_power=500.0))
    parameters = vehicle.parameters[0]
    v = 25.0
    magnets = drag_in_road_load(parameters.front, parameters.tyre.radius)  # the motor's own business under way
    linear = parameters.body.road_load_1 - magnets
    force = float(parameters.body.road_load_0 + linear * v + parameters.body.road_load_2 * v * v)
    seconds = result.meter.samples * 0.01
    joules = result.meter.joules
    assert joules["road_load"] / seconds == pytest.approx(force * v, rel=3e-3)
    assert joules["auxiliaries"] / seconds == pytest.approx(500.0, rel=1e-6)
    motor = parameters.front.motor
    torque = force * float(parameters.tyre.radius / parameters.front.gear_ratio)
    omega = v / float(parameters.tyre.radius) * float(parameters.front.gear_ratio)
    assert omega == pytest.approx(float(result.meter.last["car_measurements"]["plant"]["front"]["motor"]["speed"]), rel=0.01)
    gears = 1.0 + float(parameters.front.gear_loss)
    assert joules["traction"] / seconds == pytest.approx(gears * torque * omega, rel=0.02)
    assert joules["motor_loss"] > 0.0
    assert float(motor.rotor_inertia) > 0.0


def test_uphill_takes_the_weight_times_the_rise() -> None:
    cycle = trace([(0, 50), (30, 50)], grade=0.03)
    result = drive_cycle(load_vehicle("leaf_40"), cycle)
    mass = float(result.vehicle.parameters[0].body.mass)
    rise = np.sin(0.03) * result.meter.distance
    assert result.meter.joules["climb"] == pytest.approx(mass * 9.80665 * rise, rel=1e-3)
    assert abs(result.meter.open_balance) < 1e-3 * result.meter.dc


def test_test_mass_replaces_the_cars_own() -> None:
    cycle = trace([(0, 0), (3, 0), (12, 60), (14, 60)])
    light, heavy = (drive_cycle(load_vehicle("leaf_40"), cycle, Conditions(test_mass=mass)) for mass in (1500.0, 1900.0))
    assert float(heavy.vehicle.parameters[0].body.mass) == 1900.0
    assert heavy.meter.kinetic / light.meter.kinetic == pytest.approx(1.25, abs=0.03)
    assert heavy.meter.dc > light.meter.dc


def test_long_drive_keeps_no_more_than_the_curves_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "MOST_POINTS", 300)
    result = drive_cycle(load_vehicle("leaf_40"), trace([(0, 0), (3, 0), (12, 60), (21, 0), (25, 0)]).repeated(4))
    curve = result.meter.curve()
    assert result.meter.samples > 10_000
    assert 200 < len(curve) <= 320
    steps = np.diff(curve["time"])
    assert steps.max() == pytest.approx(steps.min(), abs=1e-6)  # evenly thinned across the pieces


def test_meter_does_not_mind_in_which_pieces_samples_come() -> None:
    vehicle = load_vehicle("leaf_40")
    drive = driving.new_drive(vehicle, trace([(0, 0), (3, 0), (9, 40), (12, 40)]), Conditions())
    samples = driving_samples(np.concatenate([chunk.samples for chunk in drive.chunks(drive.lockstep())]), 12.0)
    whole, pieces = (Meter(vehicle.parameters, 0.01, thin=7) for _ in range(2))
    whole.add(samples)
    for first in range(0, len(samples), 130):
        pieces.add(samples[first : first + 130])
    for name, joules in whole.joules.items():
        assert pieces.joules[name] == pytest.approx(joules, rel=1e-9, abs=1e-6)
    assert pieces.curve()["time"].tolist() == whole.curve()["time"].tolist()
    assert pieces.distance == whole.distance


def test_speed_out_of_the_tolerance_is_counted() -> None:
    """Nobody reaches 120 km/h in five seconds."""
    result = drive_cycle(load_vehicle("leaf_40"), trace([(0, 0), (3, 0), (8, 120), (20, 120), (30, 0), (33, 0)]))
    assert result.violations >= 1
    assert result.beyond > 1.0
    assert next(row.passed for row in result.rows if row.name == "times out of the tolerance") is False


def test_car_and_air_have_the_temperature_of_the_test() -> None:
    drive: Drive = driving.new_drive(load_vehicle("leaf_40"), trace([(0, 0), (5, 0)]), Conditions(temperature=-7.0))
    assert float(drive.car.state[0].road.air_temperature) == -7.0
    assert float(drive.car.state[0].plant.battery.temperature) == -7.0


# --- the regulations' cycles, from the files beside the repository --------------------------------------------------------


def turns(values, least: float) -> int:
    """How often a curve turns by at least so much."""
    count, way, extreme = 0, 0, values[0]
    for value in values:
        if way >= 0 and value > extreme:
            extreme, way = value, 1
        elif way <= 0 and value < extreme:
            extreme, way = value, -1
        elif abs(value - extreme) > least:
            count, way, extreme = count + 1, -way, value
    return count


@pytest.mark.parametrize("vehicle", ["leaf_plus", "leaf_40", "leaf_twin_motor"])
@pytest.mark.parametrize("name", ["udds", "hwfet", "us06", "wltc_3b"])
def test_driver_keeps_the_regulations_tolerance_with_calm_feet(shared_data: Path, vehicle: str, name: str) -> None:
    cycle = read_csv(shared_data / "cycles" / f"{name}.csv")
    if name.startswith("wltc"):
        cycle = replace(cycle, tolerance=WLTP)
    result = drive_cycle(load_vehicle(vehicle), cycle)
    assert [row.name for row in result.rows if row.passed is False] == []
    assert result.meter.distance == pytest.approx(cycle.distance, rel=0.005)
    curve, minutes = result.meter.curve(), cycle.duration / 60.0
    accelerator, brake = curve["accelerator"], curve["brake"]
    feet = np.where(brake > 0.005, -1, np.where(accelerator > 0.005, 1, 0))
    feet = feet[feet != 0]
    # The traces turn by 0.2 m/s2 and more 4 to 10 times a minute.
    assert np.count_nonzero(np.diff(feet)) / minutes < 4.0
    assert turns(accelerator, 0.02) / minutes < 35.0
    assert turns(brake, 0.02) / minutes < 8.0
    assert np.count_nonzero((accelerator > 0.005) & (brake > 0.005)) < 0.005 * len(curve)
