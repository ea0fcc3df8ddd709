from math import sqrt

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.kernel.math import GRAVITY
from firmware_model.tyre_load import axle_load, capacity, estimate

MASS, WHEELBASE, L_F, HEIGHT, INERTIA = 1875.0, 2.7, 1.29, 0.54, 3150.0
L_R, WEIGHT = WHEELBASE - L_F, MASS * GRAVITY
FRONT_TRACK, REAR_TRACK, FRONT_ROLL = 1.54, 1.555, 0.57
DT = 0.01
FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT = range(4)
plausible = st.floats(-40.0, 40.0)


class Loaded(Rig):
    """The tyre loads alone, with sensors that are believed."""

    def __init__(self):
        super().__init__()
        self.state.inputs.motion_trusted = 1
        self.load = self.state.tyre_load

    def feel(self, forward=0.0, across=0.0, yaw_rate=0.0, seconds=2.0, brake_moment=0.0):
        """Stand the sensors' values for ``seconds``; settled by default."""
        inputs = self.state.inputs
        inputs.longitudinal_acceleration, inputs.lateral_acceleration, inputs.yaw_rate = forward, across, yaw_rate
        for _ in range(round(seconds / DT)):
            estimate(DT, inputs, brake_moment, self.load, self.calibration)
        return np.array(self.load.vertical_force)


def test_at_rest_the_loads_are_those_of_the_lever():
    front, rear = 0.5 * WEIGHT * L_R / WHEELBASE, 0.5 * WEIGHT * L_F / WHEELBASE
    assert Loaded().feel() == pytest.approx([front, front, rear, rear])


def test_acceleration_moves_load_to_the_rear():
    loads = Loaded().feel(forward=4.0)
    moved = MASS * HEIGHT * 4.0 / WHEELBASE
    assert loads[:2].sum() == pytest.approx(WEIGHT * L_R / WHEELBASE - moved)
    assert loads[2:].sum() == pytest.approx(WEIGHT * L_F / WHEELBASE + moved)


@pytest.mark.parametrize("across", [5.0, -5.0])
def test_a_curve_moves_load_outwards_on_each_axle_by_its_roll_stiffness(across):
    loads = Loaded().feel(across=across)
    roll = MASS * HEIGHT * across
    assert loads[FRONT_RIGHT] - loads[FRONT_LEFT] == pytest.approx(2.0 * FRONT_ROLL * roll / FRONT_TRACK)
    assert loads[REAR_RIGHT] - loads[REAR_LEFT] == pytest.approx(2.0 * (1.0 - FRONT_ROLL) * roll / REAR_TRACK)


@given(plausible, plausible, st.floats(-5.0, 5.0))
def test_the_loads_add_up_to_the_weight_and_no_tyre_pulls_at_the_road(forward, across, yaw_rate):
    loads = Loaded().feel(forward, across, yaw_rate, seconds=0.3)
    assert loads.sum() == pytest.approx(WEIGHT)
    assert (loads >= 0.0).all()


def test_in_a_steady_curve_the_axles_share_the_lateral_force_as_they_share_the_weight():
    rig = Loaded()
    rig.feel(across=4.0, yaw_rate=0.2)
    assert rig.load.front_lateral_force == pytest.approx(MASS * 4.0 * L_R / WHEELBASE)
    assert rig.load.rear_lateral_force == pytest.approx(MASS * 4.0 * L_F / WHEELBASE)


def test_yaw_acceleration_is_a_moment_of_the_lateral_forces():
    """The yaw rate rises at a constant rate, for long enough for the lag to be behind by a constant."""
    rig = Loaded()
    for k in range(200):
        rig.feel(across=3.0, yaw_rate=0.5 * k * DT, seconds=DT)
    front, rear = rig.load.front_lateral_force, rig.load.rear_lateral_force
    assert front + rear == pytest.approx(MASS * 3.0)
    assert front * L_F - rear * L_R == pytest.approx(INERTIA * 0.5, rel=1e-3)


@given(plausible, plausible, plausible)
def test_within_an_axle_the_lateral_force_goes_with_the_load(forward, across, yaw_rate):
    rig = Loaded()
    loads = rig.feel(forward, across, yaw_rate, seconds=0.1)
    force = rig.load.lateral_force
    assert np.isfinite(force).all()
    for axle, total in ((slice(0, 2), rig.load.front_lateral_force), (slice(2, 4), rig.load.rear_lateral_force)):
        if loads[axle].sum() > 1.0:
            assert force[axle] == pytest.approx(total * loads[axle] / loads[axle].sum(), abs=1e-6)


@pytest.mark.parametrize("front", [True, False])
def test_an_axle_that_lifts_has_no_lateral_force(front):
    rig = Loaded()
    rig.feel(forward=40.0 if front else -40.0, across=3.0)
    axle = slice(0, 2) if front else slice(2, 4)
    assert axle_load(rig.load, front) == 0.0
    assert rig.load.lateral_force[axle] == pytest.approx([0.0, 0.0])


def test_a_sensor_that_is_not_trusted_moves_no_load():
    rig = Loaded()
    rig.feel(4.0, 4.0, 0.3)
    rig.state.inputs.motion_trusted = 0
    loads = rig.feel(4.0, 4.0, 0.3, seconds=3.0)
    assert loads == pytest.approx(Loaded().feel(), rel=1e-6)
    assert rig.load.front_lateral_force == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_the_load_follows_with_the_same_lag_at_any_raster(dt):
    rig = Loaded()
    rig.state.inputs.longitudinal_acceleration = 3.0
    for _ in range(round(rig.calibration.tyre_load.longitudinal_time_constant / dt)):
        estimate(dt, rig.state.inputs, 0.0, rig.load, rig.calibration)
    assert rig.load.longitudinal_acceleration == pytest.approx(3.0 * (1.0 - np.exp(-1.0)), rel=0.05)


def test_what_the_friction_circle_leaves_is_the_capacity():
    rig = Loaded()
    rig.load.vertical_force[REAR_LEFT], rig.load.lateral_force[REAR_LEFT] = 5000.0, -3000.0
    assert capacity(REAR_LEFT, 1.0, rig.load, rig.calibration.tyre_load) == pytest.approx(4000.0)
    assert capacity(REAR_LEFT, 0.8, rig.load, rig.calibration.tyre_load) == pytest.approx(sqrt(4000.0**2 - 3000.0**2))


@pytest.mark.parametrize("lateral", [4990.0, 5000.0, 9000.0])
def test_a_share_of_the_friction_is_always_left_for_braking(lateral):
    rig = Loaded()
    rig.load.vertical_force[FRONT_LEFT], rig.load.lateral_force[FRONT_LEFT] = 5000.0, lateral
    assert capacity(FRONT_LEFT, 1.0, rig.load, rig.calibration.tyre_load) == pytest.approx(500.0)


@pytest.mark.parametrize("moment", [3000.0, -3000.0])
def test_what_brakes_turn_the_car_with_is_no_lateral_force_of_the_tyres(moment):
    """In a steady curve the forces of both axles hold each other and the brakes the balance."""
    rig = Loaded()
    rig.feel(across=5.0, brake_moment=moment)
    front, rear = rig.load.front_lateral_force, rig.load.rear_lateral_force
    assert front + rear == pytest.approx(MASS * 5.0)
    assert L_F * front - L_R * rear + moment == pytest.approx(0.0, abs=1e-3)
