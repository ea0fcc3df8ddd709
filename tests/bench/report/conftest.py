"""A drive as it would be left behind, filled by hand: bring-up for 2 s, run-up for 1 s, then the scenario."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.drive import CAR, CONTROLLER, DriveResult
from bench.nodes.car import CarMeasurements, Phase
from bench.rows import Row, bounded
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.measurements import Constraint, Measurements, SupervisorState
from firmware_model.signals import Gear, Inputs, Outputs
from hil.frames import new_frames
from hil.lockstep import sample_type
from hil.network.database import Network, load_network
from hil.node import Node

PERIOD = 0.01  # [s] between samples
READY_AT = 2.0  # [s] after power-on
BEGIN = 3.0  # [s] after power-on

MakeDrive = Callable[..., DriveResult]


@pytest.fixture(scope="session")
def network() -> Network:
    return load_network("leaf_ze1")


@pytest.fixture(scope="session")
def make_drive(network: Network) -> MakeDrive:
    """Makes a drive of ``seconds`` of scenario; ``begins=False`` never gets beyond the bring-up."""

    def make(seconds: float = 4.0, scenario: str = "launch", begins: bool = True) -> DriveResult:
        vehicle, manoeuvre = load_vehicle("leaf_twin_motor"), load_scenario(scenario)
        samples = make_samples(network, (manoeuvre.stimulus, manoeuvre.path, manoeuvre.road), seconds)
        if not begins:
            samples = samples[samples["time"] < READY_AT]
        rows = [Row("distance", 50.0, "m"), bounded("peak battery power", 120.0, "kW", maximum=243.0)]
        return DriveResult(network, vehicle, manoeuvre, make_frames(network, float(samples["time"][-1])), samples, rows, begins)

    return make


@pytest.fixture
def drive(make_drive: MakeDrive) -> DriveResult:
    return make_drive()


def make_samples(network: Network, tables: tuple[Any, ...], seconds: float) -> Any:
    """Samples of a car that accelerates with 5 m/s2 and weaves, its battery at the limit from 2 s to 3 s."""
    layout = sample_type([Node(CONTROLLER, network), Node(CAR, network, tables)])
    samples = np.zeros(round((BEGIN + seconds) / PERIOD), dtype=layout).view(np.recarray)
    samples["time"] = PERIOD * np.arange(1, len(samples) + 1)
    for name, record in (
        ("controller_inputs", Inputs),
        ("controller_outputs", Outputs),
        ("controller_measurements", Measurements),
        ("car_measurements", CarMeasurements),
    ):
        record.reset(samples[name])
    time = samples["time"] - BEGIN
    drive_car(samples["car_measurements"], time)
    control(samples, time)
    return samples


def drive_car(car: Any, time: Any) -> None:
    ready = time >= READY_AT - BEGIN
    driving = time >= 0.0
    car["phase"] = np.where(driving, Phase.DRIVING, np.where(ready, Phase.RUN_UP, Phase.STARTING))
    car["scenario_time"] = np.where(driving, time, -1.0)
    car["wanted_speed"] = np.where(driving, np.nan, 0.0)
    plant = car["plant"]
    speed = np.where(driving, 5.0 * time, 0.0)
    plant["body"]["longitudinal_speed"] = speed
    plant["body"]["x"] = np.where(driving, 2.5 * time**2, 0.0)
    plant["body"]["y"] = np.sin(time)
    plant["body"]["yaw_rate"] = 0.1 * np.cos(time)
    plant["front"]["axle_torque"] = np.where(driving, 1500.0, 0.0)
    plant["rear"]["axle_torque"] = np.where(driving, 1800.0, 0.0)
    plant["battery"]["power"] = np.where(driving, 60e3 * time, 0.0)
    plant["battery"]["voltage"] = 396.0 - 10.0 * np.maximum(time, 0.0)
    plant["battery"]["cell_voltage_lowest"] = plant["battery"]["voltage"] / 96.0
    for axle in ("front", "rear"):
        for side in ("left", "right"):
            plant[axle][side]["hub_speed_along"] = speed
            plant[axle][side]["slip"] = 0.05


def control(samples: Any, time: Any) -> None:
    inputs, measurements = samples["controller_inputs"], samples["controller_measurements"]
    ready = time >= READY_AT - BEGIN
    supervisor = measurements["supervisor"]
    supervisor["state"] = np.where(ready, SupervisorState.READY, SupervisorState.PRECHARGE)
    supervisor["torque_permitted"] = ready
    samples["controller_outputs"]["power"]["gear"] = np.where(ready, Gear.DRIVE, Gear.PARK)
    measurements["vehicle_speed"]["speed"] = np.maximum(5.0 * time, 0.0)
    measurements["front"]["motor_torque_wanted"] = 200.0
    measurements["front"]["axle_torque"] = 1500.0
    measurements["rear"]["axle_torque"] = 1800.0
    measurements["yaw_control"]["yaw_moment"] = 3000.0
    measurements["allocation"]["moment_missing"] = 500.0
    measurements["allocation"]["front_share"] = 0.4
    limiter = measurements["discharge_limiter"]
    limiter["discharge_limit"] = 150e3
    limiter["charge_limit"] = 40e3
    limiter["discharge_constraint"] = np.where((time > 2.0) & (time < 3.0), Constraint.CURRENT, Constraint.BATTERY_LIMIT)
    limiter["charge_constraint"] = Constraint.BATTERY_LIMIT
    inputs["battery"]["discharge_limit"] = 160e3
    inputs["battery"]["voltage"] = samples["car_measurements"]["plant"]["battery"]["voltage"]
    inputs["front"]["dc_voltage"] = np.where(ready, inputs["battery"]["voltage"], 0.0)
    inputs["motion"]["yaw_rate"] = samples["car_measurements"]["plant"]["body"]["yaw_rate"]


def make_frames(network: Network, end: float) -> Any:
    """Every message of every bus, exactly at its period, until ``end`` [s]."""
    parts = []
    for bus in network.buses:
        for bus_message in bus.messages:
            message = bus_message.message
            frames = new_frames(int(end * 1e9 // message.period))
            frames.time = message.period * np.arange(1, len(frames) + 1)
            frames.bus = bus.index
            frames.identifier = message.identifier
            frames.length = message.length
            frames.kind = int(message.extended)
            parts.append(frames)
    frames = np.concatenate(parts).view(np.recarray)
    return frames[np.argsort(frames.time, kind="stable")]
