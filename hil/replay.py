"""A recording through the controller: recorded frames in, at their own times, and what the controller makes of them.

An EV-CAN recording has no pedal. The recorded torque request (0x1D4) is the demand: the controller's task list for that case gets what
the battery and the inverters reported as its inputs, and what the real controller asked for as its request.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_model.kernel import Record
from firmware_model.signals import Outputs
from hil.errors import UsageError
from hil.frames import FrameFlags
from hil.generated import import_generated, module_name
from hil.network.codegen import generate_codecs
from hil.network.database import BusMessage, Network, NetworkBus, list_networks, load_network
from hil.node import Node, NodeSpec, generate_reception, received_messages

STEP = 1_000_000  # [ns]
SAMPLE_EVERY = 10  # steps

RUN = '''
from {module} import {function} as follow


@kernel
def run(frames, step, every, samples, inputs_array, requests_array, outputs_array, state_array, measurements_array, parameters_array,
        controller_port_array, request_port_array):
    """Feed ``frames`` (oldest first) to the controller, one step of ``step`` [ns] after the other; returns the number of samples."""
    dt = step * 1e-9
    inputs, requests, outputs = inputs_array[0], requests_array[0], outputs_array[0]
    state, measurements, parameters = state_array[0], measurements_array[0], parameters_array[0]
    controller_port, request_port = controller_port_array[0], request_port_array[0]
    now = 0
    tick = 0
    sampled = 0
    k = 0
    while k < len(frames):
        now += step
        while k < len(frames) and frames[k].time <= now:
            receive_controller(frames[k], inputs, requests, controller_port)
            receive_request(frames[k], inputs, requests, request_port)
            k += 1
        refresh_controller(now, inputs, requests, controller_port)
        refresh_request(now, inputs, requests, request_port)
        follow(dt, inputs, requests, outputs, state, measurements, parameters)
        tick += 1
        if tick % every == 0 and sampled < len(samples):
            samples[sampled].time = now * 1e-9
            samples[sampled].controller_inputs = inputs
            samples[sampled].controller_requests = requests
            samples[sampled].controller_outputs = outputs
            samples[sampled].controller_measurements = measurements
            sampled += 1
    return sampled
'''


@dataclass(frozen=True)
class MessageIntegrity:
    """How the frames of one identifier arrived."""

    bus: str
    identifier: int
    name: str  # empty: not in the network
    frames: int
    period: float  # [s] median distance; NaN for fewer than two frames
    jitter: float  # [s] standard deviation of the distance, gaps left out
    longest_gap: float  # [s]
    has_crc: bool  # or a sum
    crc_errors: int
    has_counter: bool
    counter_errors: int  # stood still
    lost: int  # by the gaps in the counter
    length_errors: int


class Replay:
    """A controller that listens to a recording."""

    def __init__(self, network: Network, step: str, state: Record, measurements: Record, parameters: Record) -> None:
        """``step`` is the dotted name of ``step(dt, inputs, requests, outputs, state, measurements, parameters)``."""
        self.network = network
        self.controller = Node(NodeSpec("controller", step, True, state, measurements, parameters), network)
        self.request = Node(NodeSpec("request", step, False, state, measurements, parameters), network)
        self.commands = Outputs.new()
        codecs = generate_codecs(network)
        import_generated("codecs", codecs)
        module, _, function = step.rpartition(".")
        specs = [self.controller.spec, self.request.spec]
        text = generate_reception(network, specs, module_name("codecs", codecs)) + RUN.format(module=module, function=function)
        self._run = import_generated("replay", text).run

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        from hil.frames import new_frames

        self.run(new_frames(0))

    def run(self, frames: Any) -> Any:
        """Feed frames, oldest first, their bus the index in the network. Returns samples every 10 ms: recarray with ``time`` [s],
        ``controller_inputs``, ``controller_requests`` (what the real controller asked for), ``controller_outputs`` and
        ``controller_measurements``.
        """
        duration = int(frames["time"][-1]) if len(frames) else 0
        layout = [("time", "f8")] + [
            (f"controller_{name}", array.dtype)
            for name, array in (
                ("inputs", self.controller.inputs),
                ("requests", self.request.outputs),
                ("outputs", self.commands),
                ("measurements", self.controller.measurements),
            )
        ]
        samples = np.zeros(duration // (STEP * SAMPLE_EVERY) + 2, dtype=np.dtype((np.record, np.dtype(layout, align=True))))
        node = self.controller
        count = self._run(
            frames, STEP, SAMPLE_EVERY, samples.view(np.recarray), node.inputs, self.request.outputs, self.commands, node.state,
            node.measurements, node.parameters, node.port, self.request.port,
        )  # fmt: skip
        return samples[:count].view(np.recarray)

    def integrity(self, frames: Any) -> list[MessageIntegrity]:
        """What arrived, by bus and identifier, after :meth:`run` on the same frames."""
        found = []
        known = {}
        for node in (self.controller, self.request):
            for index, message in received_messages(node.spec, self.network):
                bus = self.network.bus(message.bus).index
                known[bus, message.message.identifier, message.message.extended] = (message, node.port[0], index)
        keys = np.stack([frames["bus"].astype(np.int64), frames["identifier"].astype(np.int64), frames["kind"].astype(np.int64) & 1], axis=1)
        for bus, identifier, extended in np.unique(keys, axis=0):
            chosen = frames[np.all(keys == (bus, identifier, extended), axis=1)]
            entry = known.get((int(bus), int(identifier), bool(extended)))
            found.append(_integrity(self.network.buses[int(bus)].name, int(identifier), chosen["time"], entry))
        return found


def _integrity(bus: str, identifier: int, times: Any, entry: tuple[BusMessage, Any, int] | None) -> MessageIntegrity:
    distances = np.diff(times) * 1e-9
    period = float(np.median(distances)) if len(distances) else float("nan")
    regular = distances[distances < 3 * period] if len(distances) else distances
    message = entry[0].message if entry else None
    counts = {name: int(entry[1][name][entry[2]]) if entry else 0 for name in ("crc_errors", "counter_errors", "lost", "length_errors")}
    return MessageIntegrity(
        bus=bus,
        identifier=identifier,
        name=message.name if message else "",
        frames=len(times),
        period=period,
        jitter=float(np.std(regular)) if len(regular) else float("nan"),
        longest_gap=float(np.max(distances)) if len(distances) else float("nan"),
        has_crc=bool(message and message.has_check),
        has_counter=bool(message and message.counter),
        **counts,
    )


def detect_network(frames: Any) -> Network:
    """The network of the product whose messages (identifier and length) the recording holds most of; the newest at a tie.

    Raises UsageError if it holds none.
    """
    present = {(int(frame["identifier"]), int(frame["length"])) for frame in _distinct(frames)}
    best: tuple[int, int, Network] | None = None
    for name, _ in list_networks():
        network = load_network(name)
        messages = {(message.identifier, message.length) for message in network.messages}
        score = (len(messages & present), -len(messages - present))
        if best is None or score > best[:2]:
            best = (*score, network)
    if best is None or best[0] == 0:
        raise UsageError("the recording holds no frame of a LEAF; name the network of that car with --network")
    return best[2]


def assign_buses(frames: Any, channels: tuple[str, ...], network: Network, chosen: dict[str, str]) -> Any:
    """The frames with the network's bus numbers in place of the recording's channels; frames of channels that fit no bus are left out.

    ``chosen`` (channel -> bus) is obeyed; every other channel gets the free bus that knows most of its identifiers.
    """
    buses = {bus.name: bus for bus in network.buses}
    for channel, name in chosen.items():
        if channel not in channels:
            raise UsageError(f'--bus-config {channel}={name}: the recording has no channel "{channel}"; it has {", ".join(channels)}')
        if name not in buses:
            raise UsageError(f'--bus-config {channel}={name}: the network has no bus "{name}"; it has {", ".join(buses)}')
    assigned = {channels.index(channel): buses[name] for channel, name in chosen.items()}
    for index in range(len(channels)):
        if index not in assigned:
            free = [bus for bus in network.buses if bus not in assigned.values()]
            own = _distinct(frames[frames["bus"] == index])
            best = max(free, key=lambda bus: _shared(own, bus), default=None)
            if best is not None and _shared(own, best):
                assigned[index] = best
    kept = frames[np.isin(frames["bus"], list(assigned)) & (frames["kind"] & (FrameFlags.ERROR | FrameFlags.REMOTE) == 0)].copy()
    kept["bus"] = np.array([assigned[index].index if index in assigned else 0 for index in range(len(channels))])[kept["bus"]]
    return kept


def _distinct(frames: Any) -> Any:
    """One frame of each identifier and length."""
    _, first = np.unique(np.stack([frames["identifier"], frames["length"].astype(np.uint32)]), axis=1, return_index=True)
    return frames[first]


def _shared(distinct: Any, bus: NetworkBus) -> int:
    """How many of these identifiers the bus knows."""
    known = {message.message.identifier for message in bus.messages}
    return sum(int(frame["identifier"]) in known for frame in distinct)
