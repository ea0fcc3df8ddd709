"""The bus model against what the standard says of a classic CAN bus."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hil.frames import FrameFlags, new_frames
from hil.wire import QUEUE, WireState, frame_bits, insert, new_queues, next_frame, priority, submit

BIT = 2000  # [ns] at 500 kbit/s


def frame_of(identifier: int, time: int = 0, length: int = 8, kind: int = 0):
    frame = new_frames(1)[0]
    frame.identifier, frame.time, frame.length, frame.kind = identifier, time, length, kind
    return frame


class Wire:
    def __init__(self) -> None:
        self.state, self.queues, self.out = WireState.new()[0], new_queues(1), new_frames(1)

    def submit(self, frame) -> None:
        submit(self.state, self.queues, frame)

    def deliver(self, now: int) -> list[tuple[int, int]]:
        delivered = []
        while next_frame(self.state, self.queues, 0, now, self.out):
            delivered.append((int(self.out[0].identifier), int(self.out[0].time)))
        return delivered


def test_frame_lengths_are_those_of_the_worst_stuffing() -> None:
    # Davis, Burns, Bril, Lukkien (2007): 135 bits for eight bytes and an 11-bit identifier, 160 for 29 bits, 55 without data.
    assert frame_bits(8, 0) == 135
    assert frame_bits(8, 1) == 160
    assert frame_bits(0, 0) == 55


def test_the_lowest_identifier_goes_first_and_each_frame_takes_its_time() -> None:
    wire = Wire()
    for identifier in (0x300, 0x100, 0x200):
        wire.submit(frame_of(identifier))
    assert wire.deliver(10_000_000) == [(0x100, 135 * BIT), (0x200, 2 * 135 * BIT), (0x300, 3 * 135 * BIT)]


def test_a_frame_on_the_wire_is_not_interrupted_by_a_more_urgent_one() -> None:
    wire = Wire()
    wire.submit(frame_of(0x300, time=0))
    wire.submit(frame_of(0x001, time=1000))
    assert [identifier for identifier, _ in wire.deliver(10_000_000)] == [0x300, 0x001]


def test_a_frame_that_is_not_complete_yet_is_not_delivered() -> None:
    wire = Wire()
    wire.submit(frame_of(0x100))
    assert wire.deliver(135 * BIT - 1) == []
    assert wire.deliver(135 * BIT) == [(0x100, 135 * BIT)]


def test_frames_of_one_identifier_keep_their_order() -> None:
    wire = Wire()
    for length in (1, 2, 3):
        wire.submit(frame_of(0x100, length=length))
    lengths = []
    while next_frame(wire.state, wire.queues, 0, 10_000_000, wire.out):
        lengths.append(int(wire.out[0].length))
    assert lengths == [1, 2, 3]


def test_an_extended_identifier_loses_against_the_standard_one_with_the_same_first_bits() -> None:
    extended = frame_of(0x100 << 18, kind=int(FrameFlags.EXTENDED))
    assert priority(frame_of(0x100)) < priority(extended) < priority(frame_of(0x101))


def test_a_full_queue_counts_what_it_loses() -> None:
    wire = Wire()
    for _ in range(QUEUE + 3):
        wire.submit(frame_of(0x100))
    assert int(wire.state.overflow[0]) == 3


@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.integers(0, 5_000_000)), min_size=1, max_size=40))
def test_the_bus_carries_one_frame_at_a_time_and_loses_none(frames: list[tuple[int, int]]) -> None:
    wire = Wire()
    for identifier, time in sorted(frames, key=lambda frame: frame[1]):
        wire.submit(frame_of(identifier, time))
    delivered = wire.deliver(1_000_000_000)
    assert sorted(identifier for identifier, _ in delivered) == sorted(identifier for identifier, _ in frames)
    ends = [time for _, time in delivered]
    assert np.all(np.diff(ends) >= 135 * BIT)
    assert int(wire.state.busy[0]) == len(frames) * 135 * BIT


def test_who_comes_later_does_not_take_part_in_the_arbitration_before():
    wire = Wire()
    wire.submit(frame_of(0x300, time=0))
    wire.submit(frame_of(0x200, time=100 * BIT))
    wire.submit(frame_of(0x100, time=200 * BIT))
    assert wire.deliver(10_000_000) == [(0x300, 135 * BIT), (0x200, 270 * BIT), (0x100, 405 * BIT)]


def test_a_frame_is_logged_by_its_time_after_those_of_the_same_time():
    log = new_frames(4)
    for count, (identifier, time) in enumerate([(1, 10), (2, 30), (3, 10), (4, 20)]):
        insert(log, count, frame_of(identifier, time))
    assert list(zip(log.identifier.tolist(), log.time.tolist(), strict=True)) == [(1, 10), (3, 10), (4, 20), (2, 30)]
