"""What shows by and by of an open bus: silence, missing acknowledgement, errors, drivers that hang."""

import threading

import can
import numpy as np
import pytest
from can.interfaces.virtual import VirtualBus
from session_rig import Controller, Rig, slcan, virtual
from waiting import wait_until

from hil.bus_state import SILENT, BusState
from hil.ring import waiting
from hil.session import RECEIVE_TIMEOUT
from hil.session_records import Deviations, SessionSettings


def test_silence_is_said_once_and_its_end_too(peer):
    with Rig(virtual(peer), settings=SessionSettings(silence=0.05)) as rig:
        wait_until(lambda: rig.session.words[SILENT])
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False))
        wait_until(lambda: not rig.session.words[SILENT])
        wait_until(lambda: rig.session.words[SILENT])
    silences = [text for text in rig.texts() if "silent" in text]
    assert len(silences) == 2
    assert sum("frames arrive again" in text for text in rig.texts()) == 1


def test_events_are_reported_as_they_happen(peer):
    with Rig(virtual(peer)) as rig:
        wait_until(lambda: rig.events)
        assert rig.events[0].state == BusState.ACTIVE
        assert rig.events[0].time > 0


def test_a_report_that_fails_does_not_end_the_session(peer):
    with Rig(virtual(peer), report=lambda event: 1 / 0) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
        assert peer.recv(5.0)


def test_what_went_wrong_is_told_in_sentences(peer):
    with Rig(virtual(peer), name="front", allowed={(0x1D4, False)}) as rig:
        rig.wait_for(BusState.ACTIVE)
        assert rig.session.problems == []
        rig.push(0x1D5)
        wait_until(lambda: rig.session.problems == ["front: 1 frames were not sent, because they are not allowed"])


# Controllers and their errors


def test_a_full_transmit_queue_is_missing_acknowledgement_and_not_a_lost_bus(peer):
    bus = Controller(peer.channel_id)
    with Rig(bus, settings=SessionSettings(no_acknowledge=0.05, silence=30.0)) as rig:
        rig.wait_for(BusState.ACTIVE)
        bus.error = can.CanOperationError("Transmit buffer full")

        def refused():
            rig.push(0x1D4)
            return rig.session.state == BusState.ERROR_PASSIVE

        wait_until(refused)
        bus.error = None
        rig.push(0x1D4)
        rig.wait_for(BusState.ACTIVE)
    texts = rig.texts()
    assert "is error-passive" not in texts[1]
    assert "nobody acknowledges" in texts[1]
    assert "frames are acknowledged again" in texts[2]
    assert len(texts) == 3
    assert rig.session.counters.losses == 0


def test_an_error_of_sending_is_a_lost_bus(peer):
    bus = Controller(peer.channel_id)
    bus.error = OSError(19, "No such device")
    with Rig(bus, opener=virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
        wait_until(lambda: rig.session.counters.connections == 2)
        assert rig.session.counters.losses == 1
        assert rig.session.counters.discarded == 1
    assert "[Errno 19] No such device" in rig.texts()[1]


def test_a_controller_that_is_asked_tells_error_passive_and_bus_off(peer):
    bus = Controller(peer.channel_id)
    with Rig(bus, opener=virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        bus.said = BusState.ERROR_PASSIVE
        rig.wait_for(BusState.ERROR_PASSIVE)
        bus.said = BusState.ACTIVE
        rig.wait_for(BusState.ACTIVE)
        bus.said = BusState.BUS_OFF
        wait_until(lambda: rig.session.counters.connections == 2)
        rig.wait_for(BusState.ACTIVE)
    assert [event.state for event in rig.events] == [2, 3, 2, 4, 2]


def test_many_error_frames_without_a_good_one_make_the_bitrate_doubtful(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for _ in range(60):
            peer.send(can.Message(is_error_frame=True))
        wait_until(lambda: any("bitrate (500000) is wrong" in text for text in rig.texts()))
    assert sum("bitrate" in text for text in rig.texts()) == 1


# Drivers that hang


class Hanging(VirtualBus):
    """A driver that does not come back from the calls in ``hanging`` until it is let go."""

    def __init__(self, channel, hanging=()):
        super().__init__(channel)
        self.hanging = hanging
        self.let_go = threading.Event()

    def recv(self, timeout=None):
        if "recv" in self.hanging and timeout == RECEIVE_TIMEOUT:
            self.let_go.wait()
        return super().recv(timeout)

    def send(self, msg, timeout=None):
        if "send" in self.hanging:
            self.let_go.wait()
        super().send(msg, timeout)

    def controller_state(self):
        if "controller_state" in self.hanging:
            self.let_go.wait()

    def shutdown(self):
        if "shutdown" in self.hanging:
            self.let_go.wait()
        super().shutdown()


@pytest.mark.parametrize(("hanging", "doing"), [("recv", "receiving"), ("send", "sending"), ("controller_state", "asking")])
def test_a_driver_that_hangs_while_the_bus_is_open_is_a_lost_bus_that_heals(peer, hanging, doing):
    bus = Hanging(peer.channel_id)
    settings = SessionSettings(retry_first=0.01, hang=0.1, silence=30.0)
    try:
        with Rig(bus, opener=virtual(peer), settings=settings) as rig:
            rig.wait_for(BusState.ACTIVE)
            bus.hanging = (hanging,)
            rig.push(0x1D4)
            wait_until(lambda: rig.session.counters.connections == 2)
            rig.wait_for(BusState.ACTIVE)
            rig.push(0x1D5)
            wait_until(lambda: bus_heard(peer, 0x1D5))
        lost = next(event for event in rig.events if event.state == BusState.LOST)
        assert lost.text.endswith(f"the driver does not come back from {doing} for 0.1 s")
        assert rig.session.counters.losses == 1
    finally:
        bus.let_go.set()


def bus_heard(peer, identifier):
    message = peer.recv(0)
    return message and message.arbitration_id == identifier


def test_frames_that_become_due_while_a_driver_hangs_in_closing_are_discarded(peer):
    bus = Hanging(peer.channel_id, ("shutdown",))
    bus.controller_state = lambda: BusState.BUS_OFF if rig.events else None
    try:
        with Rig(bus, opener=virtual(peer)) as rig:
            rig.wait_for(BusState.BUS_OFF)
            rig.push(0x1D4)
            wait_until(lambda: rig.session.counters.discarded == 1)
            assert rig.session.counters.connections == 1
            bus.let_go.set()
            rig.wait_for(BusState.ACTIVE)
    finally:
        bus.let_go.set()


@pytest.mark.parametrize("hanging", [("recv",), ("send",), ("shutdown",), ("recv", "send", "shutdown")])
def test_a_driver_that_hangs_does_not_hold_up_stopping(peer, hanging):
    bus = Hanging(peer.channel_id, hanging)
    try:
        with Rig(bus) as rig:
            rig.wait_for(BusState.ACTIVE)
            rig.push(0x1D4)
            wait_until(lambda: not waiting(rig.control[1]))
        assert rig.session.counters.abandoned == len(hanging)
        assert sum("does not come back" in text for text in rig.texts()) == len(hanging)
    finally:
        bus.let_go.set()


def test_a_driver_that_hangs_in_opening_is_left_behind_and_closes_what_it_opens_later(peer):
    let_go, opened = threading.Event(), []

    def open_it():
        let_go.wait()
        opened.append(can.Bus(interface="virtual", channel=peer.channel_id))
        return opened[0]

    with Rig(open_it) as rig:
        rig.wait_for(BusState.OPENING)
    assert rig.session.counters.abandoned == 1
    let_go.set()
    wait_until(lambda: opened and opened[0]._is_shutdown)


def test_a_session_that_was_never_started_can_be_stopped(peer):
    Rig(virtual(peer)).session.stop()


def test_a_session_that_was_never_started_closes_the_bus_that_it_was_given(peer):
    bus = virtual(peer)()
    Rig(bus).session.stop()
    assert bus._is_shutdown


def test_stopping_twice_is_stopping_once(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.session.stop()
    assert rig.session.state == BusState.CLOSED


# Listening adapters


def test_an_slcan_adapter_is_opened_listening(dongle):
    with Rig(slcan(dongle, listen_only=True), listen_only=True) as rig:
        rig.wait_for(BusState.ACTIVE)
        assert "L" in dongle.lines
        rig.push(0x1D4)
    assert waiting(rig.control[1]) == 0
    assert "O" not in dongle.lines
    assert dongle.frames() == []


def test_an_adapter_that_cannot_be_silent_is_said(peer):
    kernel = type("SocketcanBus", (VirtualBus,), {"__module__": "can.interfaces.socketcan.socketcan"})
    bus = kernel(peer.channel_id)
    bus.channel = "no_such_link"
    with Rig(bus, listen_only=True) as rig:
        rig.wait_for(BusState.ACTIVE)
    assert any("acknowledges frames all the same" in text for text in rig.texts())


# Deviations


def test_percentiles_of_deviations_are_those_of_the_values():
    rng = np.random.default_rng(2)
    values = rng.integers(0, 40_000_000, 1000)
    deviations = Deviations()
    assert np.isnan(deviations.percentile(0.5))
    for value in values.tolist():
        deviations.add(value)
    for share in (0.5, 0.99, 1.0):
        exact = np.sort(values)[int(np.ceil(share * 1000)) - 1]
        assert 0 <= deviations.percentile(share) - exact <= Deviations.WIDTH or deviations.percentile(share) == values.max()
    deviations.add(10**10)
    assert deviations.percentile(1.0) == deviations.worst == 10**10
