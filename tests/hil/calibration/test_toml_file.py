"""Calibrations as TOML."""

import re

import numpy as np
import pytest

from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from firmware_model.kernel.records import locate
from hil.calibration.changes import CalibrationError
from hil.calibration.table import VERSION
from hil.calibration.toml_file import read_values, write_calibration
from hil.errors import UsageError


def other_calibration():
    calibration = new(Calibration)
    calibration.vehicle.mass = 1900.1
    calibration.front.error_mask = 3
    calibration.driver_demand.force_eco[0, 1, 2] = 123.456789012345
    return calibration


def refused(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(CalibrationError) as caught:
        read_values(path).on(new(Calibration))
    assert str(caught.value) == f"{path}: {'; '.join(caught.value.findings)}"
    return caught.value.findings


def test_what_is_written_reads_back_to_the_bit(tmp_path):
    path, calibration = tmp_path / "c.toml", other_calibration()
    write_calibration(path, calibration)
    assert read_values(path).on(new(Calibration)).tobytes() == calibration.tobytes()
    assert f'version = "{VERSION}"' in path.read_text()
    assert "vehicle.mass = 1900.1  # [kg] mass of the car with its driver" in path.read_text()


def test_only_what_differs_is_written_and_the_rest_comes_from_the_base(tmp_path):
    path, calibration = tmp_path / "c.toml", other_calibration()
    write_calibration(path, calibration, base=new(Calibration))
    assert set(read_values(path).values) == {"vehicle.mass", "front.error_mask", "driver_demand.force_eco"}
    base = new(Calibration)
    base.yaw_control.gain = 1.0
    read = read_values(path).on(base)
    assert read.yaw_control.gain[0] == 1.0
    assert read.vehicle.mass[0] == 1900.1


def test_a_few_lines_by_hand_are_a_calibration_as_tables_too(tmp_path):
    (tmp_path / "c.toml").write_text("[vehicle]\nmass = 2000\n[yaw_control]\nenabled = false\n")
    read = read_values(tmp_path / "c.toml").on(new(Calibration))
    assert (read.vehicle.mass[0], read.yaw_control.enabled[0]) == (2000.0, 0)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("vehicle.mas = 1.0", 'vehicle.mas: no such value, did you mean "vehicle.mass"?'),
        ("vehicle.mass = nan", "vehicle.mass = nan: allowed is 500 to 5000 kg"),
        ("vehicle.mass = 1e9", "vehicle.mass = 1e+09: allowed is 500 to 5000 kg"),
        ('vehicle.mass = "heavy"', "vehicle.mass = 'heavy': expected a number"),
        ("vehicle.mass = [1.0]", "vehicle.mass = [1.0]: expected a number"),
        ("vehicle.mass.x = 1.0", "vehicle.mass.x: no such value"),
        ("front.error_mask = 1.5", "front.error_mask = 1.5: expected a whole number"),
        ("front.error_mask = nan", "front.error_mask = nan: expected a whole number"),
        ("driver_demand.pedal_points = [0.0, 1.0]", "driver_demand.pedal_points = [0.0, 1.0]: expected 6 numbers"),
        (
            "driver_demand.force_eco = [[1.0], [1.0, 2.0]]",
            "driver_demand.force_eco = [[1.0], [1.0, 2.0]]: expected 6 x 8 numbers",
        ),
        (
            "driver_demand.pedal_points = [0.0, 0.3, 0.2, 0.5, 0.75, 1.0]",
            "driver_demand.pedal_points: must rise from point to point; 0.3 is followed by 0.2",
        ),
        (
            "discharge_limiter.hot_zero = 50.0",
            "discharge_limiter.hot_full = 50: must be below discharge_limiter.hot_zero = 50",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(tmp_path, line, finding):
    (found,) = refused(tmp_path, line + "\n")
    assert found.startswith(finding.rstrip("?"))


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    found = refused(tmp_path, "vehicle.mass = nan\nvehicle.height = 1.0\nfront.gear_ratio = 0\n")
    assert len(found) == 3


def test_a_file_that_holds_all_values_is_refused_if_one_is_missing(tmp_path):
    write_calibration(tmp_path / "all.toml", new(Calibration))
    text = re.sub(r"^vehicle\.wheelbase.*\n", "", (tmp_path / "all.toml").read_text(), flags=re.MULTILINE)
    assert refused(tmp_path, text) == ["vehicle.wheelbase: missing"]


def test_of_another_version_is_told_what_is_new_gone_and_out_of_range(tmp_path):
    write_calibration(tmp_path / "all.toml", new(Calibration))
    text = (tmp_path / "all.toml").read_text().replace(VERSION, "01234567")
    text = text.replace("vehicle.wheelbase = ", "vehicle.wheel_base = ").replace("vehicle.mass = 1875.0", "vehicle.mass = 9e9")
    found = refused(tmp_path, text)
    assert found[0] == f'version = "01234567": the table of calibration values has version "{VERSION}"'
    assert 'vehicle.wheel_base: gone, did you mean "vehicle.wheelbase"' in found
    assert "vehicle.wheelbase: new" in found
    assert "vehicle.mass = 9e+09: allowed is 500 to 5000 kg" in found
    assert found[-1] == "e4hil calibration import takes over what fits"
    assert len(found) == 5


def test_what_fits_of_another_version_is_taken_over_on_demand(tmp_path):
    (tmp_path / "c.toml").write_text('version = "01234567"\nvehicle.mass = 2000.0\nvehicle.hight = 1\nfront.gear_ratio = 99\n')
    adapted, told = read_values(tmp_path / "c.toml").adapted_to(new(Calibration))
    assert adapted.vehicle.mass[0] == 2000.0
    assert adapted.front.gear_ratio[0] == new(Calibration).front.gear_ratio[0]
    assert [line.split(" ")[0] for line in told] == ["version", "vehicle.hight:", "front.gear_ratio"]


def test_a_file_that_was_cut_off_anywhere_is_refused(tmp_path):
    path, cut = tmp_path / "c.toml", tmp_path / "cut.toml"
    write_calibration(path, other_calibration(), base=new(Calibration))
    text = path.read_text()
    begin, end = text.index("contents"), text.index("is_whole = true")
    for length in range(begin + len('contents = "changes"'), end + len("is_whole = true")):
        cut.write_text(text[:length])
        with pytest.raises(UsageError):
            read_values(cut).on(new(Calibration))
    cut.write_text(text[: end + len("is_whole = true")])
    assert read_values(cut).values == read_values(path).values


@pytest.mark.parametrize("text", ["", "= nonsense", 'contents = "half"\n', "contents = [1]\n", "version = 3\n"])
def test_what_is_no_calibration_is_told_in_one_line(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    if not text:
        assert read_values(tmp_path / "c.toml").on(new(Calibration)).tobytes() == new(Calibration).tobytes()
        return
    with pytest.raises(UsageError) as caught:
        read_values(tmp_path / "c.toml").on(new(Calibration))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "c.toml") in str(caught.value)


def test_the_base_stays_as_it_was(tmp_path):
    base = new(Calibration)
    (tmp_path / "c.toml").write_text("vehicle.mass = 2000.0\n")
    read_values(tmp_path / "c.toml").on(base)
    assert base.tobytes() == new(Calibration).tobytes()
    np.testing.assert_array_equal(locate(base, "vehicle.mass"), [1875.0])
