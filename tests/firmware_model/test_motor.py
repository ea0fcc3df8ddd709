import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.motor import loss_coefficients, torque_range
from firmware_model.state import State

CALIBRATION = Calibration.new()[0]
AXLE, PATH = CALIBRATION.front, CALIBRATION.torque_path


def drive(omega, share=1.0):
    qualified = State.new().inputs.front[0]
    qualified.motor_speed, qualified.torque_share = omega, share
    return qualified


@pytest.mark.parametrize(
    ("omega", "torque"),
    [(0.0, 340.0), (300.0, 340.0), (640.0, 250.0), (1000.0, 160.0), (1175.0, 0.5 * 160e3 / 1175.0), (1190.0, 0.0)],
)
def test_torque_is_constant_then_of_constant_power_then_fades_at_the_highest_speed(omega, torque):
    assert torque_range(drive(omega), AXLE, PATH)[1] == pytest.approx(torque)


@given(st.floats(-1400, 1400))
def test_the_range_is_the_same_backwards(omega):
    lowest, highest = torque_range(drive(omega), AXLE, PATH)
    backwards = torque_range(drive(-omega), AXLE, PATH)
    assert (lowest, highest) == pytest.approx((-backwards[1], -backwards[0]))
    assert lowest <= 0.0 <= highest


def test_braking_torque_does_not_fade_at_the_highest_speed():
    assert torque_range(drive(1300.0), AXLE, PATH) == pytest.approx((-160e3 / 1300.0, 0.0))


def test_a_missing_motor_has_no_torque_and_no_drag():
    axle = Calibration.new()[0].front
    axle.motor_present = 0
    assert torque_range(drive(100.0), axle, PATH) == (0.0, 0.0)
    assert loss_coefficients(100.0, axle)[0] == 0.0


def test_the_clamps_of_the_bench_count_like_limits_of_the_motor():
    path = Calibration.new()[0].torque_path
    path.motor_torque_clamp, path.motor_speed_clamp = 20.0, 157.0
    assert torque_range(drive(0.0), AXLE, path) == (-20.0, 20.0)
    assert torque_range(drive(160.0), AXLE, path) == (-20.0, 0.0)


def test_heat_takes_its_share_of_torque_and_power_in_either_direction():
    assert torque_range(drive(0.0, 0.4), AXLE, PATH) == pytest.approx((-136.0, 136.0))
    assert torque_range(drive(640.0, 0.4), AXLE, PATH) == pytest.approx((-100.0, 100.0))


def test_the_losses_reproduce_the_recorded_drive(shared_data):
    """DC power of a LEAF e+ from -25 to 176 kW, averaged over 0.2 s, with its 0.4 kW of auxiliaries."""
    rows = np.genfromtxt(shared_data / "leaf_ze1" / "drive_accel_regen.csv", delimiter=",", skip_header=1)
    window = np.ones(20) / 20
    voltage, current, torque, rpm = (np.convolve(rows[:, column], window, "valid") for column in (1, 2, 3, 4))
    omega = rpm * np.pi / 30.0
    losses = np.array([loss_coefficients(float(speed), AXLE) for speed in omega[::10]])
    omega, torque, power = omega[::10], torque[::10], -(voltage * current)[::10]
    settled = np.abs(np.gradient(torque, 0.1)) < 60.0
    error = omega * torque + losses[:, 0] + losses[:, 1] * torque**2 + 400.0 - power
    assert np.sqrt(np.mean(error[settled] ** 2)) < 0.8e3
    assert abs(np.mean(error[settled])) < 0.2e3
