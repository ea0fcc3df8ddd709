"""The whole car: its records, and one step of it.

Within a step the records of the measurements are the wires between the parts: the body leaves loads and hub speeds, the
axles answer with forces, the motors with the power that the battery has to give.
"""

from typing import Any

from bench.plant import axle, battery, body, motor, ride
from bench.plant.axle import AxleDemands, AxleMeasurements, AxleParameters, AxleState
from bench.plant.battery import BatteryMeasurements, BatteryParameters, BatteryState
from bench.plant.body import BodyMeasurements, BodyParameters, BodyState
from bench.plant.control import ControlParameters
from bench.plant.ride import RideMeasurements, RideState
from bench.plant.tyre import TyreParameters, cornering_stiffness
from firmware_model.kernel import kernel, real, record
from firmware_model.kernel.math import GRAVITY

FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT = range(4)  # order of arrays of four wheels


@record
class Parameters:
    """Everything that tells one car from another."""

    body = BodyParameters
    tyre = TyreParameters
    front = AxleParameters
    rear = AxleParameters
    battery = BatteryParameters
    control = ControlParameters


@record
class State:
    """Everything the car remembers from one step to the next."""

    time = real("s", "time since the start")
    body = BodyState
    ride = RideState
    front = AxleState
    rear = AxleState
    battery = BatteryState


@record
class Demands:
    """What the car's actuators are asked for."""

    front = AxleDemands
    rear = AxleDemands
    steering_wheel_angle = real("rad", "steering-wheel angle, positive to the left")
    auxiliary_power = real("W", "power of heating, lights and computers from the pack; zero while its relay is open")


@record
class Road:
    """What is under the car, and around it."""

    friction = real("1", "friction of the surface under each wheel", default=1.0, minimum=0.0, maximum=2.0, shape=(4,))
    grade = real("rad", "slope along the car, positive uphill", minimum=-0.5, maximum=0.5)
    wind_x = real("m/s", "speed of the wind over ground along the world's x", minimum=-60.0, maximum=60.0)
    wind_y = real("m/s", "speed of the wind over ground along the world's y", minimum=-60.0, maximum=60.0)
    air_temperature = real(
        "degC", "temperature of the air, and of the motors' coolant", default=25.0, minimum=-50.0, maximum=60.0
    )


@record
class Measurements:
    """Everything a report may want to know about the step that was done."""

    time = real("s", "time since the start")
    body = BodyMeasurements
    ride = RideMeasurements
    front = AxleMeasurements
    rear = AxleMeasurements
    battery = BatteryMeasurements


@kernel
def place(speed: float, charge: float, temperature: float, state: Any, parameters: Any) -> None:
    """Put the car at the origin, rolling straight ahead at ``speed`` [m/s], rested.

    The pack has a state of ``charge`` [1]; everything is at ``temperature`` [degC]; the DC links are live.
    """
    state.time = 0.0
    place_body(speed, state.body)
    place_on_springs(state.ride)
    place_axle(speed / parameters.tyre.radius, parameters.front.gear_ratio, temperature, state.front)
    place_axle(speed / parameters.tyre.radius, parameters.rear.gear_ratio, temperature, state.rear)
    pack = state.battery
    pack.state_of_charge = charge
    pack.fast_voltage = pack.slow_voltage = 0.0
    pack.temperature = temperature
    pack.discharged_energy = pack.charged_energy = 0.0
    voltage = parameters.battery.series * battery.open_circuit_voltage(charge, parameters.battery.cell)
    state.front.motor.dc_voltage = state.rear.motor.dc_voltage = voltage


@kernel
def place_body(speed: float, state: Any) -> None:
    """Put the body at the origin, moving straight ahead at ``speed`` [m/s]."""
    state.x = state.y = state.yaw = 0.0
    state.longitudinal_speed = speed
    state.lateral_speed = state.yaw_rate = 0.0
    state.steering_wheel_angle = 0.0
    state.distance = 0.0


@kernel
def place_on_springs(state: Any) -> None:
    """Let the body rest on its springs."""
    state.heave = state.heave_rate = 0.0
    state.pitch = state.pitch_rate = 0.0
    state.roll = state.roll_rate = 0.0
    state.front_link_force = state.rear_link_force = 0.0
    state.unsprung_pitch_moment = state.unsprung_roll_moment = 0.0


@kernel
def place_axle(speed: float, gear_ratio: float, temperature: float, state: Any) -> None:
    """Let an axle roll freely with its wheels at ``speed`` [rad/s], its motor at ``temperature`` [degC]."""
    place_wheel(speed, state.left)
    place_wheel(speed, state.right)
    state.twist = 0.0
    state.motor.speed = gear_ratio * speed
    state.motor.torque = 0.0
    state.motor.winding_temperature = temperature
    state.motor.rotor_temperature = temperature
    state.motor.inverter_temperature = temperature


@kernel
def place_wheel(speed: float, state: Any) -> None:
    """Let a wheel roll freely at ``speed`` [rad/s], its brake released."""
    state.speed = speed
    state.longitudinal_deflection = state.lateral_deflection = 0.0
    state.brake_torque = 0.0


@kernel
def step(dt: float, demands: Any, road: Any, state: Any, parameters: Any, measurements: Any) -> None:
    """Move the car on by ``dt`` [s]: obey ``demands`` on the ``road``, advance ``state``, fill ``measurements``."""
    front, rear, base, air = parameters.front, parameters.rear, parameters.body, road.air_temperature
    directions = body.steer(dt, demands.steering_wheel_angle, front.track, base, state.body, measurements.body)
    body.move_hubs(directions, front.track, rear.track, base, state.body, measurements)
    ride.load_wheels(road.grade, parameters, state.ride, measurements)
    touch(road.friction, measurements)
    axle.step(dt, demands.front, air, front, parameters.tyre, state.front, measurements.front)
    axle.step(dt, demands.rear, air, rear, parameters.tyre, state.rear, measurements.rear)
    radius = parameters.tyre.radius
    motor_drag = axle.drag_in_road_load(front, radius) + axle.drag_in_road_load(rear, radius)
    body.blow(road.wind_x, road.wind_y, motor_drag, base, state.body, measurements.body)
    body.push(directions, road.grade, front.track, rear.track, base, measurements)
    body.move(dt, state.body, measurements.body)
    body.report(state.body, measurements.body)
    ride.move(dt, road.grade, parameters, state.ride, measurements)
    spend(dt, demands, air, parameters.battery, state, measurements)
    state.time += dt
    measurements.time = state.time


@kernel
def touch(friction: Any, measurements: Any) -> None:
    """Set every wheel on its surface of ``friction`` (4,) [1]."""
    measurements.front.left.surface = friction[FRONT_LEFT]
    measurements.front.right.surface = friction[FRONT_RIGHT]
    measurements.rear.left.surface = friction[REAR_LEFT]
    measurements.rear.right.surface = friction[REAR_RIGHT]


@kernel
def spend(dt: float, demands: Any, air_temperature: float, pack: Any, state: Any, measurements: Any) -> None:
    """Let motors and auxiliaries draw from the pack for ``dt`` [s], in air of that temperature [degC]."""
    front, rear, measured = measurements.front.motor, measurements.rear.motor, measurements.battery
    power = front.electrical_power + rear.electrical_power + demands.auxiliary_power
    battery.step(dt, power, air_temperature, pack, state.battery, measured)
    battery.spread_cells(pack, state.battery, measured)
    battery.own_limits(pack, state.battery, measured)
    motor.feed(measured.voltage, demands.front.connected, state.front.motor, front)
    motor.feed(measured.voltage, demands.rear.connected, state.rear.motor, rear)


@kernel
def axle_stiffnesses(parameters: Any) -> tuple[float, float]:
    """Cornering stiffness of the front and of the rear axle [N/rad], for small slip angles, with the camber of roll."""
    base = parameters.body
    l_f = base.front_axle_distance
    half_weight = 0.5 * base.mass * GRAVITY / base.wheelbase
    c_f = axle_stiffness(half_weight * (base.wheelbase - l_f), parameters.front, parameters)
    c_r = axle_stiffness(half_weight * l_f, parameters.rear, parameters)
    return c_f, c_r


@kernel
def axle_stiffness(load: float, axle: Any, parameters: Any) -> float:
    """Cornering stiffness [N/rad] of one ``axle`` (AxleParameters) with ``load`` [N] on each of its wheels.

    In cornering, the wheels that lean with the body take a share k c_gamma g eps phi' of the force away, k the compliance of the
    axle and phi' the roll gradient: C = k C_tyres / (1 + k c_gamma g eps phi').
    """
    lost = parameters.tyre.camber_stiffness * GRAVITY * axle.suspension.roll_camber * parameters.body.roll_gradient
    k = axle.cornering_compliance
    return 2.0 * k * cornering_stiffness(load, parameters.tyre) / (1.0 + k * lost)


@kernel
def understeer_gradient(parameters: Any) -> float:
    """Understeer gradient at small lateral acceleration [rad/(m/s2)], K = m / l (l_r / C_f - l_f / C_r).

    Of the linear bicycle model: the road-wheel angle is l / R + K a_y (Gillespie, Fundamentals of Vehicle Dynamics, ch. 6).
    """
    base = parameters.body
    l_f = base.front_axle_distance
    c_f, c_r = axle_stiffnesses(parameters)
    return base.mass / base.wheelbase * ((base.wheelbase - l_f) / c_f - l_f / c_r)
