"""The controller: its step as the list of its tasks, in the order in which they run.

    every step   all of it but
    10 ms        trust in the sources, pack estimate, power limits, learnt losses: the raster of their frames
    100 ms       derating by state of charge and temperature

No law depends on the base raster other than by ``dt``.
"""

from typing import Any

from firmware_model import (
    brake_blending,
    discharge_limiter,
    driver_demand,
    input_qualification,
    power_budget,
    supervisor,
    torque_monitor,
    torque_path,
    torque_split,
    vehicle_speed,
    wheel_slip,
    yaw_control,
)
from firmware_model.kernel import kernel

RASTER_10MS = 0.01  # [s]
TICKS_OF_100MS = 10


@kernel
def step(dt: float, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Run the controller once; ``dt`` [s] is the base raster, 0.1 to 1 ms.

    Reads ``inputs`` (signals.Inputs) and ``calibration``, keeps ``state``, writes ``outputs`` (signals.Outputs) and
    ``measurements``.
    """
    # What is known: inputs that can be believed, the battery's limits, speed over ground, whether torque may flow
    _acquire(dt, inputs, state, measurements, calibration)
    vehicle_speed.estimate(dt, state, measurements.vehicle_speed, calibration)
    permitted = supervisor.supervise(dt, inputs, state, outputs, measurements, calibration)
    speed = measurements.vehicle_speed.speed
    qualified, slip, gear = state.inputs, state.wheel_slip, state.supervisor.gear

    # What is wanted: driver, brake pedal and yaw control, over both axles
    f_brake = driver_demand.braking_force(qualified.brake, calibration)
    f_driver = driver_demand.acceleration_force(qualified.accelerator, gear, speed, f_brake, calibration)
    force = f_driver + brake_blending.regeneration(f_brake, driver_demand.direction(gear), speed, calibration)
    moment = yaw_control.yaw_moment(dt, qualified, speed, state.yaw_control, measurements.yaw_control, calibration)
    shift = yaw_control.split_shift(moment, force, qualified, measurements.yaw_control, calibration)
    front_wanted, rear_wanted = torque_split.split(dt, force, shift, qualified, state.torque_split, measurements, calibration)

    # What is possible: torque rates and ranges, the road, the battery
    front, rear = torque_path.approach(dt, front_wanted, rear_wanted, permitted, state, calibration)
    front = wheel_slip.limit(
        dt, front, front_wanted, qualified.front, speed, slip.front, measurements.front, calibration.front, calibration.wheel_slip
    )
    rear = wheel_slip.limit(
        dt, rear, rear_wanted, qualified.rear, speed, slip.rear, measurements.rear, calibration.rear, calibration.wheel_slip
    )
    front, rear = power_budget.fit(dt, front, rear, state.discharge_limiter, state, measurements, calibration)

    # What goes out, under the eyes of the monitor
    torque_path.command(front, rear, permitted, state, outputs, measurements, calibration)
    moment -= measurements.yaw_control.yaw_moment_split
    brake_blending.friction(f_brake, f_driver, speed, moment, state, outputs.brakes, measurements, calibration)
    torque_monitor.check_driver(dt, inputs, state.torque_monitor, outputs, measurements.torque_monitor, calibration)
    measurements.driver_demand.force = f_driver
    measurements.driver_demand.braking_force = f_brake
    _measure_axles(outputs, measurements, calibration)


@kernel
def follow_request(dt: float, inputs: Any, request: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Obey a recorded torque ``request`` (signals.Outputs, decoded from 0x1D4) as if it were the driver's demand.

    Only limiter, torque path and monitor run on it. There is no chassis in such a recording, and none is invented.
    """
    _acquire(dt, inputs, state, measurements, calibration)
    permitted = supervisor.supervise_request(request, state, outputs, measurements, calibration)
    front, rear = torque_path.approach(dt, request.front.motor_torque, request.rear.motor_torque, permitted, state, calibration)
    front, rear = power_budget.fit(dt, front, rear, state.discharge_limiter, state, measurements, calibration)
    torque_path.command(front, rear, permitted, state, outputs, measurements, calibration)
    torque_monitor.check_request(dt, request, state.torque_monitor, outputs, measurements.torque_monitor, calibration)
    _measure_axles(outputs, measurements, calibration)


@kernel
def _acquire(dt: float, inputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Check the inputs, and run the tasks of the slower rasters where they are due."""
    input_qualification.qualify(inputs, state, calibration)
    due_10ms, due_100ms = _advance_rasters(dt, state.raster)
    battery, limiter = state.inputs.battery, state.discharge_limiter
    if due_100ms:
        discharge_limiter.derate(battery, limiter, calibration.discharge_limiter)
    if due_10ms:
        input_qualification.watch(RASTER_10MS, state, calibration)
        discharge_limiter.estimate_pack(
            RASTER_10MS, battery, limiter, measurements.discharge_limiter, calibration.discharge_limiter
        )
        discharge_limiter.limit(RASTER_10MS, battery, limiter, measurements.discharge_limiter, calibration.discharge_limiter)
        power_budget.learn(RASTER_10MS, battery, state.power_budget, measurements.power_budget, calibration.power_budget)


@kernel
def _advance_rasters(dt: float, raster: Any) -> tuple[bool, bool]:
    """Whether the tasks of 10 ms and of 100 ms are due in this step."""
    raster.elapsed += dt
    # Half a step of tolerance: a sum of steps is not exact.
    if raster.elapsed < RASTER_10MS - 0.5 * dt:
        return False, False
    raster.elapsed -= RASTER_10MS
    raster.ticks += 1
    if raster.ticks < TICKS_OF_100MS:
        return True, False
    raster.ticks = 0
    return True, True


@kernel
def _measure_axles(outputs: Any, measurements: Any, calibration: Any) -> None:
    """Axle torques [Nm] that finally go out."""
    measurements.front.axle_torque = outputs.front.motor_torque * calibration.front.gear_ratio
    measurements.rear.axle_torque = outputs.rear.motor_torque * calibration.rear.gear_ratio
