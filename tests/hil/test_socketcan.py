"""The loop's own reading and writing of raw CAN sockets, over a pair of connected sockets that carry ``struct can_frame``.

The kernel calls are the same as on a CAN socket, which not every kernel has; those on a real one are in the suite of the buses.
"""

import errno
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from platforms import needs_socketcan

from hil import socketcan
from hil.frames import FrameFlags, new_frames
from hil.ring import load_word, new_rings, push, take, waiting
from hil.socketcan import (
    DETACHED,
    ERROR,
    EXPIRY,
    EXTENDED_ID,
    IN_USE,
    REMOTE,
    Sockets,
    SocketSession,
    attached,
    receive,
    transmit,
)

pytestmark = needs_socketcan

CAN_FRAME = struct.Struct("=IB3x8s")


class Bus:
    """What python-can's socketcan bus is to a session: a socket, and a way to close it."""

    def __init__(self, own: socket.socket) -> None:
        self.socket = own

    def shutdown(self) -> None:
        self.socket.close()


@dataclass
class Rig:
    """One socket of a loop, with the other end in our hands."""

    session: SocketSession
    sockets: Sockets
    other: socket.socket
    send: tuple
    origin: int

    def read(self, most: int = 64):
        """What one period of a loop reads."""
        out = new_frames(most)
        timespec = np.zeros(2, dtype=np.int64)
        descriptor = attached(self.sockets.control[0])
        count = receive(descriptor, self.sockets.memory[0], self.session.statistics, self.origin, 2, out, timespec)
        return out[:count]

    def write(self) -> None:
        """What one period of a loop writes."""
        attached(self.sockets.control[0])
        own = (self.sockets.control[0], self.sockets.memory[0], self.session.statistics)
        monitor = (self.sockets.monitor[0][0], self.sockets.monitor[1][0])
        transmit(own, self.sockets.rules[0], self.origin, self.send, monitor, np.zeros(2, dtype=np.int64))

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
def rig(request):
    own, other = socket.socketpair(socket.AF_UNIX, request.param)
    other.settimeout(5.0)
    sockets = Sockets(1)
    control, storage = new_rings(1, 64)
    session = SocketSession(Bus(own), 0, sockets)
    session.start()
    yield Rig(session, sockets, other, (control[0], storage[0]), time.monotonic_ns() - 5_000_000_000)
    socketcan.let_go(sockets.control[0])
    session.stop()
    other.close()


def test_every_kind_of_frame_comes_in_as_it_was_sent(rig: Rig) -> None:
    rig.come(0x1DA, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    rig.come(0x18CC078C | EXTENDED_ID, b"\xff")
    rig.come(0x7FF | REMOTE, b"")
    frames = rig.read()
    assert list(frames.identifier) == [0x1DA, 0x18CC078C, 0x7FF]
    assert list(frames.payload) == [0x0807060504030201, 0xFF, 0]  # what stands behind the length is not data
    assert list(frames.length) == [8, 1, 0]
    assert list(frames.kind) == [0, FrameFlags.EXTENDED, FrameFlags.REMOTE]
    assert set(frames.bus) == {2}
    assert len(rig.read()) == 0
    assert rig.session.statistics.received == 3
    assert rig.session.error is None


def test_frames_carry_the_kernels_time_of_reception(rig: Rig) -> None:
    before = time.monotonic_ns()
    rig.come(0x100)
    after = time.monotonic_ns()
    threading.Event().wait(0.02)  # the frame waits to be read
    frame = rig.read()[0]
    slack = 200_000  # [ns] between the two readings of the clocks that tell their difference
    assert before - slack <= frame.time + rig.origin <= after + slack


def test_a_length_above_eight_is_eight(rig: Rig) -> None:
    rig.come(0x100, b"12345678", length=15)
    assert rig.read()[0].length == 8


def test_more_frames_than_one_period_reads_wait_for_the_next(rig: Rig) -> None:
    for number in range(8):
        rig.come(number)
    assert list(rig.read(5).identifier) == [0, 1, 2, 3, 4]
    assert list(rig.read(5).identifier) == [5, 6, 7]


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
    rig.come(ERROR | 0x20)  # no acknowledge
    rig.come(ERROR | 0x04 | 0x80, b"\x00\x30")  # error-passive both ways, after a bus error
    rig.come(0x123)
    assert list(rig.read().identifier) == [0x123]
    statistics = rig.session.statistics
    assert list(np.flatnonzero(statistics.error_frames)) == [2, 5, 7]
    assert (statistics.passive, statistics.bus_off, statistics.received) == (1, 0, 1)


def test_bus_off_is_kept_until_the_controller_restarts(rig: Rig) -> None:
    rig.come(ERROR | 0x40)
    rig.read()
    assert rig.session.statistics.bus_off == 1
    rig.come(ERROR | 0x100)
    rig.read()
    assert rig.session.statistics.bus_off == 0


def test_only_what_is_on_the_allow_list_goes_out(rig: Rig) -> None:
    rig.session.permit([0x1D4, 0x18CC078C | EXTENDED_ID])
    rig.put(0x1D4)
    rig.put(0x18CC078C)  # the same number with 11 bits is another identifier
    rig.put(0x18CC078C, kind=FrameFlags.EXTENDED)
    rig.write()
    assert [CAN_FRAME.unpack(rig.other.recv(64))[0] for _ in range(2)] == [0x1D4, 0x18CC078C | EXTENDED_ID]
    assert rig.session.statistics.withheld == 1


def test_who_only_listens_sends_nothing(rig: Rig) -> None:
    rig.session.permit(None, listen_only=True)
    rig.put(0x1D4)
    rig.come(0x1DA)
    rig.write()
    assert len(rig.read()) == 1
    assert (rig.session.statistics.withheld, rig.session.statistics.sent) == (1, 0)
    rig.other.setblocking(False)
    with pytest.raises(BlockingIOError):
        rig.other.recv(64)


def test_a_session_closes_its_socket_only_when_the_loop_has_let_go_of_it(rig: Rig) -> None:
    descriptor = attached(rig.sockets.control[0])
    stopper = threading.Thread(target=rig.session.stop)
    stopper.start()
    assert os.fstat(descriptor)  # the loop has not looked since
    assert attached(rig.sockets.control[0]) in (descriptor, DETACHED)
    while load_word(rig.sockets.control[0], IN_USE) != DETACHED:
        attached(rig.sockets.control[0])
    stopper.join()
    assert rig.session._bus.socket.fileno() == -1


def test_after_a_loss_a_new_socket_takes_the_place_of_the_old_one(rig: Rig) -> None:
    rig.other.close()
    rig.put(0x1)
    rig.write()
    rig.read()
    assert rig.session.error
    socketcan.let_go(rig.sockets.control[0])
    rig.session.stop()
    own, rig.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    rig.session = SocketSession(Bus(own), 0, rig.sockets)
    rig.session.start()
    assert rig.session.error is None
    rig.come(0x7)
    rig.put(0x8)
    rig.write()
    assert list(rig.read().identifier) == [0x7]
    assert CAN_FRAME.unpack(rig.other.recv(64))[0] == 0x8
    socketcan.let_go(rig.sockets.control[0])
    rig.session.stop()
    rig.other.close()


def test_a_recorder_that_never_looks_loses_frames_that_are_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    control, storage = new_rings(1, 2)
    rig.sockets.monitor = (control, storage)
    for number in range(3):
        rig.put(number)
    rig.write()
    assert control[0][17] == 1
    assert list(take(control[0], storage[0]).identifier) == [0, 1]
