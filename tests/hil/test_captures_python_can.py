import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from capture_files import (
    ERROR,
    EXTENDED,
    NOON,
    REMOTE,
    TRANSMITTED,
    assert_same,
    candump_at,
    leaf_frames,
    log_with,
    rows,
)

from hil.captures import mf4, read_capture


@pytest.mark.parametrize(
    ("suffix", "name", "channels", "kinds"),
    [
        ("asc", "Vector ASC", ("1", "2"), (0, EXTENDED, TRANSMITTED, REMOTE)),
        ("blf", "Vector BLF", ("1", "2"), (0, EXTENDED, TRANSMITTED, REMOTE, ERROR)),
        ("trc", "PEAK TRC", ("1", "2"), (0, EXTENDED, TRANSMITTED)),
        ("csv", "python-can CSV", ("0",), (0, EXTENDED, REMOTE, ERROR)),
        ("log", "candump log", ("can0", "can1"), (0, EXTENDED, TRANSMITTED, REMOTE)),
        ("mf4", "ASAM MF4", ("0", "1"), (0, EXTENDED, TRANSMITTED, REMOTE, ERROR)),
    ],
)
def test_frames_come_back_from_every_format_of_python_can(tmp_path, suffix, name, channels, kinds):
    if suffix == "mf4":
        pytest.importorskip("asammdf")
    frames = leaf_frames(kinds=kinds)
    path = log_with(tmp_path / f"log.{suffix}", frames).rename(tmp_path / "log")
    capture = read_capture(path)
    if suffix == "csv":
        frames.bus = 0  # the format has none
    assert (capture.format, capture.channels) == (name, channels)
    assert_same(capture.frames, frames)
    if suffix == "asc":  # local time without its zone
        assert capture.start is None
    else:
        assert capture.start == datetime.fromtimestamp(NOON, UTC)


def test_error_frames_of_an_asc_file_are_kept(tmp_path):
    frames = leaf_frames(4, kinds=(0, ERROR))
    capture = read_capture(log_with(tmp_path / "log.asc", frames))
    assert [bool(kind & ERROR) for kind in capture.frames.kind] == [False, True, False, True]
    assert "2 error frames kept, marked by their kind." in capture.notes


@pytest.mark.parametrize(
    ("suffix", "damaged"),
    [
        ("asc", " 0.001500 1  1DB Rx   d 8 FF"),
        ("csv", "1700000000.0015,0x1db,0,0,0,8"),
        ("trc", "      6         1.500 DT  1     01DB Rx -  Z"),
    ],
)
def test_a_line_that_stops_python_can_costs_no_other_line(tmp_path, suffix, damaged):
    frames = leaf_frames(30)
    path = log_with(tmp_path / f"log.{suffix}", frames)
    lines = path.read_text().split("\n")
    first = {"asc": 5, "csv": 1, "trc": 18}[suffix]  # frame, after the header
    lines[first + 5] = damaged
    path.write_text("\n".join(lines))
    capture = read_capture(path)
    np.testing.assert_array_equal(capture.frames.payload, np.delete(frames.payload, 5))
    assert capture.notes == (f"1 line could not be read; the first is line {first + 6}: {damaged!r}.",)


def test_a_length_that_cannot_be_is_no_frame(capture_of):
    head = ";$FILEVERSION=1.1\n;$STARTTIME=45244.9\n"
    capture = capture_of(head + "     1)   0.0  Rx  01DB  1  FF\n     2)   1.0  Rx  01DB  -1  RTR\n")
    assert [row[3] for row in rows(capture)] == ["ff"]
    assert "the first is line 4" in capture.notes[0]


def test_the_first_frame_of_an_asc_file_with_a_short_header_is_read(capture_of):
    capture = capture_of(
        "date Tue Nov 14 22:13:20.000 2023\nbase hex  timestamps absolute\n"
        "   0.000000 1  1DB             Rx   d 2 FF C0\n   0.010000 2  18DAF110x       Tx   d 1 02\n"
    )
    assert rows(capture) == [(0, "1", 0x1DB, "ffc0", 0), (10_000, "2", 0x18DAF110, "02", EXTENDED | TRANSMITTED)]


def test_a_length_code_above_eight_means_eight_bytes(capture_of):
    head = "base hex  timestamps absolute\nno internal events logged\n"
    capture = capture_of(head + "   0.000000 1  1DB             Rx   d F 01 02 03 04 05 06 07 08\n")
    assert [row[3] for row in rows(capture)] == ["0102030405060708"]


def test_relative_times_of_an_asc_file_are_added_up(capture_of):
    lines = "".join("   0.010000 1  1DB             Rx   d 1 00\n" for _ in range(3))
    capture = capture_of("base hex  timestamps relative\nno internal events logged\n" + lines)
    assert [row[0] for row in rows(capture)] == [0, 10_000, 20_000]


def test_a_cut_blf_file_gives_the_frames_before_the_cut(tmp_path):
    frames = leaf_frames(20_000)
    path = log_with(tmp_path / "log.blf", frames)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    capture = read_capture(path)
    assert 5_000 < len(capture.frames) < 15_000
    assert_same(capture.frames, frames[: len(capture.frames)])
    missing = len(content) - len(content) // 2
    assert (
        f"The file is damaged after frame {len(capture.frames)}; what follows is lost ({missing} bytes are missing"
        in capture.notes[-1]
    )


def test_a_cut_mf4_file_is_refused(error_of, tmp_path):
    pytest.importorskip("asammdf")
    content = log_with(tmp_path / "log.mf4", leaf_frames()).read_bytes()
    assert "is a damaged ASAM MF4 file, no frame can be read" in error_of(content[: len(content) // 2])


def test_a_crash_or_an_endless_search_of_asammdf_does_not_take_the_bench_along(error_of, monkeypatch):
    monkeypatch.setattr(mf4, "CHILD", "import os; os.abort()")
    assert f"asammdf crashes on it, exit status {-signal.SIGABRT}" in error_of(b"MDF     ")
    monkeypatch.setattr(mf4, "CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(mf4, "SHORTEST_LIMIT", 0.2)
    assert "asammdf has found no end" in error_of(b"MDF     ")


def test_mf4_without_asammdf_names_what_to_install(error_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "asammdf", None)
    assert "pip install 'e4orce-hil[report]'" in error_of(b"MDF     4.10")


def test_what_python_can_logs_becomes_a_note_and_its_logger_stays_as_it_was(capture_of, capfd, caplog):
    logger = logging.getLogger("can")
    before = (list(logger.handlers), logger.propagate)
    capture = capture_of(
        ";$FILEVERSION=1.1\n;$STARTTIME=45244.9\n"
        "     1)   0.0  Rx  01DB  1  FF\n     2)   1.0  Rx  01DB  1\n     3)   2.0  Rx  01DB  1  FE\n"
    )
    assert [row[3] for row in rows(capture)] == ["ff", "fe"]
    assert any("The reading library warns: TRCReader: Failed to parse message" in note for note in capture.notes)
    assert (list(logger.handlers), logger.propagate) == before
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_python_can_is_not_imported_for_text(tmp_path):
    path = tmp_path / "log"
    path.write_text(candump_at(0))
    code = "import sys, pathlib, hil.captures as c; c.read_capture(pathlib.Path(sys.argv[1])); sys.exit('can' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False, env=environment).returncode == 0
