"""The virtual control units, one step after the other, with a car's commands written by hand."""

import math

import pytest

from bench.nodes import battery_controller, chassis, inverter
from bench.nodes.battery_controller import BatteryControllerParameters, BatteryControllerState
from bench.nodes.chassis import ChassisParameters
from bench.nodes.inverter import CODES, InverterParameters, InverterState, Trouble
from bench.plant import car
from bench.plant.high_voltage import HighVoltageDemands, HighVoltageMeasurements
from firmware_model.signals import NEVER_RECEIVED, HighVoltage, Inputs, InverterStatus, Outputs

DT = 1e-3
PACK = 392.0  # [V]
CHECKED = 0.9  # [s] boot and self-check are over


class Inverter:
    """One inverter on a DC link that the test holds at a voltage; it hears 0x1D4, 0x11A and 0x50B."""

    def __init__(self, link_voltage: float = PACK) -> None:
        self.outputs, self.inputs = Outputs.new()[0], Inputs.new()[0]
        self.state, self.parameters = InverterState.new()[0], InverterParameters.new()[0]
        self.demands, self.plant = car.Demands.new()[0], car.Measurements.new()[0]
        self.circuit = HighVoltageMeasurements.new()[0]
        self.circuit.link_voltage, self.circuit.connected = link_voltage, 1
        for link in (self.command.link, self.command.mode_link, self.outputs.power.link):
            link.age = 0.0
        self.command.torque_limit_upper, self.command.torque_limit_lower = 340.0, -340.0

    @property
    def command(self):
        return self.outputs.front

    @property
    def condition(self):
        return self.inputs.front_condition

    def run(self, duration: float) -> None:
        for _ in range(round(duration / DT)):
            inverter.step(
                DT, self.command, self.outputs.power, self.outputs.power.link, self.circuit, self.plant.front, self.state,
                self.parameters, self.demands.front, self.inputs.front, self.condition,
            )  # fmt: skip

    def start(self) -> None:
        power = self.outputs.power
        power.awake = power.relay_output = power.absence_diagnosis = 1
        power.high_voltage = HighVoltage.ON
        self.run(CHECKED)

    def torque_of(self, request: float) -> float:
        self.command.motor_torque = request
        self.run(DT)
        return float(self.demands.front.motor_torque)


def test_an_inverter_is_silent_until_it_has_booted() -> None:
    unit = Inverter()
    unit.run(1.0)
    assert unit.inputs.front.link.silent == 1
    unit.outputs.power.awake = 1
    unit.run(0.19)
    assert unit.inputs.front.link.silent == 1
    unit.run(0.02)
    assert unit.inputs.front.link.silent == 0


def test_an_inverter_measures_its_link_first_then_temperatures_and_its_motor_after_the_self_check() -> None:
    unit = Inverter()
    unit.plant.front.motor.speed, unit.plant.front.motor.winding_temperature = 100.0, 60.0
    report = unit.inputs.front
    unit.outputs.power.awake, unit.outputs.power.high_voltage = 1, HighVoltage.PRECHARGE_NOT_STARTED
    unit.run(0.21)
    assert math.isnan(report.dc_voltage)
    assert math.isnan(report.motor_speed)
    assert report.motor_temperature == pytest.approx(4.44, abs=0.01)  # 40 degF
    unit.run(0.1)
    assert report.dc_voltage == PACK
    assert report.motor_temperature == 60.0
    assert unit.condition.status == InverterStatus.OFF
    unit.run(0.3)
    assert unit.condition.status == InverterStatus.STARTING
    assert math.isnan(report.motor_speed)
    unit.run(0.3)
    assert unit.condition.status == InverterStatus.OFF
    assert report.motor_speed == 100.0


def test_no_torque_before_the_self_check_is_done_and_the_high_voltage_is_on() -> None:
    unit = Inverter()
    unit.command.motor_torque = 100.0
    unit.outputs.power.awake = 1
    unit.outputs.power.high_voltage = HighVoltage.ON
    unit.run(0.8)
    assert (unit.demands.front.connected, unit.demands.front.motor_torque) == (0, 0.0)
    unit.run(0.1)
    assert (unit.demands.front.connected, unit.demands.front.motor_torque) == (1, 100.0)
    unit.outputs.power.high_voltage = HighVoltage.PRECHARGING
    unit.run(DT)
    assert (unit.demands.front.connected, unit.demands.front.motor_torque) == (0, 0.0)


def test_a_dc_link_below_its_threshold_gives_no_torque() -> None:
    unit = Inverter(link_voltage=179.0)
    unit.start()
    assert (unit.condition.enabled, unit.torque_of(50.0)) == (0, 0.0)
    unit.circuit.link_voltage = 181.0
    assert unit.torque_of(50.0) == 50.0
    assert (unit.condition.enabled, unit.condition.status) == (1, InverterStatus.RUNNING)


def test_a_request_beyond_its_limits_is_clipped() -> None:
    unit = Inverter()
    unit.start()
    unit.command.torque_limit_upper = 200.0
    assert unit.torque_of(300.0) == 200.0


@pytest.mark.parametrize(
    ("name", "trouble"),
    [("request", Trouble.NO_CONTROLLER), ("mode", Trouble.NO_MODE), ("state", Trouble.NO_CONTROLLER)],
)
def test_an_inverter_gives_up_two_seconds_after_the_last_frame_of_a_kind_until_it_has_slept(name, trouble) -> None:
    unit = Inverter()
    unit.start()
    unit.run(2.0)
    link = {"request": unit.command.link, "mode": unit.command.mode_link, "state": unit.outputs.power.link}[name]
    link.age = 1.99
    assert unit.torque_of(50.0) == 50.0
    link.age = 2.01
    assert unit.torque_of(50.0) == 0.0
    assert unit.state.trouble == trouble | Trouble.NO_CAN
    assert unit.inputs.front.error_code == 6
    link.age = 0.0
    unit.run(1.0)
    assert unit.torque_of(50.0) == 0.0
    unit.outputs.power.awake = 0
    unit.run(0.01)
    assert (unit.inputs.front.error_code, unit.inputs.front.link.silent) == (0, 1)
    unit.start()
    assert unit.torque_of(50.0) == 50.0


def test_a_frame_that_the_network_does_not_have_is_not_missed() -> None:
    unit = Inverter()
    unit.command.mode_link.age = NEVER_RECEIVED
    unit.start()
    unit.run(2.5)
    assert unit.torque_of(50.0) == 50.0
    unit.command.mode_link.age = NEVER_RECEIVED + 5.0  # it has one, but it has never come
    assert unit.torque_of(50.0) == 0.0


@pytest.mark.parametrize("link", ["link", "mode_link"])
@pytest.mark.parametrize(("error", "trouble"), [("crc_errors", Trouble.WRONG_CHECK), ("counter_errors", Trouble.FROZEN_COUNTER)])
def test_an_inverter_gives_up_after_so_many_refused_frames_in_a_row(link, error, trouble) -> None:
    unit = Inverter()
    unit.parameters.refused_limit = 5
    unit.start()
    record = getattr(unit.command, link)
    setattr(record, error, 4)
    unit.run(DT)
    record.received += 1  # a good one between
    unit.run(DT)
    setattr(record, error, 8)
    assert unit.torque_of(50.0) == 50.0
    setattr(record, error, 9)
    assert unit.torque_of(50.0) == 0.0
    assert unit.state.trouble == trouble


def test_each_trouble_code_is_broadcast_once_for_one_frame_in_the_order_of_the_captured_inverter() -> None:
    unit = Inverter()
    unit.start()
    unit.parameters.motor_connected = 0
    for link in (unit.command.link, unit.command.mode_link, unit.outputs.power.link):
        link.age = NEVER_RECEIVED + 1.0
    heard = []
    for _ in range(2000):
        unit.run(DT)
        heard.append(0 if unit.condition.link.silent else int(unit.condition.trouble_code))
    codes = (0x0A3F, 0xD000, 0x0A2D, 0x0A03, 0x3197, 0x318E)
    assert [heard.count(code) for code in codes] == [10] * 6  # one period of the frame each
    assert [code for code in dict.fromkeys(heard) if code] == list(codes)


def test_the_codes_stand_in_the_order_of_their_bits() -> None:
    assert [trouble.value for trouble in CODES] == [1 << number for number in range(len(CODES))]


def test_a_harmless_code_leaves_the_torque() -> None:
    unit = Inverter()
    unit.start()
    unit.state.trouble = int(Trouble.WINDING_SENSOR)
    assert unit.torque_of(50.0) == 50.0
    assert unit.inputs.front.error_code == 0


def test_an_inverter_reports_itself_off_two_seconds_after_the_high_voltage_and_that_heals() -> None:
    unit = Inverter()
    unit.start()
    unit.outputs.power.high_voltage = HighVoltage.PRECHARGE_NOT_STARTED
    unit.run(2.1)
    assert (unit.inputs.front.error_code, unit.condition.sleep_readiness) == (0, 2)
    unit.run(0.2)
    assert (unit.inputs.front.error_code, unit.condition.sleep_readiness) == (8, 3)
    unit.outputs.power.high_voltage = HighVoltage.ON
    assert unit.torque_of(50.0) == 50.0
    assert (unit.inputs.front.error_code, unit.condition.sleep_readiness) == (0, 0)


def test_an_inverter_discharges_its_link_only_when_told_so_and_not_for_ever() -> None:
    unit = Inverter()
    unit.start()
    assert (unit.state.discharges, unit.state.resistor) == (0, 0)
    unit.outputs.power.high_voltage = HighVoltage.STARTING_DISCHARGE
    unit.run(0.03)
    assert (unit.state.discharges, unit.state.resistor) == (0, 0)
    unit.outputs.power.high_voltage = HighVoltage.OFF
    unit.run(0.045)
    assert (unit.state.discharges, unit.state.resistor) == (1, 1)
    assert unit.condition.status == InverterStatus.DISCHARGING
    unit.circuit.link_voltage = 48.0
    unit.run(DT)
    assert (unit.state.discharges, unit.state.resistor) == (0, 1)
    assert unit.condition.status == InverterStatus.OFF


def test_an_inverter_with_a_broken_transmitter_drives_on_without_a_word() -> None:
    unit = Inverter()
    unit.start()
    unit.parameters.mute = 1
    assert unit.torque_of(50.0) == 50.0
    assert (unit.inputs.front.link.silent, unit.condition.link.silent) == (1, 1)


def test_an_axle_without_motor_stays_off_the_bus() -> None:
    unit = Inverter()
    unit.parameters.fitted = 0
    unit.start()
    assert unit.inputs.front.link.silent == 1
    assert unit.condition.link.silent == 1
    assert unit.demands.front.connected == 0


class Battery:
    """The battery controller of a pack that is well."""

    def __init__(self, *, awake: int = 1, wide: int = 0) -> None:
        self.outputs, self.inputs, self.plant = Outputs.new()[0], Inputs.new()[0], car.Measurements.new()[0]
        self.state, self.parameters = BatteryControllerState.new()[0], BatteryControllerParameters.new()[0]
        self.circuit = HighVoltageMeasurements.new()[0]
        self.circuit.isolation_resistance = 5e6
        self.power.awake, self.power.absence_diagnosis, self.parameters.wide_frames = awake, 1, wide
        self.power.link.age = self.power.charger_link.age = 0.0
        battery = self.plant.battery
        battery.voltage, battery.current, battery.discharge_limit = PACK, 50.0, 180e3
        battery.remaining_energy, battery.state_of_charge = 1e8, 0.6

    @property
    def power(self):
        return self.outputs.power

    @property
    def report(self):
        return self.inputs.battery

    def run(self, duration: float):
        for _ in range(round(duration / DT)):
            battery_controller.step(
                DT, self.power, self.circuit, self.plant.battery, self.state, self.parameters, self.inputs.battery,
                self.inputs.battery_wide,
            )  # fmt: skip
        return self.inputs


def test_a_sleeping_battery_controller_says_nothing() -> None:
    inputs = Battery(awake=0).run(1.0)
    assert (inputs.battery.state_link.silent, inputs.battery.limit_link.silent, inputs.battery_wide.link.silent) == (1, 1, 1)


def test_a_waking_battery_controller_boots_and_sends_invalid_values_first() -> None:
    unit = Battery()
    assert unit.run(0.08).battery.state_link.silent == 1
    report = unit.run(0.05).battery
    assert report.state_link.silent == 0
    assert all(
        math.isnan(value) for value in (report.voltage, report.discharge_limit, report.charge_limit, report.state_of_charge)
    )
    assert (report.relay_closed, report.interlock) == (0, 0)
    unit.run(0.1)
    assert (report.voltage, report.current, report.discharge_limit, report.state_of_charge) == (PACK, 50.0, 180e3, 0.6)
    assert (report.relay_closed, report.interlock) == (1, 0)
    unit.run(0.13)
    assert report.interlock == 1


def test_wide_frames_are_sent_only_by_packs_that_need_them() -> None:
    assert Battery().run(1.0).battery_wide.link.silent == 1
    wide = Battery(wide=1).run(1.0).battery_wide
    assert (wide.link.silent, wide.voltage, wide.discharge_limit) == (0, PACK, 180e3)


@pytest.mark.parametrize("link", ["link", "charger_link"])
def test_a_battery_controller_that_misses_the_car_for_two_seconds_asks_for_its_relay_to_open_until_it_has_slept(link) -> None:
    unit = Battery()
    unit.run(3.0)
    assert (unit.report.relay_cut_request, unit.report.relay_closed, unit.report.limit_reason) == (0, 1, 0)
    record = getattr(unit.power, link)
    record.age = 1.99
    unit.run(DT)
    assert unit.report.relay_cut_request == 0
    record.age = 2.01
    unit.run(DT)
    record.age = 0.0
    unit.run(1.0)
    assert (unit.report.relay_cut_request, unit.report.relay_closed, unit.report.limit_reason) == (3, 0, 2)
    assert unit.report.failsafe_status == 1
    unit.power.awake = 0
    unit.run(DT)
    unit.power.awake = 1
    unit.run(1.0)
    assert (unit.report.relay_cut_request, unit.report.relay_closed, unit.report.limit_reason) == (0, 1, 0)


def test_without_permission_the_battery_controller_does_not_store_that_a_frame_is_absent() -> None:
    unit = Battery()
    unit.power.absence_diagnosis = 0
    unit.run(3.0)
    unit.power.charger_link.age = 5.0
    unit.run(DT)
    assert unit.report.relay_cut_request == 0


@pytest.mark.parametrize("error", ["crc_errors", "counter_errors"])
def test_a_battery_controller_gives_up_after_so_many_refused_frames_in_a_row(error) -> None:
    unit = Battery()
    unit.run(1.0)
    setattr(unit.power.charger_link, error, 199)
    unit.run(DT)
    assert unit.report.relay_cut_request == 0
    setattr(unit.power.charger_link, error, 200)
    unit.run(DT)
    assert unit.report.relay_cut_request == 3


def test_turtle_is_a_warning_and_an_empty_pack_stops_the_car() -> None:
    unit = Battery()
    found = []
    for energy in (1.1, 0.9, 0.6):  # [kWh]
        unit.plant.battery.remaining_energy = energy * 3.6e6
        unit.run(DT)
        found.append(int(unit.report.failsafe_status))
    assert found == [0, 1, 5]


def test_a_lower_limit_has_a_reason_and_is_an_immediate_one() -> None:
    unit = Battery()
    battery = unit.plant.battery
    unit.run(DT)
    assert (unit.report.power_status, unit.report.limit_reason) == (1, 0)
    battery.discharge_limit = 50e3
    for reason in (1, 3, 4):
        battery.limit_reason = reason
        unit.run(DT)
        assert (unit.report.power_status, unit.report.limit_reason) == (3, reason)


def test_an_unplugged_connector_opens_the_interlock_and_takes_the_permission_back() -> None:
    unit = Battery()
    unit.run(1.0)
    unit.parameters.interlock_open = 1
    unit.run(DT)
    assert (unit.report.interlock, unit.report.relay_closed) == (0, 0)


def test_the_car_energises_the_coils_as_its_frames_say() -> None:
    power, coils = Outputs.new()[0].power, HighVoltageDemands.new()[0]
    power.relay_output = 1
    for state, wanted in (
        (HighVoltage.PRECHARGE_NOT_STARTED, (1, 0, 0)),
        (HighVoltage.PRECHARGING, (1, 1, 0)),
        (HighVoltage.ON, (1, 0, 1)),
        (HighVoltage.STARTING_DISCHARGE, (1, 0, 0)),
    ):
        power.high_voltage = state
        battery_controller.energise_coils(power, coils)
        assert (coils.main_minus, coils.precharge, coils.main_plus) == wanted
    power.relay_output, power.high_voltage = 0, HighVoltage.ON
    battery_controller.energise_coils(power, coils)
    assert (coils.main_minus, coils.precharge, coils.main_plus) == (0, 0, 0)


def test_without_a_fresh_request_the_brake_pedal_acts_by_itself() -> None:
    outputs, demands, parameters = Outputs.new()[0], car.Demands.new()[0], ChassisParameters.new()[0]
    outputs.brakes.front_left, outputs.brakes.link.age = 700.0, 0.05
    chassis.actuate_brakes(outputs.brakes, 0.5, demands.front, demands.rear, parameters)
    assert demands.front.left_brake_torque == 700.0
    outputs.brakes.link.age = 0.11
    chassis.actuate_brakes(outputs.brakes, 0.5, demands.front, demands.rear, parameters)
    assert demands.front.left_brake_torque == pytest.approx(0.5 * parameters.pedal_torque_front)
    assert demands.rear.right_brake_torque == pytest.approx(0.5 * parameters.pedal_torque_rear)
