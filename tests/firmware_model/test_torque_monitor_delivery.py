from math import inf, nan

import numpy as np
import pytest
from monitor_rig import FOR_EVER, LAG, MonitorRig, axles

from firmware_model.measurements import Fault


@pytest.mark.parametrize(("axle", "fault"), [("front", Fault.FRONT_TORQUE_DEVIATION), ("rear", Fault.REAR_TORQUE_DEVIATION)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_more_torque_than_commanded_is_a_fault_of_its_axle_after_70_ms(axle, fault, sign):
    rig = MonitorRig(accelerator=0.3, brake=0.3)
    delivers = rig.inputs.front if axle == "front" else rig.inputs.rear
    rig.check(sign * 50.0, sign * 50.0, 0.5)
    delivers.motor_torque = sign * 60.0
    rig.check(sign * 50.0, sign * 50.0, FOR_EVER)
    assert rig.monitor_faults == Fault(0)
    delivers.motor_torque = sign * 60.5
    rig.check(sign * 50.0, sign * 50.0, 0.069)
    assert rig.monitor_faults == Fault(0)
    torques = rig.check(sign * 50.0, sign * 50.0, 0.001)
    assert rig.monitor_faults == fault
    assert torques == ((0.0, sign * 50.0) if axle == "front" else (sign * 50.0, 0.0))
    delivers.motor_torque = 0.0
    rig.check(0.0, 0.0, 0.019)
    assert rig.monitor_faults == fault
    rig.check(0.0, 0.0, 0.001)
    assert rig.monitor_faults == Fault(0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_torque_of_the_wrong_sign_is_a_fault_and_less_torque_is_none(sign):
    rig = MonitorRig(accelerator=0.5, brake=0.5)
    rig.inputs.front.motor_torque = 0.0
    rig.check(sign * 150.0, sign * 150.0, FOR_EVER)  # the inverter protects itself
    rig.inputs.front.motor_torque = sign * -10.0
    rig.check(sign * 150.0, sign * 150.0, FOR_EVER)
    assert rig.watched.trips == 0
    rig.inputs.front.motor_torque = sign * -10.5
    rig.check(sign * 150.0, sign * 150.0, 0.070)
    assert rig.monitor_faults == Fault.FRONT_TORQUE_DEVIATION


@pytest.mark.parametrize(("axle", "fault"), [("front", Fault.FRONT_TORQUE_DEVIATION), ("rear", Fault.REAR_TORQUE_DEVIATION)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_inverter_that_goes_on_although_its_torque_is_cut_is_out_of_control(axle, fault, sign):
    rig = MonitorRig(accelerator=0.3)
    rig.inputs[axle].motor_torque = sign * 10.0
    rig.check(0.0, 0.0, FOR_EVER)
    assert rig.monitor_faults == Fault(0)
    rig.inputs[axle].motor_torque = sign * 10.5
    rig.check(0.0, 0.0, 0.499)
    assert rig.monitor_faults == fault
    rig.check(0.0, 0.0, 0.001)
    assert rig.monitor_faults == fault | Fault.UNCONTROLLED_TORQUE


def test_an_inverter_that_follows_at_once_is_no_fault():
    rig = MonitorRig(accelerator=1.0, speed=5.0)
    rig.inputs.front.motor_torque = rig.inputs.rear.motor_torque = 300.0
    rig.check(300.0, 300.0, 0.2)
    assert rig.watched.trips == 0


def test_a_command_that_is_not_a_number_asks_for_nothing():
    rig = MonitorRig(accelerator=1.0)
    rig.check(nan, inf, 0.005)
    assert (rig.watched.front.expected, rig.watched.rear.expected) == (0.0, 0.0)


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_the_expected_torque_follows_the_command_with_40_ms(dt):
    rig = MonitorRig(accelerator=1.0, speed=5.0)
    rig.check(300.0, 0.0, LAG, dt)
    assert rig.watched.front.expected == pytest.approx(300.0 * (1.0 - np.exp(-1.0)), rel=0.02)


@pytest.mark.parametrize("delay", [0, 20, 30, 40])
def test_an_inverter_that_follows_late_is_no_fault(delay):
    """Steps of 300 Nm at the path's rate, delivered after a dead time [ms]."""
    rig = MonitorRig(accelerator=1.0, brake=0.1, speed=5.0)
    ramp = np.concatenate([np.linspace(0, 300, 200), np.full(100, 300.0), np.linspace(300, -300, 400), np.full(100, -300.0)])
    told = np.tile(np.concatenate([ramp, np.linspace(-300, 0, 190)]), 2)
    for k, torque in enumerate(told):
        rig.inputs.front.motor_torque = round(2.0 * told[max(k - delay, 0)]) / 2.0
        rig.check(torque, 0.0)
    assert rig.watched.trips == 0


@axles
@pytest.mark.parametrize(("age", "compared"), [(nan, False), (inf, False), (0.051, False), (0.05, True)])
def test_a_silent_inverter_is_not_compared(axle, age, compared):
    rig = MonitorRig(accelerator=0.3)
    rig.inputs[axle].motor_torque = 200.0
    rig.inputs[axle].link.age = age
    rig.check(0.0, 0.0, 0.070)
    assert (rig.monitor_faults != Fault(0)) == compared
