"""A mailbox beside the rings of a session; over SocketCAN see test_responder_on_buses."""

import threading
import time

import can
import pytest
from session_rig import Controller, Rig, virtual
from waiting import wait_until

from hil.bus_state import BusState
from hil.frames import TRANSMITTED, bytes_from_payload
from hil.mailbox import CAPACITY, FrameFilter

RECEIVED = [FrameFilter(0x797), FrameFilter(0x18DA9700, True, 0x1FFFFF00)]
SENT = [FrameFilter(0x79A), FrameFilter(0x18DA0097, True, 0x1FFF00FF)]


@pytest.fixture
def rig(peer):
    with Rig(virtual(peer), allowed=[(0x1D4, False)]) as running:
        running.wait_for(BusState.ACTIVE)
        yield running


def message(identifier, data=b"\1\2", extended=False):
    return can.Message(arbitration_id=identifier, is_extended_id=extended, data=data)


def test_the_mailbox_has_its_frames_and_the_loop_all_others(rig, peer):
    mailbox = rig.session.open_mailbox(RECEIVED, SENT)
    for identifier, extended in ((0x797, False), (0x123, False), (0x797, True), (0x18DA97F1, True), (0x18DA98F1, True)):
        peer.send(message(identifier, extended=extended))
    frames = [mailbox.receive(5.0) for _ in range(2)]
    assert [(frame.identifier, frame.bus, bytes_from_payload(frame.payload, frame.length)) for frame in frames] == [
        (0x797, 3, b"\1\2"), (0x18DA97F1, 3, b"\1\2"),
    ]  # fmt: skip
    wait_until(lambda: rig.session.counters.received == 5)
    assert list(rig.received().identifier) == [0x123, 0x797, 0x18DA98F1]
    assert mailbox.receive(0.0) is None


def test_its_frames_go_out_and_are_told_as_sent(rig, peer):
    mailbox = rig.session.open_mailbox(RECEIVED, SENT)
    assert mailbox.send(0x79A, b"\5")
    assert mailbox.send(0x18DAF197, b"\6", True)
    heard = [peer.recv(5.0) for _ in range(2)]
    assert [(one.arbitration_id, one.is_extended_id, bytes(one.data)) for one in heard] == [
        (0x79A, False, b"\5"), (0x18DAF197, True, b"\6"),
    ]  # fmt: skip
    wait_until(lambda: rig.session.counters.sent == 2)
    frames = rig.session.new_frames()
    assert list(frames.identifier) == [0x79A, 0x18DAF197]
    assert all(frames.kind & TRANSMITTED)


def test_what_is_not_its_own_it_does_not_send(rig):
    mailbox = rig.session.open_mailbox(RECEIVED, SENT)
    for identifier, extended in ((0x1D4, False), (0x79A, True), (0x18DAF198, True)):
        with pytest.raises(ValueError, match="none that this mailbox sends"):
            mailbox.send(identifier, b"", extended)


def test_who_else_sends_its_frames_is_foreign(rig, peer):
    rig.session.open_mailbox(RECEIVED, SENT)
    peer.send(message(0x79A))
    wait_until(lambda: rig.session.counters.foreign == 1)
    assert "somebody else sends frames of this station, 79A first" in rig.texts()[-1]
    assert len(rig.received()) == 0


def test_frames_of_the_loop_go_first(peer):
    class Slow(Controller):
        def send(self, msg, timeout=None):
            time.sleep(0.01)
            super().send(msg, timeout)

    with Rig(lambda: Slow(channel=peer.channel_id), allowed=None) as rig:
        rig.wait_for(BusState.ACTIVE)
        mailbox = rig.session.open_mailbox([], SENT)
        for _ in range(5):
            mailbox.send(0x79A, b"")
        rig.push(0x1D4)
        heard = [peer.recv(5.0).arbitration_id for _ in range(6)]
    assert heard.index(0x1D4) <= 2  # behind those that were with the driver already


def test_a_bus_that_is_lost_takes_what_waits_with_it_and_the_mailbox_goes_on_when_it_is_back(peer):
    buses = []

    def opened():
        buses.append(Controller(channel=peer.channel_id))
        return buses[-1]

    with Rig(opened) as rig:
        rig.wait_for(BusState.ACTIVE)
        mailbox = rig.session.open_mailbox(RECEIVED, SENT)
        buses[0].error = can.CanError("gone")
        assert mailbox.send(0x79A, b"\1")
        wait_until(lambda: rig.session.counters.discarded == 1)
        wait_until(lambda: rig.session.counters.connections == 2)
        rig.wait_for(BusState.ACTIVE)
        assert mailbox.send(0x79A, b"\2")
        assert bytes(peer.recv(5.0).data) == b"\2"
        peer.send(message(0x797, b"\3"))
        assert mailbox.receive(5.0).payload == 3


def test_who_waits_is_woken_by_the_end_and_nothing_goes_out_any_more(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        mailbox = rig.session.open_mailbox(RECEIVED, SENT)
        found = []
        waiting = threading.Thread(target=lambda: found.append(mailbox.receive(None)))
        waiting.start()
    waiting.join(5.0)
    assert found == [None]
    assert not mailbox.send(0x79A, b"")
    assert mailbox.receive(None) is None


def test_a_mailbox_that_nobody_empties_holds_so_much_and_says_what_is_lost(rig, peer):
    mailbox = rig.session.open_mailbox(RECEIVED, SENT)
    for _ in range(CAPACITY + 10):
        peer.send(message(0x797))
    wait_until(lambda: mailbox.lost == 10)
    assert "10 frames were not taken from a mailbox in time" in "".join(rig.session.problems)
