"""Driveline: how fast an axle's wheels turn, and what the road takes from them.

The motor's speed is the fastest signal there is of its wheels. Two of its frames give the torque that the road takes,

    T_road = i T - J d(omega)/dt,

J the inertia of motor, gears and wheels at the axle. Both are smoothed a little, for between motor and wheels the half shafts
twist, and the motor swings on them (9 Hz in a LEAF). A brake counts as a part of the road.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import lag


@kernel
def observe(dt: float, inputs: Any, received: int, state: Any, axle: Any, c: Any) -> None:
    """Follow one axle's wheels for ``dt`` [s] by speed and torque of its motor (``inputs``, QualifiedAxle).

    They are news when the count of ``received`` frames has changed.
    """
    state.age += dt
    if received == state.received:
        return
    speed, torque = inputs.motor_speed / axle.gear_ratio, axle.gear_ratio * inputs.motor_torque
    if state.age < c.frame_age_max:
        acceleration = (speed - state.wheel_speed) / state.age
        road_torque = 0.5 * (torque + state.torque) - axle.inertia * acceleration
        state.acceleration = lag(state.acceleration, acceleration, c.time_constant, state.age)
        state.road_torque = lag(state.road_torque, road_torque, c.time_constant, state.age)
    else:
        state.acceleration = 0.0
        state.road_torque = torque
    state.age = 0.0
    state.received = received
    state.wheel_speed = speed
    state.torque = torque
