from math import inf, isfinite, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.torque_path import approach, bound, command, reachable, within_range

DT = 1e-3


class PathRig(Rig):
    """The torque path alone."""

    def __init__(self, omega=100.0, last=(0.0, 0.0), discharge=180e3, charge=60e3):
        super().__init__()
        self.state.inputs.front.motor_speed = self.state.inputs.rear.motor_speed = omega
        self.state.torque_path.front_torque, self.state.torque_path.rear_torque = last
        self.state.discharge_limiter.discharge_limit, self.state.discharge_limiter.charge_limit = discharge, charge

    def permit(self, front, rear):
        self.state.supervisor.front_permitted, self.state.supervisor.rear_permitted = front, rear

    def approach(self, front, rear, permitted=True):
        self.permit(permitted, permitted)
        return approach(DT, front, rear, self.state, self.calibration)

    def command(self, front, rear, permitted=True):
        self.permit(permitted, permitted)
        bound(self.state, self.measurements, self.calibration)
        command(front, rear, self.state, self.outputs, self.calibration)
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


@pytest.mark.parametrize(("front", "rear", "expected"), [(1, 0, (100.2, 94.0)), (0, 1, (94.0, 100.2))])
def test_each_axle_has_its_own_permission(front, rear, expected):
    rig = PathRig(last=(100.0, 100.0))
    rig.permit(front, rear)
    assert approach(DT, 100.2, 100.2, rig.state, rig.calibration) == pytest.approx(expected)


@pytest.mark.parametrize("omega", [-50.0, 50.0])
def test_a_limited_output_leaves_a_share_of_the_driving_torque_and_all_of_the_braking(omega):
    rig = PathRig(omega, last=(340.0, -340.0))
    rig.state.supervisor.output_share = 0.25
    driving, braking = rig.approach(340.0, -340.0) if omega > 0.0 else rig.approach(340.0, -340.0)[::-1]
    assert (abs(driving), abs(braking)) == pytest.approx((85.0, 340.0))


def test_torque_stays_in_the_range_of_the_motor():
    assert PathRig(omega=1000.0, last=(300.0, -300.0)).approach(300.0, -300.0) == pytest.approx((160.0, -160.0))


@pytest.mark.parametrize(
    ("last", "least", "most"), [(0.0, -15.0, 15.0), (100.0, 84.0, 115.0), (-100.0, -115.0, -84.0), (5.0, -11.0, 20.0)]
)
def test_the_reach_of_the_rates_is_told(last, least, most):
    assert reachable(0.01, last, Rig().calibration.torque_path) == pytest.approx((least, most))


@pytest.mark.parametrize(("torque", "expected"), [(2000.0, 160.0), (-2000.0, -160.0), (-120.0, -120.0), (inf, 160.0)])
def test_slip_control_turns_the_torque_round_but_stays_in_the_range_of_the_motor(torque, expected):
    rig = PathRig(omega=1000.0)
    c = rig.calibration
    assert within_range(torque, 50.0, True, 1.0, rig.state.inputs.front, c.front, c.torque_path) == expected


def test_a_limited_output_is_not_exceeded_by_what_shaping_adds():
    rig = PathRig(omega=100.0)
    c = rig.calibration
    assert within_range(171.0, 170.0, True, 0.5, rig.state.inputs.front, c.front, c.torque_path) == 170.0
    assert within_range(-340.0, 170.0, True, 0.5, rig.state.inputs.front, c.front, c.torque_path) == -340.0


@pytest.mark.parametrize(
    ("torque", "approached", "expected"), [(300.0, 0.0, 0.0), (-300.0, 40.0, 0.0), (300.0, 40.0, 40.0), (10.0, -40.0, 0.0)]
)
def test_without_permission_slip_control_only_takes_torque_away(torque, approached, expected):
    rig = PathRig()
    c = rig.calibration
    assert within_range(torque, approached, False, 1.0, rig.state.inputs.front, c.front, c.torque_path) == expected


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


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_the_rates_start_from_the_torque_before_shaping_while_it_is_permitted(axle):
    rig = PathRig(last=(100.0, 100.0))
    ride = getattr(rig.state.ride_control, axle)
    ride.held_back, ride.feedback = 30.0, 4.0
    k = 0 if axle == "front" else 1
    assert rig.approach(340.0, 340.0)[k] == pytest.approx(127.5)
    assert rig.approach(340.0, 340.0)[1 - k] == pytest.approx(101.5)
    assert rig.approach(340.0, 340.0, permitted=False) == pytest.approx((94.0, 94.0))


@pytest.mark.parametrize(("last", "least", "most"), [(0.5, -15.5, 15.5), (-0.5, -15.5, 15.5)])
def test_the_rate_changes_with_the_sign_of_the_torque(last, least, most):
    assert reachable(0.01, last, Rig().calibration.torque_path) == pytest.approx((least, most))


@pytest.mark.parametrize(("omega", "lowest", "highest"), [(0.0, -85.0, 85.0), (0.5, -340.0, 85.0), (-0.5, -85.0, 340.0)])
def test_at_standstill_a_limited_output_limits_both_signs(omega, lowest, highest):
    rig = PathRig(omega, last=(340.0, -340.0))
    rig.state.supervisor.output_share = 0.25
    assert rig.approach(340.0, -340.0) == pytest.approx((highest, lowest))


@pytest.mark.parametrize(("torque", "approached", "expected"), [(0.3, 0.5, 0.3), (-0.3, -0.5, -0.3), (0.3, -0.5, 0.0)])
def test_without_permission_even_the_last_of_a_torque_is_let_go_smoothly(torque, approached, expected):
    rig = PathRig()
    c = rig.calibration
    assert within_range(torque, approached, False, 1.0, rig.state.inputs.front, c.front, c.torque_path) == expected


@pytest.mark.parametrize("power", [-20e3, 20e3])
def test_what_the_other_axle_regenerates_is_not_accepted_twice(power):
    """The limit sits where the shaft power, the losses and what the other axle takes fill the charge limit."""
    alone, beside = PathRig(600.0), PathRig(600.0)
    beside.measurements.rear.dc_power = power
    moved = alone.command(0.0, 0.0).torque_limit_lower - beside.command(0.0, 0.0).torque_limit_lower
    assert moved * 600.0 == pytest.approx(power, rel=0.1)  # losses take the rest


def test_the_braking_limit_leaves_the_headroom():
    rig = PathRig(600.0)
    lower = rig.command(0.0, 0.0).torque_limit_lower
    rig.calibration.torque_path.limit_headroom = 0.0
    assert lower == pytest.approx(rig.command(0.0, 0.0).torque_limit_lower - 2.5)


@pytest.mark.parametrize(
    ("others_power", "axle_limit", "expected"), [(-200e3, "torque_limit_lower", -2.5), (300e3, "torque_limit_upper", 2.5)]
)
def test_where_the_other_axle_has_all_of_the_power_only_the_headroom_is_left(others_power, axle_limit, expected):
    rig = PathRig(600.0)
    rig.measurements.rear.dc_power = others_power
    assert rig.command(0.0, 0.0)[axle_limit] == pytest.approx(expected)
