import pytest
from controller_rig import COMPILED, Rig
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_model.power_budget import fit, learn, torque_limits

FORCE_PER_TORQUE = 8.1938 / 0.3108
AXLE = Rig().calibration.front


def losses(torque, omega, factor):
    """Naive twin of the loss model."""
    return factor * (
        AXLE.loss_idle + AXLE.loss_speed * omega**2 + AXLE.loss_torque * torque**2 + AXLE.loss_weakening * omega**2 * torque**2
    )


def naive_power(x, torques, speeds, factor):
    """DC power of both axles and the auxiliaries for torques scaled by ``x``."""
    return 400.0 + sum(x * t * w + losses(x * t, w, factor) for t, w in zip(torques, speeds, strict=True))


class BudgetRig(Rig):
    """The budget alone, at constant motor speeds."""

    def __init__(self, speeds=(0.0, 0.0), discharge=180e3, charge=60e3, factor=1.0):
        super().__init__()
        self.c = self.calibration.power_budget
        self.c.margin = self.c.margin_power = 0.0
        self.state.inputs.front.motor_speed = self.state.power_budget.front.motor_speed = speeds[0]
        self.state.inputs.rear.motor_speed = self.state.power_budget.rear.motor_speed = speeds[1]
        self.limits = self.state.discharge_limiter
        self.limits.discharge_limit, self.limits.charge_limit = discharge, charge
        self.state.power_budget.loss_factor = factor
        self.results = self.measurements.power_budget

    def fit(self, front, rear):
        return fit(1e-3, front, rear, self.limits, self.state, self.measurements, self.calibration)


torques = st.floats(-340, 340)
speeds = st.floats(-1200, 1200)
limits = st.one_of(st.just(0.0), st.floats(1.0, 250e3))


@settings(max_examples=200 if COMPILED else 20)
@given(torques, torques, speeds, speeds, limits, limits, st.floats(0.5, 2.0))
@example(340.0, -340.0, 1e-9, 500.0, 500.0, 0.0, 1.0)
@example(-1e-12, 0.0, 300.0, 300.0, 0.0, 0.0, 1.0)
def test_the_power_stays_inside_the_limits_and_as_much_torque_as_possible_is_left(
    front, rear, omega_f, omega_r, discharge, charge, factor
):
    rig = BudgetRig((omega_f, omega_r), discharge, charge, factor)
    got = rig.fit(front, rear)
    x = rig.results.torque_factor
    assert 0.0 <= x <= 1.0
    assert got == pytest.approx((x * front, x * rear))

    idle = naive_power(0.0, (front, rear), (omega_f, omega_r), factor)
    power = naive_power(x, (front, rear), (omega_f, omega_r), factor)
    assert rig.results.predicted_power == pytest.approx(power, abs=1e-3)
    assert -charge - 1e-3 <= power <= max(discharge, idle) + 1e-3
    if x < 1.0:
        more = naive_power(x + 1e-3, (front, rear), (omega_f, omega_r), factor)
        assert more > discharge - 1e-3 or more < -charge + 1e-3 or abs(more - power) < 1.0


def test_both_motors_are_cut_by_the_same_factor():
    rig = BudgetRig((500.0, 480.0))
    front, rear = rig.fit(300.0, 200.0)
    assert front / 300.0 == pytest.approx(rear / 200.0)
    assert front < 300.0
    assert rig.results.share_of_limit == pytest.approx(1.0)


def test_the_sum_of_the_parts_is_the_whole():
    rig = BudgetRig((500.0, 480.0))
    rig.fit(300.0, 200.0)
    parts = rig.measurements.front.dc_power + rig.measurements.rear.dc_power + 400.0
    assert rig.results.predicted_power == pytest.approx(parts)


def test_the_margins_are_left_free():
    rig = BudgetRig((500.0, 500.0))
    rig.c.margin, rig.c.margin_power = 0.01, 250.0
    rig.fit(340.0, 340.0)
    assert rig.results.predicted_power == pytest.approx(0.99 * 180e3 - 250.0)


def test_the_torque_fits_the_speed_at_which_it_will_act():
    rig = BudgetRig((400.0, 400.0))
    for _ in range(300):  # 100 rad/s2
        rig.state.inputs.front.motor_speed += 0.1
        rig.state.inputs.rear.motor_speed += 0.1
        front, rear = rig.fit(340.0, 340.0)
    ahead = 430.0 + 100.0 * rig.c.look_ahead
    assert naive_power(1.0, (front, rear), (ahead, ahead), 1.0) == pytest.approx(180e3, rel=1e-3)


@pytest.mark.parametrize("omega", [-700.0, -50.0, 0.0, 50.0, 700.0])
@pytest.mark.parametrize("power_max", [-5e3, 400.0, 20e3, 100e3])
def test_the_torque_limits_are_where_the_power_meets_its_bounds(omega, power_max):
    lower, upper = torque_limits(omega, power_max, -30e3, 1.3, AXLE)
    driving, braking = (upper, lower) if omega >= 0.0 else (lower, upper)
    if power_max > losses(0.0, omega, 1.3):
        assert driving * omega + losses(driving, omega, 1.3) == pytest.approx(power_max)
    else:
        assert driving == 0.0
    if abs(omega) > 100.0:
        assert braking * omega + losses(braking, omega, 1.3) == pytest.approx(-30e3)


def test_power_that_cannot_be_reached_sets_no_torque_limit():
    lower, _ = torque_limits(20.0, 50e3, -60e3, 1.0, AXLE)
    assert lower == -float("inf")


@pytest.mark.parametrize("truth", [0.7, 1.0, 1.6])
def test_the_factor_on_the_losses_is_learnt_from_the_power_of_the_pack(truth):
    rig = BudgetRig((500.0, 500.0))
    rig.state.inputs.battery.state_trusted = 1
    rig.state.inputs.battery.voltage = 370.0
    for _ in range(300):
        for _ in range(10):
            delivered = rig.fit(150.0, 150.0)
        rig.state.inputs.battery.current = naive_power(1.0, delivered, (500.0, 500.0), truth) / 370.0
        learn(0.01, rig.state.inputs.battery, rig.state.power_budget, rig.results, rig.c)
    assert rig.results.loss_factor == pytest.approx(truth, rel=1e-3)
    assert rig.results.predicted_power == pytest.approx(rig.results.measured_power, rel=1e-3)


@pytest.mark.parametrize("reason", ["untrusted", "weak", "changing"])
def test_nothing_is_learnt_from_a_pack_that_is_untrusted_or_from_power_that_is_small_or_changing(reason):
    rig = BudgetRig((500.0, 500.0), discharge=240e3)
    battery = rig.state.inputs.battery
    battery.voltage, battery.current, battery.state_trusted = 370.0, 300.0, reason != "untrusted"
    torque = 3.0 if reason == "weak" else 100.0
    for _ in range(300):
        rig.fit(torque, torque)
    if reason == "changing":
        rig.fit(150.0, 150.0)
    learn(0.01, battery, rig.state.power_budget, rig.results, rig.c)
    assert rig.results.loss_factor == 1.0


def test_the_learnt_factor_is_bounded():
    rig = BudgetRig((500.0, 500.0))
    battery = rig.state.inputs.battery
    battery.voltage, battery.current, battery.state_trusted = 370.0, 2000.0, 1
    for _ in range(300):
        rig.fit(100.0, 100.0)
    for _ in range(1000):
        learn(0.01, battery, rig.state.power_budget, rig.results, rig.c)
    assert rig.results.loss_factor == rig.c.loss_factor_max
