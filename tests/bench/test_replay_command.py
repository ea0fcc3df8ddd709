import json
import sys

import can
import numpy as np
import pytest
from asammdf import MDF
from leaf_frames import crc8, drive, line, sealed

from bench.cli import main
from bench.commands.replay import parse_bus_config, run
from bench.replay import NOT_RUN, CaptureReplay
from bench.replay_rows import replay_rows
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate
from firmware_model.measurements import Measurements
from firmware_model.signals import Outputs
from hil.captures import read_capture
from hil.errors import UsageError

FULL_THROTTLE = "ze0_full_throttle.gvret.txt"
PUMP_BRAKE = "ze0_pump_brake.gvret.csv"
INVERTER_ALONE = "ze1_inverter_alone.savvycan.csv"
FILES = ("frames.blf", "frames.log", "measurement.mf4", "report.html")


@pytest.fixture
def log_of(tmp_path):
    """Writes lines into a log file."""

    def write(lines):
        path = tmp_path / "drive.log"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def replayed(capsys):
    """Replays a capture; returns the JSON that the command prints, and its rows by name."""

    def replay(path, bus_config=(), vehicle="leaf_plus", network=None, out=None):
        run(path, list(bus_config), vehicle, network, out, True)
        printed = json.loads(capsys.readouterr().out)
        return printed, {row["name"]: row for row in printed["rows"]}

    return replay


def raw_frames(path):
    """Identifier and bytes of every frame of a GVRET text, without the product's reader."""
    fields = [text.split() for text in path.read_text().splitlines() if " R11 " in text]
    return [(int(field[2], 16), bytes.fromhex("".join(field[3:]))) for field in fields]


def signed(raw, bits):
    return raw - (1 << bits) if raw >> (bits - 1) else raw


# --- three recordings of real parts ---------------------------------------------------------------------------------------


def test_the_peaks_of_a_real_drive_are_those_of_its_raw_bytes(shared_data, replayed):
    path = shared_data / "captures" / FULL_THROTTLE
    frames = raw_frames(path)
    requested = [signed(data[2] << 4 | data[3] >> 4, 12) * 0.25 for identifier, data in frames if identifier == 0x1D4]
    delivered = [signed((data[2] & 7) << 8 | data[3], 11) * 0.5 for identifier, data in frames if identifier == 0x1DA]
    speeds = [signed(data[4] << 7 | data[5] >> 1, 15) for identifier, data in frames if identifier == 0x1DA]
    packs = [data for identifier, data in frames if identifier == 0x1DB]
    powers = [signed(data[0] << 3 | data[1] >> 5, 11) * -0.5 * (data[2] << 2 | data[3] >> 6) * 0.5 for data in packs]
    shaft = max(torque * speed * 2 * np.pi / 60 for torque, speed in zip(delivered, speeds, strict=True))

    printed, rows = replayed(path)

    assert (printed["network"], rows["format"]["value"]) == ("leaf_ze0", "GVRET text (CRTD)")
    assert rows["frames"]["value"] == len(frames) == 22424
    assert rows["peak motor torque requested"]["value"] == max(requested) == 280.0
    assert rows["peak motor torque delivered"]["value"] == max(delivered) == 284.5
    assert rows["peak motor speed"]["value"] == pytest.approx(max(speeds)) == 2953
    assert rows["peak power out of the battery"]["value"] == pytest.approx(max(powers) * 1e-3)
    assert rows["peak power into the battery"]["value"] == pytest.approx(-min(powers) * 1e-3)
    assert rows["peak shaft power"]["value"] == pytest.approx(shaft * 1e-3)
    assert 90.0 < max(powers) * 1e-3 < 91.0


def test_all_crcs_of_a_real_drive_are_right(shared_data, replayed):
    path = shared_data / "captures" / FULL_THROTTLE
    frames = raw_frames(path)
    protected = [
        (identifier, data) for identifier, data in frames if identifier in (0x11A, 0x1D4, 0x1DA, 0x1DB, 0x1DC, 0x50C, 0x55B)
    ]
    assert all(crc8(data[:-1]) == data[-1] for _, data in protected)
    summed = sum(identifier == 0x1F2 for identifier, _ in frames)

    _, rows = replayed(path)

    row = rows["CRCs right"]
    assert (row["value"], row["target"], row["passed"]) == (100.0, "100", True)
    assert row["note"] == f"{len(protected) + summed} of {len(protected) + summed} frames with CRC or sum"
    assert len(protected) + summed == 17923
    assert (rows["frozen counters"]["value"], rows["frames lost"]["value"]) == (0, 0)


def test_every_identifier_of_a_real_drive_is_listed_with_its_frames_and_period(shared_data, replayed):
    path = shared_data / "captures" / FULL_THROTTLE
    counts = {}
    for identifier, _ in raw_frames(path):
        counts[f"0x{identifier:03X}"] = counts.get(f"0x{identifier:03X}", 0) + 1

    printed, rows = replayed(path)

    assert {entry["identifier"]: entry["frames"] for entry in printed["identifiers"]} == counts
    request = next(entry for entry in printed["identifiers"] if entry["identifier"] == "0x1D4")
    assert request["message"] == "TorqueRequest"
    assert request["period_ms"] == pytest.approx(10.0, abs=0.1)
    assert request["longest_ms"] == pytest.approx(20.0, abs=0.1)
    unknown = ["0x284", "0x380", "0x50A", "0x54A", "0x54B", "0x54C", "0x54F", "0x56E", "0x5A9", "0x5B9", "0x5BF"]
    assert rows["unknown identifiers"]["note"] == ", ".join(unknown)
    assert (
        next(entry for entry in printed["identifiers"] if entry["identifier"] == "0x284")["message"]
        == "(chassis: WheelSpeedsFront)"
    )


def test_the_controller_gives_a_real_drive_the_torque_it_requested(shared_data, replayed):
    """The 24 kWh pack allowed 110 kW, of which the drive took 82 %: there is nothing to cut."""
    _, rows = replayed(shared_data / "captures" / FULL_THROTTLE)
    assert rows["controller: peak motor torque"]["value"] == 280.0
    assert rows["controller: largest torque cut"]["value"] == 0
    assert rows["controller: monitor trips"]["value"] == 0
    assert rows["discharge limit used at most"]["value"] == pytest.approx(82.2, abs=0.1)
    assert rows["controller: lowest discharge limit"]["value"] == 110.0
    # The loss model of another car's motor, and the real one's pack, agree within a few percent.
    assert rows["controller: peak predicted power"]["value"] == pytest.approx(
        rows["peak power out of the battery"]["value"], rel=0.05
    )


def test_a_recording_of_another_generation_than_the_calibration_says_so(shared_data, replayed):
    _, rows = replayed(shared_data / "captures" / FULL_THROTTLE)
    row = rows["controller: calibration"]
    assert row["value"] == "leaf_plus"
    assert "another generation (ZE0)" in row["note"]


def test_a_jump_of_the_clock_is_told_and_no_frame_is_lost_by_it(shared_data, replayed):
    printed, rows = replayed(shared_data / "captures" / PUMP_BRAKE)
    assert rows["frames"]["value"] == 8189
    assert (rows["clock jumps"]["value"], rows["clock jumps"]["note"]) == (1, "-581.773 s")
    assert any("jumps back by 581.773 s" in note for note in printed["notes"])
    assert (rows["CRCs right"]["value"], rows["frames lost"]["value"]) == (100.0, 0)
    assert rows["peak motor torque requested"]["value"] == 0.0


def test_an_inverter_alone_has_no_battery_and_no_controller(shared_data, replayed):
    printed, rows = replayed(shared_data / "captures" / INVERTER_ALONE)
    assert printed["network"] == "leaf_ze1"
    assert (rows["frames"]["value"], rows["CRCs right"]["value"]) == (8713, 100.0)
    assert rows["unknown identifiers"]["value"] == 0
    codes = rows["trouble codes of the front inverter"]
    assert codes["value"] == 6
    assert codes["note"].startswith("P0A3F at 0.60 s, U1000 at 2.02 s, P0A2D at 2.03 s")
    assert codes["note"].endswith("P318E at 2.06 s")
    assert rows["peak motor torque delivered"]["value"] == 0.0
    assert rows["peak motor speed"]["value"] == "invalid"  # 0x7FFE in every frame
    without = (
        "peak motor torque requested",
        "peak power out of the battery",
        "discharge limit of the battery",
        "discharge limit used at most",
        "state of charge at the end",
        "controller: peak motor torque",
        "controller: lowest discharge limit",
        "controller: largest torque cut",
        "controller: monitor trips",
        "torque request",
        "pack voltage and current",
        "pedals",
        "steering wheel",
        "rear wheel speeds",
    )
    assert {rows[name]["value"] for name in without} == {"no input"}
    assert "front inverter" not in rows


# --- made recordings ------------------------------------------------------------------------------------------------------


def test_a_cut_by_the_limiter_is_told_with_its_size_and_cause(log_of, replayed):
    _, rows = replayed(log_of(drive(3.0, request=250.0, rpm=3000, discharge=20e3)), network="leaf_ze0")
    row = rows["controller: largest torque cut"]
    assert row["value"] > 180.0
    assert "battery limit" in row["note"]
    assert rows["controller: peak predicted power"]["value"] <= 20.0


def test_a_flipped_bit_fails_the_row_and_the_strict_run(log_of, replayed, monkeypatch, capsys):
    lines = drive(1.0)
    place = next(index for index, text in enumerate(lines) if " 1DC#" in text)
    lines[place] = f"{lines[place][:-1]}{int(lines[place][-1], 16) ^ 1:X}"
    path = log_of(lines)
    _, rows = replayed(path, network="leaf_ze0")
    assert rows["CRCs right"]["passed"] is False
    assert rows["CRCs right"]["value"] < 100.0
    monkeypatch.setattr(sys, "argv", ["e4hil", "replay", str(path), "--network", "leaf_ze0", "--strict", "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    capsys.readouterr()


def test_two_motors_are_told_apart(log_of, replayed):
    rear = [text for text in drive(2.0, request=-80.0, rpm=-1000, channel="can1") if " 1DA#" in text or " 1D4#" in text]
    lines = sorted([*drive(2.0, request=120.0, rpm=1000), *rear])
    _, rows = replayed(log_of(lines), network="leaf_ze0", vehicle="leaf_twin_motor")
    assert rows["channels"]["value"] == "can0=front, can1=rear"
    assert rows["peak front motor torque requested"]["value"] == 120.0
    assert rows["peak rear motor torque requested"]["value"] == 80.0  # the rear motor is mounted turned round
    assert rows["peak rear motor speed"]["value"] == pytest.approx(1000)
    assert rows["controller: peak rear motor torque"]["value"] == 80.0
    assert rows["peak shaft power"]["value"] == pytest.approx((120.0 + 80.0) * 1000 * 2 * np.pi / 60 * 1e-3)


def test_a_motor_that_the_vehicle_does_not_have_is_told(log_of, replayed):
    rear = [text for text in drive(0.5, channel="can1") if " 1DA#" in text or " 1D4#" in text]
    printed, _ = replayed(log_of(sorted([*drive(0.5), *rear])), network="leaf_ze0", vehicle="leaf_plus")
    assert "The recording has a rear motor, leaf_plus has none; name the car with --vehicle." in printed["notes"]


def test_a_channel_that_was_not_named_is_left_out_and_told(log_of, replayed):
    lines = sorted([*drive(0.5), *drive(0.5, channel="can1")])
    printed, rows = replayed(log_of(lines), ["can1=front"], network="leaf_ze0")
    assert rows["channels"]["value"] == "can1=front"
    frames = len(drive(0.5))
    assert f"Channel can0 ({frames} frames) is left out; --bus-config can0=BUS puts it on a bus." in printed["notes"]
    assert rows["channels"]["note"] == f"{frames} frames of other channels left out"


def test_a_generation_that_cannot_be_told_is_told(log_of, replayed):
    lines = [text for text in drive(0.5) if " 5C0#" not in text]
    printed, _ = replayed(log_of(lines))
    assert any("--network chooses" in note for note in printed["notes"])


def test_frames_of_another_length_get_a_row_of_their_own(log_of, replayed):
    _, rows = replayed(log_of([*drive(0.2), line(0.3, 0x55B, bytes(7))]), network="leaf_ze0")
    assert (rows["frames of another length"]["value"], rows["frames of another length"]["note"]) == (1, "0x55B")


def test_without_a_temperature_the_limiter_says_what_it_reckons_with(log_of, replayed):
    lines = [text for text in drive(1.0, request=50.0) if " 5C0#" not in text]
    _, rows = replayed(log_of(lines), network="leaf_ze0")
    assert (rows["pack temperature"]["value"], rows["pack temperature"]["note"]) == ("no input", "the limiter reckons with 25 °C")
    assert rows["controller: peak motor torque"]["value"] == 50.0


def test_recorded_pedals_are_not_followed_and_that_is_told(log_of, replayed):
    pedals = [line(0.0005 + 0.01 * tick, 0x112, sealed([0, 0, 0, 0, 0, 0, tick % 16]), "can1") for tick in range(50)]
    lines = sorted([*drive(0.5), *pedals])
    printed, rows = replayed(log_of(lines), ["can0=front", "can1=chassis"], network="leaf_ze0")
    assert "The pedals were recorded, too, but the recorded torque request is the driver's demand." in printed["notes"]
    assert "pedals" not in rows


def test_a_single_frame_is_a_recording(log_of, replayed):
    _, rows = replayed(log_of([drive(0.01)[0]]), network="leaf_ze0")
    assert (rows["frames"]["value"], rows["duration"]["value"]) == (1, 0.0)


# --- files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(shared_data, tmp_path_factory):
    """The folder of a replay of the real drive."""
    out = tmp_path_factory.mktemp("replay") / "out"
    run(shared_data / "captures" / FULL_THROTTLE, [], "leaf_plus", None, out, True)
    return out


def test_report_measurement_and_frames_are_written(written):
    assert sorted(path.name for path in written.iterdir()) == sorted(FILES)


def test_the_frames_are_written_whole(written, shared_data):
    frames = raw_frames(shared_data / "captures" / FULL_THROTTLE)
    with can.BLFReader(written / "frames.blf") as reader:
        assert [(message.arbitration_id, bytes(message.data)) for message in reader] == frames
    again = read_capture(written / "frames.log")
    assert (len(again.frames), again.channels) == (22424, ("front",))


def test_the_measurement_holds_every_value_at_the_time_of_its_frame(written, shared_data):
    path = shared_data / "captures" / FULL_THROTTLE
    raw = [data for identifier, data in raw_frames(path) if identifier == 0x1D4]
    with MDF(written / "measurement.mf4") as mdf:
        torque = mdf.get("front.TorqueRequest.MotorTorque")
        assert (len(torque.samples), torque.unit) == (2939, "Nm")
        np.testing.assert_array_equal(torque.samples, [signed(data[2] << 4 | data[3] >> 4, 12) * 0.25 for data in raw])
        limit = mdf.get("controller.measurements.discharge_limiter.discharge_limit")
        assert (limit.samples.max(), limit.unit) == (110e3, "W")


def test_a_signal_that_takes_turns_is_measured_only_at_its_turns(written):
    with MDF(written / "measurement.mf4") as mdf:
        highest = mdf.get("front.BatteryExtremes.TemperatureHighest")
        assert 58 // 3 <= len(highest.samples) <= 58 // 3 + 1
        assert set(highest.samples.tolist()) == {20.0}


def test_nothing_that_was_not_recorded_or_computed_is_in_the_measurement(written):
    with MDF(written / "measurement.mf4") as mdf:
        names = set(mdf.channels_db)
    assert not [name for name in names if name.startswith(NOT_RUN) or ".pedals." in name or name.startswith("chassis.")]
    assert "controller.measurements.power_budget.predicted_power" in names


def test_a_recording_without_a_date_gets_none(written):
    with MDF(written / "measurement.mf4") as mdf:
        assert mdf.header.start_time.year == 1970
        assert "holds no date" in mdf.header.comment


def test_what_is_left_out_of_the_measurement_is_what_the_controller_leaves_untouched(shared_data):
    """NaN is put into every real value before the run; what is NaN afterwards was not computed."""
    replay = CaptureReplay(read_capture(shared_data / "captures" / FULL_THROTTLE), load_vehicle("leaf_plus"), None, {})
    node = replay.engine.controller
    reals = []
    for name, record, array in (("measurements", Measurements, node.measurements), ("outputs", Outputs, node.outputs)):
        for path, field in record.fields():
            if field.dtype == "f8":
                reals.append((f"controller.{name}.{path}", locate(array, path)))
                locate(array, path)[...] = np.nan
    replay.result()
    for path, values in reals:
        assert np.isnan(values).all() == path.startswith(NOT_RUN), path


def test_the_report_shows_what_was_recorded_and_names_what_was_not(written):
    page = (written / "report.html").read_text()
    for heading in ("Torque", "Power and its limits", "Battery", "States and faults", "Identifiers", "Regularity of the frames"):
        assert f"<h2>{heading}</h2>" in page
    assert "No input: highest cell." in page
    assert "0x1D4" in page
    assert "http://" not in page.replace("http://www.w3.org", "").split("<script>")[0]


def test_the_report_of_an_inverter_alone_draws_no_battery(shared_data, tmp_path):
    run(shared_data / "captures" / INVERTER_ALONE, [], "leaf_plus", None, tmp_path / "out", True)
    page = (tmp_path / "out" / "report.html").read_text()
    power = page[page.index("<h2>Power and its limits</h2>") : page.index("<h2>Motor</h2>")]
    assert "<figure" not in power
    assert "No input: battery&#x27;s discharge limit" in power
    assert "<h2>Unknown identifiers</h2>" not in page
    assert "P0A3F at 0.60 s, U1000 at 2.02 s" in page


def test_an_unknown_identifier_is_shown_with_its_bytes(shared_data, tmp_path):
    # Only networks of inverters from 2018 on know the broadcast of trouble codes.
    content = (shared_data / "captures" / FULL_THROTTLE).read_text()
    path = tmp_path / "with_code.gvret.txt"
    path.write_text(content + "543.000000 R29 18CC078C 18 CC 07 8C 0A 3F 00 \n")
    run(path, [], "leaf_plus", None, tmp_path / "out", True)
    page = (tmp_path / "out" / "report.html").read_text()
    unknown = page[page.index("<h2>Unknown identifiers</h2>") : page.index("<h2>Regularity of the frames</h2>")]
    assert "0x18CC078C" in unknown
    assert "18 CC 07 8C 0A 3F 00" in unknown


# --- wrong input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (bytes(range(256)) * 40, "unknown"),
        (b"hello\nworld\n" * 20, "unknown format"),
        ("\n".join(line(k * 0.01, 0x2C4, bytes(8)) for k in range(30)).encode(), "holds no frame of leaf_aze0"),
        (
            "\n".join(line(k * 0.01, 0x1DB, bytes([k, 2 * k, 7, 7, 7, 7, 7, 99])) for k in range(30)).encode(),
            "probably of another car",
        ),
    ],
    ids=["empty", "noise", "text", "no identifier", "no crc"],
)
def test_a_file_that_is_no_recording_of_a_leaf_ends_with_one_line_and_no_folder(tmp_path, monkeypatch, capsys, content, message):
    path = tmp_path / "capture"
    path.write_bytes(content)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["e4hil", "replay", str(path), "--out", str(out)])
    with pytest.raises(SystemExit) as exit_:
        main()
    printed = capsys.readouterr()
    assert exit_.value.code == 2
    assert message in printed.err
    assert str(path) in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not out.exists()


def test_a_recording_that_is_cut_off_is_replayed_as_far_as_it_goes(shared_data, tmp_path, replayed):
    whole = (shared_data / "captures" / FULL_THROTTLE).read_bytes()
    path = tmp_path / "cut.txt"
    path.write_bytes(whole[: whole.index(b" R11 ", 300_000) + 22])
    printed, rows = replayed(path)
    assert 6000 < rows["frames"]["value"] < 6400
    assert any("cut off" in note for note in printed["notes"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("can0", "--bus-config can0: expected CHANNEL=BUS"),
        ("=front", "--bus-config =front: expected CHANNEL=BUS"),
        ("can0=", "--bus-config can0=: expected CHANNEL=BUS"),
        ("can7=front", 'the recording has no channel "can7"; it has can0'),
        ("can0=middle", 'the network leaf_ze0 has no bus "middle"; it has front, rear, chassis'),
    ],
)
def test_a_wrong_bus_config_says_what_was_expected(log_of, option, message):
    with pytest.raises(UsageError) as caught:
        run(log_of(drive(0.1)), [option], "leaf_plus", "leaf_ze0", None, False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_channel_named_twice_is_refused():
    with pytest.raises(UsageError, match="the channel can0 is named twice"):
        parse_bus_config(["can0=front", "can0=rear"])


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(log_of, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--out .*cannot be written"):
        run(log_of(drive(0.1)), [], "leaf_plus", "leaf_ze0", tmp_path / "file" / "out", False)


def test_the_tables_show_all_rows_and_identifiers(log_of, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    path = log_of(drive(0.5, request=30.0))
    run(path, [], "leaf_plus", "leaf_ze0", None, False)
    printed = capsys.readouterr().out
    replay = CaptureReplay(read_capture(path), load_vehicle("leaf_plus"), "leaf_ze0", {})
    for row in replay_rows(replay.result()):
        assert row.name in printed
    for name in ("TorqueRequest", "0x1D4", "InverterState", "0x5C0"):
        assert name in printed
