import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.torque_split import split

FORCE_PER_TORQUE = 8.1938 / 0.3108  # of the default axle


def split_once(force, shift=0.0, speed=0.0, acceleration=0.0, **changes):
    """Front and rear motor torque, with settled acceleration; ``changes`` are calibration values of the split."""
    rig = Rig(speed)
    for name, value in changes.items():
        setattr(rig.calibration.torque_split, name, value)
    rig.state.inputs.front.motor_speed = rig.inputs.front.motor_speed
    rig.state.inputs.rear.motor_speed = rig.inputs.rear.motor_speed
    rig.state.inputs.longitudinal_acceleration = rig.state.torque_split.acceleration = acceleration
    rig.state.inputs.motion_trusted = 1
    return split(1e-3, force, shift, rig.state.inputs, rig.state.torque_split, rig.measurements, rig.calibration)


def test_both_axles_share_the_force_equally_at_rest():
    assert split_once(10e3) == pytest.approx((5e3 / FORCE_PER_TORQUE,) * 2)


def test_acceleration_moves_torque_to_the_rear_as_it_moves_load():
    front, rear = split_once(8e3, acceleration=4.0, load_gain=1.0)
    share = 0.5 - 0.54 * 4.0 / (9.80665 * 2.7)
    assert front / (front + rear) == pytest.approx(share)


def test_braking_moves_torque_to_the_front():
    front, rear = split_once(-4e3, acceleration=-4.0)
    assert front < rear < 0.0


def test_without_a_trusted_sensor_load_is_not_reckoned_with():
    rig = Rig()
    rig.state.torque_split.acceleration = 5.0
    front, rear = split(1e-3, 4e3, 0.0, rig.state.inputs, rig.state.torque_split, rig.measurements, rig.calibration)
    assert front == rear


@pytest.mark.parametrize(("share", "expected"), [(1.0, (3e3, 0.0)), (0.0, (0.0, 3e3))])
def test_the_split_goes_to_either_axle_alone(share, expected):
    assert split_once(3e3, front_share=share) == pytest.approx([force / FORCE_PER_TORQUE for force in expected])


def test_the_shares_are_limited():
    front, rear = split_once(3e3, shift=-0.9, front_share_min=0.3)
    assert front / (front + rear) == pytest.approx(0.3)


@given(st.floats(-25e3, 25e3), st.floats(-0.5, 0.5), st.floats(0, 44), st.floats(-8, 8))
def test_what_one_axle_cannot_give_goes_to_the_other(force, shift, speed, acceleration):
    omega = speed * FORCE_PER_TORQUE
    single = min(340.0, 160e3 / omega if omega else 340.0)
    front, rear = split_once(force, shift, speed, acceleration)
    assert abs(front) <= single * (1 + 1e-9)
    assert abs(rear) <= single * (1 + 1e-9)
    possible = max(-2 * single, min(2 * single, force / FORCE_PER_TORQUE))
    assert front + rear == pytest.approx(possible, abs=1e-6)


def test_a_car_with_one_motor_drives_with_that_one():
    rig = Rig()
    rig.calibration.rear.motor_present = 0
    state = rig.state
    assert split(1e-3, 8e3, 0.2, state.inputs, state.torque_split, rig.measurements, rig.calibration) == pytest.approx(
        (8e3 / FORCE_PER_TORQUE, 0.0)
    )
    assert rig.measurements.torque_split.front_share == 1.0
