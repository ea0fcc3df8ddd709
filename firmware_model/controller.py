"""The controller: its step as the list of its tasks, in the order in which they run.

    every step   driveline, slip control, power budget, torque path: the base raster, 0.1 to 1 ms
    1 ms         speed over ground, supervisor, torque monitor
    10 ms        trust in the sources, pack and its limits; vectoring: driver, estimates, yaw control, allocation, brakes
    100 ms       what changes slowly: derating by charge and temperatures

Every law is given the time since it last ran, and no gain depends on the raster in any other way.
"""

from typing import Any

from firmware_model import (
    actuator_test,
    brake_blending,
    control_allocation,
    discharge_limiter,
    driveline,
    driver_demand,
    friction,
    hand_torque,
    input_qualification,
    pack_estimate,
    power_budget,
    ride_control,
    sideslip,
    supervisor,
    thermal_derating,
    torque_monitor,
    torque_path,
    torque_split,
    tyre_load,
    vehicle_speed,
    wheel_slip,
    yaw_control,
)
from firmware_model.kernel import kernel
from firmware_model.measurements import Fault

RASTER_1MS = 0.001  # [s]
RASTER_10MS = 0.01  # [s]
RASTER_100MS = 0.1  # [s]
TICKS_OF_100MS = 10  # of 10 ms
# Contradictions that a motor on a table cannot help.
OF_A_MOVING_CAR = int(
    Fault.FRONT_WHEELS_CONTRADICTED
    | Fault.REAR_WHEELS_CONTRADICTED
    | Fault.YAW_RATE_CONTRADICTED
    | Fault.ACCELERATION_CONTRADICTED
)


@kernel
def step(dt: float, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Run the controller once; ``dt`` [s] is the base raster, 0.1 to 1 ms.

    Reads ``inputs`` (signals.Inputs) and ``calibration``, keeps ``state``, writes ``outputs`` (signals.Outputs) and
    ``measurements``.
    """
    due_1ms, due_10ms, due_100ms = _advance_rasters(dt, state.raster)
    input_qualification.qualify(inputs, state, calibration)
    if due_100ms:
        _derating(RASTER_100MS, inputs, state, measurements, calibration)
    if due_10ms:
        _battery_and_trust(RASTER_10MS, inputs, state, measurements, calibration)
    if due_1ms:
        vehicle_speed.estimate(RASTER_1MS, state, measurements.vehicle_speed, calibration)
        supervisor.supervise(RASTER_1MS, inputs, state, outputs, measurements, calibration)
    if due_10ms:
        _vectoring(RASTER_10MS, inputs, outputs, state, measurements, calibration)
    _torques(dt, inputs, outputs, state, measurements, calibration)
    if due_1ms:
        torque_monitor.check_driver(RASTER_1MS, inputs, state.torque_monitor, outputs, measurements.torque_monitor, calibration)
    torque_monitor.enforce(state.torque_monitor, outputs)
    _measure_axles(outputs, measurements, calibration)


@kernel
def step_by_hand(dt: float, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Run the controller once on a bench without a car: the operator's panel sets the motor torques, and the brakes rest.

    Supervisor, limiter, torque path and monitor are those of :func:`step`; what needs a car that rolls is left out. Torques of an
    actuator test take the place of both.
    """
    due_1ms, due_10ms, due_100ms = _advance_rasters(dt, state.raster)
    input_qualification.qualify(inputs, state, calibration)
    if due_100ms:
        _derating(RASTER_100MS, inputs, state, measurements, calibration)
    if due_10ms:
        _battery_and_trust(RASTER_10MS, inputs, state, measurements, calibration)
        state.sources.contradictions &= ~OF_A_MOVING_CAR  # motors turn, and no wheel does
    if due_1ms:
        _speed_of_motors(state, measurements.vehicle_speed, calibration)
        supervisor.supervise(RASTER_1MS, inputs, state, outputs, measurements, calibration)
    if due_10ms:
        actuator_test.follow(RASTER_10MS, state.vehicle_speed.speed, state.actuator_test, measurements.actuator_test, calibration)
        actuator_test.apply_brakes_alone(state.actuator_test, outputs.brakes)
    front, rear = hand_torque.wanted(state, inputs.panel, calibration)
    measurements.front.motor_torque_wanted, measurements.rear.motor_torque_wanted = front, rear
    front, rear = torque_path.approach(dt, front, rear, state, calibration)
    front, rear = power_budget.fit(dt, front, rear, state.discharge_limiter, state, measurements, calibration)
    torque_path.command(front, rear, state, outputs, calibration)
    if due_1ms:
        torque_monitor.check_hand(
            RASTER_1MS,
            inputs,
            state.actuator_test.request,
            state.torque_monitor,
            outputs,
            measurements.torque_monitor,
            calibration,
        )
    torque_monitor.enforce(state.torque_monitor, outputs)
    _measure_axles(outputs, measurements, calibration)


@kernel
def _speed_of_motors(state: Any, measurements: Any, calibration: Any) -> None:
    """The speed [m/s] that a car would have by its faster motor, for those who wait for standstill."""
    front, rear = calibration.front, calibration.rear
    by_front = state.inputs.front.motor_speed * front.wheel_radius / front.gear_ratio if front.motor_present else 0.0
    by_rear = state.inputs.rear.motor_speed * rear.wheel_radius / rear.gear_ratio if rear.motor_present else 0.0
    state.vehicle_speed.speed = measurements.speed = by_front if abs(by_front) > abs(by_rear) else by_rear


@kernel
def follow_request(dt: float, inputs: Any, request: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Obey a recorded torque ``request`` (signals.Outputs, decoded from 0x1D4) as if it were the driver's demand.

    Only limiter, torque path and monitor run on it. There is no chassis in such a recording, and none is invented.
    """
    _, due_10ms, due_100ms = _advance_rasters(dt, state.raster)
    input_qualification.qualify(inputs, state, calibration)
    if due_100ms:
        _follow_pack(state, calibration)
    if due_10ms:
        _battery_and_trust(RASTER_10MS, inputs, state, measurements, calibration)
    supervisor.supervise_request(request, state, outputs, measurements, calibration)
    # What such a recording knows of the car's speed.
    state.vehicle_speed.speed = state.inputs.front.motor_speed * calibration.front.wheel_radius / calibration.front.gear_ratio
    front, rear = torque_path.approach(dt, request.front.motor_torque, request.rear.motor_torque, state, calibration)
    front, rear = power_budget.fit(dt, front, rear, state.discharge_limiter, state, measurements, calibration)
    torque_path.command(front, rear, state, outputs, calibration)
    torque_monitor.check_request(dt, inputs, request, state.torque_monitor, outputs, measurements.torque_monitor, calibration)
    torque_monitor.enforce(state.torque_monitor, outputs)
    _measure_axles(outputs, measurements, calibration)


@kernel
def _follow_pack(state: Any, calibration: Any) -> None:
    """100 ms: what the pack's charge, temperature and age leave of its power and of its capacity."""
    battery = state.inputs.battery
    discharge_limiter.derate(battery, state.discharge_limiter, calibration.discharge_limiter)
    pack_estimate.follow_slow(battery, state.pack_estimate, calibration.pack, calibration.pack_estimate)


@kernel
def _derating(dt: float, inputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """100 ms: what battery and motors keep of their power at their charge and temperatures."""
    qualified = state.inputs
    _follow_pack(state, calibration)
    thermal_derating.derate(dt, inputs.front, qualified.front, calibration.front, calibration)
    thermal_derating.derate(dt, inputs.rear, qualified.rear, calibration.rear, calibration)
    measurements.front.thermal_share = qualified.front.torque_share
    measurements.rear.thermal_share = qualified.rear.torque_share


@kernel
def _battery_and_trust(dt: float, inputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """10 ms: who can be believed, what the battery gives, and what of it each motor may take."""
    battery = state.inputs.battery
    input_qualification.qualify_slow(inputs, state, calibration.input_qualification)
    input_qualification.watch(dt, state, calibration)
    input_qualification.cross_check(dt, inputs, state, calibration)
    pack_estimate.estimate(
        dt, battery, state.pack_estimate, measurements.discharge_limiter, calibration.pack, calibration.pack_estimate
    )
    discharge_limiter.limit(dt, battery, state, measurements, calibration)
    discharge_limiter.predict(battery, state, measurements, calibration)
    power_budget.learn(dt, state.inputs, state.power_budget, measurements.power_budget, calibration.power_budget)
    torque_path.bound(state, measurements, calibration)


@kernel
def _vectoring(dt: float, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """10 ms: what the driver wants, how the car moves, and what motors and brakes do about both."""
    qualified, speed, gear = state.inputs, state.vehicle_speed.speed, state.supervisor.gear
    direction = driver_demand.direction(gear)
    travel = _travel(direction, speed, calibration.vehicle_speed)
    mu = friction.estimate(dt, qualified, speed, state, calibration)
    by_brakes = wheel_slip.brake_moment(travel, state.wheel_slip, calibration)
    tyre_load.estimate(dt, qualified, by_brakes, state.tyre_load, calibration)
    beta = sideslip.observe(dt, qualified, speed, mu, state.sideslip, calibration)

    f_driver, f_brake = driver_demand.demand(
        dt, qualified, gear, speed, state.driver_demand, measurements.driver_demand, calibration
    )
    force = _wanted_force(dt, f_driver, f_brake, travel, state, calibration)
    force += _ride(dt, gear, speed, state, measurements.ride_control, calibration)
    moment = yaw_control.yaw_moment(dt, qualified, speed, beta, mu, state.yaw_control, measurements.yaw_control, calibration)
    share = torque_split.preferred_front_share(force, mu, qualified, state.tyre_load, calibration)

    wheel_slip.set_targets(state.friction, state.tyre_load, state.wheel_slip, calibration.wheel_slip)
    wheel_slip.expect_brakes(dt, outputs.brakes, state.wheel_slip, calibration.wheel_slip)
    wheel_slip.bound_wheels(
        dt, travel, qualified, inputs.wheels, measurements.vehicle_speed, state.torque_path, state.friction, state.wheel_slip,
        calibration,
    )  # fmt: skip
    control_allocation.bound_motors(dt, force, f_driver, direction, share, travel, state, calibration)
    control_allocation.bound_brakes(state.allocation.problem, calibration)
    control_allocation.allocate(force, moment, share, travel, state, measurements, calibration)
    brake_blending.command(state.allocation.force, speed, outputs.brakes, measurements.brake_blending, calibration)
    actuator_test.follow(dt, speed, state.actuator_test, measurements.actuator_test, calibration)
    actuator_test.apply_brakes(state.actuator_test, outputs.brakes)
    _measure_vectoring(beta, state, measurements)


@kernel
def _travel(direction: float, speed: float, c: Any) -> float:
    """Direction in which the car moves, 1 or -1; about standstill the one in which its gear of that ``direction`` moves it."""
    if abs(speed) > c.standstill_speed:
        return 1.0 if speed > 0.0 else -1.0
    return -1.0 if direction < 0.0 else 1.0


@kernel
def _wanted_force(dt: float, f_driver: float, f_brake: float, travel: float, state: Any, calibration: Any) -> float:
    """Longitudinal force [N] for the allocation: accelerator, brake pedal, and what a motor was told to brake but did not."""
    force = f_driver - travel * f_brake
    undelivered = brake_blending.undelivered_force(dt, state.inputs, state.torque_path, state.brake_blending, calibration)
    return force + undelivered if undelivered * travel < 0.0 and force * travel < 0.0 else force


@kernel
def _ride(dt: float, gear: int, speed: float, state: Any, measurements: Any, calibration: Any) -> float:
    """Force [N] that damps the pitch while a gear is engaged; and the torques that damp the drivelines."""
    qualified, ride, c = state.inputs, state.ride_control, calibration.ride_control
    ride_control.damp_driveline(dt, qualified.front, ride.front, calibration.front, c)
    ride_control.damp_driveline(dt, qualified.rear, ride.rear, calibration.rear, c)
    force = ride_control.damp_pitch(dt, qualified, speed, ride, measurements, c)
    return force if driver_demand.direction(gear) != 0.0 else 0.0


@kernel
def _torques(dt: float, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Every step: the allocated motor torques, as far as rates, road and battery let them."""
    qualified, ride, shafts, slip = state.inputs, state.ride_control, state.driveline, state.wheel_slip
    last, permissions, motion = state.torque_path, state.supervisor, measurements.vehicle_speed
    front_wanted, rear_wanted = control_allocation.motor_torques(state.allocation, calibration)
    front_most, rear_most = torque_path.approach(dt, front_wanted, rear_wanted, state, calibration)
    front = ride_control.shape(
        dt, front_most, last.front_torque, permissions.front_permitted, qualified.front, ride.front,
        measurements.ride_control.front, calibration.front, calibration,
    )  # fmt: skip
    rear = ride_control.shape(
        dt, rear_most, last.rear_torque, permissions.rear_permitted, qualified.rear, ride.rear,
        measurements.ride_control.rear, calibration.rear, calibration,
    )  # fmt: skip
    c = calibration.driveline
    driveline.observe_axle(dt, qualified.front, inputs.front.link.received, shafts.front, calibration.front, c)
    driveline.observe_axle(dt, qualified.rear, inputs.rear.link.received, shafts.rear, calibration.rear, c)
    front = wheel_slip.limit(
        dt, front, shafts.front, qualified.front_wheel_speed, motion, slip.front, measurements.front, calibration.front,
        calibration.wheel_slip,
    )  # fmt: skip
    rear = wheel_slip.limit(
        dt, rear, shafts.rear, qualified.rear_wheel_speed, motion, slip.rear, measurements.rear, calibration.rear,
        calibration.wheel_slip,
    )  # fmt: skip
    front = torque_path.within_range(
        front, front_most, permissions.front_permitted, permissions.output_share, qualified.front, calibration.front,
        calibration.torque_path,
    )  # fmt: skip
    rear = torque_path.within_range(
        rear, rear_most, permissions.rear_permitted, permissions.output_share, qualified.rear, calibration.rear,
        calibration.torque_path,
    )  # fmt: skip
    front, rear = power_budget.fit(dt, front, rear, state.discharge_limiter, state, measurements, calibration)
    torque_path.command(front, rear, state, outputs, calibration)
    measurements.front.motor_torque_wanted = front_wanted
    measurements.rear.motor_torque_wanted = rear_wanted


@kernel
def _advance_rasters(dt: float, raster: Any) -> tuple[bool, bool, bool]:
    """Whether the tasks of 1 ms, 10 ms and 100 ms are due in this step."""
    tolerance = 0.5 * dt  # a sum of steps is not exact
    raster.elapsed_1ms += dt
    raster.elapsed_10ms += dt
    due_1ms = raster.elapsed_1ms >= RASTER_1MS - tolerance
    due_10ms = raster.elapsed_10ms >= RASTER_10MS - tolerance
    if due_1ms:
        raster.elapsed_1ms -= RASTER_1MS
    if due_10ms:
        raster.elapsed_10ms -= RASTER_10MS
        raster.ticks_10ms += 1
    due_100ms = due_10ms and raster.ticks_10ms == TICKS_OF_100MS
    if due_100ms:
        raster.ticks_10ms = 0
    return due_1ms, due_10ms, due_100ms


@kernel
def _measure_vectoring(beta: float, state: Any, measurements: Any) -> None:
    """What vectoring estimates and wants."""
    vehicle, load = measurements.vehicle_state, state.tyre_load
    vehicle.sideslip = beta
    vehicle.friction_left = state.friction.left
    vehicle.friction_right = state.friction.right
    vehicle.front_lateral_force = load.front_lateral_force
    vehicle.rear_lateral_force = load.rear_lateral_force


@kernel
def _measure_axles(outputs: Any, measurements: Any, calibration: Any) -> None:
    """Axle torques [Nm] that finally go out."""
    measurements.front.axle_torque = outputs.front.motor_torque * calibration.front.gear_ratio
    measurements.rear.axle_torque = outputs.rear.motor_torque * calibration.rear.gear_ratio
