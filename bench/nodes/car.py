"""The virtual car as one node: everything on the buses but the controller, around one plant and one driver."""

import math
from enum import IntEnum

from bench.nodes import battery_controller, chassis, inverter, road
from bench.nodes.battery_controller import BatteryControllerParameters, BatteryControllerState
from bench.nodes.chassis import ChassisParameters, ChassisState
from bench.nodes.inverter import InverterParameters, InverterState
from bench.nodes.stimulus import (
    ACCELERATOR,
    BRAKE,
    CROSSWIND,
    FRICTION_LEFT,
    FRICTION_RIGHT,
    GEAR,
    GRADE,
    HEADWIND,
    SPEED,
    STEERING,
    find_row,
    look_up,
    slope,
)
from bench.plant import car, driver, high_voltage
from bench.plant.high_voltage import (
    HighVoltageDemands,
    HighVoltageMeasurements,
    HighVoltageParameters,
    HighVoltageState,
)
from firmware_model.kernel import choice, flag, integer, kernel, real, record
from firmware_model.signals import DriveMode, Gear


class Phase(IntEnum):
    """Where a drive stands."""

    STARTING = 0  # waiting for READY
    RUN_UP = 1  # reaching the scenario's first speed
    DRIVING = 2  # the scenario's own time runs


@record
class CarParameters:
    """One car, its control units, its driver, and how the scenario begins."""

    plant = car.Parameters
    driver = driver.DriverParameters
    front_inverter = InverterParameters
    rear_inverter = InverterParameters
    battery_controller = BatteryControllerParameters
    high_voltage = HighVoltageParameters
    chassis = ChassisParameters
    auxiliary_power = real("W", "lights, pumps and computers", default=600.0, minimum=0.0, maximum=20e3)
    drive_mode = choice(DriveMode, "drive mode that the driver has chosen", default=DriveMode.STANDARD)
    e_pedal = flag("the driver has switched the e-Pedal on")
    start_speed = real("m/s", "speed at which the scenario's time begins", minimum=-20.0, maximum=80.0)
    settle_time = real("s", "time for which that speed must be held first", default=1.0, minimum=0.0, maximum=20.0)
    speed_tolerance = real("m/s", "how well it must be held", default=0.15, minimum=0.01, maximum=5.0)
    run_up_limit = real("s", "longest run-up; after it the scenario begins at whatever speed there is", default=60.0, minimum=0.0)


@record
class CarState:
    """What the car node remembers."""

    plant = car.State
    demands = car.Demands
    road = car.Road
    driver = driver.DriverState
    front_inverter = InverterState
    rear_inverter = InverterState
    battery_controller = BatteryControllerState
    chassis = ChassisState
    high_voltage = HighVoltageState
    coils = HighVoltageDemands
    phase = choice(Phase, "where the drive stands", default=Phase.STARTING)
    scenario_time = real("s", "time of the scenario; negative before it begins", default=-1.0)
    run_up_time = real("s", "time since READY")
    settled_time = real("s", "time for which the first speed has been held")
    row = integer("row of the stimulus table")


@record
class CarMeasurements:
    """What the virtual bench knows and the controller does not."""

    plant = car.Measurements
    high_voltage = HighVoltageMeasurements
    phase = choice(Phase, "where the drive stands", default=Phase.STARTING)
    scenario_time = real("s", "time of the scenario; negative before it begins")
    wanted_speed = real("m/s", "speed the driver is to keep, NaN where the pedals are given")


@kernel
def step(dt, sensors, commands, state, measurements, parameters, stimulus, path, patches):
    """One step of the car: obeys ``commands`` (Outputs), fills ``sensors`` (Inputs).

    ``stimulus`` is the table of :mod:`bench.nodes.stimulus`, ``path`` that of :func:`bench.plant.driver.path_table`,
    ``patches`` the table of :mod:`bench.nodes.road`.
    """
    plant = measurements.plant
    advance_phase(dt, plant, commands, state, parameters)
    drive(dt, commands.power.ready == 1, sensors, plant, state, measurements, parameters, stimulus, path)
    lay_road(stimulus, patches, plant.body, state, parameters.plant)

    circuit = measurements.high_voltage
    connect(dt, commands.power, plant, state, circuit, parameters)
    step_inverters(dt, sensors, commands, state, circuit, plant, parameters)
    chassis.actuate_brakes(commands.brakes, sensors.pedals.brake, state.demands.front, state.demands.rear, parameters.chassis)
    state.demands.auxiliary_power = circuit.power + (parameters.auxiliary_power if circuit.connected else 0.0)

    car.step(dt, state.demands, state.road, state.plant, parameters.plant, plant)

    battery_controller.step(
        dt, commands.power, circuit, plant.battery, state.battery_controller, parameters.battery_controller, sensors.battery,
        sensors.battery_wide,
    )  # fmt: skip
    chassis.sense(plant, sensors)
    chassis.disturb(dt, sensors, state.chassis, parameters.chassis)
    sensors.panel.armed = 1
    measurements.phase = state.phase
    measurements.scenario_time = state.scenario_time


@kernel
def connect(dt, power, plant, state, circuit, parameters):
    """Let the car's wires act on the high-voltage ``circuit``, and the circuit on the DC links of the motors."""
    coils, front, rear = state.coils, state.front_inverter, state.rear_inverter
    has_front, has_rear = parameters.front_inverter.fitted, parameters.rear_inverter.fitted
    battery_controller.energise_coils(power, coils)
    coils.inverters = max(has_front + has_rear, 1)
    coils.resistors = has_front * front.resistor + has_rear * rear.resistor
    coils.windings = has_front * front.discharges + has_rear * rear.discharges
    coils.load_power = plant.front.motor.electrical_power + plant.rear.motor.electrical_power
    high_voltage.step(dt, coils, plant.battery.voltage, parameters.high_voltage, state.high_voltage, circuit)
    state.plant.front.motor.dc_voltage = state.plant.rear.motor.dc_voltage = circuit.link_voltage


@kernel
def step_inverters(dt, sensors, commands, state, circuit, plant, parameters):
    """Both inverters on the high-voltage ``circuit``: they obey ``commands``, ask the ``plant``'s motors, and report."""
    inverter.step(
        dt, commands.front, commands.power, commands.power.link, circuit, plant.front, state.front_inverter,
        parameters.front_inverter, state.demands.front, sensors.front, sensors.front_condition,
    )  # fmt: skip
    inverter.step(
        dt, commands.rear, commands.power, commands.power.rear_link, circuit, plant.rear, state.rear_inverter,
        parameters.rear_inverter, state.demands.rear, sensors.rear, sensors.rear_condition,
    )  # fmt: skip


@kernel
def advance_phase(dt, plant, commands, state, parameters):
    """Begin the scenario once the car is READY in its gear and holds the first speed; where that happens is its origin."""
    if state.phase == Phase.DRIVING:
        state.scenario_time += dt
        return
    if state.phase == Phase.STARTING:
        if commands.power.ready == 1 and commands.power.gear != Gear.PARK:
            state.phase = Phase.RUN_UP
        return
    state.run_up_time += dt
    held = abs(plant.body.longitudinal_speed - parameters.start_speed) < parameters.speed_tolerance
    state.settled_time = state.settled_time + dt if held else 0.0
    if state.settled_time >= parameters.settle_time or state.run_up_time > parameters.run_up_limit:
        state.phase = Phase.DRIVING
        state.scenario_time = 0.0
        place_at_origin(state.plant.body)
        place_at_origin(plant.body)


@kernel
def place_at_origin(body):
    """Let the world's origin be where the car is."""
    body.x = 0.0
    body.y = 0.0
    body.yaw = 0.0


@kernel
def drive(dt, ready, sensors, plant, state, measurements, parameters, stimulus, path):
    """Pedals, shifter, steering wheel and road of this step."""
    scenario = state.phase == Phase.DRIVING
    time = max(state.scenario_time, 0.0)
    state.row = find_row(stimulus, time, state.row)
    row = state.row
    accelerator = look_up(stimulus, row, time, ACCELERATOR)
    brake = look_up(stimulus, row, time, BRAKE)
    steering = look_up(stimulus, row, time, STEERING)
    speed = look_up(stimulus, row, time, SPEED)
    if not scenario:
        speed = 0.0 if state.phase == Phase.STARTING else parameters.start_speed
    trend = slope(stimulus, row, SPEED) if scenario else 0.0
    hands, body = state.driver, plant.body

    # On the way to the first speed the driver has the pedals and the wheel is straight.
    if not scenario or (math.isnan(accelerator) and math.isnan(brake)):
        driver.follow_speed(dt, speed, trend, body.longitudinal_speed, parameters.driver, hands)
        measurements.wanted_speed = speed
    else:
        hands.accelerator = 0.0 if math.isnan(accelerator) else accelerator
        hands.brake = 0.0 if math.isnan(brake) else brake
        measurements.wanted_speed = math.nan
    if not scenario:
        hands.steering_wheel_angle = 0.0
    elif not math.isnan(steering):
        hands.steering_wheel_angle = steering
    elif len(path) > 1:
        driver.follow_path(dt, body, path, parameters.driver, hands)

    state.demands.steering_wheel_angle = hands.steering_wheel_angle
    sensors.pedals.accelerator = hands.accelerator
    sensors.pedals.accelerator_track_2 = hands.accelerator
    sensors.pedals.brake = hands.brake
    sensors.pedals.power_switch = 1
    sensors.pedals.drive_mode = parameters.drive_mode
    sensors.pedals.e_pedal = parameters.e_pedal
    # The shifter leaves P when the car is READY and the brake is held, as the car demands it.
    may_shift = (ready and hands.brake > 0.1) or state.phase != Phase.STARTING
    sensors.pedals.gear = int(stimulus[row, GEAR]) if may_shift else Gear.PARK


@kernel
def lay_road(stimulus, patches, body, state, parameters):
    """Friction under each wheel, grade under the car, whose ``body`` moved there, and wind; the run-up is dry, level, calm."""
    under = state.road
    if state.phase != Phase.DRIVING:
        under.grade = under.wind_x = under.wind_y = 0.0
        under.friction[:] = 1.0
        return
    time, row = state.scenario_time, state.row
    left = look_up(stimulus, row, time, FRICTION_LEFT)
    right = look_up(stimulus, row, time, FRICTION_RIGHT)
    under.wind_x = -look_up(stimulus, row, time, HEADWIND)
    under.wind_y = look_up(stimulus, row, time, CROSSWIND)
    under.grade = look_up(stimulus, row, time, GRADE)
    under.friction[car.FRONT_LEFT] = under.friction[car.REAR_LEFT] = left
    under.friction[car.FRONT_RIGHT] = under.friction[car.REAR_RIGHT] = right
    if len(patches) > 0:
        lay_patches(patches, left, right, body, under, parameters)


@kernel
def lay_patches(patches, left, right, body, under, parameters):
    """Lay the patches of road over what is ``under`` the car, friction ``left`` and ``right`` [1]."""
    under.grade = road.value_at(patches, body.x, body.y, road.GRADE, under.grade)
    l_f = parameters.body.front_axle_distance
    l_r = parameters.body.wheelbase - l_f
    half_front, half_rear = 0.5 * parameters.front.track, 0.5 * parameters.rear.track
    cos_psi, sin_psi = math.cos(body.yaw), math.sin(body.yaw)
    under.friction[car.FRONT_LEFT] = friction_at(patches, body, cos_psi, sin_psi, l_f, half_front, left)
    under.friction[car.FRONT_RIGHT] = friction_at(patches, body, cos_psi, sin_psi, l_f, -half_front, right)
    under.friction[car.REAR_LEFT] = friction_at(patches, body, cos_psi, sin_psi, -l_r, half_rear, left)
    under.friction[car.REAR_RIGHT] = friction_at(patches, body, cos_psi, sin_psi, -l_r, -half_rear, right)


@kernel
def friction_at(patches, body, cos_psi, sin_psi, forward, left, below):
    """Friction [1] at a place of the car that heads for psi, ``forward`` and ``left`` [m] of its centre of gravity."""
    x = body.x + cos_psi * forward - sin_psi * left
    y = body.y + sin_psi * forward + cos_psi * left
    return road.value_at(patches, x, y, road.FRICTION, below)
