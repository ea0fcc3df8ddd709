"""SocketCAN from compiled code: the loop reads and writes the raw socket itself, no Python between it and the kernel.

python-can opens and configures the bus; what is used of it here is its socket. Every frame comes with the time at which the
kernel received it. Error frames are counted by their classes, so are frames that the kernel dropped because nobody read them.
What is slow or rare is done outside the loop (hil.socket_session).
What the transmit queue does not take stays in the send ring and is tried again in the next period, unless it is too old by then.

``struct can_frame``, ``struct msghdr`` and the constants are those of the kernel's headers <linux/can.h> and <linux/socket.h> for
64-bit processors of the usual byte order.
"""

import errno
import socket
import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from firmware_model.kernel import flag, integer, kernel, new, record
from hil import clock
from hil.can_errors import (
    ACTIVE_BIT,
    BUS_OFF_CLASS,
    CLASSES,
    CONTROLLER_CLASS,
    PASSIVE_BITS,
    RESTARTED_CLASS,
    WARNING_BITS,
)
from hil.clock import monotonic, wall_clock_lead
from hil.frames import FrameFlags
from hil.histogram import Histogram, count_time
from hil.ring import TAIL, load_word, new_rings, push, release, store_word, waiting
from hil.session_records import SessionSettings

AVAILABLE = clock.AVAILABLE and sys.byteorder == "little" and sys.maxsize > 2**32

EXTENDED_ID, REMOTE_ID, ERROR_ID = 0x8000_0000, 0x4000_0000, 0x2000_0000  # flags in can_id
STANDARD_MASK, EXTENDED_MASK = 0x7FF, 0x1FFF_FFFF
FRAME_BYTES = 16  # struct can_frame
SO_TIMESTAMPNS = 35  # the kernel's time of reception; Python's socket module does not know the number
SO_RXQ_OVFL = 40  # the count of frames dropped before this one
SEND_FLAGS, RECEIVE_FLAGS = 0x4040, 0x40  # MSG_NOSIGNAL and MSG_DONTWAIT; MSG_DONTWAIT
# Level SOL_SOCKET and type of ancillary data, as one word.
STAMP, OVERFLOW = 1 | SO_TIMESTAMPNS << 32, 1 | SO_RXQ_OVFL << 32
NOTHING_THERE, INTERRUPTED, NO_SPACE, HUNG_UP = errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.EPIPE
EXTENDED_KIND, ERROR_KIND, REMOTE_KIND, TRANSMITTED_KIND = (int(flag) for flag in FrameFlags)

EXPIRY = round(SessionSettings.stale * 1e9)  # [ns] after its due time a frame is discarded
PERMITTED_MOST = 256  # identifiers on the allow-list of a bus
DETACHED = -1  # in place of a file descriptor
WANTED, IN_USE = 0, 1  # places in a socket's control words: the descriptor that Python offers, and the one the loop works with
MONITOR = 16384  # frames between two looks of the recorder: two seconds of a full 1 Mbit/s bus, both ways
SOCKET_WORDS = 16  # those of each socket on cache lines of their own

_recvmsg: Any = types.ExternalFunction("recvmsg", types.intp(types.int32, types.uintp, types.int32))
_send: Any = types.ExternalFunction("send", types.intp(types.int32, types.uintp, types.uintp, types.int32))
_errno_location: Any = types.ExternalFunction("__errno_location", types.uintp())

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
    count = integer("identifiers that may be sent")
    identifiers = integer("these identifiers, those of 29 bits with EXTENDED_ID set", shape=(PERMITTED_MOST,))


@record
class SocketStatistics:
    """What went over one socket, and what went wrong there."""

    received = integer("frames received")
    sent = integer("frames sent")
    retries = integer("times that the transmit queue was full and the frame had to wait for the next period")
    expired = integer("frames thrown away unsent, because they could not be sent in time or the bus was lost")
    withheld = integer("frames not sent because they are not on the allow-list, or the bus is only listened to")
    foreign = integer("frames received though only this station may send them")
    foreign_identifier = integer("can_id of the first of them")
    dropped = integer("frames that the kernel dropped because the loop did not read them in time")
    errors = integer("error frames received")
    error_frames = integer("error frames of each class", shape=(len(CLASSES),))
    warning = integer("the controller has counted many errors (1)", maximum=1)
    passive = integer("the controller is error-passive (1)", maximum=1)
    bus_off = integer("the controller has left the bus (1)", maximum=1)
    lost = integer("the socket failed with this errno; 0: it works")
    deviation = Histogram  # of frames from their grid to the moment at which the kernel had them


class Sockets:
    """The memory of a loop for ``count`` sockets, none attached."""

    def __init__(self, count: int) -> None:
        self.control = np.full((count, SOCKET_WORDS), DETACHED, dtype=np.int64)
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


def _load_int(typing_context: Any, address: Any) -> Any:
    """The ``int`` of C at ``address``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        return builder.load(builder.inttoptr(arguments[0], word.as_pointer()), typ=word)

    return types.int32(types.uintp), generate


load_int: Any = intrinsic(_load_int)  # see hil.ring


@kernel
def error_number():
    """``errno`` of this thread."""
    return np.int64(load_int(_errno_location()))


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
def receive(descriptor, memory, rules, statistics, monitor, origin, bus, out, timespec):
    """Read all frames that wait in a socket into ``out``, with times [ns] since ``origin``; returns how many they are.

    They go to the monitor's ring (control words and storage), too, and so do those of which ``out`` does not tell: error frames,
    and frames that only this station may send.
    """
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
        frame = out[count]
        frame.time = min(stamp - lead, latest) if stamp else latest
        unpack(memory, bus, frame)
        push(monitor[0], monitor[1], frame)
        if frame.kind & ERROR_KIND:
            count_error(memory, statistics)
        elif permitted(rules, np.int64(memory.in_identifier)):  # never one with a flag for remote frames
            if statistics.foreign == 0:
                statistics.foreign_identifier = np.int64(memory.in_identifier)
            statistics.foreign += 1
        else:
            statistics.received += 1
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
    frame.kind = (EXTENDED_KIND if extended else 0) | (REMOTE_KIND if identifier & REMOTE_ID else 0)
    if identifier & ERROR_ID:
        frame.kind |= ERROR_KIND
    frame.sender = 0


@kernel
def count_error(memory, statistics):
    """Count an error frame, and keep the state of the controller that it tells."""
    statistics.errors += 1
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
    listed = False
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
            sent = monotonic(timespec) - origin
            statistics.sent += 1
            count_time(statistics.deviation, sent - frame.time)
            frame.time = sent
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
