from math import inf, isfinite, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples
from monitor_rig import FOR_EVER, GEARING, SETTLED, MonitorRig, axles

from firmware_model.measurements import Fault
from firmware_model.signals import NO_SECOND_TRACK, Gear, Inputs
from firmware_model.state import State
from firmware_model.torque_monitor import enforce

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
