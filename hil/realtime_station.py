"""A station in real time: the thread of its loop, a session on each of its buses, and who answers beside it.

The nodes of a station share its buses; what one of them sends, the others have in the next period, also on a bus that is not
connected to anything outside. On SocketCAN the loop reads and writes the sockets itself; on every other interface python-can
threads carry its frames through rings. A full ring is counted, and is an error.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from firmware_model.kernel import new
from hil.bus import BusAddress, open_bus
from hil.bus_state import BUS_WORDS
from hil.calibration.takeover import TakeOver
from hil.drivers import close_bus
from hil.frames import ERROR, new_frames
from hil.generated import import_generated, module_name
from hil.lockstep import OUTBOX
from hil.network.codegen import generate_codecs
from hil.network.database import Network
from hil.node import Node, sent_messages
from hil.realtime_loop import BEGUN_ANEW, RESTART, RUN, SILENCE, generate_loop, loop_sample_type
from hil.ring import CONTROL_WORDS, DROPPED, load_word, new_rings, store_word, take, touched
from hil.scheduling import Scheduling
from hil.session import BusSession
from hil.session_records import SessionEvent
from hil.socket_session import SocketSession
from hil.socketcan import Sockets, raw_socket
from hil.timing import LoopMeasurements, LoopSettings, LoopStatistics, Overrun
from hil.transport import ABSENT, NOBODY, RINGS, SOCKET
from hil.xcp.events import EventRing

if TYPE_CHECKING:
    from hil.diagnostics.responder import ResponderSpec
    from hil.mailbox_thread import MailboxThread
    from hil.xcp.responder import XcpSpec

RING = 4096  # frames; one second of a full 500 kbit/s bus
SAMPLES_KEPT = 5_000_000_000  # [ns] of samples that may wait to be taken


class FrameSink(Protocol):
    """Who is told of frames; see :class:`hil.recorder.Recorder`."""

    def begin(self, origin: int) -> None:
        """The frames that come from now on count from ``origin`` [ns, CLOCK_MONOTONIC]."""

    def add(self, frames: Any) -> None:
        """Frames (an array of hil.frames.FRAME), those of our own marked TRANSMITTED."""


@dataclass(frozen=True)
class SessionOptions:
    """What the sessions of a run on its buses are told."""

    reconnect: bool = False  # a bus that is lost is opened again and again; without it the run ends
    listen_only: bool = False  # nothing is sent
    # Is told every frame, error frames among them, whenever the next chunk is due: that must be well within recorder.HOLD for the
    # order of time, and within the 17 s of a full bus that the sessions keep, or frames are missing in the recording.
    recorder: FrameSink | None = None
    # Is told what happens, in one line that names the bus, by whoever takes the chunks: it may take its time, and nobody waits.
    report: Callable[[str], None] | None = None
    grace: float = 0.0  # [s] that a run goes on after a failure, for who has to take its torque away


class RealtimeStation:
    """One node or several in real time: their loop's thread, and a session on each of their buses; named after the first."""

    def __init__(self, network: Network, nodes: Sequence[Node], settings: LoopSettings, options: SessionOptions) -> None:
        self.nodes = list(nodes)
        self.name = self.nodes[0].spec.name
        self._network = network
        self._settings = settings
        self._options = options
        self.statistics = new(LoopStatistics)
        self.measurements = new(LoopMeasurements)
        codecs = generate_codecs(network)
        import_generated("codecs", codecs)
        text = generate_loop(network, [node.spec for node in self.nodes], module_name("codecs", codecs))
        self._loop = getattr(import_generated("realtime", text), f"loop_{self.name}")
        self._parameters = settings.record()
        self._control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        capacity = 1 << math.ceil(math.log2(max(2.0, SAMPLES_KEPT / (settings.period * settings.sample_every))))
        self._samples = touched(np.zeros(capacity, dtype=loop_sample_type([self.nodes])))
        self._sample_control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        count = len(network.buses)
        self._ways = np.full(count, ABSENT, dtype=np.int64)
        self._wakes = np.full(count, NOBODY, dtype=np.int64)
        self._submitted = np.zeros(count, dtype=np.int64)
        self._words = np.zeros((count, BUS_WORDS), dtype=np.int64)
        self._receive = new_rings(count, RING)
        self._send = new_rings(count, RING)
        self.sockets = Sockets(count)
        self._take_over = TakeOver(self.nodes[0].parameters)
        self.event_ring = EventRing(self.nodes[0])
        self._incoming = new_frames(RING)
        self._outbox = new_frames(OUTBOX)
        self._timespec = np.zeros(2, dtype=np.int64)
        self._one = np.ones(1, dtype=np.int64)
        self._starts = [getattr(self.nodes[0], array).copy() for array in BEGUN_ANEW]
        self._specs: list[tuple[int, ResponderSpec | XcpSpec]] = []
        self._responders: list[MailboxThread] = []
        self._opened: dict[int, tuple[Any, BusAddress]] = {}  # buses that no session has yet
        self._closing = ExitStack()  # of these
        self._sessions: list[BusSession | SocketSession] = []
        self._events: deque[str] = deque()  # that nobody was told so far
        self._origin = 0
        self._go = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def compile(self) -> None:
        """Compile the loop and the rings, or load them from the cache, without running a period."""
        self.request_stop()
        self._call(0)
        load_word(self._control, RUN)  # compiled, too
        take(self._sample_control, self._samples)
        BusSession.compile()

    def open(self, addresses: Sequence[BusAddress | None]) -> None:
        """Open a bus for each of the network's, None where the station has none. Raises UsageError."""
        for index, address in enumerate(addresses):
            if address:
                bus = open_bus(address, listen_only=self._options.listen_only)
                self._closing.callback(close_bus, bus)
                self._opened[index] = bus, address

    def prepare(self, scheduling: Scheduling) -> None:
        """Start the loop's thread, as far as it can get without a bus: to its processor, at its priority."""
        for start, array in zip(self._starts, BEGUN_ANEW, strict=True):
            start[:] = getattr(self.nodes[0], array)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(scheduling, ready), name=f"loop {self.name}", daemon=True)
        self._thread.start()
        ready.wait()

    def start(self, origin: int) -> None:
        """Take the prepared station onto its buses; the first period begins at ``origin`` [ns]."""
        for index, (bus, address) in self._opened.items():
            self._sessions.append(self._session(bus, address, index, origin))
        self._closing.pop_all()  # from here on each session closes its own
        self._responders = [
            spec.runner(session.open_mailbox(spec.addresses.received, spec.addresses.sent), self._events.append)
            for index, spec in self._specs
            for session in self._sessions
            if session.index == index
        ]
        for session in self._sessions:
            session.start()
        store_word(self._control, RUN, 1)
        self._take_over.begin()
        self._origin = origin
        self._go.set()

    def answer(self, bus: int, spec: "ResponderSpec | XcpSpec") -> None:
        """Let a diagnostic server or an XCP slave answer on a bus, by its index, while the station runs and has that bus."""
        self._specs.append((bus, spec))

    def start_responders(self) -> None:
        """Start what answers testers: threads of ordinary priority, after those that carry frames."""
        for responder in self._responders:
            responder.start()

    def restart(self) -> None:
        """Begin the first node anew in the next period: all but its parameters is as at the start; sessions of testers end."""
        for responder in self._responders:
            responder.end_sessions()
        store_word(self._control, RESTART, 1)

    def switch_transmission(self, on: bool) -> None:
        """Let the first node send its frames, or not; either way it begins anew, without torque."""
        if not on:
            store_word(self._control, SILENCE, 1)
        store_word(self._control, RESTART, 1)
        if on:
            store_word(self._control, SILENCE, 0)

    def _session(self, bus: Any, address: BusAddress, index: int, origin: int) -> BusSession | SocketSession:
        options: dict[str, Any] = {
            "opener": self._opener(address) if self._options.reconnect else None,
            "name": self._network.buses[index].name,
            "bitrate": address.bitrate,
            "allowed": self._allowed(index),
            "listen_only": self._options.listen_only,
            "words": self._words[index],
            "report": self._report,
        }
        if raw_socket(bus):
            self._ways[index] = SOCKET
            return SocketSession(bus, index, origin, self.sockets, **options)
        self._ways[index] = RINGS
        rings = [(ring[0][index], ring[1][index]) for ring in (self._receive, self._send)]
        session = BusSession(bus, index, origin, rings[0], rings[1], **options)
        self._wakes[index] = session.wake
        return session

    def _allowed(self, bus: int) -> list[tuple[int, bool]]:
        """The frames that the nodes of this station may send on one bus: (identifier, extended)."""
        sent = [message for node in self.nodes for _, message in sent_messages(node.spec, self._network)]
        return [(m.message.identifier, m.message.extended) for m in sent if m.bus == self._network.buses[bus].name]

    def _opener(self, address: BusAddress) -> Callable[[], Any]:
        return lambda: open_bus(address, listen_only=self._options.listen_only)

    def _report(self, event: SessionEvent) -> None:
        self._events.append(event.text)

    def look(self) -> None:
        """Look after the sessions that have no thread of their own, and tell what has happened; to be called now and then."""
        for session in self._sessions:
            if isinstance(session, SocketSession):
                session.look()
        self.tell()

    def tell(self) -> None:
        """Report what has happened since the last time."""
        while self._events:
            text = self._events.popleft()
            if self._options.report:
                self._options.report(text)

    def put_parameters(self, parameters: Any) -> None:
        """Let the first node run on other ``parameters`` (recarray (1,)), all of them from one period on; back when it does.

        Raises TimeoutError if the loop does not take them over.
        """
        self._take_over.put(parameters)

    def request_stop(self) -> None:
        """Ask the loop to end after the period that it is in; may be called from a signal handler."""
        store_word(self._control, RUN, 0)

    def stop(self) -> None:
        """End the loop, then the sessions."""
        for responder in self._responders:
            responder.stop()
        self.request_stop()
        self._go.set()
        if self._thread:
            self._thread.join()
        self._take_over.end()
        for session in self._sessions:
            session.stop()
        self._wakes[:] = NOBODY
        self._closing.close()
        self._opened.clear()

    def take_samples(self) -> Any:
        """The samples since the last call."""
        return take(self._sample_control, self._samples)

    def new_frames(self) -> Any:
        """The frames that this station has received and sent since the last call, bus by bus; those sent are TRANSMITTED.

        The recorder is told of error frames, too.
        """
        frames = np.concatenate([new_frames(0), *(session.new_frames() for session in self._sessions)]).view(np.recarray)
        if self._options.recorder:
            self._options.recorder.add(frames)
        return frames[frames.kind & ERROR == 0]

    @property
    def failures(self) -> list[str]:
        """What the station cannot go on with, in whole sentences."""
        name = self.name
        lost = [] if self._options.reconnect else [session.error for session in self._sessions if session.error]
        found = [f"{name}: the bus failed: {error}" for error in lost]
        found += [f"{name}: the loop failed: {self._failure}"] if self._failure else []
        if self._settings.overrun == Overrun.STOP and int(self.statistics.cycle_slips[0]):
            found.append(f"{name}: the loop missed a period")
        full = int(self._receive[0][:, DROPPED].sum() + self._send[0][:, DROPPED].sum())
        found += [f"{name}: {full} frames were lost in full rings"] if full else []
        dropped = int(self.sockets.statistics.dropped.sum())
        return found + ([f"{name}: {dropped} frames were dropped by the kernel: the loop did not read them"] if dropped else [])

    @property
    def errors(self) -> list[str]:
        """What went wrong, in whole sentences."""
        lost = {
            "samples were lost": int(self._sample_control[DROPPED]),
            "frames are missing in what was recorded": sum(session.lost_frames for session in self._sessions),
        }
        return self.failures + [f"{self.name}: {n} {what}: nobody took them in time" for what, n in lost.items() if n]

    @property
    def problems(self) -> list[str]:
        """What did not go as it should on the buses, in whole sentences."""
        return [text for session in self._sessions for text in session.problems]

    @property
    def bus_figures(self) -> list[tuple[str, float, float]]:
        """Of each bus its name, its load (0 to 1), and the 99th percentile [s] of its frames' deviations, or NaN."""
        return [(session.name, session.load, session.deviation(0.99) * 1e-9) for session in self._sessions]

    @property
    def carried(self) -> tuple[int, int]:
        """Frames received and sent on the buses; what stays inside the station is not among them."""
        counters = [session.counters for session in self._sessions]
        return sum(found.received for found in counters), sum(found.sent for found in counters)

    @property
    def losses(self) -> int:
        """Times that a bus was lost."""
        return sum(session.counters.losses for session in self._sessions)

    @property
    def foreign_frames(self) -> int:
        """Frames of this station that somebody else has sent."""
        return sum(session.counters.foreign for session in self._sessions)

    @property
    def is_connected(self) -> bool:
        """Whether every bus carries frames now."""
        return not any(session.error for session in self._sessions)

    def _run(self, scheduling: Scheduling, ready: threading.Event) -> None:
        try:
            scheduling.join()
            ready.set()
            self._go.wait()
            self._call(self._origin)
        except Exception as error:  # nothing is known that gets here; whatever it is, the operator must hear of it
            self._failure = error
        finally:
            ready.set()

    def _call(self, origin: int) -> None:
        self._loop(
            origin,
            self._parameters,
            self._control,
            self.statistics,
            self.measurements,
            self._sample_control,
            self._samples,
            self._ways,
            self._wakes,
            self._submitted,
            *self._receive,
            *self._send,
            self._words,
            *self.sockets.arrays,
            self._incoming,
            self._outbox,
            self._timespec,
            self._one,
            *self._take_over.arrays,
            *self.event_ring.arrays,
            *self._starts,
            *(array for node in self.nodes for array in node.arrays),
        )
