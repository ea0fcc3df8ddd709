"""MF4 files: what asammdf reads back is what was sampled."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asammdf import MDF

from bench.drive import CAR, CONTROLLER, DriveResult
from bench.report.measurement import sampled_record, write_mf4
from firmware_model.kernel.records import locate, real, record
from hil.errors import UsageError
from hil.node import NodeSpec

LEAVES = [
    (f"{node.name}.{name}.{path}", f"{node.name}_{name}", path, field)
    for node in (CONTROLLER, CAR)
    for name in node.sampled
    for path, field in sampled_record(node, name).fields()
]


@record
class Wheels:
    """Four of a kind."""

    friction = real("1", "friction under each wheel", shape=(4,))
    temperature = real("degC", "temperature of the tyres", shape=(2, 2))


@pytest.fixture
def measurement(tmp_path: Path, drive: DriveResult) -> Any:
    write_mf4(tmp_path / "drive.mf4", drive.samples, comment="by a test", start=datetime(2026, 1, 2, tzinfo=UTC))
    with MDF(tmp_path / "drive.mf4") as mdf:
        yield mdf


def test_every_leaf_is_a_channel_with_its_values_unit_and_description(measurement: MDF, drive: DriveResult) -> None:
    assert len(LEAVES) > 300
    for name, column, path, field in LEAVES:
        signal = measurement.get(name, raw=True)
        np.testing.assert_array_equal(signal.samples, locate(drive.samples[column], path), err_msg=name)
        assert signal.unit == ("" if field.unit == "1" else field.unit)
        assert signal.comment == field.description


def test_nothing_else_is_in_the_file(measurement: MDF) -> None:
    assert {name for name in measurement.channels_db if name != "time"} == {name for name, *_ in LEAVES}


def test_time_is_the_master_of_every_group(measurement: MDF, drive: DriveResult) -> None:
    for index, group in enumerate(measurement.groups):
        np.testing.assert_array_equal(measurement.get_master(index), drive.samples["time"])
        assert (group.channels[0].name, group.channels[0].unit) == ("time", "s")


def test_every_sampled_record_is_a_group(measurement: MDF) -> None:
    assert [group.channel_group.acq_name for group in measurement.groups] == [
        "controller.inputs",
        "controller.outputs",
        "controller.measurements",
        "car.measurements",
    ]


def test_enumerations_are_read_as_text(measurement: MDF) -> None:
    states = measurement.get("controller.measurements.supervisor.state").samples
    assert states[0] == b"PRECHARGE"
    assert states[-1] == b"READY"
    assert set(measurement.get("controller.outputs.power.gear").samples) == {b"PARK", b"DRIVE"}


def test_date_and_comment_are_in_the_header(measurement: MDF) -> None:
    assert measurement.header.start_time == datetime(2026, 1, 2, tzinfo=UTC)
    assert "by a test" in measurement.header.comment


def test_elements_of_an_array_are_channels_of_their_own(tmp_path: Path) -> None:
    node = NodeSpec("car", "nowhere.step", False, state=Wheels, measurements=Wheels, parameters=Wheels)
    samples = np.zeros(3, dtype=[("time", "f8"), ("car_measurements", Wheels.dtype)])
    samples["time"] = [0.0, 0.01, 0.02]
    samples["car_measurements"]["friction"][:, 2] = [1.0, 2.0, 3.0]
    samples["car_measurements"]["temperature"][:, 1, 0] = 40.0
    write_mf4(tmp_path / "wheels.mf4", samples, [node])
    with MDF(tmp_path / "wheels.mf4") as mdf:
        assert list(mdf.get("car.measurements.friction[2]").samples) == [1.0, 2.0, 3.0]
        assert list(mdf.get("car.measurements.temperature[1][0]").samples) == [40.0] * 3
        assert "car.measurements.friction[4]" not in mdf.channels_db


def test_the_file_is_compressed(tmp_path: Path, make_drive: Any) -> None:
    samples = make_drive(seconds=60.0).samples
    write_mf4(tmp_path / "drive.mf4", samples)
    assert (tmp_path / "drive.mf4").stat().st_size < samples.nbytes / 10


def test_a_failure_leaves_no_file_behind(tmp_path: Path, drive: DriveResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MDF, "save", save)
    with pytest.raises(UsageError, match="No space left on device"):
        write_mf4(tmp_path / "drive.mf4", drive.samples)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_asammdf_says_what_to_install(tmp_path: Path, drive: DriveResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asammdf", None)
    with pytest.raises(UsageError, match=r'pip install "e4orce-hil\[report\]"'):
        write_mf4(tmp_path / "drive.mf4", drive.samples)
