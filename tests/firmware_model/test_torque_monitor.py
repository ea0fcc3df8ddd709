from math import inf, isfinite, nan

import numpy as np
import pytest
from controller_rig import Rig, first
from hypothesis import given
from hypothesis import strategies as st
from interpreter import COMPILED, examples, needs_compiler

from firmware_model.calibration import Calibration
from firmware_model.kernel import kernel
from firmware_model.measurements import Fault
from firmware_model.signals import NO_SECOND_TRACK, Gear, Inputs, Outputs
from firmware_model.state import State
from firmware_model.torque_monitor import check_driver, check_hand, check_request, enforce

DT = 1e-3
SETTLED = 0.4  # [s] the band has reached what the pedals allow
GEARING = 8.1938 / 0.3108  # [rad/m] motor speed per road speed
LAG = 0.04  # [s]
FOR_EVER = 5.0 if COMPILED else 0.2  # [s]


@kernel
def watch(steps, dt, front, rear, inputs, state, outputs, measurements, calibration):
    for _ in range(steps):
        outputs.front.motor_torque = front
        outputs.rear.motor_torque = rear
        check_driver(dt, inputs, state, outputs, measurements, calibration)


axles = pytest.mark.parametrize("axle", ["front", "rear"])
gears = pytest.mark.parametrize("gear", [Gear.DRIVE, Gear.REVERSE])


class MonitorRig(Rig):
    """The monitor alone, watching torques that somebody commands and inverters that deliver what they are told to."""

    def __init__(self, accelerator=0.0, brake=0.0, gear=Gear.DRIVE, speed=20.0):
        super().__init__(speed)
        pedals = self.inputs.pedals
        pedals.accelerator, pedals.brake, pedals.gear = accelerator, brake, gear
        self.watched = self.measurements.torque_monitor
        self.memory = self.state.torque_monitor
        self.settle()

    def settle(self):
        self.check(0.0, 0.0, SETTLED)

    def check(self, front, rear, seconds=DT, dt=DT):
        watch(round(seconds / dt), dt, front, rear, self.inputs, self.memory, self.outputs, self.watched, self.calibration)
        return self.torques

    def set_axle_speeds(self, front, rear):
        self.set_speed(rear)
        self.inputs.front.motor_speed = front * GEARING
        self.inputs.wheels.front_left = self.inputs.wheels.front_right = abs(front)

    @property
    def monitor_faults(self):
        return Fault(int(self.memory.faults))


# The sum of both torques ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_too_much_torque_is_a_fault_after_10_ms_and_goes_out_as_zero(dt, share):
    rig = MonitorRig(accelerator=0.2)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    assert rig.watched.allowed_upper == pytest.approx(allowed)
    front = share * (allowed + 10.1)
    rear = allowed + 10.1 - front
    assert rig.check(front, rear, 0.009, dt) == (front, rear)
    assert rig.check(front, rear, 0.001, dt) == (0.0, 0.0)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    assert (rig.watched.tripped, rig.watched.trips) == (1, 1)
    assert rig.watched.commanded == pytest.approx(allowed + 10.1)
    assert rig.check(front, rear, 0.05, dt) == (0.0, 0.0)  # nothing heals as long as it goes on
    assert (rig.monitor_faults, rig.watched.trips) == (Fault.MONITOR_EXCESS, 1)


@pytest.mark.parametrize("gear", [Gear.DRIVE, Gear.BRAKE])
def test_torque_inside_the_tolerance_is_no_fault(gear):
    rig = MonitorRig(accelerator=0.2, gear=gear)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    assert rig.check((allowed + 9.9) / 2.0, (allowed + 9.9) / 2.0, FOR_EVER) != (0.0, 0.0)
    assert rig.monitor_faults == Fault(0)


def test_too_much_braking_is_a_fault_after_10_ms():
    rig = MonitorRig()  # 272 Nm of lift-off
    assert rig.check(-(272.0 + 9.9) / 2.0, -(272.0 + 9.9) / 2.0, FOR_EVER) != (0.0, 0.0)
    rig.check(-(272.0 + 10.1) / 2.0, -(272.0 + 10.1) / 2.0, 0.009)
    assert rig.monitor_faults == Fault(0)
    rig.check(-(272.0 + 10.1) / 2.0, -(272.0 + 10.1) / 2.0, 0.001)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS


def test_a_torque_at_the_edge_of_its_tolerance_is_no_fault():
    rig = MonitorRig(accelerator=0.2)
    rig.check(float(rig.watched.allowed_upper) + 10.0, 0.0, 0.1)
    rig.check(0.0, float(rig.watched.allowed_lower) - 10.0, 0.1)
    assert rig.watched.trips == 0


@pytest.mark.parametrize(("gear", "against"), [(Gear.DRIVE, -1.0), (Gear.REVERSE, 1.0)])
def test_a_torque_of_the_wrong_sign_at_the_edge_of_its_tolerance_is_no_fault(gear, against):
    rig = MonitorRig(accelerator=0.8, gear=gear, speed=-3.0 * against)
    rig.check(against * 8.0, 0.0, 0.1)
    assert rig.watched.trips == 0


def test_an_interrupted_excess_counts_from_the_start():
    rig = MonitorRig(accelerator=0.2)
    for _ in range(20):
        rig.check(120.0, 120.0, 0.009)
        rig.check(90.0, 90.0, 0.001)
    assert rig.monitor_faults == Fault(0)


def test_a_fault_heals_after_20_ms():
    rig = MonitorRig()
    rig.check(200.0, 200.0, 0.05)
    assert rig.check(5.0, 5.0, 0.019) == (0.0, 0.0)
    assert rig.check(5.0, 5.0, 0.001) == (5.0, 5.0)
    assert rig.monitor_faults == Fault(0)
    rig.check(200.0, 200.0, 0.05)
    assert rig.watched.trips == 2


def test_the_wrong_sign_is_a_fault_of_its_own():
    rig = MonitorRig(accelerator=0.8)
    rig.check(-4.05, -4.05, 0.009)
    assert rig.monitor_faults == Fault(0)
    rig.check(-4.05, -4.05, 0.001)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE
    rig = MonitorRig(accelerator=0.8)
    rig.check(-3.95, -3.95, FOR_EVER)
    assert rig.monitor_faults == Fault(0)


def test_without_gear_no_torque_is_allowed():
    for gear in (Gear.PARK, Gear.NEUTRAL, 9):
        rig = MonitorRig(accelerator=1.0, gear=gear)
        for torques in ((8.1, 0.0), (-8.1, 0.0), (0.0, 8.1), (0.0, -8.1)):
            rig.check(*torques, 0.010)
            assert rig.monitor_faults == Fault.MONITOR_OPPOSITE
            rig.check(0.0, 0.0, 0.020)
            assert rig.monitor_faults == Fault(0)


def test_in_reverse_the_signs_are_the_other_way_round_and_half_the_torque_is_allowed():
    rig = MonitorRig(accelerator=0.8, gear=Gear.REVERSE, speed=-3.0)
    assert (rig.watched.allowed_upper, rig.watched.allowed_lower) == (0.0, pytest.approx(-340.0))
    rig.check(-174.9, -174.9, 0.1)
    assert rig.monitor_faults == Fault(0)
    rig.check(-175.1, -175.1, 0.01)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS
    rig.check(0.0, 0.0, 0.1)
    rig.check(4.1, 4.1, 0.01)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


def test_lifting_off_allows_some_regeneration_and_the_brake_pedal_all_of_it():
    assert MonitorRig().watched.allowed_lower == pytest.approx(-272.0)
    assert MonitorRig(brake=-0.05).watched.allowed_lower == pytest.approx(-272.0)
    rig = MonitorRig(brake=0.01)
    assert rig.watched.allowed_lower == -680.0
    rig.check(-340.0, -340.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    assert MonitorRig(accelerator=0.39).watched.allowed_lower == pytest.approx(-272.0)
    assert MonitorRig(accelerator=0.4).watched.allowed_lower == 0.0


def test_creeping_is_allowed_only_at_low_speed():
    rig = MonitorRig(speed=69.0 / GEARING)
    assert rig.watched.allowed_upper == pytest.approx(0.02 * 680.0 + 30.0)
    assert MonitorRig(speed=71.0 / GEARING).watched.allowed_upper == pytest.approx(0.02 * 680.0)
    rig = MonitorRig()
    rig.inputs.front.motor_speed = 70.0
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == pytest.approx(0.02 * 680.0)


def test_a_floored_pedal_allows_all_of_the_torque_and_a_pedal_below_its_zero_none():
    assert MonitorRig(accelerator=1.0, speed=5.0).watched.allowed_upper == 680.0
    assert MonitorRig(accelerator=-0.1, speed=0.0).watched.allowed_upper == 30.0


@pytest.mark.parametrize("torque_sum_max", [680.0, -100.0])
def test_where_calibration_leaves_no_torque_none_is_allowed(torque_sum_max):
    rig = MonitorRig()
    rig.calibration.torque_monitor.pedal_offset = 0.0
    rig.calibration.torque_monitor.torque_sum_max = torque_sum_max
    rig.inputs.pedals.accelerator = 0.0 if torque_sum_max > 0.0 else 1.0
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == 0.0


def test_the_power_of_the_battery_bounds_the_torque():
    rig = MonitorRig(accelerator=1.0, speed=30.0)
    omega = float(rig.inputs.front.motor_speed)
    assert rig.watched.allowed_upper == pytest.approx((1.05 * 180e3 + 5e3) / omega)


@pytest.mark.parametrize(("front", "rear"), [(30.0, 20.0), (20.0, 30.0), (20.0, nan), (nan, 20.0)])
def test_the_slower_motor_tells_what_the_power_is_worth(front, rear):
    rig = MonitorRig(accelerator=1.0)
    rig.set_axle_speeds(front, rear)
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == pytest.approx((1.05 * 180e3 + 5e3) / (20.0 * GEARING))


@pytest.mark.parametrize("missing", ["front", "rear"])
def test_a_motor_that_is_not_there_tells_nothing(missing):
    rig = MonitorRig(accelerator=1.0)
    rig.calibration[missing].motor_present = 0
    rig.inputs[missing].motor_speed = 0.0
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == pytest.approx((1.05 * 180e3 + 5e3) / (20.0 * GEARING))


@pytest.mark.parametrize(("omega", "counted"), [(0.5, 0.5), (-0.5, 0.0)])
def test_a_motor_that_turns_against_its_gear_counts_as_standing(omega, counted):
    rig = MonitorRig()
    rig.inputs.front.motor_speed = rig.inputs.rear.motor_speed = omega
    rig.check(0.0, 0.0)
    assert rig.memory.motor_speed == counted


@pytest.mark.parametrize(("gear", "speed"), [(Gear.DRIVE, -5.0), (Gear.REVERSE, 5.0)])
def test_a_driver_who_stops_a_car_that_rolls_against_its_gear_needs_no_power_of_the_battery(gear, speed):
    rig = MonitorRig(accelerator=1.0, gear=gear, speed=speed)
    rig.inputs.battery.discharge_limit = 0.0
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper - rig.watched.allowed_lower > 300.0
    rig.set_speed(-speed)
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper - rig.watched.allowed_lower < 50.0


@pytest.mark.parametrize(("age", "limit"), [(0.005, 243e3), (0.1, 243e3), (0.101, 180e3)])
def test_the_wide_frame_s_limit_counts_where_there_is_one(age, limit):
    rig = MonitorRig(accelerator=1.0, speed=30.0)
    rig.inputs.battery_wide.discharge_limit, rig.inputs.battery_wide.link.age = 243e3, age
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == pytest.approx((1.05 * limit + 5e3) / (30.0 * GEARING))


@pytest.mark.parametrize(("limit", "valid"), [(0.0, True), (1e6, True), (1e6 + 0.5, False), (-0.5, False)])
def test_a_limit_that_no_battery_has_is_none(limit, valid):
    rig = MonitorRig(accelerator=0.5)
    rig.inputs.battery.discharge_limit = limit
    rig.check(0.0, 0.0, 0.2)
    assert rig.memory.accelerator == (0.5 if valid else 0.0)


@pytest.mark.parametrize(("pedal", "valid"), [(-0.1, True), (1.1, True), (-0.11, False), (1.11, False)])
def test_a_pedal_position_may_lie_a_tenth_beyond_its_ends(pedal, valid):
    rig = MonitorRig()
    rig.inputs.pedals.brake = pedal
    rig.check(0.0, 0.0)
    assert rig.memory.brake == (pedal if valid else 0.0)


def test_torque_may_fall_as_fast_as_the_path_lets_it():
    rig = MonitorRig(accelerator=1.0, speed=5.0)
    rig.inputs.pedals.accelerator = 0.0
    torque = 340.0
    while torque > 0.0:
        torque -= 1.6  # 1600 Nm/s
        rig.check(torque, torque)
    assert rig.watched.trips == 0


@pytest.mark.parametrize(("pedal", "wide", "narrow", "edge"), [("accelerator", 1.0, 0.2, "upper"), ("brake", 0.1, 0.0, "lower")])
def test_a_band_widens_at_once_and_narrows_after_its_delay_at_its_rate(pedal, wide, narrow, edge):
    rig = MonitorRig(**{pedal: wide}, speed=5.0)
    bands = [rig.memory.both, rig.memory.front.band, rig.memory.rear.band]

    def allowed():
        return np.array([abs(band[edge]) for band in bands])

    rig.inputs.pedals[pedal] = narrow
    rig.check(0.0, 0.0, 0.098)
    assert list(allowed()) == [680.0, 340.0, 340.0]
    rig.check(0.0, 0.0, 0.004)
    before = allowed()
    rig.check(0.0, 0.0, 0.010)
    assert before - allowed() == pytest.approx([28.0, 14.0, 14.0])
    rig.inputs.pedals[pedal] = wide
    rig.check(0.0, 0.0)
    assert list(allowed()) == [680.0, 340.0, 340.0]
    assert [float(band[f"{edge}_time"]) for band in bands] == [0.0, 0.0, 0.0]


# Each axle ------------------------------------------------------------------------------------------------------------------


@axles
def test_a_single_motor_has_a_limit_of_its_own(axle):
    def torques(value):
        return (value, 0.0) if axle == "front" else (0.0, value)

    rig = MonitorRig(accelerator=1.0, speed=5.0)
    assert rig.check(*torques(349.9), FOR_EVER) != (0.0, 0.0)
    rig.check(*torques(350.1), 0.009)
    assert rig.monitor_faults == Fault(0)
    rig.check(*torques(350.1), 0.001)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS


def test_one_axle_may_do_all_that_the_driver_wants():
    rig = MonitorRig(accelerator=0.2)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    rig.check(allowed, 0.0, 0.5)
    rig.check(0.0, allowed, 0.5)
    assert rig.monitor_faults == Fault(0)


@axles
def test_an_axle_against_the_driver_is_a_fault_even_if_the_sum_is_right(axle):
    rig = MonitorRig(accelerator=0.8)
    against, along = -8.1, 100.0
    torques = (against, along) if axle == "front" else (along, against)
    rig.check(*torques, 0.009)
    assert rig.monitor_faults == Fault(0)
    rig.check(*torques, 0.001)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE
    assert rig.check(*torques, 0.05) == (0.0, 0.0)
    assert (rig.monitor_faults, rig.watched.trips) == (Fault.MONITOR_OPPOSITE, 1)
    rig = MonitorRig(accelerator=0.8)
    rig.check(*[min(torque, 100.0) if torque > 0 else -7.9 for torque in torques], FOR_EVER)
    assert rig.monitor_faults == Fault(0)


@axles
def test_an_axle_beyond_what_the_pedal_allows_is_a_fault_even_if_the_sum_is_right(axle):
    rig = MonitorRig(accelerator=0.2)
    allowed = 680.0 * (1.3 * 0.2 + 0.02)
    torques = (allowed + 10.1, -50.0) if axle == "front" else (-50.0, allowed + 10.1)
    rig.check(*torques, 0.010)
    assert rig.monitor_faults == Fault.MONITOR_EXCESS


# A spinning axle ------------------------------------------------------------------------------------------------------------


class SpinRig(MonitorRig):
    """Full pedal at 10 m/s; one axle begins to spin by ``over`` [m/s]."""

    def __init__(self, over, gear=Gear.DRIVE, axle="front"):
        self.sign = -1.0 if gear == Gear.REVERSE else 1.0
        self.axle = axle
        super().__init__(accelerator=1.0, gear=gear, speed=self.sign * 10.0)
        self.spin(over)
        self.check(0.0, 0.0)

    def spin(self, over):
        speeds = self.sign * (10.0 + over), self.sign * 10.0
        self.set_axle_speeds(*(speeds if self.axle == "front" else reversed(speeds)))

    def brake(self, torque, other, seconds=DT):
        """Torques as seen in the direction of the gear, on the spinning axle and on the other one."""
        torques = self.sign * torque, self.sign * other
        return self.check(*(torques if self.axle == "front" else reversed(torques)), seconds)


@axles
@gears
def test_slip_control_may_brake_a_spinning_axle_for_half_a_second(axle, gear):
    rig = SpinRig(over=1.6, gear=gear, axle=axle)  # threshold: 1 m/s and 5 % of 10 m/s
    assert [rig.watched[name].spinning for name in ("front", "rear")] == [axle == "front", axle == "rear"]
    rig.brake(0.5, 100.0, 1.0)  # what does not brake uses up no time
    rig.brake(0.0, 100.0, 1.0)
    assert rig.brake(-179.9, 100.0, 0.5) != (0.0, 0.0)
    assert rig.monitor_faults == Fault(0)
    assert rig.watched[axle].spinning == 1
    rig.brake(-179.9, 100.0)
    assert rig.watched[axle].spinning == 0
    rig.brake(-179.9, 100.0, 0.3)
    assert rig.monitor_faults & (Fault.MONITOR_OPPOSITE | Fault.MONITOR_EXCESS)


def test_the_time_begins_anew_once_the_axle_rolls():
    rig = SpinRig(over=1.6)
    for _ in range(5):
        rig.set_axle_speeds(11.6, 10.0)
        rig.check(-100.0, 100.0, 0.4)
        rig.set_axle_speeds(10.0, 10.0)
        rig.check(0.0, 100.0, 0.1)
    assert rig.watched.trips == 0


@axles
@gears
def test_an_axle_that_does_not_spin_may_not_be_braked(axle, gear):
    rig = SpinRig(over=1.4, gear=gear, axle=axle)
    assert rig.watched[axle].spinning == 0
    rig.brake(-8.1, 100.0, 0.010)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


def test_only_the_axle_that_spins_may_be_braked():
    rig = SpinRig(over=3.0)
    rig.check(100.0, -8.1, 0.010)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


def test_the_torque_that_brakes_a_spinning_axle_is_bounded():
    rig = SpinRig(over=3.0)
    assert (rig.watched.allowed_lower, rig.watched.front.allowed_lower, rig.watched.rear.allowed_lower) == (-170.0, -170.0, 0.0)
    rig.check(-180.1, 0.0, 0.010)
    assert rig.monitor_faults & Fault.MONITOR_EXCESS


@axles
def test_an_axle_spins_however_little_it_may_be_braked(axle):
    rig = SpinRig(over=3.0, axle=axle)
    rig.calibration.torque_monitor.slip_torque = 0.5
    rig.check(0.0, 0.0)
    assert rig.watched[axle].spinning == 1


def test_spinning_backwards_is_no_reason_to_drive_on_against_the_driver():
    rig = MonitorRig(accelerator=1.0, speed=0.0)
    rig.set_axle_speeds(-5.0, 0.0)
    rig.check(-8.1, 0.0, 0.010)
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


def test_both_axles_may_be_braked_when_both_spin_faster_than_any_road_allows():
    rig = MonitorRig(accelerator=1.0, speed=10.0)
    for k in range(100):  # both gain 60 m/s2
        speed = 10.0 + 0.06 * k
        rig.set_axle_speeds(speed, speed)
        rig.check(0.0, 0.0)
    assert rig.memory.speed == pytest.approx(10.0 + 12.0 * 0.1, abs=0.03)
    rig.check(-150.0, -150.0, 0.1)
    assert rig.monitor_faults == Fault(0)
    assert rig.watched.allowed_lower == -2.0 * 170.0


def test_an_axle_whose_time_is_over_leaves_the_other_its_own():
    rig = MonitorRig(accelerator=1.0, speed=10.0)
    rig.set_axle_speeds(60.0, 60.0)
    rig.check(-150.0, 0.0, 0.6)
    rig.check(0.0, 0.0, SETTLED)
    assert (rig.watched.allowed_lower, rig.watched.front.allowed_lower, rig.watched.rear.allowed_lower) == (-170.0, 0.0, -170.0)


@pytest.mark.parametrize(
    ("left", "right", "motor", "speed"),
    [
        (9.0, 11.0, 3.0, 10.0), (-9.0, -11.0, -3.0, 10.0), (9.0, 11.0, nan, 10.0),
        (9.0, 11.0, 12.0, 12.0), (9.0, 11.0, -12.0, 12.0), (nan, 11.0, 12.0, 12.0), (9.0, nan, 3.0, 3.0),
        (0.0, 0.0, 0.0, 0.0), (nan, 0.0, nan, 50.0),
    ],
)  # fmt: skip
@axles
def test_the_car_is_as_fast_as_its_slower_axle_which_is_as_fast_as_its_wheels_or_its_motor(axle, left, right, motor, speed):
    rig = MonitorRig(speed=50.0)
    rig.inputs.wheels[f"{axle}_left"], rig.inputs.wheels[f"{axle}_right"] = left, right
    rig.inputs[axle].motor_speed = motor * GEARING
    rig.check(0.0, 0.0)
    assert rig.memory.speed == pytest.approx(speed)


def test_without_any_speed_the_last_one_counts():
    rig = MonitorRig(speed=50.0)
    for path in ("wheels.front_left", "wheels.rear_left", "front.motor_speed", "rear.motor_speed"):
        rig.set(path, nan)
    rig.check(0.0, 0.0, 0.1)
    assert rig.memory.speed == 50.0


def test_a_car_that_accelerates_as_fast_as_a_road_allows_does_not_spin():
    rig = MonitorRig(accelerator=1.0, speed=10.0)
    for k in range(1000):
        rig.set_axle_speeds(10.0 + 0.0115 * k, 10.0 + 0.0115 * k)
        rig.check(100.0, 100.0)
        assert rig.watched.front.spinning == rig.watched.rear.spinning == 0


@pytest.mark.parametrize("dead", ["wheels", "motor"])
@pytest.mark.parametrize("value", [0.0, nan])
def test_one_dead_speed_of_the_other_axle_makes_no_axle_spin(dead, value):
    rig = MonitorRig(accelerator=1.0, speed=20.0)
    if dead == "motor":
        rig.inputs.rear.motor_speed = value
    else:
        rig.inputs.wheels.rear_left = rig.inputs.wheels.rear_right = value
    rig.check(-8.1, 100.0, 0.010)
    assert rig.watched.front.spinning == 0
    assert rig.monitor_faults == Fault.MONITOR_OPPOSITE


# Delivered torque -----------------------------------------------------------------------------------------------------------


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


# Inputs ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [nan, inf, -inf, 1.2, -0.2])
@pytest.mark.parametrize("path", ["pedals.accelerator", "pedals.brake", "battery.discharge_limit"])
def test_an_invalid_input_is_held_for_a_while_and_then_allows_nothing(path, value):
    if path.startswith("battery") and value == 1.2:
        value = 1.1e6
    rig = MonitorRig(accelerator=0.5)
    before = float(rig.watched.allowed_upper)
    rig.set(path, value)
    rig.check(50.0, 50.0, 0.1)
    assert rig.watched.allowed_upper == before
    rig.check(50.0, 50.0, 0.5)
    assert rig.torques == (0.0, 0.0)
    assert (rig.memory.accelerator, rig.memory.brake, rig.memory.discharge_limit) == (0.0, 0.0, 0.0)
    assert (rig.watched.allowed_lower, rig.watched.allowed_upper) == pytest.approx((-272.0, 5e3 / (20.0 * GEARING)))


@pytest.mark.parametrize("value", [nan, inf])
def test_motor_speeds_are_held_and_one_of_them_is_enough(value):
    rig = MonitorRig(accelerator=0.5)
    before = float(rig.watched.allowed_upper)
    rig.inputs.front.motor_speed = value
    rig.check(50.0, 50.0, 1.0)
    assert rig.watched.allowed_upper == before
    rig.inputs.rear.link.age = 0.05
    rig.check(50.0, 50.0, 0.5)
    assert rig.watched.allowed_upper == before
    rig.inputs.rear.link.age = 0.051
    rig.check(50.0, 50.0, 0.1)
    assert rig.watched.allowed_upper == before
    rig.check(50.0, 50.0, 0.5)
    assert rig.torques == (0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [(0.5, 0.5, 0.5), (0.5, 0.2, 0.2), (0.2, 0.5, 0.2), (nan, 0.3, 0.3), (0.4, nan, 0.4), (0.4, NO_SECOND_TRACK, 0.4)],
)
def test_of_both_tracks_of_the_accelerator_the_lower_valid_one_counts(first, second, allowed):
    rig = MonitorRig(accelerator=first, speed=5.0)
    rig.inputs.pedals.accelerator_track_2 = second
    rig.check(0.0, 0.0, SETTLED)
    assert rig.watched.allowed_upper == pytest.approx(680.0 * (1.3 * allowed + 0.02), rel=1e-6)


def test_a_command_that_is_not_a_number_is_a_fault():
    rig = MonitorRig(accelerator=0.5)
    assert rig.check(nan, 0.0, 0.01) == (0.0, 0.0)
    rig = MonitorRig(accelerator=0.5)
    assert rig.check(0.0, inf, 0.01) == (0.0, 0.0)


def test_between_two_looks_the_torque_stays_at_zero():
    rig = MonitorRig()
    rig.check(200.0, 200.0, 0.02)
    rig.outputs.front.motor_torque = rig.outputs.rear.motor_torque = 200.0
    enforce(rig.memory, rig.outputs)
    assert rig.torques == (0.0, 0.0)


# What calibration cannot do -------------------------------------------------------------------------------------------------

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


# Whatever comes in ----------------------------------------------------------------------------------------------------------

REALS = [path for path, field in Inputs.fields() if field.dtype == "f8"]


@examples(100)
@given(st.data())
def test_whatever_comes_in_the_state_stays_finite_and_torque_beyond_the_motors_goes_out_as_zero(data):
    rig = MonitorRig(accelerator=1.0, speed=data.draw(st.floats(0, 40)))
    numbers = st.floats(allow_nan=True, allow_infinity=True)
    for _ in range(3):
        for path in data.draw(st.lists(st.sampled_from(REALS), max_size=5)):
            rig.set(path, data.draw(numbers))
        rig.inputs.pedals.gear = data.draw(st.sampled_from([*Gear, 1, 9]))
        rig.check(data.draw(numbers), data.draw(numbers), 0.02)
        for path, field in State.fields():
            if path.startswith("torque_monitor.") and field.dtype == "f8":
                record = rig.state
                for name in path.split("."):
                    record = getattr(record, name)
                assert isfinite(record), path
        assert all(abs(torque) <= 350.0 for torque in rig.torques)
        torque = data.draw(st.floats(350.1, 1e4)) * data.draw(st.sampled_from([-1.0, 1.0]))
        assert rig.check(torque, 0.0, 0.010) == (0.0, 0.0)
        assert rig.monitor_faults & (Fault.MONITOR_EXCESS | Fault.MONITOR_OPPOSITE)


# A recorded request ---------------------------------------------------------------------------------------------------------


class RequestRig(Rig):
    """The monitor beside a recording, in which one axle has a torque."""

    def __init__(self, torque, axle="front"):
        super().__init__(20.0)
        self.request, self.axle = first(Outputs.new()), axle
        self.request[axle].motor_torque = torque
        self.request.front.link.age = self.request.rear.link.age = 0.005
        self.watched = self.measurements.torque_monitor

    def check(self, commanded, seconds):
        monitor = self.state.torque_monitor
        for _ in range(round(seconds / DT)):
            self.outputs[self.axle].motor_torque = commanded
            check_request(DT, self.inputs, self.request, monitor, self.outputs, self.watched, self.calibration)
        return Fault(int(monitor.faults))


@axles
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_recorded_request_is_the_bound_in_a_replay(axle, sign):
    rig = RequestRig(sign * 100.0, axle)
    assert rig.check(sign * 109.9, 0.5) == Fault(0)
    assert rig.check(sign * 110.1, 0.01) == Fault.MONITOR_EXCESS
    assert rig.check(0.0, 0.02) == Fault(0)
    assert rig.check(sign * -7.9, 0.5) == Fault(0)
    assert rig.check(sign * -8.1, 0.01) == Fault.MONITOR_OPPOSITE


@pytest.mark.parametrize("request_torque", [0.5, -0.5])
def test_a_small_request_allows_a_small_torque(request_torque):
    rig = RequestRig(request_torque)
    rig.check(0.0, SETTLED)
    assert (rig.watched.allowed_lower, rig.watched.allowed_upper) == (min(request_torque, 0.0), max(request_torque, 0.0))


@axles
def test_what_a_recorded_inverter_delivers_is_compared_with_what_it_was_asked_for(axle):
    rig = RequestRig(100.0, axle)
    fault = Fault.FRONT_TORQUE_DEVIATION if axle == "front" else Fault.REAR_TORQUE_DEVIATION
    rig.inputs[axle].motor_torque = 110.0
    assert rig.check(20.0, 1.0) == Fault(0)  # our own command is not what it obeyed; the recording begins under load
    rig.inputs[axle].motor_torque = 110.5
    assert rig.check(20.0, 0.069) == Fault(0)
    assert rig.check(20.0, 0.001) == fault


@axles
@pytest.mark.parametrize(("age", "compared"), [(1e6, False), (0.051, False), (0.05, True)])
def test_without_a_request_nothing_is_compared(axle, age, compared):
    rig = RequestRig(0.0, axle)
    rig.request[axle].link.age = age
    rig.inputs[axle].motor_torque = 100.0
    assert (rig.check(0.0, 0.1) != Fault(0)) == compared


# Torque by hand -------------------------------------------------------------------------------------------------------------


@kernel
def watch_hand(steps, dt, front, rear, inputs, state, outputs, measurements, calibration):
    for _ in range(steps):
        outputs.front.motor_torque = front
        outputs.rear.motor_torque = rear
        check_hand(dt, inputs, state, outputs, measurements, calibration)


class HandMonitorRig(MonitorRig):
    """The monitor of a bench without a car: the operator's panel instead of pedals."""

    def __init__(self, front=0.0, rear=0.0):
        super().__init__(speed=0.0)
        self.inputs.panel.front_torque, self.inputs.panel.rear_torque = front, rear

    def check_hand(self, front, rear, seconds=DT):
        watch_hand(round(seconds / DT), DT, front, rear, self.inputs, self.memory, self.outputs, self.watched, self.calibration)
        return self.torques


@pytest.mark.parametrize(("asked", "commanded"), [(10.0, 10.0), (-10.0, -10.0), (20.0, 29.0), (50.0, 29.0)])
def test_what_the_operator_asks_for_within_the_clamp_is_no_fault(asked, commanded):
    rig = HandMonitorRig(front=asked)
    rig.check_hand(commanded, 0.0, 0.3)
    assert rig.monitor_faults & (Fault.MONITOR_EXCESS | Fault.MONITOR_OPPOSITE) == 0


@pytest.mark.parametrize(
    ("asked", "commanded", "fault"),
    [
        (10.0, 21.0, Fault.MONITOR_EXCESS),
        (50.0, 31.0, Fault.MONITOR_EXCESS),
        (10.0, -9.0, Fault.MONITOR_OPPOSITE),
        (nan, 9.0, Fault.MONITOR_OPPOSITE),
    ],
)
def test_more_than_the_operators_torque_or_against_it_is_cut(asked, commanded, fault):
    rig = HandMonitorRig(front=asked)
    assert rig.check_hand(commanded, 0.0, 0.3) == (0.0, 0.0)
    assert rig.monitor_faults & fault


def allowed_by_hand(rig):
    rig.check_hand(0.0, 0.0, SETTLED)
    both, front, rear = rig.watched, rig.watched.front, rig.watched.rear
    return [(float(band.allowed_lower), float(band.allowed_upper)) for band in (both, front, rear)]


@pytest.mark.parametrize(
    ("front", "rear", "lower", "upper"),
    [
        (10.0, 5.0, 0.0, 15.0), (-10.0, -5.0, -15.0, 0.0), (0.5, -2.0, -2.0, 0.5), (-2.0, 0.5, -2.0, 0.5), (0.0, 0.0, 0.0, 0.0),
        (50.0, 0.0, 0.0, 20.0), (0.0, -50.0, -20.0, 0.0), (nan, inf, 0.0, 0.0),
    ],
)  # fmt: skip
def test_the_band_of_an_operator_is_what_both_motors_are_asked_for(front, rear, lower, upper):
    assert allowed_by_hand(HandMonitorRig(front, rear)) == [(lower, upper)] * 3


@pytest.mark.parametrize("torque", [5000.0, -5000.0])
def test_no_clamp_allows_more_by_hand_than_a_motor_has(torque):
    rig = HandMonitorRig(torque)
    rig.calibration.hand_torque.torque_max = nan
    rig.calibration.torque_monitor.motor_torque_max = inf
    assert allowed_by_hand(rig) == [(min(torque, 0.0) / 5.0, max(torque, 0.0) / 5.0)] * 3


@pytest.mark.parametrize(("timeout", "longest"), [(0.5, 0.5), (nan, 1.0)])
def test_an_operator_counts_until_the_panel_has_been_silent_for_its_time(timeout, longest):
    rig = HandMonitorRig(15.0, 3.0)
    rig.calibration.input_qualification.panel_timeout = timeout
    rig.inputs.panel.link.age = longest
    assert allowed_by_hand(rig) == [(0.0, 18.0)] * 3
    rig.inputs.panel.link.age = longest + 0.001
    assert allowed_by_hand(rig) == [(0.0, 0.0)] * 3


@axles
def test_what_is_delivered_by_hand_is_compared_with_the_command(axle):
    rig = HandMonitorRig()
    rig.inputs[axle].motor_torque = 10.5
    rig.check_hand(0.0, 0.0, 0.070)
    assert rig.monitor_faults == (Fault.FRONT_TORQUE_DEVIATION if axle == "front" else Fault.REAR_TORQUE_DEVIATION)


def test_an_operator_who_is_gone_wants_nothing():
    rig = HandMonitorRig(front=15.0)
    rig.inputs.panel.link.age = 0.6
    assert rig.check_hand(15.0, 0.0, 0.3) == (0.0, 0.0)
