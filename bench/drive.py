"""A drive: one vehicle in one scenario, its controller and its car joined by a network, in lockstep or in real time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.calibrating import calibration_of
from bench.figures import FIGURES, figure_rows
from bench.nodes.car import CarMeasurements, CarParameters, CarState, Phase
from bench.plant.car import place
from bench.plant.driver import acquaint, path_table
from bench.rows import Row, bounded
from bench.scenarios import Scenario
from bench.vehicles import Vehicle
from firmware_model.calibration import Calibration
from firmware_model.measurements import Measurements as ControllerMeasurements
from firmware_model.measurements import fault_names
from firmware_model.state import State as ControllerState
from hil.errors import UsageError
from hil.lockstep import Chunk, Lockstep
from hil.network.database import Network
from hil.node import Node, NodeSpec

CONTROLLER = NodeSpec(
    name="controller",
    step="firmware_model.controller.step",
    is_controller=True,
    state=ControllerState,
    measurements=ControllerMeasurements,
    parameters=Calibration,
    sampled=("inputs", "outputs", "measurements"),
)
CAR = NodeSpec(
    name="car",
    step="bench.nodes.car.step",
    is_controller=False,
    state=CarState,
    measurements=CarMeasurements,
    parameters=CarParameters,
    tables=("stimulus", "path", "road"),
)

LONGEST_START = 70.0  # [s] bring-up to READY and run-up to the scenario's first speed; more means that it never begins
# The LEAF's current field ends at 512 A, some 200 kW at 390 V; stronger packs send our wide frames beside it.
LEAF_FIELDS_END = 200e3  # [W]
CHUNK = 0.5  # [s] between two looks at the live view


@dataclass
class DriveResult:
    """Everything a drive left behind."""

    network: Network
    vehicle: Vehicle
    scenario: Scenario
    frames: Any  # recarray of hil.frames.FRAME, from power-on
    samples: Any  # recarray: time [s], controller_inputs, controller_outputs, controller_measurements, car_measurements
    rows: list[Row]
    completed: bool  # the scenario ran to its end

    @property
    def scenario_samples(self) -> Any:
        """The samples of the scenario itself, without bring-up and run-up."""
        return self.samples[self.samples["car_measurements"]["phase"] == Phase.DRIVING]


class Drive:
    """A drive that can be stepped through, so that somebody can look on."""

    def __init__(
        self,
        network: Network,
        vehicle: Vehicle,
        scenario: Scenario,
        *,
        duration: float | None = None,
        calibration: Any | None = None,
    ) -> None:
        """``duration`` [s] cuts the scenario short or lets its last values hold longer.

        ``calibration`` of the controller (one-element recarray) is the vehicle's own unless given.
        """
        self.network, self.vehicle, self.scenario = network, vehicle, scenario
        self.duration = duration or scenario.duration
        unknown = set(scenario.targets) - {figure.key for figure in FIGURES}
        if unknown:
            known = ", ".join(figure.key for figure in FIGURES)
            raise UsageError(f"scenario {scenario.name}: targets.{min(unknown)}: no such figure; there are: {known}")
        self.controller = Node(CONTROLLER, network)
        self.car = Node(CAR, network, (scenario.stimulus, path_table(scenario.path), scenario.road))
        self.controller.parameters[:] = calibration_of(vehicle) if calibration is None else calibration
        self._fill_car()

    def _fill_car(self) -> None:
        """Parameters of the car and its control units, and the state of its pack."""
        parameters, state = self.car.parameters[0], self.car.state[0]
        plant = self.vehicle.parameters[0]
        self.car.parameters["plant"] = plant
        parameters.start_speed = self.scenario.start_speed
        parameters.drive_mode = self.scenario.drive_mode
        parameters.e_pedal = int(self.scenario.e_pedal)
        for inverter, axle in ((parameters.front_inverter, plant.front), (parameters.rear_inverter, plant.rear)):
            inverter.fitted = int(axle.motor.envelope_torque.max() > 0.0)
        parameters.battery_controller.wide_frames = int(plant.battery.discharge_power_rated > LEAF_FIELDS_END)
        parameters.battery_controller.usable_power = 0.95 * plant.battery.discharge_power_rated
        acquaint(parameters.plant, parameters.driver)
        place(0.0, self.scenario.state_of_charge, self.scenario.temperature, state.plant, parameters.plant)

    def lockstep(self, *, sample_every: int = 10) -> Lockstep:
        """The two nodes in lockstep, with a sample every so many ticks."""
        return Lockstep(self.network, [self.controller, self.car], sample_every=sample_every)

    @property
    def longest(self) -> float:
        """Time [s] after which a drive ends, even if its scenario never began."""
        return LONGEST_START + self.duration

    @property
    def phase(self) -> Phase:
        """Where the drive stands now."""
        return Phase(int(self.car.state["phase"][0]))

    @property
    def scenario_time(self) -> float:
        """The scenario's own time [s], negative before it begins."""
        return float(self.car.state["scenario_time"][0])

    def chunks(self, bench: Any, chunk: float = CHUNK) -> Iterator[Chunk]:
        """Run ``bench`` (Lockstep or RealtimeBench) from power-on to the end of the scenario."""
        for piece in bench.chunks(self.longest, chunk):
            yield piece
            if self.phase == Phase.DRIVING and self.scenario_time >= self.duration:
                return

    def result(self, chunks: list[Chunk]) -> DriveResult:
        """Put the pieces together and judge them."""
        frames: Any = np.concatenate([chunk.frames for chunk in chunks]).view(np.recarray)
        frames = frames[np.argsort(frames.time, kind="stable")]
        samples = np.concatenate([chunk.samples for chunk in chunks]).view(np.recarray)
        driving = samples["car_measurements"]["phase"] == Phase.DRIVING
        late = driving & (samples["car_measurements"]["scenario_time"] > self.duration)
        samples = samples[~late]
        completed = self.scenario_time >= self.duration
        result = DriveResult(self.network, self.vehicle, self.scenario, frames, samples, [], completed)
        result.rows = [self._start_row(result)]
        if len(result.scenario_samples):
            result.rows += figure_rows(result.scenario_samples, self.scenario.targets)
        faults = result.scenario_samples["controller_measurements"]["supervisor"]["faults"]
        result.rows += [fault_row(int(np.bitwise_or.reduce(faults, initial=0))), *self.bus_rows(len(frames))]
        return result

    def _start_row(self, result: DriveResult) -> Row:
        """READY, and the run-up: a scenario that never began is a failure, not a drive without figures."""
        outputs = result.samples["controller_outputs"]["power"]["ready"]
        ready = np.flatnonzero(outputs == 1)
        if not len(ready):
            return Row("READY after", None, "s", "reached", False, "the car never became READY")
        note = "" if result.completed else f"ended after {self.scenario_time:.1f} s of the scenario"
        return Row("READY after", float(result.samples["time"][ready[0]]), "s", "scenario completed", result.completed, note)

    def bus_rows(self, frames: int) -> list[Row]:
        """How so many ``frames`` arrived at both nodes."""
        ports = [self.controller.port, self.car.port]
        totals = {
            name: int(sum(port[name].sum() for port in ports)) for name in ("crc_errors", "counter_errors", "lost", "unknown")
        }
        return [
            Row("frames on the buses", frames, "1"),
            bounded("CRC errors", totals["crc_errors"], "1", maximum=0),
            bounded("counter errors", totals["counter_errors"] + totals["lost"], "1", maximum=0, note="stood still or jumped"),
            bounded("unknown frames", totals["unknown"], "1", maximum=0),
        ]


def fault_row(bits: int) -> Row:
    """The faults that the controller raised once the scenario had begun, bits of ``Fault``."""
    return bounded("faults", bits.bit_count(), "1", maximum=0, note=", ".join(fault_names(bits)))
