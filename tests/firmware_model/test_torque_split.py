import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import GRAVITY
from firmware_model.ride_control import braking_front_share
from firmware_model.signals import DriveMode
from firmware_model.torque_split import preferred_front_share

FORCE_PER_TORQUE = 8.1938 / 0.3108  # of the default axle


def share(force, acceleration=0.0, speed=0.0, calibrate=lambda calibration: None, **changes):
    """Preferred front share; ``changes`` are calibration values of the split."""
    rig = Rig()
    for name, value in changes.items():
        setattr(rig.calibration.torque_split, name, value)
    calibrate(rig.calibration)
    rig.state.inputs.front.motor_speed = rig.state.inputs.rear.motor_speed = speed * FORCE_PER_TORQUE
    rig.state.tyre_load.longitudinal_acceleration = acceleration
    return preferred_front_share(force, 1.0, rig.state.inputs, rig.state.tyre_load, rig.calibration)


@pytest.mark.parametrize("force", [10e3, 500.0, 0.0, -4e3])
def test_two_equal_motors_share_equally_at_rest(force):
    assert share(force) == pytest.approx(0.5)


@pytest.mark.parametrize("acceleration", [4.0, -4.0])
@pytest.mark.parametrize("gain", [0.0, 0.5, 1.0])
def test_large_forces_follow_the_load_on_the_axles(acceleration, gain):
    expected = 0.5 - gain * 0.54 * acceleration / (GRAVITY * 2.7)
    assert share(8e3, acceleration, load_gain=gain) == pytest.approx(expected)


def test_sport_drives_the_rear_wheels_more():
    rig = Rig()
    rig.state.inputs.drive_mode = DriveMode.SPORT
    assert preferred_front_share(8e3, 1.0, rig.state.inputs, rig.state.tyre_load, rig.calibration) == pytest.approx(0.4)


def thirsty_rear(calibration):
    calibration.rear.loss_torque = 3.0 * calibration.front.loss_torque
    calibration.front.loss_weakening = calibration.rear.loss_weakening = 0.0


def test_small_forces_go_where_they_cost_least():
    """Of two motors with losses k F^2 the least together is at F_f / F_r = k_r / k_f = 3."""
    assert share(1000.0, calibrate=thirsty_rear) == pytest.approx(0.75)
    assert share(1000.0, acceleration=3.0, calibrate=thirsty_rear) == pytest.approx(0.75)


def test_the_least_loss_is_the_least():
    def loss(front):
        return front**2 + 3.0 * (1.0 - front) ** 2

    best = share(1000.0, calibrate=thirsty_rear)
    assert loss(best) < min(loss(best - 0.01), loss(best + 0.01))


def test_field_weakening_counts_at_speed():
    def weak_front(calibration):
        calibration.front.loss_weakening = 1e-6

    omega = 20.0 * FORCE_PER_TORQUE
    front, rear = 0.0575 + 1e-6 * omega**2, 0.0575 + 2.05e-7 * omega**2
    assert share(1000.0, speed=20.0, calibrate=weak_front) == pytest.approx(rear / (front + rear))


def test_radius_and_gear_of_an_axle_count():
    def short_rear(calibration):
        calibration.rear.gear_ratio *= 2.0  # half the torque for the same force: a quarter of the loss

    assert share(1000.0, calibrate=short_rear) == pytest.approx(0.2)


def test_between_the_two_both_have_a_say():
    by_loss, by_load = share(1500.0, 2.0, calibrate=thirsty_rear), share(5000.0, 2.0, calibrate=thirsty_rear)
    middle = share(3250.0, 2.0, calibrate=thirsty_rear)
    assert middle == pytest.approx(0.5 * (by_loss + by_load))
    assert share(-3250.0, 2.0, calibrate=thirsty_rear) == pytest.approx(middle)
    assert share(1000.0, 2.0, calibrate=thirsty_rear, efficiency_weight=0.0) == pytest.approx(by_load)


@pytest.mark.parametrize(("front", "rear", "expected"), [(1, 0, 1.0), (0, 1, 0.0), (0, 0, 0.0)])
def test_a_car_with_one_motor_drives_with_that_one(front, rear, expected):
    def present(calibration):
        calibration.front.motor_present, calibration.rear.motor_present = front, rear

    assert share(3e3, 2.0, calibrate=present) == expected


@pytest.mark.parametrize("wanted", [0.0, 1.0])
def test_the_split_goes_to_either_axle_alone(wanted):
    assert share(8e3, front_share=wanted) == wanted


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_force_that_brakes_is_shared_as_ride_control_wants_it(direction):
    wish = braking_front_share(4000.0, 0.0, 1.0, Rig().calibration)
    assert share(-direction * 4000.0, speed=direction * 10.0) == pytest.approx(wish)
    assert share(-direction * 4000.0, speed=direction * 10.0, front_share_min=0.9) == 0.9

    def switched_off(calibration):
        calibration.ride_control.enabled = 0

    assert share(-direction * 4000.0, speed=direction * 10.0, calibrate=switched_off) != pytest.approx(wish)


@given(st.floats(-30e3, 30e3), st.floats(-40, 40), st.floats(-60, 60), st.floats(0, 0.5), st.floats(0.5, 1))
def test_the_share_stays_between_its_limits(force, acceleration, speed, lowest, highest):
    assert lowest <= share(force, acceleration, speed, front_share_min=lowest, front_share_max=highest) <= highest
