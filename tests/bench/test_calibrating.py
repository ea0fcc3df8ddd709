"""A car whose controller is calibrated by a file."""

import pytest

from bench.calibrating import calibration_of, with_calibration
from bench.vehicles import load_vehicle
from hil.calibration.changes import CalibrationError
from hil.calibration.files import write_file

VEHICLE = load_vehicle("leaf_twin_motor")


def test_a_whole_calibration_goes_through_a_file_into_another_car_to_the_bit(tmp_path):
    calibration = calibration_of(VEHICLE)
    write_file(tmp_path / "all.toml", calibration)
    other = calibration_of(with_calibration(load_vehicle("leaf_plus"), tmp_path / "all.toml"))
    assert other.tobytes() == calibration.tobytes()


def test_what_is_not_in_the_file_stays_the_vehicles_own(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[yaw_control]\ngain = 45e3\n")
    changed, own = calibration_of(with_calibration(VEHICLE, path)), calibration_of(VEHICLE)
    assert changed.yaw_control.gain[0] == 45e3 != own.yaw_control.gain[0]
    changed.yaw_control.gain = own.yaw_control.gain
    assert changed.tobytes() == own.tobytes()
    assert with_calibration(VEHICLE, None) is VEHICLE


def test_a_file_that_contradicts_the_vehicles_own_values_is_refused(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[front]\nmotor_temperature_start = 240.0\n")
    with pytest.raises(CalibrationError, match=r"front.motor_temperature_start = 240: must be below"):
        with_calibration(VEHICLE, path)
