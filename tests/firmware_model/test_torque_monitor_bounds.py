from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples, needs_compiler
from monitor_rig import DT, GEARING, MonitorRig

from firmware_model.calibration import Calibration
from firmware_model.measurements import Fault
from firmware_model.signals import Gear

# The widest that each value can be made, restated.
BOUNDS = {
    "excess_torque": 20.0, "opposite_torque": 16.0, "fault_time": 0.02, "heal_time": 0.02, "motor_torque_max": 1000.0,
    "torque_sum_max": 2000.0, "pedal_gain": 2.5, "pedal_offset": 0.05, "reverse_share": 1.0, "creep_torque": 60.0,
    "creep_speed": 150.0, "regeneration_share": 0.6, "regeneration_pedal": 0.6, "power_tolerance": 0.1, "power_floor": 10e3,
    "hold_time": 0.2, "release_delay": 0.1, "release_rate": 500.0,
    "slip_speed": 0.5, "slip_ratio": 0.0, "slip_torque": 250.0, "slip_time": 1.0,
    "acceleration_max": 15.0, "delivery_lag": 0.08, "deviation_torque": 20.0, "deviation_time": 0.14, "uncontrolled_time": 1.0,
    "report_age_max": 0.1,
}  # fmt: skip
NARROWS = {"heal_time", "release_rate", "slip_speed", "slip_ratio"}  # for these the bound is the lowest value


def test_every_value_of_the_monitor_has_a_bound():
    values = {path.rpartition(".")[2] for path, _ in Calibration.fields() if path.startswith("torque_monitor.")}
    assert values == set(BOUNDS)


class WidestRig(MonitorRig):
    """Every value of the monitor is beyond its bound or not a number; the bounds are all that is left of it."""

    def __init__(self, wild=inf, *, settled=1.5, **inputs):
        self.wild, self.settled = wild, settled
        super().__init__(**inputs)

    def settle(self):
        for key in BOUNDS:
            setattr(self.calibration.torque_monitor, key, -self.wild if key in NARROWS else self.wild)
        self.check(0.0, 0.0, self.settled)


wilds = pytest.mark.parametrize("wild", [inf, nan])


@wilds
@pytest.mark.parametrize(
    ("inputs", "lower", "upper"),
    [
        ({"accelerator": 0.59, "speed": 0.0}, -1200.0, 2000.0 * (2.5 * 0.59 + 0.05) + 60.0),
        ({"accelerator": 0.61, "speed": 0.0}, 0.0, 2000.0 * (2.5 * 0.61 + 0.05) + 60.0),
        ({"brake": 0.1, "speed": 149.5 / GEARING}, -2000.0, 100.0 + 60.0),
        ({"brake": 0.1, "speed": 150.5 / GEARING}, -2000.0, 100.0),
        ({"accelerator": 0.2, "speed": -1.0, "gear": Gear.REVERSE}, -1160.0, 1200.0),
        ({"accelerator": 1.0, "speed": 500.0 / GEARING}, 0.0, (1.1 * 180e3 + 10e3) / 500.0),
    ],
)
def test_the_widest_band_there_can_be(wild, inputs, lower, upper):
    rig = WidestRig(wild, **{"accelerator": 0.0} | inputs)
    upper_one, lower_one = min(upper, 1000.0), max(lower, -1000.0)
    assert (rig.watched.allowed_lower, rig.watched.allowed_upper) == pytest.approx((lower, min(upper, 2060.0)))
    assert (rig.watched.front.allowed_lower, rig.watched.front.allowed_upper) == pytest.approx((lower_one, upper_one))
    assert (rig.watched.rear.allowed_lower, rig.watched.rear.allowed_upper) == pytest.approx((lower_one, upper_one))


@wilds
def test_the_widest_excess_the_longest_fault_time_and_the_shortest_healing(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.check(1019.9, 0.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig.check(1020.1, 0.0, 0.019)
    assert rig.monitor_faults == Fault(0)
    rig.check(1020.1, 0.0)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    rig.check(0.0, 0.0, 0.019)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    rig.check(0.0, 0.0)
    assert rig.monitor_faults == Fault(0)


@wilds
def test_the_widest_torque_of_the_wrong_sign(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.check(-15.9, 0.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig.check(-16.1, 0.0, 0.020)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


@wilds
def test_the_longest_hold_and_the_slowest_release(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.inputs.pedals.brake = nan
    rig.check(0.0, 0.0, 0.200)
    assert rig.memory.accelerator == 1.0
    rig.check(0.0, 0.0)
    assert rig.memory.accelerator == 0.0
    rig.check(0.0, 0.0, 0.098)
    assert rig.watched.allowed_upper == 2060.0
    rig.check(0.0, 0.0, 0.004)
    before, before_front = float(rig.watched.allowed_upper), float(rig.watched.front.allowed_upper)
    assert before < 2060.0
    rig.check(0.0, 0.0, 0.100)
    assert before - rig.watched.allowed_upper == pytest.approx(2.0 * 500.0 * 0.100)
    assert before_front - rig.watched.front.allowed_upper == pytest.approx(500.0 * 0.100)


@wilds
def test_the_least_slip_and_the_most_braking_against_it(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=10.0)
    rig.set_axle_speeds(10.49, 10.0)
    rig.check(-1.0, 0.0)
    assert rig.watched.front.spinning == 0
    rig.set_axle_speeds(10.51, 10.0)
    rig.check(-1.0, 0.0, 1.0)
    assert rig.watched.front.allowed_lower == -250.0
    assert rig.watched.front.spinning == 1
    rig.check(-1.0, 0.0)
    assert rig.watched.front.spinning == 0


@wilds
def test_no_road_accelerates_a_car_by_more_than_15_m_s2(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.set_speed(30.0)
    rig.check(0.0, 0.0, 0.1)
    assert rig.memory.speed == pytest.approx(1.5)


@wilds
def test_the_slowest_inverter_and_the_widest_deviation(wild):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.check(100.0, 0.0, 0.08)
    assert rig.watched.front.expected == pytest.approx(100.0 * (1.0 - (1.0 + DT / 0.08) ** -80))
    rig.check(0.0, 0.0, 2.0)
    rig.inputs.front.motor_torque = 20.0
    rig.check(0.0, 0.0, 0.2)
    assert rig.monitor_faults == Fault(0)
    rig.inputs.front.motor_torque = 20.5
    rig.check(0.0, 0.0, 0.139)
    assert rig.monitor_faults == Fault(0)
    rig.check(0.0, 0.0)
    assert rig.monitor_faults == Fault.FRONT_TORQUE_DEVIATION
    rig.check(0.0, 0.0, 0.859)
    assert rig.monitor_faults == Fault.FRONT_TORQUE_DEVIATION
    rig.check(0.0, 0.0)
    assert rig.monitor_faults == Fault.FRONT_TORQUE_DEVIATION | Fault.UNCONTROLLED_TORQUE


@wilds
@pytest.mark.parametrize(("age", "fault"), [(0.099, Fault.FRONT_TORQUE_DEVIATION), (0.101, Fault(0))])
def test_the_oldest_report_that_counts(wild, age, fault):
    rig = WidestRig(wild, accelerator=1.0, speed=0.0)
    rig.inputs.front.motor_torque, rig.inputs.front.link.age = 100.0, age
    rig.check(0.0, 0.0, 0.2)
    assert rig.monitor_faults == fault


@needs_compiler
@pytest.mark.parametrize("key", BOUNDS)
@pytest.mark.parametrize("wild", [nan, inf, "beyond"])
def test_beyond_its_bound_a_value_counts_as_the_bound(key, wild):
    """Two monitors, one with the bound and one with a wild value, see the same and do the same."""
    if wild == "beyond":
        wild = -1e9 if key in NARROWS else 1e9
    elif wild == inf and key in NARROWS:
        wild = -inf
    rigs = [MonitorRig(accelerator=0.5), MonitorRig(accelerator=0.5)]
    for rig, value in zip(rigs, (BOUNDS[key], wild), strict=True):
        setattr(rig.calibration.torque_monitor, key, value)
    rng = np.random.default_rng(3)
    for _ in range(60):
        accelerator, speed, torque = rng.choice([0.0, 0.3, 0.5, nan]), rng.uniform(0, 20), rng.uniform(-400, 400)
        gear, over, brake = rng.choice([Gear.DRIVE, Gear.REVERSE]), rng.uniform(0, 3), rng.choice([0.0, 0.0, 0.2])
        deviation, seconds = rng.uniform(-30, 30), rng.choice([0.01, 0.03, 0.2])
        for rig in rigs:
            rig.inputs.pedals.accelerator, rig.inputs.pedals.gear, rig.inputs.pedals.brake = accelerator, gear, brake
            rig.set_axle_speeds(speed + over, speed)
            rig.inputs.front.motor_torque = torque + deviation
            rig.check(torque, 20.0, seconds)
        assert rigs[0].monitor_faults == rigs[1].monitor_faults
        assert bytes(rigs[0].memory) == bytes(rigs[1].memory)


@examples(100)
@given(st.data())
def test_no_calibration_lets_a_torque_pass_for_which_there_is_no_reason(data):
    rig = MonitorRig(speed=10.0)
    for key in BOUNDS:
        wild = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.just(0.0))
        setattr(rig.calibration.torque_monitor, key, data.draw(wild))
    rig.inputs.pedals.gear = Gear.NEUTRAL
    rig.check(0.0, 0.0, 1.5)  # the widest band there can be narrows at 500 Nm/s
    assert rig.check(0.0, 25.0, 0.021) == (0.0, 0.0)
    assert rig.check(25.0, 0.0, 0.021) == (0.0, 0.0)
