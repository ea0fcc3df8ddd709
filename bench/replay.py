"""A replay: the recording of a real car, what it says, and what the controller makes of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.calibrating import calibration_of
from bench.vehicles import Vehicle
from firmware_model.calibration import Calibration
from firmware_model.kernel.records import locate
from firmware_model.measurements import Measurements
from firmware_model.state import State
from hil.captures import Capture
from hil.decoding import Recording, Series
from hil.errors import UsageError
from hil.integrity import MessageIntegrity, measure_integrity
from hil.matching import Assignment, Detection, assign_buses, detect_recorded_network
from hil.network.database import Network, load_network
from hil.node import NodeSpec
from hil.replay import Replay

FOLLOWER = NodeSpec(
    name="controller",
    step="firmware_model.controller.follow_request",
    is_controller=True,
    state=State,
    measurements=Measurements,
    parameters=Calibration,
    sampled=("outputs", "measurements"),
)
# What FOLLOWER leaves untouched, as paths of its samples: the tasks that need a chassis, the derating of the motors by their
# heat, which the recorded request has behind it, and what only a receiver fills.
NOT_RUN = (
    "controller.outputs.brakes",
    *(f"controller.outputs.{axle}.{link}" for axle in ("front", "rear") for link in ("link", "mode_link")),
    *(f"controller.outputs.power.{link}" for link in ("link", "rear_link", "charger_link")),
    "controller.measurements.vehicle_speed",
    "controller.measurements.driver_demand",
    "controller.measurements.vehicle_state",
    "controller.measurements.yaw_control",
    "controller.measurements.allocation",
    "controller.measurements.ride_control",
    "controller.measurements.brake_blending",
    *(
        f"controller.measurements.{axle}.{name}"
        for axle in ("front", "rear")
        for name in ("motor_torque_wanted", "slip_speed", "slip_torque", "slip_active", "thermal_share")
    ),
    "controller.measurements.supervisor.state",
    "controller.measurements.supervisor.latched_faults",
)
AXLES = ("front", "rear")
LEAST_POWER = 1e3  # [W] below it the auxiliaries are the power, and a share of a limit means nothing
FEWEST_GOOD = 0.5  # share of right CRCs below which a recording is of another car


@dataclass(frozen=True)
class Source:
    """A source of the controller, and the signal by which it is told whether it was recorded."""

    name: str
    path: str
    requested: bool = False  # sent by the real controller
    followed: bool = False  # without it limiter, torque path and monitor have nothing to work with
    without: str = ""  # what follows from its absence

    def is_in(self, recording: Recording) -> bool:
        """Whether the recording has it."""
        return len(recording.requested(self.path) if self.requested else recording.received(self.path)) > 0


SOURCES = (
    Source("torque request", "front.motor_torque", requested=True, followed=True),
    Source("front inverter", "front.motor_speed", followed=True),
    Source("rear inverter", "rear.motor_speed", without="the controller runs without a rear motor"),
    Source("pack voltage and current", "battery.voltage", followed=True),
    Source("power limits of the battery", "battery.discharge_limit", followed=True),
    Source("state of charge", "battery.state_of_charge", followed=True),
    Source("pack temperature", "battery.temperature_highest", without="the limiter reckons with 25 °C"),
    Source("pedals", "pedals.accelerator", without="the recorded torque request is the driver's demand"),
    Source("steering wheel", "steering.wheel_angle", without="yaw control does not run"),
    Source("yaw rate and acceleration", "motion.yaw_rate", without="yaw control does not run"),
    Source("front wheel speeds", "wheels.front_left", without="slip control does not run"),
    Source("rear wheel speeds", "wheels.rear_left", without="slip control does not run"),
    Source("brake pressures", "brakes.front_left", without="brake blending does not run"),
)


@dataclass(frozen=True, eq=False)
class ReplayResult:
    """Everything that a replay found."""

    capture: Capture
    network: Network
    detection: Detection | None  # None: the network was named
    assignment: Assignment
    vehicle: Vehicle
    recording: Recording
    samples: Any  # recarray, every 10 ms: time [s], controller_outputs, controller_measurements
    integrity: list[MessageIntegrity]

    @property
    def frames(self) -> Any:
        """The frames of all buses, oldest first."""
        return self.assignment.frames

    @property
    def axles(self) -> list[str]:
        """The axles whose inverter was recorded."""
        return recorded_axles(self.recording)

    @property
    def missing(self) -> list[str]:
        """The sources without which the controller cannot follow the recording."""
        return [source.name for source in SOURCES if source.followed and not source.is_in(self.recording)]

    @property
    def notes(self) -> list[str]:
        """What the user has to know, in whole sentences."""
        notes = list(self.capture.notes)
        if self.detection and self.detection.alike:
            others = ", ".join(self.detection.alike)
            notes.append(f"The recording fits {others} as well as {self.network.name}; --network chooses.")
        for channel, frames in self.assignment.left_out.items():
            notes.append(f"Channel {channel} ({frames} frames) is left out; --bus-config {channel}=BUS puts it on a bus.")
        if len(self.recording.received("pedals.accelerator")):
            notes.append("The pedals were recorded, too, but the recorded torque request is the driver's demand.")
        for axle in self.axles:
            if not calibration_of(self.vehicle)[axle]["motor_present"][0]:
                notes.append(f"The recording has a {axle} motor, {self.vehicle.name} has none; name the car with --vehicle.")
        return notes

    def measured(self, path: str) -> Any:
        """A measurement of the controller in every sample."""
        return locate(self.samples["controller_measurements"], path)

    def commanded(self, path: str) -> Any:
        """An output of the controller in every sample."""
        return locate(self.samples["controller_outputs"], path)

    def battery(self, name: str) -> Series:
        """Voltage, current or a power limit of the pack: of the wide frame where there is one, as in the controller."""
        wide = self.recording.received(f"battery_wide.{name}")
        return wide if np.isfinite(wide.values).any() else self.recording.received(f"battery.{name}")

    @property
    def battery_power(self) -> Series:
        """Power [W] at the pack's terminals, positive in discharge."""
        voltage, current = self.battery("voltage"), self.battery("current")
        return Series(voltage.times, voltage.values * current.at(voltage.times), "W")

    @property
    def shaft_power(self) -> Series:
        """Mechanical power [W] of all motors that were recorded."""
        times = self.recording.received(f"{self.axles[0]}.motor_torque").times if self.axles else np.zeros(0)
        power = np.zeros(len(times))
        for axle in self.axles:
            torque, speed = (self.recording.received(f"{axle}.motor_{name}") for name in ("torque", "speed"))
            power += torque.at(times) * speed.at(times)
        return Series(times, power, "W")

    def limit_share(self, direction: str) -> Series:
        """Power of the pack over the battery's limit in that direction, "discharge" or "charge"; 0 below 1 kW."""
        power = self.battery_power
        values = power.values if direction == "discharge" else -power.values
        limit = self.battery(f"{direction}_limit").at(power.times)
        unknown = np.isnan(limit) | np.isnan(values)
        relevant = (values > LEAST_POWER) & (limit > LEAST_POWER)
        return Series(power.times, np.divide(values, limit, out=np.where(unknown, np.nan, 0.0), where=relevant), "1")

    @property
    def torque_cut(self) -> Any:
        """Motor torque [Nm] that the limiter takes from the request in every sample; 0 where a fault stops the torque anyway."""
        times, factor = self.samples["time"], self.measured("power_budget.torque_factor")
        requests = (self.recording.requested(f"{axle}.motor_torque").at(times) for axle in self.axles)
        wanted = sum((np.abs(np.nan_to_num(request)) for request in requests), np.zeros(len(times)))
        return np.where(self.measured("supervisor.torque_permitted") == 1, wanted * (1.0 - factor), 0.0)

    @property
    def binding(self) -> Any:
        """The Constraint of the limit in whose direction the predicted power flows, in every sample."""
        discharge, charge = (self.measured(f"discharge_limiter.{name}_constraint") for name in ("discharge", "charge"))
        return np.where(self.measured("power_budget.predicted_power") >= 0.0, discharge, charge)


class CaptureReplay:
    """A capture and the controller that is to follow it."""

    def __init__(self, capture: Capture, vehicle: Vehicle, network: str | None, bus_config: dict[str, str]) -> None:
        """``network`` by name or path, detected if None; ``bus_config`` gives buses to channels.

        Raises UsageError if the capture does not fit.
        """
        self.capture, self.vehicle = capture, vehicle
        self.detection = None if network else detect_recorded_network(capture)
        self.network = self.detection.network if self.detection else load_network(str(network))
        self.assignment = assign_buses(capture, self.network, bus_config)
        self.recording = Recording(self.network, self.assignment.frames)
        if self.detection:
            _require_same_car(capture, self.network, self.recording)
        self.engine = Replay(self.network, FOLLOWER)
        self.engine.controller.parameters[:] = self._calibration()

    def _calibration(self) -> Any:
        """That of the vehicle, with the motors that were recorded: the silence of another one would stop the torque."""
        calibration = calibration_of(self.vehicle)
        for axle in AXLES:
            if axle not in recorded_axles(self.recording):
                calibration[axle]["motor_present"] = 0
        return calibration

    def compile(self) -> None:
        """Compile everything, or load it from the cache."""
        self.engine.compile()

    def result(self) -> ReplayResult:
        """Run the controller on the recording."""
        samples = self.engine.run(self.assignment.frames)
        return ReplayResult(
            capture=self.capture,
            network=self.network,
            detection=self.detection,
            assignment=self.assignment,
            vehicle=self.vehicle,
            recording=self.recording,
            samples=samples,
            integrity=measure_integrity(self.network, self.assignment.frames, self.engine.nodes),
        )


def recorded_axles(recording: Recording) -> list[str]:
    """The axles whose inverter was recorded."""
    return [axle for axle in AXLES if len(recording.received(f"{axle}.motor_speed"))]


def _require_same_car(capture: Capture, network: Network, recording: Recording) -> None:
    """Identifiers may agree by chance, CRCs do not. Raises UsageError."""
    protected = [decoded for decoded in recording.messages if decoded.bus_message.message.has_check]
    frames, good = sum(decoded.frames for decoded in protected), sum(decoded.good for decoded in protected)
    if good < FEWEST_GOOD * frames:
        raise UsageError(
            f"{capture.path}: has identifiers of {network.name}, but only {good} of {frames} CRCs are right: it is probably of "
            f"another car; --network {network.name} replays it all the same"
        )
