"""Actuator tests: what a tester asks of brakes and motors, one by one, while the car stands.

    T = slew(clamp(T_asked, 0, T_max))       for a brake; for a motor between -T_max and T_max, and only on torque by hand

The diagnostic server writes what is asked for into a record of the controller's state, and moves a heartbeat in it. A heartbeat
that stands still, a car that moves, or a test that lasts too long ends the test at once: torques go to zero, and stay there until
the server has taken its request back. Only the rise is slowed down. A brake is never released by a test: who drives brakes as
before. Motor torques take the place of the operator's, under his clamps, his arming and his stop, and the torque monitor judges
them as it judges his.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp


@kernel
def follow(dt: float, speed: float, state: Any, measurements: Any, calibration: Any) -> None:
    """Let the tested torques in ``state`` (ActuatorTestState) follow what is asked for, at a ``speed`` [m/s] over ground."""
    c, request = calibration.actuator_test, state.request
    running = _is_running(dt, speed, state, c)
    state.front_left = _brake(dt, running, request.front_left, state.front_left, c)
    state.front_right = _brake(dt, running, request.front_right, state.front_right, c)
    state.rear_left = _brake(dt, running, request.rear_left, state.rear_left, c)
    state.rear_right = _brake(dt, running, request.rear_right, state.rear_right, c)
    state.front_motor_torque = _motor(dt, running, request.front_motor_torque, state.front_motor_torque, c)
    state.rear_motor_torque = _motor(dt, running, request.rear_motor_torque, state.rear_motor_torque, c)
    measurements.running = running
    measurements.broken_off = state.ended


@kernel
def apply_brakes(state: Any, outputs: Any) -> None:
    """Raise the brake torques in ``outputs`` (BrakeOutputs) [Nm] to those that are tested."""
    outputs.front_left = max(outputs.front_left, state.front_left)
    outputs.front_right = max(outputs.front_right, state.front_right)
    outputs.rear_left = max(outputs.rear_left, state.rear_left)
    outputs.rear_right = max(outputs.rear_right, state.rear_right)


@kernel
def apply_brakes_alone(state: Any, outputs: Any) -> None:
    """The same where nobody else brakes."""
    outputs.front_left, outputs.front_right = state.front_left, state.front_right
    outputs.rear_left, outputs.rear_right = state.rear_left, state.rear_right


@kernel
def _is_running(dt: float, speed: float, state: Any, c: Any) -> bool:
    """Whether a test is asked for, and nothing has ended it since."""
    request = state.request
    state.silence = 0.0 if request.heartbeat != state.heartbeat else state.silence + dt
    state.heartbeat = request.heartbeat
    if not request.active:
        state.time, state.ended = 0.0, 0
        return False
    state.time += dt
    if not (state.silence <= c.heartbeat_timeout and abs(speed) <= c.speed_max and state.time <= c.time_max):
        state.ended = 1
    return not state.ended


@kernel
def _brake(dt: float, running: bool, asked: float, last: float, c: Any) -> float:
    """Torque of one brake [Nm]: up at a rate, down at once; 0 for what is not a number."""
    if not (running and asked > 0.0):
        return 0.0
    return min(asked, c.brake_torque_max, last + c.brake_torque_rate * dt)


@kernel
def _motor(dt: float, running: bool, asked: float, last: float, c: Any) -> float:
    """Torque of one motor [Nm]: away from zero at a rate, towards it at once."""
    if not (running and asked * asked > 0.0):
        return 0.0
    along = last if last * asked > 0.0 else 0.0
    most = min(abs(along) + c.motor_torque_rate * dt, c.motor_torque_max)
    return clamp(asked, -most, most)
