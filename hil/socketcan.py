"""SocketCAN from compiled code: the loop reads and writes the raw socket itself, no Python between it and the kernel.

python-can opens and configures the bus; what is used of it here is its socket. Every frame comes with the time at which the
kernel received it. Error frames are counted by their classes, so are frames that the kernel dropped because nobody read them.
What the transmit queue does not take stays in the send ring and is tried again in the next period, unless it is too old by then.

``struct can_frame``, ``struct msghdr`` and the constants are those of the kernel's headers <linux/can.h>, <linux/can/error.h>,
<linux/socket.h> for 64-bit processors of the usual byte order.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import carray, types

from firmware_model.kernel import flag, integer, kernel, new, record
from hil import clock
from hil.clock import monotonic, wall_clock_lead
from hil.frames import FrameFlags
from hil.histogram import Histogram, count_time
from hil.ring import DROPPED, TAIL, load_word, new_rings, push, release, store_word, take, waiting

AVAILABLE = clock.AVAILABLE and sys.byteorder == "little" and sys.maxsize > 2**32

EXTENDED_ID, REMOTE, ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000  # flags in can_id
STANDARD_MASK, EXTENDED_MASK = 0x7FF, 0x1FFF_FFFF
FRAME_BYTES = 16  # struct can_frame
ERROR_CLASSES = (
    "transmit timeout",
    "arbitration lost",
    "controller",
    "protocol violation",
    "transceiver",
    "no acknowledge",
    "bus off",
    "bus error",
    "restarted",
    "error counters",
)  # bits 0 to 9 of an error frame's identifier
CONTROLLER_CLASS, BUS_OFF_CLASS, RESTARTED_CLASS = 2, 6, 8
WARNING_BITS, PASSIVE_BITS, ACTIVE_BIT = 0x0C, 0x30, 0x40  # in the second byte of a controller's error frame

RECEIVE_BUFFER = 4 << 20  # [bytes] half a second of a full bus, if the kernel's net.core.rmem_max lets us
SO_TIMESTAMPNS = 35  # the kernel's time of reception; Python's socket module does not know the number
SO_RXQ_OVFL = 40  # the count of frames dropped before this one
SEND_FLAGS, RECEIVE_FLAGS = 0x4040, 0x40  # MSG_NOSIGNAL and MSG_DONTWAIT; MSG_DONTWAIT
# Level SOL_SOCKET and type of ancillary data, as one word.
STAMP, OVERFLOW = 1 | SO_TIMESTAMPNS << 32, 1 | SO_RXQ_OVFL << 32
NOTHING_THERE, INTERRUPTED, NO_SPACE, HUNG_UP = errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.EPIPE
EXTENDED_KIND, REMOTE_KIND, TRANSMITTED_KIND = int(FrameFlags.EXTENDED), int(FrameFlags.REMOTE), int(FrameFlags.TRANSMITTED)

EXPIRY = 100_000_000  # [ns] a frame that could not be sent for so long is of no use to anybody
PERMITTED_MOST = 256  # identifiers on the allow-list of a bus
DETACHED = -1  # in place of a file descriptor
WANTED, IN_USE = 0, 1  # places in a socket's control words: the descriptor that Python offers, and the one the loop works with
MONITOR = 16384  # frames between two looks of the recorder: two seconds of a full 1 Mbit/s bus, both ways
CONTROL_WORDS = 16  # those of each socket on cache lines of their own
POLL = 0.5e-3  # [s] between two looks whether it has
DETACH_TIMEOUT = 1.0  # [s] a loop that runs lets go of a socket within a period

_recvmsg: Any = types.ExternalFunction("recvmsg", types.intp(types.int32, types.uintp, types.int32))
_send: Any = types.ExternalFunction("send", types.intp(types.int32, types.uintp, types.uintp, types.int32))
_errno_location: Any = types.ExternalFunction("__errno_location", types.voidptr())

# Memory of one socket: the frame going out, the frame coming in, and the message header that describes it to the kernel.
MEMORY: np.dtype[Any] = np.dtype(
    (
        np.record,
        np.dtype(
            [
                ("out_identifier", "u4"),
                ("out_length", "u4"),
                ("out_data", "u8"),
                ("in_identifier", "u4"),
                ("in_length", "u4"),
                ("in_data", "u8"),
                ("vector_base", "i8"),
                ("vector_length", "i8"),
                ("header_name", "i8"),
                ("header_name_length", "i8"),
                ("header_vector", "i8"),
                ("header_vectors", "i8"),
                ("header_control", "i8"),
                ("header_control_length", "i8"),
                ("header_flags", "i8"),
                ("ancillary", "i8", (32,)),
                ("address", "i8"),  # of this row
            ],
            align=True,
        ),
    )
)
MEMORY_OFFSETS: Any = MEMORY.fields  # a structured type has fields, which the annotations of numpy leave open
IN, VECTOR, HEADER, ANCILLARY = (MEMORY_OFFSETS[name][1] for name in ("in_identifier", "vector_base", "header_name", "ancillary"))


@record
class TransmitRules:
    """What may be sent on one bus."""

    listen_only = flag("nothing is sent")
    limited = flag("only the identifiers listed are sent")
    count = integer("identifiers listed")
    identifiers = integer("identifiers that may be sent, those of 29 bits with EXTENDED_ID set", shape=(PERMITTED_MOST,))


@record
class SocketStatistics:
    """What went over one socket, and what went wrong there."""

    received = integer("frames received")
    sent = integer("frames sent")
    retries = integer("times that the transmit queue was full and the frame had to wait for the next period")
    expired = integer("frames thrown away unsent, because they could not be sent in time or the bus was lost")
    withheld = integer("frames not sent because they are not on the allow-list, or the bus is only listened to")
    dropped = integer("frames that the kernel dropped because the loop did not read them in time")
    error_frames = integer("error frames of each class", shape=(len(ERROR_CLASSES),))
    warning = integer("the controller has counted many errors (1)", maximum=1)
    passive = integer("the controller is error-passive (1)", maximum=1)
    bus_off = integer("the controller has left the bus (1)", maximum=1)
    lost = integer("the socket failed with this errno; 0: it works")
    deviation = Histogram  # of frames from their grid to the moment at which the kernel had them


class Sockets:
    """The memory of a loop for ``count`` sockets, none attached."""

    def __init__(self, count: int) -> None:
        self.control = np.full((count, CONTROL_WORDS), DETACHED, dtype=np.int64)
        self.rules: Any = np.concatenate([new(TransmitRules)] * count).view(np.recarray)
        self.statistics: Any = np.concatenate([new(SocketStatistics)] * count).view(np.recarray)
        self.monitor = new_rings(count, MONITOR)
        self.memory: Any = np.zeros(count, dtype=MEMORY).view(np.recarray)
        for k in range(count):
            row = self.memory[k]
            row.address = self.memory.ctypes.data + k * MEMORY.itemsize
            row.vector_base, row.vector_length = row.address + IN, FRAME_BYTES
            row.header_vector, row.header_vectors = row.address + VECTOR, 1
            row.header_control = row.address + ANCILLARY

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arrays in the order in which a loop takes them."""
        return (self.control, self.memory, self.rules, self.statistics, *self.monitor)


@kernel
def error_number():
    """``errno`` of this thread."""
    return np.int64(carray(_errno_location(), (1,), np.int32)[0])


@kernel
def attached(control):
    """The descriptor to work with in this period, or DETACHED; Python may close any other from now on."""
    descriptor = load_word(control, WANTED)
    store_word(control, IN_USE, descriptor)
    return descriptor


@kernel
def let_go(control):
    """The loop works with no socket any more."""
    store_word(control, IN_USE, DETACHED)


@kernel
def receive(descriptor, memory, statistics, origin, bus, out, timespec):
    """Read all frames that wait in a socket into ``out``, with times [ns] since ``origin``; returns how many they are."""
    count = 0
    lead = wall_clock_lead(timespec) + origin
    latest = monotonic(timespec) - origin
    for _ in range(len(out)):
        if statistics.lost:
            break
        memory.header_control_length = len(memory.ancillary) * 8
        size = _recvmsg(np.int32(descriptor), np.uintp(memory.address + HEADER), np.int32(RECEIVE_FLAGS))
        if size != FRAME_BYTES:
            if size >= 0:
                statistics.lost = HUNG_UP  # the other end of a connection has gone; a CAN socket never says this
            else:
                number = error_number()
                if number != NOTHING_THERE and number != INTERRUPTED:
                    statistics.lost = number
            break
        stamp = read_ancillary(memory, statistics)
        if memory.in_identifier & ERROR:
            count_error(memory, statistics)
            continue
        statistics.received += 1
        frame = out[count]
        frame.time = min(stamp - lead, latest) if stamp else latest
        unpack(memory, bus, frame)
        count += 1
    return count


@kernel
def read_ancillary(memory, statistics):
    """The kernel's time of reception [ns, CLOCK_REALTIME], 0 if there is none; counts what was dropped before."""
    stamp: Any = 0
    words = memory.ancillary
    place = 0
    end = memory.header_control_length // 8
    while place + 3 <= end and words[place] > 16:
        if words[place + 1] == STAMP:
            stamp = np.int64(words[place + 2]) * 1_000_000_000 + np.int64(words[place + 3])
        elif words[place + 1] == OVERFLOW:
            statistics.dropped = np.int64(words[place + 2] & 0xFFFF_FFFF)
        place += (words[place] + 7) // 8
    return stamp


@kernel
def unpack(memory, bus, frame):
    """``struct can_frame`` to ``frame``."""
    identifier = np.int64(memory.in_identifier)
    extended = identifier & EXTENDED_ID != 0
    length = np.int64(min(memory.in_length & 0xFF, 8))
    mask = np.uint64(0xFFFF_FFFF_FFFF_FFFF) >> np.uint64(64 - 8 * length) if length else np.uint64(0)
    frame.payload = memory.in_data & mask
    frame.identifier = identifier & (EXTENDED_MASK if extended else STANDARD_MASK)
    frame.bus = bus
    frame.length = length
    frame.kind = (EXTENDED_KIND if extended else 0) | (REMOTE_KIND if identifier & REMOTE else 0)
    frame.sender = 0


@kernel
def count_error(memory, statistics):
    """Count an error frame, and keep the state of the controller that it tells."""
    classes = np.int64(memory.in_identifier) & EXTENDED_MASK
    for k in range(len(statistics.error_frames)):
        if classes >> k & 1:
            statistics.error_frames[k] += 1
    if classes >> CONTROLLER_CLASS & 1:
        detail = np.int64(memory.in_data >> np.uint64(8)) & 0xFF
        if detail & (WARNING_BITS | PASSIVE_BITS | ACTIVE_BIT):
            statistics.warning = 1 if detail & WARNING_BITS else 0
            statistics.passive = 1 if detail & PASSIVE_BITS else 0
    if classes >> BUS_OFF_CLASS & 1:
        statistics.bus_off = 1
    if classes >> RESTARTED_CLASS & 1:
        statistics.bus_off = statistics.passive = statistics.warning = 0


@kernel
def permitted(rules, identifier):
    """Whether a frame with this ``can_id`` may be sent."""
    if rules.listen_only:
        return False
    listed = not rules.limited
    for k in range(rules.count):
        listed = listed or rules.identifiers[k] == identifier
    return listed


@kernel
def transmit(socket, rules, origin, ring, monitor, timespec):
    """Write the frames of a send ring to a socket, as far as it takes them; those sent go to the monitor's ring, too.

    ``socket``: control words, memory, statistics; ``ring`` and ``monitor``: control words and storage.
    """
    control, memory, statistics = socket
    queue, storage = ring
    while waiting(queue):
        frame = storage[queue[TAIL] & (len(storage) - 1)]
        now = monotonic(timespec) - origin
        identifier = np.int64(frame.identifier) | (EXTENDED_ID if frame.kind & EXTENDED_KIND else 0)
        if not permitted(rules, identifier):
            statistics.withheld += 1
        elif control[IN_USE] < 0 or statistics.lost or now - frame.time > EXPIRY:
            statistics.expired += 1
        else:
            number = write(control[IN_USE], memory, identifier, frame)
            if number in (NO_SPACE, NOTHING_THERE, INTERRUPTED):
                statistics.retries += 1
                return
            if number:
                statistics.lost = number
                continue
            statistics.sent += 1
            count_time(statistics.deviation, now - frame.time)
            frame.time = now
            frame.kind |= TRANSMITTED_KIND
            push(monitor[0], monitor[1], frame)
        release(queue, 1)


@kernel
def write(descriptor, memory, identifier, frame):
    """Write one frame; returns 0, or the error number."""
    memory.out_identifier = identifier
    memory.out_length = frame.length
    memory.out_data = frame.payload
    size = _send(np.int32(descriptor), np.uintp(memory.address), np.uintp(FRAME_BYTES), np.int32(SEND_FLAGS))
    return 0 if size == FRAME_BYTES else error_number()


def raw_socket(bus: Any) -> socket.socket | None:
    """The socket under a python-can bus that is one of SocketCAN, else None."""
    under = getattr(bus, "socket", None)
    return under if AVAILABLE and isinstance(under, socket.socket) else None


class SocketSession:
    """One node on one SocketCAN bus that its loop reads and writes; from outside as :class:`hil.bus.BusSession`."""

    def __init__(self, bus: Any, index: int, sockets: Sockets) -> None:
        """``bus``: what python-can has opened; ``index``: of the bus in the network, and of its socket in ``sockets``."""
        self._bus = bus
        self._control = sockets.control[index]
        self._rules = sockets.rules[index]
        self._monitor = sockets.monitor[0][index], sockets.monitor[1][index]
        self.statistics = sockets.statistics[index]

    def permit(self, identifiers: Sequence[int] | None, *, listen_only: bool = False) -> None:
        """Send only frames with these identifiers (those of 29 bits with EXTENDED_ID set), all if None. Before ``start``."""
        self._rules.limited = identifiers is not None
        self._rules.count = len(identifiers or ())
        self._rules.identifiers[: len(identifiers or ())] = identifiers or ()
        self._rules.listen_only = listen_only

    def start(self) -> None:
        """Hand the socket to the loop."""
        under = raw_socket(self._bus)
        assert under
        under.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        under.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        under.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        for name in ("lost", "warning", "passive", "bus_off"):
            self.statistics[name] = 0
        store_word(self._control, WANTED, under.fileno())

    def stop(self) -> None:
        """Take the socket from the loop, and close the bus once the loop works with it no more."""
        store_word(self._control, WANTED, DETACHED)
        give_up = time.monotonic() + DETACH_TIMEOUT
        while load_word(self._control, IN_USE) != DETACHED and time.monotonic() < give_up:
            time.sleep(POLL)
        self._bus.shutdown()

    def replace(self, bus: Any) -> None:
        """Go on with another ``bus`` in the place of one that was lost."""
        self.stop()
        self._bus = bus
        self.start()

    @property
    def error(self) -> OSError | None:
        """Why the bus is lost, if it is."""
        number = int(self.statistics.lost)
        return OSError(number, os.strerror(number)) if number else None

    @property
    def lost_frames(self) -> int:
        """Frames that the kernel dropped because nobody read them, and frames of which no recording tells."""
        return int(self.statistics.dropped + self._monitor[0][DROPPED])

    def new_frames(self) -> Any:
        """The frames received and sent since the last call; those sent are marked as TRANSMITTED."""
        return take(*self._monitor)
