"""The control allocation alone, and the figures of its table restated for the tests."""

import numpy as np
from controller_rig import Rig

from firmware_model.control_allocation import allocate, bound_brakes, bound_motors
from firmware_model.kernel.math import GRAVITY

FORCE_PER_TORQUE = 8.1938 / 0.3108  # [N/Nm] of the default axle
MASS, WHEELBASE, L_F = 1875.0, 2.7, 1.29
L_R = WHEELBASE - L_F
FRONT_HALF_TRACK, REAR_HALF_TRACK = 0.5 * 1.54, 0.5 * 1.555
CAPACITY_SHARE, CAPACITY_LEAST, BRAKE_REACH = 0.95, 0.1, 0.4  # restated from the table
MOTORS, BRAKES = slice(0, 2), slice(2, 6)


class Allocating(Rig):
    """The allocation alone: yaw control is on, the supervisor permits everything, no slew, a dry road at constant speed."""

    def __init__(self, speed=20.0, friction=1.0, last=(0.0, 0.0)):
        super().__init__(speed)
        state = self.state
        state.yaw_control.active = state.supervisor.front_permitted = state.supervisor.rear_permitted = 1
        state.inputs.steering_trusted = 1
        self.calibration.torque_path.rise_rate = self.calibration.torque_path.fall_rate = 1e6
        self.set_motor_speed(speed * FORCE_PER_TORQUE)
        self.set_power(300e3, 300e3)
        self.set_friction(friction, friction)
        self.set_loads()
        state.torque_path.front_torque, state.torque_path.rear_torque = last
        self.travel = -1.0 if speed < 0.0 else 1.0

    def set_motor_speed(self, omega):
        budget = self.state.power_budget
        self.state.inputs.front.motor_speed = budget.front.speed_ahead = omega
        self.state.inputs.rear.motor_speed = budget.rear.speed_ahead = omega

    def set_power(self, discharge, charge):
        self.state.discharge_limiter.discharge_limit, self.state.discharge_limiter.charge_limit = discharge, charge

    def set_friction(self, left, right):
        self.state.friction.left, self.state.friction.right = left, right

    def set_loads(self, forward=0.0, across=0.0):
        """Loads [N] of the wheels with the weight shifted by shares; lateral forces for as much of the circle as ``across``."""
        load = self.state.tyre_load
        static = 0.5 * MASS * GRAVITY / WHEELBASE * np.array([L_R, L_R, L_F, L_F])
        shift = np.array([1.0 - forward, 1.0 - forward, 1.0 + forward, 1.0 + forward])
        load.vertical_force[:] = static * shift * (1.0 + 0.6 * across * np.array([-1.0, 1.0, -1.0, 1.0]))
        load.lateral_force[:] = 0.8 * across * load.vertical_force
        load.front_lateral_force, load.rear_lateral_force = load.lateral_force[:2].sum(), load.lateral_force[2:].sum()

    def set_wheels(self, lowest=None, highest=None, present=None, spins=None):
        """Windows of motor and brake together [Nm], present brake torques [Nm], and which wheels spin."""
        slip = self.state.wheel_slip
        for k, wheel in enumerate((slip.front.left, slip.front.right, slip.rear.left, slip.rear.right)):
            wheel.lowest = wheel.lowest if lowest is None else lowest[k]
            wheel.highest = wheel.highest if highest is None else highest[k]
            wheel.torque = wheel.torque if present is None else present[k]
            wheel.spins = wheel.spins if spins is None else spins[k]

    def bound(self, force=1.0, share=0.5, direction=1.0, f_driver=0.0):
        """Bounds for a wanted ``force`` [N], of which ``f_driver`` [N] is the accelerator's."""
        bound_motors(0.01, force, f_driver, direction, share, self.travel, self.state, self.calibration)
        bound_brakes(self.state.allocation.problem, self.calibration)
        return self.state.allocation.problem

    def solve(self, force, moment, share=0.5):
        """Forces [N] of motors and brakes within the bounds that are there."""
        allocate(force, moment, share, self.travel, self.state, self.measurements, self.calibration)
        return np.array(self.state.allocation.force)

    def serve(self, force, moment, share=0.5):
        self.bound(force, share)
        return self.solve(force, moment, share)

    @property
    def told(self):
        return self.measurements.allocation

    @property
    def moment(self):
        """Yaw moment [Nm] of brakes and motors with the present arms."""
        return float(self.state.allocation.moment_arm @ self.state.allocation.force)


def capacity(rig, enabled=True):
    """Longitudinal force [N] that each wheel may have beside its lateral one, restated."""
    load, friction = rig.state.tyre_load, rig.state.friction
    circle = np.array([friction.left, friction.right] * 2) * load.vertical_force
    left = circle**2 - load.lateral_force**2
    return CAPACITY_SHARE * np.maximum(np.sqrt(np.maximum(left, 0.0)), CAPACITY_LEAST * circle)
