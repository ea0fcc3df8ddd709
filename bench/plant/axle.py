"""One axle: two wheels on an open differential, with or without a motor."""

from typing import Any

from bench.plant import brakes, motor, tyre
from bench.plant.brakes import BrakeParameters
from bench.plant.motor import MotorMeasurements, MotorParameters, MotorState
from bench.plant.numeric import parameter
from firmware_model.kernel import flag, kernel, real, record
from firmware_model.kernel.math import deadband, flush

BRAKE_SWEEPS = 6  # each leaves less than (A / (J + A))^2 of the error, for the LEAF 16 %; together 2e-5


@record
class AxleParameters:
    """One axle."""

    track = parameter("m", "distance between the wheels", 0.5, 2.5)
    wheel_inertia = parameter("kg m2", "one wheel with tyre, hub and half shaft", 0.05, 10.0)
    cornering_compliance = parameter(
        "1", "cornering stiffness of the axle over that of its tyres: suspension, steering, roll steer", 0.2, 2.0
    )
    gear_ratio = parameter("1", "motor speed over mean wheel speed", 0.5, 30.0)
    motor = MotorParameters
    brake = BrakeParameters


@record
class AxleDemands:
    """What the actuators of one axle are asked for."""

    motor_torque = real("Nm", "motor torque request at the motor shaft, positive forward")
    connected = flag("the inverter hangs on the live DC link and may switch")
    left_brake_torque = real("Nm", "brake torque request, left wheel", minimum=0.0)
    right_brake_torque = real("Nm", "brake torque request, right wheel", minimum=0.0)


@record
class WheelState:
    """What one wheel remembers."""

    speed = real("rad/s", "speed of rotation, positive forward")
    longitudinal_deflection = real("m", "carcass deflection along the wheel, positive when driving")
    lateral_deflection = real("m", "carcass deflection across the wheel, positive for a force to the left")
    brake_torque = real("Nm", "brake torque that the hydraulics can hold now", minimum=0.0)


@record
class AxleState:
    """What one axle remembers."""

    left = WheelState
    right = WheelState
    motor = MotorState


@record
class WheelMeasurements:
    """What can be known about one wheel. Forces act from the road on the tyre, in the wheel's axes."""

    speed = real("rad/s", "speed of rotation")
    circumferential_speed = real("m/s", "speed of rotation times rolling radius")
    surface = real("1", "friction of the surface under the wheel")
    hub_speed_along = real("m/s", "speed of the hub along the wheel")
    hub_speed_across = real("m/s", "speed of the hub across the wheel, positive to the left")
    slip = real("1", "longitudinal slip, positive when driving")
    slip_tangent = real("1", "lateral slip, positive for a force to the left; in free rolling the tangent of the slip angle")
    vertical_force = real("N", "vertical force")
    longitudinal_force = real("N", "longitudinal force")
    lateral_force = real("N", "lateral force, positive to the left")
    friction_limit = real("N", "highest horizontal force at this load and on this surface")
    friction_used = real("1", "horizontal force over the friction limit")
    slip_loss = real("W", "power that goes into the deflecting and sliding contact")
    brake_torque = real("Nm", "brake torque that the hydraulics can hold now")
    brake_pressure = real("Pa", "brake pressure")


@record
class AxleMeasurements:
    """What can be known about one axle."""

    left = WheelMeasurements
    right = WheelMeasurements
    motor = MotorMeasurements
    axle_torque = real("Nm", "motor torque times gear ratio")


@kernel
def motor_speed(axle: Any, state: Any) -> float:
    """Speed of the motor shaft [rad/s]: the differential passes on the mean of its wheels."""
    return 0.5 * axle.gear_ratio * (state.left.speed + state.right.speed)


@kernel
def step(dt: float, demands: Any, coolant: float, axle: Any, rubber: Any, state: Any, measured: Any) -> None:
    """Turn the wheels for ``dt`` [s]: torque, brakes, tyre forces; the motor's losses heat against ``coolant`` [degC].

    The loads, surfaces and hub speeds in ``measured`` come from the body; the forces that the body needs are left there.
    """
    motor.deliver(dt, demands.motor_torque, demands.connected, motor_speed(axle, state), axle.motor, state.motor, measured.motor)
    brakes.build_up(dt, demands.left_brake_torque, axle.brake, state.left, measured.left)
    brakes.build_up(dt, demands.right_brake_torque, axle.brake, state.right, measured.right)
    turn_wheels(dt, axle, rubber, state, measured)
    motor.account(dt, demands.connected, motor_speed(axle, state), coolant, axle.motor, state.motor, measured.motor)
    measured.axle_torque = axle.gear_ratio * state.motor.torque


@kernel
def turn_wheels(dt: float, axle: Any, rubber: Any, state: Any, measured: Any) -> None:
    """Solve both wheels' new speeds [rad/s] together with their tyre forces and brakes.

    The open differential gives each wheel half the torque; the rotor turns with the mean of both, which couples them:

        (J + A) d omega_l + A d omega_r = dt (i (T - T_drag) / 2 - r F_l) - brake_l,    A = I_rotor i^2 / 4,

    the right wheel likewise. The tyre force is taken at the new speed, which keeps every step size stable.
    """
    left, right = state.left, state.right
    f_l, f_l_omega, u_l, u_l_omega = tyre.deflect(dt, axle.cornering_compliance, rubber, left, measured.left)
    f_r, f_r_omega, u_r, u_r_omega = tyre.deflect(dt, axle.cornering_compliance, rubber, right, measured.right)

    torque = 0.5 * axle.gear_ratio * (state.motor.torque - motor.drag(motor_speed(axle, state), axle.motor))
    inertia = axle.wheel_inertia
    coupling = 0.25 * axle.motor.rotor_inertia * axle.gear_ratio * axle.gear_ratio
    rotor = coupling * (left.speed + right.speed)
    p_l = inertia * left.speed + rotor + dt * (torque - rubber.radius * f_l)
    p_r = inertia * right.speed + rotor + dt * (torque - rubber.radius * f_r)
    m_l = inertia + coupling + dt * rubber.radius * f_l_omega
    m_r = inertia + coupling + dt * rubber.radius * f_r_omega
    determinant = m_l * m_r - coupling * coupling
    left.speed = flush((m_r * p_l - coupling * p_r) / determinant)
    right.speed = flush((m_l * p_r - coupling * p_l) / determinant)
    if left.brake_torque + right.brake_torque > 0.0:
        brake(dt, p_l, p_r, m_l, m_r, coupling, left, right)

    tyre.settle(f_l + f_l_omega * left.speed, u_l + u_l_omega * left.speed, rubber, left, measured.left)
    tyre.settle(f_r + f_r_omega * right.speed, u_r + u_r_omega * right.speed, rubber, right, measured.right)


@kernel
def brake(dt: float, p_l: float, p_r: float, m_l: float, m_r: float, coupling: float, left: Any, right: Any) -> None:
    """Let both brakes hold against the angular momentum ``p`` [Nms] of two wheels of inertia ``m`` [kg m2].

    A brake takes momentum until the wheel stands, at most its torque times ``dt`` [s]: a standing wheel stays put without
    chatter. Each wheel is solved in turn for the other's latest speed, which converges for any Coulomb friction.
    """
    for _ in range(BRAKE_SWEEPS):
        left.speed = deadband(p_l - coupling * right.speed, dt * left.brake_torque) / m_l
        right.speed = deadband(p_r - coupling * left.speed, dt * right.brake_torque) / m_r
