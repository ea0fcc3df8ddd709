import logging
import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime

import can
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.captures import mf4, read_capture, write_blf, write_candump
from hil.errors import UsageError
from hil.frames import FrameFlags, bytes_from_payload, new_frames, payload_from_bytes

NOON = 1_700_000_000.0  # [s] 14 November 2023, 22:13:20 UTC
EXTENDED, ERROR, REMOTE, TRANSMITTED = 1, 2, 4, 8


@pytest.fixture
def capture_of(tmp_path):
    """Reads a capture from text or bytes, in a file whose name tells nothing."""

    def read(content):
        path = tmp_path / "capture"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_capture(path)

    return read


@pytest.fixture
def error_of(capture_of):
    """The message of the UsageError that a file leads to."""

    def message(content):
        with pytest.raises(UsageError) as caught:
            capture_of(content)
        return str(caught.value)

    return message


def rows(capture):
    """Frames as plain numbers: time [us], channel, identifier, data, kind."""
    return [
        (
            int(frame.time) // 1000,
            capture.channels[frame.bus],
            int(frame.identifier),
            bytes_from_payload(frame.payload, frame.length).hex(),
            int(frame.kind),
        )
        for frame in capture.frames
    ]


def leaf_frames(count=60, kinds=(0,)):
    """Frames of two buses 0.3 ms apart, of every length, all bits in use."""
    rng = np.random.default_rng(1)
    frames = new_frames(count)
    for index in range(count):
        frame = frames[index]
        frame.kind = kinds[index % len(kinds)]
        frame.time = index * 300_000
        frame.identifier = 0x18DA10F1 if frame.kind & EXTENDED else 0x1D4 + index % 12
        frame.bus = index % 2
        frame.length = 0 if frame.kind & (ERROR | REMOTE) else index % 9
        frame.payload = payload_from_bytes(rng.bytes(int(frame.length)))
    return frames


def messages(frames, start=NOON):
    """The same frames as python-can has them."""
    return [
        can.Message(
            timestamp=start + int(frame.time) / 1e9,
            arbitration_id=int(frame.identifier),
            is_extended_id=bool(frame.kind & EXTENDED),
            is_error_frame=bool(frame.kind & ERROR),
            is_remote_frame=bool(frame.kind & REMOTE),
            is_rx=not frame.kind & TRANSMITTED,
            channel=int(frame.bus),
            dlc=int(frame.length),
            data=bytes_from_payload(frame.payload, frame.length),
        )
        for frame in frames
    ]


def log_with(path, frames, **options):
    """A log of python-can, in the format of the suffix."""
    with can.Logger(path, **options) as logger:
        for message in messages(frames):
            logger.on_message_received(message)
    return path


def assert_same(frames, expected, fields=("time", "payload", "identifier", "bus", "length", "kind")):
    assert len(frames) == len(expected)
    for field in fields:
        np.testing.assert_array_equal(frames[field], expected[field], err_msg=field)


def candump_at(*seconds):
    """A log with a frame at each of these times."""
    return "".join(f"({time:.6f}) can0 1DB#{index % 256:02X}\n" for index, time in enumerate(seconds))


# GVRET


def test_gvret_text_has_time_bus_direction_identifier_and_data(capture_of):
    capture = capture_of(
        "511.794004 CXX GVRET-PC Reverse Engineering Tool Output V115\n"
        "511.794004 R11 000001DB FF C0 C3 6A 00 00 01 97 \n"
        "511.794017 2R29 18DAF110 02 10\n"
        "511.804004 2CEV vehicle.alert door\n"
        "511.804004 T11 50B\n"
    )
    assert capture.format == "GVRET text (CRTD)"
    assert rows(capture) == [
        (0, "1", 0x1DB, "ffc0c36a00000197", 0),
        (13, "2", 0x18DAF110, "0210", EXTENDED),
        (10_000, "1", 0x50B, "", TRANSMITTED),
    ]
    assert (capture.notes, capture.start, capture.has_times) == ((), None, True)


def test_gvret_csv_pads_short_frames_and_may_lack_the_direction(capture_of):
    capture = capture_of(
        "Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\r\n"
        "166064000,0000021A,false,0,8,FE,36,12,FE,69,05,07,AD,\r\n"
        "166064250,00000120,false,1,4,00,00,01,85,00,00,00,00,\r\n"
        "166064500,18DAF110,true,0,1,7F,00\r\n"
    )
    assert rows(capture) == [
        (0, "0", 0x21A, "fe3612fe690507ad", 0),
        (250, "1", 0x120, "00000185", 0),
        (500, "0", 0x18DAF110, "7f", EXTENDED),
    ]


def test_negative_microseconds_that_ascend_are_oldest_first(capture_of):
    head = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n"
    capture = capture_of(head + "".join(f"{-900 + 100 * n},000001DA,false,Tx,0,1,{n:02X},\n" for n in range(5)))
    assert rows(capture) == [(100 * n, "0", 0x1DA, f"{n:02x}", TRANSMITTED) for n in range(5)]
    assert capture.notes == ()


def test_newest_first_is_turned_round(capture_of):
    head = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n"
    capture = capture_of(head + "".join(f"{-100 * n},000001DA,false,Rx,0,1,{n:02X},\n" for n in range(5)))
    assert rows(capture) == [(100 * n, "0", 0x1DA, f"{4 - n:02x}", 0) for n in range(5)]
    assert capture.notes == ("The file is newest first; its order was turned round.",)
    assert capture.jumps == ()


# candump


def test_candump_log_has_absolute_times_remote_frames_and_directions(capture_of):
    capture = capture_of(
        "(1700000000.123456) can1 1DB#FFC0\n"
        "(1700000000.123457) can0 18DAF110#0210 T\n"
        "(1700000000.123458) can0 1DA#R8 R\n"
        "(1700000000.123459) can10 20000080#0000000000000000\n"
        "(1700000000.123460) can2 1DC##1AABB\n"
        "(1700000000.123461) can2 1DC#\n"
    )
    assert capture.format == "candump log"
    assert capture.channels == ("can0", "can1", "can2", "can10")
    assert rows(capture) == [
        (0, "can1", 0x1DB, "ffc0", 0),
        (1, "can0", 0x18DAF110, "0210", EXTENDED | TRANSMITTED),
        (2, "can0", 0x1DA, "0000000000000000", REMOTE),
        (3, "can10", 0x80, "0000000000000000", EXTENDED | ERROR),
        (4, "can2", 0x1DC, "aabb", 0),
        (5, "can2", 0x1DC, "", 0),
    ]
    assert capture.start == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert capture.notes == ("1 error frame kept, marked by their kind.", "1 remote frame kept, marked by their kind.")


def test_candump_output_without_times_is_evenly_spaced_and_says_so(capture_of):
    capture = capture_of(
        "  can0  1DB   [8]  FF C0 C3 6A 00 00 01 97\n"
        "  can0  1ED   [3]  FF E1 ED\n"
        "  can1  18DAF110   [0]\n"
        "  can0  TX - -  1D4   [2]  6E 6E   'nn'\n"
        "  can0  1DA   [8]  remote request\n"
    )
    assert not capture.has_times
    assert rows(capture) == [
        (0, "can0", 0x1DB, "ffc0c36a00000197", 0),
        (250, "can0", 0x1ED, "ffe1ed", 0),
        (500, "can1", 0x18DAF110, "", EXTENDED),
        (750, "can0", 0x1D4, "6e6e", TRANSMITTED),
        (1000, "can0", 0x1DA, "0000000000000000", REMOTE),
    ]
    assert "The file holds no times; the frames are spaced 0.25 ms apart in its order." in capture.notes


@pytest.mark.parametrize(
    ("first", "second", "start"),
    [
        (" (000.000000)", " (000.010123)", None),
        ("(14.471)", "(14.481123)", None),
        (" (1700000000.500000)", " (1700000000.510123)", datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
        (
            " (2023-11-14 22:13:20.500000)",
            " (2023-11-14 22:13:20.510123)",
            datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC),
        ),
    ],
)
def test_candump_output_may_have_times_in_front(capture_of, first, second, start):
    capture = capture_of(f"{first}  can0  1DB   [2]  FF C0\n{second} RX0 100 [1] 0A\n")
    assert rows(capture) == [(0, "can0", 0x1DB, "ffc0", 0), (10_123, "RX0", 0x100, "0a", 0)]
    assert (capture.start, capture.has_times) == (start, True)
    assert capture.notes == (("The dates have no time zone; they were taken as UTC.",) if "-" in first else ())


def test_distances_between_frames_are_added_up(capture_of):
    distances = [0, 300, 200, 9000, 500] * 6  # [us]
    capture = capture_of("".join(f" (000.{step:06d})  can0  1DB   [1]  00\n" for step in distances))
    np.testing.assert_array_equal(capture.frames.time, np.cumsum(distances) * 1000)
    assert capture.notes == ("The times are distances from frame to frame; they were added up.",)


def test_an_extended_identifier_may_be_a_small_number(capture_of):
    assert rows(capture_of("(0.0) can0 00000123#FF\n"))[0][2:] == (0x123, "ff", EXTENDED)
    assert rows(capture_of("0.0 R29 123 FF\n"))[0][2:] == (0x123, "ff", EXTENDED)
    assert rows(capture_of("0,00000123,true,0,1,FF,\n"))[0][2:] == (0x123, "ff", EXTENDED)


# Tables of USB-CAN loggers


def test_a_table_is_understood_by_its_heading(capture_of):
    capture = capture_of(
        "ParserFlags\tCh\tCounter\tT/R\tTime\tFlags\tCAN ID\tLen\tData\tParser Name\tdefault\n"
        "1\t0\t1\tRX\t48659509\t\t0x00000120\t4\t0x08 dc 00 dd \tDefault Parser\t\n"
        "1\t1\t1\tTX\t48659511\t\t0x000001db\t8\t0xee c0 c3 ea 00 f7 61 9b \tDefault Parser\t\n"
        "1\t0\t1\tRX\t48659512\t\t0x000005ec\t1\t0x00 \tDefault Parser\t\n"
    )
    assert rows(capture) == [
        (0, "0", 0x120, "08dc00dd", 0),
        (2000, "1", 0x1DB, "eec0c3ea00f7619b", TRANSMITTED),
        (3000, "0", 0x5EC, "00", 0),
    ]
    assert capture.notes == ("The column 'Time' names no unit; it was read as ms.",)


@pytest.mark.parametrize(
    "heading",
    [
        "Index\tSystem Time\tTime Identify\tCAN Channel\tDirection\tFrame ID\tFrame Type\tFrame Format\tLength\tData",
        "序号\t系统时间\t时间标识\tCAN通道\t传输方向\tID号\t帧类型\t帧格式\t长度\t数据",
    ],
    ids=["English", "Chinese"],
)
def test_a_table_is_understood_by_its_shape_too(capture_of, heading):
    body = (
        '0\t="09:53:14.156"\t0x5D3B21\tch1\tReceive\t0x01DB\tData Frame\tStandard Frame\t0x08\tx| FF C0 C3 6A 00 00 01 97 \n'
        '1\t="09:53:14.158"\t0x5D3B22\tch1\tReceive\t0x01ED\tData Frame\tStandard Frame\t0x03\tx| FF E1 ED \n'
    )
    capture = capture_of((heading + "\n" + body).encode("gbk"))
    by_name = heading.startswith("Index")
    channel = "ch1" if by_name else "0"
    assert rows(capture) == [(0, channel, 0x1DB, "ffc0c36a00000197", 0), (2000, channel, 0x1ED, "ffe1ed", 0)]
    assert capture.notes == ()


def test_a_table_may_have_a_cell_a_byte_and_frames_of_every_kind(capture_of):
    capture = capture_of(
        "Time (us);Channel;Dir;ID (hex);Type;DLC;D0;D1;D2\n"
        "1000;can0;Rx;1DBh;Standard;2;FF;C0;\n"
        "1300;can0;Tx;18DAF110;Extended;3;01;02;03\n"
        "1600;can0;Rx;1DA;Remote;8;;;\n"
        "1900;can0;Rx;1DB;Standard;3;FF;C0;\n"
    )
    assert rows(capture) == [
        (0, "can0", 0x1DB, "ffc0", 0),
        (300, "can0", 0x18DAF110, "010203", EXTENDED | TRANSMITTED),
        (600, "can0", 0x1DA, "0000000000000000", REMOTE),
    ]
    assert "1 line could not be read; the first is line 5: '1900;can0;Rx;1DB;Standard;3;FF;C0;'." in capture.notes


@pytest.mark.parametrize(
    ("heading", "first", "second", "expected"),
    [
        ("Time", "48659509", "48659519", 10_000),  # no unit: frames are not 10 us apart
        ("Time", "4865950900", "4865960900", 10_000),  # no unit, and 10 s are no distance of frames
        ("Time [ms]", "100.5", "101.5", 1000),
        ("Time", "100.5", "101.5", 1_000_000),
        ("t_us", "100", "350", 250),
        ("Time (µs)", "100", "350", 250),
        ("System Time", "09:59:59.990", "10:00:00.000", 10_000),
    ],
)
def test_the_unit_of_a_time_column_is_named_or_told_from_its_numbers(capture_of, heading, first, second, expected):
    capture = capture_of(f"{heading}\tID\tData\n{first}\t1DB\tFFC0\n{second}\t1DB\tFFC1\n")
    assert [row[0] for row in rows(capture)] == [0, expected]


def test_an_identifier_is_not_taken_for_data_by_its_shape(capture_of):
    capture = capture_of("0.5\t0x000001DB\t2\tFF C0\n0.6\t0x000001DC\t2\tFF C1\n")
    assert rows(capture) == [(0, "0", 0x1DB, "ffc0", 0), (100_000, "0", 0x1DC, "ffc1", 0)]


def test_the_length_of_a_row_says_how_many_bytes_count(capture_of):
    capture = capture_of("ID\tType\tLen\tData\n1DB\tdata\t2\tFF C0 AA\n1DB\tremote\t-1\t\n1DB\tdata\t-1\tFF\n-1\tdata\t1\tFF\n")
    assert capture.frames.payload.tolist() == [0xC0FF]
    assert "3 lines could not be read; the first is line 3: '1DB\\tremote\\t-1\\t'." in capture.notes


def test_a_table_with_hexadecimal_times_only_has_no_times(capture_of):
    capture = capture_of("Time\tID\tData\n0x5D3B21\t0x1DB\tFF C0\n0x5D3B22\t0x1DB\tFF C1\n")
    assert not capture.has_times


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


# What python-can reads


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


# Captures of real cars


def test_the_full_throttle_capture_is_read_whole(shared_data):
    path = shared_data / "captures" / "ze0_full_throttle.gvret.txt"
    lines = path.read_text().splitlines()[1:]
    capture = read_capture(path)
    assert len(lines) == len(capture.frames) == 22_424
    assert (capture.notes, capture.jumps, capture.channels) == ((), (), ("1",))
    assert capture.frames.time[-1] == 30_100_013_000  # 511.794004 s to 541.894017 s
    expected = [(int(cells[2], 16), "".join(cells[3:]).lower()) for cells in map(str.split, lines)]
    assert [(row[2], row[3]) for row in rows(capture)] == expected


def test_the_brake_pump_capture_jumps_back_once_and_is_read_through(shared_data):
    path = shared_data / "captures" / "ze0_pump_brake.gvret.csv"
    capture = read_capture(path)
    assert len(path.read_text().splitlines()) - 1 == len(capture.frames) == 8_189
    assert len(capture.jumps) == 1
    assert capture.jumps[0].frame == 45  # after 45 frames: line 47, since the header is line 1
    assert capture.jumps[0].seconds == pytest.approx(-581.773068, abs=1e-3)
    assert capture.notes == ("The time jumps back by 581.773 s at line 47; the gap was closed.",)
    assert (np.diff(capture.frames.time) >= 0).all()
    assert rows(capture)[0][2:4] == (0x1F2, "10640000001e010d")
    assert rows(capture)[-1][2:4] == (0x1DA, "c2641800000102a9")


def test_the_capture_of_an_inverter_alone_is_oldest_first(shared_data):
    capture = read_capture(shared_data / "captures" / "ze1_inverter_alone.savvycan.csv")
    assert len(capture.frames) == 8_713
    assert (capture.notes, capture.jumps, capture.start) == ((), (), None)
    assert capture.frames.time[-1] == 41_448_070_000  # -1613983962.153940 s to -1613983920.705870 s
    counted = capture.frames[capture.frames.identifier == 0x120]
    steps = np.diff((counted.payload >> 16 & 0xF).astype(int)) % 16
    assert len(steps) == 4145
    assert (steps == 1).all()
    assert np.count_nonzero(capture.frames.kind & int(FrameFlags.EXTENDED)) == 6


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
