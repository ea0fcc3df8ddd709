"""The calibration of the controller for a car: what its data sheet says, put into the controller's table.

A control unit is calibrated with the nominal data of its car; it does not know the car that is really there. Values that a data
sheet does not hold keep their defaults of :mod:`firmware_model.calibration`.
"""

from typing import Any

import numpy as np

from bench.vehicles import Vehicle
from firmware_model.calibration import Calibration
from firmware_model.kernel import new

PULSE = 10.0  # [s] for which the pack resistance of the calibration table holds

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
    calibration = new(Calibration)
    controller, car = calibration[0], vehicle.parameters[0]
    for ours, its in VEHICLE_VALUES.items():
        controller.vehicle[ours] = car.body[its]
    controller.vehicle.front_track = car.front.track
    controller.vehicle.rear_track = car.rear.track
    _put_axle(controller.front, car.front, car.tyre)
    _put_axle(controller.rear, car.rear, car.tyre)
    _put_pack(controller.discharge_limiter, car.battery)
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


def _put_pack(limiter: Any, pack: Any) -> None:
    """Data of the pack: how its cells are wired, what they may be asked for, and the resistance to begin with."""
    cell = pack.cell
    limiter.cell_count = pack.series
    limiter.cell_voltage_min = cell.voltage_min
    limiter.cell_voltage_max = cell.voltage_max
    limiter.discharge_current_max = pack.parallel * cell.discharge_current_max
    limiter.charge_current_max = pack.parallel * cell.charge_current_max
    # The most that current and full charge allow: where charge and temperature do not derate, another constraint binds first.
    limiter.power_full = limiter.discharge_current_max * pack.series * cell.open_circuit_voltage[-1]
    scale = pack.series / pack.parallel * _pulse_resistance(cell) / limiter.resistance
    for key in ("resistance", "resistance_min", "resistance_max"):
        limiter[key] *= scale


def _pulse_resistance(cell: Any) -> float:
    """Resistance [Ohm] of a cell after a pulse of PULSE [s], at 25 degC and mid charge."""
    fast = cell.resistance_1 * (1.0 - np.exp(-PULSE / cell.time_constant_1))
    slow = cell.resistance_2 * (1.0 - np.exp(-PULSE / cell.time_constant_2))
    return float(cell.resistance_0 + fast + slow)
