from math import nan

import pytest
from controller_rig import Rig

from firmware_model.measurements import Fault
from firmware_model.signals import Gear, Outputs
from firmware_model.torque_monitor import check_driver, check_request

DT = 1e-3
SETTLED = 0.4  # [s] the band has reached what the pedals allow


class MonitorRig(Rig):
    """The monitor alone, watching torques that somebody commands."""

    def __init__(self, accelerator=0.0, brake=0.0, gear=Gear.DRIVE, speed=20.0):
        super().__init__(speed)
        pedals = self.inputs.pedals
        pedals.accelerator, pedals.brake, pedals.gear = accelerator, brake, gear
        self.watched = self.measurements.torque_monitor
        self.check(0.0, 0.0, SETTLED)

    def check(self, front, rear, seconds=DT, dt=DT):
        for _ in range(round(seconds / dt)):
            self.outputs.front.motor_torque, self.outputs.rear.motor_torque = front, rear
            check_driver(dt, self.inputs, self.state.torque_monitor, self.outputs, self.watched, self.calibration)
        return self.torques

    @property
    def monitor_faults(self):
        return Fault(int(self.state.torque_monitor.faults))


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_too_much_torque_is_a_fault_after_10_ms_and_goes_out_as_zero(dt):
    rig = MonitorRig(accelerator=0.2)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    assert rig.watched.allowed_upper == pytest.approx(allowed)
    too_much = allowed / 2.0 + 5.1
    assert rig.check(too_much, too_much, 0.009, dt) == (too_much, too_much)
    assert rig.check(too_much, too_much, 0.001, dt) == (0.0, 0.0)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    assert (rig.watched.tripped, rig.watched.trips) == (1, 1)


def test_torque_inside_the_tolerance_is_no_fault():
    rig = MonitorRig(accelerator=0.2)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    assert rig.check(allowed / 2.0 + 4.9, allowed / 2.0 + 4.9, 0.5) != (0.0, 0.0)


def test_a_fault_heals_after_20_ms():
    rig = MonitorRig()
    rig.check(200.0, 200.0, 0.05)
    assert rig.check(5.0, 5.0, 0.019) == (0.0, 0.0)
    assert rig.check(5.0, 5.0, 0.001) == (5.0, 5.0)
    assert rig.monitor_faults == Fault(0)


def test_the_wrong_sign_is_a_fault_of_its_own():
    rig = MonitorRig(accelerator=0.8)
    rig.check(-4.6, -4.6, 0.02)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE
    rig = MonitorRig(accelerator=0.8)
    rig.check(-3.9, -3.9, 0.5)
    assert rig.monitor_faults == Fault(0)


def test_without_gear_no_torque_is_allowed():
    rig = MonitorRig(accelerator=1.0, gear=Gear.NEUTRAL)
    rig.check(9.0, 0.0, 0.02)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


def test_in_reverse_the_signs_are_the_other_way_round():
    rig = MonitorRig(accelerator=0.8, gear=Gear.REVERSE, speed=-3.0)
    rig.check(-100.0, -100.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig.check(10.0, 10.0, 0.1)
    assert rig.monitor_faults & Fault.MONITOR_OPPOSITE


def test_lifting_off_allows_some_regeneration_and_the_brake_pedal_all_of_it():
    rig = MonitorRig()
    rig.check(-130.0, -130.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig.check(-150.0, -150.0, 0.1)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    rig = MonitorRig(brake=0.5)
    rig.check(-335.0, -335.0, 0.1)
    assert rig.monitor_faults == Fault(0)


def test_a_single_motor_has_a_limit_of_its_own():
    rig = MonitorRig(accelerator=1.0, speed=5.0)
    rig.check(360.0, -100.0, 0.02)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS


def test_creeping_is_allowed_only_at_low_speed():
    rig = MonitorRig(speed=1.0)
    rig.check(19.0, 19.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig = MonitorRig(speed=5.0)
    rig.check(19.0, 19.0, 0.1)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS


def test_the_power_of_the_battery_bounds_the_torque():
    rig = MonitorRig(accelerator=1.0, speed=30.0)
    omega = float(rig.inputs.front.motor_speed)
    assert rig.watched.allowed_upper == pytest.approx((1.05 * 180e3 + 5e3) / omega)


def test_torque_may_fall_as_fast_as_the_path_lets_it():
    rig = MonitorRig(accelerator=1.0, speed=5.0)
    rig.inputs.pedals.accelerator = 0.0
    torque = 340.0
    while torque > 0.0:
        torque -= 1.6  # 1600 Nm/s
        rig.check(torque, torque)
    assert rig.watched.trips == 0


@pytest.mark.parametrize("path", ["pedals.accelerator", "pedals.brake", "battery.discharge_limit"])
def test_an_invalid_input_is_held_for_a_while_and_then_allows_nothing(path):
    rig = MonitorRig(accelerator=0.5)
    before = float(rig.watched.allowed_upper)
    rig.set(path, nan)
    rig.check(50.0, 50.0, 0.09)
    assert rig.watched.allowed_upper == before
    rig.check(50.0, 50.0, 0.5)
    assert rig.torques == (0.0, 0.0)


def test_a_command_that_is_not_a_number_is_a_fault():
    rig = MonitorRig(accelerator=0.5)
    assert rig.check(nan, 0.0, 0.01) == (0.0, 0.0)


def test_a_recorded_request_is_the_bound_in_a_replay():
    rig, request = MonitorRig(), Outputs.new()[0]
    request.front.motor_torque = 100.0
    for torque, steps, fault in ((105.0, 500, Fault(0)), (115.0, 10, Fault.MONITOR_EXCESS)):
        for _ in range(steps):
            rig.outputs.front.motor_torque = torque
            check_request(DT, request, rig.state.torque_monitor, rig.outputs, rig.watched, rig.calibration)
        assert rig.monitor_faults == fault
