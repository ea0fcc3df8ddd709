"""Sideslip: observer of the lateral speed on the yaw-rate sensor, the accelerometer and a bicycle with saturating tyres.

    dv_y/dt = a_y - v_x r - k (a_y - a_y,model(v_y))        a_y,model = (F_y,f + F_y,r) / m

While the tyres are far from their limit, the model pulls the integral of the sensors to where their forces explain the
acceleration; at the limit its slope vanishes, and the integral goes on alone. The tyres follow F = C alpha / sqrt(1 + (C alpha /
mu F_z)^2) (structure of H. F. Grip et al., IEEE Control Systems 29 (2009) 36).
"""

from math import sqrt
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, lag, ramp


@kernel
def observe(dt: float, inputs: Any, speed: float, friction: float, state: Any, calibration: Any) -> float:
    """Sideslip angle [rad] at the centre of gravity after a step of ``dt`` [s] at ``speed`` [m/s] on ``friction`` [1].

    Zero while a sensor is not trusted, and in slow driving.
    """
    c, vehicle = calibration.sideslip, calibration.vehicle
    fade = ramp(speed, c.fade_in_start, c.fade_in_end)
    if fade == 0.0 or not (inputs.steering_trusted and inputs.motion_trusted):
        state.lateral_speed = 0.0
        state.front_angle = state.rear_angle = 0.0
        return 0.0
    l_f = vehicle.front_axle_to_cg
    l_r = vehicle.wheelbase - l_f
    r = inputs.yaw_rate
    # The tyres follow their slip angles, and the sensors the tyres.
    time_constant = c.relaxation_length / speed + calibration.tyre_load.lateral_time_constant
    front_angle = inputs.wheel_angle / vehicle.steering_ratio - (state.lateral_speed + l_f * r) / speed
    state.front_angle = lag(state.front_angle, front_angle, time_constant, dt)
    state.rear_angle = lag(state.rear_angle, -(state.lateral_speed - l_r * r) / speed, time_constant, dt)
    mu_g = friction / vehicle.wheelbase * vehicle.mass * GRAVITY
    f_front = tyre_force(vehicle.front_cornering_stiffness * state.front_angle, mu_g * l_r)
    f_rear = tyre_force(vehicle.rear_cornering_stiffness * state.rear_angle, mu_g * l_f)
    a_y = inputs.lateral_acceleration
    correction = a_y - (f_front + f_rear) / vehicle.mass
    state.lateral_speed += (a_y - speed * r - c.gain * correction) * dt
    state.lateral_speed = lag(state.lateral_speed, 0.0, c.washout_time_constant, dt)
    bound = c.angle_max * speed
    state.lateral_speed = fade * clamp(state.lateral_speed, -bound, bound)
    return state.lateral_speed / speed


@kernel
def tyre_force(linear: float, limit: float) -> float:
    """Force [N] of a tyre pair whose stiffness alone would give ``linear`` [N] and whose friction gives ``limit`` [N]."""
    ratio = linear / limit
    return linear / sqrt(1.0 + ratio * ratio)
