"""A session on a CAN link whose socket the compiled loop has: from outside the same as one of python-can's (hil.session).

The loop carries the frames (hil.socketcan). What is slow or rare is done here, by whoever started it, now and then: to say what
has changed, and to open a lost bus again.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hil.bus_interfaces import ACKNOWLEDGING, BITRATE
from hil.bus_state import BUS_WORDS, SILENT, STATE, UNSENT, BusState
from hil.can_errors import BUS_OFF_CLASS
from hil.can_links import find_link
from hil.drivers import close_bus, reason
from hil.errors import UsageError
from hil.frames import ERROR, EXTENDED, EXTENDED_KEY, REMOTE, TRANSMITTED
from hil.histogram import percentile
from hil.mailbox import FrameFilter, SocketMailbox
from hil.ring import DROPPED, load_word, store_word, take
from hil.session_records import BusLoad, Counters, SessionEvent, SessionSettings, foreign_text, lost_text
from hil.socketcan import (
    DETACHED,
    EXPIRY,
    EXTENDED_ID,
    EXTENDED_MASK,
    IN_USE,
    PERMITTED_MOST,
    SO_RXQ_OVFL,
    SO_TIMESTAMPNS,
    WANTED,
    Sockets,
    raw_socket,
)
from hil.timing import PERIOD_MAX

RECEIVE_BUFFER = 4 << 20  # [bytes] half a second of a full bus, if the kernel's net.core.rmem_max lets us
DETACH_TIMEOUT = 3e-9 * PERIOD_MAX  # [s] a loop that runs lets go of a socket within a period
POLL = 0.5e-3  # [s] between two looks whether it has


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
        self.index = index
        self._mailboxes: tuple[SocketMailbox, ...] = ()
        self._unsent = 0  # frames of mailboxes
        self._foreign = 0  # frames that mailboxes send, from others
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
        self._connections = 0  # times that the bus was opened
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

    def open_mailbox(self, received: Iterable[FrameFilter], sent: Iterable[FrameFilter]) -> SocketMailbox:
        """A mailbox for the frames ``received``, and ``sent``, which nobody else may send now."""
        mailbox = SocketMailbox(received, sent, self.index, self._now, self._note_unsent, self.listen_only)
        self._mailboxes += (mailbox,)
        if self.state in (BusState.ACTIVE, BusState.ERROR_PASSIVE, BusState.BUS_OFF):
            self._attach_mailbox(mailbox)
        return mailbox

    def stop(self) -> None:
        """Take the socket from the loop, and close the bus once the loop works with it no more."""
        for mailbox in self._mailboxes:
            mailbox.close()
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
        if self.statistics.foreign:
            first = int(self.statistics.foreign_identifier)
            self._notice_foreign(first & EXTENDED_MASK, first & EXTENDED_ID)

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
    def counters(self) -> Counters:
        """What was counted so far, of what a CAN socket counts; each bus-off is a loss, however short."""
        found = self.statistics
        mailed = sum(mailbox.sent for mailbox in self._mailboxes)
        return Counters(
            received=int(found.received + found.foreign) - mailed,  # the loop's socket has received these, too
            sent=int(found.sent) + mailed,
            discarded=int(found.expired) + self._unsent,
            refused=int(found.withheld),
            foreign=int(found.foreign) + self._foreign,
            error_frames=int(found.errors),
            connections=self._connections,
            losses=self._times_lost + int(found.error_frames[BUS_OFF_CLASS]),
            attempts=self._attempts,
        )

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
        if not self.listen_only:
            self._tell_own(frames)
        self._load.add(frames)
        return frames

    def _tell_own(self, frames: Any) -> None:
        """Mark what mailboxes have sent: to the loop's socket it came in. What is like it, and came from others, is foreign."""
        data = frames.kind & (ERROR | REMOTE | TRANSMITTED) == 0
        keys = np.where(frames.kind & EXTENDED, EXTENDED_KEY, 0) | frames.identifier
        for mailbox in self._mailboxes:
            for place in np.flatnonzero(data & mailbox.among_sent(keys)):
                frame = frames[place]
                if mailbox.echoes.is_one(*(int(frame[name]) for name in ("identifier", "payload", "length", "kind"))):
                    frame.kind |= TRANSMITTED
                    continue
                self._foreign += 1
                self._notice_foreign(int(frame.identifier), int(frame.kind) & EXTENDED)

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
        for mailbox in self._mailboxes:
            self._attach_mailbox(mailbox)
        self._connections += 1
        store_word(self.words, SILENT, 0)
        self._opened = self._heard = time.monotonic()

    def _attach_mailbox(self, mailbox: SocketMailbox) -> None:
        try:
            mailbox.attach(self._channel)
        except OSError as error:  # the loop's socket finds the same, and its loss is mended
            self._say(f"no socket beside that of the loop: {reason(error)}")

    def _lose(self, now: float) -> None:
        """Take the lost socket from the loop, and say so."""
        store_word(self._control, WANTED, DETACHED)
        for mailbox in self._mailboxes:
            mailbox.detach()
        self._times_lost += 1
        self._become(BusState.LOST, lost_text(BusState.LOST, str(self.error), returns=self._opener is not None))
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
        received = self.counters.received
        if received > self._received:
            self._received, self._heard = received, now
        silent = now - self._heard > self.settings.silence
        if silent != bool(self.words[SILENT]):
            store_word(self.words, SILENT, int(silent))
            self._say(self.settings.silence_text if silent else "frames arrive again")

    def _notice_foreign(self, identifier: int, extended: int) -> None:
        if not self._foreign_told:
            self._foreign_told = True
            self._say(foreign_text(identifier, extended))

    def _note_unsent(self) -> None:
        self._unsent += 1
        store_word(self.words, UNSENT, self._unsent)

    def _now(self) -> int:
        return time.monotonic_ns() - self._origin

    def _become(self, state: BusState, text: str) -> None:
        if state != self.state:
            store_word(self.words, STATE, int(state))
            if text:
                self._say(text)

    def _say(self, text: str) -> None:
        if self._report:
            with contextlib.suppress(Exception):  # a terminal that is gone must not end the session
                self._report(SessionEvent(self._now(), self.state, f"{self.name}: {text}"))
