import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.driver_demand import acceleration_force, braking_force, direction
from firmware_model.signals import Gear

CALIBRATION = Calibration.new()[0]
DEMAND = CALIBRATION.driver_demand


def force(accelerator, gear, speed, f_brake=0.0):
    return acceleration_force(accelerator, gear, speed, f_brake, CALIBRATION)


@pytest.mark.parametrize("speed", [0.0, 5.0, 14.0, 26.0, 35.0])
def test_a_floored_pedal_wants_the_full_force_of_the_curve(speed):
    assert force(1.0, Gear.DRIVE, speed) == pytest.approx(np.interp(speed, DEMAND.speed_points, DEMAND.force_full))


def test_lifting_off_regenerates_and_b_does_so_more_strongly():
    assert force(0.0, Gear.DRIVE, 20.0) == pytest.approx(-1275.0)
    assert force(0.0, Gear.BRAKE, 20.0) == pytest.approx(-2825.0)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-5, 45), st.sampled_from([Gear.DRIVE, Gear.BRAKE]))
def test_more_pedal_never_wants_less_force(a, b, speed, gear):
    less, more = sorted((a, b))
    assert force(less, gear, speed) <= force(more, gear, speed) + 1e-9


@pytest.mark.parametrize("gear", [Gear.PARK, Gear.NEUTRAL])
def test_no_gear_no_force(gear):
    assert force(1.0, gear, 10.0) == 0.0
    assert direction(gear) == 0.0


def test_reverse_drives_backwards_with_less_force():
    assert force(1.0, Gear.REVERSE, 0.0) == pytest.approx(-(0.4 * 17.9e3 + 0.6 * 500.0))
    assert force(0.0, Gear.REVERSE, -5.0) == pytest.approx(900.0)
    assert direction(Gear.REVERSE) == -1.0


def test_the_car_creeps_until_the_brake_holds_it_or_it_is_under_way():
    assert force(0.0, Gear.DRIVE, 0.0) == 500.0
    assert force(0.0, Gear.DRIVE, 0.9) == pytest.approx(250.0)
    assert force(0.0, Gear.DRIVE, 0.0, f_brake=500.0) == pytest.approx(250.0)
    assert force(0.0, Gear.DRIVE, 0.0, f_brake=2000.0) == 0.0
    assert force(0.0, Gear.DRIVE, 2.0) == 0.0


def test_at_top_speed_the_force_is_the_road_load_and_beyond_it_ends_without_braking():
    road_load = 135.1 + 3.185 * 43.6 + 0.4354 * 43.6**2
    assert force(1.0, Gear.DRIVE, 43.6) == pytest.approx(road_load)
    assert force(1.0, Gear.DRIVE, 45.0) == 0.0
    assert force(0.0, Gear.DRIVE, 45.0) == pytest.approx(-850.0)


def test_reverse_ends_at_its_own_top_speed():
    assert force(1.0, Gear.REVERSE, -9.0) == pytest.approx(0.0)


@pytest.mark.parametrize(("brake", "deceleration"), [(0.0, 0.0), (0.05, 0.0), (0.3, 2.0), (0.45, 3.75), (1.0, 11.0)])
def test_the_brake_pedal_asks_for_a_deceleration(brake, deceleration):
    assert braking_force(brake, CALIBRATION) == pytest.approx(CALIBRATION.vehicle.mass * deceleration)
