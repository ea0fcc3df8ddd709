"""The test track: drives of contenders in lockstep, and what a drive leaves behind."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from bench.comparison.contenders import Contender
from bench.drive import Drive
from bench.nodes.car import Phase
from bench.scenarios import Scenario, load_scenario
from bench.vehicles import Vehicle
from firmware_model.kernel.records import locate
from hil.lockstep import Lockstep
from hil.network.database import Network, load_network

S = TypeVar("S")
T = TypeVar("T")

QUIET = 0.25  # [s] at the beginning of a scenario in which nothing happens: the record begins somewhere in it
RECORD_CHUNK = 0.25  # [s] short enough for its samples to stay in the processor's cache
TICK = 1e-3  # [s]

BODY, WHEEL = "car_measurements.plant.body", "car_measurements.plant"
WHEELS = ("front.left", "front.right", "rear.left", "rear.right")
SIGNALS = {
    "time": "car_measurements.scenario_time",  # [s]
    "x": f"{BODY}.x",  # [m]
    "y": f"{BODY}.y",  # [m]
    "yaw": f"{BODY}.yaw",  # [rad]
    "speed": f"{BODY}.longitudinal_speed",  # [m/s]
    "lateral_speed": f"{BODY}.lateral_speed",  # [m/s]
    "yaw_rate": f"{BODY}.yaw_rate",  # [rad/s]
    "lateral_acceleration": f"{BODY}.lateral_acceleration",  # [m/s2]
    "longitudinal_acceleration": f"{BODY}.longitudinal_acceleration",  # [m/s2]
    "pitch": "car_measurements.plant.ride.pitch",  # [rad]
    "pitch_rate": "car_measurements.plant.ride.pitch_rate",  # [rad/s]
    "steering": f"{BODY}.steering_wheel_angle",  # [rad]
    "yaw_rate_reference": "controller_measurements.yaw_control.yaw_rate_reference",  # [rad/s]
    "accelerator": "controller_inputs.pedals.accelerator",  # [1]
    "front_torque": "car_measurements.plant.front.motor.torque",  # [Nm] at the motor shaft
    "rear_torque": "car_measurements.plant.rear.motor.torque",  # [Nm] at the motor shaft
    "front_power": "car_measurements.plant.front.motor.mechanical_power",  # [W]
    "rear_power": "car_measurements.plant.rear.motor.mechanical_power",  # [W]
    "front_commanded": "controller_outputs.front.motor_torque",  # [Nm] at the motor shaft
    "front_reported": "controller_inputs.front.motor_torque",  # [Nm] at the motor shaft, by its frame
    "front_wanted": "controller_measurements.front.motor_torque_wanted",  # [Nm] at the motor shaft
    "rear_wanted": "controller_measurements.rear.motor_torque_wanted",  # [Nm] at the motor shaft
    "battery_power": "car_measurements.plant.battery.power",  # [W]
    "discharge_limit": "car_measurements.plant.battery.discharge_limit",  # [W] of the battery's controller
    "charge_limit": "car_measurements.plant.battery.charge_limit",  # [W] of the battery's controller
    **{f"{wheel}.rolling": f"{WHEEL}.{wheel}.circumferential_speed" for wheel in WHEELS},  # [m/s]
    **{f"{wheel}.ground": f"{WHEEL}.{wheel}.hub_speed_along" for wheel in WHEELS},  # [m/s]
    **{f"{wheel}.brake": f"{WHEEL}.{wheel}.brake_torque" for wheel in WHEELS},  # [Nm]
}


@dataclass(frozen=True)
class Trial:
    """One drive: who, what, and how far ahead the driver looks [s] where there is a path to follow."""

    contender: Contender
    scenario: Scenario
    preview_time: float | None = None


@dataclass(frozen=True)
class Trace:
    """The signals of a drive over the scenario's time, one value a millisecond, by the names of SIGNALS."""

    trial: Trial
    signals: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """The values of a signal; ``sideslip`` and ``<wheel>.slip_speed`` [m/s] are made of others."""
        if name == "sideslip":
            return self.sideslip
        if name.endswith(".slip_speed"):
            wheel = name.removesuffix(".slip_speed")
            return self[f"{wheel}.rolling"] - self[f"{wheel}.ground"]
        return self.signals[name]

    @property
    def contender(self) -> Contender:
        """Who drove."""
        return self.trial.contender

    @property
    def sideslip(self) -> Any:
        """Sideslip angle [rad], which goes to pi for a car that slides backwards; 0 at walking pace."""
        moving = np.hypot(self["speed"], self["lateral_speed"]) > 1.5
        return np.where(moving, np.arctan2(self["lateral_speed"], self["speed"]), 0.0)

    def at(self, name: str, time: float) -> float:
        """A signal at a ``time`` [s]."""
        return float(np.interp(time, self["time"], self[name]))

    def after(self, time: float) -> "Trace":
        """The part from a ``time`` [s] on."""
        kept = self["time"] >= time
        return replace(self, signals={name: values[kept] for name, values in self.signals.items()})

    def before(self, time: float) -> "Trace":
        """The part up to a ``time`` [s]."""
        kept = self["time"] <= time
        return replace(self, signals={name: values[kept] for name, values in self.signals.items()})


def whole(trace: Trace) -> Trace:
    """The measure of a drive of which everything is wanted."""
    return trace


class Track:
    """Where the drives happen: one vehicle, its network, and some threads."""

    def __init__(self, vehicle: Vehicle, workers: int | None = None, driven: Callable[[], None] = lambda: None) -> None:
        """``driven`` is called after each drive."""
        self.vehicle = vehicle
        self.network: Network = load_network(vehicle.network)
        self.workers = workers or os.cpu_count() or 1
        self.driven = driven

    def with_vehicle(self, vehicle: Vehicle) -> "Track":
        """The same track for another car."""
        return Track(vehicle, self.workers, self.driven)

    def drive_all(self, trials: Iterable[Trial], measure: Callable[[Trace], T]) -> list[T]:
        """Drive all trials and return what ``measure`` makes of each, in their order."""
        return self.each(lambda trial: self.drive(trial, measure), list(trials))

    def each(self, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """``work`` done on all items, on the threads of the track; the results in their order.

        A drive shares nothing with another but compiled code, which does not hold the interpreter's lock.
        """
        if self.workers == 1 or len(items) == 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(work, items))

    def compare(
        self, contenders: Sequence[Contender], scenario: Scenario, preview_time: float | None = None
    ) -> dict[Contender, Trace]:
        """The traces of some contenders in one scenario."""
        traces = self.drive_all([Trial(contender, scenario, preview_time) for contender in contenders], whole)
        return dict(zip(contenders, traces, strict=True))

    def drive(self, trial: Trial, measure: Callable[[Trace], T]) -> T:
        """Drive one trial and return what ``measure`` makes of it."""
        result = measure(record(self.start(trial), trial))
        self.driven()
        return result

    def start(self, trial: Trial) -> tuple[Drive, Lockstep]:
        """The drive of a trial, at the beginning of its scenario. Raises RuntimeError if it does not get there."""
        return run_up(new_drive(self.network, self.vehicle, trial), trial)

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        Drive(self.network, self.vehicle, load_scenario("launch")).lockstep().compile()


def new_drive(network: Network, vehicle: Vehicle, trial: Trial) -> Drive:
    """The drive of a trial, before power-on."""
    contender = trial.contender
    drive = Drive(network, contender.car(vehicle), trial.scenario, calibration=contender.calibration(vehicle))
    if trial.preview_time is not None:
        drive.car.parameters.driver.preview_time = trial.preview_time
    return drive


def run_up(drive: Drive, trial: Trial) -> tuple[Drive, Lockstep]:
    """Bring ``drive`` to the beginning of its scenario. Raises RuntimeError if that does not happen."""
    bench = drive.lockstep(sample_every=round(QUIET / TICK))
    while drive.phase != Phase.DRIVING:
        bench.advance(QUIET)
        if bench.time > drive.longest:
            raise RuntimeError(f"{trial.scenario.name}, {trial.contender.name}: the scenario never began")
    bench.sample_every = 1
    return drive, bench


def record(started: tuple[Drive, Lockstep], trial: Trial) -> Trace:
    """Drive the scenario to its end and keep its signals."""
    drive, bench = started
    pieces: dict[str, list[Any]] = {name: [] for name in SIGNALS}
    while drive.scenario_time < drive.duration - 0.5 * TICK:
        samples = bench.advance(min(RECORD_CHUNK, drive.duration - drive.scenario_time)).samples
        plain = samples.view(np.ndarray)  # whose fields are found much faster
        for name, path in SIGNALS.items():
            pieces[name].append(np.array(locate(plain, path), dtype=np.float64))
    return Trace(trial, {name: np.concatenate(values) for name, values in pieces.items()})
