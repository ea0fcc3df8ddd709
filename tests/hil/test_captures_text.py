from datetime import UTC, datetime

import numpy as np
import pytest
from capture_files import ERROR, EXTENDED, REMOTE, TRANSMITTED, rows

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
