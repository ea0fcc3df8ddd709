"""The rig of the search: the same drive as ``e4hil drive``, to the bit, over and over."""

from dataclasses import replace

import numpy as np
import pytest

from bench.calibrating import calibration_of
from bench.drive import Drive
from bench.figures import figure_rows
from bench.scenarios import load_scenario
from bench.tuning.rig import KEPT, Prepared, Rig, field_of
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate
from hil.network.database import load_network

VEHICLE = load_vehicle("leaf_twin_motor")
NETWORK = load_network(VEHICLE.network)
CALIBRATION = calibration_of(VEHICLE)


@pytest.fixture(scope="module")
def launch():
    return replace(load_scenario("launch"), duration=1.0, targets={})


@pytest.fixture(scope="module")
def rig():
    return Rig(NETWORK)


def test_every_kept_value_and_every_figure_is_that_of_a_drive_to_the_bit(rig, launch):
    drive = Drive(NETWORK, VEHICLE, launch)
    samples = drive.result(list(drive.chunks(drive.lockstep()))).scenario_samples
    record = rig.run(Prepared(NETWORK, VEHICLE, launch, calibration=CALIBRATION), CALIBRATION)
    assert record.completed
    assert len(record.array) == len(samples) == 100
    for path in KEPT:
        assert np.array_equal(np.asarray(locate(samples, path)), record.array[field_of(path)]), path
    theirs, ours = figure_rows(samples, {}), figure_rows(record.samples, {})
    assert [(row.name, row.value) for row in ours] == [(row.name, row.value) for row in theirs]


def test_a_drive_leaves_nothing_behind_for_the_next_one(rig, launch):
    prepared = Prepared(NETWORK, VEHICLE, launch, calibration=CALIBRATION)
    first = rig.run(prepared, CALIBRATION).array.copy()
    other = CALIBRATION.copy()
    other.torque_path.rise_rate = 300.0
    assert rig.run(prepared, other).array.tobytes() != first.tobytes()
    assert rig.run(prepared, CALIBRATION).array.tobytes() == first.tobytes()


def test_noise_and_delay_of_the_sensors_reach_the_controller_and_repeat(rig, launch):
    quiet = rig.run(Prepared(NETWORK, VEHICLE, launch, calibration=CALIBRATION), CALIBRATION).array.copy()
    seen = []
    for settings in ({"chassis.noise": 1.0}, {"chassis.noise": 1.0, "chassis.noise_seed": 2}, {"chassis.delay": 0.02}):
        prepared = Prepared(NETWORK, VEHICLE, launch, calibration=CALIBRATION, settings=settings)
        array = rig.run(prepared, CALIBRATION).array.copy()
        assert array.tobytes() == rig.run(prepared, CALIBRATION).array.tobytes()
        seen.append(array.tobytes())
    assert len({quiet.tobytes(), *seen}) == 4


def test_a_car_that_never_gets_ready_has_a_record_that_is_not_complete(rig, launch):
    prepared = Prepared(NETWORK, VEHICLE, launch, calibration=CALIBRATION, settings={"battery_controller.interlock_open": 1})
    record = rig.run(prepared, CALIBRATION)
    assert not record.completed
    assert len(record.array) == 0
