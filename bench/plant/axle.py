"""One axle: two wheels on an open differential, half shafts with backlash, with or without a motor.

The differential turns at the mean of its wheels and gives each half the torque, so that both half shafts twist alike: one
spring between rotor and wheels. With omega_g the rotor's speed over the gear ratio i, and all at the axle,

    twist' = omega_g - (omega_l + omega_r) / 2,
    T_s = c deadband(twist, backlash / 2) + d twist',
    I_rotor i^2 omega_g' = i (T - T_drag) - T_s - eta |T_s| sign(omega_g),
    J omega_l' = T_s / 2 - r F_l - brake_l,        the right wheel likewise.

eta is what the meshing gears lose of the torque that they pass on, whichever way. The damper acts inside the backlash, too: oil
and seals. Rotor and wheels move on with the torque of the twist that there is, the twist with their new speeds (symplectic
Euler): such a spring neither gains nor loses energy at any step size, and the oscillation keeps its frequency and damping at
1 ms.
"""

from typing import Any

from bench.plant import brakes, motor, tyre
from bench.plant.brakes import BrakeParameters
from bench.plant.motor import MotorMeasurements, MotorParameters, MotorState
from bench.plant.numeric import parameter
from bench.plant.ride import SuspensionParameters
from firmware_model.kernel import flag, kernel, real, record
from firmware_model.kernel.math import clamp, deadband, flush


@record
class AxleParameters:
    """One axle."""

    track = parameter("m", "distance between the wheels", 0.5, 2.5)
    wheel_inertia = parameter("kg m2", "one wheel with tyre, hub and half shaft", 0.05, 10.0)
    cornering_compliance = parameter(
        "1", "cornering stiffness of the axle over that of its tyres: suspension, steering, roll steer; not camber", 0.2, 2.0
    )
    gear_ratio = parameter("1", "motor speed over mean wheel speed", 0.5, 30.0)
    gear_loss = parameter("1", "share of the torque they pass on that the gears lose", 0.0, 0.2)
    drag_in_road_load = flag("the car's coast-down was measured with the drag of this motor's magnets in it")
    shaft_stiffness = parameter("Nm/rad", "torque of both half shafts over their twist, gears and mounts included", 100.0, 1e6)
    shaft_damping = parameter("Nm s/rad", "torque of both half shafts over the rate of their twist", 0.0, 1e3)
    backlash = parameter("rad", "free play between motor and wheels, seen at the wheels", 0.0, 0.2)
    suspension = SuspensionParameters
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
    twist = real("rad", "twist of the half shafts, half of the backlash on either side of zero included")


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
    inclination = real("rad", "inclination to the road, positive when the top leans to the left")
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
    half_shaft_torque = real("Nm", "torque of both half shafts, positive when driving")
    twist = real("rad", "twist of the half shafts, half of the backlash on either side of zero included")


@kernel
def step(dt: float, demands: Any, coolant: float, axle: Any, rubber: Any, state: Any, measured: Any) -> None:
    """Turn the wheels for ``dt`` [s]: torque, brakes, tyre forces; the motor's losses heat against ``coolant`` [degC].

    The loads, surfaces and hub speeds in ``measured`` come from the body; the forces that the body needs are left there.
    """
    speed = state.motor.speed
    motor.deliver(dt, demands.motor_torque, demands.connected, speed, axle.motor, state.motor, measured.motor)
    brakes.build_up(dt, demands.left_brake_torque, axle.brake, state.left, measured.left)
    brakes.build_up(dt, demands.right_brake_torque, axle.brake, state.right, measured.right)
    torque = shaft_torque(axle, state)
    turn_wheel(dt, 0.5 * torque, axle, rubber, state.left, measured.left)
    turn_wheel(dt, 0.5 * torque, axle, rubber, state.right, measured.right)
    turn_rotor(dt, torque, demands.connected, axle, state)
    motor.account(dt, demands.connected, state.motor.speed, coolant, axle.motor, state.motor, measured.motor)
    measured.axle_torque = axle.gear_ratio * state.motor.torque
    measured.half_shaft_torque = torque
    measured.twist = state.twist


@kernel
def shaft_torque(axle: Any, state: Any) -> float:
    """Torque [Nm] that the half shafts hold now; none without a rotor to hold it against."""
    if axle.motor.rotor_inertia == 0.0:
        return 0.0
    rate = state.motor.speed / axle.gear_ratio - 0.5 * (state.left.speed + state.right.speed)
    return axle.shaft_stiffness * deadband(state.twist, 0.5 * axle.backlash) + axle.shaft_damping * rate


@kernel
def drag_in_road_load(axle: Any, radius: float) -> float:
    """Force over speed [N s/m] of magnets that the road load contains, on wheels of a ``radius`` [m], through the gears."""
    ratio = axle.gear_ratio / radius
    return axle.drag_in_road_load * motor.magnet_drag(axle.motor) * ratio * ratio / (1.0 - axle.gear_loss)


@kernel
def turn_wheel(dt: float, torque: float, axle: Any, rubber: Any, wheel: Any, measured: Any) -> None:
    """Turn one wheel for ``dt`` [s] under the ``torque`` [Nm] of its half shaft, its tyre and its brake.

    The tyre force is taken at the new speed, which keeps every step size stable. A brake takes momentum until the wheel
    stands, at most its torque times ``dt``: a standing wheel stays put without chatter.
    """
    f, f_omega, u, u_omega = tyre.deflect(dt, axle.cornering_compliance, rubber, wheel, measured)
    momentum = axle.wheel_inertia * wheel.speed + dt * (torque - rubber.radius * f)
    wheel.speed = flush(deadband(momentum, dt * wheel.brake_torque) / (axle.wheel_inertia + dt * rubber.radius * f_omega))
    tyre.settle(f + f_omega * wheel.speed, u + u_omega * wheel.speed, rubber, wheel, measured)


@kernel
def turn_rotor(dt: float, torque: float, connected: int, axle: Any, state: Any) -> None:
    """Turn the rotor for ``dt`` [s] under its motor against the half shafts' ``torque`` [Nm]; then twist them."""
    mean = 0.5 * (state.left.speed + state.right.speed)
    if axle.motor.rotor_inertia == 0.0:
        state.motor.speed = axle.gear_ratio * mean
        return
    meshing = axle.gear_loss * abs(torque) * clamp(state.motor.speed / motor.DRAG_FADE_SPEED, -1.0, 1.0)
    accelerating = state.motor.torque - motor.drag(state.motor.speed, connected, axle.motor)
    accelerating -= (torque + meshing) / axle.gear_ratio
    state.motor.speed = flush(state.motor.speed + dt * accelerating / axle.motor.rotor_inertia)
    state.twist = flush(state.twist + dt * (state.motor.speed / axle.gear_ratio - mean))
