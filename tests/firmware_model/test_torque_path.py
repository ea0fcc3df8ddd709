from math import inf, isfinite, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.torque_path import approach, command

DT = 1e-3


class PathRig(Rig):
    """The torque path alone."""

    def __init__(self, omega=100.0, last=(0.0, 0.0), discharge=180e3, charge=60e3):
        super().__init__()
        self.state.inputs.front.motor_speed = self.state.inputs.rear.motor_speed = omega
        self.state.torque_path.front_torque, self.state.torque_path.rear_torque = last
        self.state.discharge_limiter.discharge_limit, self.state.discharge_limiter.charge_limit = discharge, charge

    def approach(self, front, rear, permitted=True):
        return approach(DT, front, rear, permitted, self.state, self.calibration)

    def command(self, front, rear, permitted=True):
        command(front, rear, permitted, self.state, self.outputs, self.measurements, self.calibration)
        return self.outputs.front


@pytest.mark.parametrize(
    ("last", "wanted", "expected"),
    [
        (0.0, 300.0, 1.5),  # 1500 Nm/s away from zero
        (100.0, 300.0, 101.5),
        (100.0, -300.0, 98.4),  # 1600 Nm/s towards zero
        (-100.0, 300.0, -98.4),
        (0.0, -300.0, -1.5),
        (-100.0, -300.0, -101.5),
        (100.0, 100.2, 100.2),
    ],
)
def test_torque_keeps_to_its_rates(last, wanted, expected):
    assert PathRig(last=(last, last)).approach(wanted, wanted) == pytest.approx((expected, expected))


@pytest.mark.parametrize(("last", "expected"), [(100.0, 94.0), (-100.0, -94.0), (3.0, 0.0), (0.0, 0.0)])
def test_without_permission_torque_goes_to_zero_fast(last, expected):
    assert PathRig(last=(last, 0.0)).approach(340.0, 340.0, permitted=False) == pytest.approx((expected, 0.0))


def test_without_permission_a_torque_that_is_not_a_number_is_not_looked_at():
    assert PathRig(last=(100.0, 0.0)).approach(nan, inf, permitted=False) == pytest.approx((94.0, 0.0))


def test_torque_stays_in_the_range_of_the_motor():
    assert PathRig(omega=1000.0, last=(300.0, -300.0)).approach(300.0, -300.0) == pytest.approx((160.0, -160.0))


def test_a_limit_does_not_wind_the_rate_up():
    rig = PathRig()
    for _ in range(500):
        front, rear = rig.approach(340.0, 340.0)
        rig.command(0.1 * front, 0.1 * rear)  # something later in the chain takes most of it
    assert rig.approach(340.0, 340.0)[0] < 3.0


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_a_torque_that_is_not_a_number_goes_out_as_zero_and_is_a_fault(bad):
    rig = PathRig()
    assert rig.command(bad, 50.0).motor_torque == 0.0
    assert rig.outputs.rear.motor_torque == 0.0
    assert rig.state.torque_path.not_finite == 1
    rig.command(20.0, 50.0)
    assert rig.state.torque_path.not_finite == 0


def test_at_rest_the_torque_limit_is_the_motor_s():
    out = PathRig(omega=0.0).command(0.0, 0.0)
    assert (out.torque_limit_upper, out.torque_limit_lower) == (340.0, -340.0)


@pytest.mark.parametrize("omega", [560.0, 700.0, 900.0])
def test_the_torque_limit_is_a_hyperbola_of_the_power_that_the_battery_leaves(omega):
    rig = PathRig(omega, discharge=120e3)
    rig.calibration.rear.motor_present = 0
    upper = rig.command(0.0, 0.0).torque_limit_upper - 2.5
    shaft_power = upper * omega
    assert 0.90 * 120e3 < shaft_power < 0.96 * 120e3


def test_what_the_other_axle_takes_is_not_there():
    alone, beside = PathRig(600.0), PathRig(600.0)
    beside.measurements.rear.dc_power = 100e3
    assert beside.command(0.0, 0.0).torque_limit_upper < 0.5 * alone.command(0.0, 0.0).torque_limit_upper


@given(st.floats(-340, 340), st.floats(-1200, 1200), st.floats(0, 250e3), st.floats(0, 100e3), st.booleans())
def test_the_torque_limits_hold_the_commanded_torque_and_stay_in_the_range_of_the_motor(
    torque, omega, discharge, charge, permitted
):
    out = PathRig(omega, discharge=discharge, charge=charge).command(torque, 0.0, permitted)
    assert isfinite(out.torque_limit_upper)
    assert isfinite(out.torque_limit_lower)
    assert -340.0 <= out.torque_limit_lower <= torque <= out.torque_limit_upper <= 340.0
    assert out.torque_limit_lower <= 0.0 <= out.torque_limit_upper
    if not permitted:
        assert (out.torque_limit_lower, out.torque_limit_upper) == (min(torque, 0.0), max(torque, 0.0))
