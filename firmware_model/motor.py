"""What one driven axle can do and what it costs: torque range and electrical power of its motor.

The laws share this model; none of them has its own.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import ramp


@kernel
def torque_range(drive: Any, axle: Any, path: Any) -> tuple[float, float]:
    """Lowest and highest motor torque [Nm] at speed and temperature of its ``drive`` (QualifiedAxle).

    Constant torque, then constant power: T = min(T_max, P_max / omega); of both, the share that heat leaves. Torque that would
    speed the motor up fades before the highest speed; torque that brakes it never does. The bench's clamps (``path``) count
    like limits of the motor.
    """
    omega = drive.motor_speed
    torque = axle.motor_torque_max
    if torque * abs(omega) > axle.motor_power_max:
        torque = axle.motor_power_max / abs(omega)
    torque *= drive.torque_share
    if path.motor_torque_clamp < torque:
        torque = path.motor_torque_clamp
    torque *= axle.motor_present
    omega_max = axle.motor_speed_max
    if path.motor_speed_clamp < omega_max:
        omega_max = path.motor_speed_clamp
    lowest = -torque * ramp(omega, -omega_max, path.speed_fade - omega_max)
    highest = torque * ramp(omega, omega_max, omega_max - path.speed_fade)
    return lowest, highest


@kernel
def loss_coefficients(omega: float, axle: Any) -> tuple[float, float]:
    """Loss without torque [W], and loss per torque squared [W/Nm2], at motor speed ``omega`` [rad/s].

    P_loss = p_0 + p_omega omega^2 + (p_T + p_w omega^2) T^2: switching, iron, copper, field weakening.
    """
    omega_2 = omega * omega
    drag = axle.motor_present * (axle.loss_idle + axle.loss_speed * omega_2)
    return drag, axle.loss_torque + axle.loss_weakening * omega_2
