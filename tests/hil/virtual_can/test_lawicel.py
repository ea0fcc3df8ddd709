"""The slcan protocol of an adapter: every command open and closed, and whatever a torn line or a wild program may write."""

import re

import pytest
from bus_rig import BITRATE, LONG, Rig
from hypothesis import given
from hypothesis import strategies as st

from hil.virtual_can.can_bus import TRANSMIT_BUFFER, Mode
from hil.virtual_can.lawicel import Adapter, bitrate_of_registers

SECOND = 1_000_000_000
OK, BELL = b"\r", b"\a"


class Bench:
    """An adapter on a bus with one other node, which acknowledges."""

    def __init__(self) -> None:
        self.rig = Rig(Mode.CLOSED, Mode.NORMAL)
        self.adapter = Adapter(self.rig.nodes[0], self.rig.bus, 0x12AB, 0)

    def ask(self, commands: bytes, now: int = 0) -> bytes:
        return self.adapter.accept(commands, now)

    def opened(self, letter: bytes = b"O") -> "Bench":
        assert self.ask(b"S6\r" + letter + b"\r") == OK + OK
        return self


CLOSED_ONLY = [b"S0", b"S6", b"S8", b"s0014", b"Z0", b"Z1", b"M00000000", b"mFFFFFFFF"]
NEED_A_BITRATE = [b"O", b"L", b"l"]
OPEN_ONLY = [b"C", b"F", b"t1000", b"T000001000", b"r1008", b"R000001008"]
ALWAYS = {b"V": b"V1013\r", b"v": b"v1013\r", b"N": b"N12AB\r", b"": b"\r"}
WRONG = [
    b"S9", b"S", b"S66", b"s12", b"s00zz", b"Z", b"Z2", b"O1", b"CC", b"X1", b"P", b"A", b"U1", b"Q1", b"Y2", b"?", b"\xff\x00",
    b"M00000001", b"t", b"t10", b"t100", b"t1009" + b"00" * 9, b"t8000", b"t1001", b"t10011", b"t1001000", b"t100+10", b"t10 00",
    b"t1001 0", b"T0000010", b"T200000000", b"T1FFFFFFF100FF", b"r10081122334455667788", b"r100", b"R00000100",
    b"t100800112233445566",
]  # fmt: skip


@pytest.mark.parametrize("command", CLOSED_ONLY)
def test_set_up_commands_work_only_while_closed(command: bytes) -> None:
    bench = Bench()
    bench.ask(b"S5\r")
    assert bench.ask(command + b"\r") == OK
    assert Bench().opened().ask(command + b"\r") == BELL


@pytest.mark.parametrize("command", NEED_A_BITRATE)
def test_opening_needs_a_bitrate_and_a_closed_channel(command: bytes) -> None:
    bench = Bench()
    assert bench.ask(command + b"\r") == BELL
    assert bench.ask(b"S6\r" + command + b"\r" + command + b"\r") == OK + OK + BELL
    assert bench.ask(b"C\r" + command + b"\r") == OK + OK  # the bitrate is remembered


@pytest.mark.parametrize("command", OPEN_ONLY)
def test_bus_commands_work_only_while_open(command: bytes) -> None:
    assert Bench().ask(command + b"\r") == BELL
    assert Bench().opened().ask(command + b"\r")[-1:] == OK


@pytest.mark.parametrize("command", ALWAYS)
def test_questions_are_always_answered(command: bytes) -> None:
    assert Bench().ask(command + b"\r") == ALWAYS[command]
    assert Bench().opened().ask(command + b"\r") == ALWAYS[command]


@pytest.mark.parametrize("command", WRONG)
def test_wrong_commands_are_answered_by_bell_and_change_nothing(command: bytes) -> None:
    for bench in (Bench(), Bench().opened()):
        before = bench.rig.nodes[0].mode
        assert bench.ask(command + b"\r") == BELL
        assert (bench.rig.nodes[0].mode, len(bench.rig.nodes[0].queue)) == (before, 0)


@pytest.mark.parametrize(
    ("line", "identifier", "answer"),
    [
        (b"t1D48c0FFee0123456789", 0x1D4, b"z\r"),
        (b"t0000", 0, b"z\r"),
        (b"T1FFFFFFF2abCD", 0x1FFFFFFF, b"Z\r"),
        (b"r7FF8", 0x7FF, b"z\r"),
        (b"R000000013", 1, b"Z\r"),
    ],
)
def test_a_frame_goes_out_as_it_came_in_with_capital_digits(line: bytes, identifier: int, answer: bytes) -> None:
    bench = Bench().opened()
    sent = bench.rig.nodes[0].queue
    assert bench.ask(line + b"\r") == answer
    assert sent[0].identifier == identifier
    assert bench.adapter.report(sent[0], 0) == line[:1] + line[1:].upper() + b"\r"


@pytest.mark.parametrize("letter", [b"L", b"C"])
def test_a_listener_and_a_closed_channel_send_nothing(letter: bytes) -> None:
    bench = Bench()
    bench.ask(b"S6\r" + letter + b"\r")
    assert bench.ask(b"t1000\r") == BELL


def test_a_channel_in_loopback_hears_itself_alone() -> None:
    bench = Bench().opened(b"l")
    assert bench.ask(b"t1230\r") == b"z\r"
    bench.rig.advance(SECOND)
    assert [row[:2] for row in bench.rig.seen] == [(0, 0x123)]


def test_bitrates_are_those_of_the_codes_and_of_the_timing_registers() -> None:
    expected = [10, 20, 50, 100, 125, 250, 500, 800, 1000]
    for code, kilobits in enumerate(expected):
        bench = Bench()
        bench.ask(b"S%d\rO\r" % code)
        assert bench.rig.nodes[0].bitrate == kilobits * 1000
    # The table of the SJA1000's manual for a 16 MHz crystal.
    for registers, bitrate in {0x311C: 10_000, 0x031C: 125_000, 0x011C: 250_000, 0x001C: 500_000, 0x0014: 1_000_000}.items():
        assert bitrate_of_registers(registers >> 8, registers & 0xFF) == bitrate
    bench = Bench()
    bench.ask(b"s001C\rO\r")
    assert bench.rig.nodes[0].bitrate == BITRATE


def test_time_stamps_are_milliseconds_since_power_up_and_start_again_after_a_minute() -> None:
    bench = Bench()
    bench.ask(b"Z1\r")
    bench.opened()
    bench.ask(b"t1000\r")
    frame = bench.rig.nodes[0].queue[0]
    assert bench.adapter.report(frame, 0) == b"t10000000\r"
    assert bench.adapter.report(frame, 59_999_999_999) == b"t1000EA5F\r"
    assert bench.adapter.report(frame, 60_000_000_000) == b"t10000000\r"
    bench.adapter.power_up(7_000_000_000)
    assert bench.adapter.report(frame, 8_000_000_000) == b"t1000\r"  # a new adapter stamps nothing


def test_status_flags_have_their_bits_and_are_cleared_by_reading() -> None:
    bench = Bench().opened()
    assert bench.ask(b"F\r") == b"F00\r"
    assert bench.ask(b"t1000\r" * (TRANSMIT_BUFFER + 1)) == b"z\r" * TRANSMIT_BUFFER + BELL
    assert bench.ask(b"F\r") == b"F02\r"
    bench.rig.advance(TRANSMIT_BUFFER * LONG)
    assert bench.ask(b"F\r") == b"F00\r"
    node = bench.rig.nodes[0]
    node.receive_errors = 96
    assert bench.ask(b"F\r") == b"F04\r"
    node.transmit_errors = 128
    assert bench.ask(b"F\r" * 2) == b"F24\r" * 2  # a condition, not an event: it stays
    bench.rig.bus.close(bench.rig.nodes[1], 0)
    node.transmit_errors = node.receive_errors = 0
    bench.ask(b"t1000\r", SECOND)
    bench.rig.advance(SECOND + LONG)
    assert bench.ask(b"F\r" * 2) == b"F80\rF00\r"  # nobody acknowledged


@pytest.mark.parametrize(
    "beginning",
    [
        b"C\rS6\r\rO\rO\r",  # python-can
        b"C\rS6\rF\rO\r",  # slcand -c -s6 -f -o
        b"C\rS6\rY2\rO\r",  # SavvyCAN, which asks for CAN FD, too
        b"\r\r\rV\rS6\rM00000000\rmFFFFFFFF\rZ0\rO\r",  # by the manual
    ],
)
def test_programs_begin_in_their_own_ways(beginning: bytes) -> None:
    for bench in (Bench(), Bench().opened(), Bench().opened(b"L")):
        bench.ask(b"C\r")
        for _ in range(2):  # and once more, after a crash
            bench.ask(beginning)
            assert (bench.rig.nodes[0].mode, bench.rig.nodes[0].bitrate) == (Mode.NORMAL, BITRATE)


def test_a_line_may_come_in_pieces_and_lines_together() -> None:
    bench = Bench()
    assert [bench.ask(piece) for piece in (b"S", b"6", b"\rO", b"\rt10", b"0", b"0\r")] == [b"", b"", OK, OK, b"", b"z\r"]
    assert bench.ask(b"V\rC\r\nV\r") == b"V1013\r\rV1013\r"


def test_a_line_too_long_is_one_bell_however_long_and_the_next_line_is_heard() -> None:
    bench = Bench()
    for _ in range(1000):
        assert bench.ask(b"V" * 1000) == b""
    assert bench.ask(b"\rV\r") == BELL + b"V1013\r"


ANSWERS = re.compile(rb"(\r|\a|[zZ]\r|F[0-9A-F]{2}\r|[Vv]1013\r|N12AB\r)*")
LETTERS = b"SsOLlCtTrRFVvNZMmXPAUQWz\r\r\r\n0123456789abcdefABCDEF \x00\xff"


@given(st.lists(st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(LETTERS), max_size=60).map(bytes)), max_size=20))
def test_any_bytes_get_one_answer_a_line(pieces: list[bytes]) -> None:
    bench = Bench()
    answers = b"".join(bench.ask(piece, SECOND * number) for number, piece in enumerate(pieces))
    assert ANSWERS.fullmatch(answers)
    assert answers.count(b"\r") + answers.count(b"\a") == b"".join(pieces).count(b"\r")
    assert bench.rig.nodes[0].mode in Mode
    bench.rig.advance(SECOND * (len(pieces) + 1))
    assert bench.ask(b"\r\rC\r")[-1:] in (OK, BELL)  # how a program begins: whatever was before is over
    assert bench.ask(b"S6\rO\rt1230\r", SECOND * 30) == b"\r\rz\r"
