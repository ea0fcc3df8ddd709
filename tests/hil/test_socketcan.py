"""The loop's own reading and writing of raw CAN sockets, over a pair of connected sockets that carry ``struct can_frame``.

The kernel calls are the same as on a CAN socket, which not every kernel has; those on a real one are in the suite of the buses.
"""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from platforms import needs_socketcan
from waiting import nothing_left_behind, wait_until

from hil import socket_session, socketcan
from hil.bus_state import SILENT, STATE, BusState
from hil.errors import UsageError
from hil.frames import FrameFlags, new_frames
from hil.ring import load_word, new_rings, push, waiting
from hil.session_records import SessionSettings
from hil.socket_session import SocketSession
from hil.socketcan import (
    DETACHED,
    ERROR_ID,
    EXPIRY,
    EXTENDED_ID,
    IN_USE,
    REMOTE_ID,
    WANTED,
    Sockets,
    attached,
    receive,
    transmit,
)
from hil.timing import PERIOD_MAX

pytestmark = needs_socketcan

CAN_FRAME = struct.Struct("=IB3x8s")
ALLOWED = [*((identifier, False) for identifier in range(64)), (0x1D4, False), (0x18CC078C, True)]
QUICK = SessionSettings(retry_first=0.01, retry_last=0.02, silence=30.0)


class Bus:
    """What python-can's socketcan bus is to a session: a socket, and a way to close it."""

    channel = "no_such_link"

    def __init__(self, own: socket.socket, control: Any = None) -> None:
        self.socket = own
        self.in_use_when_closed: int | None = None
        self._control = control

    def shutdown(self) -> None:
        if self._control is not None:
            self.in_use_when_closed = load_word(self._control, IN_USE)
        self.socket.close()


@dataclass
class Rig:
    """One socket of a loop, with the other end in our hands."""

    session: SocketSession
    sockets: Sockets
    other: socket.socket
    send: tuple
    origin: int
    told: list[str]

    @property
    def monitor(self) -> tuple[Any, Any]:
        return self.sockets.monitor[0][0], self.sockets.monitor[1][0]

    def read(self, most: int = 64):
        """What one period of a loop reads."""
        out = new_frames(most)
        timespec = np.zeros(2, dtype=np.int64)
        descriptor = attached(self.sockets.control[0])
        if descriptor == DETACHED:
            return out[:0]
        memory, rules, statistics = self.sockets.memory[0], self.sockets.rules[0], self.session.statistics
        return out[: receive(descriptor, memory, rules, statistics, self.monitor, self.origin, 2, out, timespec)]

    def write(self) -> None:
        """What one period of a loop writes."""
        attached(self.sockets.control[0])
        own = (self.sockets.control[0], self.sockets.memory[0], self.session.statistics)
        transmit(own, self.sockets.rules[0], self.origin, self.send, self.monitor, np.zeros(2, dtype=np.int64))

    def put(self, identifier: int, data: bytes = bytes(8), kind: int = 0, when: int | None = None) -> None:
        """Put a frame into the send ring; with a time so late that no machine is too slow to send it."""
        frame = new_frames(1)[0]
        frame.time = time.monotonic_ns() - self.origin + 60_000_000_000 if when is None else when
        frame.identifier, frame.length, frame.kind = identifier, len(data), kind
        frame.payload = int.from_bytes(data, "little")
        push(*self.send, frame)

    def come(self, identifier: int, data: bytes = bytes(8), length: int | None = None) -> None:
        """Let a frame come in."""
        self.other.send(CAN_FRAME.pack(identifier, len(data) if length is None else length, data.ljust(8, b"\xee")))


@pytest.fixture(params=[socket.SOCK_DGRAM, socket.SOCK_SEQPACKET], ids=["datagram", "seqpacket"])
def pair(request):
    """Makes two connected sockets: ours, and the other end."""
    made = []

    def make() -> tuple[socket.socket, socket.socket]:
        own, other = socket.socketpair(socket.AF_UNIX, request.param)
        other.settimeout(5.0)
        made.append(other)
        return own, other

    with nothing_left_behind():
        yield make
        for other in made:
            other.close()


@pytest.fixture
def rig_of(pair):
    """Makes a rig whose session is told ``options``."""
    made = []

    def make(**options: Any) -> Rig:
        own, other = pair()
        sockets, told = Sockets(1), []
        control, storage = new_rings(1, 64)
        origin = time.monotonic_ns() - 5_000_000_000
        options = {"name": "front", "settings": QUICK, "allowed": ALLOWED, **options}
        bus = Bus(own, sockets.control[0])
        session = SocketSession(bus, 0, origin, sockets, report=lambda event: told.append(event.text), **options)
        session.start()
        made.append(Rig(session, sockets, other, (control[0], storage[0]), origin, told))
        return made[-1]

    yield make
    for rig in made:
        socketcan.let_go(rig.sockets.control[0])
        rig.session.stop()


@pytest.fixture
def rig(rig_of) -> Rig:
    return rig_of()


def test_every_kind_of_frame_comes_in_as_it_was_sent(rig: Rig) -> None:
    rig.come(0x1DA, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    rig.come(0x18CC078D | EXTENDED_ID, b"\xff")
    rig.come(0x7FF | REMOTE_ID, b"")
    frames = rig.read()
    assert list(frames.identifier) == [0x1DA, 0x18CC078D, 0x7FF]
    assert list(frames.payload) == [0x0807060504030201, 0xFF, 0]  # what stands behind the length is not data
    assert list(frames.length) == [8, 1, 0]
    assert list(frames.kind) == [0, FrameFlags.EXTENDED, FrameFlags.REMOTE]
    assert set(frames.bus) == {2}
    assert len(rig.read()) == 0
    assert rig.session.statistics.received == 3
    assert rig.session.error is None


def test_frames_carry_the_kernels_time_of_reception(rig: Rig) -> None:
    begin = lead_of_wall_clock()
    before = time.time_ns()
    rig.come(0x100)
    after = time.time_ns()
    wait_until(lambda: time.time_ns() > after + 1_000_000)  # the frame waits to be read
    reading = time.monotonic_ns()
    frame = rig.read()[0]
    slack = time.monotonic_ns() - reading  # between the two clocks that the loop reads, it may have to wait as long
    leads = sorted([begin, lead_of_wall_clock()])  # one of the clocks may be set
    assert before - leads[1] - slack <= frame.time + rig.origin <= after - leads[0] + slack


def lead_of_wall_clock() -> int:
    """How far the wall clock is before the monotonic one [ns]: the least of several, each of which an interruption lengthens."""
    return min(time.time_ns() - time.monotonic_ns() for _ in range(100))


def test_a_length_above_eight_is_eight(rig: Rig) -> None:
    rig.come(0x100, b"12345678", length=15)
    assert rig.read()[0].length == 8


def test_more_frames_than_one_period_reads_wait_for_the_next(rig: Rig) -> None:
    for number in range(8):
        rig.come(0x100 + number)
    assert list(rig.read(5).identifier) == [0x100, 0x101, 0x102, 0x103, 0x104]
    assert list(rig.read(5).identifier) == [0x105, 0x106, 0x107]


def test_every_kind_of_frame_goes_out_as_it_was_put(rig: Rig) -> None:
    rig.put(0x1D4, b"\x01\x02\x03")
    rig.put(0x18CC078C, bytes(8), FrameFlags.EXTENDED)
    rig.write()
    assert CAN_FRAME.unpack(rig.other.recv(64)) == (0x1D4, 3, b"\x01\x02\x03" + bytes(5))
    assert CAN_FRAME.unpack(rig.other.recv(64)) == (0x18CC078C | EXTENDED_ID, 8, bytes(8))
    assert rig.session.statistics.sent == 2
    assert rig.session.statistics.deviation.total == 2
    told = rig.session.new_frames()
    assert list(told.identifier) == [0x1D4, 0x18CC078C]
    assert list(told.kind) == [FrameFlags.TRANSMITTED, FrameFlags.TRANSMITTED | FrameFlags.EXTENDED]


def test_a_full_transmit_queue_delays_frames_and_loses_none(rig: Rig) -> None:
    for number in range(60):
        rig.put(number)
    rig.session._bus.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    rig.write()
    statistics = rig.session.statistics
    assert statistics.retries == 1
    assert 0 < statistics.sent < 60
    came = []
    while len(came) < 60 and statistics.expired == 0:
        came.append(CAN_FRAME.unpack(rig.other.recv(64))[0])
        rig.write()
    assert came == list(range(60))
    assert waiting(rig.send[0]) == 0


def test_a_frame_that_is_too_old_is_thrown_away_and_counted(rig: Rig) -> None:
    now = time.monotonic_ns() - rig.origin
    rig.put(0x1, when=now - EXPIRY - 1)
    rig.put(0x2)
    rig.write()
    assert CAN_FRAME.unpack(rig.other.recv(64))[0] == 0x2
    assert (rig.session.statistics.expired, rig.session.statistics.sent) == (1, 1)


def test_the_other_end_gone_is_a_lost_bus_and_the_rest_is_not_sent(rig: Rig) -> None:
    rig.other.close()
    rig.put(0x1)
    rig.put(0x2)
    rig.write()
    rig.read()
    assert rig.session.error is not None
    assert rig.session.error.errno in (errno.EPIPE, errno.ECONNREFUSED)
    assert rig.session.statistics.expired == 2
    assert waiting(rig.send[0]) == 0


def test_error_frames_are_counted_by_class_and_never_taken_for_data(rig: Rig) -> None:
    rig.come(ERROR_ID | 0x20)  # no acknowledge
    rig.come(ERROR_ID | 0x04 | 0x80, b"\x00\x30")  # error-passive both ways, after a bus error
    rig.come(0x123)
    assert list(rig.read().identifier) == [0x123]
    statistics = rig.session.statistics
    assert list(np.flatnonzero(statistics.error_frames)) == [2, 5, 7]
    assert (statistics.passive, statistics.bus_off, statistics.received, statistics.errors) == (1, 0, 1, 2)
    told = rig.session.new_frames()
    assert list(told.identifier) == [0x20, 0x84, 0x123]
    assert list(told.kind) == [FrameFlags.ERROR, FrameFlags.ERROR, 0]
    assert told.payload[1] == 0x3000
    assert rig.session.problems == ["front: 2 error frames were received"]


def test_bus_off_is_kept_until_the_controller_restarts(rig: Rig) -> None:
    rig.come(ERROR_ID | 0x40)
    rig.read()
    assert rig.session.statistics.bus_off == 1
    rig.come(ERROR_ID | 0x100)
    rig.read()
    assert rig.session.statistics.bus_off == 0


def test_only_what_is_on_the_allow_list_goes_out(rig: Rig) -> None:
    rig.put(0x1D4)
    rig.put(0x18CC078C)  # the same number with 11 bits is another identifier
    rig.put(0x18CC078C, kind=FrameFlags.EXTENDED)
    rig.write()
    assert [CAN_FRAME.unpack(rig.other.recv(64))[0] for _ in range(2)] == [0x1D4, 0x18CC078C | EXTENDED_ID]
    assert rig.session.statistics.withheld == 1
    assert rig.session.problems == ["front: 1 frames were not sent, because they are not allowed"]


def test_who_only_listens_sends_nothing(rig_of: Callable[..., Rig]) -> None:
    rig = rig_of(listen_only=True)
    rig.put(0x1D4)
    rig.come(0x1DA)
    rig.write()
    assert len(rig.read()) == 1
    assert (rig.session.statistics.withheld, rig.session.statistics.sent) == (1, 0)
    rig.other.setblocking(False)
    with pytest.raises(BlockingIOError):
        rig.other.recv(64)
    assert rig.session.problems == []  # it was asked for
    assert "the adapter acknowledges frames all the same" in rig.told[0]


def test_a_session_closes_its_socket_only_when_the_loop_has_let_go_of_it(rig: Rig) -> None:
    descriptor = attached(rig.sockets.control[0])
    stopper = threading.Thread(target=rig.session.stop)
    stopper.start()
    wait_until(lambda: load_word(rig.sockets.control[0], WANTED) == DETACHED)
    assert load_word(rig.sockets.control[0], IN_USE) == descriptor  # the loop has not looked since
    assert rig.session._bus.in_use_when_closed is None
    attached(rig.sockets.control[0])
    stopper.join()
    assert rig.session._bus.in_use_when_closed == DETACHED
    assert rig.session._bus.socket.fileno() == -1


def test_a_socket_that_the_loop_never_lets_go_of_stays_open_and_that_is_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_session, "DETACH_TIMEOUT", 0.01)
    descriptor = attached(rig.sockets.control[0])
    rig.session.stop()
    assert os.fstat(descriptor)
    assert rig.told == ["front: is open", "front: the loop does not let go of its socket, which stays open"]


def test_the_time_out_of_letting_go_is_longer_than_the_longest_period() -> None:
    assert socket_session.DETACH_TIMEOUT > 2e-9 * PERIOD_MAX


# What the session tells, and how it mends a lost bus


def test_states_of_the_controller_are_said_once_and_released_for_loops(rig: Rig) -> None:
    for error, data in ((0x04, b"\0\x30"), (0x04, b"\0\x40"), (0x40, b""), (0x100, b"")):
        rig.come(ERROR_ID | error, data)
        rig.read()
        for _ in range(3):
            rig.session.look()
        assert bool(rig.session.error) == (rig.session.words[STATE] == BusState.BUS_OFF) == (error == 0x40)
    assert rig.told == [
        "front: is open",
        "front: is error-passive: errors pile up, or nobody acknowledges its frames",
        "front: is error-active again",
        "front: is bus-off: its controller has left the bus; ip link set no_such_link type can restart-ms 100 heals it",
        "front: is error-active again",
    ]


def test_a_link_without_carrier_is_bus_off(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_session, "is_without_carrier", lambda channel: channel == "no_such_link")
    rig.session.look()
    assert rig.session.state == BusState.BUS_OFF
    assert "has left the bus" in str(rig.session.error)


def test_a_link_that_is_not_there_is_not_taken_for_one_without_carrier() -> None:
    assert not socket_session.is_without_carrier("no_such_link")


def test_silence_and_its_end_are_said_once(rig_of: Callable[..., Rig]) -> None:
    rig = rig_of(settings=SessionSettings(silence=0.02))

    def silent() -> bool:
        rig.session.look()
        return bool(rig.session.words[SILENT])

    wait_until(silent)
    rig.come(0x100)
    rig.read()
    wait_until(lambda: not silent())
    assert [text for text in rig.told if "silent" in text or "arrive" in text] == [
        "front: has been silent for 0.02 s: nothing is received; look for the other side's power, the wiring and the bitrate",
        "front: frames arrive again",
    ]


def test_own_frames_that_somebody_else_sends_are_left_out_counted_and_said_once(rig: Rig) -> None:
    for _ in range(2):
        rig.come(0x18CC078C | EXTENDED_ID)
        rig.come(0x1D4)
        rig.come(0x18CC078D | EXTENDED_ID)
        assert list(rig.read().identifier) == [0x18CC078D]
        rig.session.look()
    rig.come(0x1D4)
    rig.read()
    rig.session.look()
    assert rig.session.counters.foreign == 5
    assert [text for text in rig.told if "somebody else" in text] == [
        "front: somebody else sends frames of this station, 18CC078C first: they are left out; find the other one and end it"
    ]
    assert len(rig.session.new_frames()) == 7  # a recording holds them


def test_who_only_listens_may_hear_the_frames_of_its_own_role(rig_of) -> None:
    rig = rig_of(listen_only=True)
    rig.come(0x1D4)
    assert list(rig.read().identifier) == [0x1D4]
    assert rig.session.counters.foreign == 0


def test_load_and_deviation_are_those_of_its_frames(rig: Rig) -> None:
    rig.put(0x1D4)
    rig.come(0x18CC078D | EXTENDED_ID)
    rig.write()
    rig.read()
    rig.session.new_frames()
    assert rig.session._load._bits == 135 + 160
    assert rig.session.load > 0.0
    assert rig.session.deviation(1.0) == rig.session.statistics.deviation.worst


def test_a_lost_bus_is_opened_again_with_growing_delays_and_its_reason_is_said_once(rig_of: Callable[..., Rig], pair) -> None:
    attempts: list[float] = []

    def opener() -> Bus:
        attempts.append(time.monotonic())
        if len(attempts) < 4:
            raise UsageError("no such link")
        own, rig.other = pair()
        return Bus(own)

    rig = rig_of(opener=opener)
    first = rig.session._bus
    rig.other.close()
    rig.put(0x1)
    rig.write()
    rig.read()
    rig.session.look()
    lost = time.monotonic()
    assert rig.session.words[STATE] == BusState.LOST

    def mended() -> bool:
        rig.session.look()
        rig.read()
        return rig.session.error is None

    wait_until(mended)
    assert np.all(np.diff([lost, *attempts]) >= [0.0, 0.02, 0.02, 0.02])  # doubled once, then as long as it may be
    assert first.in_use_when_closed == DETACHED
    assert rig.session.counters.connections == 2
    _, is_lost, cannot, again = rig.told
    assert is_lost.startswith("front: is lost, it is opened again as soon as it is back: ")
    assert cannot == "front: cannot be opened, it is tried again: no such link"
    assert again.startswith("front: is open again after ")
    assert again.endswith(" s, at attempt 4")
    rig.come(0x107)
    rig.put(0x8)
    rig.write()
    assert list(rig.read().identifier) == [0x107]
    assert CAN_FRAME.unpack(rig.other.recv(64))[0] == 0x8
    assert "1 frames were not sent, because the bus was lost, or full" in rig.session.problems[0]


def test_a_lost_bus_is_not_replaced_before_the_loop_has_let_go_of_its_socket(rig_of: Callable[..., Rig], pair) -> None:
    opened: list[Bus] = []

    def opener() -> Bus:
        own, rig.other = pair()
        opened.append(Bus(own))
        return opened[-1]

    rig = rig_of(opener=opener)
    rig.other.close()
    rig.put(0x1)
    rig.write()  # it is in use from here on
    rig.session.look()
    end = time.monotonic() + 3 * QUICK.retry_last
    while time.monotonic() < end:
        rig.session.look()
    assert opened == []
    attached(rig.sockets.control[0])
    rig.session.look()
    assert len(opened) == 1


def test_a_lost_bus_that_nobody_can_open_stays_lost(rig: Rig) -> None:
    rig.other.close()
    rig.put(0x1)
    rig.write()
    rig.session.look()
    rig.session.look()
    assert rig.session.state == BusState.LOST
    assert "it stays closed" in rig.told[1]
    assert len(rig.told) == 2


def test_a_recorder_that_never_looks_loses_frames_that_are_counted(rig_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketcan, "MONITOR", 2)
    rig = rig_of()
    for number in range(3):
        rig.put(number)
    rig.write()
    assert rig.session.lost_frames == 1
    assert list(rig.session.new_frames().identifier) == [0, 1]
