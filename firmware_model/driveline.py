"""Driveline: what the road takes from the wheels of an axle, and from a single one.

Two frames with the speed omega of a shaft of inertia J, and with the torque T on it, give the torque that the road takes,

    T_road = T - J d(omega)/dt

An axle is watched by its motor, which tells of its wheels most quickly; a wheel by its own sensor. Acceleration and road torque
are smoothed a little: between motor and wheels the half shafts twist, and the motor swings on them (9 Hz in a LEAF). What else
holds the shaft, a brake that ``torque`` does not contain, counts as a part of the road.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import lag


@kernel
def observe_axle(dt: float, inputs: Any, received: int, shaft: Any, axle: Any, c: Any) -> None:
    """Follow an axle for ``dt`` [s] by speed and torque of its motor (``inputs``, QualifiedAxle)."""
    speed, torque = inputs.motor_speed / axle.gear_ratio, axle.gear_ratio * inputs.motor_torque
    observe(dt, speed, torque, received, axle.inertia, c.axle_time_constant, shaft, c)


@kernel
def observe(
    dt: float, speed: float, torque: float, received: int, inertia: float, time_constant: float, shaft: Any, c: Any
) -> None:
    """Follow a ``shaft`` (ShaftState) at ``speed`` [rad/s] with ``torque`` [Nm] for ``dt`` [s].

    Speed and torque are news when the count of ``received`` frames has changed.
    """
    shaft.age += dt
    if received == shaft.received:
        return
    if shaft.age < c.frame_age_max:
        acceleration = (speed - shaft.speed) / shaft.age
        road_torque = 0.5 * (torque + shaft.torque) - inertia * acceleration
        shaft.acceleration = lag(shaft.acceleration, acceleration, time_constant, shaft.age)
        shaft.road_torque = lag(shaft.road_torque, road_torque, time_constant, shaft.age)
    else:
        shaft.acceleration = 0.0
        shaft.road_torque = torque
    shaft.age = 0.0
    shaft.received = received
    shaft.speed = speed
    shaft.torque = torque
