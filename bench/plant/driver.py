"""The driver: two pedals that hold a speed, and a steering wheel that follows a path."""

from math import cos, sin
from typing import Any

import numpy as np

from bench.plant.car import axle_stiffnesses
from bench.plant.motor import ENVELOPE_POINTS
from firmware_model.kernel import flag, integer, kernel, real, record
from firmware_model.kernel.math import clamp, slew

PREVIEW_POINTS = 20  # of the path and of the prediction, up to the preview time
PREVIEW_PERIOD = 0.01  # [s] from one look at the path to the next: the raster of a steering robot's set-points
STANDSTILL = 0.3  # [m/s] slower than this, a driver who wants to stand just holds the brake


@record
class DriverParameters:
    """How a driver drives, and what the driver knows of the car."""

    proportional_gain = real("1/s", "acceleration wanted per speed that is missing", default=1.5, minimum=0.0, maximum=20.0)
    integral_gain = real(
        "1/s2", "growth of the acceleration wanted per speed that is missing", default=0.4, minimum=0.0, maximum=20.0
    )
    full_acceleration = real(
        "m/s2", "acceleration with the accelerator floored, from standstill", default=4.5, minimum=0.5, maximum=15.0
    )
    full_specific_power = real(
        "W/kg", "power over mass with the accelerator floored, at speed", default=85.0, minimum=5.0, maximum=1e3
    )
    full_deceleration = real("m/s2", "deceleration that the fully pressed brake adds", default=10.0, minimum=1.0, maximum=20.0)
    lift_deceleration = real("m/s2", "deceleration with both pedals released", default=0.6, minimum=0.0, maximum=5.0)
    lift_fade_speed = real(
        "m/s", "speed below which releasing both pedals brakes ever less, as cars creep", default=4.0, minimum=0.1, maximum=20.0
    )
    pedal_hysteresis = real(
        "m/s2", "deceleration that is tolerated before the foot goes to the brake", default=0.3, minimum=0.0, maximum=2.0
    )
    pedal_rate = real("1/s", "fastest movement of a pedal", default=4.0, minimum=0.1, maximum=50.0)
    standing_brake = real("1", "brake pedal while standing", default=0.3, minimum=0.0, maximum=1.0)
    preview_time = real("s", "how far ahead the driver looks", default=0.6, minimum=0.05, maximum=5.0)
    preview_least_distance = real("m", "how far ahead the driver looks at least", default=3.0, minimum=0.5, maximum=50.0)
    wheelbase = real("m", "distance between the axles", default=2.7, minimum=1.0, maximum=6.0)
    front_axle_distance = real("m", "from the centre of gravity to the front axle", default=1.3, minimum=0.3, maximum=5.0)
    mass = real("kg", "mass of the car", default=1800.0, minimum=100.0, maximum=10e3)
    yaw_inertia = real("kg m2", "moment of inertia about the vertical axis", default=3e3, minimum=50.0, maximum=50e3)
    front_stiffness = real("N/rad", "cornering stiffness of the front axle", default=1e5, minimum=1e3, maximum=1e6)
    rear_stiffness = real("N/rad", "cornering stiffness of the rear axle", default=1.5e5, minimum=1e3, maximum=1e6)
    steering_ratio = real("1", "steering-wheel angle over road-wheel angle", default=17.0, minimum=1.0, maximum=40.0)
    steering_limit = real("rad", "steering-wheel angle at the stop", default=10.0, minimum=1.0, maximum=30.0)
    steering_rate = real("rad/s", "fastest movement of the steering wheel", default=14.0, minimum=0.1, maximum=50.0)


@record
class DriverState:
    """What the driver does, and has to remember."""

    accelerator = real("1", "accelerator pedal, 0 released to 1 floored", minimum=0.0, maximum=1.0)
    brake = real("1", "brake pedal, 0 released to 1 fully pressed", minimum=0.0, maximum=1.0)
    steering_wheel_angle = real("rad", "steering-wheel angle, positive to the left")
    learnt_acceleration = real("m/s2", "integral of the speed error: slope, headwind, a weak car")
    braking = flag("the foot is on the brake")
    segment = integer("path segment that the car is at")
    wanted_angle = real("rad", "steering-wheel angle that the last look at the path asked for")
    until_preview = real("s", "time until the next look at the path")


@kernel
def acquaint(parameters: Any, driver: Any) -> None:
    """Tell the ``driver`` about the car of these ``parameters``: its geometry, and what its floored accelerator does."""
    body = parameters.body
    driver.wheelbase = body.wheelbase
    driver.steering_ratio = body.steering_ratio
    driver.steering_limit = body.steering_ratio * body.road_wheel_angle_limit
    driver.front_axle_distance = body.front_axle_distance
    driver.mass = body.mass
    driver.yaw_inertia = body.yaw_inertia
    driver.front_stiffness, driver.rear_stiffness = axle_stiffnesses(parameters)
    front_torque, front_power = peak(parameters.front.motor)
    rear_torque, rear_power = peak(parameters.rear.motor)
    force = (parameters.front.gear_ratio * front_torque + parameters.rear.gear_ratio * rear_torque) / parameters.tyre.radius
    driver.full_acceleration = force / body.mass
    driver.full_specific_power = min(front_power + rear_power, parameters.battery.discharge_power_rated) / body.mass


@kernel
def peak(motor: Any) -> tuple[float, float]:
    """Highest torque [Nm] and highest power [W] of a motor's envelope."""
    torque = power = 0.0
    for i in range(ENVELOPE_POINTS):
        torque = max(torque, motor.envelope_torque[i])
        power = max(power, motor.envelope_torque[i] * motor.envelope_speed_step * i)
    return torque, power


@kernel
def follow_speed(dt: float, target: float, target_acceleration: float, speed: float, driver: Any, state: Any) -> None:
    """Move the pedals for ``dt`` [s] so that ``speed`` [m/s] becomes ``target`` [m/s], which changes by that [m/s2].

    A PI controller with feed-forward wants an acceleration; the pedals are the inverse of what the driver knows of the
    car. Both pedals meet at the lift-off deceleration, which fades towards standstill, so that none is needed twice; changing
    over has a hysteresis.
    """
    if target < STANDSTILL and abs(speed) < STANDSTILL and target_acceleration <= 0.0:
        state.learnt_acceleration = 0.0
        state.braking = 1
        press(dt, 0.0, driver.standing_brake, driver, state)
        return
    missing = target - speed
    wanted = target_acceleration + driver.proportional_gain * missing + state.learnt_acceleration
    full = min(driver.full_acceleration, driver.full_specific_power / max(speed, 1.0))
    if -driver.full_deceleration < wanted < full:  # else the pedal is at its stop, and more of the same helps nobody
        state.learnt_acceleration += dt * driver.integral_gain * missing

    lift = driver.lift_deceleration * min(abs(speed) / driver.lift_fade_speed, 1.0)
    beyond_lift = wanted + lift
    if beyond_lift < -driver.pedal_hysteresis:
        state.braking = 1
    elif beyond_lift > 0.0:
        state.braking = 0
    if state.braking:
        press(dt, 0.0, -beyond_lift / driver.full_deceleration, driver, state)
    else:
        press(dt, beyond_lift / (full + lift), 0.0, driver, state)


@kernel
def press(dt: float, accelerator: float, brake: float, driver: Any, state: Any) -> None:
    """Move both pedals towards where they should be [1], no faster than a foot, for ``dt`` [s]."""
    state.accelerator = slew(state.accelerator, clamp(accelerator, 0.0, 1.0), driver.pedal_rate, driver.pedal_rate, dt)
    state.brake = slew(state.brake, clamp(brake, 0.0, 1.0), driver.pedal_rate, driver.pedal_rate, dt)


def path_table(points: Any) -> Any:
    """A path to follow, float64 (n, 3): the ``points`` (n, 2) [m], and the way along the path up to each [m]."""
    lengths = np.hypot(*np.diff(points, axis=0).T)
    return np.column_stack([points, np.concatenate([[0.0], np.cumsum(lengths)])])


@kernel
def locate(x: float, y: float, path: Any, state: Any) -> float:
    """Move on to the segment of ``path`` (n, 3) [m] abreast of ``x``, ``y`` [m]; the way along the path there [m]."""
    while True:
        i = state.segment
        e_x, e_y = path[i + 1, 0] - path[i, 0], path[i + 1, 1] - path[i, 1]
        along = path[i, 2] + ((x - path[i, 0]) * e_x + (y - path[i, 1]) * e_y) / (path[i + 1, 2] - path[i, 2])
        if not along > path[i + 1, 2] or i >= len(path) - 2:
            return along
        state.segment += 1


@kernel
def preview(along: float, path: Any, segment: int) -> tuple[int, float, float]:
    """The segment from ``segment`` on, and the place [m], where the way along ``path`` (n, 3) is ``along`` [m].

    The last segment goes straight on.
    """
    while along > path[segment + 1, 2] and segment < len(path) - 2:
        segment += 1
    share = (along - path[segment, 2]) / (path[segment + 1, 2] - path[segment, 2])
    x, y = path[segment, 0], path[segment, 1]
    return segment, x + share * (path[segment + 1, 0] - x), y + share * (path[segment + 1, 1] - y)


@kernel
def single_track(v: float, driver: Any) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """The linear single-track model at ``v`` [m/s]: the rows of A and B in d(v_y, r)/dt = A (v_y, r) + B delta.

    Riekert and Schunck, Ingenieur-Archiv 11, 1940.
    """
    l_f = driver.front_axle_distance
    l_r = driver.wheelbase - l_f
    c_f, c_r, m, j = driver.front_stiffness, driver.rear_stiffness, driver.mass, driver.yaw_inertia
    coupling = c_r * l_r - c_f * l_f
    of_v = (-(c_f + c_r) / (m * v), coupling / (m * v) - v)
    of_r = (coupling / (j * v), -(c_f * l_f * l_f + c_r * l_r * l_r) / (j * v))
    return of_v, of_r, (c_f / m, c_f * l_f / j)


@kernel
def follow_path(dt: float, body: Any, path: Any, driver: Any, state: Any) -> None:
    """Turn the steering wheel for ``dt`` [s] so that the car, moving as ``body`` (BodyMeasurements), follows ``path`` (n, 3) [m].

    The path is looked at once in PREVIEW_PERIOD; the hands move all the time.
    """
    if state.until_preview < 0.5 * dt:
        state.until_preview += PREVIEW_PERIOD
        wanted = driver.steering_ratio * previewed_angle(body, path, driver, state)
        state.wanted_angle = clamp(wanted, -driver.steering_limit, driver.steering_limit)
    state.until_preview -= dt
    state.steering_wheel_angle = slew(
        state.steering_wheel_angle, state.wanted_angle, driver.steering_rate, driver.steering_rate, dt
    )


@kernel
def previewed_angle(body: Any, path: Any, driver: Any, state: Any) -> float:
    """Road-wheel angle [rad] with which the car, moving as ``body`` (BodyMeasurements), comes nearest to ``path`` (n, 3) [m].

    Optimal preview (C. C. MacAdam, IEEE Trans. SMC 11(6), 1981): of all road-wheel angles that could be held, the one with which
    a linear bicycle model, started from the car's own motion, comes nearest to the path over the preview time,

        delta = sum g (y_path - y_free) / sum g^2,

    with y_free the way of that model with straight wheels, and g what each radian of road-wheel angle adds to it.
    """
    along = locate(body.x, body.y, path, state)
    v = max(body.longitudinal_speed, driver.preview_least_distance / driver.preview_time)
    h = driver.preview_time / PREVIEW_POINTS
    (a_vv, a_vr), (a_rv, a_rr), (b_v, b_r) = single_track(v, driver)
    # By implicit Euler: q is the inverse of (1 - h A).
    q_vv, q_vr, q_rv, q_rr = 1.0 - h * a_rr, h * a_vr, h * a_rv, 1.0 - h * a_vv
    per_determinant = 1.0 / (q_vv * q_rr - q_vr * q_rv)
    q_vv, q_vr, q_rv, q_rr = q_vv * per_determinant, q_vr * per_determinant, q_rv * per_determinant, q_rr * per_determinant
    b_v, b_r = h * b_v, h * b_r

    cos_psi, sin_psi = cos(body.yaw), sin(body.yaw)
    v_free, r_free, psi_free, y_free = body.lateral_speed, body.yaw_rate, 0.0, 0.0
    v_held = r_held = psi_held = g = 0.0
    above = below = 0.0
    segment = state.segment
    for _ in range(PREVIEW_POINTS):
        v_free, r_free = q_vv * v_free + q_vr * r_free, q_rv * v_free + q_rr * r_free
        psi_free += h * r_free
        y_free += h * (v_free + v * psi_free)
        v_held, r_held = v_held + b_v, r_held + b_r
        v_held, r_held = q_vv * v_held + q_vr * r_held, q_rv * v_held + q_rr * r_held
        psi_held += h * r_held
        g += h * (v_held + v * psi_held)
        along += h * v
        segment, p_x, p_y = preview(along, path, segment)
        across = cos_psi * (p_y - body.y) - sin_psi * (p_x - body.x)
        above += g * (across - y_free)
        below += g * g
    return above / below
