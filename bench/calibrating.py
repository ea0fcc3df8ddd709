"""The calibration of the controller for a car: what its data sheet says, put into the controller's table.

A control unit is calibrated with the nominal data of its car; it does not know the car that is really there. Values that a data
sheet does not hold keep their defaults of :mod:`firmware_model.calibration`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench.plant import motor
from bench.plant.car import axle_stiffnesses, understeer_gradient
from bench.plant.ride import sprung_masses
from bench.vehicles import Vehicle
from firmware_model.calibration import Axle, Calibration
from firmware_model.kernel import Record, new
from hil.calibration.changes import changed
from hil.calibration.files import read_file

AXLE_DEFAULTS = cast(Record, Axle)
# Of the highest current, what the pack's busbars, fuse and contactors carry for ever: assumption, 480 of 800 A in a LEAF e+.
HEAT_SHARE = 0.6
LEAST_LOSS = 1.0  # [W] of a point of the envelope: a motor without losses has a fit, too
LOSSES = ("loss_idle", "loss_speed", "loss_torque", "loss_weakening")
GRID_POINTS = 11  # of torque, from none to the envelope

VEHICLE_VALUES = {
    "mass": "mass",
    "wheelbase": "wheelbase",
    "front_axle_to_cg": "front_axle_distance",
    "cg_height": "centre_height",
    "steering_ratio": "steering_ratio",
    "yaw_inertia": "yaw_inertia",
    "roll_stiffness_front": "roll_stiffness_front",
    "road_load_constant": "road_load_0",
    "road_load_linear": "road_load_1",
    "road_load_quadratic": "road_load_2",
}


def calibration_of(vehicle: Vehicle) -> Any:
    """The calibration of the controller for ``vehicle``: one-element recarray of firmware_model.calibration.Calibration.

    What the vehicle's data sheet says, and over that the values of its calibration file, if it has one. Raises CalibrationError
    if these contradict each other.
    """
    calibration = new(Calibration)
    controller, car = calibration[0], vehicle.parameters[0]
    for ours, its in VEHICLE_VALUES.items():
        controller.vehicle[ours] = car.body[its]
    controller.vehicle.front_track = car.front.track
    controller.vehicle.rear_track = car.rear.track
    controller.vehicle.front_cornering_stiffness, controller.vehicle.rear_cornering_stiffness = axle_stiffnesses(car)
    controller.vehicle.slip_stiffness = car.tyre.slip_stiffness
    controller.yaw_control.understeer_gradient = understeer_gradient(car)
    controller.driver_demand.speed_max = car.control.top_speed
    controller.torque_path.rise_rate = car.control.torque_rise_rate
    _put_axle(controller.front, car.front, car.tyre)
    _put_axle(controller.rear, car.rear, car.tyre)
    _put_monitor(controller.torque_monitor, controller, car)
    _put_ride(controller.ride_control, car)
    _put_pack(controller, car.battery)
    return changed(calibration, vehicle.calibration, f"calibration of {vehicle.name}")


def with_calibration(vehicle: Vehicle, path: Path | None) -> Vehicle:
    """The ``vehicle`` whose controller has the values of a calibration file, too. Raises CalibrationError with all findings."""
    if path is None:
        return vehicle
    file = read_file(path)
    file.on(calibration_of(vehicle))
    return replace(vehicle, calibration={**vehicle.calibration, **file.values})


def _put_axle(controller: Any, axle: Any, tyre: Any) -> None:
    """Data of one axle: gear, wheel, the motor's losses, and its envelope as peak torque, peak power and highest speed."""
    engine = axle.motor
    speeds = np.arange(len(engine.envelope_torque)) * engine.envelope_speed_step
    driving = engine.envelope_torque > 0.0
    controller.motor_present = int(driving.any())
    controller.gear_ratio = axle.gear_ratio
    controller.wheel_radius = tyre.radius
    controller.wheel_inertia = axle.wheel_inertia
    controller.inertia = engine.rotor_inertia * axle.gear_ratio**2 + 2.0 * axle.wheel_inertia
    controller.driveline_frequency = _driveline_frequency(axle, tyre)
    if controller.motor_present:
        controller.rotor_inertia = engine.rotor_inertia * axle.gear_ratio**2
        controller.motor_torque_max = engine.envelope_torque.max()
        controller.motor_power_max = (engine.envelope_torque * speeds).max()
        controller.motor_speed_max = speeds[driving].max()
        for key, loss in zip(LOSSES, loss_coefficients(engine), strict=True):
            controller[key] = max(loss, AXLE_DEFAULTS.field(key).minimum)
        for ours, its in (("motor", engine.winding), ("inverter", engine.inverter)):
            controller[f"{ours}_temperature_start"] = its.temperature_start
            controller[f"{ours}_temperature_end"] = its.temperature_end


def loss_coefficients(engine: Any) -> Any:
    """The coefficients LOSSES of the controller's model, by least squares over the motor's envelope.

    The squares are those of the error over the root of the loss: half-way between the absolute error, for which small losses do
    not count, and the relative one, for which large ones do not. A loss that would have to be negative to fit better is left
    out: those of a wound rotor rise with torque rather than with its square, and without torque it loses no iron.
    """
    torque, speed = _envelope_grid(engine)
    theta = motor.REFERENCE_TEMPERATURE
    points = zip(torque, speed, strict=True)
    loss = np.array([sum(motor.losses(t, omega, engine.envelope_voltage, theta, theta, engine)) for t, omega in points])
    columns = np.stack([np.ones_like(speed), speed**2, torque**2, (torque * speed) ** 2], axis=1)
    weight = 1.0 / np.sqrt(np.maximum(loss, LEAST_LOSS))
    scale = columns.max(axis=0)
    used = np.ones(len(LOSSES), dtype=bool)
    while True:
        coefficients = np.zeros(len(LOSSES))
        coefficients[used] = np.linalg.lstsq(weight[:, None] * columns[:, used] / scale[used], weight * loss, rcond=None)[0]
        if (coefficients >= 0.0).all():
            return coefficients / scale
        used &= coefficients >= 0.0


def _envelope_grid(engine: Any) -> tuple[Any, Any]:
    """Torques [Nm] and speeds [rad/s] that fill the envelope, as two columns."""
    shares = np.linspace(0.0, 1.0, GRID_POINTS)
    speeds = np.arange(len(engine.envelope_torque)) * engine.envelope_speed_step
    inside = engine.envelope_torque > 0.0
    torque = shares[None, :] * engine.envelope_torque[inside, None]
    return torque.ravel(), np.repeat(speeds[inside], GRID_POINTS)


def _put_monitor(monitor: Any, controller: Any, car: Any) -> None:
    """What the torque monitor allows: one motor's peak torque, and in all what the floored pedal of the force maps asks for."""
    driven = [axle for axle in (controller.front, controller.rear) if axle.motor_present]
    if not driven:
        return
    torque = max(axle.motor_torque_max for axle in driven)
    force = sum(axle.motor_torque_max * axle.gear_ratio for axle in driven) / car.tyre.radius
    per_torque = force / sum(axle.motor_torque_max for axle in driven)
    monitor.motor_torque_max = torque
    monitor.torque_sum_max = controller.driver_demand.force_standard.max() / per_torque
    monitor.slip_torque = 0.5 * torque


def _driveline_frequency(axle: Any, tyre: Any) -> float:
    """Angular frequency [rad/s] of the rotor on its half shafts and the carcasses of two tyres, against the road."""
    rotor = axle.motor.rotor_inertia * axle.gear_ratio**2
    carcasses = 2.0 * tyre.slip_stiffness * tyre.nominal_load / tyre.relaxation_length_longitudinal * tyre.radius**2
    stiffness = 1.0 / (1.0 / axle.shaft_stiffness + 1.0 / carcasses)
    return float(np.sqrt(stiffness / rotor)) if rotor else float(AXLE_DEFAULTS.field("driveline_frequency").default)


def _put_ride(ride: Any, car: Any) -> None:
    """Springs, side-view geometry, and what follows from them: frequency, damping and gradient of the pitch."""
    body, (m_f, m_r) = car.body, sprung_masses(car)
    a = m_r / (m_f + m_r) * body.wheelbase
    b = body.wheelbase - a
    stiffness = damping = 0.0
    lifts = []
    height = body.centre_height / body.wheelbase
    for name, axle, mass, arm in (("front", car.front, m_f, a), ("rear", car.rear, m_r, b)):
        links = axle.suspension
        omega = 2.0 * np.pi * links.ride_frequency
        rate = mass * omega**2
        ride[f"{name}_spring_rate"] = rate
        ride[f"{name}_drive_support"] = links.drive_support
        stiffness += rate * arm**2
        damping += 2.0 * links.damping_ratio * mass * omega * arm**2
        lifts.append((height - 0.5 * links.drive_support) / rate)
    ride.pitch_frequency = np.sqrt(stiffness / body.pitch_inertia)
    ride.pitch_damping_ratio = 0.5 * damping / np.sqrt(stiffness * body.pitch_inertia)
    ride.pitch_gradient = body.mass * sum(lifts) / body.wheelbase


def _put_pack(controller: Any, pack: Any) -> None:
    """Data of the pack: its cells, how they are wired, and what they may be asked for."""
    cell, sheet, limiter = pack.cell, controller.pack, controller.discharge_limiter
    sheet.cell_count = pack.series
    sheet.capacity = pack.parallel * cell.capacity
    sheet.heat_capacity = pack.heat_capacity
    for key in (
        "open_circuit_voltage",
        "time_constant_1",
        "time_constant_2",
        "series_over_charge",
        "polarisation_over_charge",
        "series_over_temperature",
        "polarisation_over_temperature",
        "resistance_in_charge",
    ):
        sheet[key] = cell[key]
    for key in ("resistance_0", "resistance_1", "resistance_2"):
        sheet[key] = cell[key] / pack.parallel
    sheet.charge_spread = pack.charge_spread
    sheet.resistance_spread = pack.resistance_spread
    limiter.cell_voltage_min = cell.voltage_min
    limiter.cell_voltage_max = cell.voltage_max
    limiter.discharge_current_max = pack.parallel * cell.discharge_current_max
    limiter.charge_current_max = pack.parallel * cell.charge_current_max
    limiter.heat_current = HEAT_SHARE * limiter.discharge_current_max
    # The most that current and full charge allow: where charge and temperature do not derate, another constraint binds first.
    limiter.power_full = limiter.discharge_current_max * pack.series * cell.open_circuit_voltage[-1]
