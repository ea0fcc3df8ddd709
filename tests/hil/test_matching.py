import csv

import numpy as np
import pytest
from leaf_frames import battery_limits, battery_state, drive, inverter_state, line, torque_request

from hil.captures import read_capture
from hil.errors import UsageError
from hil.frames import FrameFlags
from hil.matching import assign_buses, detect_recorded_network
from hil.network.database import load_network

FULL_THROTTLE = "ze0_full_throttle.gvret.txt"
INVERTER_ALONE = "ze1_inverter_alone.savvycan.csv"
POWERTRAIN = (0x1D4, 0x1DA, 0x1DB, 0x1DC, 0x55B)  # the same identifiers and lengths in all generations


@pytest.fixture
def capture_of(tmp_path):
    """Reads lines of a candump log."""

    def read(lines):
        path = tmp_path / "drive.log"
        path.write_text("\n".join(lines) + "\n")
        return read_capture(path)

    return read


def only(capture, identifiers):
    """The capture with these identifiers alone."""
    object.__setattr__(capture, "frames", capture.frames[np.isin(capture.frames.identifier, identifiers)])
    return capture


@pytest.mark.parametrize(
    ("name", "network", "matches"),
    [(FULL_THROTTLE, "leaf_ze0", 13), ("ze0_pump_brake.gvret.csv", "leaf_ze0", 13), (INVERTER_ALONE, "leaf_ze1", 4)],
)
def test_the_generation_of_a_real_car_is_detected(shared_data, name, network, matches):
    detection = detect_recorded_network(read_capture(shared_data / "captures" / name))
    assert (detection.network.name, detection.matches, detection.alike) == (network, matches, ())


def test_constant_bits_tell_a_ze1_by_identifiers_that_all_generations_have(shared_data, capture_of):
    with (shared_data / "leaf_ze1" / "frame_vectors.csv").open() as file:
        vectors = [
            (float(row["t_ms"]) * 1e-3, int(row["id_hex"], 16), bytes.fromhex(row["data_hex"])) for row in csv.DictReader(file)
        ]
    capture = capture_of([line(*vector) for vector in vectors if vector[1] in POWERTRAIN])
    assert {int(identifier) for identifier in capture.frames.identifier} == set(POWERTRAIN)
    detection = detect_recorded_network(capture)
    assert (detection.network.name, detection.alike) == ("leaf_ze1", ())


def test_generations_that_cannot_be_told_apart_are_both_named(shared_data):
    capture = only(read_capture(shared_data / "captures" / FULL_THROTTLE), POWERTRAIN)
    detection = detect_recorded_network(capture)
    assert {detection.network.name, *detection.alike} == {"leaf_ze0", "leaf_aze0"}


def test_a_recording_without_any_frame_of_a_leaf_is_refused(capture_of):
    capture = capture_of([line(k * 0.01, 0x2C4, bytes(8)) for k in range(20)])
    with pytest.raises(UsageError, match=r"drive\.log: holds no frame of leaf_aze0, leaf_ze0, leaf_ze1; .*--network"):
        detect_recorded_network(capture)


def test_the_length_belongs_to_the_message(capture_of):
    capture = capture_of([line(k * 0.01, 0x1D4, bytes(4)) for k in range(20)])
    with pytest.raises(UsageError, match="holds no frame of"):
        detect_recorded_network(capture)


def test_an_extended_identifier_is_not_the_standard_one_of_the_same_number(capture_of):
    capture = capture_of([line(k * 0.01, 0x1D4, bytes(8)).replace(" 1D4#", " 000001D4#") for k in range(20)])
    assert capture.frames.kind[0] & FrameFlags.EXTENDED
    with pytest.raises(UsageError, match="holds no frame of"):
        detect_recorded_network(capture)


def front_and_rear(front="can1", rear="can0"):
    """Two EV-CAN channels, of which the rear one has no battery."""
    lines = []
    for tick in range(30):
        time = tick * 0.01
        lines += [line(time, *inverter_state(tick), rear), line(time, *torque_request(tick), rear)]
        frames = (inverter_state(tick), torque_request(tick), battery_state(tick), battery_limits(tick))
        lines += [line(time + 0.001, *frame, front) for frame in frames]
    return lines


def test_the_channel_with_the_battery_is_the_front_bus_whatever_its_number(capture_of):
    assignment = assign_buses(capture_of(front_and_rear()), load_network("leaf_ze0"), {})
    assert assignment.buses == {"can1": "front", "can0": "rear"}
    on_front = assignment.frames[assignment.frames.bus == 0]
    assert {int(identifier) for identifier in on_front.identifier} == {0x1DA, 0x1D4, 0x1DB, 0x1DC}
    assert len(on_front) == 4 * 30
    assert len(assignment.frames) == 6 * 30


def test_a_channel_named_like_a_bus_is_that_bus(capture_of):
    assignment = assign_buses(capture_of(front_and_rear("rear", "front")), load_network("leaf_ze0"), {})
    assert assignment.buses == {"rear": "rear", "front": "front"}


def test_only_the_channels_named_by_the_user_are_used(capture_of):
    assignment = assign_buses(capture_of(front_and_rear()), load_network("leaf_ze0"), {"can0": "front"})
    assert assignment.buses == {"can0": "front"}
    assert assignment.left_out == {"can1": 120}
    assert len(assignment.frames) == 60


def test_a_channel_that_fits_no_bus_is_left_out_and_counted(capture_of):
    lines = [*drive(0.2), *(line(0.3 + k * 0.01, 0x7DF, bytes(8), "can7") for k in range(5))]
    assignment = assign_buses(capture_of(lines), load_network("leaf_ze0"), {})
    assert assignment.left_out == {"can7": 5}


def test_error_and_remote_frames_carry_no_value(capture_of):
    capture = capture_of(drive(0.2))
    capture.frames.kind[3] |= FrameFlags.ERROR
    capture.frames.kind[5] |= FrameFlags.REMOTE
    assert len(assign_buses(capture, load_network("leaf_ze0"), {}).frames) == len(capture.frames) - 2


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"can9": "front"}, r'--bus-config can9=front: the recording has no channel "can9"; it has can0, can1'),
        ({"can0": "middle"}, r'--bus-config can0=middle: the network leaf_ze0 has no bus "middle"; it has front, rear, chassis'),
        ({"can0": "front", "can1": "front"}, r'--bus-config can0=front: the bus "front" is named for more than one channel'),
    ],
)
def test_a_wrong_choice_of_buses_says_what_there_is(capture_of, chosen, message):
    with pytest.raises(UsageError, match=message):
        assign_buses(capture_of(front_and_rear()), load_network("leaf_ze0"), chosen)


def test_a_recording_of_another_network_is_refused(capture_of):
    capture = capture_of([line(k * 0.01, 0x2C4, bytes(8)) for k in range(20)])
    with pytest.raises(UsageError, match="holds no frame of the network leaf_ze0"):
        assign_buses(capture, load_network("leaf_ze0"), {})


def test_a_channel_of_remote_frames_alone_is_refused(capture_of):
    capture = capture_of(drive(0.1))
    capture.frames.kind[:] = FrameFlags.REMOTE
    with pytest.raises(UsageError, match="holds no frame with data on can0"):
        assign_buses(capture, load_network("leaf_ze0"), {"can0": "front"})
