"""Recording while it happens."""

import resource
import signal
import subprocess
import sys
import threading
import time

import can
import numpy as np
import pytest
import waiting
from capture_files import ERROR, EXTENDED, REMOTE, TRANSMITTED, assert_same, leaf_frames
from waiting import wait_until

from hil import recorder as recording
from hil.captures import read_capture
from hil.errors import UsageError
from hil.recorder import Recorder, parse_size
from hil.ring import new_rings, push_values
from hil.session import BusSession

BUSES = ("front", "rear")
SUFFIXES = (".blf", ".asc", ".log", ".mf4")


def past_origin():
    """An origin 100 s ago, so that frames of the first seconds after it are ripe at once."""
    return time.monotonic_ns() - 100_000_000_000


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    monkeypatch.setattr(recording, "PERIOD", 0.02)
    with waiting.nothing_left_behind():
        yield


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_recorded_reads_back_with_direction_bus_and_format_of_the_identifier(tmp_path, suffix):
    frames = leaf_frames(400, kinds=(0, EXTENDED, TRANSMITTED, EXTENDED | TRANSMITTED))
    frames.time = frames.time // 1000 * 1000
    recorder = Recorder(tmp_path / f"run{suffix}", BUSES, past_origin())
    recorder.add(frames[:100])
    for frame in frames[100:]:
        recorder.put(*(int(frame[name]) for name in ("time", "payload", "identifier", "bus", "length", "kind")))
    recorder.stop()
    capture = read_capture(tmp_path / f"run{suffix}")
    assert_same(capture.frames, frames, ("payload", "identifier", "bus", "length", "kind"))
    np.testing.assert_allclose(np.diff(capture.frames.time), np.diff(frames.time), atol=1500)
    assert capture.channels == (BUSES if suffix == ".log" else ("1", "2"))
    assert capture.notes == ()
    assert recorder.recorded == 400
    assert [path.name for path in tmp_path.iterdir()] == [f"run{suffix}"]
    assert recorder.files == [tmp_path / f"run{suffix}"]
    if suffix != ".asc":  # whose header is read without its date
        assert abs(capture.start.timestamp() - (time.time() - 100)) < 60


def test_frames_count_from_the_origin_that_the_run_begins_with(tmp_path):
    origin = past_origin()
    recorder = Recorder(tmp_path / "run.log", BUSES, origin)
    frames = leaf_frames(2)
    frames.time = 0
    recorder.add(frames[:1])
    wait_until(lambda: recorder.recorded == 1)
    recorder.begin(origin + 3_000_000_000)  # so long it took to compile
    recorder.add(frames[1:])
    recorder.stop()
    assert np.diff(read_capture(tmp_path / "run.log").frames.time) == pytest.approx(3e9, abs=2000)


def test_a_mistake_in_an_encoder_ends_the_recording_and_is_told(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("no sense")

    told = []
    monkeypatch.setattr(recording.CandumpEncoder, "encode", broken)
    recorder = Recorder(tmp_path / "run.log", BUSES, past_origin(), report=told.append)
    recorder.add(leaf_frames(2))
    wait_until(lambda: recorder.error)
    recorder.stop()
    assert len(told) == 1
    assert "has ended: ZeroDivisionError: no sense; 0 frames are in it" in told[0]


@pytest.mark.parametrize("suffix", [".blf", ".log"])
def test_remote_and_error_frames_are_recorded(tmp_path, suffix):
    frames = leaf_frames(50, kinds=(0, REMOTE, EXTENDED | ERROR))
    recorder = Recorder(tmp_path / f"run{suffix}", BUSES, past_origin())
    recorder.add(frames)
    recorder.stop()
    assert_same(read_capture(tmp_path / f"run{suffix}").frames, frames, ("payload", "identifier", "bus", "length", "kind"))


def test_frames_of_several_threads_are_in_the_order_of_time(tmp_path):
    frames = leaf_frames(2000)
    recorder = Recorder(tmp_path / "run.log", BUSES, past_origin())
    threads = [threading.Thread(target=recorder.add, args=(frames[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()
    assert_same(read_capture(tmp_path / "run.log").frames, frames, ("payload", "identifier", "bus"))


def test_a_late_frame_finds_its_place_if_the_others_are_young(tmp_path):
    origin = time.monotonic_ns()
    recorder = Recorder(tmp_path / "run.log", BUSES, origin)
    recorder.put(2_000, 0, 2, 0, 0, 0)
    recorder.put(1_000, 0, 1, 0, 0, 0)
    recorder.stop()
    assert read_capture(tmp_path / "run.log").frames.identifier.tolist() == [1, 2]


def test_a_session_records_both_directions_with_the_time_of_sending(tmp_path):
    BusSession.compile()
    control, storage = new_rings(2, 64)
    origin = time.monotonic_ns()
    recorder = Recorder(tmp_path / "run.blf", BUSES, origin)
    with can.Bus(interface="virtual", channel="test_recorder") as peer:
        bus = can.Bus(interface="virtual", channel="test_recorder")
        session = BusSession(bus, 1, origin, (control[0], storage[0]), (control[1], storage[1]))
        session.start()
        wait_until(lambda: session.words[0] == 2)
        push_values(control[1], storage[1], time.monotonic_ns() - origin, np.uint64(5), 0x1D4, 1, 8, 0)
        assert peer.recv(5.0)
        peer.send(can.Message(arbitration_id=0x18DAF110, data=b"\7"))
        peer.send(can.Message(arbitration_id=0x55, is_extended_id=False, is_error_frame=True))
        wait_until(lambda: session.counters.received + session.counters.error_frames == 2)
        session.stop()
    recorder.add(session.new_frames())
    recorder.stop()
    frames = read_capture(tmp_path / "run.blf").frames
    assert frames.identifier.tolist() == [0x1D4, 0x18DAF110, 0x55]
    assert frames.kind.tolist() == [TRANSMITTED, EXTENDED, ERROR]
    assert frames.payload.tolist() == [5, 7, 0]


# Killed

CHILD = """
import sys, time
from pathlib import Path
from hil.recorder import Recorder
origin = time.monotonic_ns()
recorder = Recorder(Path(sys.argv[1]), ["front", "rear"], origin)
number = 0
while True:
    for kind in (0, 8, 1, 9):
        identifier = 0x18DA0000 if kind & 1 else 0x100
        recorder.put(time.monotonic_ns() - origin, number, identifier + number % 16, number % 2, 8, kind)
        number += 1
    if number % 40 == 0:
        print(number, time.monotonic_ns() - origin, flush=True)
    time.sleep(0.001)
"""


def test_after_kill_the_file_is_readable_up_to_the_last_second(tmp_path):
    targets = [tmp_path / f"run{suffix}" for suffix in SUFFIXES]
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(target)], stdout=subprocess.PIPE, text=True) for target in targets
    ]
    try:
        a_second_ago = [kill_later(child) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdout.close()
    for target, least in zip(targets, a_second_ago, strict=True):
        capture = read_capture(tmp_path / "run.mf4.blf" if target.suffix == ".mf4" else target)
        frames = capture.frames
        assert frames.payload.tolist() == list(range(len(frames)))
        assert len(frames) >= least > 0
        assert set(frames.kind.tolist()) == {0, EXTENDED, TRANSMITTED, EXTENDED | TRANSMITTED}
        assert set(frames.bus.tolist()) == {0, 1}
        assert not any("damaged" in note for note in capture.notes)
        if target.suffix != ".asc":
            assert abs(capture.start.timestamp() - time.time()) < 600


def kill_later(child):
    """Let the child run for a while; returns how many frames it had recorded a second before its end."""
    told = []  # number of frames, time
    for line in child.stdout:
        told.append(tuple(map(int, line.split())))
        if told[-1][1] - told[0][1] > 1_300_000_000:
            break
    child.kill()
    return max(number for number, when in told if when < told[-1][1] - 1_000_000_000)


# Rotation


@pytest.mark.parametrize("suffix", [".blf", ".asc", ".log"])
def test_a_recording_goes_on_in_the_next_file_when_one_is_full(tmp_path, suffix):
    frames = leaf_frames(3000)
    recorder = Recorder(tmp_path / f"run{suffix}", BUSES, past_origin(), limit=10_000)
    for start in range(0, 3000, 1000):
        recorder.add(frames[start : start + 1000])
        wait_until(lambda start=start: recorder.recorded == start + 1000)
    recorder.stop()
    names = [f"run_{number:03d}{suffix}" for number in (1, 2, 3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [path.name for path in recorder.files] == names
    parts = [read_capture(path).frames for path in recorder.files]
    assert_same(np.concatenate(parts).view(np.recarray), frames, ("payload", "identifier", "bus", "length"))


def test_mf4_is_written_at_the_end_for_each_file_of_a_row(tmp_path):
    recorder = Recorder(tmp_path / "run.mf4", BUSES, past_origin(), limit=10_000)
    frames = leaf_frames(3000)
    for start in (0, 1000, 2000):
        recorder.add(frames[start : start + 1000])
        wait_until(lambda start=start: recorder.recorded == start + 1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"run_00{number}.mf4.blf" for number in (1, 2, 3)]
    recorder.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"run_00{number}.mf4" for number in (1, 2, 3)]
    assert_same(read_capture(recorder.files[2]).frames, frames[2000:], ("payload", "identifier", "bus", "length"))


@pytest.mark.parametrize(
    ("text", "size"),
    [("100MB", 100_000_000), ("1.5 GB", 1_500_000_000), ("800k", 800_000), ("10000", 10_000), (" 2M ", 2_000_000)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "100 apples", "-5MB", "1kB", "0", "1e9", "nan"])
def test_a_size_of_wrong_form_or_too_small_is_refused(text):
    with pytest.raises(UsageError, match="expected at least 10kB"):
        parse_size(text)


# What goes wrong


@pytest.mark.parametrize("suffix", [".blf", ".asc", ".log"])
def test_a_full_disk_ends_the_recording_with_one_line_and_leaves_a_readable_file(tmp_path, suffix):
    said = []
    frames = np.tile(leaf_frames(2000), 10).view(np.recarray)
    frames.time = np.arange(len(frames)) * 250_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder = Recorder(tmp_path / f"run{suffix}", BUSES, past_origin() - 10**11, report=said.append)
    recorder.add(frames[:300])
    wait_until(lambda: recorder.recorded == 300)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        recorder.add(frames[300:])
        wait_until(lambda: recorder.error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)
    recorder.put(0, 0, 1, 0, 0, 0)
    recorder.stop()
    assert len(said) == 1
    assert "has ended: " in said[0]
    assert "300 frames are in it" in said[0]
    assert recorder.dropped == 1
    assert_same(read_capture(tmp_path / f"run{suffix}").frames, frames[:300], ("payload", "identifier", "bus", "length"))


def test_a_queue_that_overflows_is_counted_and_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "CAPACITY", 100)
    said = []
    recorder = Recorder(tmp_path / "run.log", BUSES, past_origin(), report=said.append)
    frames = leaf_frames(60)
    for _ in range(3):
        recorder.add(frames)
    wait_until(lambda: said)
    recorder.stop()
    assert recorder.dropped % 60 == 0
    assert recorder.recorded + recorder.dropped == 180
    assert said == [f"recording to {tmp_path / 'run.log'} does not keep up: frames are missing in it"]


def test_an_existing_recording_is_not_overwritten(tmp_path):
    for name in ("run.blf", "run_002.log", "run.mf4", "killed.mf4.blf", "killed_012.mf4.blf"):
        (tmp_path / name).write_text("precious")
    for name, limit in (("run.blf", None), ("run.log", 10_000), ("run.mf4", None), ("killed.mf4", None), ("killed.mf4", 10_000)):
        with pytest.raises(UsageError, match="exists already"):
            Recorder(tmp_path / name, BUSES, 0, limit=limit)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"precious"}


def test_a_report_that_fails_does_not_end_the_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "CAPACITY", 10)
    recorder = Recorder(tmp_path / "run.log", BUSES, past_origin(), report=lambda text: 1 / 0)
    recorder.add(leaf_frames(20))
    recorder.add(leaf_frames(10))
    wait_until(lambda: recorder.recorded == 10)
    recorder.add(leaf_frames(10))
    recorder.stop()
    assert recorder.recorded == 20


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path):
    for name in ("run.xyz", "run"):
        with pytest.raises(UsageError, match=r"recordings are \.blf, \.asc, \.log, \.mf4"):
            Recorder(tmp_path / name, BUSES, 0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        Recorder(tmp_path / "file" / "run.blf", BUSES, 0)


def test_mf4_that_cannot_be_written_leaves_its_blf_and_says_so(tmp_path):
    said = []
    recorder = Recorder(tmp_path / "run.mf4", BUSES, past_origin(), report=said.append)
    recorder.add(leaf_frames(10))
    (tmp_path / "run.mf4").mkdir()
    (tmp_path / "run.mf4" / "in the way").touch()
    recorder.stop()
    assert f"the frames are in {tmp_path / 'run.mf4.blf'}" in said[0]
    assert len(read_capture(tmp_path / "run.mf4.blf").frames) == 10


def test_of_a_recording_without_a_frame_no_file_is_left_and_that_is_told(tmp_path):
    for suffix in SUFFIXES:
        said = []
        Recorder(tmp_path / f"run{suffix}", BUSES, past_origin(), report=said.append).stop()
        assert said == [f"recording to {tmp_path / f'run{suffix}'}: no frame came, and no file is left"]
    assert list(tmp_path.iterdir()) == []
