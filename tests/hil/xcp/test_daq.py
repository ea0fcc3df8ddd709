"""Data acquisition in process: lists, rasters, prescalers, times."""

import struct

import numpy as np
import pytest
from xcp_rig import FRONT, MASS, SPEED

from hil.xcp.commands import Error
from hil.xcp.events import RASTER, is_event, sample_event


def sent(rig, *times):
    """Of each sample its time [us] and value, as a list with time and one number tells them."""
    groups = rig.spec.acquisition.frames(rig.samples(*times))
    return [(struct.unpack("<xI", head)[0], struct.unpack("<xf", value)[0]) for head, value in groups]


def test_a_list_sends_its_frames_with_their_numbers_and_the_time_of_the_sample(rig):
    rig.configure(SPEED, FRONT)
    assert rig.answer(0xDE, 1, 0, 0) == b"\x00"
    samples = rig.samples(5)
    samples.outputs.front.motor_torque = -12.5
    assert rig.spec.acquisition.frames(samples) == [
        [b"\x00" + struct.pack("<I", 5000), b"\x01" + struct.pack("<f", 0.005), b"\x02" + struct.pack("<f", -12.5)]
    ]
    assert rig.answer(0xFD)[0] == 0x40


@pytest.mark.parametrize(
    ("event", "prescaler", "expected"),
    [(0, 1, [8, 9, 10, 11, 19, 20, 99, 100, 101]), (1, 1, [8, 10, 20, 99, 100]), (1, 2, [8, 20, 99, 100]), (2, 1, [8, 100])],
)
def test_a_list_is_of_its_raster(rig, event, prescaler, expected):
    rig.configure(SPEED, event=event, prescaler=prescaler)
    rig.answer(0xDE, 1, 0, 0)
    told = sent(rig, 8, 9, 10) + sent(rig, 11, 19, 20, 99) + sent(rig, 100, 101)
    assert [time // 1000 for time, _ in told] == expected
    assert all(value == pytest.approx(time * 1e-6) for time, value in told)


def test_without_time_a_list_is_data_alone(rig):
    rig.configure(SPEED, timestamps=False)
    rig.answer(0xDE, 1, 0, 0)
    assert rig.spec.acquisition.frames(rig.samples(1)) == [[b"\x00" + struct.pack("<f", 0.001)]]


def test_lists_that_were_chosen_start_and_stop_together_in_order_of_time(rig):
    rig.answer(0xD5, 0, 2, 0)
    for number in (0, 1):
        rig.answer(0xD4, 0, number, 0, 1)
    for number in (0, 1):
        rig.answer(0xD3, 0, number, 0, 0, 1)
    for number in (0, 1):
        rig.answer(0xE2, 0, number, 0, 0, 0)
        rig.answer(0xE1, 0xFF, 4, 0, *SPEED.to_bytes(4, "little"))
        rig.answer(0xE0, 0, number, 0, number, 0, 1, number)
        assert rig.answer(0xDE, 2, number, 0) == bytes([number])
    assert rig.spec.acquisition.frames(rig.samples(1)) == []
    rig.answer(0xDD, 1)
    pids = [frames[0][0] for frames in rig.spec.acquisition.frames(rig.samples(10, 11, 20))]
    assert pids == [1, 0, 0, 1, 0]  # the one of the higher priority first
    rig.answer(0xDE, 0, 0, 0)
    assert [frames[0][0] for frames in rig.spec.acquisition.frames(rig.samples(30))] == [1]
    rig.answer(0xDD, 0)
    assert not rig.spec.acquisition.is_running


def test_the_loop_is_asked_for_the_fastest_raster_that_runs(rig):
    control = rig.events.arrays[0]
    rig.configure(SPEED, event=2)
    assert control[RASTER] == 0
    rig.answer(0xDE, 1, 0, 0)
    assert control[RASTER] == 100_000_000
    rig.answer(0xDE, 0, 0, 0)
    assert control[RASTER] == 0
    rig.answer(0xDE, 1, 0, 0)
    rig.answer(0xFE)
    assert control[RASTER] == 0


def test_entries_are_read_back(rig):
    rig.configure(SPEED)
    rig.answer(0xE2, 0, 0, 0, 1, 0)
    assert rig.answer(0xDB) == bytes([0xFF, 4, 0]) + SPEED.to_bytes(4, "little")
    assert rig.error(0xDB) == Error.OUT_OF_RANGE
    assert rig.answer(0xDF, 0, 0, 0) == bytes([0x10, 0, 0, 0, 0, 1, 0])


def test_what_does_not_fit_is_refused(rig):
    assert rig.error(0xD5, 0, 33, 0) == Error.MEMORY_OVERFLOW
    rig.answer(0xD5, 0, 1, 0)
    assert rig.error(0xD4, 0, 0, 0, 241) == Error.MEMORY_OVERFLOW
    assert rig.error(0xE2, 0, 0, 0, 0, 0) == Error.OUT_OF_RANGE
    rig.answer(0xD4, 0, 0, 0, 1)
    assert rig.error(0xD3, 0, 0, 0, 0, 8) == Error.MEMORY_OVERFLOW
    rig.answer(0xD3, 0, 0, 0, 0, 2)
    assert rig.error(0xD4, 0, 0, 0, 1) == Error.SEQUENCE
    assert rig.error(0xE1, 0xFF, 4, 0, *SPEED.to_bytes(4, "little")) == Error.SEQUENCE
    rig.answer(0xE2, 0, 0, 0, 0, 0)
    assert rig.error(0xE1, 0xFF, 8, 0, *SPEED.to_bytes(4, "little")) == Error.OUT_OF_RANGE
    assert rig.error(0xE1, 0xFF, 4, 0, 0, 0, 0, 0) == Error.OUT_OF_RANGE
    assert rig.error(0xE1, 0xFF, 4, 0, *MASS.to_bytes(4, "little")) == Error.ACCESS_DENIED
    rig.answer(0xE1, 0xFF, 4, 0, *SPEED.to_bytes(4, "little"))
    assert rig.error(0xDE, 1, 0, 0) == Error.DAQ_CONFIG  # an entry is empty
    rig.answer(0xE1, 0xFF, 4, 0, *SPEED.to_bytes(4, "little"))
    assert rig.error(0xDE, 2, 0, 0) == Error.DAQ_CONFIG  # nine bytes
    assert rig.error(0xE0, 0, 0, 0, 3, 0, 1, 0) == Error.OUT_OF_RANGE
    assert rig.error(0xE0, 0, 0, 0, 0, 0, 0, 0) == Error.OUT_OF_RANGE
    assert rig.error(0xE0, 2, 0, 0, 0, 0, 1, 0) == Error.MODE_NOT_VALID


def test_a_list_that_runs_is_not_configured(rig):
    rig.configure(SPEED)
    rig.answer(0xDE, 1, 0, 0)
    for command in (
        (0xD5, 0, 1, 0), (0xD4, 0, 0, 0, 1), (0xD3, 0, 0, 0, 0, 1), (0xE2, 0, 0, 0, 0, 0), (0xE3, 0, 0, 0),
        (0xE0, 0, 0, 0, 0, 0, 1, 0),
    ):  # fmt: skip
        assert rig.error(*command) == Error.DAQ_ACTIVE
    rig.answer(0xD6)
    assert rig.spec.acquisition.lists == []


def test_events_and_clock_are_described(rig):
    assert rig.answer(0xDA) == bytes([0x93, 0, 0, 3, 0, 0, 0])
    assert rig.answer(0xD9) == bytes([1, 7, 1, 0, 0x34, 1, 0])
    for number, (cycle, name) in enumerate([(1, b"1 ms"), (10, b"10 ms"), (100, b"100 ms")]):
        assert rig.answer(0xD7, 0, number, 0) == bytes([0x84, 32, len(name), cycle, 6, 0])
        assert rig.answer(0xF5, len(name)) == name
    rig.now = 5_000_000_000_000
    assert int.from_bytes(rig.answer(0xDC)[3:], "little") == 5_000_000_000 % 2**32


def test_the_loop_samples_once_a_raster_and_a_full_ring_is_counted(rig):
    rig.events.reserve()
    control, ring_control, ring = rig.events.arrays
    node = rig.node
    records = node.measurements[0], node.inputs[0], node.outputs[0]
    assert not is_event(1_000_000, control)
    rig.events.ask(10_000_000)
    for period in range(1, 101):
        node.measurements.vehicle_speed.speed = period
        sample_event(period * 1_000_000, control, ring_control, ring, *records)
    samples = rig.events.take()
    np.testing.assert_array_equal(samples.time // 1_000_000, range(10, 101, 10))
    np.testing.assert_array_equal(samples.measurements.vehicle_speed.speed, range(10, 101, 10))
    rig.events.ask(1_000_000)
    for period in range(200, 200 + len(ring) + 3):
        sample_event(period * 1_000_000, control, ring_control, ring, *records)
    assert rig.events.dropped == 3
    assert len(rig.events.take()) == len(ring)
