import resource
from datetime import UTC, datetime

import can
import numpy as np
import pytest
from capture_files import ERROR, EXTENDED, NOON, REMOTE, TRANSMITTED, assert_same, leaf_frames, messages

from hil.captures import read_capture, write_blf, write_candump, write_mf4
from hil.captures.blf import read_own_blf
from hil.errors import UsageError
from hil.frames import new_frames

# Writing


@pytest.mark.parametrize("write", [write_candump, write_blf])
def test_what_is_written_reads_back_the_same(tmp_path, write):
    frames = leaf_frames(kinds=(0, EXTENDED, TRANSMITTED, REMOTE, EXTENDED | ERROR))
    write(tmp_path / "log", frames, ["can0", "can1"], start=NOON)
    capture = read_capture(tmp_path / "log")
    assert_same(capture.frames, frames)
    assert capture.start == datetime.fromtimestamp(NOON, UTC)


def test_what_is_written_is_what_python_can_reads(tmp_path):
    frames = leaf_frames(kinds=(0, EXTENDED, TRANSMITTED))
    write_candump(tmp_path / "frames.log", frames, ["can0", "can1"], start=NOON)
    write_blf(tmp_path / "frames.blf", frames, ["can0", "can1"], start=NOON)
    for name, channel in (("frames.log", "can{}".format), ("frames.blf", int)):
        with can.LogReader(tmp_path / name) as reader:
            read = list(reader)
        expected = messages(frames)
        for message in expected:
            message.channel = channel(message.channel)
        assert all(a.equals(b, timestamp_delta=1e-6) for a, b in zip(read, expected, strict=True))


def test_mf4_reads_back_the_same_and_python_can_reads_it(tmp_path):
    frames = leaf_frames(kinds=(0, EXTENDED, TRANSMITTED, REMOTE, EXTENDED | ERROR))
    write_mf4(tmp_path / "log.mf4", frames, start=NOON)
    capture = read_capture(tmp_path / "log.mf4")
    assert_same(capture.frames, frames)
    assert capture.start == datetime.fromtimestamp(NOON, UTC)
    assert capture.channels == ("1", "2")
    with can.LogReader(tmp_path / "log.mf4") as reader:
        assert sum(1 for _ in reader) == len(frames)


def test_our_own_blf_is_read_back_to_the_nanosecond_also_if_it_was_cut(tmp_path):
    frames = np.tile(leaf_frames(kinds=(0, EXTENDED, TRANSMITTED, REMOTE, EXTENDED | ERROR)), 200).view(np.recarray)
    frames.time = np.arange(len(frames)) * 250_001
    write_blf(tmp_path / "log.blf", frames, ["can0", "can1"], start=NOON)
    again, start = read_own_blf(tmp_path / "log.blf")
    assert_same(again, frames)
    assert start == NOON * 1e9
    content = (tmp_path / "log.blf").read_bytes()
    (tmp_path / "cut.blf").write_bytes(content[: len(content) // 2])
    some, _ = read_own_blf(tmp_path / "cut.blf")
    assert 0 < len(some) < len(frames)
    assert_same(some, frames[: len(some)])


def test_a_log_of_candump_has_this_form(tmp_path):
    frames = new_frames(4)
    frames.time = [0, 1_499, 1_500, 2_000_000_000]
    frames.identifier = [0x1DB, 0x7, 0x18DAF110, 0x1DA]
    frames.length = [2, 0, 1, 8]
    frames.payload = [0xC0FF, 0, 0x0A, 0]
    frames.bus = [0, 1, 0, 1]
    frames.kind = [0, TRANSMITTED, EXTENDED, REMOTE]
    write_candump(tmp_path / "log", frames, ["front", "rear"], start=10.5)
    assert (tmp_path / "log").read_text() == (
        "(10.500000) front 1DB#FFC0\n(10.500001) rear 007# T\n(10.500002) front 18DAF110#0A\n(12.500000) rear 1DA#R8\n"
    )


def test_a_bus_without_a_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bus 1 has no name"):
        write_blf(tmp_path / "log.blf", leaf_frames(), ["can0"])
    with pytest.raises(IndexError):
        write_candump(tmp_path / "log", leaf_frames(), ["can0"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_candump, write_blf])
def test_a_folder_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path, write):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "log"
    with pytest.raises(UsageError, match="cannot write") as caught:
        write(target, leaf_frames(), ["can0", "can1"])
    assert str(target) in str(caught.value)


@pytest.mark.parametrize("write", [write_candump, write_blf])
def test_a_full_disk_leaves_nothing_behind(tmp_path, write):
    (tmp_path / "log").write_text("what was there")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UsageError, match="cannot write"):
            write(tmp_path / "log", leaf_frames(20_000), ["can0", "can1"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert (tmp_path / "log").read_text() == "what was there"


# Size


def test_a_hundred_thousand_frames_come_back_as_they_were(tmp_path):
    frames = np.tile(leaf_frames(100), 1000).view(np.recarray)
    frames.time = np.arange(100_000) * 250_000
    write_candump(tmp_path / "log", frames, ["can0", "can1"])
    again = read_capture(tmp_path / "log").frames
    assert len(again) == 100_000
    assert (again.payload == frames.payload).all()
    assert (again.identifier == frames.identifier).all()
