"""Where the energy of a drive goes: what the cells gave is in losses, in work against road, air and hill, and in what moves.

Taken from the measurements of every step, as anybody could; each power at the end of its step, so that some hundredths of a per
cent are lost in the sums.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.drive import Drive
from bench.nodes.car import Phase
from bench.plant.ride import body_moment, sprung_masses
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate
from hil.network.database import load_network

DT = 1e-3
GRAVITY = 9.80665
AUXILIARIES = 600.0  # [W]
AXLES = ("front", "rear")
WHEELS = ("front.left", "front.right", "rear.left", "rear.right")
SIGNALS = (
    "body.longitudinal_speed", "body.lateral_speed", "body.yaw_rate", "body.road_load", "body.wind_side_force",
    "body.longitudinal_acceleration", "body.longitudinal_specific_force",
    "battery.open_circuit_voltage", "battery.current", "battery.loss_power",
    "ride.front_compression", "ride.rear_compression", "ride.roll_rate",
    *(f"{axle}.{name}" for axle in AXLES for name in ("motor.speed", "motor.loss_power", "half_shaft_torque", "twist")),
    *(f"{wheel}.{name}" for wheel in WHEELS for name in ("speed", "slip_loss", "brake_torque")),
)  # fmt: skip

# Uphill into a crosswind, a lane change, downhill with a slippery stretch, to a stop, and away again.
EXCURSION = """title = "excursion"
duration = 50.0
[start]
speed_kmh = 0.0
state_of_charge = 0.6
[stimulus]
time          = [0.0, 1.0, 10.0, 14.0, 14.5, 15.5, 16.0, 24.0, 30.0, 31.0, 36.0, 38.0, 50.0]
speed_kmh     = [0.0, 0.0, 95.0, 95.0, 95.0, 95.0, 95.0, 80.0, 80.0, 60.0, 0.0, 0.0, 90.0]
steering_deg  = [0.0, 0.0, 0.0, 0.0, 40.0, -40.0, 0.0, 20.0, 20.0, 0.0, 0.0, 0.0, 0.0]
grade_percent = [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 0.0, -4.0, -4.0, -4.0, -2.0, -2.0, 0.0]
headwind_kmh  = [30.0, 30.0, 30.0, 0.0, 0.0, 0.0, 0.0, -40.0, -40.0, 0.0, 0.0, 0.0, 0.0]
crosswind_kmh = [40.0, 40.0, 40.0, 40.0, 40.0, 40.0, -40.0, -40.0, 0.0, 0.0, 0.0, 0.0, 0.0]
[[road]]
x = [450.0, 480.0]
friction = 0.2
squares = 2.0
"""


def drive(vehicle, scenario):
    """The plant's measurements in every step of a scenario, through controller and frames."""
    run = Drive(load_network(vehicle.network), vehicle, scenario)
    bench = run.lockstep(sample_every=1)
    pieces = {name: [] for name in SIGNALS}
    for chunk in run.chunks(bench, 0.25):
        plant = chunk.samples.view(np.ndarray)["car_measurements"]
        plant = plant[plant["phase"] == Phase.DRIVING]["plant"]
        for name in SIGNALS:
            pieces[name].append(np.array(locate(plant, name)))
    return {name: np.concatenate(values) for name, values in pieces.items()}


def moving(at, parameters):
    """Energy [J] of all that moves over ground and of what is twisted, from the measurements of a step."""
    body = parameters.body
    energy = 0.5 * body.mass * (at["body.longitudinal_speed"] ** 2 + at["body.lateral_speed"] ** 2)
    energy += 0.5 * body.yaw_inertia * at["body.yaw_rate"] ** 2
    for name in AXLES:
        axle = parameters[name]
        energy += 0.5 * axle.wheel_inertia * (at[f"{name}.left.speed"] ** 2 + at[f"{name}.right.speed"] ** 2)
        energy += 0.5 * axle.motor.rotor_inertia * at[f"{name}.motor.speed"] ** 2
        energy += 0.5 * axle.shaft_stiffness * max(abs(at[f"{name}.twist"]) - 0.5 * axle.backlash, 0.0) ** 2
    return energy


def drag(motor, speed):
    """Power [W] of the drag of a motor that its inverter feeds, at its ``speed`` [rad/s]."""
    return motor.drag_torque * np.clip(speed / 10.0, -1.0, 1.0) * speed


def meshing(axle, torque, speed):
    """Power [W] that the gears of an axle lose while they pass the ``torque`` [Nm] of the half shafts on."""
    return axle.gear_loss * np.abs(torque) * np.clip(speed / 10.0, -1.0, 1.0) * speed / axle.gear_ratio


def account(signals, parameters):
    """Energies [J] over all steps but the first: what the cells gave, and by name where it went."""
    later = {name: values[1:] for name, values in signals.items()}
    body, speed = parameters.body, later["body.longitudinal_speed"]
    climbing = later["body.longitudinal_specific_force"] - later["body.longitudinal_acceleration"]  # g sin(grade)
    powers = {
        "cells": later["battery.loss_power"],
        "auxiliaries": np.full(len(speed), AUXILIARIES),
        "motors": later["front.motor.loss_power"] + later["rear.motor.loss_power"],
        "drag": sum(drag(parameters[axle].motor, later[f"{axle}.motor.speed"]) for axle in AXLES),
        "gears": sum(
            meshing(parameters[axle], later[f"{axle}.half_shaft_torque"], later[f"{axle}.motor.speed"]) for axle in AXLES
        ),
        "half shafts": sum(parameters[axle].shaft_damping * (np.diff(signals[f"{axle}.twist"]) / DT) ** 2 for axle in AXLES),
        "tyres": sum(later[f"{wheel}.slip_loss"] for wheel in WHEELS),
        "brakes": sum(later[f"{wheel}.brake_torque"] * np.abs(later[f"{wheel}.speed"]) for wheel in WHEELS),
        "road load": later["body.road_load"] * speed,
        "side wind": -later["body.wind_side_force"] * later["body.lateral_speed"],
        "hill": body.mass * climbing * speed,
    }
    went = {name: float(np.sum(power) * DT) for name, power in powers.items()}
    ends = [{name: float(values[k]) for name, values in signals.items()} for k in (0, -1)]
    went["moving"] = moving(ends[1], parameters) - moving(ends[0], parameters)
    source = later["battery.open_circuit_voltage"] * later["battery.current"]
    return source, went


def damped(signals, parameters):
    """Heat [J] in the dampers."""
    body = parameters.body
    heat = 0.0
    for axle, mass in zip(AXLES, sprung_masses(parameters), strict=True):
        suspension = parameters[axle].suspension
        rate = np.diff(signals[f"ride.{axle}_compression"]) / DT
        heat += float(np.sum(2 * suspension.damping_ratio * mass * 2 * math.pi * suspension.ride_frequency * rate**2) * DT)
    stiffness = body_moment(parameters) / body.roll_gradient
    damping = 2 * body.roll_damping * math.sqrt(stiffness * body.roll_inertia)
    return heat + float(np.sum(damping * signals["ride.roll_rate"] ** 2) * DT)


@needs_compiler
@pytest.mark.parametrize("name", ["leaf_plus", "leaf_twin_motor"])
def test_energy_of_the_cells_is_found_again_to_a_thousandth(name, tmp_path: Path):
    path = tmp_path / "excursion.toml"
    path.write_text(EXCURSION)
    for scenario in (load_scenario("stop_and_go"), load_scenario(str(path))):
        vehicle = load_vehicle(name)
        signals = drive(vehicle, scenario)
        source, went = account(signals, vehicle.parameters[0])
        given, taken_back = float(np.sum(np.maximum(source, 0.0)) * DT), float(-np.sum(np.minimum(source, 0.0)) * DT)
        assert sum(went.values()) == pytest.approx(given - taken_back, abs=1e-3 * given)
        assert taken_back > 0.01 * given
        if (name, scenario.name) == ("leaf_twin_motor", "excursion"):  # nothing of it is idle
            assert min(abs(energy) for energy in went.values()) > 10.0
        # What springs and dampers take from nobody would not show, either.
        assert damped(signals, vehicle.parameters[0]) < 5e-4 * given
