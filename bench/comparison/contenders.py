"""Who is compared: this controller, and two baselines, which are calibrations of the same code in the same car."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.calibrating import calibration_of
from bench.rows import OURS
from bench.vehicles import Vehicle, with_motor
from firmware_model.kernel.records import locate

Values = Mapping[str, float]

# What both baselines are without. Their power limit is static: losses as in the data sheet, and a fixed reserve for what that
# leaves unknown (assumption: 5 %).
PLAIN: Values = {
    "yaw_control.enabled": 0,
    "allocation.enabled": 0,
    "wheel_slip.enabled": 0,
    "ride_control.enabled": 0,
    "power_budget.learning_gain": 0.0,
    "power_budget.margin": 0.05,
}
HALF_AND_HALF: Values = {
    "torque_split.front_share": 0.5,
    "torque_split.load_gain": 0.0,
    "torque_split.efficiency_weight": 0.0,
}


@dataclass(frozen=True)
class Contender:
    """A way to control the car: calibration values that differ from the vehicle's own, and whether there is a rear motor."""

    name: str
    description: str
    values: Values = field(default_factory=dict, hash=False)
    rear_motor: bool = True

    def car(self, vehicle: Vehicle) -> Vehicle:
        """The car that is driven: the same mass with and without its rear motor."""
        return vehicle if self.rear_motor else with_motor(vehicle, "rear", "none")

    def calibration(self, vehicle: Vehicle) -> Any:
        """The controller's calibration for that car (recarray (1,))."""
        return baseline(calibration_of(self.car(vehicle)), self.values)


def baseline(calibration: Any, values: Values) -> Any:
    """``calibration`` (recarray (1,)) with other ``values``, by their dotted paths."""
    for path, value in values.items():
        locate(calibration, path)[...] = value
    return calibration


THIS = Contender(OURS, "the vehicle's own calibration")
FIXED_SPLIT = Contender(
    "(a) fixed 50:50",
    "half of the torque on each axle, no yaw control, no slip control, static power limit",
    {**PLAIN, **HALF_AND_HALF},
)
FRONT_DRIVE = Contender(
    "(b) front drive", "no rear motor, same mass and battery, no yaw control, no slip control", PLAIN, rear_motor=False
)
CONTENDERS = (THIS, FIXED_SPLIT, FRONT_DRIVE)
