import numpy as np
import pytest
from controller_rig import STEP, Rig
from interpreter import needs_compiler
from small_car import DIAGNOSIS, HIGH_VOLTAGE, READY, RELAY, TIME, DrivingRig

from firmware_model.measurements import Fault, SupervisorState
from firmware_model.signals import Gear, HighVoltage


def state(rig):
    return SupervisorState(int(rig.measurements.supervisor.state))


def permitted(rig):
    measured = rig.measurements.supervisor
    return int(measured.front_permitted), int(measured.rear_permitted)


def latched(rig):
    return Fault(int(rig.measurements.supervisor.latched_faults))


def first(log, column, value):
    """Time [s] at which a column first has a value."""
    return float(log[np.flatnonzero(log[:, column] == value)[0], TIME])


def put_in(rig, supervisor_state):
    rig.state.supervisor.state = supervisor_state
    rig.state.supervisor.time = 0.0


def test_the_car_starts_with_the_times_of_the_recorded_start():
    log = DrivingRig(ready=False).drive(1.9, STEP)
    assert first(log, HIGH_VOLTAGE, HighVoltage.PRECHARGE_NOT_STARTED) == pytest.approx(0.0, abs=2 * STEP)
    assert first(log, RELAY, 1) == pytest.approx(0.52, abs=5 * STEP)
    assert first(log, HIGH_VOLTAGE, HighVoltage.PRECHARGING) == pytest.approx(0.89, abs=5 * STEP)
    assert first(log, HIGH_VOLTAGE, HighVoltage.ON) == pytest.approx(1.34, abs=5 * STEP)
    assert first(log, READY, 1) == pytest.approx(1.87, abs=5 * STEP)


def test_absent_frames_count_as_faults_2_1_s_after_ready():
    rig = DrivingRig()
    rig.state.supervisor.time = 2.0
    log = rig.drive(0.2)
    assert first(log, DIAGNOSIS, 1) == pytest.approx(0.1, abs=2e-3)


def test_a_car_that_is_off_transmits_nothing():
    rig = Rig(ready=False)
    rig.inputs.pedals.power_switch = 0
    rig.run(0.02)
    out = rig.outputs
    assert (out.front.link.silent, out.rear.link.silent, out.power.link.silent, out.brakes.link.silent) == (1, 1, 1, 1)
    assert (out.power.awake, out.power.car_on, rig.faults) == (0, 0, 0)
    rig.inputs.pedals.power_switch = 1
    rig.run(0.02)
    assert (out.front.link.silent, out.rear.link.silent, out.power.link.silent, out.brakes.link.silent) == (0, 0, 0, 0)
    assert (out.power.awake, out.power.car_on) == (1, 1)


def test_a_switch_that_is_not_heard_is_off():
    rig = Rig(ready=False)
    rig.inputs.pedals.link.age = 1e6
    rig.run(0.05)
    assert state(rig) == SupervisorState.OFF


def test_nothing_is_sent_to_an_inverter_that_is_not_there():
    rig = Rig()
    rig.calibration.rear.motor_present = 0
    rig.run(0.01)
    assert (rig.outputs.front.link.silent, rig.outputs.rear.link.silent) == (0, 1)


@pytest.mark.parametrize(
    ("path", "value"), [("battery.interlock", 0), ("battery.state_link.age", 1e6), ("battery.voltage", 60.0)]
)
def test_the_main_relay_waits_for_a_well_battery_and_gives_up(path, value):
    rig = Rig(ready=False)
    rig.set(path, value)
    rig.calibration.supervisor.battery_timeout = 0.7
    rig.run(0.69)
    assert (state(rig), rig.outputs.power.relay_output) == (SupervisorState.WAKE, 0)
    rig.run(0.1)
    assert state(rig) == SupervisorState.DISCHARGE
    assert latched(rig) == Fault.BATTERY_NOT_READY


def test_a_battery_without_interlock_signal_is_enough_where_none_is_required():
    rig = Rig(ready=False)
    rig.inputs.battery.interlock = 0
    rig.calibration.supervisor.interlock_required = 0
    rig.run(0.6)
    assert state(rig) == SupervisorState.PRECHARGE


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_a_dc_link_that_does_not_charge_ends_the_start(axle):
    rig = Rig(ready=False)
    put_in(rig, SupervisorState.PRECHARGE)
    rig.calibration.supervisor.precharge_timeout = 0.6
    rig.set(f"{axle}.dc_voltage", 0.94 * 390.0)
    rig.run(0.95)
    assert (state(rig), rig.outputs.power.high_voltage) == (SupervisorState.PRECHARGE, HighVoltage.PRECHARGING)
    rig.run(0.05)
    assert latched(rig) == Fault.PRECHARGE_TIMEOUT
    assert state(rig) == SupervisorState.DISCHARGE


def test_ready_waits_for_every_source():
    rig = Rig(ready=False)
    put_in(rig, SupervisorState.HIGH_VOLTAGE_ON)
    rig.inputs.front.link.age = 1.0
    rig.run(0.8)
    assert state(rig) == SupervisorState.HIGH_VOLTAGE_ON
    assert rig.faults == Fault.FRONT_INVERTER_SILENT
    rig.inputs.front.link.age = 0.0
    rig.run(0.3)
    assert state(rig) == SupervisorState.READY


def test_an_inverter_s_error_bits_stop_its_torque_and_those_outside_the_mask_do_not():
    rig = Rig()
    rig.inputs.front.error_code = 0x4
    rig.run(0.02)
    assert permitted(rig) == (1, 1)
    rig.inputs.rear.error_code = 0x8
    rig.run(0.02)
    assert rig.faults == Fault.REAR_INVERTER_ERROR
    assert permitted(rig) == (1, 0)
    assert rig.measurements.supervisor.torque_permitted == 1


@needs_compiler
def test_a_car_becomes_ready_with_one_axle_after_both_have_had_their_time():
    rig = Rig(ready=False)
    put_in(rig, SupervisorState.HIGH_VOLTAGE_ON)
    rig.inputs.rear.error_code = 0x8
    rig.run(2.9)
    assert state(rig) == SupervisorState.HIGH_VOLTAGE_ON
    rig.run(0.2)
    assert (state(rig), permitted(rig)) == (SupervisorState.READY, (1, 0))


@needs_compiler
def test_a_car_without_any_axle_does_not_become_ready():
    rig = Rig(ready=False)
    put_in(rig, SupervisorState.HIGH_VOLTAGE_ON)
    rig.inputs.front.error_code = rig.inputs.rear.error_code = 0x8
    rig.run(3.5)
    assert state(rig) == SupervisorState.HIGH_VOLTAGE_ON


def test_switching_off_opens_the_relay_when_the_car_stands_and_then_falls_asleep():
    rig = Rig()
    rig.set_speed(10.0)
    rig.run(0.02)
    rig.inputs.pedals.power_switch = 0
    rig.run(0.1)
    assert (state(rig), rig.outputs.power.relay_output, rig.outputs.power.ready) == (SupervisorState.SHUTDOWN, 1, 0)
    rig.set_speed(0.0)
    rig.run(0.02)
    assert rig.outputs.power.high_voltage == HighVoltage.STARTING_DISCHARGE
    assert rig.outputs.power.relay_output == 1
    rig.run(0.03)
    assert (rig.outputs.power.high_voltage, rig.outputs.power.relay_output) == (HighVoltage.OFF, 0)
    assert (rig.outputs.power.awake, rig.outputs.power.link.silent) == (0, 0)
    rig.run(1.0)
    assert (state(rig), rig.outputs.power.link.silent) == (SupervisorState.OFF, 1)


def test_switching_off_while_starting_goes_back_to_off():
    rig = Rig(ready=False)
    rig.run(0.6)
    rig.inputs.pedals.power_switch = 0
    rig.run(1.1)
    assert state(rig) == SupervisorState.OFF


def test_the_relay_opens_in_the_end_even_at_speed():
    rig = Rig(speed=30.0)
    rig.calibration.supervisor.shutdown_timeout = 0.3
    rig.inputs.pedals.power_switch = 0
    rig.run(0.29)
    assert state(rig) == SupervisorState.SHUTDOWN
    rig.run(0.05)
    assert state(rig) == SupervisorState.DISCHARGE


HIGH_VOLTAGE_STOPS = [
    ("panel.emergency_stop", 1, Fault.EMERGENCY_STOP),
    ("battery.relay_cut_request", 1, Fault.RELAY_CUT_REQUEST),
    ("battery.failsafe_status", 4, Fault.BATTERY_IMMOBILISES),
]


@pytest.mark.parametrize(("path", "value", "fault"), HIGH_VOLTAGE_STOPS, ids=lambda value: str(value))
def test_some_faults_open_the_relay_at_speed_and_stay_until_the_driver_switches_off(path, value, fault):
    rig = Rig(speed=20.0)
    rig.run(0.02)
    rig.set(path, value)
    rig.run(0.04)
    assert rig.outputs.power.relay_output == 0
    rig.set(path, 0)
    rig.run(1.1)
    assert (state(rig), latched(rig)) == (SupervisorState.FAULT, fault)
    assert rig.outputs.power.awake == 1
    rig.inputs.pedals.power_switch = 0
    rig.run(0.01)
    assert state(rig) == SupervisorState.OFF
    rig.inputs.pedals.power_switch = 1
    rig.run(0.01)
    assert (state(rig), latched(rig)) == (SupervisorState.WAKE, Fault(0))


def test_the_relay_does_not_open_under_load_unless_the_load_will_not_go():
    rig = Rig(speed=5.0)
    rig.run(0.02)
    rig.inputs.front.motor_torque = 100.0
    rig.inputs.panel.emergency_stop = 1
    rig.run(0.19)
    assert rig.outputs.power.relay_output == 1
    rig.run(0.05)
    assert rig.outputs.power.relay_output == 0


def test_a_warning_of_the_battery_stops_nothing():
    rig = Rig()
    rig.inputs.battery.failsafe_status = 1
    rig.run(0.1)
    assert rig.measurements.supervisor.torque_permitted == 1


@needs_compiler
def test_a_long_silence_of_the_battery_is_latched_and_shuts_the_car_down():
    rig = Rig()
    rig.inputs.battery.state_link.age = 0.2
    rig.run(1.88)
    assert (state(rig), rig.faults, latched(rig)) == (SupervisorState.READY, Fault.BATTERY_STATE_SILENT, Fault(0))
    rig.run(0.06)
    rig.inputs.battery.state_link.age = 0.005
    rig.run(1.5)
    assert (state(rig), latched(rig)) == (SupervisorState.FAULT, Fault.BATTERY_STATE_SILENT)


@needs_compiler
def test_a_long_silence_of_an_inverter_is_latched_and_the_car_drives_on_with_the_other():
    rig = Rig(speed=5.0)
    rig.inputs.pedals.accelerator = 1.0
    rig.inputs.front.link.age = 0.2
    rig.run(2.0)
    rig.inputs.front.link.age = 0.005
    rig.run(1.5)
    assert (state(rig), latched(rig)) == (SupervisorState.READY, Fault.FRONT_INVERTER_SILENT)
    assert permitted(rig) == (0, 1)
    front, rear = rig.torques
    assert (front, rear) == (0.0, pytest.approx(0.5 * 340.0))


@needs_compiler
def test_the_only_inverter_s_long_silence_shuts_the_car_down():
    rig = Rig()
    rig.calibration.rear.motor_present = 0
    rig.inputs.rear.link.age = 1e6
    rig.inputs.front.link.age = 0.2
    rig.run(0.1)
    assert (state(rig), permitted(rig)) == (SupervisorState.READY, (0, 0))
    rig.run(3.5)
    assert (state(rig), latched(rig)) == (SupervisorState.FAULT, Fault.FRONT_INVERTER_SILENT)


def test_a_car_with_a_lost_inverter_is_switched_off_without_waiting_for_torque_that_nobody_reports():
    rig = Rig()
    rig.inputs.front.motor_torque = 80.0
    rig.run(0.02)
    rig.inputs.front.link.age = 1.0
    rig.run(0.1)
    rig.inputs.pedals.power_switch = 0
    rig.run(0.15)
    assert state(rig) == SupervisorState.SHUTDOWN
    rig.run(0.1)
    assert state(rig) == SupervisorState.DISCHARGE


@needs_compiler
def test_a_long_silence_of_the_steering_is_not_latched():
    rig = Rig()
    rig.inputs.steering.link.age = 5.0
    rig.run(3.0)
    assert (state(rig), latched(rig)) == (SupervisorState.READY, Fault(0))
    assert rig.faults == Fault.STEERING_SILENT
    assert rig.measurements.supervisor.torque_permitted == 1


class ArmingRig(Rig):
    """A controller on a real bus."""

    def __init__(self):
        super().__init__()
        self.calibration.supervisor.arming_required = 1
        self.run(0.02)

    def permitted(self, seconds=0.02):
        self.run(seconds)
        return int(self.measurements.supervisor.torque_permitted)


def test_without_arming_no_torque():
    rig = ArmingRig()
    assert rig.permitted() == 0
    assert rig.faults == Fault.NOT_ARMED
    rig.inputs.panel.armed = 1
    assert rig.permitted() == 1
    rig.inputs.panel.armed = 0
    assert rig.permitted() == 0


def test_a_lost_heartbeat_disarms_until_the_operator_arms_anew():
    rig = ArmingRig()
    rig.inputs.panel.armed = 1
    assert rig.permitted() == 1
    rig.inputs.panel.link.age = 0.51
    assert rig.permitted() == 0
    rig.inputs.panel.link.age = 0.01
    assert rig.permitted(0.5) == 0
    assert rig.faults == Fault.NOT_ARMED
    rig.inputs.panel.armed = 0
    rig.run(0.02)
    rig.inputs.panel.armed = 1
    assert rig.permitted() == 1


def test_a_disarmed_car_becomes_ready_all_the_same():
    rig = Rig(ready=False)
    rig.calibration.supervisor.arming_required = 1
    rig.inputs.panel.link.age = 1e6
    put_in(rig, SupervisorState.HIGH_VOLTAGE_ON)
    rig.run(0.6)
    assert state(rig) == SupervisorState.READY
    assert rig.measurements.supervisor.torque_permitted == 0


def engaged(rig, shifter, speed=0.0):
    rig.set_speed(speed)
    rig.inputs.pedals.gear = shifter
    rig.run(0.02)
    return Gear(int(rig.outputs.power.gear))


def test_a_gear_engages_only_in_ready():
    rig = Rig(ready=False)
    put_in(rig, SupervisorState.HIGH_VOLTAGE_ON)
    assert engaged(rig, Gear.DRIVE) == Gear.PARK
    put_in(rig, SupervisorState.READY)
    assert engaged(rig, Gear.DRIVE) == Gear.DRIVE


@pytest.mark.parametrize(
    ("before", "shifter", "speed", "expected"),
    [
        (Gear.DRIVE, Gear.BRAKE, 30.0, Gear.BRAKE),
        (Gear.DRIVE, Gear.REVERSE, 1.0, Gear.REVERSE),
        (Gear.DRIVE, Gear.REVERSE, 5.0, Gear.NEUTRAL),
        (Gear.REVERSE, Gear.DRIVE, -5.0, Gear.NEUTRAL),
        (Gear.DRIVE, Gear.PARK, 5.0, Gear.NEUTRAL),
        (Gear.DRIVE, Gear.PARK, 0.0, Gear.PARK),
        (Gear.DRIVE, Gear.NEUTRAL, 30.0, Gear.NEUTRAL),
        (Gear.DRIVE, Gear.DRIVE, -5.0, Gear.DRIVE),
    ],
)
def test_no_gear_engages_against_the_motion(before, shifter, speed, expected):
    rig = Rig()
    rig.state.supervisor.gear = before
    assert engaged(rig, shifter, speed) == expected


def test_the_brake_light_follows_the_pedal():
    rig = Rig()
    for pedal, pressed in ((0.02, 0), (0.04, 1)):
        rig.inputs.pedals.brake = pedal
        rig.run(0.01)
        assert rig.outputs.power.brake_pressed == pressed
