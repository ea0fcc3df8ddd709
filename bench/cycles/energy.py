"""Where the energy of a drive goes: from the cells to the road, each loss by its cause."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.figures import LIMIT_TOLERANCE, limit_share
from bench.nodes.car import Phase

AXLES = ("front", "rear")
WHEELS = tuple((axle, side) for axle in AXLES for side in ("left", "right"))
KILOWATT_HOUR = 3.6e6  # [J]
MOST_POINTS = 20_000  # of the curves that are kept of a drive, however long it is

# what is added up [J], in the order of its flow from the cells to the road
ENERGIES = {
    "cells": "from the cells",
    "pack_loss": "heat in the pack",
    "discharged": "out of the pack's terminals",
    "charged": "into the pack's terminals",
    "auxiliaries": "auxiliaries",
    "motor_loss": "motors and inverters",
    "traction": "motor shafts, driving",
    "regeneration": "motor shafts, braking",
    "driveline_loss": "half shafts and motor drag",
    "slip_loss": "tyre slip",
    "brake_loss": "friction brakes",
    "wheels": "wheels on the car, net",
    "road_load": "road load",
    "climb": "climbing",
}


def powers(samples: Any, mass: float) -> dict[str, Any]:
    """The powers [W] of ENERGIES at every sample of a car of that ``mass`` [kg]."""
    plant = samples["car_measurements"]["plant"]
    battery, body = plant["battery"], plant["body"]
    motors = [plant[axle]["motor"] for axle in AXLES]
    wheels = [plant[axle][side] for axle, side in WHEELS]
    shaft = sum(motor["mechanical_power"] for motor in motors)
    half_shafts = sum(
        plant[axle]["half_shaft_torque"] * 0.5 * (plant[axle]["left"]["speed"] + plant[axle]["right"]["speed"]) for axle in AXLES
    )
    slope = body["longitudinal_specific_force"] - body["longitudinal_acceleration"]  # g sin(grade)
    return {
        "cells": battery["open_circuit_voltage"] * battery["current"],
        "pack_loss": battery["loss_power"],
        "discharged": np.maximum(battery["power"], 0.0),
        "charged": np.maximum(-battery["power"], 0.0),
        "auxiliaries": battery["power"] - sum(motor["electrical_power"] for motor in motors),
        "motor_loss": sum(motor["loss_power"] for motor in motors),
        "traction": np.maximum(shaft, 0.0),
        "regeneration": np.maximum(-shaft, 0.0),
        "driveline_loss": shaft - half_shafts,
        "slip_loss": sum(wheel["slip_loss"] for wheel in wheels),
        "brake_loss": sum(wheel["brake_torque"] * np.abs(wheel["speed"]) for wheel in wheels),
        "wheels": sum(wheel["longitudinal_force"] * wheel["hub_speed_along"] for wheel in wheels),
        "road_load": body["road_load"] * body["longitudinal_speed"],
        "climb": mass * slope * body["longitudinal_speed"],
    }


@dataclass
class Meter:
    """Adds up a drive's energies sample by sample, and keeps some curves of it: memory does not grow with its length."""

    parameters: Any  # recarray (1,) of bench.plant.car.Parameters
    period: float  # [s] between samples
    thin: int = 1  # one sample of so many is kept for the curves
    joules: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ENERGIES, 0.0))
    limit_share: float = 0.0  # highest share of the pack's limits in use
    limit_violations: int = 0  # samples
    charge: float = 0.0  # [A s] net from the pack
    distance: float = 0.0  # [m]
    samples: int = 0
    first: Any = None  # samples
    last: Any = None
    curves: list[Any] = field(default_factory=list)

    def add(self, samples: Any) -> None:
        """Add ``samples`` of the scenario, which follow those before."""
        if not len(samples):
            return
        body = self.parameters[0].body
        for name, power in powers(samples, float(body.mass)).items():
            self.joules[name] += float(np.sum(power)) * self.period
        share = limit_share(samples)
        self.limit_share = max(self.limit_share, float(np.max(share)))
        self.limit_violations += int(np.count_nonzero(share > 1.0 + LIMIT_TOLERANCE))
        plant = samples["car_measurements"]["plant"]
        self.charge += float(np.sum(plant["battery"]["current"])) * self.period
        if self.first is None:
            self.first = samples[0].copy()
        self.last = samples[-1].copy()
        self.distance = float(self.last["car_measurements"]["plant"]["body"]["distance"]) - float(
            self.first["car_measurements"]["plant"]["body"]["distance"]
        )
        self.curves.append(self._curves(samples[-self.samples % self.thin :: self.thin]))
        self.samples += len(samples)

    def _curves(self, samples: Any) -> Any:
        """What the report draws of these samples."""
        plant = samples["car_measurements"]["plant"]
        pedals = samples["controller_inputs"]["pedals"]
        limiter = samples["controller_measurements"]["discharge_limiter"]
        kept = {
            "time": samples["car_measurements"]["scenario_time"],
            "speed": plant["body"]["longitudinal_speed"],
            "accelerator": pedals["accelerator"],
            "brake": pedals["brake"],
            "shaft_power": sum(plant[axle]["motor"]["mechanical_power"] for axle in AXLES),
            "pack_power": plant["battery"]["power"],
            "discharge_limit": limiter["discharge_limit"],
            "charge_limit": limiter["charge_limit"],
            "state_of_charge": plant["battery"]["state_of_charge"],
            "pack_temperature": plant["battery"]["temperature_average"],
            "front_winding": plant["front"]["motor"]["winding_temperature"],
            "distance": plant["body"]["distance"],
        }
        table = np.empty(len(samples), dtype=[(name, "f8") for name in kept])
        for name, values in kept.items():
            table[name] = values
        return table

    @property
    def dc(self) -> float:
        """Energy from the pack's terminals, net [J]."""
        return self.joules["discharged"] - self.joules["charged"]

    @property
    def kinetic(self) -> float:
        """What the moving car holds at the end more than at the beginning [J], wheels and rotors included."""
        held = [kinetic_energy(sample["car_measurements"]["plant"], self.parameters[0]) for sample in (self.first, self.last)]
        return held[1] - held[0]

    @property
    def open_balance(self) -> float:
        """Energy from the terminals that none of the causes explains [J]."""
        spent = ("auxiliaries", "motor_loss", "driveline_loss", "slip_loss", "brake_loss", "road_load", "climb")
        return self.dc - sum(self.joules[name] for name in spent) - self.kinetic

    @property
    def braking_share(self) -> float:
        """Share of the braking at motors and friction brakes that the motors did [1]."""
        braked = self.joules["regeneration"] + self.joules["brake_loss"]
        return self.joules["regeneration"] / braked if braked > 0.0 else float("nan")

    def curve(self) -> Any:
        """The curves that were kept, over the scenario's time."""
        return np.concatenate(self.curves)


def kinetic_energy(plant: Any, parameters: Any) -> float:
    """Energy [J] of the car's motion, of its wheels' and its rotors' rotation, from one sample of its measurements."""
    energy = 0.5 * float(parameters.body.mass) * float(plant["body"]["longitudinal_speed"]) ** 2
    for axle in AXLES:
        shape = parameters[axle]
        energy += 0.5 * float(shape.motor.rotor_inertia) * float(plant[axle]["motor"]["speed"]) ** 2
        for side in ("left", "right"):
            energy += 0.5 * float(shape.wheel_inertia) * float(plant[axle][side]["speed"]) ** 2
    return energy


def rotating_mass(parameters: Any) -> float:
    """Mass [kg] that wheels and rotors add to that of a car with these ``parameters`` (car.Parameters)."""
    inertia = sum(
        2.0 * float(parameters[axle].wheel_inertia)
        + float(parameters[axle].motor.rotor_inertia) * float(parameters[axle].gear_ratio) ** 2
        for axle in AXLES
    )
    return inertia / float(parameters.tyre.radius) ** 2


def driving_samples(samples: Any, end: float) -> Any:
    """The samples of the scenario itself up to ``end`` [s]."""
    car = samples["car_measurements"]
    return samples[(car["phase"] == Phase.DRIVING) & (car["scenario_time"] <= end)]
