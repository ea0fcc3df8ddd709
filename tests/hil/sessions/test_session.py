"""Supervised sessions carry frames both ways, count them, and send what is allowed."""

import time

import can
import pytest
from session_rig import Rig, virtual
from waiting import wait_until

from hil import session as sessions
from hil import session_records
from hil.bus_state import BusState
from hil.frames import FrameFlags, new_frames
from hil.ring import waiting
from hil.session import BATCH
from hil.session_records import BusLoad


def test_frames_are_carried_in_both_directions(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\1\2\3"))
        peer.send(can.Message(arbitration_id=0x18DAF110, is_extended_id=True, data=b"\xff" * 8))
        rig.push(0x1D4, b"\x10\x20")
        rig.push(0x18DA10F1, b"", extended=True)
        sent = [peer.recv(5.0) for _ in range(2)]
        wait_until(lambda: rig.session.counters.received == 2 and rig.session.counters.sent == 2)
        assert [(m.arbitration_id, m.is_extended_id, bytes(m.data)) for m in sent] == [
            (0x1D4, False, b"\x10\x20"),
            (0x18DA10F1, True, b""),
        ]
        frames = rig.received()
        assert frames.identifier.tolist() == [0x1DA, 0x18DAF110]
        assert frames.payload.tolist() == [0x030201, 2**64 - 1]
        assert frames.length.tolist() == [3, 8]
        assert frames.kind.tolist() == [0, FrameFlags.EXTENDED]
        assert frames.bus.tolist() == [3, 3]
        assert 0 < frames.time[0] <= frames.time[1]


def test_history_tells_received_and_sent_frames_with_their_times(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4, b"\x10", age=0.01)
        assert peer.recv(5.0)
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\1"))
        wait_until(lambda: rig.session.counters.received == 1)
        frames = rig.session.new_frames()
        assert frames.identifier.tolist() == [0x1D4, 0x1DA]
        assert frames.kind.tolist() == [FrameFlags.TRANSMITTED, 0]
        assert frames.bus.tolist() == [3, 3]
        due = rig.storage[1][0].time
        assert frames.time[0] - due >= 10_000_000  # when it was sent, not when it was due
        assert rig.session.deviation(1.0) == frames.time[0] - due
        assert len(rig.session.new_frames()) == 0


def test_history_that_nobody_takes_keeps_the_latest_frames_and_counts_the_others(peer, monkeypatch):
    monkeypatch.setattr(sessions, "HISTORY", 3)
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier in range(5):
            peer.send(can.Message(arbitration_id=identifier, is_extended_id=False))
        wait_until(lambda: rig.session.counters.received == 5)
        assert rig.session.lost_frames == 2
        assert rig.session.new_frames().identifier.tolist() == [2, 3, 4]


def test_a_list_that_refuses_random_identifiers_does_not_fill_the_memory(peer, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_REFUSED", 10)
    with Rig(virtual(peer), allowed=()) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier in range(15):
            rig.push(identifier)
        wait_until(lambda: rig.session.counters.refused == 15)
        assert sum("not in the list" in text for text in rig.texts()) == 10


def test_our_own_frames_do_not_come_back_by_multicast():
    def opener():
        return can.Bus(interface="udp_multicast", channel="239.74.163.77", port=43_117)

    try:
        opener().shutdown()
    except can.CanError:
        pytest.skip("this machine has no multicast")
    with Rig(opener) as rig, Rig(opener) as other:
        rig.wait_for(BusState.ACTIVE)
        other.wait_for(BusState.ACTIVE)
        for identifier in range(0x100, 0x110):
            rig.push(identifier)
        rig.push(0x7FF, b"\1")
        other.push(0x7FF, b"\1")  # the same frame from elsewhere is no echo
        wait_until(lambda: rig.session.counters.received and waiting(other.control[0]) > 16)
        assert rig.received().identifier.tolist() == [0x7FF]
        assert other.received().identifier.tolist() == [*range(0x100, 0x110), 0x7FF]


def test_remote_and_error_frames_do_not_reach_the_loop(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, is_remote_frame=True, dlc=8))
        peer.send(can.Message(is_error_frame=True))
        peer.send(can.Message(arbitration_id=0x1DB, is_extended_id=False))
        wait_until(lambda: rig.session.counters.received == 2)
        assert rig.session.counters.error_frames == 1
        assert rig.received().identifier.tolist() == [0x1DB]
        assert rig.session.new_frames().kind.tolist() == [FrameFlags.REMOTE, FrameFlags.ERROR, 0]


def test_frames_that_wait_wake_the_sender(peer, monkeypatch):
    monkeypatch.setattr(sessions, "SUPERVISION", 60.0)  # for which the sender would sleep
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier in (0x1D4, 0x1D5):
            rig.push(identifier)
            assert peer.recv(5.0).arbitration_id == identifier
        monkeypatch.undo()
        rig.push(0x1D6)  # it looks for the end more often again


def test_waiting_frames_still_go_out_when_the_session_stops(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier in range(3 * BATCH):
            rig.push(identifier)
    assert [peer.recv(5.0).arbitration_id for _ in range(3 * BATCH)] == list(range(3 * BATCH))
    assert rig.session.state == BusState.CLOSED


def test_load_counts_the_bits_of_both_directions(peer):
    with Rig(virtual(peer), bitrate=10_000) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4, bytes(8))
        peer.send(can.Message(arbitration_id=0x1DA, data=bytes(8)))
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, is_remote_frame=True, dlc=8))
        peer.send(can.Message(is_error_frame=True))
        counters = rig.session.counters
        wait_until(lambda: (counters.sent, counters.received, counters.error_frames) == (1, 2, 1))
        begin = rig.session._load._begin
        before = time.monotonic()
        rig.session.new_frames()
        after = time.monotonic()
        bits = 135 + 160 + 55
        assert bits / 10_000 / (after - begin) <= rig.session.load <= bits / 10_000 / (before - begin)


def test_load_is_that_of_the_last_whole_second(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(session_records.time, "monotonic", lambda: now[0])
    load = BusLoad(500_000)
    frames = new_frames(100)
    frames.length = 8
    for seconds in (0.5, 1.0):
        now[0] = seconds
        load.add(frames)
        assert load.share == pytest.approx(100 * 135 / 500_000 / 0.5)
    now[0] = 1.5
    load.add(frames)
    assert load.share == pytest.approx(100 * 135 / 500_000 / 0.5)  # the second is not over
    now[0] = 3.0
    load.add(frames[:0])
    assert load.share == pytest.approx(100 * 135 / 500_000 / 2.0)
    now[0] = 4.0
    load.add(frames[:0])
    assert load.share == 0.0


# What may be sent


def test_only_allowed_frames_are_sent_and_each_refused_identifier_is_said_once(peer):
    with Rig(virtual(peer), allowed={(0x1D4, False), (0x18DA10F1, True)}) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier, extended in ((0x1D4, True), (0x55B, False), (0x55B, False), (0x18DA10F1, True), (0x1D4, False)):
            rig.push(identifier, extended=extended)
        assert [peer.recv(5.0).arbitration_id for _ in range(2)] == [0x18DA10F1, 0x1D4]
        assert rig.session.counters.refused == 3
        said = [text for text in rig.texts() if "not in the list" in text]
        assert len(said) == 2
        assert "frame 000001D4 " in said[0]
        assert "frame 55B " in said[1]


def test_a_listening_session_sends_nothing(peer):
    with Rig(virtual(peer), listen_only=True) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
    assert waiting(rig.control[1]) == 0
    assert rig.session.counters.sent == 0
    assert peer.recv(0) is None


def test_an_empty_list_allows_nothing(peer):
    with Rig(virtual(peer), allowed=()) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
        wait_until(lambda: rig.session.counters.refused == 1)
    assert peer.recv(0) is None


def test_a_frame_that_is_long_overdue_is_discarded(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4, age=1.0)
        rig.push(0x1D5)
        assert peer.recv(5.0).arbitration_id == 0x1D5
        assert rig.session.counters.late == 1


def test_own_frames_that_somebody_else_sends_are_left_out_counted_and_said_once(peer):
    with Rig(virtual(peer), name="front", allowed=[(0x1D4, False), (0x18CC078C, True)]) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier, extended in ((0x1D4, False), (0x18CC078C, True), (0x1D4, False), (0x1DA, False)):
            peer.send(can.Message(arbitration_id=identifier, is_extended_id=extended, data=b"\1"))
        wait_until(lambda: rig.session.counters.received == 4)
        assert rig.received().identifier.tolist() == [0x1DA]
        assert rig.session.counters.foreign == 3
        assert [text for text in rig.texts() if "somebody else" in text] == [
            "front: somebody else sends frames of this station, 1D4 first: they are left out; find the other one and end it"
        ]
        assert len(rig.session.new_frames()) == 4  # a recording holds them


def test_who_only_listens_may_hear_the_frames_of_its_own_role(peer):
    with Rig(virtual(peer), allowed=[(0x1D4, False)], listen_only=True) as rig:
        rig.wait_for(BusState.ACTIVE)
        peer.send(can.Message(arbitration_id=0x1D4, is_extended_id=False, data=b"\1"))
        wait_until(lambda: rig.session.counters.received == 1)
        assert rig.received().identifier.tolist() == [0x1D4]
        assert rig.session.counters.foreign == 0
