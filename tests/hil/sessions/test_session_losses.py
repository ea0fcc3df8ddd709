"""A bus that is lost is told once and opened again, on a pseudo-terminal that answers as a USB-CAN adapter."""

import subprocess
import sys
import time
from pathlib import Path

import can
import numpy as np
import pytest
from session_rig import Controller, Rig, python_can_slcan, slcan, virtual
from waiting import wait_until

from hil import session as sessions
from hil.bus_state import STATE, BusState
from hil.session import BATCH
from hil.session_records import SessionSettings


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
        assert rig.session.counters.connections == 2
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
    assert [event.state for event in rig.events] == [2, 4, 2]


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


@pytest.mark.parametrize("place", ["_connect", "_watch", "_disconnect"])
def test_an_error_of_the_supervisor_itself_is_a_lost_bus_and_heals(peer, monkeypatch, place):
    usual = getattr(sessions.BusSession, place)
    errors = [RuntimeError("no thread left")]

    def failing(self, *arguments):
        if place == "_disconnect":
            usual(self, *arguments)
        if errors:
            raise errors.pop()
        return usual(self, *arguments) if place != "_disconnect" else None

    bus = Controller(peer.channel_id)
    monkeypatch.setattr(sessions.BusSession, place, failing)
    with Rig(bus, opener=virtual(peer)) as rig:
        if place == "_disconnect":
            wait_until(lambda: rig.session.counters.connections == 1)
            bus.said = BusState.BUS_OFF
        wait_until(lambda: not errors)
        rig.wait_for(BusState.ACTIVE)
        rig.push(0x1D4)
        assert peer.recv(5.0)
    lost = next(event for event in rig.events if event.state >= BusState.BUS_OFF)
    assert "bus-off" in lost.text if place == "_disconnect" else "no thread left" in lost.text
