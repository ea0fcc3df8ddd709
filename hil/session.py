"""A supervised session: a station on one of its buses, its frames carried between python-can and the rings of the compiled loop.

One thread supervises; it opens the bus, and while the bus is open one thread receives and one sends. When the bus is lost
(adapter unplugged, other process killed, bus-off) the supervisor says so once, closes it, and opens it again with growing delays.
What is due meanwhile is discarded and counted, never sent later; what the driver still holds when the bus is open again is thrown
away. Drivers can hang: every call into them happens in a thread that can be left behind, and leaving one behind is said. A call
that does not come back while the bus is open is a lost bus.
"""

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hil.bus_interfaces import ACKNOWLEDGING, BITRATE
from hil.bus_state import BUS_WORDS, SILENT, STATE, UNSENT, BusState
from hil.can_errors import error_classes, state_in_error_frame
from hil.drivers import (
    CLASSIFIED_ERRORS,
    Attempt,
    Echoes,
    asked_state,
    close_bus,
    interface_of,
    is_queue_full,
    makes_sense,
    reason,
)
from hil.frames import (
    ERROR,
    EXTENDED,
    REMOTE,
    TRANSMITTED,
    PlainFrame,
    bytes_from_payload,
    frame_key,
    frames_of,
    new_frames,
    payload_from_bytes,
)
from hil.mailbox import FrameFilter, QueueMailbox
from hil.ring import drain, new_rings, push_values, store_word
from hil.session_records import (
    BusLoad,
    Counters,
    Deviations,
    SessionEvent,
    SessionSettings,
    foreign_text,
    identifier_text,
    lost_text,
)
from hil.transport import NOBODY

RECEIVE_TIMEOUT = 0.05  # [s] of one call into the driver
SEND_TIMEOUT = 0.05  # [s] of one call into the driver
SUPERVISION = 0.02  # [s] how often the supervisor looks, and how long the sender waits to be woken
ASKING = 0.1  # [s] how often the driver is asked for the state of its controller
END_TIMEOUT = 0.2  # [s] how long sender and receiver each may take to end
CLOSE_TIMEOUT = 0.3  # [s] how long closing a bus may take, when stopping
RECLOSE_TIMEOUT = 2.0  # [s] and when the bus was lost
STOP_TIMEOUT = 0.95  # [s]
STALE_SPAN = 0.02  # [s] how long what waits in a driver is thrown away after opening
BATCH = 64  # frames taken from the ring at once
HISTORY = 65_536  # frames kept for who takes them: 17 s of a full bus
MOST_REFUSED = 4096  # identifiers that are said one by one
UNREADABLE_IN_A_ROW = 100  # lines or frames without sense after which the bus counts as lost
ERRORS_IN_A_ROW = 20  # error frames without a good one in between that make the bitrate doubtful


@dataclass(eq=False)
class Connection:
    """One opened bus and the threads in its driver."""

    bus: Any
    interface: str
    opened: int  # [ns] from the origin
    echoes: Echoes | None = None  # where our own frames come back unmarked
    heard: bool = False  # whether a frame was received
    threads: list[threading.Thread] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    calls: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("receiving", "sending", "asking")))  # since [s]

    def call(self, doing: str, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the driver, and note since when."""
        self.calls[doing] = time.monotonic()
        try:
            return work(*arguments, **options)
        finally:
            self.calls[doing] = None

    def hanging(self, limit: float) -> str:
        """What the driver has not come back from for longer than ``limit`` [s]; empty if there is nothing."""
        begun = time.monotonic() - limit
        return next((doing for doing, since in self.calls.items() if since is not None and since < begun), "")


class BusSession:
    """A station on one of its buses, which python-can carries; it mends itself.

    Times are taken on this side, from the monotonic clock, relative to ``origin`` [ns].
    """

    def __init__(
        self,
        bus: Any,
        index: int,
        origin: int,
        receive_ring: tuple[Any, Any],
        send_ring: tuple[Any, Any],
        *,
        opener: Callable[[], Any] | None = None,
        name: str = "",
        bitrate: int | None = None,
        allowed: Collection[tuple[int, bool]] | None = None,
        listen_only: bool = False,
        words: Any = None,
        report: Callable[[SessionEvent], None] | None = None,
        settings: SessionSettings | None = None,
    ) -> None:
        """``bus``: an open python-can bus, or a function that opens one. Given open without an ``opener``, it is lost for good.

        The bus is the session's from now on: ``stop`` closes it. ``allowed``: the frames that may be sent, (identifier,
        extended); None allows all. ``words``: int64 (BUS_WORDS,) where the state is released for compiled loops. ``report``: is
        told every event, in one of the session's threads, which it must not keep.
        """
        self._given = None if callable(bus) else bus
        self._opener = bus if callable(bus) else opener
        self.name = name or str(getattr(bus, "channel_info", "bus"))
        self.index = index
        self.bitrate = bitrate or BITRATE
        self.listen_only = listen_only
        self.settings = settings or SessionSettings()
        self.words = np.zeros(BUS_WORDS, dtype=np.int64) if words is None else words
        self.counters = Counters()
        self.deviations = Deviations()
        self.lost_frames = 0  # that were carried, but of which ``new_frames`` cannot tell: nobody took them in time
        self.error: Exception | None = None  # why the bus is not open now
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # written to when frames wait to be sent
        self._origin = origin
        self._receive_ring = plain(receive_ring)
        self._send_ring = plain(send_ring)
        self._allowed = None if allowed is None else {frame_key(*item) for item in allowed}
        self._report = report
        self._mailboxes: tuple[QueueMailbox, ...] = ()
        self._history: deque[PlainFrame] = deque(maxlen=HISTORY)
        self._load = BusLoad(self.bitrate)
        self._refused: set[int] = set()
        self._received_at = self._sent_at = self._lost_at = 0  # [ns]
        self._discarded_before = 0  # frames, when the bus was lost
        self._errors_in_a_row = 0
        self._doubtful = self._unacknowledged = False
        self._gate = threading.Lock()  # the rings belong to the threads of the connection that holds
        self._telling = threading.RLock()
        self._connection: Connection | None = None
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name=f"supervise {self.name}", daemon=True)

    @staticmethod
    def compile() -> None:
        """Compile what the threads call, so that the first frame does not wait for it."""
        control, storage = new_rings(1, 2)
        push_values(control[0], storage[0], 0, np.uint64(0), 0, 0, 0, 0)
        drain(control[0], storage[0], new_frames(1))
        store_word(np.zeros(BUS_WORDS, dtype=np.int64), 0, 0)

    def start(self) -> None:
        """Start the session; it opens its bus by itself."""
        self._supervisor.start()

    def open_mailbox(self, received: Iterable[FrameFilter], sent: Iterable[FrameFilter]) -> QueueMailbox:
        """A mailbox for the frames ``received``, which the loop has no more, and ``sent``, which nobody else may send now."""
        mailbox = QueueMailbox(received, sent, lambda: os.eventfd_write(self.wake, 1), self._now)
        self._mailboxes += (mailbox,)
        return mailbox

    def stop(self) -> None:
        """Send what waits, end the threads and close the bus, within a second. What hangs in a driver is left behind."""
        self._stopping.set()
        if self._supervisor.is_alive():
            self._supervisor.join(STOP_TIMEOUT)
            if self._supervisor.is_alive():
                self._abandon("stopping")
                if connection := self._connection:
                    connection.ended.set()
        elif given := self._given:  # it was never started
            self._close(given, CLOSE_TIMEOUT)
            self._given = None
        for mailbox in self._mailboxes:
            mailbox.close()  # from here on it wakes nobody
        if self.wake != NOBODY:
            os.close(self.wake)
            self.wake = NOBODY

    @property
    def state(self) -> BusState:
        """The state of the bus now."""
        return BusState(int(self.words[STATE]))

    @property
    def silent(self) -> bool:
        """Whether nothing has arrived for longer than the time-out."""
        return bool(self.words[SILENT])

    @property
    def load(self) -> float:
        """Share of the bus's time that its frames take, see BusLoad."""
        return self._load.share

    def deviation(self, share: float) -> float:
        """How long after its due time [ns] at most a ``share`` of the frames was with the driver; NaN before the first."""
        return self.deviations.percentile(share)

    @property
    def problems(self) -> list[str]:
        """What did not go as it should, in whole sentences; losses and states are told by events."""
        c = self.counters
        untaken = sum(mailbox.lost for mailbox in self._mailboxes)
        told = {
            f"{c.discarded} frames were not sent, because the bus was not open": c.discarded,
            f"{c.late} frames were not sent, because the driver was more than {self.settings.stale:g} s behind": c.late,
            f"{c.rejected} frames were not taken by the driver": c.rejected,
            f"{c.refused} frames were not sent, because they are not allowed": c.refused,
            f"{c.unreadable} received lines or frames made no sense": c.unreadable,
            f"{c.error_frames} error frames were received": c.error_frames,
            f"{c.abandoned} calls into the driver did not come back": c.abandoned,
            f"{untaken} frames were not taken from a mailbox in time": untaken,
        }
        return [f"{self.name}: {text}" for text, count in told.items() if count]

    def new_frames(self) -> Any:
        """All frames since the last call, error frames among them; those sent are TRANSMITTED, at the time they were sent."""
        frames = frames_of(sorted(self._history.popleft() for _ in range(len(self._history))))
        self._load.add(frames)
        return frames

    # --- supervision ------------------------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        delay = self.settings.retry_first
        while not self._stopping.is_set():
            try:
                connection = self._hold()
            except Exception as error:  # nothing is known that gets here; whatever it is, the operator must hear of it
                self._fail(None, error)
                connection = None
            # A connection on which something was heard, or that held longer than the delay before it, earns a new start.
            if connection and (connection.heard or self._now() - connection.opened > delay * 1e9):
                delay = self.settings.retry_first
            if not self._opener:
                delay = float("inf")  # nothing to open it again with
            self._idle(delay)
            delay = min(2 * delay, self.settings.retry_last)
        self._discard()
        self._become(BusState.CLOSED, "")

    def _hold(self) -> Connection | None:
        """Open the bus, and hold the connection until it ends; None if it cannot be opened."""
        connection = self._connect()
        if connection:
            try:
                for thread in connection.threads:
                    thread.start()
                self._watch(connection)
            except Exception as error:  # as in the other threads
                self._fail(connection, error)
            finally:
                self._disconnect(connection)
        return connection

    def _connect(self) -> Connection | None:
        """Open the bus; None if that failed or the session is stopping."""
        lost = self.state in (BusState.LOST, BusState.BUS_OFF)
        if not lost:
            self._become(BusState.OPENING, "")
        self.counters.attempts += 1
        attempt = Attempt(self._open)
        while attempt.is_alive() and not self._stopping.is_set():
            attempt.join(SUPERVISION)
            self._discard()
        bus = attempt.take()
        if attempt.is_alive():
            self._abandon("opening")
        if bus is None:
            if attempt.error and not lost:
                retry = "it is tried again" if self._opener else "it stays closed"
                self._fail(None, attempt.error, text=f"cannot be opened, {retry}: {reason(attempt.error)}")
            return None
        interface = interface_of(bus)
        connection = Connection(bus, interface, self._now(), Echoes() if interface == "udp_multicast" else None)
        connection.threads = [
            threading.Thread(target=self._guard, args=(connection, work), name=f"{name} {self.name}", daemon=True)
            for name, work in (("receive", self._receive), ("send", self._send))
        ]
        self._received_at = self._sent_at = connection.opened
        self._errors_in_a_row = 0
        self._doubtful = self._unacknowledged = False
        with self._gate:
            self._connection = connection
        self._discard()
        store_word(self.words, SILENT, 0)
        self.counters.connections += 1
        self.error = None
        if self.listen_only and connection.interface in ACKNOWLEDGING:
            self._say(f"nothing is sent, but the adapter acknowledges frames all the same: {ACKNOWLEDGING[connection.interface]}")
        self._become(BusState.ACTIVE, self._back() if self.counters.losses else "is open")
        self.counters.attempts = 0
        return connection

    def _back(self) -> str:
        away = (self._now() - self._lost_at) * 1e-9
        discarded = self.counters.discarded - self._discarded_before
        attempt = self.counters.attempts
        return f"is open again after {away:.1f} s, at attempt {attempt}; {discarded} frames due meanwhile were not sent"

    def _open(self) -> Any:
        """In a thread of its own: a bus with nothing in it from before. Raises whatever drivers raise."""
        bus, self._given = self._given, None
        if bus is None:
            if self._opener is None:
                raise RuntimeError("there is nothing to open it with")
            bus = self._opener()
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(close_bus, bus)
            end = time.monotonic() + STALE_SPAN
            while (left := end - time.monotonic()) > 0:
                with contextlib.suppress(ValueError, IndexError):  # half a line from before has no sense, and none is needed
                    self.counters.stale += bus.recv(left) is not None
            if asked_state(bus) == BusState.BUS_OFF:
                raise RuntimeError("its controller is bus-off")
            on_failure.pop_all()
        return bus

    def _watch(self, connection: Connection) -> None:
        """Until the connection ends or the session stops: what shows only by and by."""
        while not connection.ended.wait(SUPERVISION) and not self._stopping.is_set():
            self._release_unsent()
            self._notice_silence(self._now())
            self._notice_doubtful_bitrate()
            if doing := connection.hanging(self.settings.hang):
                self._fail(connection, TimeoutError(f"the driver does not come back from {doing} for {self.settings.hang:g} s"))

    def _notice_silence(self, now: int) -> None:
        silent = now - self._received_at > self.settings.silence * 1e9
        if silent != self.silent:
            store_word(self.words, SILENT, int(silent))
            if silent:
                self._say(self.settings.silence_text)
            else:
                self._say("frames arrive again")

    def _notice_doubtful_bitrate(self) -> None:
        if self._errors_in_a_row >= ERRORS_IN_A_ROW and not self._doubtful:
            self._doubtful = True
            self._say(
                f"{self._errors_in_a_row} error frames and no good frame: the bitrate ({self.bitrate}) is wrong, "
                "a wire is open, or the termination is missing"
            )

    def _disconnect(self, connection: Connection) -> None:
        """End the threads of a connection and close its bus; what hangs is left behind."""
        receive, send = connection.threads
        if send.is_alive() and not connection.ended.is_set():
            send.join(END_TIMEOUT)  # it empties the ring first
        connection.ended.set()
        with self._gate:
            self._connection = None
        self._end(receive, END_TIMEOUT)
        self._close(connection.bus, CLOSE_TIMEOUT if self._stopping.is_set() else RECLOSE_TIMEOUT)
        self._end(send, SUPERVISION)
        for thread, doing in ((send, "sending"), (receive, "receiving")):
            if thread.is_alive():
                self._abandon(doing)

    def _end(self, thread: threading.Thread, timeout: float) -> None:
        """Wait for the end of a thread, discarding what is due."""
        end = time.monotonic() + timeout
        while thread.is_alive() and (left := end - time.monotonic()) > 0:
            thread.join(min(left, SUPERVISION))
            self._discard()

    def _close(self, bus: Any, timeout: float) -> None:
        closing = Attempt(lambda: close_bus(bus))
        self._end(closing, timeout)
        if closing.is_alive():
            self._abandon("closing")

    def _abandon(self, doing: str) -> None:
        self.counters.abandoned += 1
        self._say(f"the driver does not come back from {doing}; its thread was left behind")

    def _idle(self, delay: float) -> None:
        """Wait before the next attempt, discarding what is due."""
        end = time.monotonic() + delay
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, SUPERVISION)):
            self._discard()

    def _discard(self) -> None:
        """Empty the ring of frames to send."""
        waiting = np.asarray(new_frames(BATCH))
        with self._gate:
            while count := drain(*self._send_ring, waiting):
                self.counters.discarded += count
            while mail := self._mail():
                self.counters.discarded += len(mail)
        self._release_unsent()

    def _release_unsent(self) -> None:
        store_word(self.words, UNSENT, self.counters.discarded + self.counters.late + self.counters.rejected)

    # --- state ------------------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return time.monotonic_ns() - self._origin

    def _say(self, text: str) -> None:
        event = SessionEvent(self._now(), self.state, f"{self.name}: {text}")
        with self._telling:
            if self._report:
                with contextlib.suppress(Exception):  # a terminal that is gone must not end the session
                    self._report(event)

    def _become(self, state: BusState, text: str, connection: Connection | None = None) -> None:
        """Change the state, and say so once; a connection that has ended changes nothing any more."""
        with self._telling:
            if state == self.state or (connection and connection.ended.is_set()):
                return
            store_word(self.words, STATE, int(state))
            if text:
                self._say(text)

    def _fail(self, connection: Connection | None, error: Exception, state: BusState = BusState.LOST, text: str = "") -> None:
        """The bus is lost; the first of a connection's threads that notices says why."""
        with self._telling:
            if connection and connection.ended.is_set():
                return
            if not self._stopping.is_set():
                self.error = error
                self._lost_at, self._discarded_before = self._now(), self.counters.discarded
                self._become(state, text or lost_text(state, reason(error), returns=self._opener is not None))
                self.counters.losses += connection is not None
            if connection:
                connection.ended.set()  # last: from here on the supervisor acts

    def _controller_says(self, connection: Connection, state: BusState, why: str) -> None:
        if state == BusState.BUS_OFF:
            self._fail(connection, RuntimeError(why), BusState.BUS_OFF)
        elif state == BusState.ERROR_PASSIVE:
            self._become(state, f"is error-passive: {why}", connection)
        elif not self._unacknowledged:
            self._become(BusState.ACTIVE, "is error-active again", connection)

    # --- frames -----------------------------------------------------------------------------------------------------------

    def _guard(self, connection: Connection, work: Callable[[Connection], None]) -> None:
        try:
            work(connection)
        except Exception as error:  # drivers raise all sorts; whatever it is, the operator must hear of it
            self._fail(connection, error)

    def _receive(self, connection: Connection) -> None:
        in_a_row = 0
        asked = time.monotonic()
        echoes = connection.interface == "gs_usb"  # which hands our own frames back
        while not connection.ended.is_set():
            if time.monotonic() - asked > ASKING:
                asked = time.monotonic()
                self._ask(connection)
            try:
                message = connection.call("receiving", connection.bus.recv, RECEIVE_TIMEOUT)
                if message is None or (echoes and not message.is_rx):
                    continue
                if message.is_fd or not makes_sense(message):
                    raise ValueError("a frame contradicts itself")
                in_a_row = 0
            except (ValueError, IndexError) as error:
                # Drivers of serial adapters raise these on a line that was torn.
                if connection.ended.is_set():
                    return
                self.counters.unreadable += 1
                in_a_row += 1
                if in_a_row >= UNREADABLE_IN_A_ROW:
                    raise RuntimeError(f"{in_a_row} lines in a row make no sense: the last gave {reason(error)}") from error
                continue
            if message.is_error_frame:
                self._note_error_frame(connection, message)
            else:
                self._deliver(connection, message)

    def _ask(self, connection: Connection) -> None:
        state = connection.call("asking", asked_state, connection.bus)
        if state is not None:
            self._controller_says(connection, state, "its controller says so")

    def _deliver(self, connection: Connection, message: Any) -> None:
        now = self._now()
        payload = payload_from_bytes(message.data)
        identifier, length = message.arbitration_id, message.dlc
        kind = EXTENDED if message.is_extended_id else 0
        if message.is_remote_frame:
            kind |= REMOTE
        if connection.echoes and connection.echoes.is_one(identifier, payload, length, kind):
            return
        frame = PlainFrame(now, payload, identifier, self.index, length, kind)
        foreign = self._is_own(identifier, kind)
        if foreign:
            self._note_foreign(identifier, kind & EXTENDED)
        with self._gate:
            if connection is not self._connection:
                return
            if not kind & REMOTE and not foreign and not self._post(frame):
                push_values(*self._receive_ring, now, np.uint64(payload), identifier, self.index, length, kind)
        connection.heard = True
        self._received_at = now
        self._errors_in_a_row = 0
        self.counters.received += 1
        self._keep(now, payload, identifier, length, kind)

    def _is_own(self, identifier: int, kind: int) -> bool:
        """Whether a frame that comes in is one that this station sends, and nobody else may."""
        if self.listen_only or kind & REMOTE:
            return False
        key = frame_key(identifier, kind & EXTENDED)
        return (self._allowed is not None and key in self._allowed) or any(mailbox.sends(key) for mailbox in self._mailboxes)

    def _post(self, frame: PlainFrame) -> bool:
        """Hand a frame to the mailboxes that want it; whether there is one."""
        key = frame_key(frame.identifier, frame.kind & EXTENDED)
        wanting = [mailbox for mailbox in self._mailboxes if mailbox.receives(key)]
        for mailbox in wanting:
            mailbox.deliver(frame)
        return bool(wanting)

    def _mail(self) -> list[tuple[int, ...]]:
        """At most one frame of each mailbox, as rows of the ring: then those of the loop come first again."""
        mail = [frame for mailbox in self._mailboxes if (frame := mailbox.take())]
        return [(frame.time, frame.payload, frame.identifier, 0, frame.length, frame.kind, 0) for frame in mail]

    def _note_foreign(self, identifier: int, extended: int) -> None:
        if not self.counters.foreign:
            self._say(foreign_text(identifier, extended))
        self.counters.foreign += 1

    def _note_error_frame(self, connection: Connection, message: Any) -> None:
        self.counters.error_frames += 1
        self._errors_in_a_row += 1
        identifier, data = message.arbitration_id, bytes(message.data)
        self._keep(self._now(), payload_from_bytes(data), identifier, len(data), ERROR)
        if connection.interface in CLASSIFIED_ERRORS:
            state = state_in_error_frame(identifier, data)
            if state is not None:
                self._controller_says(connection, state, error_classes(identifier))

    def _send(self, connection: Connection) -> None:
        waiting = np.asarray(new_frames(BATCH))
        while True:
            stopping = self._stopping.is_set()
            with self._gate:
                if connection is not self._connection or connection.ended.is_set():
                    return
                count = drain(*self._send_ring, waiting)
                mail = self._mail()
            rows = waiting[:count].tolist() + mail
            for done, (due, payload, identifier, _, length, kind, _) in enumerate(rows):
                if connection.ended.is_set():
                    self.counters.discarded += len(rows) - done
                    return
                self._transmit(connection, due, payload, identifier, length, kind & EXTENDED)
            if not rows:
                if stopping:
                    return
                self._wait()

    def _wait(self) -> None:
        """Until frames wait, or the time has come to look whether the session goes on."""
        if select.select([self.wake], [], [], SUPERVISION)[0]:
            with contextlib.suppress(BlockingIOError):  # the sender of the connection before has read it
                os.eventfd_read(self.wake)

    def _transmit(self, connection: Connection, due: int, payload: int, identifier: int, length: int, extended: int) -> None:
        if self.listen_only:
            return
        if not self._may_send(frame_key(identifier, extended)):
            self._refuse(identifier, extended)
            return
        if self._now() - due > self.settings.stale * 1e9:
            self.counters.late += 1
            return
        if connection.echoes:
            connection.echoes.expect(identifier, payload, length, extended)
        try:
            message = classic_message(identifier, extended, bytes_from_payload(payload, length))
            connection.call("sending", connection.bus.send, message, timeout=SEND_TIMEOUT)
        except Exception as error:  # drivers raise all sorts
            if not is_queue_full(error):
                self.counters.discarded += 1
                self._fail(connection, error)
                return
            self.counters.rejected += 1
            if self._now() - self._sent_at > self.settings.no_acknowledge * 1e9:
                self._unacknowledged = True
                self._become(BusState.ERROR_PASSIVE, f"nobody acknowledges its frames: {reason(error)}", connection)
            return
        sent = self._sent_at = self._now()
        if self._unacknowledged:
            self._unacknowledged = False
            self._become(BusState.ACTIVE, "frames are acknowledged again", connection)
        self.counters.sent += 1
        self.deviations.add(sent - due)
        self._keep(sent, payload, identifier, length, extended | TRANSMITTED)

    def _may_send(self, key: int) -> bool:
        return self._allowed is None or key in self._allowed or any(mailbox.sends(key) for mailbox in self._mailboxes)

    def _refuse(self, identifier: int, extended: int) -> None:
        self.counters.refused += 1
        key = frame_key(identifier, extended)
        if key not in self._refused and len(self._refused) < MOST_REFUSED:
            self._refused.add(key)
            text = identifier_text(identifier, extended)
            self._say(f"frame {text} is not in the list of frames that may be sent here; it is held back")

    def _keep(self, time: int, payload: int, identifier: int, length: int, kind: int) -> None:
        if len(self._history) == HISTORY:
            self.lost_frames += 1
        self._history.append(PlainFrame(time, payload, identifier, self.index, length, kind))


def plain(ring: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same memory as arrays of numpy's own class, with which Python calls a kernel in a third of the time."""
    control, storage = ring
    return np.asarray(control), np.asarray(storage)


def classic_message(identifier: int, extended: int, data: bytes) -> Any:
    """A message of python-can."""
    import can

    return can.Message(arbitration_id=identifier, is_extended_id=bool(extended), data=data)
