import math

import pytest
from controller_rig import Rig
from hypothesis import example, given
from hypothesis import strategies as st
from interpreter import examples

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
        self.c.margin = self.c.charge_margin = self.c.margin_power = self.c.torque_rounding = 0.0
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


@examples(200)
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
    rig.c.margin, rig.c.margin_power, rig.c.torque_rounding = 0.01, 250.0, 0.125
    rig.fit(340.0, 340.0)
    assert rig.results.predicted_power == pytest.approx(0.99 * 180e3 - 250.0 - 0.125 * 1000.0)


def test_where_charging_is_forbidden_the_margins_are_discharged():
    rig = BudgetRig((500.0, 500.0), charge=0.0)
    rig.c.margin_power = 250.0
    for _ in range(200):
        rig.fit(-100.0, -100.0)
    assert rig.results.predicted_power == pytest.approx(250.0)


def test_the_torque_fits_the_speed_at_which_it_will_act():
    rig = BudgetRig((400.0, 400.0))
    for _ in range(300):  # 100 rad/s2
        rig.state.inputs.front.motor_speed += 0.1
        rig.state.inputs.rear.motor_speed += 0.1
        front, rear = rig.fit(340.0, 340.0)
    ahead = 430.0 + 100.0 * rig.c.look_ahead
    assert naive_power(1.0, (front, rear), (ahead, ahead), 1.0) == pytest.approx(180e3, rel=1e-3)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_motor_that_swings_on_its_half_shafts_is_not_followed_down(direction):
    """A torque that followed a swing of 9 Hz would keep it going: the motor is taken to be faster than the car all the time."""
    rig = BudgetRig((direction * 100.0, direction * 100.0))
    rig.state.vehicle_speed.speed = direction * 100.0 * 0.3108 / 8.1938
    reckoned = []
    for k in range(500):
        rig.state.inputs.front.motor_speed = direction * (100.0 + 10.0 * math.sin(2.0 * math.pi * 9.0 * 1e-3 * k))
        rig.fit(direction * 340.0, direction * 340.0)
        reckoned.append(direction * float(rig.state.power_budget.front.speed_ahead))
    assert min(reckoned[100:]) > 100.0
    rig.state.inputs.front.motor_speed = direction * 100.0
    for _ in range(1000):  # it has come to rest
        rig.fit(direction * 340.0, direction * 340.0)
    assert direction * rig.state.power_budget.front.speed_ahead == pytest.approx(100.0, abs=0.01)


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


def drive_and_learn(rig, torque, truth, seconds, *, delivered=1.0, trusted=1, ripple=0.0):
    """Let both motors deliver a share of the ``torque`` they are asked for; the pack loses ``truth`` times the model."""
    inputs = rig.state.inputs
    inputs.battery.voltage, inputs.battery.state_trusted = 370.0, trusted
    for step in range(round(seconds / 0.01)):
        wanted = torque + ripple * (-1.0) ** (step // 5)
        for _ in range(10):
            front, rear = rig.fit(wanted, wanted)
        front, rear = delivered * front, delivered * rear
        inputs.front.motor_torque, inputs.rear.motor_torque = front, rear
        omega = inputs.front.motor_speed
        inputs.battery.current = naive_power(1.0, (front, rear), (omega, omega), truth) / 370.0
        learn(0.01, inputs, rig.state.power_budget, rig.results, rig.c)
    return rig.results.loss_factor


@pytest.mark.parametrize("truth", [0.7, 1.0, 1.6])
def test_the_factor_on_the_losses_is_learnt_from_the_power_of_the_pack(truth):
    rig = BudgetRig((500.0, 500.0))
    assert drive_and_learn(rig, 150.0, truth, 5.0) == pytest.approx(truth, rel=1e-3)
    assert rig.results.predicted_power == pytest.approx(rig.results.measured_power, rel=1e-3)


def test_little_is_learnt_from_small_losses_and_from_changing_power_and_nothing_from_an_untrusted_pack():
    steady = drive_and_learn(BudgetRig((500.0, 500.0)), 100.0, 1.6, 1.0)
    assert steady > 1.4
    assert drive_and_learn(BudgetRig(), 0.0, 1.6, 1.0) == pytest.approx(1.0, abs=0.01)
    assert drive_and_learn(BudgetRig((500.0, 500.0)), 100.0, 1.6, 1.0, ripple=60.0) < 0.7 * (steady - 1.0) + 1.0
    assert drive_and_learn(BudgetRig((500.0, 500.0)), 100.0, 1.6, 1.0, trusted=0) == 1.0


def test_nothing_is_learnt_while_the_inverters_deliver_less_than_they_are_asked_for():
    rig = BudgetRig((500.0, 500.0))
    drive_and_learn(rig, 150.0, 1.0, 1.0)
    assert drive_and_learn(rig, 150.0, 1.0, 3.0, delivered=0.9) == pytest.approx(1.0, abs=0.05)


def test_the_learnt_factor_is_bounded():
    assert drive_and_learn(BudgetRig((500.0, 500.0)), 100.0, 9.0, 10.0) == 2.0


class DroppingRig(BudgetRig):
    """At its limit for some time; then the limit drops, and the inverters follow with their lag."""

    def __init__(self, drop, direction=1.0, dt=1e-3):
        super().__init__((500.0, 500.0), charge=100e3)
        self.dt, self.direction = dt, direction
        self.power = 0.0
        self.run(0.3)
        self.before = self.power
        if direction > 0.0:
            self.limits.discharge_limit = drop
        else:
            self.limits.charge_limit = drop

    def run(self, seconds):
        log = []
        for _ in range(round(seconds / self.dt)):
            torque = self.direction * 300.0
            front, rear = fit(self.dt, torque, torque, self.limits, self.state, self.measurements, self.calibration)
            lead = self.state.power_budget.lead_share
            out = naive_power(1.0, (lead * front, lead * rear), (500.0, 500.0), 1.0)
            self.power += (out - self.power) * self.dt / (self.c.torque_lag + self.dt)
            log.append((self.power, lead, front))
        return log


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize(("direction", "drop"), [(1.0, 120e3), (-1.0, 60e3)])
def test_a_limit_that_drops_is_reached_almost_as_fast_as_the_inverters_can(direction, drop, dt):
    rig = DroppingRig(drop, direction, dt)
    assert rig.before == pytest.approx(180e3 if direction > 0.0 else -100e3, rel=0.01)
    log = rig.run(0.2)
    above = [k * dt for k, (power, _, _) in enumerate(log) if direction * power > 1.02 * drop]
    fastest = rig.c.torque_lag * math.log(abs(rig.before) / drop)
    assert above[-1] < fastest + 0.02
    without = rig.c.torque_lag * math.log((abs(rig.before) - drop) / (0.02 * drop))
    assert above[-1] < 0.6 * without
    assert min(direction * power for power, _, _ in log) > 0.985 * drop
    assert log[-1][1] == pytest.approx(1.0, abs=0.01)


def test_the_torque_path_goes_on_from_the_torque_that_the_limit_allows_for_ever():
    rig = DroppingRig(120e3)
    torques = {round(front, 6) for _, _, front in rig.run(0.1)}
    assert len(torques) == 1


def test_torque_never_changes_sign_for_the_sake_of_a_limit():
    rig = DroppingRig(0.0)
    assert all(lead >= 0.0 for _, lead, _ in rig.run(0.1))
