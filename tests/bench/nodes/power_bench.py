"""The high-voltage side of the car on its buses, without a car: circuit, inverters, battery controller, and a silent controller.

The controller's frames say what the test writes into ``vcm.outputs``.
"""

from typing import Any

import numpy as np

from bench.nodes import battery_controller
from bench.nodes import car as car_node
from bench.nodes.car import CarMeasurements, CarParameters, CarState
from firmware_model.kernel import kernel, real, record
from firmware_model.signals import HighVoltage
from hil.frames import bytes_from_payload, new_frames
from hil.lockstep import Lockstep
from hil.network.database import Network
from hil.node import Node, NodeSpec

PACK = 394.0  # [V]


@record
class Memory:
    """What the controller of this bench remembers."""

    time = real("s", "time since the start")


@kernel
def say_what_is_written(dt, inputs, outputs, state, measurements, parameters):
    """Leave the outputs to the test."""
    state.time += dt


@kernel
def live(dt, inputs, outputs, state, measurements, parameters):
    """The high-voltage part of the car's step, with a pack whose values the test has written."""
    plant, circuit = measurements.plant, measurements.high_voltage
    car_node.connect(dt, outputs.power, plant, state, circuit, parameters)
    car_node.step_inverters(dt, inputs, outputs, state, circuit, plant, parameters)
    battery_controller.step(
        dt, outputs.power, circuit, plant.battery, state.battery_controller, parameters.battery_controller, inputs.battery,
        inputs.battery_wide,
    )  # fmt: skip


VCM = NodeSpec("vcm", "power_bench.say_what_is_written", True, Memory, Memory, Memory, sampled=("inputs",))
CAR = NodeSpec("car", "power_bench.live", False, CarState, CarMeasurements, CarParameters)


class PowerBench:
    """Both nodes on the buses of a network, and what was on them."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.vcm, self.car = Node(VCM, network), Node(CAR, network)
        self.bench = Lockstep(network, [self.vcm, self.car], sample_every=1)
        battery = self.car.measurements[0].plant.battery
        battery.voltage, battery.remaining_energy, battery.full_energy = PACK, 1e8, 2e8
        battery.discharge_limit, battery.charge_limit, battery.state_of_charge = 180e3, 25e3, 0.8
        for axle in (self.says.front, self.says.rear):
            axle.torque_limit_upper, axle.torque_limit_lower = 340.0, -340.0
        self.silence(True)
        self.frames = new_frames(0)
        self.samples: Any = None

    @property
    def says(self) -> Any:
        """What the controller's frames say (Outputs)."""
        return self.vcm.outputs[0]

    @property
    def hears(self) -> Any:
        """What the controller has received (Inputs)."""
        return self.vcm.inputs[0]

    @property
    def parameters(self) -> Any:
        return self.car.parameters[0]

    @property
    def state(self) -> Any:
        return self.car.state[0]

    def silence(self, silent: bool) -> None:
        """Whether the controller says nothing at all."""
        power = self.says.power
        for axle in (self.says.front, self.says.rear):
            axle.link.silent = axle.mode_link.silent = silent
        power.link.silent = power.rear_link.silent = power.charger_link.silent = self.says.brakes.link.silent = silent

    def run(self, duration: float) -> None:
        chunk = self.bench.advance(duration)
        self.frames = np.concatenate([self.frames, chunk.frames]).view(np.recarray)
        self.samples = chunk.samples if self.samples is None else np.concatenate([self.samples, chunk.samples]).view(np.recarray)

    @property
    def time(self) -> float:
        return self.bench.time

    def wake(self, *, diagnosis: int = 1) -> None:
        self.silence(False)
        self.says.power.awake, self.says.power.absence_diagnosis = 1, diagnosis
        self.says.power.high_voltage = HighVoltage.PRECHARGE_NOT_STARTED

    def start(self) -> None:
        """The sequence of a LEAF e+: relay at 0.52 s, precharge at 0.89 s, high voltage at 1.34 s."""
        self.wake()
        self.run(0.52)
        self.says.power.relay_output = 1
        self.run(0.37)
        self.says.power.high_voltage = HighVoltage.PRECHARGING
        self.run(0.45)
        self.says.power.high_voltage = HighVoltage.ON
        self.run(0.1)

    def ask(self, torque: float) -> None:
        self.says.front.motor_torque = self.says.rear.motor_torque = torque

    @property
    def delivered(self) -> tuple[float, float]:
        """Torque that the inverters ask of their motors."""
        return float(self.state.demands.front.motor_torque), float(self.state.demands.rear.motor_torque)

    def frames_of(self, identifier: int, *, bus: int = 0, extended: bool = False) -> list[tuple[float, bytes]]:
        """Time [s] and bytes of every frame of one identifier."""
        found = self.frames[(self.frames.identifier == identifier) & (self.frames.bus == bus)]
        return [
            (frame.time * 1e-9, bytes_from_payload(frame.payload, frame.length)) for frame in found if frame.kind & 1 == extended
        ]

    def codes(self, *, bus: int = 0) -> list[tuple[float, str]]:
        """Time [s] and trouble code of every broadcast."""
        found = self.frames_of(0x18CC078C, bus=bus, extended=True)
        assert all(data[:4] == bytes.fromhex("18CC078C") for _, data in found)
        return [(time, data[4:].hex().upper()) for time, data in found]
