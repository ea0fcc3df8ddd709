"""Measured currents through the plant's pack, and the refusal of files that are no such measurements."""

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.plant.battery import BatteryState
from bench.validation import cells
from bench.vehicles import load_vehicle, with_pack
from firmware_model.kernel import new
from hil.errors import UsageError

DRIVE_HEADER = "t_s,V_pack,I_pack_A(neg=discharge),soc_pct\n"


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return write_file


def message_of(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- measurements -----------------------------------------------------------------------------------------------------


@needs_compiler
def test_the_packs_voltage_is_the_measured_one_within_half_a_volt_over_a_drive(shared_data):
    drive = cells.replay_drive(shared_data)
    peak = int(np.argmax(drive.current))
    assert drive.current[peak] > 470.0
    assert abs(drive.error[peak]) < 1.5
    assert drive.rms < 0.5
    assert abs(np.mean(drive.error)) < 0.05


@needs_compiler
@pytest.mark.parametrize("name", cells.PULSE_TESTS)
def test_the_cells_voltage_is_the_measured_one_within_ten_millivolts_over_a_pulse_test(shared_data, name):
    test = cells.replay_pulse_test(shared_data, name)
    assert len(test.time) > 12000
    assert test.measured[-1] == pytest.approx(3.0, abs=0.01)  # to the end
    assert test.rms < 10e-3
    assert test.rms_over_time < 10e-3


@needs_compiler
def test_the_cell_holds_at_a_temperature_between_those_it_was_fitted_to(shared_data):
    table = cells.read_test(shared_data / "cell_hppc" / "discharge_1C.csv")
    end = int(np.argmax(table[:, 1] == 3))  # rest after the first discharge
    time, current, voltage = (table[:end, column].copy() for column in (cells.TIME, cells.CURRENT, cells.VOLTAGE))
    pack = with_pack(load_vehicle("leaf_plus"), chemistry=cells.PULSE_CELL).parameters[0].battery
    pack.series = pack.parallel = 1
    pack.state_of_health, pack.heat_capacity = cells.PULSE_HEALTH, cells.CHAMBER
    state = new(BatteryState)[0]
    state.state_of_charge, state.temperature = 1.0, 26.0  # three thermocouples: 25 to 28 degC
    replayed = cells.replay("1C", time, current, voltage, pack, state)
    drawn = np.cumsum(current * np.diff(time, prepend=time[0]))
    steep = drawn > 0.9 * drawn[-1]
    assert np.sqrt(np.mean(replayed.error[~steep] ** 2)) < 12e-3
    assert replayed.rms < 20e-3


@needs_compiler
def test_another_cell_would_miss_the_targets(shared_data, monkeypatch):
    monkeypatch.setattr(cells, "PULSE_CELL", "nmc_leaf")
    monkeypatch.setattr(cells, "DRIVE_HEALTH", 0.3)
    assert cells.replay_drive(shared_data).rms > 0.5
    assert all(cells.replay_pulse_test(shared_data, name).rms > 10e-3 for name in cells.PULSE_TESTS)


@pytest.mark.parametrize("name", cells.LIMIT_PACKS)
def test_limits_are_those_that_were_observed(shared_data, name):
    points = cells.limit_points(shared_data, name)
    assert len(points) >= 4
    assert max(point.charge_error for point in points) <= 3.0
    assert max(point.discharge_error for point in points) <= 0.25


def test_limits_that_differ_from_the_observed_ones_show(shared_data, write):
    text = (shared_data / cells.LIMITS).read_text(encoding="utf-8").replace("59.9,360.0,110.0,70.0", "59.9,360.0,100.0,90.0")
    points = cells.limit_points(write(cells.LIMITS, text), "leaf_40")
    assert max(point.charge_error for point in points) == pytest.approx(20.0, abs=3.0)
    assert max(point.discharge_error for point in points) == pytest.approx(10.0)


def test_error_counts_samples_or_seconds_alike():
    replay = cells.Replay("x", np.array([0.0, 1.0, 4.0]), np.zeros(3), np.zeros(3), np.array([0.0, 1.0, 2.0]))
    assert replay.rms == pytest.approx(np.sqrt(5.0 / 3.0))
    assert replay.rms_over_time == pytest.approx(np.sqrt(13.0 / 4.0))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t_s,V_pack\n0,390\n", "missing: I_pack_A(neg=discharge), soc_pct"),
        (DRIVE_HEADER, "expected rows below the header, got none"),
        (DRIVE_HEADER + "0,390,-5,90\n0.1,39o,-5,90\n", "line 3: V_pack: expected a number or a range, got '39o'"),
        (DRIVE_HEADER + "0,390,-5,90\n0.1,390,-5\n", "line 3: soc_pct: expected a number or a range, got None"),
        (DRIVE_HEADER + "0,390,-5,90\n0.1,nan,-5,90\n", "line 3: V_pack: expected a finite number, got 'nan'"),
        (DRIVE_HEADER + "0,390,-5,90\n0,390,-5,90\n", "t_s: expected two rising times at least"),
    ],
)
def test_a_drive_that_is_none_is_refused(write, text, message):
    data = write(cells.DRIVE, text)
    found = message_of(cells.replay_drive, data)
    assert found.startswith(f"{data / cells.DRIVE}: ")
    assert found.endswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected a pulse test with a rest of the full cell, step 5"),
        ("No,1.0,1,1,1,1,3,1.0,0.0,3.1\n", "expected a pulse test with a rest of the full cell, step 5"),
        ("No,1.0,1,1,1,1,5,1.0,0.0,x\n", "line 1: expected numbers for time, step, current and voltage"),
        ("No,1.0,1,1\n", "line 1: expected numbers for time, step, current and voltage"),
        ("No,2,1,1,1,1,5,1,0,3.1\nNo,1,1,1,1,1,5,1,0,3.1\n", "expected times that rise"),
    ],
)
def test_a_pulse_test_that_is_none_is_refused(write, text, message):
    data = write("cell_hppc/hppc_10C.csv", text)
    assert message_of(cells.replay_pulse_test, data, "hppc_10C.csv") == f"{data / 'cell_hppc' / 'hppc_10C.csv'}: {message}"


def test_files_that_are_missing_or_no_text_are_refused(tmp_path):
    assert "drive_accel_regen.csv: no such file" in message_of(cells.replay_drive, tmp_path)
    assert "hppc_40C.csv: no such file" in message_of(cells.replay_pulse_test, tmp_path, "hppc_40C.csv")
    assert "lbc_limits_observed.csv: no such file" in message_of(cells.limit_points, tmp_path, "leaf_40")
    (tmp_path / "leaf_ze1").mkdir()
    (tmp_path / cells.DRIVE).write_bytes(b"\xff\xfe\x00")
    assert "drive_accel_regen.csv: is not a text file in UTF-8" in message_of(cells.replay_drive, tmp_path)
