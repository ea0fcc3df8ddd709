"""The body in the plane: steering, motion, road load, wind. How it moves on its springs is in :mod:`bench.plant.ride`.

The coast-down figures were measured in still air, so that wind only adds its difference to them. With V the speed of the car
through the air and V_0 its speed over ground, both with their components along and across the car,

    F_x = -(road load) - rho/2 A_x (V V_x - V_0 V_0x),
    F_y = -rho/2 A_y V V_y,                                M_z = x_p F_y,

A_x = c_d A, A_y = A dc_S/dbeta (side force linear in the sine of the angle of attack) and x_p the distance by which the side
force acts before the centre of gravity (Gillespie, Fundamentals of Vehicle Dynamics, ch. 4).
"""

from math import atan2, cos, sin, sqrt
from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, real, record
from firmware_model.kernel.math import GRAVITY, clamp, flush, slew

HALF_AIR_DENSITY = 0.5 * 1.204  # [kg/m3] dry air at 20 degC and 101.3 kPa, to which coast-downs are corrected (SAE J1263)
SIDESLIP_LEAST_SPEED = 0.1  # [m/s] below it a sideslip angle means nothing

Directions = tuple[float, float, float, float]  # cosine and sine of the angles of the front left and front right wheel


@record
class BodyParameters:
    """Mass and geometry, steering, wind, and the road load of a published coast-down.

    The coast-down replaces separate rolling resistance, air drag and driveline drag: all three are in its three figures.
    """

    mass = parameter("kg", "mass of the car as driven", 100.0, 10e3)
    yaw_inertia = parameter("kg m2", "moment of inertia about the vertical axis", 50.0, 50e3)
    wheelbase = parameter("m", "distance between the axles", 1.0, 6.0)
    front_axle_distance = parameter("m", "from the centre of gravity to the front axle", 0.3, 5.0)
    centre_height = parameter("m", "height of the centre of gravity", 0.1, 2.0)
    roll_stiffness_front = parameter("1", "front share of the roll moment", 0.0, 1.0)
    pitch_inertia = parameter("kg m2", "moment of inertia of the body about its lateral axis", 50.0, 50e3)
    roll_inertia = parameter("kg m2", "moment of inertia of the body about its roll axis on the ground", 20.0, 20e3)
    roll_gradient = parameter("rad/(m/s2)", "roll angle over lateral acceleration", 1e-4, 0.05)
    roll_damping = parameter("1", "damping of the roll over the critical one", 0.01, 2.0)
    road_load_0 = parameter("N", "coast-down force at standstill, F0", 0.0, 5e3)
    road_load_1 = parameter("N/(m/s)", "coast-down force over speed, F1", -100.0, 200.0)
    road_load_2 = parameter("N/(m/s)2", "coast-down force over speed squared, F2", 0.0, 10.0)
    road_load_fade_speed = parameter("m/s", "speed around which the road load fades to zero", 0.01, 1.0)
    drag_area = parameter("m2", "drag coefficient times frontal area: what wind adds to the coast-down", 0.0, 5.0)
    side_force_area = parameter("m2/rad", "side-force coefficient over angle of attack, times frontal area", 0.0, 30.0)
    side_force_distance = parameter("m", "by which the aerodynamic side force acts before the centre of gravity", -2.0, 2.0)
    steering_ratio = parameter("1", "steering-wheel angle over mean road-wheel angle", 1.0, 40.0)
    road_wheel_angle_limit = parameter("rad", "mean road-wheel angle at the end of the rack", 0.1, 0.8)
    steering_rate_limit = parameter("rad/s", "fastest movement of the steering wheel that rack and assistance follow", 1.0, 100.0)
    ackermann = parameter("1", "0: front wheels parallel; 1: their axes meet on the rear axle", 0.0, 1.0)
    width = parameter("m", "width of the body without mirrors: what must pass between cones", 0.5, 3.0)
    front_overhang = parameter("m", "from the front axle to the front end", 0.1, 3.0)
    rear_overhang = parameter("m", "from the rear axle to the rear end", 0.1, 3.0)


@record
class BodyState:
    """What the body remembers. Speeds at the centre of gravity, in the car's axes."""

    x = real("m", "position in the world, east")
    y = real("m", "position in the world, north")
    yaw = real("rad", "heading, from x to y")
    longitudinal_speed = real("m/s", "speed forward")
    lateral_speed = real("m/s", "speed to the left")
    yaw_rate = real("rad/s", "yaw rate")
    steering_wheel_angle = real("rad", "steering-wheel angle")
    distance = real("m", "distance driven; backwards counts too")


@record
class BodyMeasurements:
    """What can be known about the motion."""

    x = real("m", "position in the world, east")
    y = real("m", "position in the world, north")
    yaw = real("rad", "heading, from x to y")
    longitudinal_speed = real("m/s", "speed forward at the centre of gravity")
    lateral_speed = real("m/s", "speed to the left at the centre of gravity")
    yaw_rate = real("rad/s", "yaw rate")
    sideslip = real("rad", "sideslip angle at the centre of gravity; zero at standstill")
    longitudinal_acceleration = real("m/s2", "acceleration forward at the centre of gravity")
    lateral_acceleration = real("m/s2", "acceleration to the left at the centre of gravity")
    longitudinal_specific_force = real("m/s2", "what an accelerometer reads: acceleration plus gravity along the slope")
    yaw_acceleration = real("rad/s2", "yaw acceleration")
    road_load = real("N", "coast-down force against the motion, with what wind adds")
    wind_side_force = real("N", "aerodynamic side force, positive to the left")
    distance = real("m", "distance driven; backwards counts too")
    steering_wheel_angle = real("rad", "steering-wheel angle")
    steering_wheel_rate = real("rad/s", "rate of the steering-wheel angle")
    road_wheel_angle = real("rad", "mean angle of the front wheels")
    left_wheel_angle = real("rad", "angle of the front left wheel")
    right_wheel_angle = real("rad", "angle of the front right wheel")


@kernel
def steer(dt: float, angle: float, track: float, body: Any, state: Any, measured: Any) -> Directions:
    """Turn the front wheels, ``track`` [m] apart, towards the steering-wheel ``angle`` [rad]; returns where they point.

    No further than to the stop of the rack, and no faster than it moves.
    Ackermann geometry to second order: delta_l,r = delta +- delta^2 track / (2 wheelbase), within 0.01 rad up to 0.3 rad.
    """
    stop = body.steering_ratio * body.road_wheel_angle_limit
    angle = slew(state.steering_wheel_angle, clamp(angle, -stop, stop), body.steering_rate_limit, body.steering_rate_limit, dt)
    delta = angle / body.steering_ratio
    spread = body.ackermann * delta * delta * track / (2.0 * body.wheelbase)
    measured.steering_wheel_angle = angle
    measured.steering_wheel_rate = (angle - state.steering_wheel_angle) / dt
    state.steering_wheel_angle = angle
    measured.road_wheel_angle = delta
    measured.left_wheel_angle = delta + spread
    measured.right_wheel_angle = delta - spread
    left, right = measured.left_wheel_angle, measured.right_wheel_angle
    return cos(left), sin(left), cos(right), sin(right)


@kernel
def move_hub(cosine: float, sine: float, x: float, y: float, state: Any, wheel: Any) -> None:
    """Speed of a hub at ``x``, ``y`` [m] from the centre of gravity, along and across its wheel that points there."""
    v_x = state.longitudinal_speed - state.yaw_rate * y
    v_y = state.lateral_speed + state.yaw_rate * x
    wheel.hub_speed_along = cosine * v_x + sine * v_y
    wheel.hub_speed_across = cosine * v_y - sine * v_x


@kernel
def move_hubs(directions: Directions, front_track: float, rear_track: float, body: Any, state: Any, measured: Any) -> None:
    """Speeds of all hubs, from the motion of the body; ``measured`` is the whole car's."""
    l_f = body.front_axle_distance
    l_r = body.wheelbase - l_f
    cos_l, sin_l, cos_r, sin_r = directions
    move_hub(cos_l, sin_l, l_f, 0.5 * front_track, state, measured.front.left)
    move_hub(cos_r, sin_r, l_f, -0.5 * front_track, state, measured.front.right)
    move_hub(1.0, 0.0, -l_r, 0.5 * rear_track, state, measured.rear.left)
    move_hub(1.0, 0.0, -l_r, -0.5 * rear_track, state, measured.rear.right)


@kernel
def road_load(speed: float, body: Any) -> float:
    """Coast-down force [N] along ``speed`` [m/s], F0 + F1 v + F2 v^2, as a smooth odd function."""
    v = abs(speed)
    sign = speed / sqrt(v * v + body.road_load_fade_speed * body.road_load_fade_speed)
    return sign * (body.road_load_0 + v * (body.road_load_1 + v * body.road_load_2))


@kernel
def blow(wind_x: float, wind_y: float, motor_drag: float, body: Any, state: Any, motion: Any) -> None:
    """Note road load and side force in a wind of those speeds [m/s] in the world's axes.

    Without the ``motor_drag`` [N s/m] that the coast-down contains: the motors know it themselves.
    """
    v_x, v_y = state.longitudinal_speed, state.lateral_speed
    u_x, u_y = v_x, v_y
    if wind_x != 0.0 or wind_y != 0.0:
        cos_psi, sin_psi = cos(state.yaw), sin(state.yaw)
        u_x -= cos_psi * wind_x + sin_psi * wind_y
        u_y -= cos_psi * wind_y - sin_psi * wind_x
    through_air, over_ground = sqrt(u_x * u_x + u_y * u_y), sqrt(v_x * v_x + v_y * v_y)
    added = HALF_AIR_DENSITY * body.drag_area * (through_air * u_x - over_ground * v_x)
    motion.road_load = road_load(v_x, body) - motor_drag * v_x + added
    motion.wind_side_force = -HALF_AIR_DENSITY * body.side_force_area * through_air * u_y


@kernel
def in_car_axes(cosine: float, sine: float, wheel: Any) -> tuple[float, float]:
    """Force of a wheel that points there, in the car's axes, forward and to the left [N]."""
    f_x, f_y = wheel.longitudinal_force, wheel.lateral_force
    return cosine * f_x - sine * f_y, sine * f_x + cosine * f_y


@kernel
def push(directions: Directions, grade: float, front_track: float, rear_track: float, body: Any, measured: Any) -> None:
    """Accelerations from the forces of wheels and air on a slope ``grade`` [rad]; ``measured`` is the whole car's."""
    motion, rear = measured.body, measured.rear
    cos_l, sin_l, cos_r, sin_r = directions
    x_fl, y_fl = in_car_axes(cos_l, sin_l, measured.front.left)
    x_fr, y_fr = in_car_axes(cos_r, sin_r, measured.front.right)
    x_rl, x_rr = rear.left.longitudinal_force, rear.right.longitudinal_force
    y_f, y_r = y_fl + y_fr, rear.left.lateral_force + rear.right.lateral_force
    l_f = body.front_axle_distance
    l_r = body.wheelbase - l_f
    side = motion.wind_side_force
    yaw_moment = l_f * y_f - l_r * y_r + 0.5 * front_track * (x_fr - x_fl) + 0.5 * rear_track * (x_rr - x_rl)
    yaw_moment += body.side_force_distance * side

    motion.longitudinal_specific_force = (x_fl + x_fr + x_rl + x_rr - motion.road_load) / body.mass
    motion.longitudinal_acceleration = motion.longitudinal_specific_force - GRAVITY * sin(grade)
    motion.lateral_acceleration = (y_f + y_r + side) / body.mass
    motion.yaw_acceleration = yaw_moment / body.yaw_inertia


@kernel
def move(dt: float, state: Any, motion: Any) -> None:
    """Let the accelerations act for ``dt`` [s], on the speeds and the place.

    Semi-implicit: each speed is advanced with the latest of the others, which keeps the rotation of (v_x, v_y) bounded.
    """
    a_y, rate = motion.lateral_acceleration, state.yaw_rate
    v_x = flush(state.longitudinal_speed + dt * (motion.longitudinal_acceleration + rate * state.lateral_speed))
    v_y = flush(state.lateral_speed + dt * (a_y - rate * v_x))
    state.longitudinal_speed, state.lateral_speed = v_x, v_y
    state.yaw_rate = flush(rate + dt * motion.yaw_acceleration)
    state.yaw += dt * state.yaw_rate
    cos_psi, sin_psi = cos(state.yaw), sin(state.yaw)
    state.x += dt * (cos_psi * v_x - sin_psi * v_y)
    state.y += dt * (sin_psi * v_x + cos_psi * v_y)
    state.distance += dt * sqrt(v_x * v_x + v_y * v_y)


@kernel
def report(state: Any, motion: Any) -> None:
    """Note where the body is and how it moves."""
    v_x, v_y = state.longitudinal_speed, state.lateral_speed
    motion.x, motion.y, motion.yaw = state.x, state.y, state.yaw
    motion.longitudinal_speed, motion.lateral_speed = v_x, v_y
    motion.yaw_rate = state.yaw_rate
    motion.distance = state.distance
    moving = abs(v_x) + abs(v_y) > SIDESLIP_LEAST_SPEED
    motion.sideslip = atan2(v_y, abs(v_x)) if moving else 0.0
