"""Wheel slip: the window of torque in which the wheels of an axle, and each single one, neither spin nor lock.

A shaft of inertia J is turned by its actuator and held by the road, which takes T_road from it (:mod:`driveline`). An actuator
with lag tau would leave a slip of s + tau ds/dt behind if it stopped acting now; it is told to take that back to the target s_t
within T_c:

    T_upper = T_road + J (a_x / r + (s_t - s - tau ds/dt) / (r T_c))        and T_lower with -s_t

The closed loop has the poles -1/tau and -1/T_c whatever the road does, and no integrator that winds up; driving, regeneration
and reverse are one case. The motor's window opens where slip is certain, for a motor swings on its half shafts without its wheels
slipping, and never asks for more than was wanted; it runs at the base raster.

At 10 ms the same law has a window for each wheel, of the torque of motor and brake together. Which of them keeps to it is the
allocation's choice: behind an open differential a brake on the slippery side lets the motor drive the other one.
"""

from math import cos, sin
from typing import Any

from firmware_model import driveline, tyre_load
from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag, slew
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def limit(
    dt: float, torque: float, shaft: Any, sensed: float, motion: Any, state: Any, measurements: Any, axle: Any, c: Any
) -> float:
    """As much of the motor ``torque`` [Nm] as leaves the axle's slip at its target.

    ``shaft`` (ShaftState) tells what motor and wheels do; ``sensed`` [m/s] is the wheels' mean speed by their own slower sensors,
    without sign; ``motion`` (VehicleSpeedMeasurements) is the car's. The rest belongs to the axle.
    """
    state.slip = axle.wheel_radius * shaft.speed - motion.speed
    state.target = slip_target(motion.speed, state.friction, state.target_share, c)
    ahead = state.slip + c.motor_lag * (axle.wheel_radius * shaft.acceleration - motion.acceleration)
    taken = torque
    if c.enabled and axle.motor_present and (state.active or state.alert > 0.0 or _begins(ahead, sensed, motion.speed, state, c)):
        lower, upper = _window(
            ahead, -state.target, state.target, shaft.road_torque, motion.acceleration, c.motor_time_constant, axle.wheel_radius,
            axle.inertia,
        )  # fmt: skip
        taken = _within_wish(torque, lower / axle.gear_ratio, upper / axle.gear_ratio, shaft.speed, state, c)
    state.active = taken != torque
    if state.active or state.alert > 0.0:
        _stay_alert(dt, state, c)
    state.torque_lowest = taken if taken > torque else -axle.motor_torque_max
    state.torque_highest = taken if taken < torque else axle.motor_torque_max
    measurements.slip_speed = state.slip
    measurements.slip_active = state.active
    measurements.slip_torque = axle.gear_ratio * (torque - taken)
    return taken


@kernel
def _begins(ahead: float, sensed: float, speed: float, state: Any, c: Any) -> bool:
    """Whether slip that is foreseen (``ahead`` [m/s]) is real: large, or seen by the wheels' own sensors (``sensed`` [m/s]), too.

    A motor that swings on its half shafts looks like slip, but never for long and never like much.
    """
    direction = 1.0 if ahead > 0.0 else -1.0
    if direction * ahead < state.target:
        return False
    by_sensors = (-sensed if speed < 0.0 else sensed) - speed
    return direction * state.slip > c.certain_share * state.target or direction * by_sensors > c.sensed_share * state.target


@kernel
def _stay_alert(dt: float, state: Any, c: Any) -> None:
    """After slip, more of it is real: one that had to be confirmed each time would be held in a cycle.

    But where a low speed leaves so little slip that a swinging motor looks like it.
    """
    if state.active and state.target > c.slip_speed:
        state.alert = c.alert_time
    else:
        state.alert = max(state.alert - dt, 0.0)


@kernel
def _within_wish(torque: float, lower: float, upper: float, speed: float, state: Any, c: Any) -> float:
    """``torque`` [Nm] between ``lower`` and ``upper`` [Nm], never more than itself, with wheels at ``speed`` [rad/s].

    Of the other sign only for wheels that spin already: slip that is foreseen may not come, and wheels that lock are released.
    """
    against = c.opposite_torque_max if state.slip * speed > 0.0 and abs(state.slip) > state.target else 0.0
    if torque >= 0.0:
        return clamp(upper, -against, torque)
    return clamp(lower, torque, against)


@kernel
def slip_target(speed: float, friction: float, share: float, c: Any) -> float:
    """Slip speed [m/s] that is held at ``speed`` [m/s] on ``friction`` [1]: absolute when slow, in proportion above.

    A tyre gives its most at a slip in proportion to its friction. In a curve a ``share`` [1] of it is held.
    """
    proportional = c.slip_ratio * friction * abs(speed)
    return share * (proportional if proportional > c.slip_speed else c.slip_speed)


@kernel
def set_targets(friction: Any, load: Any, state: Any, c: Any) -> None:
    """What each axle's slip target depends on: the friction of its weaker side, and what cornering takes of the friction.

    ``friction`` and ``load`` are the states of these two laws.
    """
    left, right = friction.left, friction.right
    weaker, mean = (left if left < right else right), 0.5 * (left + right)
    state.front.friction = state.rear.friction = weaker
    state.front.target_share = _target_share(load.front_lateral_force, mean * tyre_load.axle_load(load, True), c)
    state.rear.target_share = _target_share(load.rear_lateral_force, mean * tyre_load.axle_load(load, False), c)


@kernel
def _target_share(lateral_force: float, circle: float, c: Any) -> float:
    used = clamp(abs(lateral_force) / circle, 0.0, 1.0) if circle > 0.0 else 0.0
    return 1.0 - (1.0 - c.curve_share) * used


@kernel
def bound_wheels(
    dt: float, travel: float, inputs: Any, wheels: Any, motion: Any, torques: Any, friction: Any, state: Any, calibration: Any
) -> None:
    """Lowest and highest torque [Nm] of motor and brake on each wheel into ``state`` (WheelSlipStates); one step of ``dt`` [s].

    They count in the direction ``travel`` (1, -1) in which the car moves. ``wheels`` (WheelInputs) tell by their counts which
    speeds are news, ``torques`` (TorquePathState) what the motors are told, ``friction`` (FrictionState) what the road gives.
    """
    vehicle, front, rear = calibration.vehicle, state.front, state.rear
    a_x = travel * motion.acceleration
    _see_hubs(travel, inputs, motion.speed, state, vehicle)
    front.left.speed, front.right.speed = inputs.wheel_speed[FRONT_LEFT], inputs.wheel_speed[FRONT_RIGHT]
    rear.left.speed, rear.right.speed = inputs.wheel_speed[REAR_LEFT], inputs.wheel_speed[REAR_RIGHT]
    if inputs.front_wheels_trusted:
        drive, axle, received = inputs.front, calibration.front, wheels.front_link.received
        _bound_pair(dt, travel, torques.front_torque, drive, received, a_x, friction, front, axle, calibration)
    else:
        _let_go(front, calibration.front, calibration.wheel_slip)
    if inputs.rear_wheels_trusted:
        drive, axle, received = inputs.rear, calibration.rear, wheels.rear_link.received
        _bound_pair(dt, travel, torques.rear_torque, drive, received, a_x, friction, rear, axle, calibration)
    else:
        _let_go(rear, calibration.rear, calibration.wheel_slip)
    _share_braking(dt, travel, front, calibration.front, calibration.wheel_slip)
    _share_braking(dt, travel, rear, calibration.rear, calibration.wheel_slip)


@kernel
def _see_hubs(travel: float, inputs: Any, speed: float, state: Any, vehicle: Any) -> None:
    """Speeds over ground [m/s] of the hubs of a car at ``speed`` [m/s], along their wheels and in the direction ``travel``."""
    delta = inputs.wheel_angle / vehicle.steering_ratio if inputs.steering_trusted else 0.0
    yaw_rate = inputs.yaw_rate if inputs.motion_trusted else 0.0
    along, across = travel * cos(delta), travel * sin(delta) * vehicle.front_axle_to_cg * yaw_rate
    spread = 0.5 * vehicle.front_track * yaw_rate
    state.front.left.hub_speed = along * (speed - spread) + across
    state.front.right.hub_speed = along * (speed + spread) + across
    spread = 0.5 * vehicle.rear_track * yaw_rate
    state.rear.left.hub_speed = travel * (speed - spread)
    state.rear.right.hub_speed = travel * (speed + spread)


@kernel
def _bound_pair(
    dt: float,
    travel: float,
    torque: float,
    drive: Any,
    received: int,
    acceleration: float,
    friction: Any,
    state: Any,
    axle: Any,
    calibration: Any,
) -> None:
    """Both wheels of an axle (``state``, AxleSlipState), whose motor (``drive``, QualifiedAxle) is told a ``torque`` [Nm]."""
    half_gear, c = 0.5 * travel * axle.gear_ratio, calibration.wheel_slip
    delivered, told = half_gear * drive.motor_torque, half_gear * torque
    _observe_wheel(dt, delivered, received, state.left, axle, calibration.driveline)
    _observe_wheel(dt, delivered, received, state.right, axle, calibration.driveline)
    _bound_wheel(dt, told, acceleration, friction.left, state.left, axle, c)
    _bound_wheel(dt, told, acceleration, friction.right, state.right, axle, c)


@kernel
def _share_braking(dt: float, travel: float, state: Any, axle: Any, c: Any) -> None:
    """How far an axle's motor may brake. A motor and a brake that took turns would shake the car: it leaves that to the brake."""
    braking_left = -state.torque_lowest if travel > 0.0 else state.torque_highest
    holds = state.left.locks or state.right.locks or (state.active and braking_left < axle.motor_torque_max)
    state.regeneration_share = 0.0 if holds else slew(state.regeneration_share, 1.0, 0.0, c.regeneration_recovery, dt)


@kernel
def _let_go(state: Any, axle: Any, c: Any) -> None:
    """Wheels of which nothing is known are not held."""
    _let_wheel_go(state.left, axle, c)
    _let_wheel_go(state.right, axle, c)


@kernel
def _let_wheel_go(state: Any, axle: Any, c: Any) -> None:
    state.spins = state.locks = False
    state.slip = state.shaft.road_torque = 0.0
    state.highest = _unbounded(axle, c)
    state.lowest = -state.highest


@kernel
def _unbounded(axle: Any, c: Any) -> float:
    """Torque [Nm] that motor and brake of a wheel do not exceed together."""
    return c.brake_torque_max + 0.5 * axle.gear_ratio * axle.motor_torque_max


@kernel
def _observe_wheel(dt: float, drive: float, received: int, state: Any, axle: Any, c: Any) -> None:
    """Slip of one wheel under a ``drive`` torque [Nm], and what the road takes from it."""
    state.slip = state.speed - state.hub_speed
    torque = drive - state.torque
    driveline.observe(
        dt, state.speed / axle.wheel_radius, torque, received, _inertia(axle), c.wheel_time_constant, state.shaft, c
    )


@kernel
def _inertia(axle: Any) -> float:
    """Inertia [kg m2] of one wheel: alone behind an open differential, it turns the motor at half its speed."""
    return axle.wheel_inertia + 0.25 * axle.motor_present * axle.rotor_inertia


@kernel
def _bound_wheel(dt: float, drive: float, acceleration: float, friction: float, state: Any, axle: Any, c: Any) -> None:
    """Window of one wheel to which the motor was told to bring a ``drive`` torque [Nm]; all in the direction of travel.

    A wheel that spun is held until the motor gives it less than it may have, one that locked until its brake takes less.
    """
    held = slip_target(state.hub_speed, friction, 1.0, c)
    most, least, unbounded = c.spin_share * held, -c.lock_share * held, _unbounded(axle, c)
    ahead = state.slip + c.brake_lag * (axle.wheel_radius * state.shaft.acceleration - acceleration)
    lowest, highest = _window(
        ahead, least, most, state.shaft.road_torque, acceleration, c.brake_time_constant, axle.wheel_radius, _inertia(axle)
    )
    still_driven = state.spins and drive > 0.0 and drive > c.held_share * state.highest
    still_braked = state.locks and drive - state.torque < c.held_share * state.lowest
    state.spins = c.enabled and (state.slip > most or still_driven)
    state.locks = c.enabled and (state.slip < least or still_braked)
    highest = clamp(highest, -c.brake_torque_max, unbounded) if state.spins else unbounded
    lowest = clamp(lowest, -unbounded, 0.0) if state.locks else -unbounded
    # A window closes at once and opens slowly, for the wheel that was held has only just come back.
    state.highest = highest if highest < state.highest else lag(state.highest, highest, c.brake_release_time, dt)
    state.lowest = lowest if lowest > state.lowest else lag(state.lowest, lowest, c.brake_release_time, dt)
    if state.lowest > state.highest:
        state.lowest = state.highest


@kernel
def brake_moment(travel: float, state: Any, calibration: Any) -> float:
    """Yaw moment [Nm] of the brakes, as far as they are reckoned to have got, in a car that moves in the direction ``travel``."""
    vehicle, front, rear = calibration.vehicle, calibration.front, calibration.rear
    by_front = vehicle.front_track * (state.front.left.torque - state.front.right.torque) / front.wheel_radius
    by_rear = vehicle.rear_track * (state.rear.left.torque - state.rear.right.torque) / rear.wheel_radius
    return 0.5 * travel * (by_front + by_rear)


@kernel
def expect_brakes(dt: float, outputs: Any, state: Any, c: Any) -> None:
    """Follow the brakes' response to what they are told (BrakeOutputs) for ``dt`` [s]."""
    state.front.left.torque = lag(state.front.left.torque, outputs.front_left, c.brake_response, dt)
    state.front.right.torque = lag(state.front.right.torque, outputs.front_right, c.brake_response, dt)
    state.rear.left.torque = lag(state.rear.left.torque, outputs.rear_left, c.brake_response, dt)
    state.rear.right.torque = lag(state.rear.right.torque, outputs.rear_right, c.brake_response, dt)


@kernel
def _window(
    ahead: float,
    least: float,
    most: float,
    road_torque: float,
    acceleration: float,
    time_constant: float,
    radius: float,
    inertia: float,
) -> tuple[float, float]:
    """Lowest and highest torque [Nm] that take a slip speed ``ahead`` [m/s] between ``least`` and ``most`` [m/s].

    Within ``time_constant`` [s], while the road takes ``road_torque`` [Nm] and the car gains ``acceleration`` [m/s2].
    """  # fmt: skip
    hold = road_torque + inertia * acceleration / radius
    per_speed = inertia / (radius * time_constant)
    return hold + per_speed * (least - ahead), hold + per_speed * (most - ahead)
