"""A controller of small laws with the records of the real one, and its slave."""

import struct

import numpy as np

from firmware_model.calibration import Calibration
from firmware_model.kernel import kernel, real, record
from firmware_model.measurements import Measurements
from hil.calibration.pages import CalibrationPages
from hil.node import Node, NodeSpec
from hil.xcp.controller import controller_xcp
from hil.xcp.events import EventRing
from hil.xcp.memory import MEASURED, address


@record
class Time:
    """What the law remembers."""

    time = real("s", "time since the start")


@kernel
def count(dt, inputs, outputs, state, measurements, parameters):
    """Tell the time in one place, and in two others what must fit it in the same period."""
    state.time += dt
    measurements.vehicle_speed.speed = state.time
    outputs.front.motor_torque = 2.0 * state.time
    outputs.rear.motor_torque = parameters.vehicle.mass
    measurements.supervisor.faults = 1 << 40 | 5


CONTROLLER = NodeSpec(
    "controller", "xcp_rig.count", True, Time, Measurements, Calibration, sampled=("inputs", "outputs", "measurements")
)
SPEED = address("measurements", "vehicle_speed.speed")
FRONT, REAR = address("outputs", "front.motor_torque"), address("outputs", "rear.motor_torque")
FAULTS = address("measurements", "supervisor.faults")
MASS = address("parameters", "vehicle.mass")


class Rig:
    """A slave in process, and the node behind it."""

    def __init__(self, network, **options):
        self.node = Node(CONTROLLER, network)
        self.refused = []
        self.pages = CalibrationPages(self.node.parameters)
        self.events = EventRing(self.node)
        self.spec = controller_xcp(self.node, self.pages, self.events, report=self.refused.append, **options)
        self.now = 0

    def ask(self, *data):
        """The frames that answer a command."""
        return self.spec.slave.request(bytes(data), self.now)

    def answer(self, *data):
        """What follows the positive response, of all frames of it."""
        frames = self.ask(*data)
        assert all(frame[0] == 0xFF for frame in frames), frames
        return b"".join(frame[1:] for frame in frames)

    def error(self, *data):
        """The code of the error that answers a command."""
        (frame,) = self.ask(*data)
        assert frame[0] == 0xFE
        return frame[1]

    def connect(self):
        return self.answer(0xFF, 0)

    def point(self, at):
        self.answer(0xF6, 0, 0, 0, *at.to_bytes(4, "little"))

    def read(self, at, kind="<f"):
        (value,) = struct.unpack(kind, self.answer(0xF4, 4, 0, 0, *at.to_bytes(4, "little")))
        return value

    def download(self, at, data):
        """The last frames of the answer to a download, as one block if it is long."""
        self.point(at)
        frames = self.ask(0xF0, len(data), *data[:6])
        for start in range(6, len(data), 6):
            frames = self.ask(0xEF, len(data) - start, *data[start : start + 6])
        return frames

    def write(self, at, value):
        return self.download(at, struct.pack("<f", value))

    def configure(self, *entries, event=0, prescaler=1, timestamps=True):
        """One list, an entry a frame, behind an empty one for the time."""
        first = [None] if timestamps else []
        self.answer(0xD6)
        self.answer(0xD5, 0, 1, 0)
        self.answer(0xD4, 0, 0, 0, len(entries) + len(first))
        for number in range(len(first), len(entries) + len(first)):
            self.answer(0xD3, 0, 0, 0, number, 1)
        for number, at in enumerate(entries, len(first)):
            self.answer(0xE2, 0, 0, 0, number, 0)
            self.answer(0xE1, 0xFF, 4, 0, *at.to_bytes(4, "little"))
        self.answer(0xE0, 0x10 if timestamps else 0, 0, 0, event, 0, prescaler, 0)

    def samples(self, *times):
        """Samples of these times [ms], whose speed is the time [s]."""
        made = np.zeros(len(times), dtype=self.events.arrays[2].dtype).view(np.recarray)
        made.time = np.array(times) * 1_000_000
        made.measurements.vehicle_speed.speed = made.time * 1e-9
        return made


__all__ = ["CONTROLLER", "FAULTS", "FRONT", "MASS", "MEASURED", "REAR", "SPEED", "Rig"]
