"""The compiled loop of a station: its text, which is written for the nodes and the network that it has.

Between start and stop the loop never touches Python.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_model.kernel import new
from hil.lockstep import sample_type
from hil.network.database import Network
from hil.node import Node, NodeSpec, array_names, generate_glue, new_port
from hil.timing import LoopMeasurements
from hil.xcp.memory import MEASURED

if TYPE_CHECKING:
    pass

BEGUN_ANEW = ("inputs", "outputs", "state", "measurements", "port")  # memory of a node that a restart begins anew
RUN, RESTART, SILENCE = 0, 1, 2  # places in the control words of a loop
LONGEST_STEP = 10_000_000  # [ns] that a step is told to have passed after periods were left out, unless one is longer

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
{restart}
            store_word(control, RESTART, 0)
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
from hil.realtime_loop import LONGEST_STEP, RESTART, RUN, SILENCE
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
