"""The torque monitor alone, with somebody who commands and inverters that deliver: what the tests of its parts stand on."""

import pytest
from controller_rig import Rig
from interpreter import COMPILED

from firmware_model.kernel import kernel
from firmware_model.measurements import Fault
from firmware_model.signals import Gear
from firmware_model.torque_monitor import check_driver

DT = 1e-3
SETTLED = 0.4  # [s] the band has reached what the pedals allow
GEARING = 8.1938 / 0.3108  # [rad/m] motor speed per road speed
LAG = 0.04  # [s]
FOR_EVER = 5.0 if COMPILED else 0.2  # [s]


@kernel
def watch(steps, dt, front, rear, inputs, state, outputs, measurements, calibration):
    for _ in range(steps):
        outputs.front.motor_torque = front
        outputs.rear.motor_torque = rear
        check_driver(dt, inputs, state, outputs, measurements, calibration)


axles = pytest.mark.parametrize("axle", ["front", "rear"])
gears = pytest.mark.parametrize("gear", [Gear.DRIVE, Gear.REVERSE])


class MonitorRig(Rig):
    """The monitor alone, watching torques that somebody commands and inverters that deliver what they are told to."""

    def __init__(self, accelerator=0.0, brake=0.0, gear=Gear.DRIVE, speed=20.0):
        super().__init__(speed)
        pedals = self.inputs.pedals
        pedals.accelerator, pedals.brake, pedals.gear = accelerator, brake, gear
        self.watched = self.measurements.torque_monitor
        self.memory = self.state.torque_monitor
        self.settle()

    def settle(self):
        self.check(0.0, 0.0, SETTLED)

    def check(self, front, rear, seconds=DT, dt=DT):
        watch(round(seconds / dt), dt, front, rear, self.inputs, self.memory, self.outputs, self.watched, self.calibration)
        return self.torques

    def set_axle_speeds(self, front, rear):
        self.set_speed(rear)
        self.inputs.front.motor_speed = front * GEARING
        self.inputs.wheels.front_left = self.inputs.wheels.front_right = abs(front)

    @property
    def monitor_faults(self):
        return Fault(int(self.memory.faults))
