"""All nodes and their buses in one compiled run: deterministic, far faster than real time.

In each tick every bus first delivers the frames that are complete by now, then every node takes one step, then the frames that
are due join the queues of their buses. A value therefore needs at least one tick from node to node, as on a real bus.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_model.kernel import new
from firmware_model.kernel.records import locate
from hil.frames import new_frames
from hil.generated import import_generated, module_name
from hil.network.codegen import generate_codecs
from hil.network.database import Network
from hil.node import Node, NodeSpec, array_names, generate_glue
from hil.wire import WireState, new_queues

OUTBOX = 256  # frames that all nodes together may send in one tick

RUN = '''

@kernel
def run(ticks, step, every, clock, wire_array, queues, outbox, log, samples, {arrays}):
    """Advance everything by ``ticks`` steps of ``step`` [ns]; a sample every ``every`` ticks.

    ``clock`` holds time [ns] and ticks until the next sample; the run goes on where the last one stopped.
    Returns the numbers of frames logged, in the order of time, and of samples taken.
    """
    dt = step * 1e-9
    wire = wire_array[0]
    arrived = outbox[OUTBOX:]
    logged = 0
    sampled = 0
{records}
    for _ in range(ticks):
        clock[0] += step
        now = clock[0]
        for bus in range({buses}):
            while next_frame(wire, queues, bus, now, arrived):
                frame = arrived[0]
{deliver}
                insert(log, logged, frame)
                logged += 1
        count = 0
{ticks}
        for k in range(count):
            submit(wire, queues, outbox[k])
        clock[1] -= 1
        if clock[1] < 0:
            clock[1] = every - 1
{sample}
            sampled += 1
    return logged, sampled
'''


@dataclass
class Chunk:
    """What one stretch of a run produced."""

    frames: Any  # recarray of hil.frames.FRAME
    samples: Any  # structured array: see sample_type


def generate_lockstep(network: Network, specs: list[NodeSpec], codecs: str) -> str:
    """Text of the module with ``run`` for these nodes on this network."""
    records, deliver, ticks, sample = [], [], [], ["            samples[sampled].time = now * 1e-9"]
    for index, spec in enumerate(specs):
        name = spec.name
        for array in array_names(spec):
            table = array.removeprefix(f"{name}_") in spec.tables
            records.append(f"    r_{array} = {array}" if table else f"    r_{array} = {array}[0]")
        values = ", ".join(f"r_{array}" for array in array_names(spec))
        deliver.append(f"                if frame.sender != {index}:")
        deliver.append(f"                    receive_{name}(frame, r_{name}_inputs, r_{name}_outputs, r_{name}_port)")
        ticks.append(f"        first = count\n        count = tick_{name}(now, dt, {values}, outbox, count)")
        ticks.append(f"        for k in range(first, count):\n            outbox[k].sender = {index}")
        sample += [f"            samples[sampled].{sample_name(name, path)} = r_{name}_{path}" for path in spec.sampled]
    run = RUN.format(
        arrays=", ".join(array for spec in specs for array in array_names(spec)),
        records="\n".join(records),
        buses=len(network.buses),
        deliver="\n".join(deliver),
        ticks="\n".join(ticks),
        sample="\n".join(sample),
    )
    imports = f"\nfrom hil.wire import insert, next_frame, submit\n\nOUTBOX = {OUTBOX}\n"
    return generate_glue(network, specs, codecs) + imports + run


class Lockstep:
    """A bench in lockstep: its nodes, its buses, and its clock."""

    def __init__(self, network: Network, nodes: list[Node], *, step: int = 1_000_000, sample_every: int = 10) -> None:
        """``step`` [ns] is one tick; a sample of all nodes is kept every ``sample_every`` ticks."""
        self.network = network
        self.nodes = nodes
        self.step = step
        self.sample_every = sample_every
        codecs = generate_codecs(network)
        import_generated("codecs", codecs)
        specs = [node.spec for node in nodes]
        text = generate_lockstep(network, specs, module_name("codecs", codecs))
        self._run = import_generated("lockstep", text).run
        self._clock = np.zeros(2, dtype=np.int64)
        self.wire = new(WireState)
        for bus in network.buses:
            self.wire["bit_time"][0, bus.index] = round(1e9 / bus.bitrate)
        self._fresh_wire = self.wire.copy()
        self._queues = new_queues(len(network.buses))
        self._outbox = new_frames(OUTBOX + 1)
        self._sample_type = sample_type(nodes)
        # No more frames than the schedule has can reach the log, but for those that wait on the wire when a stretch begins.
        self._frame_rate = sum(1e9 / message.message.period for bus in network.buses for message in bus.messages)
        self._log = new_frames(0)

    def compile(self) -> None:
        """Compile everything, or load it from the cache, without moving time."""
        self.advance(0.0)

    @property
    def time(self) -> float:
        """Time since the start [s]."""
        return float(self._clock[0]) * 1e-9

    def advance(self, duration: float) -> Chunk:
        """Run for ``duration`` [s] and return the frames and samples of that stretch."""
        samples = self.new_samples(duration)
        logged, sampled = self._go(duration, samples)
        return Chunk(self._log[:logged].copy(), samples[:sampled])

    def new_samples(self, duration: float) -> Any:
        """Room for the samples of ``duration`` [s]."""
        ticks = round(duration * 1e9 / self.step)
        return np.zeros(ticks // self.sample_every + 1, dtype=self._sample_type).view(np.recarray)

    def advance_into(self, samples: Any, duration: float) -> int:
        """Run for ``duration`` [s], fill ``samples`` (of :meth:`new_samples`) and return how many there are.

        The frames go over the buses as ever, and are not kept.
        """
        return self._go(duration, samples)[1]

    def rewind(self, nodes: list[Node]) -> None:
        """Back to power-on, with ``nodes`` of the same specs in the place of the present ones."""
        self.nodes = nodes
        self._clock[:] = 0
        self.wire[...] = self._fresh_wire

    def _go(self, duration: float, samples: Any) -> tuple[int, int]:
        """Run for ``duration`` [s]; the numbers of frames in the log and of samples."""
        ticks = round(duration * 1e9 / self.step)
        most = int(duration * self._frame_rate) + 1000
        if len(self._log) < most:
            self._log = new_frames(most)
        arrays = [array for node in self.nodes for array in node.arrays]
        logged, sampled = self._run(
            ticks, self.step, self.sample_every, self._clock, self.wire, self._queues, self._outbox, self._log, samples, *arrays
        )
        return logged, sampled

    def chunks(self, duration: float, chunk: float) -> Iterator[Chunk]:
        """Run for ``duration`` [s] in stretches of ``chunk`` [s], so that somebody can look on."""
        end = self._clock[0] + round(duration * 1e9)
        while self._clock[0] < end:
            yield self.advance(min(chunk * 1e9, float(end - self._clock[0])) * 1e-9)


def sample_type(nodes: list[Node]) -> Any:
    """Type of one sample: ``time`` [s] and ``<node>_<record>`` of every sampled record, or value in one."""
    layout: list[Any] = [("time", "f8")]
    for node in nodes:
        for path in node.spec.sampled:
            array, *inside = path.split(".")
            kind = locate(getattr(node, array), ".".join(inside)).dtype if inside else getattr(node, array).dtype
            layout.append((sample_name(node.spec.name, path), kind))
    return np.dtype((np.record, np.dtype(layout, align=True)))


def sample_name(node: str, path: str) -> str:
    """Name of a node's record, or of a value in one, in a sample."""
    return f"{node}_{path.replace('.', '_')}"
