"""What the car in the drives may have else than the car in the data sheet: mass, grip, age, noise, delays.

The controller keeps the calibration for the data sheet. All trials of a study meet the same samples (common random numbers), so
that a difference between two of them is one of their calibrations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.nodes import road
from bench.nodes import stimulus as columns
from bench.scenarios import Scenario
from bench.vehicles import Vehicle

LEAST_FRICTION, MOST_FRICTION = 0.01, 2.0
LARGEST_SEED = 2**31 - 2

Range = tuple[float, float]


@dataclass
class Car:
    """One sample: a car, what its drives begin with, and what its sensors do."""

    vehicle: Vehicle
    friction: float = 1.0  # factor on the road's
    state_of_charge: float | None = None  # None: the scenario's
    temperature: float | None = None  # [degC]
    settings: dict[str, float] = field(default_factory=dict)  # parameters of the car node

    @property
    def plant(self) -> Any:
        """The parameters of the plant (record)."""
        return self.vehicle.parameters[0]

    def scenario(self, scenario: Scenario) -> Scenario:
        """``scenario`` on the road and with the pack of this sample."""
        changed = scenario
        if self.friction != 1.0:
            changed = replace(changed, stimulus=slippery(changed.stimulus, self.friction), road=icy(changed.road, self.friction))
        if self.state_of_charge is not None:
            changed = replace(changed, state_of_charge=self.state_of_charge)
        if self.temperature is not None:
            changed = replace(changed, temperature=self.temperature)
        return changed


@dataclass(frozen=True)
class Quantity:
    """Something that spreads: its unit, the range that makes sense, how it is set, and what it is."""

    unit: str
    range: Range
    put: Callable[[Car, float], None]
    description: str


def slippery(stimulus: Any, factor: float) -> Any:
    """The stimulus table with other friction."""
    table = stimulus.copy()
    for column in (columns.FRICTION_LEFT, columns.FRICTION_RIGHT):
        table[:, column] = np.clip(factor * table[:, column], LEAST_FRICTION, MOST_FRICTION)
    return table


def icy(patches: Any, factor: float) -> Any:
    """The patches of road with other friction."""
    table = patches.copy()
    table[:, road.FRICTION] = np.clip(factor * table[:, road.FRICTION], LEAST_FRICTION, MOST_FRICTION)
    return table


def put_mass(car: Car, factor: float) -> None:
    """The same car, denser."""
    body = car.plant.body
    for key in ("mass", "yaw_inertia", "pitch_inertia", "roll_inertia"):
        body[key] *= factor


def put_friction(car: Car, factor: float) -> None:
    """Another road."""
    car.friction = factor


def put_tyre_friction(car: Car, factor: float) -> None:
    """Other rubber."""
    car.plant.tyre.friction *= factor


def put_tyre_stiffness(car: Car, factor: float) -> None:
    """Winter tyres, worn tyres, another pressure."""
    car.plant.tyre.slip_stiffness *= factor
    car.plant.tyre.cornering_stiffness_peak *= factor


def put_health(car: Car, health: float) -> None:
    """A pack that has lost capacity."""
    car.plant.battery.state_of_health = health


def put_resistance(car: Car, factor: float) -> None:
    """A pack whose resistance has grown."""
    car.plant.battery.series_growth *= factor
    car.plant.battery.polarisation_growth *= factor


def put_temperature(car: Car, temperature: float) -> None:
    """A cold or a hot pack."""
    car.temperature = temperature


def put_charge(car: Car, state_of_charge: float) -> None:
    """A full or an empty pack."""
    car.state_of_charge = state_of_charge


def put_noise(car: Car, multiple: float) -> None:
    """Noisy sensors."""
    car.settings["chassis.noise"] = multiple


def put_delay(car: Car, delay: float) -> None:
    """Late sensors."""
    car.settings["chassis.delay"] = delay


def put_motor_lag(car: Car, factor: float) -> None:
    """Slower inverters."""
    for axle in (car.plant.front, car.plant.rear):
        axle.motor.torque_lag_time *= factor


def put_brake_lag(car: Car, factor: float) -> None:
    """Slower brakes."""
    for axle in (car.plant.front, car.plant.rear):
        axle.brake.lag_time *= factor


QUANTITIES: dict[str, Quantity] = {
    "mass": Quantity("1", (0.5, 2.0), put_mass, "factor on mass and moments of inertia"),
    "friction": Quantity("1", (0.1, 1.5), put_friction, "factor on the friction of the road"),
    "tyre_friction": Quantity("1", (0.5, 1.5), put_tyre_friction, "factor on the friction of the tyres"),
    "tyre_stiffness": Quantity("1", (0.5, 1.5), put_tyre_stiffness, "factor on slip and cornering stiffness"),
    "battery_health": Quantity("1", (0.3, 1.0), put_health, "capacity of the pack over that of the new one"),
    "battery_resistance": Quantity("1", (0.5, 3.0), put_resistance, "factor on the resistances of the pack"),
    "temperature": Quantity("°C", (-30.0, 55.0), put_temperature, "temperature of the pack"),
    "state_of_charge": Quantity("1", (0.02, 1.0), put_charge, "state of charge of the pack"),
    "sensor_noise": Quantity("1", (0.0, 10.0), put_noise, "noise of the sensors, as a multiple of the usual one"),
    "sensor_delay": Quantity("s", (0.0, 0.06), put_delay, "age of the sensors' readings, beyond their frames"),
    "motor_lag": Quantity("1", (0.2, 4.0), put_motor_lag, "factor on the lag of the motors' torque"),
    "brake_lag": Quantity("1", (0.2, 4.0), put_brake_lag, "factor on the lag of the brakes"),
}


def car_with(vehicle: Vehicle, values: Mapping[str, float], seed: int) -> Car:
    """The ``vehicle`` with some quantities set; ``seed`` is where the noise of its sensors begins."""
    car = Car(replace(vehicle, parameters=vehicle.parameters.copy()))
    car.settings["chassis.noise_seed"] = 1 + seed % LARGEST_SEED
    for name, value in values.items():
        QUANTITIES[name].put(car, value)
    return car


def latin_hypercube(ranges: Mapping[str, Range], count: int, seed: int) -> list[dict[str, float]]:
    """``count`` samples, in each quantity one in every ``count``-th part of its range (M. D. McKay et al., 1979)."""
    generator = np.random.default_rng([seed, count])
    drawn = {
        name: low + (high - low) * (generator.permutation(count) + generator.random(count)) / count
        for name, (low, high) in ranges.items()
    }
    return [{name: float(values[k]) for name, values in drawn.items()} for k in range(count)]


def monte_carlo(ranges: Mapping[str, Range], count: int, seed: int) -> list[dict[str, float]]:
    """``count`` independent samples, evenly distributed in each quantity's range."""
    generator = np.random.default_rng([seed, count])
    shares = generator.random((count, len(ranges)))
    return [
        {name: float(low + (high - low) * share) for (name, (low, high)), share in zip(ranges.items(), row, strict=True)}
        for row in shares
    ]
