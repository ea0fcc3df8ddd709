"""A control unit's diagnostic server on its bus: one thread, which sleeps until a frame comes or an answer is due.

A tester is whoever sends on the pair of 11-bit identifiers, and each tester's address of the 29-bit identifiers of ISO 15765-4
(0x18DA..., functional 0x18DB33...); each has a channel and a session of its own. A functional request is answered on the channel
of the tester it came from.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hil.diagnostics.channel import Channel, TransportSettings, single_frame
from hil.diagnostics.protocol import S3_TIME, Code, DiagnosticServer, Session, Tester, negative
from hil.frames import EXTENDED, PlainFrame, bytes_from_payload
from hil.mailbox import FrameFilter, Mailbox
from hil.mailbox_thread import MailboxThread

FUNCTIONAL = 0x7DF
FIXED, FIXED_FUNCTIONAL = 0x18DA_0000, 0x18DB_3300  # 29 bits: ISO 15765-4, 10.4; to which a target and a source are added
ANY_SOURCE, ANY_TARGET = 0x1FFF_FF00, 0x1FFF_00FF  # masks of them
TESTERS_MOST = 8  # by 29-bit identifiers, at once
POLL_PERIOD = 5e-3  # [s] while a session or an answer goes on


@dataclass(frozen=True)
class Addresses:
    """Where a control unit is reached."""

    request: int  # 11-bit identifiers
    response: int
    functional: int | None = FUNCTIONAL
    node: int | None = None  # its address in 29-bit identifiers, 0 to 255; None: there it is not reached

    @property
    def received(self) -> list[FrameFilter]:
        """Frames of testers."""
        found = [FrameFilter(self.request)]
        if self.functional is not None:
            found.append(FrameFilter(self.functional))
        if self.node is not None:
            found.append(FrameFilter(FIXED | self.node << 8, True, ANY_SOURCE))
            found.append(FrameFilter(FIXED_FUNCTIONAL, True, ANY_SOURCE))
        return found

    @property
    def sent(self) -> list[FrameFilter]:
        """Frames of the control unit."""
        found = [FrameFilter(self.response)]
        return found if self.node is None else [*found, FrameFilter(FIXED | self.node, True, ANY_TARGET)]


@dataclass(frozen=True)
class ResponderSpec:
    """A control unit on a bus: its server, where it is reached, how it behaves."""

    name: str
    server: DiagnosticServer
    addresses: Addresses
    transport: TransportSettings = field(default_factory=TransportSettings)
    response_delay: float = 0.0  # [s] from the request to the first frame of its answer
    drops_while_busy: bool = False  # it serves one request at a time, whoever asks; what comes meanwhile gets no answer
    # What is to be looked at between requests, given the server's time [s], in the thread that serves: faults, for example.
    look: Callable[[float], None] | None = None
    look_period: float = 0.1  # [s]

    def runner(self, mailbox: Mailbox, report: Callable[[str], None]) -> "Responder":
        """What runs it beside a loop."""
        return Responder(self, mailbox, report)


@dataclass(eq=False)
class Link:
    """One tester and the way to him."""

    tester: Tester
    channel: Channel
    delayed: tuple[float, bytes] | None = None  # an answer and when it is due [s]
    unasked: bool = False  # what was sent last was no answer

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way to him."""
        return self.delayed is not None or self.channel.is_sending

    @property
    def is_answering(self) -> bool:
        """Whether that is an answer: then he has to wait with his next request."""
        return self.delayed is not None or (self.channel.is_sending and not self.unasked)

    def send(self, message: bytes, *, unasked: bool = False) -> None:
        """Send a message to him, ``unasked`` or in answer to a request."""
        self.unasked = unasked
        self.channel.send(message)


class Responder(MailboxThread):
    """Runs one server until it is stopped."""

    def __init__(self, spec: ResponderSpec, mailbox: Mailbox, report: Callable[[str], None]) -> None:
        """``mailbox``: for the frames of the spec's addresses."""
        super().__init__(spec.name, mailbox, report)
        self.spec = spec
        self.dropped = 0  # requests that found the server busy, or came from one tester too many
        addresses = spec.addresses
        self._pair = self._link(f"{addresses.request:03X}", addresses.request, addresses.response, False)
        self._fixed: dict[int, Link] = {}  # by the tester's address
        self._look_due = time.monotonic() if spec.look else math.inf  # [s]

    @property
    def links(self) -> list[Link]:
        """The testers that are known now."""
        return [self._pair, *list(self._fixed.values())]

    def _link(self, name: str, request: int, response: int, extended: bool) -> Link:
        return Link(Tester(name), Channel(request, response, extended, self._mailbox.send, self.spec.transport))

    # --- the thread -------------------------------------------------------------------------------------------------------

    def _leave_sessions(self) -> None:
        for link in self.links:
            try:
                link.tester.enter(Session.DEFAULT)
            except Exception as error:  # of a service
                self._fault(error)

    def _until_due(self) -> float | None:
        now = time.monotonic()
        due = [self._look_due - now] if self.spec.look else []
        due += [POLL_PERIOD] if self._is_active() else []
        for link in self.links:
            due += [link.delayed[0] - now] if link.delayed else []
            if (channel := link.channel.until_due()) is not None:
                due.append(channel)
        return max(0.0, min(due)) if due else None

    def _serve(self, frame: PlainFrame | None) -> None:
        if frame:
            self._take(frame)
        self._go_on(time.monotonic())

    def _is_active(self) -> bool:
        """Whether the server may have something to say or to do without being asked, or a session to end."""
        testers = [link.tester for link in self.links]
        return self.spec.server.is_working or any(one.session != Session.DEFAULT or one.afterwards for one in testers)

    def _take(self, frame: PlainFrame) -> None:
        data = bytes_from_payload(frame.payload, frame.length)
        if not frame.kind & EXTENDED:
            link, functional = self._pair, frame.identifier != self.spec.addresses.request
        else:
            found = self._fixed_link(frame.identifier & 0xFF)
            if not found:
                self.dropped += 1
                return
            link, functional = found, frame.identifier & ANY_SOURCE == FIXED_FUNCTIONAL
        if not functional:
            link.channel.take(data)
            while (message := link.channel.receive()) is not None:
                self._request(link, message)
        elif message := single_frame(data):  # there is no other that could go to all
            self._request(link, message, functional=True)

    def _fixed_link(self, address: int) -> Link | None:
        """The link to the tester of this address; None if there are too many that are not done."""
        if address not in self._fixed:
            if len(self._fixed) == TESTERS_MOST and not self._forget_one():
                return None
            node = self.spec.addresses.node or 0
            self._fixed[address] = self._link(f"{address:02X}", FIXED | node << 8 | address, FIXED | address << 8 | node, True)
        return self._fixed[address]

    def _forget_one(self) -> bool:
        """Forget the tester that has been silent longest, unless he may come back to what he has begun."""
        done = time.monotonic() - S3_TIME
        idle = [
            (link.tester.last_heard, address)
            for address, link in self._fixed.items()
            if link.tester.last_heard < done and link.tester.session == Session.DEFAULT and not link.is_busy
        ]
        if idle and not self.spec.server.is_working:
            del self._fixed[min(idle)[1]]
            return True
        return False

    def _request(self, link: Link, message: bytes, *, functional: bool = False) -> None:
        server = self.spec.server
        if self.spec.drops_while_busy:
            busy = server.is_working or any(other.is_busy for other in self.links)
        else:
            busy = link.is_answering and not functional  # "tester present" to all comes in the middle of long answers
        if busy:
            self.dropped += 1
            return
        now = time.monotonic()
        try:
            answer = server.request(link.tester, message, now, functional=functional)
        except Exception as error:  # a mistake in a service; whatever it is, the tester gets his answer
            self._fault(error)
            answer = negative(message[0], Code.GENERAL_REJECT)
        if answer is None or link.is_answering:
            return
        if self.spec.response_delay:
            link.delayed = now + self.spec.response_delay, answer
        else:
            link.send(answer)

    def _go_on(self, now: float) -> None:
        if self.spec.look and now >= self._look_due:
            self._look_due = now + self.spec.look_period  # first: also if it fails
            self.spec.look(now)
        for link in self.links:
            if link.delayed and link.delayed[0] <= now:
                _, answer = link.delayed
                link.delayed = None
                link.send(answer)
            due = link.channel.until_due()
            if due is not None and due <= 0.0:
                link.channel.process()
            if link.is_answering:
                link.tester.last_heard = now  # the time of a session begins when the answer is there: ISO 14229-2
        if self._is_active():
            by_tester = {link.tester: link for link in self.links}
            for tester, answer in self.spec.server.poll(list(by_tester), now):
                by_tester[tester].send(answer)
            free = [link.tester for link in self.links if not link.is_busy]
            for tester, message in self.spec.server.unasked(free, now):
                by_tester[tester].send(message, unasked=True)
