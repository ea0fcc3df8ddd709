import pytest
from controller_rig import Rig

from firmware_model.wheel_slip import limit

DT = 1e-3


class SlippingAxle(Rig):
    """One axle on a road that takes a limited force, moving at a prescribed speed; its motor lags 30 ms behind the command."""

    def __init__(self, road_force, speed=3.0, acceleration=0.0):
        super().__init__(speed)
        self.road_force, self.speed, self.acceleration = road_force, speed, acceleration
        self.axle, self.slip = self.calibration.front, self.state.wheel_slip.front
        self.wheel_speed = speed
        self.stiffness = 20e3  # [N/(m/s)] until the road takes no more
        self.commands = [0.0] * 30
        self.motor = self.state.inputs.front
        self.motor.motor_speed = self.wheel_speed / self.axle.wheel_radius * self.axle.gear_ratio

    def step(self, torque, wanted=None):
        wanted = torque if wanted is None else wanted
        command = limit(
            DT, torque, wanted, self.motor, self.speed, self.slip, self.measurements.front, self.axle, self.calibration.wheel_slip
        )
        self.commands.append(command)
        delivered = self.commands.pop(0)
        force = max(-self.road_force, min(self.road_force, self.stiffness * (self.wheel_speed - self.speed)))
        torque_at_axle = delivered * self.axle.gear_ratio - force * self.axle.wheel_radius
        self.wheel_speed += torque_at_axle / self.axle.inertia * self.axle.wheel_radius * DT
        self.speed += self.acceleration * DT
        self.motor.motor_speed = self.wheel_speed / self.axle.wheel_radius * self.axle.gear_ratio
        self.motor.motor_torque = delivered
        return command

    @property
    def slip_speed(self):
        return self.wheel_speed - self.speed


def drive(axle, wanted, seconds, rate=1500.0):
    """Ramp to ``wanted`` as the torque path would; returns slip speeds and commands."""
    command, slips, commands = 0.0, [], []
    for _ in range(round(seconds / DT)):
        torque = max(command - rate * DT, min(command + rate * DT, wanted))
        command = axle.step(torque, wanted)
        slips.append(axle.slip_speed)
        commands.append(command)
    return slips, commands


def test_a_gripping_wheel_gets_all_that_is_wanted():
    axle = SlippingAxle(road_force=8000.0)
    _, commands = drive(axle, 200.0, 1.0)
    assert commands[-1] == 200.0
    assert axle.measurements.front.slip_active == 0


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_slip_is_held_near_its_target_driving_and_braking(direction):
    axle = SlippingAxle(road_force=2200.0, speed=8.0)
    slips, commands = drive(axle, direction * 340.0, 4.0)
    road_torque = 2200.0 * 0.3108 / 8.1938
    assert max(abs(slip) for slip in slips) < 5.0
    assert all(0.0 < direction * slip < 1.5 for slip in slips[-1000:])
    assert direction * sum(commands[-1000:]) / 1000.0 == pytest.approx(road_torque, rel=0.1)


def test_without_slip_control_the_same_wheel_runs_away():
    axle = SlippingAxle(road_force=2200.0, speed=8.0)
    axle.calibration.wheel_slip.slip_speed = 5.0
    axle.calibration.wheel_slip.slip_ratio = 0.5
    axle.speed = 1000.0  # a target far beyond reach
    axle.wheel_speed = 1000.0
    slips, _ = drive(axle, 340.0, 1.0)
    assert max(slips) > 50.0


def test_torque_comes_back_when_the_road_grips_again():
    axle = SlippingAxle(road_force=2200.0, speed=8.0)
    drive(axle, 300.0, 2.0)
    assert axle.measurements.front.slip_active == 1
    axle.road_force, axle.stiffness = 10e3, 80e3
    _, commands = drive(axle, 300.0, 3.0)
    assert commands[-1] == 300.0
    assert axle.measurements.front.slip_active == 0
    assert axle.measurements.front.slip_torque == 0.0


def test_a_change_of_direction_starts_afresh():
    axle = SlippingAxle(road_force=2200.0, speed=8.0)
    drive(axle, 300.0, 1.0)
    axle.wheel_speed = axle.speed
    axle.motor.motor_speed = axle.wheel_speed / axle.axle.wheel_radius * axle.axle.gear_ratio
    assert axle.step(-20.0) == -20.0
    assert axle.slip.active == 0


def test_what_slip_control_withholds_is_measured_at_the_axle():
    axle = SlippingAxle(road_force=2200.0, speed=8.0)
    axle.wheel_speed = 12.0
    axle.motor.motor_speed = 12.0 / 0.3108 * 8.1938
    command = axle.step(100.0)
    assert axle.measurements.front.slip_torque == pytest.approx((100.0 - command) * 8.1938)
    assert axle.measurements.front.slip_speed == pytest.approx(4.0)
