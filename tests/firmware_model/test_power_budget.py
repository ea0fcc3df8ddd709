import math
from math import inf

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
    loss = losses(got[0], omega_f, factor) + losses(got[1], omega_r, factor)
    assert rig.state.power_budget.loss_predicted == pytest.approx(loss, abs=1e-3)
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


def test_braking_at_walking_pace_that_draws_power_is_held_to_the_discharge_limit():
    rig = BudgetRig((5.0, 5.0), discharge=3e3)
    rig.fit(-300.0, -300.0)
    assert 0.0 < rig.results.torque_factor < 1.0
    assert rig.results.predicted_power == pytest.approx(3e3)
    rig.fit(0.0, 0.0)
    rig.limits.discharge_limit = rig.results.predicted_power  # what flows without torque is all that may
    assert rig.fit(-300.0, -300.0) == (0.0, 0.0)
    rig.limits.discharge_limit += 1e-9  # and now what the motors give back covers their losses
    rig.fit(-300.0, -300.0)
    assert rig.results.torque_factor > 0.1
    assert rig.results.predicted_power == pytest.approx(rig.limits.discharge_limit, abs=1e-6)


def test_the_sum_of_the_parts_is_the_whole():
    rig = BudgetRig((500.0, 480.0))
    rig.fit(300.0, 200.0)
    parts = rig.measurements.front.dc_power + rig.measurements.rear.dc_power + 400.0
    assert rig.results.predicted_power == pytest.approx(parts)


def test_the_margins_are_left_free():
    rig = BudgetRig((500.0, 500.0))
    rig.c.margin, rig.c.margin_power, rig.c.torque_rounding = 0.01, 250.0, 0.125
    rig.fit(340.0, 340.0)
    assert rig.results.predicted_power == pytest.approx(0.99 * 180e3 - 250.0 - 0.125 * 1000.0, abs=1e-3)


def test_the_margins_are_left_free_in_charging_too():
    rig = BudgetRig((500.0, 400.0))
    rig.c.charge_margin, rig.c.margin_power, rig.c.torque_rounding = 0.05, 250.0, 0.125
    rig.fit(-340.0, -340.0)
    assert rig.results.predicted_power == pytest.approx(-0.95 * 60e3 + 250.0 + 0.125 * 900.0, abs=1e-3)


@pytest.mark.parametrize(("missing", "there"), [("front", 400.0), ("rear", 500.0)])
def test_a_motor_that_is_not_there_needs_no_margin(missing, there):
    rig = BudgetRig((500.0, 400.0), discharge=60e3)
    rig.c.torque_rounding = 10.0
    rig.calibration[missing].motor_present = 0
    rig.fit(0.0 if missing == "front" else 340.0, 340.0 if missing == "front" else 0.0)
    assert rig.results.predicted_power == pytest.approx(60e3 - 10.0 * there, abs=1e-3)


@pytest.mark.parametrize(
    ("discharge", "charge", "torque", "power", "share"),
    [
        (180e3, 60e3, 20.0, None, 180e3), (180e3, 60e3, -20.0, None, 60e3), (180e3, 60e3, 0.0, 0.5, 180e3),
        (180e3, 60e3, 0.0, -0.5, 60e3),
        (0.0, 60e3, 0.0, 0.5, inf), (250.0, 60e3, 0.0, 0.5, inf), (251.0, 60e3, 0.0, 0.5, 251.0),
    ],
)  # fmt: skip
def test_the_share_of_the_limit_is_that_of_its_direction_and_nothing_of_a_limit_that_is_none(
    discharge, charge, torque, power, share
):
    rig = BudgetRig((500.0, 500.0), discharge, charge)
    rig.c.margin_power = 250.0
    if power is not None:
        rig.c.auxiliary_power = power - 2.0 * losses(0.0, 500.0, 1.0)
    rig.fit(torque, torque)
    assert rig.results.share_of_limit == pytest.approx(abs(rig.results.predicted_power) / share, rel=1e-6)


def test_without_any_torque_left_nothing_is_held_back():
    rig = BudgetRig((500.0, 500.0), discharge=0.0)
    rig.fit(100.0, 100.0)
    assert (rig.results.torque_factor, rig.results.lead_share) == (0.0, 1.0)


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


@pytest.mark.parametrize("rate", [1e4, -1e4])
def test_a_speed_that_jumps_is_followed_no_faster_than_a_motor_can(rate):
    rig = BudgetRig((400.0, 400.0))
    rig.state.vehicle_speed.speed = 400.0 / FORCE_PER_TORQUE
    rig.c.lead_hold = 0.0
    rig.state.inputs.front.motor_speed += rate * 0.1
    rig.fit(0.0, 0.0)
    ahead = 400.0 + rate * 0.1 + math.copysign(rig.c.acceleration_max, rate) * rig.c.look_ahead
    assert rig.state.power_budget.front.speed_ahead == pytest.approx(ahead)


class NaiveSpeedAhead:
    """Naive twin: where a motor's speed will be, its lead on the rolling car held."""

    def __init__(self, omega, c):
        self.filtered, self.c, self.lead, self.last = omega, c, 0.0, 0.0

    def step(self, omega, rolling):
        before, c = self.filtered, self.c
        self.filtered = before + (omega - before) * 1e-3 / (c.acceleration_time_constant + 1e-3)
        ahead = omega + c.look_ahead * max(-c.acceleration_max, min((self.filtered - before) / 1e-3, c.acceleration_max))
        way = -1.0 if ahead < 0.0 else 1.0
        lead = way * ahead - way * rolling
        if lead < self.lead and math.copysign(1.0, self.last) == way and self.last != 0.0:
            lead = self.lead + (lead - self.lead) * 1e-3 / (c.lead_hold + 1e-3)
        self.lead, self.last = lead, rolling + way * lead
        return self.last


@examples(50)
@given(st.lists(st.tuples(st.floats(-400, 400), st.floats(-15, 15)), min_size=1, max_size=30))
@example([(300.0, 10.0), (100.0, 5.0), (0.5, -0.01), (-0.5, 0.01), (-300.0, -10.0), (-100.0, -5.0), (0.0, 0.0), (1.0, 0.0)])
@example([(0.3, 0.0), (0.2, 0.0), (0.1, 0.0), (0.0, 0.0)])
@example([(-0.3, 0.0), (-0.2, 0.0), (-0.1, 0.0), (0.0, 0.0)])
@example([(0.3, 0.0), (-0.2, 0.0)])
@example([(10.0, 5.0)])
def test_the_speed_ahead_is_that_of_the_naive_twin(drive):
    rig = BudgetRig()
    twin = NaiveSpeedAhead(0.0, rig.c)
    for omega, speed in drive:
        rig.state.inputs.front.motor_speed, rig.state.vehicle_speed.speed = omega, speed
        rig.fit(0.0, 0.0)
        assert rig.state.power_budget.front.speed_ahead == pytest.approx(twin.step(omega, speed * FORCE_PER_TORQUE), abs=1e-9)


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


@pytest.mark.parametrize(("omega", "power_max"), [(0.0, 61.0), (0.0, 60.5), (0.0, 59.5), (0.0, 60.0), (-0.5, 200.0)])
def test_at_standstill_the_losses_alone_set_the_torque_limits(omega, power_max):
    lower, upper = torque_limits(omega, power_max, -60e3, 1.0, AXLE)
    driving = -lower if omega < 0.0 else upper
    room = max(power_max - losses(0.0, omega, 1.0), 0.0)
    assert driving * abs(omega) + AXLE.loss_torque * driving**2 == pytest.approx(room, rel=1e-3)
    assert (upper if omega < 0.0 else -lower) == inf


@pytest.mark.parametrize("room", [1e-6, 3e-6, 7e-6])
def test_a_limit_just_above_the_losses_loses_no_digits(room):
    idle = losses(0.0, 1000.0, 1.0)
    _, upper = torque_limits(1000.0, idle + room, -30e3, 1.0, AXLE)
    assert upper * 1000.0 == pytest.approx(idle + room - idle, rel=1e-6)


@pytest.mark.parametrize(("beyond", "reached"), [(-0.5, True), (0.5, False)])
def test_the_most_power_that_braking_gives_back_is_just_reached(beyond, reached):
    copper = AXLE.loss_torque + AXLE.loss_weakening * 20.0**2
    most = (20.0**2 + beyond) / (4.0 * copper) - losses(0.0, 20.0, 1.0)
    lower, _ = torque_limits(20.0, 50e3, -most, 1.0, AXLE)
    assert (lower > -inf) == reached


@pytest.mark.parametrize("room", [50.0, 0.5, -0.5, -50.0])
def test_where_power_must_be_drawn_only_what_it_is_below_the_losses_is_left_for_braking(room):
    idle = losses(0.0, 100.0, 1.0)
    lower, _ = torque_limits(100.0, 50e3, idle - room, 1.0, AXLE)
    assert idle - (lower * 100.0 + losses(lower, 100.0, 1.0)) == pytest.approx(max(room, 0.0))
    standing, _ = torque_limits(0.0, 50e3, losses(0.0, 0.0, 1.0), 1.0, AXLE)
    assert standing == 0.0


class LearningRig(BudgetRig):
    """One step of learning, in numbers of which no two can be mistaken for each other."""

    def __init__(self):
        super().__init__((300.0, -200.0), factor=1.2)
        self.budget, inputs = self.state.power_budget, self.state.inputs
        self.budget.power_delivered, self.budget.loss_predicted, self.budget.power_predicted = 30e3, 4e3, 30.7e3
        inputs.front.motor_torque, inputs.rear.motor_torque = 80.0, -7.0
        inputs.battery.voltage, inputs.battery.current, inputs.battery.state_trusted = 370.0, 95.0, 1
        self.mechanical = 80.0 * 300.0 + 7.0 * 200.0
        self.tolerance = self.c.obedience_power + self.c.obedience_share * 30e3 + 700.0

    def learn(self):
        learn(0.01, self.state.inputs, self.budget, self.results, self.c)
        return self.budget.loss_factor


def test_one_step_of_learning_in_numbers():
    rig = LearningRig()
    weight = 4e3 / (4e3**2 + rig.c.learning_loss**2 + rig.c.learning_change * 700.0**2)
    expected = 1.2 + rig.c.learning_gain * 0.01 * weight * (370.0 * 95.0 - 30e3) * 1.2
    assert rig.learn() == pytest.approx(expected, rel=1e-12)
    assert rig.results.measured_power == 370.0 * 95.0
    assert rig.results.loss_factor == rig.budget.loss_factor


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("beyond", "learns"), [(-1.0, True), (1.0, False)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_inverters_obey_within_a_tolerance(sign, side, beyond, learns):
    rig = LearningRig()
    rig.budget.power_delivered, rig.budget.power_predicted = sign * 30e3, sign * 30.7e3
    rig.c.auxiliary_power = sign * 30e3 + side * (rig.tolerance + beyond) - 4e3 - rig.mechanical
    assert (rig.learn() != 1.2) == learns


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


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_power_under_way_that_is_too_much_is_held_back_by_its_gain(direction):
    rig = DroppingRig(50e3, direction)
    underway = float(rig.state.power_budget.power_underway)
    ((_, lead, front),) = rig.run(rig.dt)
    speeds = (500.0, 500.0)
    assert naive_power(1.0, (front, front), speeds, 1.0) == pytest.approx(direction * 50e3)
    held_back = naive_power(1.0, (lead * front, lead * front), speeds, 1.0)
    assert rig.results.predicted_power == pytest.approx(held_back)
    assert rig.results.lead_share == lead
    if lead > 0.0:
        assert held_back == pytest.approx(direction * 50e3 - rig.c.lead_gain * (underway - direction * 50e3))


@pytest.mark.parametrize(("direction", "limit"), [(1.0, 50e3), (-1.0, 60e3)])
def test_a_watt_too_much_is_held_back_too(direction, limit):
    rig = BudgetRig((500.0, 500.0), discharge=50e3)
    rig.state.power_budget.power_underway = direction * (limit + 0.5)
    rig.fit(direction * 300.0, direction * 300.0)
    assert rig.results.predicted_power == pytest.approx(direction * (limit - rig.c.lead_gain * 0.5), abs=1e-3)


def test_the_torque_path_goes_on_from_the_torque_that_the_limit_allows_for_ever():
    rig = DroppingRig(120e3)
    torques = {round(front, 6) for _, _, front in rig.run(0.1)}
    assert len(torques) == 1


def test_torque_never_changes_sign_for_the_sake_of_a_limit():
    rig = DroppingRig(0.0)
    assert all(lead >= 0.0 for _, lead, _ in rig.run(0.1))
