"""Traction motor with its inverter: envelope, lag, losses, temperatures, and what heat leaves of the torque.

A rotor of magnets has its full field always. A wound one has the field that makes the losses least, which is none without torque:
then it neither drags nor loses iron. Its field is as full as needed, but in field weakening no larger than the DC voltage
bears. The field is taken to be there at once; the real one takes some tens of milliseconds, which inverters hide by keeping a
little of it.
"""

from math import sqrt
from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import flag, kernel, real, record
from firmware_model.kernel.math import at_position, clamp, lag, ramp

ENVELOPE_POINTS = 26  # from standstill in equal steps of speed
REFERENCE_TEMPERATURE = 60.0  # [degC] temperature of winding and rotor at which the copper losses are told
COPPER_COEFFICIENT = 0.00393  # [1/K] rise of copper's resistance, IEC 60028
LEAST_VOLTAGE = 1.0  # [V] keeps the envelope of a dead DC link finite
DRAG_FADE_SPEED = 10.0  # [rad/s] motor speed below which the drag fades to zero


@record
class LumpParameters:
    """One lump of heat: stator winding, rotor or power stage."""

    heat_capacity = parameter("J/K", "heat capacity", 10.0, 1e6)
    conductance = parameter("W/K", "from here to the coolant", 0.1, 1e4)
    temperature_start = parameter("degC", "temperature above which torque is derated", 0.0, 300.0)
    temperature_end = parameter("degC", "temperature at which torque has ended", 0.0, 300.0)


@record
class MotorParameters:
    """One motor with its inverter. A motor that is not fitted has an envelope, an inertia and losses of zero."""

    rotor_inertia = parameter("kg m2", "rotor and gear train, at the motor shaft", 0.0, 1.0)
    torque_lag_time = parameter("s", "time constant of delivered torque after its request", 1e-3, 0.5)
    envelope_speed_step = parameter("rad/s", "speed between two points of the envelope", 1.0, 500.0)
    envelope_torque = parameter("Nm", "highest torque, from standstill on", 0.0, 2000.0, shape=(ENVELOPE_POINTS,))
    envelope_voltage = parameter("V", "DC voltage at which the envelope holds", 50.0, 1000.0)
    drag_torque = parameter("Nm", "drag at the motor shaft that the car's coast-down does not contain", 0.0, 20.0)
    excited = flag("the rotor has a winding in the place of magnets")
    weakening_speed = parameter("rad/s", "speed from which a wound rotor's field is weakened, at that voltage", 1.0, 5e3)
    loss_constant = parameter("W", "loss of the switching inverter", 0.0, 5e3)
    loss_excitation = parameter("W", "copper loss of a wound rotor with its full field, at 60 degC", 0.0, 20e3)
    loss_speed = parameter("W/(rad/s)2", "iron and windage loss over speed squared, with full field", 0.0, 1.0)
    loss_torque = parameter("W/Nm2", "copper loss over torque squared, with full field and a winding at 60 degC", 0.0, 10.0)
    loss_weakening = parameter(
        "W/(Nm rad/s)2", "loss over torque squared and speed squared, at that voltage: magnets' field weakening", 0.0, 1e-3
    )
    inverter_loss_share = parameter("1", "share of the loss outside the rotor that heats the inverter", 0.0, 1.0)
    rotor_iron_share = parameter("1", "share of the iron loss that heats the rotor", 0.0, 1.0)
    winding = LumpParameters
    rotor = LumpParameters
    inverter = LumpParameters


@record
class MotorState:
    """What a motor remembers."""

    speed = real("rad/s", "speed of the motor shaft")
    torque = real("Nm", "delivered torque at the motor shaft")
    winding_temperature = real("degC", "temperature of the winding", default=25.0)
    rotor_temperature = real("degC", "temperature of the rotor: its winding or its magnets", default=25.0)
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    dc_voltage = real("V", "DC link at the inverter; follows the pack while connected, else belongs to who precharges it")


@record
class MotorMeasurements:
    """What can be known about a motor."""

    speed = real("rad/s", "speed of the motor shaft")
    torque = real("Nm", "delivered torque at the motor shaft")
    torque_available = real("Nm", "highest torque at this speed, this voltage and these temperatures")
    thermal_share = real("1", "share of the torque that heat leaves", default=1.0)
    mechanical_power = real("W", "power at the motor shaft, positive when driving")
    electrical_power = real("W", "power taken from the DC link, negative when it regenerates")
    loss_power = real("W", "loss of motor and inverter")
    winding_temperature = real("degC", "temperature of the winding", default=25.0)
    rotor_temperature = real("degC", "temperature of the rotor: its winding or its magnets", default=25.0)
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    dc_voltage = real("V", "voltage of the DC link at the inverter")


@kernel
def speed_at_envelope(speed: float, voltage: float, motor: Any) -> float:
    """Speed [rad/s] at which the voltage of the envelope would limit the flux as much as DC ``voltage`` [V] does at ``speed``.

    In field weakening it is flux times speed that meets the voltage: a lower voltage moves envelope and losses to lower speed.
    """
    return abs(speed) * motor.envelope_voltage / max(voltage, LEAST_VOLTAGE)


@kernel
def available_torque(speed: float, voltage: float, motor: Any) -> float:
    """Highest torque either way [Nm] of a cool motor at ``speed`` [rad/s] and DC ``voltage`` [V]."""
    return at_position(motor.envelope_torque, speed_at_envelope(speed, voltage, motor) / motor.envelope_speed_step)


@kernel
def thermal_share(state: Any, motor: Any) -> float:
    """Share of its torque [1] that the hottest of winding, rotor and inverter leaves a motor: linear down to none."""
    share = lump_share(state.winding_temperature, motor.winding)
    share = min(share, lump_share(state.rotor_temperature, motor.rotor))
    return min(share, lump_share(state.inverter_temperature, motor.inverter))


@kernel
def lump_share(temperature: float, lump: Any) -> float:
    """Share of the torque [1] that one lump leaves at its ``temperature`` [degC]."""
    return ramp(temperature, lump.temperature_end, lump.temperature_start)


@kernel
def squared_field(torque: float, speed: float, stretched_speed: float, motor: Any) -> float:
    """Square of the rotor's field over its full one, phi^2 [1], at ``torque`` [Nm] and ``speed`` [rad/s].

    Of a wound rotor the one that makes phi^2 (p_e + p_omega omega^2) + p_T T^2 / phi^2 least,

        phi^2 = |T| sqrt(p_T / (p_e + p_omega omega^2)),

    no more than the full field, and no more than the voltage bears at the ``stretched_speed`` [rad/s] (speed_at_envelope).
    """
    if not motor.excited:
        return 1.0
    best = abs(torque) * sqrt(motor.loss_torque / (motor.loss_excitation + motor.loss_speed * speed * speed))
    weakened = motor.weakening_speed / max(stretched_speed, motor.weakening_speed)
    return min(best, weakened * weakened)


@kernel
def copper(temperature: float) -> float:
    """Resistance of copper [1] at ``temperature`` [degC] over that at 60 degC."""
    return 1.0 + COPPER_COEFFICIENT * (temperature - REFERENCE_TEMPERATURE)


@kernel
def losses(
    torque: float, speed: float, voltage: float, winding_temperature: float, rotor_temperature: float, motor: Any
) -> tuple[float, float]:
    """Loss [W] of a motor outside its rotor (switching inverter included) and of the rotor, at DC ``voltage`` [V].

        P = p_0 + phi^2 (p_e c(theta_r) + p_omega omega^2) + T^2 (p_T c(theta_w) / phi^2 + p_w omega_V^2)

    inverter, excitation, iron, copper, field weakening of magnets; phi the field, c copper's resistance over that at 60 degC,
    omega_V the speed stretched by the voltage. With magnets (phi = 1) least-squares fit for the LEAF e+ (its figures and
    residual are in the motor's file); with a wound rotor the machine without saturation and saliency, T ~ phi i.
    """
    omega_2, torque_2 = speed * speed, torque * torque
    stretched = speed_at_envelope(speed, voltage, motor)
    field_2 = squared_field(torque, speed, stretched, motor)
    iron = field_2 * motor.loss_speed * omega_2
    in_rotor = field_2 * motor.loss_excitation * copper(rotor_temperature) + motor.rotor_iron_share * iron
    current_2 = torque_2 / field_2 if field_2 > 0.0 else 0.0
    in_winding = (
        current_2 * motor.loss_torque * copper(winding_temperature) + torque_2 * motor.loss_weakening * stretched * stretched
    )
    return motor.loss_constant + (1.0 - motor.rotor_iron_share) * iron + in_winding, in_rotor


@kernel
def magnet_drag(motor: Any) -> float:
    """Drag over speed [Nm s/rad] of a rotor of magnets that no inverter feeds: iron and windage; a wound one has none."""
    return 0.0 if motor.excited else motor.loss_speed


@kernel
def drag(speed: float, connected: int, motor: Any) -> float:
    """Mechanical drag [Nm] against ``speed`` [rad/s]: seals, fading to zero at standstill, and magnets.

    An inverter that switches makes up for the drag of magnets: the torque that it delivers is that of the shaft.
    """
    seals = motor.drag_torque * clamp(speed / DRAG_FADE_SPEED, -1.0, 1.0)
    return seals if connected else seals + magnet_drag(motor) * speed


@kernel
def deliver(dt: float, request: float, connected: int, speed: float, motor: Any, state: Any, measured: Any) -> None:
    """Let the torque follow its ``request`` [Nm] for ``dt`` [s] at ``speed`` [rad/s], as far as envelope and heat allow.

    A disconnected inverter carries no current: its torque is gone at once. (Its diodes, which would charge the DC link
    from a fast magnet rotor, are left out.)
    """
    measured.thermal_share = thermal_share(state, motor)
    available = measured.thermal_share * available_torque(speed, state.dc_voltage, motor)
    measured.torque_available = available if connected else 0.0
    request = clamp(request, -measured.torque_available, measured.torque_available)
    state.torque = lag(state.torque, request, motor.torque_lag_time, dt) if connected else 0.0


@kernel
def account(dt: float, connected: int, speed: float, coolant: float, motor: Any, state: Any, measured: Any) -> None:
    """Powers at the end of a step at ``speed`` [rad/s], and the temperatures they lead to with ``coolant`` [degC]."""
    power = state.torque * speed
    outside, in_rotor = losses(
        state.torque, speed, state.dc_voltage, state.winding_temperature, state.rotor_temperature, motor
    )  # fmt: skip
    if not connected:
        outside = in_rotor = 0.0
    measured.speed = speed
    measured.torque = state.torque
    measured.mechanical_power = power
    measured.loss_power = outside + in_rotor
    measured.electrical_power = power + measured.loss_power
    in_inverter = motor.inverter_loss_share * outside
    state.inverter_temperature = warm(dt, in_inverter, coolant, state.inverter_temperature, motor.inverter)
    state.winding_temperature = warm(dt, outside - in_inverter, coolant, state.winding_temperature, motor.winding)
    state.rotor_temperature = warm(dt, in_rotor, coolant, state.rotor_temperature, motor.rotor)
    measured.winding_temperature = state.winding_temperature
    measured.rotor_temperature = state.rotor_temperature
    measured.inverter_temperature = state.inverter_temperature


@kernel
def warm(dt: float, heat: float, coolant: float, temperature: float, lump: Any) -> float:
    """``temperature`` [degC] of a lump after ``dt`` [s] with ``heat`` [W] and ``coolant`` [degC]."""
    return temperature + dt * (heat - lump.conductance * (temperature - coolant)) / lump.heat_capacity


@kernel
def feed(voltage: float, connected: int, state: Any, measured: Any) -> None:
    """Put the pack's ``voltage`` [V] on the DC link if it is connected; an open link keeps what others give it."""
    if connected:
        state.dc_voltage = voltage
    measured.dc_voltage = state.dc_voltage
