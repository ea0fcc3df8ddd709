from pathlib import Path

import cantools.database
import numpy as np
import pytest
from leaf_frames import battery_state, battery_temperature, drive, line, sealed, torque_request

import hil.network
from hil.captures import read_capture
from hil.decoding import Recording, Series, decode
from hil.frames import bytes_from_payload
from hil.matching import assign_buses
from hil.network.database import load_network

DBC_FOLDER = Path(hil.network.__file__).parent / "leaf"


@pytest.fixture(scope="module")
def ze0():
    return load_network("leaf_ze0")


@pytest.fixture
def frames_of(tmp_path, ze0):
    """Frames of lines of a candump log, on the front bus."""

    def read(lines):
        path = tmp_path / "drive.log"
        path.write_text("\n".join(lines) + "\n")
        return assign_buses(read_capture(path), ze0, {"can0": "front"}).frames

    return read


def test_every_signal_of_a_real_drive_is_what_cantools_decodes(shared_data, ze0):
    database = cantools.database.Database()
    for name in ("ev.dbc", "ev_ze0.dbc"):
        database.add_dbc_file(DBC_FOLDER / name)
    capture = read_capture(shared_data / "captures" / "ze0_full_throttle.gvret.txt")
    frames = assign_buses(capture, ze0, {}).frames
    compared = 0
    for decoded in decode(ze0, frames):
        message = decoded.bus_message.message
        own = frames[frames.identifier == message.identifier]
        oracle = [
            database.decode_message(message.identifier, bytes_from_payload(frame.payload, frame.length), decode_choices=False)
            for frame in own
        ]
        for signal in message.signals:
            series = decoded.signals[signal.name]
            sent = [index for index, values in enumerate(oracle) if signal.name in values]
            np.testing.assert_array_equal(series.times, own.time[sent] * 1e-9)
            expected = np.array([oracle[index][signal.name] for index in sent], dtype=float)
            if signal.invalid is not None:
                expected[np.isclose(expected, signal.physical(signal.invalid))] = np.nan
            np.testing.assert_allclose(series.values, expected, atol=1e-9)
            compared += len(sent)
    assert compared > 100_000


def test_a_peak_is_at_the_time_of_its_own_frame(frames_of, ze0):
    lines = [line(tick * 0.01 + 0.0037 * (tick == 5), *torque_request(tick, 200.0 if tick == 5 else 1.0)) for tick in range(10)]
    request = Recording(ze0, frames_of(lines)).requested("front.motor_torque")
    assert request.times[np.argmax(request.values)] == pytest.approx(0.0537)
    assert (request.values.max(), request.unit) == (200.0, "Nm")


def test_discharge_is_positive_and_in_si_units(frames_of, ze0):
    recording = Recording(ze0, frames_of(drive(0.3, discharge=77.25e3)))
    assert recording.received("battery.discharge_limit").values[0] == 77.25e3
    recording = Recording(ze0, frames_of([line(0.01 * k, *battery_state(k, current=120.5)) for k in range(5)]))
    assert recording.received("battery.current").values.tolist() == [120.5] * 5


def test_a_frame_with_a_wrong_crc_has_no_value(frames_of, ze0):
    frames = frames_of([line(0.01 * k, *torque_request(k, 10.0)) for k in range(5)])
    frames.payload[2] ^= np.uint64(1 << 20)
    decoded = next(iter(decode(ze0, frames)))
    assert (decoded.frames, decoded.good) == (5, 4)
    assert len(decoded.signals["MotorTorque"]) == 4


def test_a_message_without_any_good_frame_has_signals_without_values(frames_of, ze0):
    frames = frames_of([line(0.01 * k, *torque_request(k, 10.0)) for k in range(5)])
    frames.payload ^= np.uint64(1 << 20)
    recording = Recording(ze0, frames)
    assert len(recording.requested("front.motor_torque")) == 0
    assert recording.messages[0].good == 0


def test_signals_that_take_turns_have_values_only_at_their_turn(frames_of, ze0):
    lines = [line(0.5 * k, *battery_temperature(1 + k % 3, 20.0 + k)) for k in range(6)]
    recording = Recording(ze0, frames_of(lines))
    assert recording.received("battery.temperature_highest").values.tolist() == [20.0, 23.0]
    assert recording.received("battery.temperature_lowest").times.tolist() == [1.0, 2.5]


def test_one_signal_in_two_messages_is_one_series_in_order_of_time(frames_of, ze0):
    """On a ZE0 0x5BC and 0x5C0 both carry the average temperature."""
    energy = [line(0.2 + 0.5 * k, 0x5BC, bytes([60, 0, 0, 61, 0x82, 0, 0, 0])) for k in range(2)]
    extremes = [line(0.5 * k, *battery_temperature(2, 19.0)) for k in range(3)]
    average = Recording(ze0, frames_of(sorted(energy + extremes))).received("battery.temperature_average")
    assert average.values.tolist() == [19.0, 21.0, 19.0, 21.0, 19.0]
    np.testing.assert_allclose(average.times, [0.0, 0.2, 0.5, 0.7, 1.0])


def test_of_two_gears_with_one_code_the_first_counts(frames_of, ze0):
    """0x4E is D as well as B."""
    frame = bytes([0x4E, 0x40, 0, 0xAA, 0xC0, 0, 0])
    gear = Recording(ze0, frames_of([line(0.01 * k, 0x11A, sealed(frame)) for k in range(3)])).requested("power.gear")
    assert gear.values.tolist() == [4.0, 4.0, 4.0]


def test_a_code_that_the_network_does_not_know_has_no_value(frames_of, ze0):
    frame = bytes([0x77, 0x40, 0, 0xAA, 0xC0, 0, 0])
    gear = Recording(ze0, frames_of([line(0.01 * k, 0x11A, sealed(frame)) for k in range(3)])).requested("power.gear")
    assert np.isnan(gear.values).all()


def test_what_was_not_recorded_has_no_values(frames_of, ze0):
    recording = Recording(ze0, frames_of(drive(0.1)))
    assert len(recording.received("pedals.accelerator")) == 0
    assert np.isnan(recording.received("pedals.accelerator").at(np.array([0.0, 1.0]))).all()


def test_a_value_holds_until_the_next_one():
    series = Series(np.array([1.0, 2.0]), np.array([10.0, 20.0]), "W")
    np.testing.assert_array_equal(series.at(np.array([0.5, 1.0, 1.99, 2.0, 9.0])), [np.nan, 10.0, 10.0, 20.0, 20.0])
