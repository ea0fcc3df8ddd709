from math import exp

import numpy as np
import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st
from interpreter import examples, needs_compiler

from firmware_model.driveline import observe_axle
from firmware_model.wheel_slip import bound_wheels, brake_moment, expect_brakes, limit, set_targets, slip_target

RADIUS, GEAR, INERTIA, WHEEL_INERTIA, ROTOR_INERTIA = 0.3108, 8.1938, 5.0, 1.0, 2.69
MOTOR_LAG, MOTOR_TIME_CONSTANT = 0.035, 0.03
# These tests are about the law, not about its tuning.
TUNING = {
    "slip_speed": 0.4, "slip_ratio": 0.07, "certain_share": 2.0, "sensed_share": 0.5, "curve_share": 0.5,
    "alert_time": 0.3, "motor_lag": MOTOR_LAG, "motor_time_constant": MOTOR_TIME_CONSTANT, "spin_share": 1.3, "lock_share": 2.0,
    "brake_release_time": 0.0, "held_share": 0.9, "regeneration_recovery": 1.0,
}  # fmt: skip
BOTH = 3500.0 + 0.5 * GEAR * 340.0  # [Nm] what brake and motor of a wheel do together
BRAKE_INERTIA = WHEEL_INERTIA + 0.25 * ROTOR_INERTIA


def two_poles(slip, target, first, second, time):
    """Slip that starts at rest and returns to its target with the poles -1/first and -1/second."""
    return target + (slip - target) * (first * np.exp(-time / first) - second * np.exp(-time / second)) / (first - second)


class Axle(Rig):
    """Slip control of one axle. The car moves as told; the road takes a torque that a test chooses; the motor lags behind."""

    def __init__(self, speed=5.0, slip=0.0, acceleration=0.0, road_torque=0.0, lag=MOTOR_LAG):
        super().__init__()
        self.calibrate(**TUNING)
        self.motion, self.control = self.measurements.vehicle_speed, self.state.wheel_slip.front
        self.motor, self.told, self.shaft = self.state.inputs.front, self.measurements.front, self.state.driveline.front
        self.motion.speed, self.motion.acceleration = speed, acceleration
        self.wheel_speed, self.lag, self.frames = speed + slip, lag, 0
        self.road_torque = road_torque
        self.torque = road_torque + INERTIA * acceleration / RADIUS  # at the axle: the slip stands
        self.shaft.speed, self.shaft.torque = self.wheel_speed / RADIUS, self.torque
        self.shaft.acceleration, self.shaft.road_torque = acceleration / RADIUS, road_torque
        self.sensed = abs(self.wheel_speed)

    def calibrate(self, **changes):
        for name, value in changes.items():
            setattr(self.calibration.wheel_slip, name, value)
        return self

    @property
    def slip(self):
        return self.wheel_speed - self.motion.speed

    def report(self):
        """The inverter's next frame, and the wheels' sensors."""
        self.frames += 1
        self.motor.motor_speed, self.motor.motor_torque = self.wheel_speed / RADIUS * GEAR, self.torque / GEAR
        self.sensed = abs(self.wheel_speed)

    def decide(self, wanted, dt):
        front = self.calibration.front
        observe_axle(dt, self.motor, self.frames, self.shaft, front, self.calibration.driveline)
        return limit(
            dt, wanted, self.shaft, self.sensed, self.motion, self.control, self.told, front, self.calibration.wheel_slip
        )

    def move(self, command, dt):
        """The axle for ``dt``: torque by the lag, speed by the mean of the torque."""
        before = self.torque
        self.torque += (GEAR * command - self.torque) * (1.0 - exp(-dt / self.lag))
        self.wheel_speed += RADIUS * (0.5 * (before + self.torque) - self.road_torque) / INERTIA * dt
        self.motion.speed += self.motion.acceleration * dt


def ideal(axle):
    """Without what the closed form leaves out: a news at every step, no lag of the observer, a target that stands still."""
    axle.calibration.driveline.axle_time_constant = 0.0
    return axle.calibrate(slip_ratio=0.0, opposite_torque_max=1000.0)


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("acceleration", [0.0, 1.5])
@pytest.mark.parametrize("road_torque", [600.0, -200.0])
def test_slip_returns_to_its_target_with_the_two_stated_poles(direction, acceleration, road_torque):
    dt, slip, target = 1e-4, 3.0, 0.4
    axle = ideal(Axle(direction * 8.0, direction * slip, direction * acceleration, direction * road_torque))
    time, slips = np.arange(1, 3001) * dt, []
    for _ in time:
        axle.report()
        axle.move(axle.decide(direction * 340.0, dt), dt)
        slips.append(direction * axle.slip)
    assert slips == pytest.approx(two_poles(slip, target, MOTOR_LAG, MOTOR_TIME_CONSTANT, time), abs=0.01 * slip)


def test_slip_that_the_motor_itself_undoes_is_left_to_it():
    """With no torque wanted the same wheel falls back faster than the law would take it: nothing is taken or added."""
    axle = ideal(Axle(8.0, 0.5, road_torque=600.0))
    axle.report()
    assert axle.decide(0.0, 1e-3) == 0.0
    assert axle.told.slip_active == 0


@pytest.mark.parametrize("wanted", [340.0, 20.0, 0.0, -340.0])
def test_an_axle_that_grips_gets_what_is_wanted(wanted):
    axle = Axle(8.0, 0.1)
    for _ in range(20):
        axle.report()
        assert axle.decide(wanted, 1e-3) == wanted
    assert (axle.told.slip_active, axle.told.slip_torque) == (0, 0.0)
    assert axle.told.slip_speed == pytest.approx(0.1)


class Road(Axle):
    """An axle on a road that takes no more than a force [N]. Frames every 10 ms; the motor needs some 30 ms, in two lags."""

    def __init__(self, force, speed=8.0, stiffness=20e3):
        super().__init__(speed)
        self.force, self.stiffness = force, stiffness
        self.command = self.request = self.underway = 0.0

    def drive(self, wanted, seconds, dt=1e-3, rate=1500.0):
        """Ramp to ``wanted`` as the torque path would; slips and commands at every frame."""
        steps, slips, commands = round(0.01 / dt), [], []
        for k in range(round(seconds / dt)):
            if k % steps == 0:
                self.report()
                self.request = GEAR * self.command
                slips.append(self.slip)
                commands.append(self.command)
            ramped = min(max(wanted, self.command - rate * dt), self.command + rate * dt)
            self.command = min(max(self.decide(ramped, dt), -340.0), 340.0)
            self.underway += (self.request - self.underway) * dt / 0.013
            self.torque += (self.underway - self.torque) * dt / 0.013
            road_torque = RADIUS * min(max(self.stiffness * self.slip, -self.force), self.force)
            self.wheel_speed += RADIUS * (self.torque - road_torque) / INERTIA * dt
        return np.array(slips), np.array(commands)


@needs_compiler
@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize("stiffness", [5e3, 20e3])
def test_on_a_slippery_road_slip_is_held_around_its_target(direction, dt, stiffness):
    """The road is Coulomb's, without any slope of its own, so that slip swings between grip and some times the target."""
    slips, commands = Road(force=2200.0, stiffness=stiffness).drive(direction * 340.0, 4.0, dt)
    assert 0.5 * 0.07 * 8.0 < direction * slips[-200:].mean() < 2.0 * 0.07 * 8.0
    assert abs(slips).max() < 4.0 * 0.07 * 8.0
    assert direction * GEAR * commands[-200:].mean() == pytest.approx(2200.0 * RADIUS, rel=0.15)


@needs_compiler
def test_the_base_raster_does_not_change_how_slip_is_held():
    """The first peak depends on the frame that happens to tell of it: it is the mean of several roads that counts."""
    peaks, slips = [], []
    for dt in (1e-3, 1e-4):
        drives = [Road(force).drive(340.0, 2.0, dt)[0] for force in np.arange(1800.0, 3000.0, 100.0)]
        peaks.append(np.mean([drive.max() for drive in drives]))
        slips.append([drive[100:].mean() for drive in drives])
    assert peaks[0] == pytest.approx(peaks[1], rel=0.1)
    assert slips[0] == pytest.approx(slips[1], rel=0.01)
    assert slips[0] == pytest.approx(len(slips[0]) * [0.07 * 8.0], rel=0.01)


@needs_compiler
def test_without_slip_control_the_same_wheel_runs_away():
    axle = Road(force=2200.0).calibrate(enabled=0)
    slips, _ = axle.drive(340.0, 1.0)
    assert slips.max() > 50.0


@needs_compiler
def test_torque_comes_back_when_the_road_grips_again():
    axle = Road(force=2200.0)
    _, commands = axle.drive(300.0, 2.0)
    assert commands[-50:].mean() < 110.0
    axle.force, axle.stiffness = 12e3, 40e3
    _, commands = axle.drive(300.0, 1.0)
    assert commands[-1] == 300.0
    assert (axle.told.slip_active, axle.told.slip_torque) == (0, 0.0)


@needs_compiler
def test_a_friction_jump_is_caught_and_a_wheel_that_locks_is_let_go():
    axle = Road(force=12e3, stiffness=40e3)
    axle.drive(250.0, 1.0)
    axle.force = 1500.0
    slips, _ = axle.drive(250.0, 2.0)
    assert slips.max() < 5.0
    assert abs(slips[30:]).max() < 4.0 * 0.07 * 8.0  # 300 ms after the jump
    slips, _ = axle.drive(-250.0, 2.0)
    assert abs(slips[30:]).max() < 4.0 * 0.07 * 8.0
    slips, commands = axle.drive(0.0, 0.5)
    assert abs(slips[-1]) < 0.1
    assert commands[-1] == 0.0


def test_what_slip_control_takes_is_measured_at_the_axle_and_bounds_the_allocation():
    axle = Axle(8.0, 4.0)
    axle.report()
    taken = axle.decide(100.0, 1e-3)
    assert taken < 100.0
    assert axle.told.slip_torque == pytest.approx((100.0 - taken) * GEAR)
    assert (axle.control.torque_lowest, axle.control.torque_highest) == (-340.0, taken)
    axle = Axle(8.0, -4.0)
    axle.report()
    taken = axle.decide(-100.0, 1e-3)
    assert taken > -100.0
    assert (axle.control.torque_lowest, axle.control.torque_highest) == (taken, 340.0)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_slip_that_is_only_foreseen_is_not_worth_a_torque_of_the_other_sign(direction):
    for slip, taken in ((0.5, 0.0), (2.0, -150.0)):
        axle = Axle(direction * 8.0, direction * slip).calibrate(opposite_torque_max=150.0)
        axle.shaft.acceleration = direction * 400.0  # and no frame that tells otherwise
        assert direction * axle.decide(direction * 100.0, 1e-3) == taken


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_slip_that_the_wheels_do_not_confirm_is_the_motor_on_its_half_shafts(direction):
    """0.5 m/s are more than the target, but not twice of it: the wheels' sensors decide."""
    axle = Axle(direction * 5.0, direction * 0.5)
    axle.report()
    axle.sensed = 5.05
    assert axle.decide(direction * 340.0, 1e-3) == direction * 340.0
    axle.sensed = 5.4
    assert abs(axle.decide(direction * 340.0, 1e-3)) < 340.0


def test_slip_that_is_large_needs_no_confirmation():
    axle = Axle(5.0, 0.9)
    axle.report()
    axle.sensed = 5.0
    assert axle.decide(340.0, 1e-3) < 340.0


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize(("speed", "since", "confirmed"), [(20.0, 0.2, True), (20.0, 0.4, False), (5.0, 0.2, False)])
def test_after_slip_at_speed_more_of_it_needs_no_confirmation_for_a_while(direction, speed, since, confirmed):
    """So that an axle at its limit is held there, not cut in a cycle; at low speed a swinging motor looks like slip."""
    target = max(0.07 * speed, 0.4)
    axle = Axle(direction * speed, direction * 3.0 * target)
    axle.report()
    assert abs(axle.decide(direction * 340.0, 1e-3)) < 340.0
    axle.wheel_speed = axle.motion.speed
    axle.report()
    for _ in range(round(since / 1e-3)):
        axle.shaft.acceleration = axle.shaft.road_torque = 0.0
        axle.decide(0.0, 1e-3)
    axle.wheel_speed = axle.motion.speed + direction * 1.5 * target
    axle.report()
    axle.sensed = abs(axle.motion.speed)
    assert (abs(axle.decide(direction * 340.0, 1e-3)) < 340.0) == confirmed


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("most", [0.0, 150.0])
def test_wheels_that_spin_are_braked_no_harder_than_they_may_be(direction, most):
    axle = Axle(direction * 5.0, direction * 20.0).calibrate(opposite_torque_max=most)
    axle.report()
    assert axle.decide(direction * 100.0, 1e-3) == -direction * most
    axle = Axle(direction * 30.0, -direction * 25.0)  # wheels that lock are released, not driven
    axle.report()
    assert axle.decide(-direction * 100.0, 1e-3) == 0.0


@pytest.mark.parametrize("wanted", [100.0, 0.0, -100.0])
def test_slip_control_never_does_more_than_is_wanted(wanted):
    for slip in (-20.0, -2.0, 2.0, 20.0):
        axle = Axle(8.0, slip, road_torque=3000.0)
        axle.report()
        taken = axle.decide(wanted, 1e-3)
        assert taken <= wanted if wanted >= 0.0 else taken >= wanted


@pytest.mark.parametrize(("speed", "target"), [(0.0, 0.4), (5.0, 0.4), (10.0, 0.7), (-30.0, 2.1)])
def test_the_target_is_absolute_when_slow_and_in_proportion_above(speed, target):
    c = Axle().calibration.wheel_slip
    assert slip_target(speed, 1.0, 1.0, c) == pytest.approx(target)
    assert slip_target(speed, 1.0, 0.5, c) == pytest.approx(0.5 * target)


@pytest.mark.parametrize(("used", "share"), [(0.0, 1.0), (0.5, 0.75), (-0.5, 0.75), (1.0, 0.5), (2.0, 0.5)])
def test_the_more_of_the_friction_a_curve_takes_the_less_slip_is_left(used, share):
    rig = Axle()
    load, friction = rig.state.tyre_load, rig.state.friction
    friction.left, friction.right = 0.4, 0.8
    load.vertical_force[:] = (4000.0, 5000.0, 3000.0, 4000.0)
    load.front_lateral_force, load.rear_lateral_force = used * 0.6 * 9000.0, 0.0
    set_targets(friction, load, rig.state.wheel_slip, rig.calibration.wheel_slip)
    assert rig.state.wheel_slip.front.target_share == pytest.approx(share)
    assert rig.state.wheel_slip.rear.target_share == 1.0
    load.vertical_force[:] = 0.0
    set_targets(friction, load, rig.state.wheel_slip, rig.calibration.wheel_slip)
    assert rig.state.wheel_slip.front.target_share == 1.0


@pytest.mark.parametrize(("left", "right"), [(0.4, 0.8), (0.8, 0.4)])
def test_slip_goes_with_the_friction_and_the_weaker_side_decides_for_the_axle(left, right):
    rig = Axle()
    rig.state.friction.left, rig.state.friction.right = left, right
    set_targets(rig.state.friction, rig.state.tyre_load, rig.state.wheel_slip, rig.calibration.wheel_slip)
    assert (rig.state.wheel_slip.front.friction, rig.state.wheel_slip.rear.friction) == (0.4, 0.4)
    assert slip_target(20.0, 0.4, 1.0, rig.calibration.wheel_slip) == pytest.approx(0.4 * 0.07 * 20.0)


WHEELS = ("front_left", "front_right", "rear_left", "rear_right")


class Wheels(Rig):
    """Slip control of the wheels. ``lag`` is that of the brakes; the law and the wheels know the same one."""

    def __init__(self, speed=20.0, lag=0.08, time_constant=0.05):
        super().__init__()
        c = self.calibration.wheel_slip
        for name, value in TUNING.items():
            setattr(c, name, value)
        c.brake_lag, c.brake_response, c.brake_time_constant = lag, lag, time_constant
        self.calibration.driveline.wheel_time_constant = 0.0
        self.motion, self.windows = self.measurements.vehicle_speed, self.state.wheel_slip
        self.motion.speed = speed
        self.state.inputs.motion_trusted = 1
        self.state.inputs.front_wheels_trusted = self.state.inputs.rear_wheels_trusted = 1
        self.state.friction.left = self.state.friction.right = 1.0
        self.speeds = np.full(4, abs(speed))
        for wheel in WHEELS:
            window = self.window(wheel)
            window.shaft.speed, window.lowest, window.highest = abs(speed) / RADIUS, -BOTH, BOTH

    def window(self, wheel):
        axle, side = wheel.split("_")
        return self.windows[axle][side]

    def drive(self, told, delivered=None):
        """Torques [Nm] that the front motor is told, and that it reports."""
        self.state.torque_path.front_torque = told
        self.state.inputs.front.motor_torque = told if delivered is None else delivered

    def bound(self, dt=1e-3, news=True):
        """Frames of the wheel speeds, and the windows that follow."""
        self.state.inputs.wheel_speed[:] = self.speeds
        if news:
            self.inputs.wheels.front_link.received += 1
            self.inputs.wheels.rear_link.received += 1
        bound_wheels(
            dt, -1.0 if self.motion.speed < 0.0 else 1.0, self.state.inputs, self.inputs.wheels, self.motion,
            self.state.torque_path, self.state.friction, self.windows, self.calibration,
        )  # fmt: skip

    def brake(self, torques, dt=1e-3):
        for wheel, torque in zip(WHEELS, torques, strict=True):
            setattr(self.outputs.brakes, wheel, torque)
        expect_brakes(dt, self.outputs.brakes, self.windows, self.calibration.wheel_slip)

    @property
    def bounds(self):
        return [(float(self.window(wheel).lowest), float(self.window(wheel).highest)) for wheel in WHEELS]


FREE = pytest.approx((-BOTH, BOTH))


@pytest.mark.parametrize("speed", [20.0, 0.0, -5.0])
def test_wheels_that_roll_are_free(speed):
    rig = Wheels(speed)
    rig.bound()
    assert rig.bounds == [FREE] * 4


@pytest.mark.parametrize("k", range(4))
def test_a_locking_wheel_returns_to_its_target_with_the_two_stated_poles(k):
    """Its brake is told all that the window lets it have, and reaches that with its lag."""
    dt, wheel, road_torque = 1e-3, WHEELS[k], -700.0
    target, slip = -2.0 * 0.07 * 20.0, -6.0
    rig = Wheels()
    rig.speeds[k] += slip
    window = rig.window(wheel)
    window.torque, window.shaft.torque, window.shaft.road_torque = -road_torque, road_torque, road_torque
    window.shaft.speed = rig.speeds[k] / RADIUS
    time, slips = np.arange(1, 401) * dt, []
    for _ in time:
        rig.bound(dt)
        commands = [0.0] * 4
        commands[k] = -float(window.lowest)
        before = float(window.torque)
        rig.brake(commands, dt)
        rig.speeds[k] -= RADIUS * (0.5 * (before + float(window.torque)) + road_torque) / BRAKE_INERTIA * dt
        slips.append(rig.speeds[k] - 20.0)
    assert slips == pytest.approx(two_poles(slip, target, 0.08, 0.05, time), abs=0.03 * abs(slip - target))


def test_a_wheel_that_locks_and_one_that_spins_have_a_window_of_their_own():
    """T = T_road + J (s_t - s) / (r T_c); nothing is known yet of the road under the one that spins."""
    rig = Wheels()
    rig.speeds += (-5.0, 5.0, 0.0, 0.0)
    rig.window("front_left").shaft.road_torque = -700.0
    rig.bound(news=False)
    (lowest, most), (least, highest), *rolling = rig.bounds
    per_speed = BRAKE_INERTIA / (RADIUS * 0.05)
    assert lowest == pytest.approx(-700.0 + per_speed * (5.0 - 2.0 * 0.07 * 20.0))
    assert highest == pytest.approx(-per_speed * (5.0 - 1.3 * 0.07 * 20.0))
    assert (most, least) == pytest.approx((BOTH, -BOTH))
    assert rolling == [FREE] * 2


def test_a_wheel_that_nobody_drives_any_more_is_let_go_even_while_it_is_braked():
    rig = Wheels()
    window = rig.window("front_left")
    window.spins, window.highest, window.torque, window.shaft.road_torque = 1, -1300.0, 1500.0, -1500.0
    for _ in range(100):
        rig.bound(0.01)
    assert window.spins == 0
    assert window.highest == pytest.approx(BOTH, rel=1e-3)


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_wheels_whose_sensors_have_failed_are_free(axle):
    rig = Wheels()
    setattr(rig.state.inputs, f"{axle}_wheels_trusted", 0)
    rig.speeds[:] = 40.0
    rig.bound(0.01)
    own, other = (slice(0, 2), slice(2, 4)) if axle == "front" else (slice(2, 4), slice(0, 2))
    assert rig.bounds[own] == [FREE] * 2
    assert all(highest < BOTH for _, highest in rig.bounds[other])


def test_steered_wheels_roll_faster_than_the_car():
    """On the circle that the front wheels' angle asks for, no wheel slips."""
    rig = Wheels(4.0)
    delta = 0.5
    rig.state.inputs.steering_trusted, rig.state.inputs.wheel_angle = 1, 17.0 * delta
    l_f = 1.29
    rig.state.inputs.yaw_rate = yaw_rate = 0.9
    rig.speeds[:2] = (4.0 + 0.5 * yaw_rate * 1.54 * np.array([-1.0, 1.0])) * np.cos(delta) + l_f * yaw_rate * np.sin(delta)
    rig.speeds[2:] = 4.0 + 0.5 * yaw_rate * 1.555 * np.array([-1.0, 1.0])
    rig.bound()
    assert [float(rig.window(wheel).slip) for wheel in WHEELS] == pytest.approx([0.0] * 4, abs=1e-12)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_what_the_road_takes_of_a_spinning_wheel_is_what_it_may_have(direction):
    """The motor delivers 60 Nm, half of it to this wheel, which stands at a slip beyond its target."""
    rig = Wheels(direction * 4.0)
    rig.speeds[0] += 2.0
    rig.window("front_left").shaft.speed = rig.speeds[0] / RADIUS
    rig.drive(direction * 60.0)
    rig.window("front_left").shaft.torque = 0.5 * GEAR * 60.0
    rig.bound()
    expected = 0.5 * GEAR * 60.0 - BRAKE_INERTIA * (2.0 - 1.3 * 0.4) / (RADIUS * 0.05)
    assert rig.bounds[0][1] == pytest.approx(expected)
    assert rig.window("front_left").spins == 1


def test_a_wheel_that_spun_is_held_until_its_motor_gives_it_less_than_it_may_have():
    rig = Wheels()
    rig.calibration.wheel_slip.brake_release_time = 10.0
    window = rig.window("front_left")
    window.spins, window.highest = 1, 400.0
    rig.drive(2.0 * 390.0 / GEAR)
    rig.bound(0.01)
    assert window.spins == 1
    rig.drive(2.0 * 300.0 / GEAR)
    rig.bound(0.01)
    assert window.spins == 0


def test_a_wheel_that_locked_is_held_while_its_brake_uses_all_of_the_window():
    rig = Wheels()
    rig.calibration.wheel_slip.brake_release_time = 10.0
    window = rig.window("rear_right")
    window.locks, window.lowest, window.torque = 1, -400.0, 390.0
    rig.bound(0.01)
    assert window.locks == 1
    window.torque = 300.0
    rig.bound(0.01)
    assert window.locks == 0


@pytest.mark.parametrize(("axle", "wheel"), [("front", "front_left"), ("rear", "rear_right")])
def test_a_motor_leaves_the_braking_of_wheels_that_lock_to_their_brakes_and_comes_back_slowly(axle, wheel):
    rig = Wheels()
    rig.speeds[WHEELS.index(wheel)] -= 5.0
    rig.bound(0.01)
    held, other = getattr(rig.windows, axle), rig.windows.rear if axle == "front" else rig.windows.front
    assert (held.regeneration_share, other.regeneration_share) == (0.0, 1.0)
    rig.speeds[:] = 20.0
    for _ in range(50):
        rig.bound(0.01)
    assert held.regeneration_share == pytest.approx(0.5, abs=0.02)


def test_a_motor_whose_own_braking_slips_leaves_it_to_the_brakes_too():
    rig = Wheels()
    rig.windows.front.active, rig.windows.front.torque_lowest = 1, 0.0
    rig.bound(0.01)
    assert rig.windows.front.regeneration_share == 0.0
    rig.windows.front.torque_lowest, rig.windows.front.torque_highest = -340.0, 50.0  # it spins
    rig.bound(0.01)
    assert rig.windows.front.regeneration_share == pytest.approx(0.01)


@pytest.mark.parametrize("yaw_rate", [0.6, -0.6])
@pytest.mark.parametrize("speed", [8.0, -8.0])
def test_the_wheels_of_a_curve_roll_at_their_own_speeds(yaw_rate, speed):
    rig = Wheels(speed)
    rig.state.inputs.yaw_rate = yaw_rate
    turn = 0.5 * yaw_rate * (1.0 if speed > 0.0 else -1.0)
    rig.speeds = abs(speed) + turn * np.array([-1.54, 1.54, -1.555, 1.555])
    rig.bound()
    assert [float(rig.window(wheel).slip) for wheel in WHEELS] == pytest.approx([0.0] * 4, abs=1e-12)
    rig.state.inputs.motion_trusted = 0
    rig.bound()
    assert abs(rig.window("front_left").slip) == pytest.approx(0.5 * 0.6 * 1.54)


@pytest.mark.parametrize("dt", [0.01, 0.001])
def test_the_brakes_are_expected_to_follow_with_their_lag(dt):
    rig = Wheels(lag=0.06)
    for _ in range(round(0.06 / dt)):
        rig.brake((1000.0, 500.0, 0.0, 250.0), dt)
    reached = [float(rig.window(wheel).torque) for wheel in WHEELS]
    assert reached == pytest.approx(np.multiply((1000.0, 500.0, 0.0, 250.0), 1.0 - exp(-1.0)), rel=0.06)


@pytest.mark.parametrize("travel", [1.0, -1.0])
def test_the_moment_of_the_brakes_turns_towards_the_braked_side(travel):
    rig = Wheels()
    for wheel, torque in zip(WHEELS, (400.0, 100.0, 50.0, 250.0), strict=True):
        rig.window(wheel).torque = torque
    expected = 0.5 * 1.54 * (400.0 - 100.0) / RADIUS + 0.5 * 1.555 * (50.0 - 250.0) / RADIUS
    assert brake_moment(travel, rig.windows, rig.calibration) == pytest.approx(travel * expected)


def test_switched_off_no_wheel_is_bounded_by_slip():
    rig = Wheels()
    rig.calibration.wheel_slip.enabled = 0
    rig.speeds += (-9.0, 9.0, 5.0, -5.0)
    rig.bound()
    assert rig.bounds == [FREE] * 4


speeds, torques = st.floats(-100, 100), st.floats(-340, 340)


@examples(100)
@given(st.lists(st.tuples(speeds, speeds, st.floats(-40, 40), torques, torques, st.booleans()), min_size=1, max_size=12))
def test_whatever_the_frames_say_windows_are_finite_and_the_right_way_round(drive):
    axle, wheels = Axle(), Wheels()
    for wheel_speed, speed, acceleration, delivered, wanted, news in drive:
        axle.motion.speed, axle.motion.acceleration = speed, acceleration
        axle.motor.motor_speed, axle.motor.motor_torque = wheel_speed / RADIUS * GEAR, delivered
        axle.frames += news
        taken = axle.decide(wanted, 1e-3)
        assert np.isfinite(taken)
        assert axle.told.slip_active == (taken != wanted)
        wheels.motion.speed, wheels.motion.acceleration = speed, acceleration
        wheels.speeds[:] = np.abs([wheel_speed, speed, delivered, wanted])
        wheels.drive(wanted, delivered)
        wheels.bound(0.01, news)
        wheels.brake([abs(delivered)] * 4, 0.01)
        for lowest, highest in wheels.bounds:
            assert -BOTH - 1e-9 <= lowest <= highest <= BOTH + 1e-9
        for shaft in (axle.shaft, *(wheels.window(wheel).shaft for wheel in WHEELS)):
            assert np.isfinite([shaft.acceleration, shaft.road_torque]).all()
