"""The virtual control units: what a real inverter and a real battery controller do on CAN, restated."""

import math

import pytest

from bench.nodes import battery_controller, chassis, inverter
from bench.nodes.battery_controller import BatteryControllerParameters, BatteryControllerState
from bench.nodes.chassis import ChassisParameters
from bench.nodes.inverter import InverterParameters, InverterState
from bench.plant import car
from firmware_model.signals import HighVoltage, Inputs, Outputs

DT = 1e-3
PACK = 392.0  # [V]


class Inverter:
    def __init__(self) -> None:
        self.outputs, self.inputs = Outputs.new()[0], Inputs.new()[0]
        self.state, self.parameters = InverterState.new()[0], InverterParameters.new()[0]
        self.demands, self.plant = car.Demands.new()[0], car.Measurements.new()[0]
        self.outputs.front.link.age = 0.0
        self.outputs.front.torque_limit_upper, self.outputs.front.torque_limit_lower = 340.0, -340.0

    def run(self, duration: float) -> None:
        for _ in range(round(duration / DT)):
            inverter.step(
                DT, self.outputs.front, self.outputs.power, PACK, self.plant.front, self.state, self.parameters,
                self.demands.front, self.inputs.front,
            )  # fmt: skip

    def start(self) -> None:
        self.outputs.power.awake = 1
        self.outputs.power.relay_output = 1
        self.outputs.power.high_voltage = HighVoltage.PRECHARGING
        self.run(0.5)
        self.outputs.power.high_voltage = HighVoltage.ON
        self.run(0.01)


def test_an_inverter_is_silent_until_it_has_booted() -> None:
    unit = Inverter()
    unit.run(1.0)
    assert unit.inputs.front.link.silent == 1
    unit.outputs.power.awake = 1
    unit.run(0.19)
    assert unit.inputs.front.link.silent == 1
    unit.run(0.02)
    assert unit.inputs.front.link.silent == 0


def test_the_dc_link_charges_through_its_resistor_exponentially() -> None:
    unit = Inverter()
    unit.outputs.power.relay_output = 1
    unit.outputs.power.high_voltage = HighVoltage.PRECHARGING
    unit.run(0.04)
    assert unit.inputs.front.dc_voltage == pytest.approx(PACK * (1.0 - math.exp(-1.0)), rel=1e-6)


def test_no_torque_before_the_high_voltage_is_on() -> None:
    unit = Inverter()
    unit.outputs.front.motor_torque = 100.0
    unit.outputs.power.awake = 1
    unit.run(1.0)
    assert unit.demands.front.motor_torque == 0.0
    unit.start()
    assert unit.demands.front.motor_torque == 100.0


def test_a_request_beyond_its_limits_is_clipped() -> None:
    unit = Inverter()
    unit.start()
    unit.outputs.front.motor_torque, unit.outputs.front.torque_limit_upper = 300.0, 200.0
    unit.run(DT)
    assert unit.demands.front.motor_torque == 200.0


def test_an_inverter_gives_up_two_seconds_after_the_last_request_until_it_has_slept() -> None:
    unit = Inverter()
    unit.start()
    unit.outputs.front.motor_torque = 50.0
    unit.run(2.0)
    unit.outputs.front.link.age = 1.99
    unit.run(DT)
    assert unit.demands.front.motor_torque == 50.0
    unit.outputs.front.link.age = 2.01
    unit.run(2 * DT)
    assert unit.demands.front.motor_torque == 0.0
    assert unit.inputs.front.error_code != 0
    unit.outputs.front.link.age = 0.0
    unit.run(1.0)
    assert unit.demands.front.motor_torque == 0.0
    unit.outputs.power.awake = 0
    unit.run(0.01)
    assert unit.inputs.front.error_code == 0


def test_an_axle_without_motor_stays_off_the_bus() -> None:
    unit = Inverter()
    unit.parameters.fitted = 0
    unit.start()
    assert unit.inputs.front.link.silent == 1
    assert unit.demands.front.connected == 0


def battery_after(duration: float, *, awake: int = 1, wide: int = 0):
    outputs, inputs, plant = Outputs.new()[0], Inputs.new()[0], car.Measurements.new()[0]
    state, parameters = BatteryControllerState.new()[0], BatteryControllerParameters.new()[0]
    outputs.power.awake, parameters.wide_frames = awake, wide
    plant.battery.voltage, plant.battery.current, plant.battery.discharge_limit = PACK, 50.0, 180e3
    plant.battery.remaining_energy = 1e8
    for _ in range(round(duration / DT)):
        battery_controller.step(DT, outputs.power, plant.battery, state, parameters, inputs.battery, inputs.battery_wide)
    return inputs


def test_a_sleeping_battery_controller_says_nothing() -> None:
    inputs = battery_after(1.0, awake=0)
    assert (inputs.battery.state_link.silent, inputs.battery.limit_link.silent, inputs.battery_wide.link.silent) == (1, 1, 1)


def test_a_waking_battery_controller_sends_invalid_values_first() -> None:
    inputs = battery_after(0.1)
    assert inputs.battery.state_link.silent == 0
    assert math.isnan(inputs.battery.voltage)
    assert math.isnan(inputs.battery.discharge_limit)
    inputs = battery_after(0.25)
    assert (inputs.battery.voltage, inputs.battery.current, inputs.battery.discharge_limit) == (PACK, 50.0, 180e3)
    assert inputs.battery.relay_closed == 1


def test_wide_frames_are_sent_only_by_packs_that_need_them() -> None:
    assert battery_after(1.0).battery_wide.link.silent == 1
    wide = battery_after(1.0, wide=1).battery_wide
    assert (wide.link.silent, wide.voltage, wide.discharge_limit) == (0, PACK, 180e3)


def test_without_a_fresh_request_the_brake_pedal_acts_by_itself() -> None:
    outputs, demands, parameters = Outputs.new()[0], car.Demands.new()[0], ChassisParameters.new()[0]
    outputs.brakes.front_left, outputs.brakes.link.age = 700.0, 0.05
    chassis.actuate_brakes(outputs.brakes, 0.5, demands.front, demands.rear, parameters)
    assert demands.front.left_brake_torque == 700.0
    outputs.brakes.link.age = 0.11
    chassis.actuate_brakes(outputs.brakes, 0.5, demands.front, demands.rear, parameters)
    assert demands.front.left_brake_torque == pytest.approx(0.5 * parameters.pedal_torque_front)
    assert demands.rear.right_brake_torque == pytest.approx(0.5 * parameters.pedal_torque_rear)
