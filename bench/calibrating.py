"""The calibration of the controller for a car: what its data sheet says, put into the controller's table.

A control unit is calibrated with the nominal data of its car; it does not know the car that is really there. Values that a data sheet
does not hold keep their defaults of :mod:`firmware_model.calibration`.
"""

from typing import Any

import numpy as np

from bench.vehicles import Vehicle
from firmware_model.calibration import Calibration

VEHICLE_VALUES = {
    "mass": "mass",
    "wheelbase": "wheelbase",
    "front_axle_to_cg": "front_axle_distance",
    "cg_height": "centre_height",
    "steering_ratio": "steering_ratio",
    "road_load_constant": "road_load_0",
    "road_load_linear": "road_load_1",
    "road_load_quadratic": "road_load_2",
}


def calibration_of(vehicle: Vehicle) -> Any:
    """The calibration of the controller for ``vehicle``: one-element recarray of firmware_model.calibration.Calibration."""
    calibration = Calibration.new()
    controller, car = calibration[0], vehicle.parameters[0]
    for ours, its in VEHICLE_VALUES.items():
        controller.vehicle[ours] = car.body[its]
    controller.vehicle.front_track = car.front.track
    controller.vehicle.rear_track = car.rear.track
    _put_axle(controller.front, car.front, car.tyre)
    _put_axle(controller.rear, car.rear, car.tyre)
    controller.discharge_limiter.cell_count = car.battery.series
    return calibration


def _put_axle(controller: Any, axle: Any, tyre: Any) -> None:
    """Data of one axle: gear, wheel, and the motor's envelope as peak torque, peak power and highest speed."""
    motor = axle.motor
    speeds = np.arange(len(motor.envelope_torque)) * motor.envelope_speed_step
    driving = motor.envelope_torque > 0.0
    controller.motor_present = int(driving.any())
    controller.gear_ratio = axle.gear_ratio
    controller.wheel_radius = tyre.radius
    controller.inertia = motor.rotor_inertia * axle.gear_ratio**2 + 2.0 * axle.wheel_inertia
    if controller.motor_present:
        controller.motor_torque_max = motor.envelope_torque.max()
        controller.motor_power_max = (motor.envelope_torque * speeds).max()
        controller.motor_speed_max = speeds[driving].max()
