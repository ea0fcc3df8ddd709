"""The model of a CAN bus against the rules of the standard, restated here."""

import numpy as np
import pytest
from bus_rig import BIT, BITRATE, LONG, Rig, frame, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from hil import wire
from hil.frames import FrameFlags, new_frames
from hil.virtual_can.can_bus import TRANSMIT_BUFFER, Mode, Status
from hil.virtual_can.injection import Effect

SECOND = 1_000_000_000


def test_a_frame_arrives_when_its_bits_have_passed_and_not_at_its_sender() -> None:
    rig = pair()
    rig.send(0, frame(0x1D4))
    assert rig.bus.next_event is None
    rig.advance(LONG - 1)
    assert (rig.seen, rig.bus.next_event) == ([], LONG)
    rig.advance(LONG)
    assert rig.seen == [(1, 0x1D4, LONG)]
    assert (rig.nodes[0].sent, rig.nodes[1].received) == (1, 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 0x7FF), st.booleans(), st.integers(0, 8), st.integers(0, 2_000_000)),
        min_size=1,
        max_size=12,
        unique_by=lambda row: (row[0], row[1]),
    )
)
def test_arbitration_and_times_are_those_of_the_wire_in_lockstep(rows: list[tuple[int, bool, int, int]]) -> None:
    state, queues, out = wire.WireState.new()[0], wire.new_queues(1), new_frames(1)
    rig = Rig(*[Mode.NORMAL] * (len(rows) + 1))
    for node, (identifier, extended, length, when) in enumerate(rows):
        identifier = identifier << 18 | 5 if extended else identifier
        kind = int(FrameFlags.EXTENDED) if extended else 0
        submitted = new_frames(1)[0]
        submitted.identifier, submitted.time, submitted.length, submitted.kind = identifier, when, length, kind
        wire.submit(state, queues, submitted)
        rig.send(node, frame(identifier, kind, length), when)
    expected = []
    while wire.next_frame(state, queues, 0, SECOND, out):
        expected.append((len(rows), int(out[0].identifier), int(out[0].time)))
    rig.advance(SECOND)
    assert [row for row in rig.seen if row[0] == len(rows)] == expected


def test_a_data_frame_wins_against_a_remote_frame_and_that_against_an_extended_one() -> None:
    rig = Rig(*[Mode.NORMAL] * 4)
    rig.send(0, frame(0x100 << 18, int(FrameFlags.EXTENDED)))
    rig.send(1, frame(0x100, int(FrameFlags.REMOTE)))
    rig.send(2, frame(0x100))
    rig.advance(SECOND)
    assert [identifier for who, identifier, _ in rig.seen if who == 3] == [0x100, 0x100, 0x100 << 18]
    first, second = [when for who, _, when in rig.seen if who == 3][:2]
    assert first == LONG
    assert second - first == 55 * BIT  # a remote frame has no data, whatever length it asks for
    assert rig.nodes[0].status() & Status.ARBITRATION_LOST
    assert not rig.nodes[2].status() & Status.ARBITRATION_LOST


def test_a_full_bus_carries_one_frame_after_the_other_and_says_so() -> None:
    rig = pair()
    now = 0
    while now < 2 * SECOND:
        while len(rig.nodes[0].queue) < 8:
            rig.send(0, frame(), now)
        now += 1_000_000
        rig.advance(now)
    assert rig.nodes[1].received == pytest.approx(2 * SECOND / LONG, abs=1)
    assert rig.bus.load == pytest.approx(1.0, abs=0.001)


def test_a_lone_node_becomes_error_passive_and_stays_until_somebody_acknowledges() -> None:
    rig = Rig(Mode.NORMAL, Mode.CLOSED)
    rig.send(0, frame())
    node = rig.nodes[0]
    counters = set()
    for moment in range(0, SECOND // 50, SECOND // 10_000):
        rig.advance(moment)
        counters.add(node.transmit_errors)
    assert counters == set(range(0, 129, 8))  # 16 attempts, 8 each, no further
    assert (node.error_passive, node.bus_off) == (True, False)
    assert node.status() & (Status.ERROR_PASSIVE | Status.ERROR_WARNING | Status.BUS_ERROR) == 0xA4
    rig.advance(3600 * SECOND)  # an hour alone costs nothing
    assert rig.bus.next_event is None
    rig.bus.open(rig.nodes[1], Mode.NORMAL, BITRATE, 3600 * SECOND)
    rig.advance(3601 * SECOND)
    assert rig.seen == [(1, 0x100, 3600 * SECOND + LONG)]
    assert node.transmit_errors == 127


def test_a_lone_node_keeps_the_bus_busy() -> None:
    rig = Rig(Mode.NORMAL)
    rig.send(0, frame())
    for second in range(1, 4):
        rig.advance(second * SECOND)
    assert rig.bus.load == pytest.approx(1.0, abs=0.1)  # it pauses for eight bits after each attempt


def test_a_hub_that_slept_for_a_day_is_awake_at_once() -> None:
    rig = Rig(Mode.NORMAL)
    rig.injection.add(Effect.LOSE, "front0", 1.0, None, None)  # as long as something disturbs, every attempt counts
    rig.send(0, frame())
    rig.advance(LONG)
    rig.advance(86_400 * SECOND)
    assert rig.bus.errors <= SECOND / LONG + 2


def test_a_listener_receives_but_does_not_acknowledge() -> None:
    rig = Rig(Mode.NORMAL, Mode.LISTEN_ONLY)
    rig.send(0, frame())
    rig.advance(SECOND)
    assert (rig.seen, rig.nodes[0].transmit_errors) == ([], 128)
    three = Rig(Mode.NORMAL, Mode.LISTEN_ONLY, Mode.NORMAL)
    three.send(0, frame())
    three.advance(SECOND)
    assert sorted(who for who, _, _ in three.seen) == [1, 2]


def test_a_node_of_another_bitrate_destroys_frames_until_it_is_error_passive() -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.NORMAL, bitrates=(BITRATE, BITRATE, 250_000))
    rig.send(0, frame())
    rig.advance(LONG)
    assert (rig.seen, rig.bus.errors) == ([], 1)
    assert [node.transmit_errors for node in rig.nodes] == [8, 0, 0]
    assert [node.receive_errors for node in rig.nodes] == [0, 1, 9]  # the third signalled first
    rig.advance(SECOND)
    # 15 times 9 is 135: from then on its error flags are recessive, and the others understand each other again.
    assert rig.identifiers(1) == [0x100]
    assert rig.bus.errors == 15
    assert rig.nodes[0].transmit_errors == 15 * 8 - 1
    assert rig.nodes[2].error_passive
    assert rig.identifiers(2) == []


def test_a_sender_of_another_bitrate_drives_itself_off_the_bus() -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.NORMAL, bitrates=(250_000, BITRATE, BITRATE))
    rig.send(0, frame(0x050))
    rig.advance(SECOND)
    assert rig.nodes[0].bus_off
    assert rig.bus.errors == 32  # 256 / 8
    assert rig.seen == []
    rig.send(1, frame(0x200), SECOND)
    rig.advance(2 * SECOND)
    assert rig.identifiers(2) == [0x200]


def test_a_sender_of_another_bitrate_among_error_passive_nodes_is_never_heard() -> None:
    rig = pair(bitrates=(250_000, BITRATE))
    rig.nodes[1].receive_errors = 128
    rig.send(0, frame())
    rig.advance(SECOND)
    assert rig.seen == []
    assert rig.nodes[0].transmit_errors == 128


def test_bus_off_ends_after_the_port_is_opened_anew_and_128_times_11_recessive_bits_have_passed() -> None:
    rig = pair()
    node = rig.nodes[0]
    node.transmit_errors = 256
    rig.send(0, frame(0x111))
    rig.advance(SECOND)
    assert (rig.seen, node.condition()) == ([], "bus-off")
    rig.bus.close(node, SECOND)
    assert (node.condition(), len(node.queue)) == ("closed", 0)
    rig.bus.open(node, Mode.NORMAL, BITRATE, SECOND)
    rig.send(0, frame(0x222), SECOND)
    recovery = 128 * 11 * BIT
    rig.advance(SECOND + 1)
    assert rig.bus.next_event == pytest.approx(SECOND + recovery, abs=11 * BIT)
    rig.advance(SECOND + recovery - 11 * BIT)
    assert node.bus_off
    rig.advance(SECOND + recovery + 11 * BIT)
    assert node.transmit_errors == 0
    rig.advance(2 * SECOND)
    assert rig.identifiers(1) == [0x222]


def test_on_a_busy_bus_bus_off_lasts_128_frames() -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.NORMAL)
    node = rig.nodes[2]
    node.transmit_errors = 256
    rig.bus.close(node, 0)
    rig.bus.open(node, Mode.NORMAL, BITRATE, 0)
    delivered = 0
    while node.bus_off:
        rig.send(0, frame(), delivered * LONG)
        delivered += 1
        rig.advance(delivered * LONG)
        assert delivered < 200
    assert delivered == 128


def test_success_takes_errors_off_one_by_one_and_a_passive_receiver_is_back_with_its_first_frame() -> None:
    rig = pair()
    sender, receiver = rig.nodes
    sender.transmit_errors, receiver.receive_errors = 100, 200
    for _ in range(3):
        rig.send(0, frame())
    rig.advance(SECOND)
    assert sender.transmit_errors == 97
    assert receiver.receive_errors == 127 - 2


def test_corruption_is_repeated_by_the_sender_and_counted_by_all() -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.LISTEN_ONLY)
    rig.injection.add(Effect.CORRUPT, "front0", 1.0, 5, None)
    rig.send(0, frame(0x1DA))
    rig.advance(SECOND)
    assert rig.identifiers(1) == [0x1DA]
    assert rig.bus.errors == 5
    assert rig.nodes[0].transmit_errors == 5 * 8 - 1
    assert rig.nodes[1].receive_errors == 5 - 1
    assert rig.nodes[2].receive_errors == 0  # listen-only: its counters stand still


def test_corruption_without_end_is_bus_off() -> None:
    rig = pair()
    rig.injection.add(Effect.CORRUPT, "front", 1.0, None, None)
    rig.send(0, frame())
    rig.advance(SECOND)
    assert rig.nodes[0].bus_off
    assert rig.bus.errors == 32


def test_loss_hides_a_frame_from_one_port_or_from_all_and_nobody_counts_an_error() -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.NORMAL)
    rig.injection.add(Effect.LOSE, "front1", 1.0, None, 0x1DB)
    rig.send(0, frame(0x1DB))
    rig.send(0, frame(0x1DA))
    rig.advance(SECOND)
    assert rig.identifiers(1) == [0x1DA]
    assert rig.identifiers(2) == [0x1DB, 0x1DA]
    rig.injection.add(Effect.LOSE, "front", 1.0, 1, None)
    rig.send(0, frame(0x300), SECOND)
    rig.send(0, frame(0x301), SECOND)
    rig.advance(2 * SECOND)
    assert rig.identifiers(2)[2:] == [0x301]
    assert [node.transmit_errors + node.receive_errors for node in rig.nodes] == [0, 0, 0]


def lost_of(seed: int) -> list[int]:
    rig = pair(seed=seed)
    rig.injection.add(Effect.LOSE, "front1", 0.3, None, None)
    for number in range(400):
        rig.send(0, frame(number), number * LONG)
        rig.advance((number + 1) * LONG)
    return sorted(set(range(400)) - set(rig.identifiers(1)))


def test_chance_is_that_of_the_seed() -> None:
    assert lost_of(7) == lost_of(7)
    assert lost_of(7) != lost_of(8)
    # 400 draws at 0.3: mean 120, standard deviation 9.2; five of them either way.
    assert 74 <= len(lost_of(7)) <= 166


def test_a_full_transmit_buffer_refuses_and_flags() -> None:
    rig = pair()
    assert all(rig.send(0, frame()) for _ in range(TRANSMIT_BUFFER))
    assert not rig.send(0, frame())
    assert rig.nodes[0].status() & Status.TRANSMIT_FULL
    assert rig.nodes[0].refused == 1


def test_loopback_answers_at_once_and_the_bus_sees_nothing() -> None:
    rig = Rig(Mode.LOOPBACK, Mode.NORMAL)
    rig.send(0, frame(), 5)
    rig.advance(SECOND)
    assert rig.seen == [(0, 0x100, 5)]


def test_closing_drops_what_waits() -> None:
    rig = pair()
    for _ in range(3):
        rig.send(0, frame())
    rig.advance(LONG)
    rig.bus.close(rig.nodes[0], LONG)
    rig.advance(SECOND)
    assert len(rig.seen) == 1


@settings(max_examples=50)
@given(st.data())
def test_whatever_happens_counters_stay_in_range_and_the_bus_never_hangs(data: st.DataObject) -> None:
    rig = Rig(Mode.NORMAL, Mode.NORMAL, Mode.LISTEN_ONLY, bitrates=(BITRATE, 250_000, BITRATE))
    now = 0
    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.sampled_from([0, 1, LONG, 10 * LONG, SECOND]))
        number = data.draw(st.integers(0, 2))
        node = rig.nodes[number]
        match data.draw(st.sampled_from(["send", "close", "open", "corrupt", "off", "advance"])):
            case "send" if node.mode is Mode.NORMAL:
                rig.send(number, frame(data.draw(st.integers(0, 0x7FF))), now)
            case "close":
                rig.bus.close(node, now)
            case "open" if node.mode is Mode.CLOSED:
                mode = data.draw(st.sampled_from([Mode.NORMAL, Mode.LISTEN_ONLY]))
                rig.bus.open(node, mode, data.draw(st.sampled_from([BITRATE, 250_000])), now)
            case "corrupt":
                rig.injection.add(Effect.CORRUPT, node.name, 0.5, 3, None)
            case "off":
                node.transmit_errors = 256
        rig.advance(now)
        assert rig.bus.next_event is None or rig.bus.next_event > now
        for each in rig.nodes:
            assert 0 <= each.receive_errors <= 255
            assert 0 <= each.transmit_errors <= 256 + 7
    times = [when for _, _, when in rig.seen]
    assert times == sorted(times)
    assert np.all(np.array(times, dtype=float) <= now)
