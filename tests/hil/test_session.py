"""Supervised sessions, on python-can's virtual bus and on a pseudo-terminal that answers as a USB-CAN adapter."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import can
import numpy as np
import pytest
from can.interfaces.virtual import VirtualBus
from slcan_dongle import Dongle

from hil.bus import BusAddress, open_bus
from hil.bus_state import CONNECTIONS, SILENT, STATE, BusState
from hil.frames import FrameFlags, new_frames, payload_from_bytes
from hil.ring import drain, new_rings, push_values
from hil.session import BATCH, MOST_IDENTIFIERS, RECEIVE_TIMEOUT, BusSession
from hil.session_records import Deviations, SessionSettings

QUICK = SessionSettings(retry_first=0.01, retry_last=0.05, silence=30.0)


def wait_until(condition, seconds=10.0):
    """Poll for a condition; the time is only there so that a failing test ends."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.002)


class Rig:
    """A session with its rings."""

    def __init__(self, bus, **options):
        BusSession.compile()
        control, self.storage = new_rings(2, 1024)
        self.control = control
        self.origin = time.monotonic_ns()
        options.setdefault("settings", QUICK)
        self.session = BusSession(bus, 3, self.origin, (control[0], self.storage[0]), (control[1], self.storage[1]), **options)

    def __enter__(self):
        self.session.start()
        return self

    def __exit__(self, *_):
        self.session.stop()

    def push(self, identifier, data=b"\1\2", extended=False, age=0.0):
        due = time.monotonic_ns() - self.origin - round(age * 1e9)
        payload = np.uint64(payload_from_bytes(data))
        push_values(self.control[1], self.storage[1], due, payload, identifier, 3, len(data), int(extended))

    def received(self):
        out = new_frames(1024)
        return out[: drain(self.control[0], self.storage[0], out)]

    def wait_for(self, state):
        wait_until(lambda: self.session.state == state)

    def texts(self):
        return [event.text for event in self.session.events]


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Neither a thread nor an open file."""
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    yield
    wait_until(lambda: threading.active_count() == threads)
    assert len(list(Path("/proc/self/fd").iterdir())) == files


@pytest.fixture
def peer(request):
    """The other side of a virtual bus named after the test."""
    with can.Bus(interface="virtual", channel=request.node.name) as bus:
        yield bus


@pytest.fixture
def dongle(tmp_path):
    adapter = Dongle(tmp_path / "ttyCAN")
    yield adapter
    adapter.unplug()


def virtual(peer):
    return lambda: can.Bus(interface="virtual", channel=peer.channel_id)


def slcan(dongle, **options):
    return lambda: open_bus(BusAddress("slcan", str(dongle.path), 500_000), **options)


def python_can_slcan(dongle):
    return lambda: can.Bus(interface="slcan", channel=str(dongle.path), bitrate=500_000, sleep_after_open=0)


# Frames


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
        assert rig.session.deviations.worst == frames.time[0] - due
        assert len(rig.session.new_frames()) == 0


def test_take_gives_what_was_received_only(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\1"))
        wait_until(lambda: rig.session.counters.received == 1 and rig.session.counters.sent == 1)
        ((when, *rest),) = rig.session.take()
        assert when > 0
        assert rest == [1, 0x1DA, 1, 0]


def test_what_has_arrived_is_counted_by_identifier(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier, extended in ((0x1DA, False), (0x1DA, True), (0x1DA, False)):
            peer.send(can.Message(arbitration_id=identifier, is_extended_id=extended))
        wait_until(lambda: rig.session.counters.received == 3)
        seen = rig.session.seen
        assert {key: arrivals.frames for key, arrivals in seen.items()} == {(0x1DA, False): 2, (0x1DA, True): 1}
        assert seen[0x1DA, False].last > seen[0x1DA, True].last


def test_a_bus_of_random_identifiers_does_not_fill_the_memory(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        for identifier in range(MOST_IDENTIFIERS + 50):
            peer.send(can.Message(arbitration_id=identifier, is_extended_id=True))
        wait_until(lambda: rig.session.counters.received == MOST_IDENTIFIERS + 50)
        assert len(rig.session.seen) == MOST_IDENTIFIERS


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
        wait_until(lambda: (0x7FF, False) in rig.session.seen and (0x7FF, False) in other.session.seen)
        assert rig.received().identifier.tolist() == [0x7FF]
        assert len(other.received()) >= 1


def test_remote_and_error_frames_do_not_reach_the_loop(peer):
    with Rig(virtual(peer)) as rig:
        rig.wait_for(BusState.ACTIVE)
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, is_remote_frame=True, dlc=8))
        peer.send(can.Message(is_error_frame=True))
        peer.send(can.Message(arbitration_id=0x1DB, is_extended_id=False))
        wait_until(lambda: rig.session.counters.received == 2)
        assert rig.session.counters.error_frames == 1
        assert rig.received().identifier.tolist() == [0x1DB]
        assert rig.session.new_frames().kind.tolist() == [FrameFlags.REMOTE, 0]


def test_an_event_descriptor_wakes_the_sender(peer):
    wake = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        with Rig(virtual(peer), wake=wake) as rig:
            rig.wait_for(BusState.ACTIVE)
            for identifier in (0x1D4, 0x1D5):
                rig.push(identifier)
                os.eventfd_write(wake, 1)
                assert peer.recv(5.0).arbitration_id == identifier
    finally:
        os.close(wake)


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
        end = time.monotonic() + 10.0
        while rig.session.load == 0.0 and time.monotonic() < end:
            rig.push(0x1D4, bytes(8))
            peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, data=bytes(8)))
            time.sleep(0.02)
        counters = rig.session.counters
        assert 0.0 < rig.session.load <= 135 * (counters.sent + counters.received) / 10_000  # 135 bits, and a second at least


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
        wait_until(lambda: rig.session.counters.withheld == 1)
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


# Losing the bus


def test_unplugging_is_said_once_and_plugging_in_again_heals_it(dongle):
    words = np.zeros(8, dtype=np.int64)
    with Rig(slcan(dongle), name="front", words=words) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.write(b"t1DA2AABB\r")
        wait_until(lambda: rig.session.counters.received == 1)
        dongle.unplug()
        rig.wait_for(BusState.LOST)
        assert rig.session.error
        wait_until(lambda: rig.session.counters.attempts > 3)
        assert words[STATE] == BusState.LOST
        dongle.plug()
        rig.wait_for(BusState.ACTIVE)
        assert words[CONNECTIONS] == 2
        assert rig.session.error is None
        dongle.write(b"t1DB1CC\r")
        wait_until(lambda: rig.session.counters.received == 2)
        assert rig.received().identifier.tolist() == [0x1DA, 0x1DB]
    first, lost, again = rig.texts()
    assert first == "front: is open"
    assert lost.startswith("front: is lost, it is opened again as soon as it is back: ")
    assert again.startswith("front: is open again after ")
    assert again.endswith("; 0 frames due meanwhile were not sent")
    assert all("\n" not in text for text in rig.texts())
    assert rig.session.counters.losses == 1


def test_unplugging_many_times_in_a_row_heals_each_time(dongle):
    with Rig(slcan(dongle)) as rig:
        for round_ in range(10):
            rig.wait_for(BusState.ACTIVE)
            wait_until(lambda: "O" in dongle.lines)
            dongle.unplug()
            rig.wait_for(BusState.LOST)
            dongle.lines.clear()
            dongle.plug()
            assert rig.session.counters.losses == round_ + 1
        rig.wait_for(BusState.ACTIVE)
    assert rig.session.counters.abandoned == 0


def test_frames_due_while_the_bus_is_lost_are_never_sent(dongle):
    with Rig(slcan(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.unplug()
        rig.wait_for(BusState.LOST)
        for identifier in range(0x100, 0x100 + 2 * BATCH):
            rig.push(identifier)
        wait_until(lambda: rig.session.counters.discarded >= 2 * BATCH)
        dongle.plug()
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x7FF, b"\1")
        wait_until(dongle.frames)
        assert dongle.frames() == ["t7FF101"]


def test_what_an_adapter_still_holds_after_opening_is_thrown_away(dongle):
    with Rig(lambda: opened_with_old_frames(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        assert rig.session.counters.stale == 3
        dongle.write(b"t1DA101\r")
        wait_until(lambda: rig.session.counters.received == 1)
        assert rig.received().identifier.tolist() == [0x1DA]


def opened_with_old_frames(dongle):
    bus = slcan(dongle)()
    dongle.write(b"t1D4101\r" * 3)
    return bus


def test_an_adapter_that_is_not_there_at_the_start_is_waited_for(dongle):
    dongle.unplug()
    with Rig(slcan(dongle)) as rig:
        rig.wait_for(BusState.LOST)
        wait_until(lambda: rig.session.counters.attempts > 3)
        dongle.plug()
        rig.wait_for(BusState.ACTIVE)
    texts = rig.texts()
    assert len(texts) == 2
    assert "cannot be opened, it is tried again: " in texts[0]


def test_the_delays_between_attempts_double(dongle):
    dongle.unplug()
    times = []

    def open_it():
        times.append(time.monotonic())
        return slcan(dongle)()

    with Rig(open_it, settings=SessionSettings(retry_first=0.02, retry_last=0.08)):
        wait_until(lambda: len(times) == 5)
    gaps = np.diff(times)
    assert (gaps >= [0.02, 0.04, 0.08, 0.08]).all()


def test_a_bus_given_open_without_an_opener_stays_lost(dongle):
    with Rig(slcan(dongle)()) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.unplug()
        rig.wait_for(BusState.LOST)
        rig.push(0x1D4)
        wait_until(lambda: rig.session.counters.discarded == 1)
    assert "it stays closed" in rig.texts()[1]


def test_a_bus_given_open_is_opened_again_by_its_opener(dongle):
    opener = slcan(dongle)
    with Rig(opener(), opener=opener) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.unplug()
        rig.wait_for(BusState.LOST)
        dongle.plug()
        rig.wait_for(BusState.ACTIVE)


TORN = [b"t1D\r", b"t\r", b"t1D42AA\r", b"t1D4zAA\r", b"T1234\r", b"tFFF0\r", b"t1D49001122334455667788\r"]


@pytest.mark.parametrize("driver", [slcan, python_can_slcan])
@pytest.mark.parametrize("torn", TORN)
def test_a_torn_line_costs_that_line_only(dongle, driver, torn):
    with Rig(driver(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.write(torn)
        wait_until(lambda: rig.session.counters.unreadable >= 1)
        dongle.write(b"t1DA2AABB\r")
        wait_until(lambda: rig.session.counters.received == 1)
        assert rig.received().payload.tolist() == [0xBBAA]
        assert rig.session.state == BusState.ACTIVE
        assert rig.session.counters.unreadable == 1


def test_an_endless_stream_of_rubbish_counts_as_a_lost_bus(dongle):
    with Rig(slcan(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.write(b"tXYZ\r" * 200)
        rig.wait_for(BusState.LOST)
    assert "100 lines in a row make no sense" in rig.texts()[1]


def test_an_adapter_that_takes_no_bytes_is_a_lost_bus_and_heals(dongle):
    with Rig(slcan(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.asleep = True

        def blocked():
            rig.push(0x1D4, bytes(8))
            return rig.session.state == BusState.LOST

        wait_until(blocked)
        dongle.asleep = False
        rig.wait_for(BusState.ACTIVE)
        dongle.lines.clear()
        rig.push(0x7FF, b"\1")
        wait_until(lambda: "t7FF101" in dongle.lines)
        assert all(line in ("t7FF101", "F") for line in dongle.lines)


def test_an_adapter_that_refuses_frames_is_error_passive_until_it_takes_them(dongle):
    with Rig(slcan(dongle), settings=SessionSettings(no_acknowledge=0.02, silence=30.0)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.accepts = False

        def in_state(state):
            rig.push(0x1D4)
            return rig.session.state == state

        wait_until(lambda: in_state(BusState.ERROR_PASSIVE))
        dongle.accepts = True
        wait_until(lambda: in_state(BusState.ACTIVE))
    assert rig.session.counters.losses == 0
    assert "nobody acknowledges its frames: the adapter refuses frames" in rig.texts()[1]


def test_the_flags_of_an_adapter_reach_the_words_for_the_loop(dongle):
    with Rig(slcan(dongle)) as rig:
        rig.wait_for(BusState.ACTIVE)
        dongle.flags = 0x20
        wait_until(lambda: rig.session.words[STATE] == BusState.ERROR_PASSIVE)
        dongle.flags = 0
        wait_until(lambda: rig.session.words[STATE] == BusState.ACTIVE)


def test_a_controller_that_is_still_bus_off_is_not_open_again(peer):
    opened = []

    def open_it():
        opened.append(Controller(peer.channel_id))
        if len(opened) in (2, 3):
            opened[-1].said = BusState.BUS_OFF
        return opened[-1]

    with Rig(open_it) as rig:
        rig.wait_for(BusState.ACTIVE)
        opened[0].said = BusState.BUS_OFF
        wait_until(lambda: len(opened) == 4)
        rig.wait_for(BusState.ACTIVE)
    assert [event.state for event in rig.session.events] == [2, 4, 2]


SERVER = """
import os, sys, time, tty
master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
time.sleep(60)
"""


def test_a_killed_process_on_the_other_side_is_a_lost_bus():
    child = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    path = Path(child.stdout.readline().strip())
    try:
        with Rig(lambda: can.Bus(interface="slcan", channel=str(path), sleep_after_open=0)) as rig:
            rig.wait_for(BusState.ACTIVE)
            child.kill()
            rig.wait_for(BusState.LOST)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_silence_is_said_once_and_its_end_too(peer):
    with Rig(virtual(peer), settings=SessionSettings(silence=0.05)) as rig:
        wait_until(lambda: rig.session.words[SILENT])
        peer.send(can.Message(arbitration_id=0x1DA, is_extended_id=False))
        wait_until(lambda: not rig.session.words[SILENT])
        wait_until(lambda: rig.session.words[SILENT])
    silences = [text for text in rig.texts() if "silent" in text]
    assert len(silences) == 2
    assert sum("frames arrive again" in text for text in rig.texts()) == 1


def test_events_are_reported_as_they_happen_and_can_be_taken(peer):
    told = []
    with Rig(virtual(peer), report=told.append) as rig:
        rig.wait_for(BusState.ACTIVE)
        wait_until(lambda: told)
        assert rig.session.take_events() == told
        assert told[0].state == BusState.ACTIVE
        assert told[0].time > 0
        assert rig.session.take_events() == []


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


class Controller(VirtualBus):
    """A virtual bus whose driver behaves as one that has hardware: it raises what it is told, and answers for its state."""

    error = None
    said = None

    def send(self, msg, timeout=None):
        if self.error:
            raise self.error
        super().send(msg, timeout)

    def controller_state(self):
        return self.said


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
        wait_until(lambda: rig.session.words[CONNECTIONS] == 2)
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
        wait_until(lambda: rig.session.words[CONNECTIONS] == 2)
        rig.wait_for(BusState.ACTIVE)
    assert [event.state for event in rig.session.events] == [2, 3, 2, 4, 2]


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

    def shutdown(self):
        if "shutdown" in self.hanging:
            self.let_go.wait()
        super().shutdown()


@pytest.mark.parametrize("hanging", [("recv",), ("send",), ("shutdown",), ("recv", "send", "shutdown")])
def test_a_driver_that_hangs_does_not_hold_up_stopping(peer, hanging):
    bus = Hanging(peer.channel_id, hanging)
    try:
        with Rig(bus) as rig:
            rig.wait_for(BusState.ACTIVE)
            rig.push(0x1D4)
            wait_until(lambda: not rig.control[1][0] > rig.control[1][16])
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
        wait_until(lambda: rig.session.counters.withheld == 1)
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
