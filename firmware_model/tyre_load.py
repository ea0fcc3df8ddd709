"""Tyre load: what each tyre carries, and how much longitudinal force it has to give.

Static loads, shifted by the accelerations that the sensors read, the lateral shift shared by roll stiffness:

    F_z,f = m (g l_r - h a_x) / l        dF_z,f = lambda m h a_y / t_f

Lateral force of the axles by the moments about the other axle, m a_y and I_z dr/dt less what the brakes turn the car with (an
axle whose part they have taken over would look like a slippery one); each wheel's share is that of its load. What is left of the
friction circle is the longitudinal capacity, sqrt((mu F_z)^2 - F_y^2) (R. Rajamani, Vehicle Dynamics and Control, chapters 8 and
13).
"""

from math import sqrt
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, lag
from firmware_model.signals import FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT


@kernel
def estimate(dt: float, inputs: Any, brake_moment: float, state: Any, calibration: Any) -> None:
    """Loads and lateral forces [N] of all wheels beside a yaw moment of the brakes [Nm]; one step of ``dt`` [s]."""
    c, vehicle = calibration.tyre_load, calibration.vehicle
    trusted = inputs.motion_trusted
    a_x = inputs.longitudinal_acceleration if trusted else 0.0
    a_y = inputs.lateral_acceleration if trusted else 0.0
    state.longitudinal_acceleration = lag(state.longitudinal_acceleration, a_x, c.longitudinal_time_constant, dt)
    state.lateral_acceleration = lag(state.lateral_acceleration, a_y, c.lateral_time_constant, dt)
    rate_before = state.yaw_rate
    state.yaw_rate = lag(rate_before, inputs.yaw_rate if trusted else 0.0, c.yaw_time_constant, dt)
    _share_loads(state, vehicle)
    _share_lateral_forces(vehicle.yaw_inertia * (state.yaw_rate - rate_before) / dt - brake_moment, state, vehicle)


@kernel
def capacity(wheel: int, friction: float, state: Any, c: Any) -> float:
    """Longitudinal force [N] that a ``wheel`` can carry beside its lateral one, on a road of that ``friction`` [1]."""
    limit = friction * state.vertical_force[wheel]
    left = limit * limit - state.lateral_force[wheel] * state.lateral_force[wheel]
    least = c.capacity_least * limit
    return sqrt(left) if left > least * least else least


@kernel
def axle_load(load: Any, front: bool) -> float:
    """Vertical force [N] of an axle; ``load`` is the state of this module."""
    if front:
        return load.vertical_force[FRONT_LEFT] + load.vertical_force[FRONT_RIGHT]
    return load.vertical_force[REAR_LEFT] + load.vertical_force[REAR_RIGHT]


@kernel
def _share_loads(state: Any, vehicle: Any) -> None:
    """Vertical force of all wheels; none lifts."""
    weight, moment = vehicle.mass * GRAVITY, vehicle.mass * vehicle.cg_height
    l_r = vehicle.wheelbase - vehicle.front_axle_to_cg
    front = clamp((weight * l_r - moment * state.longitudinal_acceleration) / vehicle.wheelbase, 0.0, weight)
    rear = weight - front
    roll = moment * state.lateral_acceleration
    front_shift = clamp(vehicle.roll_stiffness_front * roll / vehicle.front_track, -0.5 * front, 0.5 * front)
    rear_shift = clamp((1.0 - vehicle.roll_stiffness_front) * roll / vehicle.rear_track, -0.5 * rear, 0.5 * rear)
    state.vertical_force[FRONT_LEFT] = 0.5 * front - front_shift
    state.vertical_force[FRONT_RIGHT] = 0.5 * front + front_shift
    state.vertical_force[REAR_LEFT] = 0.5 * rear - rear_shift
    state.vertical_force[REAR_RIGHT] = 0.5 * rear + rear_shift


@kernel
def _share_lateral_forces(moment: float, state: Any, vehicle: Any) -> None:
    """Lateral force of all wheels, whose yaw ``moment`` [Nm] is that, by the loads within each axle."""
    l_f = vehicle.front_axle_to_cg
    l_r = vehicle.wheelbase - l_f
    force = vehicle.mass * state.lateral_acceleration
    state.front_lateral_force = (force * l_r + moment) / vehicle.wheelbase
    state.rear_lateral_force = (force * l_f - moment) / vehicle.wheelbase
    front, rear = axle_load(state, True), axle_load(state, False)
    for wheel in range(4):
        total, load = (state.front_lateral_force, front) if wheel < REAR_LEFT else (state.rear_lateral_force, rear)
        state.lateral_force[wheel] = total * state.vertical_force[wheel] / load if load > 0.0 else 0.0
