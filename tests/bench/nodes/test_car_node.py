"""The car node step by step, with a controller's commands written by hand."""

import math

import numpy as np
import pytest

from bench.nodes import car as car_node
from bench.nodes import road
from bench.nodes import stimulus as columns
from bench.nodes.car import CarMeasurements, CarParameters, CarState, Phase
from bench.plant.car import place
from bench.plant.driver import acquaint, path_table
from bench.scenarios import patch, road_table
from bench.vehicles import load_vehicle
from firmware_model.signals import DriveMode, Gear, HighVoltage, Inputs, Outputs

DT = 1e-3


def stimulus(**given: float) -> np.ndarray:
    table = np.full((2, columns.COLUMNS), math.nan)
    table[:, columns.TIME] = 0.0, 10.0
    defaults = {"GEAR": Gear.DRIVE, "GRADE": 0.0, "FRICTION_LEFT": 1.0, "FRICTION_RIGHT": 1.0, "HEADWIND": 0.0, "CROSSWIND": 0.0}
    for name, value in (defaults | given).items():
        table[:, getattr(columns, name)] = value
    return table


class Car:
    def __init__(
        self,
        table: np.ndarray,
        path: list[tuple[float, float]] | None = None,
        speed: float = 0.0,
        patches: tuple[tuple[float, ...], ...] = (),
    ) -> None:
        self.inputs, self.outputs = Inputs.new(), Outputs.new()
        self.states, self.measured, self.parameter = CarState.new(), CarMeasurements.new(), CarParameters.new()
        self.parameter["plant"] = load_vehicle("leaf_twin_motor").parameters[0]
        self.parameters.settle_time = 0.01
        self.parameters.start_speed = speed
        self.parameters.front_inverter.check_time = self.parameters.rear_inverter.check_time = 0.0
        acquaint(self.parameters.plant, self.parameters.driver)
        place(speed, 0.9, 25.0, self.state.plant, self.parameters.plant)
        self.table, self.path, self.patches = table, path_table(np.array(path or [(0.0, 0.0)])), road_table(patches)

    @property
    def state(self):
        return self.states[0]

    @property
    def parameters(self):
        return self.parameter[0]

    @property
    def sensors(self):
        return self.inputs[0]

    @property
    def commands(self):
        return self.outputs[0]

    def run(self, duration: float) -> None:
        for _ in range(round(duration / DT)):
            car_node.step(
                DT, self.sensors, self.commands, self.state, self.measured[0], self.parameters, self.table, self.path,
                self.patches,
            )  # fmt: skip

    def make_ready(self) -> None:
        power = self.commands.power
        power.awake = power.relay_output = power.ready = 1
        power.high_voltage, power.gear = HighVoltage.ON, Gear.DRIVE
        for axle in (self.commands.front, self.commands.rear):
            axle.torque_limit_upper, axle.torque_limit_lower, axle.link.age = 340.0, -340.0, 0.0
        self.commands.brakes.link.age = 0.0


def test_the_shifter_stays_in_park_until_the_car_is_ready_and_the_brake_is_held() -> None:
    car = Car(stimulus(ACCELERATOR=0.2, STEERING=0.0))
    car.run(0.3)
    assert (car.state.phase, car.sensors.pedals.gear, car.sensors.pedals.power_switch) == (Phase.STARTING, Gear.PARK, 1)
    assert car.sensors.pedals.brake > 0.1
    car.commands.power.ready = 1
    car.run(0.01)
    assert car.sensors.pedals.gear == Gear.DRIVE


def test_the_pedal_has_two_tracks_and_mode_and_e_pedal_are_those_that_the_driver_has_chosen() -> None:
    car = Car(stimulus(ACCELERATOR=0.2, STEERING=0.0))
    car.parameters.drive_mode, car.parameters.e_pedal = DriveMode.SNOW, 1
    car.state.phase = Phase.DRIVING
    car.run(0.01)
    pedals = car.sensors.pedals
    assert (pedals.accelerator, pedals.accelerator_track_2) == (0.2, 0.2)
    assert (pedals.drive_mode, pedals.e_pedal) == (DriveMode.SNOW, 1)


def test_the_scenario_begins_when_the_first_speed_is_held_and_its_origin_is_there() -> None:
    car = Car(stimulus(ACCELERATOR=0.2, STEERING=0.1), speed=15.0)
    car.run(0.05)
    assert car.sensors.pedals.accelerator == 0.0  # the stimulus waits
    car.make_ready()
    car.run(0.1)
    assert car.state.phase == Phase.DRIVING
    assert 0.0 < car.measured[0].scenario_time < 0.1
    assert 0.0 < car.state.plant.body.x < 1.5
    assert (car.sensors.pedals.accelerator, car.sensors.steering.wheel_angle) == (0.2, pytest.approx(0.1))
    assert math.isnan(car.measured[0].wanted_speed)


def test_a_run_up_that_takes_too_long_ends() -> None:
    car = Car(stimulus(ACCELERATOR=0.2, STEERING=0.0))
    car.parameters.start_speed = 30.0
    car.parameters.run_up_limit = 0.05
    car.make_ready()
    car.run(0.1)
    assert car.state.phase == Phase.DRIVING


def test_without_pedals_the_driver_keeps_the_speed_and_without_steering_follows_the_path() -> None:
    car = Car(stimulus(SPEED=20.0), path=[(-10.0, 0.0), (5.0, 0.0), (60.0, 20.0)], speed=15.0)
    car.make_ready()
    car.run(0.3)
    assert car.measured[0].wanted_speed == 20.0
    assert car.sensors.pedals.accelerator > 0.0
    assert car.sensors.steering.wheel_angle > 0.0  # the path turns left


def test_the_road_of_the_scenario_is_there_only_in_the_scenario() -> None:
    car = Car(stimulus(ACCELERATOR=0.0, BRAKE=0.3, STEERING=0.0, GRADE=0.1, FRICTION_LEFT=0.3, FRICTION_RIGHT=0.8))
    car.run(0.2)
    assert (car.state.road.grade, car.state.road.friction[0]) == (0.0, 1.0)
    car.make_ready()
    car.run(0.05)
    assert car.state.road.grade == 0.1
    assert list(car.state.road.friction) == [0.3, 0.8, 0.3, 0.8]


def test_the_front_wheels_reach_a_patch_of_road_before_the_rear_wheels() -> None:
    ice = patch(x=(2.0, 100.0), friction=0.2)
    hill = patch(x=(1.0, 100.0), grade_percent=10.0)
    left = patch(x=(50.0, 100.0), y=(0.0, 10.0), friction=0.8)
    car = Car(stimulus(ACCELERATOR=0.0, STEERING=0.0), speed=20.0, patches=(ice, hill, left))
    car.make_ready()
    car.run(0.08)
    assert 1.0 < car.state.plant.body.x < 2.0 + 1.404
    assert list(car.state.road.friction) == [0.2, 0.2, 1.0, 1.0]
    assert car.state.road.grade == 0.1
    car.run(0.2)
    assert list(car.state.road.friction) == [0.2] * 4
    car.state.plant.body.x = car.measured[0].plant.body.x = 60.0
    car.run(DT)
    assert list(car.state.road.friction) == [0.8, 0.2, 0.8, 0.2]


def test_a_patch_follows_the_ground_and_not_the_heading_of_the_car() -> None:
    body = CarMeasurements.new()[0].plant.body
    patches = road_table([patch(x=(9.0, 11.0), y=(2.0, 4.0), friction=0.3)])
    body.x, body.y, body.yaw = 10.0, 1.0, math.pi / 2  # it heads for positive y
    heading = math.cos(body.yaw), math.sin(body.yaw)
    assert car_node.friction_at(patches, body, *heading, 2.0, 0.5, 1.0) == 0.3
    assert car_node.friction_at(patches, body, *heading, 0.5, 2.0, 1.0) == 1.0


def test_a_patch_of_squares_lies_on_every_other_square_and_leaves_what_is_below_on_the_rest() -> None:
    wet, board = patch(friction=0.6), patch(x=(-10.0, 10.0), friction=0.2, squares=2.0)
    patches = road_table([wet, board])
    for x, y, expected in (
        (0.5, 0.5, 0.2), (2.5, 0.5, 0.6), (2.5, 2.5, 0.2), (-0.5, 0.5, 0.6), (-0.5, -0.5, 0.2), (4.5, -0.5, 0.6), (10.5, 0.5, 0.6)
    ):  # fmt: skip
        assert road.value_at(patches, x, y, road.FRICTION, 1.0) == expected
    assert road.value_at(patches, 0.5, 0.5, road.GRADE, 0.05) == 0.05


def test_wind_blows_once_the_scenario_runs() -> None:
    car = Car(stimulus(ACCELERATOR=0.0, STEERING=0.0, HEADWIND=10.0, CROSSWIND=4.0), speed=20.0)
    car.run(0.01)
    assert (car.state.road.wind_x, car.state.road.wind_y) == (0.0, 0.0)
    calm = car.measured[0].plant.body.road_load
    car.make_ready()
    car.run(0.05)
    assert (car.state.road.wind_x, car.state.road.wind_y) == (-10.0, 4.0)
    assert car.measured[0].plant.body.road_load > 1.3 * calm
    assert car.measured[0].plant.body.wind_side_force > 50.0


def test_torque_that_is_asked_for_drives_the_car_and_every_sensor_says_so() -> None:
    car = Car(stimulus(ACCELERATOR=0.5, STEERING=0.0), speed=10.0)
    car.make_ready()
    car.run(0.2)
    car.commands.front.motor_torque = car.commands.rear.motor_torque = 150.0
    car.run(0.3)
    assert car.sensors.front.motor_torque > 140.0
    assert car.sensors.motion.longitudinal_acceleration > 3.0
    assert car.sensors.wheels.rear_left > 10.0
    assert car.sensors.battery.current > 50.0
    assert car.sensors.battery.voltage < 392.0
    assert car.sensors.panel.armed == 1


def test_a_limited_pack_says_why() -> None:
    for charge, temperature, reason, failsafe in ((0.5, 58.0, 3, 0), (0.5, -25.0, 4, 0), (0.01, 25.0, 1, 5)):
        car = Car(stimulus(ACCELERATOR=0.0, STEERING=0.0))
        place(0.0, charge, temperature, car.state.plant, car.parameters.plant)
        car.parameters.battery_controller.usable_power = 200e3
        car.make_ready()
        car.run(0.3)
        assert car.sensors.battery.limit_reason == reason
        assert car.sensors.battery.power_status == 3
        assert car.sensors.battery.failsafe_status == failsafe  # 5: warning, and empty
