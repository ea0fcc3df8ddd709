"""One channel in a process, its frames in lists: what ISO 15765-2 says of frames that are wrong, too many or too long."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.diagnostics.channel import WAIT_FRAMES_MOST, WAITING_MOST, Channel, TransportSettings, single_frame
from hil.diagnostics.protocol import LONGEST
from hil.errors import UsageError

REQUEST, RESPONSE = 0x797, 0x79A
OVERFLOW = bytes([0x32])


class Wire:
    """A channel and what it has sent."""

    def __init__(self, settings=None, accepts=lambda frame: True):
        self.sent = []

        def send(identifier, data, extended):
            assert (identifier, extended, len(data)) == (RESPONSE, False, 8)
            self.sent.append(data)
            return accepts(data)

        self.channel = Channel(REQUEST, RESPONSE, False, send, settings)

    def take(self, *frames):
        for frame in frames:
            self.channel.take(bytes(frame))

    def begin(self, length=20):
        self.take([0x10 | length >> 8, length & 0xFF, *range(6)])


def test_a_message_of_several_frames_is_received_whole():
    wire = Wire(TransportSettings(block_size=1, separation_asked=5, padding=0xAA))
    wire.begin(20)
    wire.take([0x21, *range(7)], [0x22, *range(7)])
    assert wire.channel.receive() == bytes([*range(6), *range(7), *range(7)])
    assert wire.sent == [bytes([0x30, 1, 5, *[0xAA] * 5])] * 2


@pytest.mark.parametrize("length", [2**32 - 1, LONGEST + 1, 2**31])
def test_a_first_frame_of_more_than_is_allowed_is_answered_by_overflow_and_needs_no_memory(length):
    wire = Wire()
    tracemalloc.start()
    wire.take(bytes([0x10, 0]) + length.to_bytes(4) + b"\1\2")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [frame[:1] for frame in wire.sent] == [OVERFLOW]
    assert peak < 100_000
    wire.take([2, 0x3E, 0])
    assert wire.channel.receive() == b"\x3e\0"


def test_a_wrong_sequence_number_ends_a_message():
    wire = Wire()
    wire.begin(20)
    wire.take([0x22, *range(7)], [0x21, *range(7)], [0x22, *range(7)])
    assert wire.channel.receive() is None
    assert wire.channel.counters.by_kind == {"WrongSequenceNumberError": 1, "UnexpectedConsecutiveFrameError": 2}


@pytest.mark.parametrize(
    "frame",
    [[], [0x00], [0x08, *range(7)], [0x00, 5, *range(6)], [0x03, 1], [0x10, 7, *range(6)], [0x10], [0x40, 1], [0xFF] * 8, [0x30],
     [0x33, 0, 0], [0x21]],
)  # fmt: skip
def test_a_frame_that_is_to_be_ignored_ends_nothing(frame):
    wire = Wire()
    wire.begin(13)
    wire.take(frame, [0x21, *range(7)])
    assert wire.channel.receive() == bytes([*range(6), *range(7)])


def test_a_new_message_takes_the_place_of_one_that_is_not_complete():
    wire = Wire()
    wire.begin(20)
    wire.take([0x02, 0x3E, 0x00], [0x21, *range(7)])
    assert wire.channel.receive() == b"\x3e\x00"
    assert wire.channel.receive() is None


def test_the_time_between_frames_is_the_testers_or_the_control_units_own_whichever_is_more():
    for asked, own, told in ((0, 1, 0.001), (20, 1, 0.02), (5, 10, 0.01), (0xF5, 0, 0.0005), (0xF5, 1, 0.001), (0xFF, 1, 0.127)):
        wire = Wire(TransportSettings(separation=own))
        wire.channel.send(bytes(20))
        wire.take([0x30, 0, asked])
        assert wire.channel.until_due() == pytest.approx(told, abs=told / 2)
        assert len(wire.sent) == 1


def test_a_tester_that_lets_wait_too_often_gets_no_more():
    wire = Wire()
    wire.channel.send(bytes(20))
    wire.take(*[[0x31, 0, 0]] * WAIT_FRAMES_MOST)
    assert wire.channel.is_sending
    wire.take([0x31, 0, 0])
    assert not wire.channel.is_sending


def test_an_answer_without_flow_control_waits_a_second_and_those_behind_it_are_few(monkeypatch):
    now = [0]
    monkeypatch.setattr("isotp.tools.time.perf_counter_ns", lambda: now[0])
    wire = Wire()
    for _ in range(100):
        wire.channel.send(bytes(20))
    assert wire.channel.counters.dropped == 100 - 1 - WAITING_MOST
    for _ in range(1 + WAITING_MOST):
        assert wire.channel.until_due() == pytest.approx(1.0)
        now[0] += 999_000_000
        wire.channel.process()
        assert wire.channel.is_sending
        now[0] += 2_000_000
        wire.channel.process()
    assert not wire.channel.is_sending
    assert len(wire.sent) == 1 + WAITING_MOST  # their first frames
    assert wire.channel.until_due() is None


def test_a_message_that_is_not_continued_is_forgotten_after_a_second(monkeypatch):
    now = [0]
    monkeypatch.setattr("isotp.tools.time.perf_counter_ns", lambda: now[0])
    wire = Wire()
    wire.begin(13)
    assert wire.channel.until_due() == pytest.approx(1.0)
    now[0] += 1_001_000_000
    wire.channel.process()
    assert wire.channel.until_due() is None
    wire.take([0x21, *range(7)])
    assert wire.channel.receive() is None


def test_of_a_message_whose_frame_could_not_be_sent_the_rest_is_not():
    wire = Wire(TransportSettings(separation=0), accepts=lambda frame: frame[0] != 0x22)
    wire.channel.send(bytes(60))
    wire.take([0x30, 2, 0])
    assert [frame[0] for frame in wire.sent] == [0x10, 0x21, 0x22]
    assert not wire.channel.is_sending


@given(st.lists(st.binary(max_size=8), max_size=60), st.lists(st.integers(0, LONGEST), max_size=3))
def test_whatever_comes_the_channel_goes_on_and_holds_no_more_than_a_message(frames, lengths):
    wire = Wire()
    for length in lengths:
        wire.channel.send(bytes(max(1, length)))
    for frame in frames:
        wire.channel.take(frame)
        assert len(wire.channel._logic.rx_buffer) <= LONGEST
        while wire.channel.receive() is not None:
            pass
    wire.channel._logic.stop_receiving()
    wire.take([0x02, 0x3E, 0x80])
    assert wire.channel.receive() == b"\x3e\x80"


def test_only_a_whole_single_frame_can_go_to_all():
    assert single_frame(b"\x02\x3e\x00\0\0\0\0\0") == b"\x3e\x00"
    assert [single_frame(frame) for frame in (b"", b"\x00\x01", b"\x03\x3e\x00", b"\x10\x08\1\2\3\4\5\6", b"\x30\0\0")] == [
        None
    ] * 5


@pytest.mark.parametrize("name", ["block_size", "separation_asked", "separation", "padding"])
def test_settings_outside_their_range_are_told(name):
    with pytest.raises(UsageError, match=f"{name} = 256: allowed is 0 to"):
        TransportSettings(**{name: 256})
