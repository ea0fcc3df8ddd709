"""The real-time loop: a station of one node or several, compiled, without the GIL, at absolute deadlines.

The nodes of a station share its buses; what one of them sends, the others have in the next period, also on a bus that is not
connected to anything outside. Between start and stop the loop never touches Python. On SocketCAN it reads and writes the sockets
itself; on every other interface python-can threads carry its frames through rings. How it kept its time is in its statistics, and
in a measurement beside those of the nodes; a full ring is counted there, and is an error.
"""

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_model.kernel import new
from hil import clock
from hil.bus import BusAddress, open_bus, parse_bus_address
from hil.bus_state import BUS_WORDS
from hil.calibration.takeover import TakeOver
from hil.drivers import close_bus
from hil.frames import ERROR, TRANSMITTED, new_frames
from hil.generated import import_generated, module_name
from hil.lockstep import OUTBOX, Chunk, sample_type
from hil.network.codegen import generate_codecs
from hil.network.database import Network
from hil.node import Node, NodeSpec, array_names, generate_glue, new_port, sent_messages
from hil.ring import CONTROL_WORDS, DROPPED, load_word, new_rings, store_word, take, touched
from hil.scheduling import Finding, Scheduling, examine
from hil.session import BusSession
from hil.session_records import SessionEvent
from hil.socket_session import SocketSession
from hil.socketcan import Sockets, raw_socket
from hil.timing import LoopMeasurements, LoopSettings, LoopStatistics, Overrun
from hil.transport import ABSENT, NOBODY, RINGS, SOCKET
from hil.xcp.events import EventRing
from hil.xcp.memory import MEASURED

if TYPE_CHECKING:
    from hil.diagnostics.responder import Responder, ResponderSpec
    from hil.recorder import Recorder
    from hil.xcp.responder import XcpResponder, XcpSpec

BEGUN_ANEW = ("inputs", "outputs", "state", "measurements", "port")  # memory of a node that a restart begins anew
RING = 4096  # frames; one second of a full 500 kbit/s bus
RUN, RESTART, SILENCE = 0, 1, 2  # places in the control words of a loop
LONGEST_STEP = 10_000_000  # [ns] that a step is told to have passed after periods were left out, unless one is longer
START_DELAY = 100_000_000  # [ns] in which the sessions of all nodes start
SAMPLES_KEPT = 5_000_000_000  # [ns] of samples that may wait to be taken

LOOP = '''
@kernel
def loop_{name}(origin, parameters_array, control, statistics_array, measurements_array, sample_control, samples,
                ways, wakes, submitted, receive_control, receive_storage, send_control, send_storage,
                bus_words, socket_control, socket_memory, rules, socket_statistics, monitor_control, monitor_storage,
                incoming, outbox, timespec, one, take_over_control, staged, running,
                event_control, event_ring_control, event_ring, {starts}, {arrays}):
    """Run the station in every period from ``origin`` [ns, CLOCK_MONOTONIC] until asked to stop."""
    parameters = parameters_array[0]
    period = parameters.period
    before = np.int64(0)  # [ns] time of the step before
    statistics = statistics_array[0]
    measurements = measurements_array[0]
    deadline = origin
    until_sample = 0
{records}
    while load_word(control, RUN):
        deadline += period
        woken = wake_at(deadline, parameters.spin, timespec)
        deadline = keep_grid(deadline, woken, parameters, statistics)
        now = deadline - origin
        dt = min(now - before, max(LONGEST_STEP, period)) * 1e-9
        before = now
        silence = load_word(control, SILENCE)  # first: it ends with a restart, and none is seen in this period any more
        if load_word(control, RESTART):
            store_word(control, RESTART, 0)
{restart}
        take_over(take_over_control, staged, running)
        for bus in range({buses}):
            ring = (receive_control[bus], receive_storage[bus])
            socket = (socket_control[bus], socket_memory[bus], socket_statistics[bus])
            monitor = (monitor_control[bus], monitor_storage[bus])
            count = collect(bus, ways[bus], origin, ring, socket, rules[bus], monitor, incoming, timespec)
            for k in range(count):
{receive}
        count = 0
{ticks}
        submit(outbox, count, ways, send_control, send_storage, submitted)
        frames_lost = 0
        buses_lost = 0
        for bus in range({buses}):
            if ways[bus] == SOCKET:
                ring = (send_control[bus], send_storage[bus])
                socket = (socket_control[bus], socket_memory[bus], socket_statistics[bus])
                transmit(socket, rules[bus], origin, ring, (monitor_control[bus], monitor_storage[bus]), timespec)
            elif submitted[bus]:
                notify(wakes[bus], one)
            frames_lost += lost_frames(bus, bus_words, receive_control, send_control, socket_statistics)
            buses_lost |= (1 if is_lost(bus_words[bus], socket_statistics[bus]) else 0) << bus
        measurements.frames_lost = frames_lost
        measurements.samples_lost = sample_control[DROPPED]
        measurements.buses_lost = buses_lost
        if until_sample == 0:
            until_sample = parameters.sample_every
            place = claim(sample_control, len(samples))
            if place >= 0:
                samples[place].time = now * 1e-9
                samples[place].{name}_loop = measurements
{sample}
                publish(sample_control)
        until_sample -= 1
        sample_event(now, event_control, event_ring_control, event_ring, {event})
        finish_period(deadline, woken, monotonic(timespec), statistics, measurements)
    for bus in range({buses}):
        let_go(socket_control[bus])
'''

IMPORTS = """
from hil.calibration.takeover import take_over
from hil.clock import monotonic, wake_at
from hil.realtime import LONGEST_STEP, RESTART, RUN, SILENCE
from hil.ring import DROPPED, claim, load_word, publish, store_word
from hil.socketcan import let_go, transmit
from hil.timing import finish_period, keep_grid
from hil.transport import SOCKET, collect, is_lost, lost_frames, notify, submit
from hil.xcp.events import sample_event
"""


def generate_loop(network: Network, specs: Sequence[NodeSpec], codecs: str) -> str:
    """Text of the module with the real-time loop of a station; its own, so that it is compiled once whoever else is there."""
    names = [array for spec in specs for array in array_names(spec)]
    tables = {f"{spec.name}_{table}" for spec in specs for table in spec.tables}
    loop = LOOP.format(
        name=specs[0].name,
        arrays=", ".join(names),
        starts=", ".join(f"start_{array}" for array in BEGUN_ANEW),
        restart="\n".join(f"            {line}" for line in _restart(specs[0], network)),
        event=", ".join(f"r_{specs[0].name}_{array}" for array in MEASURED),
        records="\n".join(f"    r_{array} = {array}{'' if array in tables else '[0]'}" for array in names),
        receive="\n".join(f"                {_receive('incoming[k]', spec)}" for spec in specs),
        ticks="\n".join(_tick_and_tell(spec, specs) for spec in specs),
        buses=len(network.buses),
        sample="\n".join(
            f"                samples[place].{spec.name}_{array} = r_{spec.name}_{array}"
            for spec in specs
            for array in spec.sampled
        ),
    )
    return "\n".join([generate_glue(network, list(specs), codecs), IMPORTS, loop])


def _restart(spec: NodeSpec, network: Network) -> Iterator[str]:
    """Put the memory of a node back to its start. When its frames are due stays: they keep their grid, and none comes twice."""
    for array in BEGUN_ANEW[:-1]:
        yield f"{spec.name}_{array}[0] = start_{array}[0]"
    layout = new_port(spec, network).dtype
    for name in (name for name in layout.names if name != "next_due"):
        if shape := layout[name].shape:
            yield f"for k in range({shape[0]}):"
            yield f"    r_{spec.name}_port.{name}[k] = start_port[0].{name}[k]"
        else:
            yield f"r_{spec.name}_port.{name} = start_port[0].{name}"


def _receive(frame: str, spec: NodeSpec) -> str:
    return f"receive_{spec.name}({frame}, r_{spec.name}_inputs, r_{spec.name}_outputs, r_{spec.name}_port)"


def _tick_and_tell(spec: NodeSpec, station: Sequence[NodeSpec]) -> str:
    """A step of one node, whose frames the others of its station receive at once."""
    values = ", ".join(f"r_{array}" for array in array_names(spec))
    lines = ["first = count", f"count = tick_{spec.name}(now, dt, {values}, outbox, count)"]
    if spec is station[0]:
        lines += ["if silence:", "    count = first"]
    others = [other for other in station if other is not spec]
    if others:
        lines.append("for k in range(first, count):")
        lines += [f"    {_receive('outbox[k]', other)}" for other in others]
    return "\n".join(f"        {line}" for line in lines)


def loop_sample_type(stations: Sequence[Sequence[Node]]) -> Any:
    """Type of one sample in real time: as in lockstep, and ``<first node>_loop`` of every station."""
    lockstep = sample_type([node for station in stations for node in station])
    layout: list[Any] = [(name, lockstep[name]) for name in lockstep.names]
    layout += [(f"{station[0].spec.name}_loop", new(LoopMeasurements).dtype) for station in stations]
    return np.dtype((np.record, np.dtype(layout, align=True)))


@dataclass(frozen=True)
class SessionOptions:
    """What the sessions of a run on its buses are told."""

    reconnect: bool = False  # a bus that is lost is opened again and again; without it the run ends
    listen_only: bool = False  # nothing is sent
    # Is told every frame, error frames among them, whenever the next chunk is due: that must be well within recorder.HOLD for the
    # order of time, and within the 17 s of a full bus that the sessions keep, or frames are missing in the recording.
    recorder: "Recorder | None" = None
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
        self._responders: list[Responder | XcpResponder] = []
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
        for _, spec in self._specs:
            spec.close()

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


class RealtimeBench:
    """One station or several in one process on buses that python-can opens, at wall-clock speed."""

    def __init__(
        self,
        network: Network,
        stations: Sequence[Node | Sequence[Node]],
        addresses: Sequence[str | BusAddress | None],
        settings: LoopSettings | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        """``stations``: each one node, or several that share their buses.

        ``addresses``: a bus for each of the network's, as ``interface:channel[@bitrate]``, or None where there is none.

        Raises UsageError where the platform has no absolute sleep, or a bus is named wrong.
        """
        clock.require()
        self.settings = settings or LoopSettings()
        self._options = options or SessionOptions()
        self._addresses = [parse_bus_address(address) if isinstance(address, str) else address for address in addresses]
        nodes = [[station] if isinstance(station, Node) else list(station) for station in stations]
        self.stations = [RealtimeStation(network, group, self.settings, self._options) for group in nodes]
        self._sample_type = loop_sample_type(nodes)
        self._untold = [station.take_samples() for station in self.stations]  # samples to which others still lack theirs
        self.origin = 0  # [ns] CLOCK_MONOTONIC at the beginning of the run
        self._alarm = NOBODY  # eventfd that ends the wait for the next chunk
        self._stopping = False

    def compile(self) -> None:
        """Compile all loops, or load them from the cache."""
        for station in self.stations:
            station.compile()

    def examine(self) -> list[Finding]:
        """What the system grants these loops, and what it refuses."""
        return examine(**self.settings.rights)

    def request_stop(self) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stopping = True
        if self._alarm != NOBODY:
            os.eventfd_write(self._alarm, 1)

    def chunks(self, duration: float, chunk: float) -> Iterator[Chunk]:
        """Run for ``duration`` [s, may be infinite], yielding what has happened every ``chunk`` [s].

        Raises UsageError if a bus cannot be opened. Whatever happens, every thread is stopped and every bus closed.
        """
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            with Scheduling(**self.settings.rights) as scheduling:
                try:
                    for station in self.stations:
                        station.open(self._addresses)
                    for station in self.stations:
                        station.prepare(scheduling)
                    origin = self.origin = time.monotonic_ns() + START_DELAY
                    if self._options.recorder:
                        self._options.recorder.begin(origin)
                    with scheduling.carrying():
                        for station in self.stations:
                            station.start(origin)
                    for station in self.stations:
                        station.start_responders()
                    end = origin * 1e-9 + duration
                    while (left := end - time.monotonic()) > 0 and not self._stopping:
                        select.select([self._alarm], [], [], min(chunk, left))
                        if self.failures:
                            end = min(end, time.monotonic() + self._options.grace)
                        for station in self.stations:
                            station.look()
                        yield Chunk(self._new_frames(), self._new_samples())
                finally:
                    for station in self.stations:
                        station.request_stop()
                    for station in self.stations:
                        station.stop()
                    for station in self.stations:
                        station.tell()
        finally:
            alarm, self._alarm = self._alarm, NOBODY
            os.close(alarm)
        yield Chunk(self._new_frames(), self._new_samples(last=True))

    @property
    def failures(self) -> list[str]:
        """What the run cannot go on with, in whole sentences."""
        return [failure for station in self.stations for failure in station.failures]

    @property
    def errors(self) -> list[str]:
        """What went wrong, in whole sentences."""
        return [error for station in self.stations for error in station.errors]

    @property
    def problems(self) -> list[str]:
        """What did not go as it should on the buses, in whole sentences."""
        return [problem for station in self.stations for problem in station.problems]

    @property
    def bus_figures(self) -> list[tuple[str, str, float, float]]:
        """The figures of each bus of each station, see RealtimeStation, behind the station's name."""
        return [(station.name, *figures) for station in self.stations for figures in station.bus_figures]

    @property
    def carried(self) -> tuple[int, int]:
        """Frames received and sent on the buses by all stations."""
        received, sent = zip(*(station.carried for station in self.stations), strict=True)
        return sum(received), sum(sent)

    @property
    def losses(self) -> int:
        """Times that a bus of a station was lost, however short."""
        return sum(station.losses for station in self.stations)

    @property
    def foreign_frames(self) -> int:
        """Frames of these stations that somebody else has sent."""
        return sum(station.foreign_frames for station in self.stations)

    @property
    def is_connected(self) -> bool:
        """Whether every bus of every station carries frames now."""
        return all(station.is_connected for station in self.stations)

    @property
    def statistics(self) -> dict[str, Any]:
        """Loop statistics of each station, by its first node."""
        return {station.name: station.statistics[0] for station in self.stations}

    def _new_frames(self) -> Any:
        """All that was on the buses, by time. What one of several stations has sent another has received: it is told once."""
        frames = np.concatenate([station.new_frames() for station in self.stations]).view(np.recarray)
        if len(self.stations) > 1:
            frames = frames[frames.kind & TRANSMITTED == 0]
        return frames[np.argsort(frames.time, kind="stable")]

    def _new_samples(self, last: bool = False) -> Any:
        """Samples since the last call: to each sample of the first station, the nearest in time of the others."""
        taken: list[Any] = [
            np.concatenate([kept, station.take_samples()]) for kept, station in zip(self._untold, self.stations, strict=True)
        ]
        told = math.inf if last else min((part["time"][-1] if len(part) else -math.inf) for part in taken)
        first = taken[0][taken[0]["time"] <= told]
        if not all(map(len, taken)):
            first = first[:0]
        joined = np.zeros(len(first), dtype=self._sample_type).view(np.recarray)
        joined["time"] = first["time"]
        for samples in taken:
            nearest = _nearest(samples["time"], first["time"])
            for name in samples.dtype.names[1:]:
                joined[name] = samples[name][nearest]
        # The last of each that was told stays: it may be the nearest to the next one, too.
        self._untold = [taken[0][len(first) :], *(part[max(0, np.searchsorted(part["time"], told) - 1) :] for part in taken[1:])]
        return joined


def _nearest(times: Any, wanted: Any) -> Any:
    """Index of the one of ascending ``times`` nearest to each of those ``wanted``."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
    before = after - 1
    later = (times[np.minimum(after, len(times) - 1)] - wanted < wanted - times[before]) if len(wanted) else after[:0] > 0
    return np.where(later, np.minimum(after, len(times) - 1), before)
