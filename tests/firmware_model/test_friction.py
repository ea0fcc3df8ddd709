from math import cos, exp, hypot, inf, radians, sin, sqrt

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_model.friction import estimate, of_wheel
from firmware_model.kernel.math import GRAVITY

DT = 0.01
LOWEST, HIGHEST, RECOVERY, TESTED, DIFFERENCE = 0.08, 1.2, 0.1, 0.3, 0.3
RADIUS = 0.3108
FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT = range(4)
FRONT_STIFFNESS, REAR_STIFFNESS = 115e3, 155e3


class Road(Rig):
    """The friction estimate alone, on tyres that are loaded, turned and slipped as a test wants."""

    def __init__(self, start=HIGHEST, speed=20.0):
        super().__init__()
        self.speed = speed
        self.state.inputs.motion_trusted = 1
        self.state.friction.left = self.state.friction.right = start
        self.state.tyre_load.vertical_force[:] = (4800.0, 4800.0, 4400.0, 4400.0)

    def load(self, front):
        return float(self.state.tyre_load.vertical_force[slice(0, 2) if front else slice(2, 4)].sum())

    def corner(self, mu, front_angle, rear_angle):
        """Slip angles [rad], and the forces of saturating tyres at them; the accelerometer agrees."""
        angles, load = self.state.sideslip, self.state.tyre_load
        angles.front_angle, angles.rear_angle = front_angle, rear_angle
        load.front_lateral_force = saturating(FRONT_STIFFNESS * front_angle, mu * self.load(True))
        load.rear_lateral_force = saturating(REAR_STIFFNESS * rear_angle, mu * self.load(False))
        load.lateral_acceleration = (load.front_lateral_force + load.rear_lateral_force) / 1875.0

    def spin(self, axle, wheel, road_torque, slip=2.0):
        """Slip control holds an axle; one of its wheels slips [m/s], from which the road takes a torque [Nm]."""
        slips = self.state.wheel_slip
        held, spinning = slips[axle], slips[axle][wheel]
        held.active, held.target = 1, 1.0
        spinning.slip, spinning.shaft.road_torque = slip, road_torque
        spinning.shaft.speed = (2.0 + max(slip, 0.0)) / RADIUS  # so slow that the tyre's stiffness promises much more

    def estimate(self, seconds=DT, dt=DT):
        for _ in range(round(seconds / dt)):
            mean = estimate(dt, self.state.inputs, self.speed, self.state, self.calibration)
        return mean

    @property
    def sides(self):
        return float(self.state.friction.left), float(self.state.friction.right)


def saturating(linear, limit):
    return linear / sqrt(1.0 + (linear / limit) ** 2)


@given(st.floats(0.1, 0.9), st.floats(0.8, 6.0), st.sampled_from([1.0, -1.0]))
def test_a_curve_at_the_limit_shows_the_friction(mu, beyond, side):
    """``beyond``: what the stiffness promises, over what the road can give."""
    rig = Road()
    assume(mu * beyond > 0.61)  # else too little is promised for a judgement
    rig.corner(mu, side * beyond * mu * rig.load(True) / FRONT_STIFFNESS, side * beyond * mu * rig.load(False) / REAR_STIFFNESS)
    assert rig.estimate(1.0) == pytest.approx(mu, rel=1e-3)
    assert rig.sides == pytest.approx((mu, mu), rel=1e-3)


def test_the_weaker_axle_tells():
    """A front axle that slides beside a rear one that grips: understeer."""
    rig = Road()
    rig.corner(0.4, 3.0 * 0.4 * rig.load(True) / FRONT_STIFFNESS, 0.005)
    assert rig.estimate(1.0) == pytest.approx(0.4, rel=1e-3)
    rig = Road()
    rig.corner(0.4, 0.005, 3.0 * 0.4 * rig.load(False) / REAR_STIFFNESS)
    assert rig.estimate(1.0) == pytest.approx(0.4, rel=1e-3)


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_what_wheels_of_a_curve_drive_and_brake_is_no_lack_of_friction(axle):
    """A tyre at its limit whose force and slip point 30 degrees off the lateral direction; one wheel drives, one brakes."""
    mu, rig = 0.7, Road()
    stiffness = FRONT_STIFFNESS if axle == "front" else REAR_STIFFNESS
    total, promised = mu * rig.load(axle == "front"), 20.0 * mu * rig.load(axle == "front")
    angle = promised * cos(radians(30.0)) / stiffness
    rig.corner(mu, angle if axle == "front" else 1e-3, angle if axle == "rear" else 1e-3)
    rig.state.tyre_load[f"{axle}_lateral_force"] = saturating(promised, total) * cos(radians(30.0))
    along = 0.5 * saturating(promised, total) * sin(radians(30.0))
    rig.state.wheel_slip[axle].left.shaft.road_torque = along * RADIUS
    rig.state.wheel_slip[axle].right.shaft.road_torque = -along * RADIUS
    assert rig.estimate(1.0) == pytest.approx(mu, rel=1e-3)


@pytest.mark.parametrize(
    ("angle", "speed"),
    [(0.02, 20.0), (0.3, 7.9)],  # the tyres still do what they promise; slow, where angles are uncertain
    ids=["grip", "slow"],
)
def test_a_curve_below_the_limit_shows_nothing(angle, speed):
    rig = Road(start=0.9, speed=speed)
    rig.corner(0.8, angle, angle)
    assert rig.estimate() == pytest.approx(0.9 * (1.0 + RECOVERY * DT))


def test_a_force_against_the_slip_angle_shows_nothing():
    rig = Road(start=0.9)
    rig.corner(0.3, 0.2, 0.2)
    rig.state.tyre_load.front_lateral_force *= -1.0
    rig.state.tyre_load.rear_lateral_force *= -1.0
    assert rig.estimate() == pytest.approx(0.9 * (1.0 + RECOVERY * DT))


@pytest.mark.parametrize(
    ("axle", "wheel", "index"), [("front", "left", 0), ("front", "right", 1), ("rear", "left", 2), ("rear", "right", 3)]
)
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_wheel_that_slips_shows_the_friction_of_its_side(axle, wheel, index, direction):
    """Far beyond what its stiffness promises, the tyre gives just what the road has."""
    rig = Road()
    rig.spin(axle, wheel, direction * 600.0, slip=direction * 1.9)
    rig.state.tyre_load.lateral_force[index] = 500.0
    rig.estimate(1.0)
    shown = hypot(600.0 / RADIUS, 500.0) / rig.state.tyre_load.vertical_force[index]
    left = wheel == "left"
    assert rig.sides[0 if left else 1] == pytest.approx(shown, rel=2e-3)
    assert rig.sides[1 if left else 0] == pytest.approx(shown + DIFFERENCE, abs=0.02)


@pytest.mark.parametrize("by", ["motor", "brake that holds it", "brake that lets it go"])
def test_a_wheel_shows_the_friction_however_slip_control_holds_it(by):
    rig = Road()
    rig.spin("front", "left", 300.0)
    slips = rig.state.wheel_slip
    slips.front.active = by == "motor"
    slips.front.left.spins, slips.front.left.locks = by == "brake that holds it", by == "brake that lets it go"
    rig.estimate(1.0)
    assert rig.sides[0] == pytest.approx(300.0 / RADIUS / 4800.0, rel=2e-3)


@given(st.floats(0.1, 0.9), st.floats(1.3, 10.0))
def test_a_tyre_that_gives_less_than_its_stiffness_promises_shows_what_its_limit_is(mu, beyond):
    rig = Road()
    load = 4800.0
    force = saturating(mu * load * beyond, mu * load)
    rig.spin("front", "left", force * RADIUS)
    slip = beyond * mu / rig.calibration.vehicle.slip_stiffness  # of the wheel's own speed
    rig.state.wheel_slip.front.left.slip = 2.0
    rig.state.wheel_slip.front.left.shaft.speed = 2.0 / slip / RADIUS
    rig.estimate(1.0)
    assert rig.sides[0] == pytest.approx(mu, rel=2e-3)


@pytest.mark.parametrize("change", ["not held", "little slip", "lifted", "grips", "against its slip"])
def test_a_wheel_that_does_not_slip_itself_shows_nothing(change):
    rig = Road(start=0.9)
    rig.spin("front", "left", 300.0)
    wheel = rig.state.wheel_slip.front.left
    if change == "not held":
        rig.state.wheel_slip.front.active = 0
    elif change == "little slip":
        wheel.slip = 0.9
    elif change == "lifted":
        rig.state.tyre_load.vertical_force[FRONT_LEFT] = 0.0
    elif change == "grips":  # 2 m/s of slip at 300 m/s: the stiffness promises 704 N
        wheel.shaft.speed, wheel.shaft.road_torque = 300.0 / RADIUS, 0.9 * 704.0 * RADIUS
    else:
        wheel.shaft.road_torque = -300.0
    assert rig.estimate() == pytest.approx(0.9 * (1.0 + RECOVERY * DT))


def test_beside_a_slippery_side_the_other_is_believed_to_give_more_only_if_it_does():
    """Both axles use 0.8 of the load on the left, while the right wheels slip on 0.15."""
    rig = Road()
    for axle, load in (("front", 4800.0), ("rear", 4400.0)):
        rig.spin(axle, "right", 0.15 * load * RADIUS)
    rig.estimate(0.3)
    assert rig.sides == pytest.approx((0.15 + DIFFERENCE, 0.15), abs=0.01)
    rig = Road()
    for axle, load in (("front", 4800.0), ("rear", 4400.0)):
        rig.spin(axle, "right", 0.15 * load * RADIUS)
        gripping = rig.state.wheel_slip[axle].left.shaft
        gripping.speed, gripping.road_torque = 2.0 / RADIUS, 0.8 * load * RADIUS
    rig.estimate(0.3)
    assert rig.sides == pytest.approx((0.8, 0.15), abs=0.01)


@pytest.mark.parametrize(("forward", "across"), [(6.0, 0.0), (0.0, -6.0), (-4.0, 5.0)])
def test_what_the_tyres_carry_is_there_at_once(forward, across):
    rig = Road(start=0.3)
    rig.state.tyre_load.longitudinal_acceleration, rig.state.tyre_load.lateral_acceleration = forward, across
    assert rig.estimate() == pytest.approx(hypot(forward, across) / GRAVITY)
    rig.state.inputs.motion_trusted = 0
    rig.state.friction.left = rig.state.friction.right = 0.3
    assert rig.estimate() == pytest.approx(0.3 * (1.0 + RECOVERY * DT))


def test_on_a_split_road_what_is_carried_is_the_mean_of_both_sides():
    rig = Road()
    rig.state.friction.left, rig.state.friction.right = 0.1, 0.5
    rig.state.tyre_load.longitudinal_acceleration = 0.5 * GRAVITY
    assert rig.estimate() == pytest.approx(0.5)
    assert rig.sides == pytest.approx((0.3, 0.7), rel=1e-3)


@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_the_estimate_falls_quickly_and_comes_back_slowly_at_any_raster(dt):
    rig = Road(start=1.0)
    rig.calibration.friction.slip_time_constant = 0.06
    rig.spin("front", "left", 0.3 * 4800.0 * RADIUS)
    rig.estimate(0.06, dt)
    assert rig.sides[0] == pytest.approx(0.3 + 0.7 * exp(-1.0), abs=0.03)
    rig.state.wheel_slip.front.active = rig.state.wheel_slip.front.left.shaft.road_torque = 0
    before = rig.sides[0]
    rig.estimate(1.0, dt)
    assert rig.sides[0] == pytest.approx(before * exp(RECOVERY), rel=1e-3)


@pytest.mark.parametrize(("used", "rate"), [(0.95, TESTED), (0.85, RECOVERY)])
def test_it_comes_back_faster_while_both_tyres_of_a_side_use_nearly_all_of_it(used, rate):
    rig = Road(start=0.5)
    slips = rig.state.wheel_slip
    for wheel, load in ((slips.front.left, 4800.0), (slips.rear.left, 4400.0)):
        shaft = wheel.shaft
        shaft.speed, shaft.road_torque = 5.0 / RADIUS, used * 0.5 * load * RADIUS
    rig.estimate()
    assert rig.sides == pytest.approx((0.5 * (1.0 + rate * DT), 0.5 * (1.0 + RECOVERY * DT)))


def test_brakes_that_hold_a_standing_car_say_nothing_about_the_road():
    rig = Road(start=0.15)
    for axle, load in ((rig.state.wheel_slip.front, 4800.0), (rig.state.wheel_slip.rear, 4400.0)):
        axle.left.shaft.road_torque = axle.right.shaft.road_torque = -0.95 * 0.15 * load * RADIUS
    rig.estimate()
    assert rig.sides == pytest.approx((0.15 * (1.0 + RECOVERY * DT),) * 2)


def test_a_wheel_has_the_friction_of_its_side():
    rig = Road()
    rig.state.friction.left, rig.state.friction.right = 0.2, 0.7
    assert [of_wheel(wheel, rig.state.friction) for wheel in range(4)] == [0.2, 0.7, 0.2, 0.7]


forces, torques = st.floats(-30e3, 30e3), st.floats(-6000, 6000)


@given(
    st.floats(-10, 60), st.lists(st.just(0.0) | st.floats(1.0, 12e3), min_size=4, max_size=4),
    st.lists(forces, min_size=6, max_size=6),
    st.lists(st.floats(-1, 1), min_size=2, max_size=2), st.lists(torques, min_size=4, max_size=4),
    st.lists(st.floats(-40, 40), min_size=6, max_size=6),
)  # fmt: skip
def test_whatever_is_shown_the_estimate_stays_in_its_range(speed, vertical, lateral, angles, torque, rest):
    rig = Road(speed=speed)
    state = rig.state
    state.tyre_load.vertical_force[:], state.tyre_load.lateral_force[:] = vertical, lateral[:4]
    state.tyre_load.front_lateral_force, state.tyre_load.rear_lateral_force = lateral[4:]
    state.sideslip.front_angle, state.sideslip.rear_angle = angles
    state.tyre_load.longitudinal_acceleration, state.tyre_load.lateral_acceleration = rest[:2]
    for k, (axle, wheel) in enumerate((("front", "left"), ("front", "right"), ("rear", "left"), ("rear", "right"))):
        rig.spin(axle, wheel, torque[k], rest[2 + k])
    for _ in range(3):
        rig.estimate()
        assert np.isfinite(rig.sides).all()
        assert min(rig.sides) >= LOWEST
        assert max(rig.sides) <= HIGHEST
    assert inf > rig.estimate() >= LOWEST
