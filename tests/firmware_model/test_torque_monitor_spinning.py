from math import nan

import pytest
from monitor_rig import DT, GEARING, SETTLED, MonitorRig, axles, gears

from firmware_model.measurements import Fault
from firmware_model.signals import Gear


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
