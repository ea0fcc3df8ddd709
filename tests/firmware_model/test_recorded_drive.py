"""The controller beside the real one: a drive of a LEAF e+ on its EV-CAN, full acceleration and regeneration."""

import numpy as np
import pytest
from controller_rig import LINKS, Rig
from interpreter import needs_compiler

from firmware_model.signals import Outputs

VOLTAGE, CURRENT, TORQUE, RPM, REQUEST, DISCHARGE, CHARGE, SOC = range(1, 9)


@pytest.fixture(scope="module")
def drive(shared_data):
    """Rows of the recording, every 10 ms, and what the controller commanded, predicted and used as limits in each."""
    rows = np.genfromtxt(shared_data / "leaf_ze1" / "drive_accel_regen.csv", delimiter=",", skip_header=1)
    rig, request = Rig(ready=False), Outputs.new()[0]
    for link in LINKS:
        if not link.startswith(("front", "battery")):
            rig.set(f"{link}.age", 1e6)
    rig.calibration.rear.motor_present = 0
    rig.state.discharge_limiter.discharge_limit, rig.state.discharge_limiter.charge_limit = 180e3, 18.5e3
    request.front.link.age = 0.005
    rig.state.torque_path.front_torque = rows[0, REQUEST]
    followed = np.zeros((len(rows), 4))
    for row, out in zip(rows, followed, strict=True):
        battery, front = rig.inputs.battery, rig.inputs.front
        battery.voltage, battery.current = row[VOLTAGE], -row[CURRENT]
        battery.discharge_limit, battery.charge_limit, battery.state_of_charge = (
            row[DISCHARGE] * 1e3,
            row[CHARGE] * 1e3,
            row[SOC] / 100,
        )
        front.motor_speed, front.motor_torque, front.dc_voltage = row[RPM] * np.pi / 30.0, row[TORQUE], row[VOLTAGE]
        request.front.motor_torque = row[REQUEST]
        rig.follow(request, 0.01, dt=1e-3)
        out[:] = rig.torques[0], rig.measurements.power_budget.predicted_power, *limits(rig)
        assert rig.faults == 0
    assert rig.measurements.torque_monitor.trips == 0
    return rows, followed


def limits(rig):
    return rig.measurements.discharge_limiter.discharge_limit, rig.measurements.discharge_limiter.charge_limit


@needs_compiler
def test_the_real_request_passes_but_for_its_rate(drive):
    rows, followed = drive
    difference = np.abs(followed[:, 0] - rows[:, REQUEST])
    assert np.mean(difference < 2.0) > 0.85


@needs_compiler
def test_the_power_is_predicted_as_the_pack_then_shows_it(drive):
    rows, followed = drive
    measured = -rows[:, VOLTAGE] * rows[:, CURRENT]
    error = followed[50:-4, 1] - measured[54:]  # 40 ms later
    assert abs(np.mean(error)) < 1.0e3
    assert np.median(np.abs(error)) < 1.5e3


@needs_compiler
def test_the_limiter_uses_the_limits_that_the_real_battery_sent(drive):
    rows, followed = drive
    assert followed[:, 2] == pytest.approx(rows[:, DISCHARGE] * 1e3)
    assert (followed[:, 3] <= rows[:, CHARGE] * 1e3).all()
    assert (followed[:, 1] <= followed[:, 2]).all()
    assert (-followed[:, 1] <= followed[:, 3]).all()
