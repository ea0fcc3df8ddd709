import pytest
from controller_rig import Rig

from firmware_model.brake_blending import friction, regeneration

MASS = 1875.0
FORCE_PER_TORQUE = 8.1938 / 0.3108


def ask_motors(f_brake, speed, direction=1.0):
    return regeneration(f_brake, direction, speed, Rig().calibration)


def test_the_motors_are_asked_for_all_of_a_moderate_braking():
    assert ask_motors(3000.0, 20.0) == -3000.0


def test_the_motors_alone_brake_no_harder_than_they_may():
    assert ask_motors(12e3, 20.0) == pytest.approx(-MASS * 3.0)


@pytest.mark.parametrize(("speed", "share"), [(4.0, 1.0), (3.5, 1.0), (2.25, 0.5), (1.0, 0.0), (0.0, 0.0)])
def test_regeneration_fades_out_before_standstill(speed, share):
    assert ask_motors(2000.0, speed) == pytest.approx(-2000.0 * share)


def test_in_reverse_regeneration_pushes_forward():
    assert ask_motors(2000.0, -5.0, direction=-1.0) == 2000.0


@pytest.mark.parametrize(("speed", "direction"), [(-5.0, 1.0), (5.0, -1.0), (5.0, 0.0)])
def test_against_the_gear_or_without_one_friction_brakes_alone(speed, direction):
    assert ask_motors(2000.0, speed, direction) == 0.0


class BrakeRig(Rig):
    """Friction brakes beside motors that were told and deliver a torque each."""

    def brake(self, f_brake, commanded=0.0, delivered=None, f_driver=0.0, speed=20.0, moment=0.0):
        state = self.state
        state.torque_path.front_torque = state.torque_path.rear_torque = commanded
        state.inputs.front.motor_torque = state.inputs.rear.motor_torque = commanded if delivered is None else delivered
        friction(f_brake, f_driver, speed, moment, state, self.outputs.brakes, self.measurements, self.calibration)
        return self.total

    @property
    def torques(self):
        brakes = self.outputs.brakes
        return [float(t) for t in (brakes.front_left, brakes.front_right, brakes.rear_left, brakes.rear_right)]

    @property
    def total(self):
        """Braking force of all wheels [N]."""
        return sum(self.torques) / 0.3108


@pytest.mark.parametrize("motor_torque", [0.0, -20.0, -50.0])
def test_friction_fills_in_what_the_motors_do_not_brake(motor_torque):
    by_motors = -2.0 * motor_torque * FORCE_PER_TORQUE
    assert BrakeRig().brake(5000.0, motor_torque) == pytest.approx(5000.0 - by_motors)


def test_when_the_motors_do_it_all_friction_rests():
    assert BrakeRig().brake(2000.0, -60.0) == 0.0


@pytest.mark.parametrize(("commanded", "delivered"), [(-50.0, -10.0), (-10.0, -50.0)])
def test_of_command_and_report_the_weaker_one_counts(commanded, delivered):
    assert BrakeRig().brake(4000.0, commanded, delivered) == pytest.approx(4000.0 - 20.0 * FORCE_PER_TORQUE)


def test_regeneration_of_the_lift_off_does_not_count_for_the_pedal():
    lift_off = -1300.0
    both = (lift_off - 1000.0) / FORCE_PER_TORQUE / 2.0
    assert BrakeRig().brake(3000.0, both, f_driver=lift_off) == pytest.approx(2000.0)


def test_friction_never_brakes_more_than_the_pedal_wants():
    assert BrakeRig().brake(1000.0, 300.0) == pytest.approx(1000.0)
    assert BrakeRig().brake(0.0, 300.0) == 0.0


def test_at_standstill_friction_alone_holds_the_car():
    assert BrakeRig().brake(4000.0, -50.0, speed=0.0) == pytest.approx(4000.0)


def test_what_slip_control_withholds_is_not_made_up_for():
    rig = BrakeRig()
    rig.measurements.front.slip_torque = -300.0
    assert rig.brake(4000.0) == pytest.approx(4000.0 - 300.0 / 0.3108)


def test_the_axles_brake_by_their_load():
    rig = BrakeRig()
    rig.brake(MASS * 5.0)
    front_left, front_right, rear_left, rear_right = rig.torques
    share = (2.7 - 1.29 + 0.54 * 5.0 / 9.80665) / 2.7
    assert front_left == front_right
    assert rear_left == rear_right
    assert front_left / (front_left + rear_left) == pytest.approx(share)


@pytest.mark.parametrize(("moment", "braked", "free"), [(2000.0, (0, 2), (1, 3)), (-2000.0, (1, 3), (0, 2))])
def test_a_yaw_moment_brakes_the_wheels_of_its_side(moment, braked, free):
    rig = BrakeRig()
    rig.brake(0.0, moment=moment)
    assert sum(rig.torques[wheel] for wheel in braked) > 0.0
    assert all(rig.torques[wheel] == 0.0 for wheel in free)


def test_no_wheel_brakes_harder_than_its_limit():
    rig = BrakeRig()
    rig.brake(60e3, moment=20e3)
    assert max(rig.torques) == 3500.0
