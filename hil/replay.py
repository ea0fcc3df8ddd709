"""A recording through the controller: recorded frames in, at their own times, and what the controller makes of them.

An EV-CAN recording has no pedal. What the real controller asked for (0x1D4) is the demand, and the controller's task list for
that case follows it, with what battery and inverters reported as its inputs.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from hil.frames import new_frames
from hil.generated import import_generated, module_name
from hil.lockstep import sample_type
from hil.network.codegen import generate_codecs
from hil.network.database import Network
from hil.node import Node, NodeSpec, generate_reception

STEP = 1_000_000  # [ns]
SAMPLE_EVERY = 10  # steps

RUN = '''

from {module} import {function} as follow


@kernel
def run(
    frames, step, every, samples, inputs_array, requests_array, outputs_array, state_array, measurements_array, parameters_array,
    received_array, requested_array,
):
    """Feed ``frames`` (oldest first) to the controller, one step of ``step`` [ns] after the other; returns the samples."""
    dt = step * 1e-9
    inputs, requests, outputs = inputs_array[0], requests_array[0], outputs_array[0]
    state, measurements, parameters = state_array[0], measurements_array[0], parameters_array[0]
    received, requested = received_array[0], requested_array[0]
    now = 0
    ticks = 0
    sampled = 0
    k = 0
    while k < len(frames):
        now += step
        while k < len(frames) and frames[k].time <= now:
            receive_{name}(frames[k], inputs, requests, received)
            receive_request(frames[k], inputs, requests, requested)
            k += 1
        refresh_{name}(now, inputs, requests, received)
        refresh_request(now, inputs, requests, requested)
        follow(dt, inputs, requests, outputs, state, measurements, parameters)
        ticks += 1
        if ticks % every == 0 or k == len(frames):
            sample = samples[sampled]
            sample.time = now * 1e-9
{sample}
            sampled += 1
    return sampled
'''


class Replay:
    """A controller that listens to a recording; good for one run."""

    def __init__(self, network: Network, controller: NodeSpec) -> None:
        """``controller`` names the step that follows a request:
        ``step(dt, inputs, requests, outputs, state, measurements, parameters)``.
        """
        self.network = network
        self.controller = Node(controller, network)
        # What the real controller sent is taken in like by the car that it was meant for.
        self.request = Node(replace(controller, name="request", is_controller=False), network)
        codecs = generate_codecs(network)
        import_generated("codecs", codecs)
        module, _, function = controller.step.rpartition(".")
        sample = "\n".join(f"            sample.{controller.name}_{record} = {record}" for record in controller.sampled)
        reception = generate_reception(network, [node.spec for node in self.nodes], module_name("codecs", codecs))
        run = RUN.format(module=module, function=function, name=controller.name, sample=sample)
        self._run = import_generated("replay", reception + run).run

    @property
    def nodes(self) -> list[Node]:
        """Who received the frames, and counted their errors."""
        return [self.controller, self.request]

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        self.run(new_frames(0))

    def run(self, frames: Any) -> Any:
        """Feed ``frames``, oldest first, their bus the index in the network.

        Returns a sample every 10 ms, and one after the last frame: recarray with ``time`` [s] and ``controller_<record>`` of
        every record that the controller's node samples.
        """
        steps = int(frames["time"][-1]) // STEP + 1 if len(frames) else 0
        samples = np.zeros(steps // SAMPLE_EVERY + 2, dtype=sample_type([self.controller])).view(np.recarray)
        node, request = self.controller, self.request
        count = self._run(
            frames, STEP, SAMPLE_EVERY, samples, node.inputs, request.outputs, node.outputs, node.state, node.measurements,
            node.parameters, node.port, request.port,
        )  # fmt: skip
        return samples[:count]
