"""The real-time loop: one node, compiled, without the GIL, at absolute deadlines; python-can threads carry its frames.

Between start and stop the loop never touches Python. What it did (periods missed, worst lateness, execution time) is in its
statistics; an overrun is counted there and never silent.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from firmware_model.kernel import integer, new, record
from hil import clock
from hil.bus import open_bus, parse_bus_address
from hil.errors import UsageError
from hil.frames import new_frames
from hil.generated import import_generated, module_name
from hil.lockstep import OUTBOX, Chunk, sample_type
from hil.network.codegen import generate_codecs
from hil.network.database import Network
from hil.node import Node, NodeSpec, array_names, generate_glue
from hil.ring import DROPPED, load_word, new_rings, store_word
from hil.session import BusSession

RING = 4096  # frames; one second of a full 500 kbit/s bus
RUN, SAMPLES = 0, 16  # places in the control words of a loop
CONTROL_WORDS = 32
START_DELAY = 20_000_000  # [ns] from opening the buses to the first period


@record
class LoopStatistics:
    """How the loop kept its time."""

    periods = integer("periods run")
    cycle_slips = integer("whole periods missed because the one before took too long or the wake-up came too late")
    latency_sum = integer("sum of wake-up latencies [ns]")
    latency_worst = integer("worst wake-up latency [ns]")
    execution_sum = integer("sum of execution times [ns]")
    execution_worst = integer("worst execution time of one period [ns]")


LOOP = '''
@kernel
def loop_{name}(origin, period, every, control, statistics_array, samples, receive_control, receive_storage,
                send_control, send_storage, incoming, outbox, timespec, {arrays}):
    """Run the node every ``period`` [ns] from ``origin`` [ns, CLOCK_MONOTONIC] until asked to stop."""
    dt = period * 1e-9
    statistics = statistics_array[0]
    deadline = origin
    sampled = 0
{records}
    while load_word(control, RUN):
        deadline += period
        woken = sleep_until(deadline, timespec)
        latency = woken - deadline
        slips = latency // period
        statistics.cycle_slips += slips
        deadline += slips * period
        now = deadline - origin
        for bus in range({buses}):
            for k in range(drain(receive_control[bus], receive_storage[bus], incoming)):
                receive_{name}(incoming[k], r_{name}_inputs, r_{name}_outputs, r_{name}_port)
        count = tick_{name}(now, dt, {values}, outbox, 0)
        for k in range(count):
            bus = outbox[k].bus
            push(send_control[bus], send_storage[bus], outbox[k])
        if statistics.periods % every == 0 and sampled < len(samples):
            samples[sampled].time = now * 1e-9
{sample}
            sampled += 1
            store_word(control, SAMPLES, sampled)
        statistics.periods += 1
        statistics.latency_sum += latency
        statistics.latency_worst = max(statistics.latency_worst, latency)
        execution = monotonic(timespec) - woken
        statistics.execution_sum += execution
        statistics.execution_worst = max(statistics.execution_worst, execution)
'''


def generate_loops(network: Network, specs: list[NodeSpec], codecs: str) -> str:
    """Text of the module with the real-time loop of every node."""
    imports = (
        "\nfrom hil.clock import monotonic, sleep_until\n"
        "from hil.realtime import RUN, SAMPLES\n"
        "from hil.ring import drain, load_word, push, store_word\n"
    )
    parts = [generate_glue(network, specs, codecs), imports]
    for spec in specs:
        names = array_names(spec)
        parts.append(
            LOOP.format(
                name=spec.name,
                arrays=", ".join(names),
                records="\n".join(
                    f"    r_{array} = {array}{'' if array.removeprefix(f'{spec.name}_') in spec.tables else '[0]'}"
                    for array in names
                ),
                values=", ".join(f"r_{array}" for array in names),
                buses=len(network.buses),
                sample="\n".join(
                    f"            samples[sampled].{spec.name}_{array} = r_{spec.name}_{array}" for array in spec.sampled
                ),
            )
        )
    return "\n".join(parts)


class RealtimeNode:
    """One node in real time: its loop's thread, and a session on each of its buses."""

    def __init__(self, network: Network, node: Node, loop: Any, *, period: int, sample_every: int, duration: float) -> None:
        self.node = node
        self.statistics = new(LoopStatistics)
        self._loop = loop
        self._period = period
        self._every = sample_every
        self._control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        capacity = int(duration * 1e9 / (period * sample_every)) + 1
        self._samples = np.zeros(capacity, dtype=sample_type([node])).view(np.recarray)
        self._receive = new_rings(len(network.buses), RING)
        self._send = new_rings(len(network.buses), RING)
        self._incoming = new_frames(RING)
        self._outbox = new_frames(OUTBOX)
        self._timespec = np.zeros(2, dtype=np.int64)
        self._sessions: list[BusSession] = []
        self._thread: threading.Thread | None = None

    def compile(self) -> None:
        """Compile the loop and the rings, or load them from the cache, without running a period."""
        self._call(0)
        BusSession.compile()

    def start(self, buses: list[Any], origin: int) -> None:
        """Take the node onto ``buses`` (python-can, one per bus of the network); the first period begins at ``origin`` [ns]."""
        store_word(self._control, RUN, 1)
        for index, bus in enumerate(buses):
            rings = [(ring[0][index], ring[1][index]) for ring in (self._receive, self._send)]
            self._sessions.append(BusSession(bus, index, origin, rings[0], rings[1]))
        for session in self._sessions:
            session.start()
        self._thread = threading.Thread(target=self._call, args=(origin,), name=f"loop {self.node.spec.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop, then the sessions."""
        store_word(self._control, RUN, 0)
        if self._thread:
            self._thread.join()
        for session in self._sessions:
            session.stop()

    @property
    def samples(self) -> Any:
        """The samples that are complete by now."""
        return self._samples[: load_word(self._control, SAMPLES)]

    def new_frames(self) -> Any:
        """The frames that this node has received since the last call, bus by bus."""
        rows = [(row, index) for index, session in enumerate(self._sessions) for row in session.take()]
        frames = new_frames(len(rows))
        for frame, ((when, payload, identifier, length, kind), bus) in zip(frames, rows, strict=True):
            frame.time, frame.payload, frame.identifier = when, payload, identifier
            frame.bus, frame.length, frame.kind = bus, length, kind
        return frames

    @property
    def errors(self) -> list[str]:
        """What went wrong on the buses, in whole sentences."""
        found = [f"{self.node.spec.name}: the bus failed: {session.error}" for session in self._sessions if session.error]
        dropped = int(self._receive[0][:, DROPPED].sum() + self._send[0][:, DROPPED].sum())
        return found + ([f"{self.node.spec.name}: {dropped} frames were lost in full rings"] if dropped else [])

    def _call(self, origin: int) -> None:
        self._loop(
            origin,
            self._period,
            self._every,
            self._control,
            self.statistics,
            self._samples,
            *self._receive,
            *self._send,
            self._incoming,
            self._outbox,
            self._timespec,
            *self.node.arrays,
        )


class RealtimeBench:
    """Several nodes in one process on buses that python-can opens, at wall-clock speed."""

    def __init__(
        self,
        network: Network,
        nodes: list[Node],
        addresses: list[str],
        *,
        duration: float,
        period: int = 1_000_000,
        sample_every: int = 10,
    ) -> None:
        """``addresses``: one bus for each of the network's, as ``interface:channel[@bitrate]``.

        Raises UsageError where the platform has no absolute sleep, or a bus is named wrong.
        """
        if not clock.AVAILABLE:
            raise UsageError("the real-time loop needs Linux (clock_nanosleep); run without --realtime here")
        self._addresses = [parse_bus_address(address) for address in addresses]
        codecs = generate_codecs(network)
        import_generated("codecs", codecs)
        text = generate_loops(network, [node.spec for node in nodes], module_name("codecs", codecs))
        module = import_generated("realtime", text)
        self.nodes = [
            RealtimeNode(
                network,
                node,
                getattr(module, f"loop_{node.spec.name}"),
                period=period,
                sample_every=sample_every,
                duration=duration,
            )
            for node in nodes
        ]
        self._sample_type = sample_type(nodes)
        self._taken = 0

    def compile(self) -> None:
        """Compile all loops, or load them from the cache."""
        for node in self.nodes:
            node.compile()

    def chunks(self, duration: float, chunk: float) -> Iterator[Chunk]:
        """Run for ``duration`` [s], yielding what has happened every ``chunk`` [s].

        Raises UsageError if a bus cannot be opened. Whatever happens, every thread is stopped and every bus closed.
        """
        buses: list[list[Any]] = []
        try:
            for _ in self.nodes:
                buses.append([open_bus(address) for address in self._addresses])
            origin = time.monotonic_ns() + START_DELAY
            for node, own in zip(self.nodes, buses, strict=True):
                node.start(own, origin)
            end = origin + round(duration * 1e9)
            while (left := end - time.monotonic_ns()) > 0 and not self.errors:
                time.sleep(min(chunk, left * 1e-9))
                yield Chunk(self._new_frames(), self._new_samples())
        finally:
            for node in self.nodes:
                node.stop()
            for bus in (bus for own in buses for bus in own):
                bus.shutdown()
        yield Chunk(self._new_frames(), self._new_samples())

    @property
    def errors(self) -> list[str]:
        """What went wrong, in whole sentences."""
        return [error for node in self.nodes for error in node.errors]

    @property
    def statistics(self) -> dict[str, Any]:
        """Loop statistics of each node."""
        return {node.node.spec.name: node.statistics[0] for node in self.nodes}

    def _new_frames(self) -> Any:
        """What each node received is what the others sent; together, by time, it is all that was on the buses."""
        frames = np.concatenate([node.new_frames() for node in self.nodes]).view(np.recarray)
        return frames[np.argsort(frames.time, kind="stable")]

    def _new_samples(self) -> Any:
        """Samples since the last call: to each sample of the first node, the nearest in time of the others."""
        taken = [node.samples for node in self.nodes]
        count = min(len(samples) for samples in taken)
        joined = np.zeros(max(0, count - self._taken), dtype=self._sample_type).view(np.recarray)
        first = taken[0][self._taken : count]
        joined["time"] = first["time"]
        for samples in taken:
            index = np.clip(np.searchsorted(samples["time"], first["time"]), 0, max(0, len(samples) - 1))
            for name in samples.dtype.names[1:]:
                joined[name] = samples[name][index]
        self._taken = max(self._taken, count)
        return joined
