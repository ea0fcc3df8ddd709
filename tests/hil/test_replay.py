from itertools import pairwise

import numpy as np
import pytest
from leaf_frames import drive, line, torque_request

from firmware_model.calibration import Calibration
from firmware_model.measurements import Constraint, Fault, Measurements
from firmware_model.state import State
from hil.captures import read_capture
from hil.decoding import Recording
from hil.frames import new_frames
from hil.integrity import measure_integrity, measure_timing
from hil.matching import assign_buses
from hil.network.database import load_network
from hil.node import NodeSpec
from hil.replay import Replay

FOLLOWER = NodeSpec(
    "controller",
    "firmware_model.controller.follow_request",
    True,
    State,
    Measurements,
    Calibration,
    sampled=("outputs", "measurements"),
)
RISE_RATE = 1500.0  # [Nm/s] of the torque path, away from zero
AUXILIARIES = 400.0  # [W]


@pytest.fixture(scope="module")
def ze0():
    return load_network("leaf_ze0")


@pytest.fixture
def replay_of(tmp_path, ze0):
    """Replays lines of a candump log on a car with a front motor; returns the engine, the frames and the samples."""

    def run(lines):
        path = tmp_path / "drive.log"
        path.write_text("\n".join(lines) + "\n")
        frames = assign_buses(read_capture(path), ze0, {"can0": "front"}).frames
        replay = Replay(ze0, FOLLOWER)
        replay.controller.parameters["rear"]["motor_present"] = 0
        return replay, frames, replay.run(frames)

    return run


def command(samples):
    return samples.controller_outputs.front.motor_torque


def of(integrity, identifier):
    return next(entry for entry in integrity if entry.identifier == identifier)


# --- the controller follows -----------------------------------------------------------------------------------------------


def test_the_command_reaches_a_request_that_the_battery_allows(replay_of):
    _, _, samples = replay_of(drive(2.0, request=100.0, rpm=1000))
    assert command(samples)[-1] == 100.0
    assert np.all(command(samples) <= 100.0)


def test_no_torque_is_commanded_before_the_battery_has_been_well_for_a_while(replay_of):
    _, _, samples = replay_of(drive(1.0, request=100.0, rpm=1000))
    early = samples[samples.time < 0.19]
    assert np.all(command(early) == 0.0)
    assert np.all(early.controller_measurements.discharge_limiter.discharge_constraint == Constraint.NO_VALID_LIMIT)


def test_torque_rises_no_faster_than_the_torque_path_allows(replay_of):
    _, _, samples = replay_of(drive(1.5, request=lambda time: 200.0 if time > 1.0 else 0.0, rpm=500))
    rises = np.diff(command(samples)) / np.diff(samples.time)
    assert rises.max() == pytest.approx(RISE_RATE, rel=0.01)


def test_power_stays_below_the_recorded_discharge_limit_and_it_is_named(replay_of):
    limit, rpm = 20e3, 3000
    _, _, samples = replay_of(drive(3.0, request=250.0, rpm=rpm, discharge=limit))
    final = samples[-1]
    mechanical = final.controller_outputs.front.motor_torque * rpm * 2.0 * np.pi / 60.0
    assert 0.8 * limit < mechanical < limit - AUXILIARIES
    assert final.controller_measurements.power_budget.predicted_power <= limit
    assert final.controller_measurements.power_budget.torque_factor < 1.0
    assert final.controller_measurements.discharge_limiter.discharge_constraint == Constraint.BATTERY_LIMIT


def test_regeneration_stays_above_the_recorded_charge_limit(replay_of):
    _, _, samples = replay_of(drive(3.0, request=-200.0, rpm=3000, charge=10e3))
    power = samples.controller_measurements.power_budget.predicted_power
    assert -10e3 <= power.min() < -9e3


def test_a_request_that_falls_silent_ends_in_zero_torque(replay_of):
    lines = drive(2.0, request=100.0, rpm=1000)
    silent = [text for text in lines if not (" 1D4#" in text and float(text[1:9]) > 1.0)]
    _, _, samples = replay_of(silent)
    late = samples[samples.time > 1.2]
    assert np.all(command(late) == 0.0)
    assert np.all(late.controller_measurements.supervisor.faults == Fault.REQUEST_SILENT)


def test_a_request_with_a_wrong_crc_is_not_obeyed(replay_of):
    lines = drive(2.0, request=100.0, rpm=1000)
    wrong = [text.replace("#", "#0", 1)[:-1] if " 1D4#" in text else text for text in lines]
    replay, frames, samples = replay_of(wrong)
    assert np.all(command(samples) == 0.0)
    assert of(measure_integrity(replay.network, frames, replay.nodes), 0x1D4).errors.crc == 200


def test_samples_are_ten_milliseconds_apart_and_one_follows_the_last_frame(replay_of):
    _, frames, samples = replay_of(drive(0.5))
    np.testing.assert_allclose(samples.time[:-1], 0.01 * np.arange(1, len(samples)), atol=1e-9)
    assert 0.0 <= samples.time[-1] - frames.time[-1] * 1e-9 <= 0.001


def test_a_recording_shorter_than_a_sample_still_gives_one(replay_of):
    _, _, samples = replay_of(drive(0.01))
    assert len(samples) == 1


def test_no_frames_give_no_samples(ze0):
    assert len(Replay(ze0, FOLLOWER).run(new_frames(0))) == 0


def test_the_same_recording_gives_the_same_samples_to_the_bit(replay_of):
    lines = drive(1.0, request=lambda time: 150.0 * np.sin(7.0 * time), rpm=1500)
    first, second = replay_of(lines)[2], replay_of(lines)[2]
    assert first.tobytes() == second.tobytes()


def test_on_a_real_drive_the_command_stays_among_the_last_requests(shared_data, ze0):
    """What the controller commands was requested within the last 0.3 s, or lies between zero and that."""
    frames = assign_buses(read_capture(shared_data / "captures" / "ze0_full_throttle.gvret.txt"), ze0, {}).frames
    replay = Replay(ze0, FOLLOWER)
    replay.controller.parameters["rear"]["motor_present"] = 0
    samples = replay.run(frames)
    request = Recording(ze0, frames).requested("front.motor_torque")
    for time, torque in zip(samples.time, command(samples), strict=True):
        recent = request.values[(request.times > time - 0.3) & (request.times <= time)]
        assert min(0.0, *recent) - 0.01 <= torque <= max(0.0, *recent) + 0.01
    assert command(samples).max() == 280.0


# --- how the frames arrived -----------------------------------------------------------------------------------------------


def test_a_frame_that_is_missing_is_told_by_its_counter(replay_of):
    lines = [line(tick * 0.01, *torque_request(tick)) for tick in range(50) if tick not in (10, 20, 21)]
    replay, frames, _ = replay_of(lines)
    entry = of(measure_integrity(replay.network, frames, replay.nodes), 0x1D4)
    assert (entry.frames, entry.errors.lost, entry.errors.frozen) == (47, 3, 0)
    assert entry.timing.longest == pytest.approx(0.03)


def test_a_counter_that_stands_still_is_counted(replay_of):
    lines = [line(tick * 0.01, *torque_request(min(tick, 40))) for tick in range(50)]
    replay, frames, _ = replay_of(lines)
    assert of(measure_integrity(replay.network, frames, replay.nodes), 0x1D4).errors.frozen == 9


def test_a_message_without_counter_and_crc_has_no_such_errors(replay_of):
    replay, frames, _ = replay_of(drive(0.2))
    errors = of(measure_integrity(replay.network, frames, replay.nodes), 0x5C0).errors
    assert (errors.crc, errors.frozen, errors.lost, errors.length) == (None, None, None, 0)


def test_a_frame_of_another_length_is_counted(replay_of):
    lines = [*drive(0.1), line(0.2, 0x55B, bytes(7))]
    replay, frames, _ = replay_of(lines)
    assert of(measure_integrity(replay.network, frames, replay.nodes), 0x55B).errors.length == 1


def test_an_unknown_identifier_has_no_name_and_a_gateway_frame_tells_its_bus(replay_of):
    lines = [*drive(0.1), "(0.200000) can0 18CC078C#18CC078CD00001", line(0.3, 0x284, bytes(8))]
    replay, frames, _ = replay_of(lines)
    integrity = measure_integrity(replay.network, frames, replay.nodes)
    fault = of(integrity, 0x18CC078C)
    assert (fault.name, fault.elsewhere, fault.label, fault.extended) == ("", "", "0x18CC078C", True)
    wheels = of(integrity, 0x284)
    assert (wheels.name, wheels.elsewhere, wheels.label) == ("", "chassis: WheelSpeedsFront", "0x284")


def test_jitter_is_the_deviation_of_the_distances_without_gaps():
    times = np.array([0.0, 0.010, 0.021, 0.030, 0.230, 0.240])
    distances = [after - before for before, after in pairwise(times.tolist())]
    timing = measure_timing(times)
    assert timing.period == pytest.approx(0.010)
    assert timing.jitter == pytest.approx(np.std([distance for distance in distances if distance < 0.030]))
    assert (timing.shortest, timing.longest) == pytest.approx((0.009, 0.200))


def test_a_single_frame_has_no_period():
    assert np.isnan(measure_timing(np.array([1.0])).period)
