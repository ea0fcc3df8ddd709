"""SocketCAN from compiled code: the loop reads and writes the raw socket itself, no Python between it and the kernel.

python-can opens and configures the bus; what is used of it here is its socket. Every frame comes with the time at which the
kernel received it. Error frames are counted by their classes, so are frames that the kernel dropped because nobody read them.
What is slow or rare is done by the session, from the main loop: it says what has changed, and opens a lost bus again.
What the transmit queue does not take stays in the send ring and is tried again in the next period, unless it is too old by then.

``struct can_frame``, ``struct msghdr`` and the constants are those of the kernel's headers <linux/can.h> and <linux/socket.h> for
64-bit processors of the usual byte order.
"""

import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from firmware_model.kernel import flag, integer, kernel, new, record
from hil import clock
from hil.bus_interfaces import ACKNOWLEDGING, BITRATE
from hil.bus_state import BUS_WORDS, SILENT, STATE, BusState
from hil.can_errors import (
    ACTIVE_BIT,
    BUS_OFF_CLASS,
    CLASSES,
    CONTROLLER_CLASS,
    PASSIVE_BITS,
    RESTARTED_CLASS,
    WARNING_BITS,
)
from hil.can_links import find_link
from hil.clock import monotonic, wall_clock_lead
from hil.drivers import close_bus, reason
from hil.errors import UsageError
from hil.frames import FrameFlags
from hil.histogram import Histogram, count_time, percentile
from hil.ring import DROPPED, TAIL, load_word, new_rings, push, release, store_word, take, waiting
from hil.session_records import BusLoad, SessionEvent, SessionSettings, foreign_text
from hil.timing import PERIOD_MAX

AVAILABLE = clock.AVAILABLE and sys.byteorder == "little" and sys.maxsize > 2**32

EXTENDED_ID, REMOTE_ID, ERROR_ID = 0x8000_0000, 0x4000_0000, 0x2000_0000  # flags in can_id
STANDARD_MASK, EXTENDED_MASK = 0x7FF, 0x1FFF_FFFF
FRAME_BYTES = 16  # struct can_frame
RECEIVE_BUFFER = 4 << 20  # [bytes] half a second of a full bus, if the kernel's net.core.rmem_max lets us
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
DETACH_TIMEOUT = 3e-9 * PERIOD_MAX  # [s] a loop that runs lets go of a socket within a period
POLL = 0.5e-3  # [s] between two looks whether it has

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


def is_without_carrier(channel: str) -> bool:
    """Whether the kernel's driver has taken a link off the bus: it is bus-off, also if that was before anybody listened."""
    try:
        return Path(f"/sys/class/net/{channel}/carrier").read_text().strip() == "0"
    except OSError:  # the link is down, or gone; receiving says so
        return False


class SocketSession:
    """A station on one of its buses, a CAN link that its loop reads and writes; from outside as :class:`hil.session.BusSession`.

    It has no thread of its own: whoever has started it calls ``look`` now and then.
    """

    def __init__(
        self,
        bus: Any,
        index: int,
        origin: int,
        sockets: Sockets,
        *,
        allowed: Collection[tuple[int, bool]],
        opener: Callable[[], Any] | None = None,
        name: str = "",
        bitrate: int | None = None,
        listen_only: bool = False,
        words: Any = None,
        report: Callable[[SessionEvent], None] | None = None,
        settings: SessionSettings | None = None,
    ) -> None:
        """``bus``: what python-can has opened, the session's from now on; ``index``: of it, and of its socket in ``sockets``.

        ``allowed``: the frames that may be sent, (identifier, extended). ``opener``: opens the bus again once it is lost; without
        it, it stays lost. ``words``: int64 (BUS_WORDS,) where the state is released for compiled loops. ``report``: is told every
        event. Raises UsageError if more frames are allowed than the loop has room for.
        """
        self.name = name
        self.listen_only = listen_only
        self.settings = settings or SessionSettings()
        self.words = np.zeros(BUS_WORDS, dtype=np.int64) if words is None else words
        self.statistics = sockets.statistics[index]
        self._bus = bus
        self._channel = str(getattr(bus, "channel", ""))
        self._origin = origin
        self._opener = opener
        self._report = report
        self._control = sockets.control[index]
        self._monitor = sockets.monitor[0][index], sockets.monitor[1][index]
        link = find_link(self._channel)
        self._acknowledges = link is None or not link.listen_only
        self._load = BusLoad(bitrate or (link.bitrate if link else None) or BITRATE)
        self._without_carrier = False
        self._received = 0  # frames, when it was looked last
        self._foreign_told = False
        self._heard = self._opened = self._lost = 0.0  # [s, monotonic]
        self.connections = 0  # times that the bus was opened
        self._times_lost = 0
        self._attempts = 0  # to open the bus again, since it was lost
        self._delay, self._due = self.settings.retry_first, 0.0  # [s] from attempt to attempt, and when the next one is
        rules = sockets.rules[index]
        if len(allowed) > PERMITTED_MOST:
            raise UsageError(f"{name}: {len(allowed)} frames to send; on SocketCAN there may be {PERMITTED_MOST}")
        rules.listen_only = listen_only
        rules.count = len(allowed)
        rules.identifiers[: len(allowed)] = [number | (EXTENDED_ID if extended else 0) for number, extended in allowed]

    def start(self) -> None:
        """Hand the socket to the loop."""
        if self.listen_only and self._acknowledges:
            self._say(f"nothing is sent, but the adapter acknowledges frames all the same: {ACKNOWLEDGING['socketcan']}")
        self._attach()
        self._become(BusState.ACTIVE, "is open")

    def stop(self) -> None:
        """Take the socket from the loop, and close the bus once the loop works with it no more."""
        store_word(self._control, WANTED, DETACHED)
        give_up = time.monotonic() + DETACH_TIMEOUT
        while load_word(self._control, IN_USE) != DETACHED:
            if time.monotonic() > give_up:
                self._say("the loop does not let go of its socket, which stays open")
                return
            time.sleep(POLL)
        close_bus(self._bus)
        self._become(BusState.CLOSED, "")

    def look(self) -> None:
        """Say once what has changed, and open a lost bus again when its time has come, with growing delays."""
        now = time.monotonic()
        self._without_carrier = is_without_carrier(self._channel)
        found = self._found()
        if found == BusState.LOST and self.state != BusState.LOST:
            self._lose(now)
        elif found == BusState.LOST:
            self._mend(now)
        elif found == BusState.BUS_OFF:
            self._become(found, f"is bus-off: {self.error}")
        elif found == BusState.ERROR_PASSIVE:
            self._become(found, "is error-passive: errors pile up, or nobody acknowledges its frames")
        else:
            self._become(found, "is error-active again")
        if found < BusState.BUS_OFF:
            self._notice_silence(now)
        self._notice_foreign()

    @property
    def state(self) -> BusState:
        """The state of the bus when it was looked last."""
        return BusState(int(self.words[STATE]))

    @property
    def error(self) -> Exception | None:
        """Why the bus carries no frames now, if it carries none."""
        if number := int(self.statistics.lost):
            return OSError(number, os.strerror(number))
        if self._found() == BusState.BUS_OFF:
            return RuntimeError(f"its controller has left the bus; ip link set {self._channel} type can restart-ms 100 heals it")
        return None

    @property
    def problems(self) -> list[str]:
        """What did not go as it should, in whole sentences; losses and states are told by events."""
        found = self.statistics
        told = {
            f"{found.expired} frames were not sent, because the bus was lost, or full for {1e-9 * EXPIRY:g} s": found.expired,
            f"{found.withheld} frames were not sent, because they are not allowed": found.withheld and not self.listen_only,
            f"{found.errors} error frames were received": found.errors,
        }
        return [f"{self.name}: {text}" for text, count in told.items() if count]

    @property
    def foreign(self) -> int:
        """Frames of this station that somebody else has sent."""
        return int(self.statistics.foreign)

    @property
    def losses(self) -> int:
        """Times that the bus was lost; each bus-off counts, however short."""
        return self._times_lost + int(self.statistics.error_frames[BUS_OFF_CLASS])

    @property
    def load(self) -> float:
        """Share of the bus's time that its frames take, see BusLoad."""
        return self._load.share

    def deviation(self, share: float) -> float:
        """How long after its due time [ns] at most a ``share`` of the frames was with the kernel; NaN before the first."""
        return percentile(self.statistics.deviation, share)

    @property
    def lost_frames(self) -> int:
        """Frames that were carried, but of which ``new_frames`` cannot tell: nobody took them in time."""
        return int(self._monitor[0][DROPPED])

    def new_frames(self) -> Any:
        """All frames since the last call, error frames among them; those sent are TRANSMITTED, at the time they were sent."""
        frames = take(*self._monitor)
        self._load.add(frames)
        return frames

    def _found(self) -> BusState:
        found = self.statistics
        if found.lost:
            return BusState.LOST
        if found.bus_off or self._without_carrier:
            return BusState.BUS_OFF
        return BusState.ERROR_PASSIVE if found.passive else BusState.ACTIVE

    def _attach(self) -> None:
        under = raw_socket(self._bus)
        assert under
        under.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        under.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        under.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        for name in ("lost", "warning", "passive", "bus_off"):
            self.statistics[name] = 0
        store_word(self._control, WANTED, under.fileno())
        self.connections += 1
        store_word(self.words, SILENT, 0)
        self._opened = self._heard = time.monotonic()

    def _lose(self, now: float) -> None:
        """Take the lost socket from the loop, and say so."""
        store_word(self._control, WANTED, DETACHED)
        self._times_lost += 1
        again = "it is opened again as soon as it is back" if self._opener else "it stays closed"
        self._become(BusState.LOST, f"is lost, {again}: {self.error}")
        if now - self._opened > self._delay:  # a connection that held longer than the delay before it earns a new start
            self._delay = self.settings.retry_first
        self._lost, self._due, self._attempts = now, now + self._delay, 0

    def _mend(self, now: float) -> None:
        """Try to open the lost bus again, once the loop has let go of its socket."""
        if not self._opener or now < self._due or load_word(self._control, IN_USE) != DETACHED:
            return
        self._attempts += 1
        self._delay = min(2 * self._delay, self.settings.retry_last)
        try:
            self.replace(self._opener())
        except Exception as error:  # drivers raise all sorts
            self._due = time.monotonic() + self._delay
            if self._attempts == 1:
                self._say(f"cannot be opened, it is tried again: {reason(error)}")
            return
        self._become(BusState.ACTIVE, f"is open again after {now - self._lost:.1f} s, at attempt {self._attempts}")

    def replace(self, bus: Any) -> None:
        """Go on with another ``bus`` in the place of one that the loop has let go of."""
        close_bus(self._bus)
        self._bus = bus
        self._attach()

    def _notice_silence(self, now: float) -> None:
        received = int(self.statistics.received + self.statistics.foreign)
        if received != self._received:
            self._received, self._heard = received, now
        silent = now - self._heard > self.settings.silence
        if silent != bool(self.words[SILENT]):
            store_word(self.words, SILENT, int(silent))
            self._say(self.settings.silence_text if silent else "frames arrive again")

    def _notice_foreign(self) -> None:
        if self.statistics.foreign and not self._foreign_told:
            self._foreign_told = True
            first = int(self.statistics.foreign_identifier)
            self._say(foreign_text(first & EXTENDED_MASK, first & EXTENDED_ID))

    def _become(self, state: BusState, text: str) -> None:
        if state != self.state:
            store_word(self.words, STATE, int(state))
            if text:
                self._say(text)

    def _say(self, text: str) -> None:
        if self._report:
            with contextlib.suppress(Exception):  # a terminal that is gone must not end the session
                self._report(SessionEvent(time.monotonic_ns() - self._origin, self.state, f"{self.name}: {text}"))
