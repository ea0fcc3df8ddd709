"""Frames of a few identifiers for a thread in Python, beside a compiled loop on the same bus.

A session gives a mailbox (``open_mailbox``). Where python-can carries the bus, the session's threads serve the mailbox, too, the
frames of the loop first. Where the loop has a socket of its own, so has the mailbox, with filters in the kernel: the loop reads
no frame more on account of what it receives. Losing the bus and finding it again concerns only the session: meanwhile nothing
comes, and what is sent is discarded and counted there.
"""

import contextlib
import errno
import os
import select
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from hil.drivers import Echoes
from hil.frames import EXTENDED, EXTENDED_KEY, PlainFrame, frame_key, payload_from_bytes
from hil.session_records import SessionSettings
from hil.socketcan import EXTENDED_ID, EXTENDED_MASK, REMOTE_ID, STANDARD_MASK

CAPACITY = 4096  # frames that may wait in each direction: a second of a full bus, several of the longest messages
FRAME_LAYOUT = struct.Struct("=IB3x8s")  # struct can_frame
FILTER_LAYOUT = struct.Struct("=II")  # struct can_filter
SEND_BUFFER = 1  # [bytes] the kernel takes its minimum: some frames, so that those of the loop never wait behind many
QUEUE_FULL = (errno.ENOBUFS, errno.EAGAIN)
ECHO_SPAN = 60.0  # [s] until somebody has looked at what the loop has received: far longer than its memory for that lasts
RETRY = 0.5e-3  # [s] after which a full transmit queue is tried again
NOBODY = -1  # in place of an eventfd


class FrameFilter(NamedTuple):
    """Frames of one identifier, or of all those that are equal to it in the bits of a mask."""

    identifier: int
    extended: bool = False
    mask: int = EXTENDED_MASK

    @property
    def key(self) -> tuple[int, int]:
        """The bits of a frame's key (hil.frames.frame_key) that must be so, and which bits they are."""
        mask = self.mask | EXTENDED_KEY
        return frame_key(self.identifier, self.extended) & mask, mask

    @property
    def in_kernel(self) -> bytes:
        """``struct can_filter``, for data frames."""
        mask = self.mask & (EXTENDED_MASK if self.extended else STANDARD_MASK)
        identifier = self.identifier | (EXTENDED_ID if self.extended else 0)
        return FILTER_LAYOUT.pack(identifier, mask | EXTENDED_ID | REMOTE_ID)


class Mailbox(ABC):
    """What both kinds have in common: what comes in, what may go out. One thread receives; any may send and close."""

    def __init__(self, received: Iterable[FrameFilter], sent: Iterable[FrameFilter]) -> None:
        """``received``: the frames that are wanted; ``sent``: those that may be sent, and by nobody else."""
        self._received = [one.key for one in received]
        self._sent = [one.key for one in sent]

    def receives(self, key: int) -> bool:
        """Whether frames of this key (hil.frames.frame_key) are wanted."""
        return any(key & mask == wanted for wanted, mask in self._received)

    def sends(self, key: int) -> bool:
        """Whether frames of this key are sent here, and by nobody else."""
        return any(key & mask == wanted for wanted, mask in self._sent)

    def among_sent(self, keys: Any) -> Any:
        """Of each of an array of keys, whether ``sends`` it."""
        return np.any([keys & mask == wanted for wanted, mask in self._sent], axis=0)

    @abstractmethod
    def receive(self, timeout: float | None) -> PlainFrame | None:
        """The next frame; None if there is none within ``timeout`` [s], or the mailbox is closed meanwhile. None: no limit."""

    @abstractmethod
    def send(self, identifier: int, data: bytes, extended: bool = False) -> bool:
        """Send a frame as soon as the bus takes it; whether it was accepted. Raises ValueError if it is not one of ``sent``."""

    @abstractmethod
    def close(self) -> None:
        """Receive and send nothing any more; who waits is woken."""

    def _check(self, identifier: int, extended: bool) -> None:
        if not self.sends(frame_key(identifier, extended)):
            raise ValueError(f"frame {identifier:X} is none that this mailbox sends")


class QueueMailbox(Mailbox):
    """A mailbox that a session's threads serve (hil.session.BusSession)."""

    def __init__(
        self, received: Iterable[FrameFilter], sent: Iterable[FrameFilter], wake: Callable[[], None], now: Callable[[], int]
    ) -> None:
        """``wake``: tells the session that frames wait to be sent; ``now``: its time [ns]."""
        super().__init__(received, sent)
        self.lost = 0  # frames that nobody took in time
        self._wake = wake
        self._now = now
        self._incoming: deque[PlainFrame] = deque()
        self._outgoing: deque[PlainFrame] = deque()
        self._arrived = threading.Condition()
        self._closed = False

    def receive(self, timeout: float | None) -> PlainFrame | None:
        """See Mailbox."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._incoming or self._closed, timeout)
            return None if self._closed or not self._incoming else self._incoming.popleft()

    def send(self, identifier: int, data: bytes, extended: bool = False) -> bool:
        """See Mailbox."""
        self._check(identifier, extended)
        with self._arrived:
            if self._closed or len(self._outgoing) >= CAPACITY:
                return False
            kind = EXTENDED if extended else 0
            self._outgoing.append(PlainFrame(self._now(), payload_from_bytes(data), identifier, 0, len(data), kind))
            self._wake()
        return True

    def close(self) -> None:
        """See Mailbox."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def deliver(self, frame: PlainFrame) -> None:
        """Hand over a frame that has come in."""
        with self._arrived:
            if len(self._incoming) >= CAPACITY:
                self.lost += 1
                return
            self._incoming.append(frame)
            self._arrived.notify()

    def take(self) -> PlainFrame | None:
        """The next frame to be sent."""
        with contextlib.suppress(IndexError):
            return self._outgoing.popleft()
        return None


class SocketMailbox(Mailbox):
    """A mailbox with a CAN socket of its own (hil.socket_session.SocketSession).

    The kernel hands what it sends to the socket of the loop, too, as it does with what others on this machine send; ``echoes``
    tells which of the frames received there are these.
    """

    def __init__(
        self,
        received: Iterable[FrameFilter],
        sent: Iterable[FrameFilter],
        index: int,
        now: Callable[[], int],
        discard: Callable[[], None],
        listen_only: bool,
    ) -> None:
        """``index`` of the bus; ``now``: the session's time [ns]; ``discard``: is told of every frame that cannot be sent."""
        filters = list(received)
        super().__init__(filters, sent)
        self.sent = 0  # frames
        self.echoes = Echoes(ECHO_SPAN)
        self._filters = b"".join(one.in_kernel for one in filters)
        self._index = index
        self._now = now
        self._discard = discard
        self._listen_only = listen_only
        self._socket: socket.socket | None = None
        self._change = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # another socket, or none any more
        self._using = threading.Lock()  # a socket is closed by nobody while another works with it
        self._receiving = threading.Lock()
        self._closed = False

    def attach(self, channel: str) -> None:
        """Work on a CAN link from now on. Raises OSError."""
        opened = socket.socket(socket.PF_CAN, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.CAN_RAW)
        try:
            opened.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, self._filters)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            opened.bind((channel,))
        except OSError:
            opened.close()
            raise
        self._replace(opened)

    def detach(self) -> None:
        """The bus is lost."""
        self._replace(None)

    def close(self) -> None:
        """See Mailbox."""
        self._closed = True
        self._replace(None)
        with self._receiving, self._using:  # who received has been woken
            if self._change != NOBODY:
                os.close(self._change)
                self._change = NOBODY

    def receive(self, timeout: float | None) -> PlainFrame | None:
        """See Mailbox."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._receiving:
            while not self._closed:
                with self._using:
                    number = NOBODY if self._socket is None else self._socket.fileno()
                    if frame := self._read():
                        return frame
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0.0:
                    break
                self._wait(number, left)
        return None

    def send(self, identifier: int, data: bytes, extended: bool = False) -> bool:
        """See Mailbox. Waits while the transmit queue is full, until the frame is stale."""
        self._check(identifier, extended)
        if self._listen_only or self._closed:
            return False
        frame = FRAME_LAYOUT.pack(identifier | (EXTENDED_ID if extended else 0), len(data), data)
        end = time.monotonic() + SessionSettings.stale
        while True:
            with self._using:
                number = self._write(frame, identifier, data, extended)
            if number not in QUEUE_FULL or self._closed or time.monotonic() > end:
                break
            time.sleep(RETRY)
        if number:
            self._discard()
        return not number

    def _write(self, frame: bytes, identifier: int, data: bytes, extended: bool) -> int:
        """Write a frame; 0, or the number of the error."""
        if self._socket is None:
            return errno.ENETDOWN
        # Before it is sent: the loop may have it back at once. If it cannot be sent, nobody hands it back.
        self.echoes.expect(identifier, payload_from_bytes(data), len(data), EXTENDED if extended else 0)
        try:
            self._socket.send(frame)
        except OSError as error:
            self.echoes.forget()
            return error.errno or errno.EIO
        self.sent += 1
        return 0

    def _read(self) -> PlainFrame | None:
        if self._socket is None:
            return None
        try:
            identifier, length, data = FRAME_LAYOUT.unpack(self._socket.recv(FRAME_LAYOUT.size))
        except (OSError, struct.error):  # nothing there; or the link is gone, of which the loop's socket tells
            return None
        extended = bool(identifier & EXTENDED_ID)
        length = min(length, 8)
        mask = EXTENDED_MASK if extended else STANDARD_MASK
        payload = payload_from_bytes(data[:length])
        return PlainFrame(self._now(), payload, identifier & mask, self._index, length, EXTENDED if extended else 0)

    def _wait(self, number: int, timeout: float | None) -> None:
        """Until there is something to read, another socket, or the time is over."""
        waiting = select.poll()
        for descriptor in (number, self._change):
            if descriptor != NOBODY:
                waiting.register(descriptor, select.POLLIN)
        # The number may be that of another file by now; then the change of sockets wakes it as well.
        found = waiting.poll(None if timeout is None else 1e3 * timeout)
        if any(descriptor == self._change for descriptor, _ in found):
            with contextlib.suppress(OSError):
                os.eventfd_read(self._change)

    def _replace(self, other: socket.socket | None) -> None:
        with self._using:
            if self._closed and other:
                other.close()
                other = None
            if self._socket:
                self._socket.close()
            self._socket = other
            if self._change != NOBODY:
                os.eventfd_write(self._change, 1)
