"""Torque by hand: what an operator at a bench wants of the motors, under a clamp on torque and speed.

    T = clamp(T_wanted, -T_max, T_max) * share        share = clamp((n_max - n) / min(n_fade, n_max), 0, 1)

with n the motor's speed in the direction of that torque: a motor that nothing brakes does not run away, and a torque against its
rotation is never taken from the operator. Both clamps start low, and are raised on purpose.
"""

from math import isfinite
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp


@kernel
def wanted(state: Any, panel: Any, calibration: Any) -> tuple[float, float]:
    """Motor torques [Nm] front and rear that the operator's ``panel`` (PanelInputs) wants and the clamps allow.

    While actuators are tested, the tested torques take their place. Zero once the panel's frames are missing; ``state`` is the
    controller's whole state.
    """
    if state.sources.panel.fault or panel.emergency_stop:
        return 0.0, 0.0
    c, inputs, test = calibration.hand_torque, state.inputs, state.actuator_test
    front, rear = panel.front_torque, panel.rear_torque
    if test.request.active:
        front, rear = test.front_motor_torque, test.rear_motor_torque
    front = _clamped(front, inputs.front.motor_speed, c) if calibration.front.motor_present else 0.0
    rear = _clamped(rear, inputs.rear.motor_speed, c) if calibration.rear.motor_present else 0.0
    return front, rear


@kernel
def _clamped(torque: float, speed: float, c: Any) -> float:
    """A ``torque`` [Nm] within the clamp at a motor ``speed`` [rad/s]; 0 for one that is not a number."""
    if not isfinite(torque):
        return 0.0
    torque = clamp(torque, -c.torque_max, c.torque_max)
    along = speed if torque > 0.0 else -speed
    fade = min(c.speed_fade, c.speed_max)
    if fade <= 0.0:
        return torque if along < 0.0 else 0.0
    return torque * clamp((c.speed_max - along) / fade, 0.0, 1.0)
