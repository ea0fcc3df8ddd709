"""A bench for many short drives: compiled lockstep that keeps the few signals that figures are made of, and no frames.

Controller and car exchange every frame as in ``e4hil drive``; the same drive gives the same samples to the bit. Only what is kept
differs: a few hundred bytes a sample instead of all records, in memory that is used again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.comparison.contenders import THIS
from bench.comparison.track import SIGNALS, Trace, Trial
from bench.drive import CAR, CONTROLLER, Drive
from bench.nodes.car import Phase
from bench.scenarios import Scenario
from hil.lockstep import Lockstep
from hil.network.database import Network

# Each call of the compiled loop takes as long as a hundred steps, and the longer it runs the more frames it has to remember.
RUN_UP_STRETCH = 1.0  # [s] between two looks at whether the scenario has begun
LONGEST_STRETCH = 5.0  # [s] of the scenario
TICK = 1e-3  # [s]
SAMPLE_EVERY = 10  # ticks, as in a drive

BODY, AXLES, SIDES = "car_measurements.plant.body", ("front", "rear"), ("left", "right")
# What bench.figures reads beside the signals of the comparison
KEPT = tuple(
    dict.fromkeys(
        (
            *SIGNALS.values(),
            "car_measurements.phase",
            "controller_measurements.supervisor.faults",
            f"{BODY}.sideslip",
            f"{BODY}.distance",
            "car_measurements.plant.ride.roll",
            "car_measurements.plant.battery.cell_voltage_lowest",
            *(f"car_measurements.plant.{axle}.{name}" for axle in AXLES for name in ("axle_torque", "half_shaft_torque")),
            *(f"car_measurements.plant.{axle}.{side}.slip" for axle in AXLES for side in SIDES),
        )
    )
)


def field_of(path: str) -> str:
    """Name of a signal, given by its dotted path from the node's record on, in a sample."""
    return path.replace(".", "_")


def kept_of(node: str) -> tuple[str, ...]:
    """The dotted paths, from the node's own records on, of what is kept of a node."""
    return tuple(path.removeprefix(f"{node}_") for path in KEPT if path.startswith(f"{node}_"))


CONTROLLER_KEPT = replace(CONTROLLER, sampled=kept_of("controller"))
CAR_KEPT = replace(CAR, sampled=kept_of("car"))


class Samples:
    """The kept signals, to be read like the samples of a drive: ``samples["car_measurements"]["plant"]["body"]["x"]``."""

    def __init__(self, array: Any, prefix: str = "") -> None:
        self._array, self._prefix = array, prefix

    def __getitem__(self, key: str) -> Any:
        name = self._prefix + key
        return self._array[name] if name in self._array.dtype.names else Samples(self._array, f"{name}_")


@dataclass(frozen=True)
class Record:
    """What is left of one drive: its scenario's samples, one every 10 ms."""

    scenario: Scenario
    array: Any  # structured array, fields named by field_of
    completed: bool  # the scenario ran to its end, with finite numbers

    @property
    def samples(self) -> Samples:
        """The samples as bench.figures reads them."""
        return Samples(self.array)

    def kept(self) -> "Record":
        """The same, to keep beyond the next drive."""
        return replace(self, array=self.array.copy())

    @property
    def trace(self) -> Trace:
        """The samples as the manoeuvres of the comparison read them."""
        return Trace(Trial(THIS, self.scenario), {name: self.array[field_of(path)] for name, path in SIGNALS.items()})


class Prepared:
    """A drive before power-on, to be driven again and again with other calibrations."""

    def __init__(
        self, network: Network, vehicle: Any, scenario: Scenario, *, calibration: Any, settings: Mapping[str, float] | None = None
    ) -> None:
        """``settings`` are further parameters of the car node by their dotted paths."""
        drive = Drive(network, vehicle, scenario, calibration=calibration)
        drive.controller.spec, drive.car.spec = CONTROLLER_KEPT, CAR_KEPT
        for path, value in (settings or {}).items():
            *blocks, key = path.split(".")
            block = drive.car.parameters
            for name in blocks:
                block = block[name]
            block[key] = value
        self.drive = drive
        self.nodes = [drive.controller, drive.car]
        arrays = [array for node in self.nodes for array in node.arrays[: len(node.arrays) - len(node.tables)]]
        self._fresh = [(bytes_of(array), bytes_of(array).copy()) for array in arrays]
        self._calibration = bytes_of(drive.controller.parameters)

    def reset(self, calibration: Any) -> None:
        """Back to before power-on, with a ``calibration`` (recarray (1,))."""
        for array, fresh in self._fresh:
            array[...] = fresh
        self._calibration[...] = bytes_of(calibration)


def bytes_of(array: Any) -> Any:
    """The memory of a record array; numpy copies records field by field, which takes a hundred times as long."""
    return array.view(np.ndarray).view(np.uint8)


class Rig:
    """One thread's bench."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._bench: Lockstep | None = None
        self._room: Any = None
        self._room_for_duration = 0.0  # [s]

    def run(self, prepared: Prepared, calibration: Any) -> Record:
        """Drive from power-on to the end of the scenario. The record is valid until the rig's next drive."""
        prepared.reset(calibration)
        drive = prepared.drive
        bench = self._started(prepared.nodes)
        room = self._room_for(bench, drive.duration + 2.0 * RUN_UP_STRETCH)
        count = 0
        while bench.time < drive.longest and not (drive.phase == Phase.DRIVING and drive.scenario_time >= drive.duration):
            left = drive.duration - drive.scenario_time + TICK
            stretch = min(left, LONGEST_STRETCH) if drive.phase == Phase.DRIVING else RUN_UP_STRETCH
            came = bench.advance_into(room[count:], stretch)
            if drive.phase == Phase.DRIVING:
                count += came if count else keep_driving(room[:came])
        array = room[:count]
        array = array[array["car_measurements_scenario_time"] <= drive.duration]
        return Record(drive.scenario, array, drive.scenario_time >= drive.duration and is_finite(array))

    @property
    def time(self) -> float:
        """Time [s] since power-on of the drive that was the last."""
        return self._bench.time if self._bench else 0.0

    def compile(self, prepared: Prepared) -> None:
        """Compile everything, or load it from the cache."""
        self._started(prepared.nodes).compile()

    def _started(self, nodes: list[Any]) -> Lockstep:
        if self._bench is None:
            self._bench = Lockstep(self._network, nodes, sample_every=SAMPLE_EVERY)
        self._bench.rewind(nodes)
        return self._bench

    def _room_for(self, bench: Lockstep, duration: float) -> Any:
        if duration > self._room_for_duration:
            self._room = bench.new_samples(duration).view(np.ndarray)
            self._room_for_duration = duration
        return self._room


def keep_driving(samples: Any) -> int:
    """Move the samples of the scenario itself to the front; how many there are."""
    driving = samples[samples["car_measurements_phase"] == Phase.DRIVING]
    samples[: len(driving)] = driving
    return len(driving)


def is_finite(samples: Any) -> bool:
    """Whether place and speed of the car are numbers all the time."""
    names: Sequence[str] = (field_of(f"{BODY}.x"), field_of(f"{BODY}.longitudinal_speed"))
    return bool(len(samples)) and all(bool(np.isfinite(samples[name]).all()) for name in names)
