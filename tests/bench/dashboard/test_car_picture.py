import json

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the extra dashboard is not installed")

from bench.calibrating import calibration_of
from bench.dashboard.car_picture import picture
from bench.dashboard.health import fault_lines
from bench.drive import CAR, CONTROLLER, Drive
from bench.nodes.car import Phase
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.kernel import new
from firmware_model.measurements import Fault, SupervisorState
from firmware_model.state import TyreLoadState
from hil.lockstep import sample_type
from hil.network.database import load_network
from hil.node import Node


@pytest.fixture
def calibration():
    return calibration_of(load_vehicle("leaf_twin_motor"))[0]


@pytest.fixture
def sample():
    """A car that stands, READY."""
    vehicle = load_vehicle("leaf_twin_motor")
    drive = Drive(load_network(vehicle.network), vehicle, load_scenario("launch"))
    sample = np.zeros(1, dtype=sample_type([Node(CONTROLLER, drive.network), drive.car])).view(np.recarray)
    for node, name in ((drive.controller, "controller"), (drive.car, "car")):
        for array in (CONTROLLER if name == "controller" else CAR).sampled:
            sample[f"{name}_{array}"] = getattr(node, array)
    sample["controller_measurements"]["supervisor"]["state"] = SupervisorState.READY
    sample["controller_measurements"]["vehicle_state"]["friction_left"] = 1.0
    sample["controller_measurements"]["vehicle_state"]["friction_right"] = 1.0
    return sample[0]


@pytest.fixture
def load():
    load = new(TyreLoadState)[0]
    load.vertical_force[:] = 4000.0
    return load


def test_a_car_that_stands_uses_no_friction_though_its_brakes_hold(sample, load, calibration):
    sample.controller_outputs.brakes.front_left = 1000.0
    assert picture(sample, load, calibration)["friction_use"] == [0.0, 0.0, 0.0, 0.0]


def test_friction_use_is_the_force_along_and_across_over_what_the_tyre_can_carry(sample, load, calibration):
    sample.controller_measurements.vehicle_speed.speed = 20.0
    sample.controller_measurements.vehicle_state.friction_left = 0.5
    # 4000 N of load carry 2000 N on the left: 3-4-5, of 1200 N along and 1600 N across.
    torque = 1200.0 * calibration.front.wheel_radius * 2.0 / calibration.front.gear_ratio
    sample.controller_inputs.front.motor_torque = torque
    load.lateral_force[:] = (1600.0, 1600.0, 0.0, 0.0)
    assert picture(sample, load, calibration)["friction_use"] == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=1e-3)


def test_a_brake_acts_against_the_motion_and_the_motor_against_or_with_it(sample, load, calibration):
    sample.controller_outputs.brakes.rear_left = 400.0 * calibration.rear.wheel_radius
    sample.controller_inputs.rear.motor_torque = -800.0 * calibration.rear.wheel_radius / calibration.rear.gear_ratio
    for speed, share in ((20.0, 0.2), (-20.0, 0.0)):
        sample.controller_measurements.vehicle_speed.speed = speed
        assert picture(sample, load, calibration)["friction_use"][2] == pytest.approx(share, abs=1e-3)


def test_what_is_not_known_is_none_and_not_a_number_that_json_has_not(sample, load, calibration):
    sample.controller_inputs.motion.yaw_rate = np.nan
    sample.controller_measurements.vehicle_state.friction_left = np.nan
    shown = picture(sample, load, calibration)
    assert shown["yaw_rate"] is None
    assert shown["friction_use"][0] is None
    json.dumps(shown, allow_nan=False)


def test_the_picture_speaks_the_words_of_the_field(sample, load, calibration):
    sample.car_measurements.phase = Phase.RUN_UP
    shown = picture(sample, load, calibration)
    assert (shown["state"], shown["mode"], shown["gear"], shown["phase"]) == ("READY", "standard", "P", "run-up")
    assert shown["discharge_by"] == "no valid limit"


def test_a_fault_is_told_with_what_it_does_and_whether_it_is_latched(sample):
    supervisor = sample.controller_measurements.supervisor
    supervisor.faults = int(Fault.STEERING_SILENT | Fault.BATTERY_IMMOBILISES)
    supervisor.latched_faults = int(Fault.BATTERY_IMMOBILISES | Fault.PRECHARGE_TIMEOUT)
    lines = {line.name: line for line in fault_lines(supervisor)}
    assert lines["steering silent"].effects == "nothing is withheld"
    assert "main relay opens at once" in lines["battery immobilises"].effects
    assert (lines["battery immobilises"].is_latched, lines["battery immobilises"].is_active) == (True, True)
    assert (lines["precharge timeout"].is_latched, lines["precharge timeout"].is_active) == (True, False)
