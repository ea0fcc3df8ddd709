"""Calibration files: what is written is read again to the bit; what is wrong is refused as a whole, with all that is wrong."""

import numpy as np
import pytest

from bench.calibrating import calibration_of
from bench.calibration_file import FIELDS, read_calibration, with_calibration, write_calibration
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate
from hil.errors import UsageError

VEHICLE = load_vehicle("leaf_twin_motor")


def test_a_whole_calibration_goes_through_a_file_to_the_bit(tmp_path):
    calibration = calibration_of(VEHICLE)
    values = {path: locate(calibration, path)[0].tolist() for path in FIELDS}
    write_calibration(tmp_path / "all.toml", values, ("everything",))
    assert (tmp_path / "all.toml").read_text().startswith("# everything\n")
    other = calibration_of(with_calibration(load_vehicle("leaf_plus"), tmp_path / "all.toml"))
    assert other.tobytes() == calibration.tobytes()


def test_what_is_not_in_the_file_stays_the_vehicles_own(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[yaw_control]\ngain = 45e3\n")
    changed = calibration_of(with_calibration(VEHICLE, path))
    own = calibration_of(VEHICLE)
    assert changed.yaw_control.gain[0] == 45e3 != own.yaw_control.gain[0]
    changed.yaw_control.gain = own.yaw_control.gain
    assert changed.tobytes() == own.tobytes()
    assert with_calibration(VEHICLE, None) is VEHICLE


def test_a_file_with_mistakes_is_refused_with_the_list_of_them(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(
        "[yaw_control]\ngain = 1e9\ngian = 1.0\nenabled = 0.5\nunderseer_share = 1\nundersteer_share = [1.0, 2.0]\n"
        "feed_forward = nan\ndeadband = true\n[driver_demand]\npedal_points = [0.0, 0.1, 0.1, 0.5, 0.75, 1.0]\n"
        "[torque_path]\nrise_rate = 'fast'\n"
    )
    with pytest.raises(UsageError) as caught:
        read_calibration(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: 9 wrong: ")
    assert "\n" not in text
    for part in (
        "yaw_control.gain: 0 to 200000 Nm/(rad/s) was expected, got 1e+09",
        'yaw_control.gian: no such calibration value, did you mean "yaw_control.gain"',
        "yaw_control.enabled: a whole number was expected, got 0.5",
        "yaw_control.understeer_share: 4 numbers was expected, got [1.0, 2.0]",
        "yaw_control.feed_forward: 0 to 2 1 was expected, got nan",
        "yaw_control.deadband: a number was expected, got True",
        "driver_demand.pedal_points: rising values were expected",
        "torque_path.rise_rate: a number was expected, got 'fast'",
    ):
        assert part in text


@pytest.mark.parametrize("value", ["[[1.0, 2.0], [3.0]]", "[]", "[1.0, 'x', 2.0, 3.0]"])
def test_ragged_empty_and_mixed_lists_are_no_values(tmp_path, value):
    path = tmp_path / "wrong.toml"
    path.write_text(f"[yaw_control]\nundersteer_share = {value}\n")
    with pytest.raises(UsageError, match="understeer_share: 4 numbers was expected"):
        read_calibration(path)


def test_the_written_file_tells_units_and_meaning(tmp_path):
    write_calibration(tmp_path / "one.toml", {"torque_path.rise_rate": np.float64(1234.5)})
    assert (tmp_path / "one.toml").read_text() == (
        "[torque_path]\nrise_rate = 1234.5  # [Nm/s] rate of motor torque away from zero\n"
    )
