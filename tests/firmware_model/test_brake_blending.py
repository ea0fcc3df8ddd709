from math import exp

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.brake_blending import command, regeneration_limit, undelivered_force

MASS, RADIUS = 1875.0, 0.3108
FORCE_PER_TORQUE = 8.1938 / RADIUS
DT = 0.01


@pytest.mark.parametrize(("speed", "share"), [(30.0, 1.0), (3.5, 1.0), (2.25, 0.5), (1.0, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_the_motors_brake_up_to_their_deceleration_and_fade_out_before_standstill(direction, speed, share):
    assert regeneration_limit(direction, direction * speed, Rig().calibration) == pytest.approx(share * MASS * 3.0)


@pytest.mark.parametrize(("speed", "direction"), [(-5.0, 1.0), (5.0, -1.0), (5.0, 0.0)])
def test_against_the_gear_or_without_one_no_motor_brakes(speed, direction):
    assert regeneration_limit(direction, speed, Rig().calibration) == 0.0


class Delivering(Rig):
    """Motors that were told one torque and report another."""

    def missing(self, told, delivered, seconds=1.0, dt=DT):
        state = self.state
        state.torque_path.front_torque, state.torque_path.rear_torque = told
        state.inputs.front.motor_torque, state.inputs.rear.motor_torque = delivered
        for _ in range(round(seconds / dt)):
            force = undelivered_force(dt, state.inputs, state.torque_path, state.brake_blending, self.calibration)
        return force


@pytest.mark.parametrize(
    ("told", "delivered", "missing"),
    [
        ((-80.0, -80.0), (-80.0, -80.0), 0.0),
        ((-80.0, -80.0), (-66.0, -94.0), 0.0),  # inside the tolerance of 15 Nm
        ((-80.0, -80.0), (0.0, -80.0), -65.0),
        ((-80.0, -80.0), (0.0, 0.0), -130.0),
        ((100.0, 0.0), (40.0, 0.0), 45.0),
    ],
)
def test_what_a_motor_does_not_deliver_is_told_outside_its_tolerance(told, delivered, missing):
    assert Delivering().missing(told, delivered) == pytest.approx(missing * FORCE_PER_TORQUE, abs=1e-6)


@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_a_motor_is_given_the_time_of_its_path(dt):
    """After one time constant of the path 63 % of the torque are expected."""
    force = Delivering().missing((-200.0, 0.0), (0.0, 0.0), seconds=0.03, dt=dt)
    assert force == pytest.approx(-(200.0 * (1.0 - exp(-1.0)) - 15.0) * FORCE_PER_TORQUE, rel=0.12)


def test_a_motor_that_follows_its_path_misses_nothing_on_the_way():
    rig, delivered = Delivering(), 0.0
    for k in range(100):
        told = max(-16.0 * k, -200.0)
        delivered += (told - delivered) * DT / (0.03 + DT)
        assert rig.missing((told, told), (delivered, delivered), DT) == 0.0


class Commanding(Rig):
    """Allocated forces on their way to the brakes."""

    def brake(self, forces, speed=10.0):
        command(np.array(forces, float), speed, self.outputs.brakes, self.measurements.brake_blending, self.calibration)
        brakes = self.outputs.brakes
        return [float(torque) for torque in (brakes.front_left, brakes.front_right, brakes.rear_left, brakes.rear_right)]


def test_every_wheel_is_told_its_force_at_its_radius():
    rig = Commanding()
    rig.calibration.rear.wheel_radius = 0.35
    torques = rig.brake([-500.0, -700.0, 1000.0, 2000.0, 300.0, 400.0])
    assert torques == pytest.approx([1000.0 * RADIUS, 2000.0 * RADIUS, 300.0 * 0.35, 400.0 * 0.35])
    told = rig.measurements.brake_blending
    assert (told.regenerative_force, told.friction_force) == pytest.approx((1200.0, 3700.0))


@pytest.mark.parametrize(("motor_force", "speed", "by_motors"), [(800.0, 10.0, 0.0), (800.0, -5.0, 800.0), (-800.0, -5.0, 0.0)])
def test_motors_that_drive_do_not_count_as_brakes(motor_force, speed, by_motors):
    rig = Commanding()
    rig.brake([motor_force, 0.0, 0.0, 0.0, 0.0, 0.0], speed)
    assert rig.measurements.brake_blending.regenerative_force == by_motors


@given(st.lists(st.floats(0.0, 11e3), min_size=4, max_size=4), st.floats(-10.0, 40.0))
def test_the_friction_force_is_the_sum_of_what_the_wheels_are_told(forces, speed):
    rig = Commanding()
    torques = rig.brake([0.0, 0.0, *forces], speed)
    assert sum(torques) / RADIUS == pytest.approx(float(rig.measurements.brake_blending.friction_force))
