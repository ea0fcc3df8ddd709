"""Traction motor with its inverter: envelope, lag, losses, temperatures."""

from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, real, record
from firmware_model.kernel.math import at_position, clamp, lag

ENVELOPE_POINTS = 26  # from standstill in equal steps of speed
REFERENCE_TEMPERATURE = 60.0  # [degC] winding temperature at which the copper loss is told
COPPER_COEFFICIENT = 0.00393  # [1/K] rise of copper's resistance, IEC 60028
LEAST_VOLTAGE = 1.0  # [V] keeps the envelope of a dead DC link finite
DRAG_FADE_SPEED = 10.0  # [rad/s] motor speed below which the drag fades to zero


@record
class MotorParameters:
    """One motor with its inverter. A motor that is not fitted has an envelope, an inertia and losses of zero."""

    rotor_inertia = parameter("kg m2", "rotor and gear train, at the motor shaft", 0.0, 1.0)
    torque_lag_time = parameter("s", "time constant of delivered torque after its request", 1e-3, 0.5)
    envelope_speed_step = parameter("rad/s", "speed between two points of the envelope", 1.0, 500.0)
    envelope_torque = parameter("Nm", "highest torque, from standstill on", 0.0, 2000.0, shape=(ENVELOPE_POINTS,))
    envelope_voltage = parameter("V", "DC voltage at which the envelope holds", 50.0, 1000.0)
    drag_torque = parameter("Nm", "drag at the motor shaft that the car's coast-down does not contain", 0.0, 20.0)
    loss_constant = parameter("W", "loss of the switching inverter", 0.0, 5e3)
    loss_speed = parameter("W/(rad/s)2", "iron and windage loss over speed squared", 0.0, 1.0)
    loss_torque = parameter("W/Nm2", "copper loss over torque squared, winding at 60 degC", 0.0, 10.0)
    loss_weakening = parameter("W/(Nm rad/s)2", "loss over torque squared and speed squared: field weakening", 0.0, 1e-3)
    inverter_loss_share = parameter("1", "share of the loss that heats the inverter", 0.0, 1.0)
    winding_heat_capacity = parameter("J/K", "heat capacity of the winding", 10.0, 1e6)
    winding_conductance = parameter("W/K", "from winding to coolant", 0.1, 1e4)
    inverter_heat_capacity = parameter("J/K", "heat capacity of the power stage", 10.0, 1e6)
    inverter_conductance = parameter("W/K", "from power stage to coolant", 0.1, 1e4)


@record
class MotorState:
    """What a motor remembers."""

    speed = real("rad/s", "speed of the motor shaft")
    torque = real("Nm", "delivered torque at the motor shaft")
    winding_temperature = real("degC", "temperature of the winding", default=25.0)
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    dc_voltage = real("V", "DC link at the inverter; follows the pack while connected, else belongs to who precharges it")


@record
class MotorMeasurements:
    """What can be known about a motor."""

    speed = real("rad/s", "speed of the motor shaft")
    torque = real("Nm", "delivered torque at the motor shaft")
    torque_available = real("Nm", "highest torque at this speed and voltage")
    mechanical_power = real("W", "power at the motor shaft, positive when driving")
    electrical_power = real("W", "power taken from the DC link, negative when it regenerates")
    loss_power = real("W", "loss of motor and inverter")
    winding_temperature = real("degC", "temperature of the winding", default=25.0)
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    dc_voltage = real("V", "voltage of the DC link at the inverter")


@kernel
def available_torque(speed: float, voltage: float, motor: Any) -> float:
    """Highest torque either way [Nm] at ``speed`` [rad/s] and DC ``voltage`` [V].

    In field weakening it is flux times speed that meets the voltage: a lower voltage moves the envelope to lower speed.
    """
    stretch = motor.envelope_voltage / max(voltage, LEAST_VOLTAGE)
    return at_position(motor.envelope_torque, abs(speed) * stretch / motor.envelope_speed_step)


@kernel
def loss(torque: float, speed: float, winding_temperature: float, motor: Any) -> float:
    """Loss of motor and switching inverter [W] at ``torque`` [Nm] and ``speed`` [rad/s].

    P = p_0 + p_omega omega^2 + T^2 (p_T (1 + alpha (theta - 60 degC)) + p_w omega^2): inverter, iron, copper, field
    weakening. Least-squares fit for the LEAF e+ (its figures and residual are in the motor's file).
    """
    copper = motor.loss_torque * (1.0 + COPPER_COEFFICIENT * (winding_temperature - REFERENCE_TEMPERATURE))
    omega_2 = speed * speed
    return motor.loss_constant + motor.loss_speed * omega_2 + torque * torque * (copper + motor.loss_weakening * omega_2)


@kernel
def drag(speed: float, motor: Any) -> float:
    """Mechanical drag [Nm] against ``speed`` [rad/s], fading to zero at standstill."""
    return motor.drag_torque * clamp(speed / DRAG_FADE_SPEED, -1.0, 1.0)


@kernel
def deliver(dt: float, request: float, connected: int, speed: float, motor: Any, state: Any, measured: Any) -> None:
    """Let the torque follow its ``request`` [Nm] for ``dt`` [s] at ``speed`` [rad/s], as far as the envelope allows.

    A disconnected inverter carries no current: its torque is gone at once. (Its diodes, which would charge the DC link
    from a fast magnet rotor, are left out.)
    """
    measured.torque_available = available_torque(speed, state.dc_voltage, motor) if connected else 0.0
    request = clamp(request, -measured.torque_available, measured.torque_available)
    state.torque = lag(state.torque, request, motor.torque_lag_time, dt) if connected else 0.0


@kernel
def account(dt: float, connected: int, speed: float, coolant: float, motor: Any, state: Any, measured: Any) -> None:
    """Powers at the end of a step at ``speed`` [rad/s], and the temperatures they lead to with ``coolant`` [degC]."""
    power = state.torque * speed
    lost = loss(state.torque, speed, state.winding_temperature, motor) if connected else 0.0
    measured.speed = speed
    measured.torque = state.torque
    measured.mechanical_power = power
    measured.electrical_power = power + lost
    measured.loss_power = lost
    state.inverter_temperature += (
        dt
        * (motor.inverter_loss_share * lost - motor.inverter_conductance * (state.inverter_temperature - coolant))
        / motor.inverter_heat_capacity
    )
    state.winding_temperature += (
        dt
        * ((1.0 - motor.inverter_loss_share) * lost - motor.winding_conductance * (state.winding_temperature - coolant))
        / motor.winding_heat_capacity
    )
    measured.winding_temperature = state.winding_temperature
    measured.inverter_temperature = state.inverter_temperature


@kernel
def feed(voltage: float, connected: int, state: Any, measured: Any) -> None:
    """Put the pack's ``voltage`` [V] on the DC link if it is connected; an open link keeps what others give it."""
    if connected:
        state.dc_voltage = voltage
    measured.dc_voltage = state.dc_voltage
