import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.signals import Inputs
from firmware_model.state import State
from firmware_model.thermal_derating import derate

CALIBRATION = Calibration.new()[0]
SETTLED = 20.0  # [s]


def settle(motor=25.0, inverter=25.0, age=0.05, start=1.0, seconds=SETTLED, dt=0.1):
    """The torque share after some time at these temperatures [degC]."""
    inputs, qualified = Inputs.new().front[0], State.new().inputs.front[0]
    inputs.motor_temperature, inputs.inverter_temperature, inputs.temperature_link.age = motor, inverter, age
    qualified.torque_share = start
    for _ in range(round(seconds / dt)):
        derate(dt, inputs, qualified, CALIBRATION.front, CALIBRATION)
    return float(qualified.torque_share)


@pytest.mark.parametrize(
    ("motor", "inverter", "share"),
    [
        (25, 25, 1),
        (100, 80, 1),
        (110, 25, 0.5),
        (25, 85, 0.75),
        (115, 85, 0.25),
        (105, 95, 0.25),
        (120, 25, 0),
        (25, 100, 0),
        (123, 110, 0),
    ],
)
def test_the_hotter_of_both_decides(motor, inverter, share):
    assert settle(motor, inverter) == pytest.approx(share)


@pytest.mark.parametrize(
    ("motor", "inverter", "age"),
    [(25.0, 25.0, 2.0), (math.nan, 25.0, 0.05), (25.0, math.nan, 0.05), (-300.0, 25.0, 0.05), (25.0, math.inf, 0.05)],
)
def test_an_unknown_temperature_leaves_the_lasting_torque_but_only_slowly(motor, inverter, age):
    assert settle(motor, inverter, age) == pytest.approx(0.5)
    assert settle(motor, inverter, age, seconds=0.5) == pytest.approx(0.95)


def test_losing_the_temperatures_of_a_hot_motor_gives_it_no_torque_back():
    inputs, qualified = Inputs.new().front[0], State.new().inputs.front[0]
    inputs.motor_temperature, inputs.temperature_link.age = 116.0, 0.05
    for age in (0.05, 5.0):
        inputs.temperature_link.age = age
        for _ in range(200):
            derate(0.1, inputs, qualified, CALIBRATION.front, CALIBRATION)
        assert qualified.torque_share == pytest.approx(0.2)


def test_a_motor_that_has_cooled_gets_its_torque_back():
    assert settle(60.0, 60.0, start=0.0) == 1.0


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 0.1])
def test_the_share_moves_alike_at_every_step(dt):
    assert settle(120.0, seconds=1.0, dt=dt) == pytest.approx(0.9, abs=1e-6)


@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 1e6),
    st.floats(0, 1),
)
def test_no_temperature_makes_the_share_leave_its_range(motor, inverter, age, start):
    assert 0.0 <= settle(motor, inverter, age, start, seconds=0.3) <= 1.0


def test_a_hotter_motor_never_has_more_torque():
    shares = [settle(float(temperature)) for temperature in np.linspace(90.0, 125.0, 36)]
    assert (np.diff(shares) <= 1e-12).all()
