import os

import numpy as np
import pytest
from capture_files import (
    EXTENDED,
    TRANSMITTED,
    candump_at,
    leaf_frames,
    log_with,
    rows,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.captures import read_capture
from hil.errors import UsageError

# Order and times


def test_a_single_jump_back_is_closed_and_listed_and_does_not_reverse_the_file(capture_of):
    capture = capture_of(candump_at(600.0, 600.01, 600.02, 18.02, 18.03, 18.04))
    np.testing.assert_array_equal(capture.frames.time // 1_000_000, [0, 10, 20, 30, 40, 50])
    assert [row[3] for row in rows(capture)] == ["00", "01", "02", "03", "04", "05"]
    assert [jump.frame for jump in capture.jumps] == [3]
    assert capture.jumps[0].seconds == pytest.approx(-582.01)  # the step of 582 s, and the typical distance in its place
    assert capture.notes == ("The time jumps back by 582.010 s at line 4; the gap was closed.",)


def test_a_jump_in_a_file_that_is_newest_first_is_named_by_its_line(capture_of):
    capture = capture_of(candump_at(*(900.0 - n * 0.01 for n in range(20)), *(90.0 - n * 0.01 for n in range(5))))
    assert [jump.frame for jump in capture.jumps] == [5]
    assert "ahead by 809.800 s at line 20" in capture.notes[1]


def test_a_pause_of_five_seconds_stays_and_a_longer_one_is_closed(capture_of):
    capture = capture_of(candump_at(0.0, 0.01, 5.01, 5.02, 10.021, 10.031))
    np.testing.assert_array_equal(capture.frames.time // 1_000_000, [0, 10, 5010, 5020, 5030, 5040])
    assert [jump.frame for jump in capture.jumps] == [4]
    assert capture.jumps[0].seconds == pytest.approx(4.991)
    assert "ahead by 4.991 s at line 5" in capture.notes[0]


def test_frames_late_by_a_few_milliseconds_are_no_jumps_and_do_not_stretch_the_time(capture_of):
    capture = capture_of(candump_at(0.0, 0.1, 0.095, 0.09, 0.101, 0.2))
    np.testing.assert_array_equal(capture.frames.time // 1_000_000, [0, 100, 100, 100, 101, 200])
    assert capture.jumps == ()
    assert capture.notes == ("2 frames late by up to 10 ms, set to the time of the one before.",)


def test_frames_later_than_that_are_a_jump(capture_of):
    capture = capture_of(candump_at(0.0, 0.1, 0.089, 0.189, 0.289))
    np.testing.assert_array_equal(capture.frames.time // 1_000_000, [0, 100, 200, 300, 400])
    assert [jump.frame for jump in capture.jumps] == [2]
    assert capture.jumps[0].seconds == pytest.approx(-0.111)


def test_many_jumps_are_told_in_few_notes(capture_of):
    capture = capture_of(candump_at(*(n * 0.01 + 100 * (n // 10) for n in range(100))))
    assert len(capture.jumps) == 9
    assert sum("the gap was closed" in note for note in capture.notes) == 5
    assert capture.notes[-1] == "The time jumps 4 more times; these gaps were closed, too."


# Lines that cannot be read


def test_lines_that_cannot_be_read_are_counted_and_the_first_is_shown(capture_of):
    capture = capture_of(candump_at(0, 0.01) + "(0.02) can0 1DB#F\n\n(0.03) can0\n" + candump_at(0.04))
    assert len(capture.frames) == 3
    assert capture.notes == ("2 lines could not be read; the first is line 3: '(0.02) can0 1DB#F'.",)


@pytest.mark.parametrize(
    ("whole", "half"),
    [
        ("(0.000000) can0 1DB#FFC0\n", "(0.010000) can0 1DB#FFC"),
        ("(0.000000) can0 1DB#FFC0\n", "(0.010000) can0 1DB#FF"),
        ("0.000000 R11 000001DB FF C0\n", "0.010000 R11 000001DB FF"),
        ("  can0  1DB   [2]  FF C0\n", "  can0  1DB   [2]  FF"),
        ("0,000001DB,false,Rx,0,2,FF,C0,\n", "10000,000001DB,false,Rx,0,2,FF"),
        ("Time [us]\tID\tLen\tData\n0\t1DB\t2\tFF C0\n", "9\t1DB\t2\tFF"),
    ],
)
def test_a_last_line_that_is_cut_off_is_left_out(capture_of, whole, half):
    capture = capture_of(whole + half)
    assert [row[3] for row in rows(capture)] == ["ffc0"]
    line = whole.count("\n") + 1
    assert f"The last line (line {line}) is cut off and was left out." in capture.notes
    assert not any("could not be read" in note for note in capture.notes)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\0\0\0\0"])
def test_a_whole_last_line_stays_however_the_file_ends(capture_of, end):
    capture = capture_of("(0.000000) can0 1DB#FFC0\n(0.010000) can0 1DB#FFC1" + end)
    assert [row[3] for row in rows(capture)] == ["ffc0", "ffc1"]
    assert capture.notes == ()


def test_other_text_at_the_start_does_not_hide_the_format(capture_of):
    capture = capture_of("the log of Tuesday\n" + candump_at(0, 0.01))
    assert len(capture.frames) == 2
    assert capture.notes == ("1 line could not be read; the first is line 1: 'the log of Tuesday'.",)


def test_long_can_fd_frames_are_left_out_and_counted(capture_of):
    capture = capture_of("(0.000000) can0 1DB##1" + "AA" * 12 + "\n(0.010000) can0 1DB##1" + "AA" * 8 + "\n")
    assert [row[3] for row in rows(capture)] == ["aa" * 8]
    assert capture.notes == ("1 CAN FD frame of more than 8 bytes left out.",)


def test_text_may_be_utf_16_or_start_with_a_mark(capture_of):
    text = candump_at(0, 0.01)
    assert len(capture_of(text.encode("utf-16")).frames) == 2
    assert len(capture_of(text.encode("utf-8-sig")).frames) == 2


# What a user can do wrong


def test_a_file_that_is_none_is_named_with_what_was_expected(tmp_path):
    for path, reason in ((tmp_path / "missing.log", "there is no such file"), (tmp_path, "is a folder")):
        with pytest.raises(UsageError, match=reason) as caught:
            read_capture(path)
        assert str(path) in str(caught.value)
        assert "candump" in str(caught.value)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a device or a pipe"):
        read_capture(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n \r\n\0\0", "is empty"),
        (b"\x0b", "unknown format"),
        (bytes(range(256)) * 8, "binary data of an unknown kind"),
        (b"\x1f\x8b\x08\x00rest", "is packed (gzip); unpack it first"),
        (b"PK\x03\x04rest", "is packed (zip or a spreadsheet); unpack it first"),
        (b"Dear diary,\ntoday I drove.\n", "unknown format, it starts with 'Dear diary,'"),
        (b"name,value\nkp,12.5\nki,3.0\n", "unknown format"),
        (b"Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2\n", "is GVRET/SavvyCAN CSV with a header but no frames"),
        (b"511.794004 CXX GVRET-PC\n", "is GVRET text (CRTD) with a header but no frames"),
        (b"Index\tTime\tID\tData\n", "is table of a USB-CAN logger with a header but no frames"),
        (b"timestamp,arbitration_id,extended,remote,error,dlc,data\n", "is python-can CSV with a header but no frames"),
        (b"date Tue Nov 14 22:13:20.000 2023\nbase hex  timestamps absolute\n", "is Vector ASC with a header but no frames"),
        (b";$FILEVERSION=2.1\n;$STARTTIME=45244.9\n;$COLUMNS=N,O,T,I,d,L,D\n", "is PEAK TRC with a header but no frames"),
        (b";$FILEVERSION=2.1\n;$STARTTIME=noon\n1 0.0 DT 01DB Rx 0\n", "is a damaged PEAK TRC file"),
        (b"Time Stamp,ID,Extended,Dir,Bus,LEN\n12,1DB,false\n", "no line can be read; the first is line 2: '12,1DB,false'"),
        (b"(0.0) can0 1DB##1" + b"00" * 64 + b"\n", "holds only CAN FD frames of more than 8 bytes"),
        (b"".join(b"(0.0) can%d 1DB#00\n" % n for n in range(257)), "names 257 channels"),
        (b"LOGG", "is a damaged Vector BLF file"),
        (b"MDF     4.10    ", "is a damaged ASAM MF4 file"),
        (b"LOGG" + b"\x90\0\0\0" + b"\0" * 136 + b"LOBJ\x10\0\1\0\0\0\0\0\1\0\0\0", "an object of size zero"),
    ],
)
def test_a_file_without_frames_is_refused_with_the_reason(error_of, tmp_path, content, reason):
    message = error_of(content)
    assert reason in message
    assert str(tmp_path) in message
    assert "\n" not in message


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "capture"
    path.write_text(candump_at(0))

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"cannot read .*capture: Permission denied"):
        read_capture(path)


# Whatever the bytes


SAMPLES = {
    "gvret text": b"511.79 CXX GVRET-PC\n" + b"".join(b"511.%06d R11 000001DB FF C0 C3 %02X\n" % (n, n) for n in range(9)),
    "gvret csv": b"Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2\n"
    + b"".join(b"-%d,000001DB,false,Rx,0,2,FF,C0,\n" % n for n in range(9)),
    "candump log": candump_at(*(n * 0.01 for n in range(9))).encode() + b"(0.1) can0 1DA#R8\n(0.2) can0 1DA##1AA\n",
    "candump output": b"".join(b"  can0  1DB   [2]  FF %02X\n" % n for n in range(9)) + b"  can0  1DB   [8]  remote request\n",
    "candump times": b"".join(b" (000.%06d)  can0  1DB   [2]  FF C0\n" % n for n in (0, 9, 5, 7) * 6),
    "candump dates": b"".join(b" (2023-11-14 22:13:20.%06d)  can0  1DB   [1]  FF\n" % n for n in range(9)),
    "table": b"Ch\tT/R\tTime\tCAN ID\tLen\tData\n" + b"".join(b"0\tRX\t%d\t0x120\t4\t0x08 dc 00 dd\t\n" % n for n in range(9)),
    "shape": b"".join(b'%d\t="09:53:14.15%d"\t0x5D3B\t0x01DB\tA\t0x02\tx| FF C0 \n' % (n, n) for n in range(9)),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A small file of every format but MF4, which takes half a second to read."""
    folder = tmp_path_factory.mktemp("samples")
    frames = leaf_frames(20, kinds=(0, EXTENDED, TRANSMITTED))
    binary = {suffix: log_with(folder / f"log.{suffix}", frames).read_bytes() for suffix in ("asc", "trc", "csv", "blf")}
    plain = log_with(folder / "plain.blf", frames, compression_level=0).read_bytes()
    return [*SAMPLES.values(), *binary.values(), plain]


def assert_capture_or_usage_error(path, content):
    path.write_bytes(content)
    try:
        capture = read_capture(path)
    except UsageError:
        return
    assert len(capture.frames) > 0
    assert capture.frames.time[0] == 0
    assert (np.diff(capture.frames.time) >= 0).all()
    assert capture.frames.length.max() <= 8
    assert capture.frames.bus.max() < len(capture.channels)
    assert capture.frames.identifier.max() < 1 << 29


LOG_CHARACTERS = "0123456789ABCDEFx| #.,;:()[]\t\n-canRTdbhL"
ANY_BYTES = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY_BYTES
@given(content=st.binary(max_size=400) | st.text(LOG_CHARACTERS, max_size=400).map(str.encode))
def test_any_bytes_give_a_capture_or_a_usage_error(tmp_path, content):
    assert_capture_or_usage_error(tmp_path / "noise", content)


@ANY_BYTES
@given(data=st.data())
def test_a_damaged_file_gives_a_capture_or_a_usage_error(tmp_path, samples, data):
    content = bytearray(data.draw(st.sampled_from(samples)))
    place = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255) | st.sampled_from(b"\0\n-,9")), max_size=8)):
        content[at] = value
    first, last = sorted((data.draw(place), data.draw(place)))
    damage = data.draw(st.sampled_from(["none", "cut", "hole", "twice"]))
    if damage == "cut":
        del content[last:]
    elif damage == "hole":
        del content[first:last]
    elif damage == "twice":
        content[first:first] = content[first:last]
    assert_capture_or_usage_error(tmp_path / "damaged", bytes(content))


def test_a_damaged_mf4_file_gives_a_capture_or_a_usage_error(tmp_path):
    pytest.importorskip("asammdf")
    content = log_with(tmp_path / "log.mf4", leaf_frames(20)).read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(4):
        damaged = bytearray(content)
        for at in rng.integers(64, len(content), size=20):
            damaged[at] = rng.integers(256)
        assert_capture_or_usage_error(tmp_path / "damaged", bytes(damaged))
