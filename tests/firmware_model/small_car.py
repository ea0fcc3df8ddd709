"""A small car around the controller, for tests: one mass, two lagging motors, a pack with a resistance, frames of 10 and 20 ms.

It is another model than the bench's plant, on purpose: losses that the controller's table does not have, values rounded as in
the LEAF's frames, and a torque that follows the request of the last frame after some 30 ms.
"""

import numpy as np
from controller_rig import FRAME, Rig

from firmware_model.controller import step
from firmware_model.kernel import kernel, real, record
from firmware_model.signals import HighVoltage


@record
class SmallCar:
    """Parameters and state."""

    mass = real("kg", "mass with rotating parts", default=2000.0)
    open_circuit_voltage = real("V", "of the pack", default=392.0)
    resistance = real("Ohm", "of the pack", default=0.06)
    auxiliary_power = real("W", "of the car", default=900.0)
    copper = real("W/Nm2", "copper loss of one motor", default=0.075)
    iron = real("W/(rad/s)2", "iron loss of one motor", default=0.006)
    discharge_limit = real("W", "limit that the pack sends", default=180e3)
    charge_limit = real("W", "limit that the pack sends", default=60e3)
    precharge_time_constant = real("s", "of the DC links", default=0.04)
    time = real("s", "time")
    next_frame = real("s", "time of the next frame")
    frames = real("1", "frames so far")
    speed = real("m/s", "speed")
    front_request = real("Nm", "torque requested in the last frame")
    rear_request = real("Nm", "torque requested in the last frame")
    front_underway = real("Nm", "half-way to the motor")
    rear_underway = real("Nm", "half-way to the motor")
    front_torque = real("Nm", "delivered torque")
    rear_torque = real("Nm", "delivered torque")
    link_voltage = real("V", "of the DC links")
    voltage = real("V", "of the pack")
    current = real("A", "of the pack")
    power = real("W", "of the pack, positive in discharge")


@kernel
def motor(dt, request, underway, torque):
    """Two lags of 13 ms in series: with the wait for the frame some 30 ms."""
    underway += (request - underway) * dt / (0.013 + dt)
    return underway, torque + (underway - torque) * dt / (0.013 + dt)


@kernel
def move(dt, outputs, brakes, car, calibration):
    """Advance motors, pack and mass."""
    i, r = calibration.front.gear_ratio, calibration.front.wheel_radius
    car.front_underway, car.front_torque = motor(dt, car.front_request, car.front_underway, car.front_torque)
    car.rear_underway, car.rear_torque = motor(dt, car.rear_request, car.rear_underway, car.rear_torque)
    omega = car.speed * i / r
    squares = car.front_torque**2 + car.rear_torque**2
    mechanical = omega * (car.front_torque + car.rear_torque)
    on = outputs.power.high_voltage == HighVoltage.ON
    car.power = mechanical + car.copper * squares + 2.0 * car.iron * omega * omega + car.auxiliary_power if on else 0.0
    u_0 = car.open_circuit_voltage
    car.current = (u_0 - (u_0 * u_0 - 4.0 * car.resistance * car.power) ** 0.5) / (2.0 * car.resistance)
    car.voltage = u_0 - car.resistance * car.current

    drive = (car.front_torque + car.rear_torque) * i / r
    resistance = 140.0 + 0.45 * car.speed**2 + brakes / r
    before = car.speed
    car.speed += (drive - resistance) / car.mass * dt
    if car.speed < 0.0:
        car.speed = 0.0
    connected = outputs.power.relay_output == 1 and outputs.power.high_voltage >= HighVoltage.PRECHARGING
    target = car.voltage if connected else 0.0
    car.link_voltage += (target - car.link_voltage) * dt / (car.precharge_time_constant + dt)
    return (car.speed - before) / dt


@kernel
def exchange(acceleration, inputs, outputs, car, calibration):
    """Frames both ways, every 10 ms; wheel speeds every 20 ms."""
    car.front_request = round(outputs.front.motor_torque * 4.0) / 4.0
    car.rear_request = round(outputs.rear.motor_torque * 4.0) / 4.0
    rpm = round(car.speed * calibration.front.gear_ratio / calibration.front.wheel_radius * 9.5493)
    inputs.front.motor_speed = inputs.rear.motor_speed = rpm / 9.5493
    inputs.front.link.received += 1
    inputs.rear.link.received += 1
    inputs.front.motor_torque = round(car.front_torque * 2.0) / 2.0
    inputs.rear.motor_torque = round(car.rear_torque * 2.0) / 2.0
    inputs.front.dc_voltage = inputs.rear.dc_voltage = 2.0 * round(car.link_voltage / 2.0)
    inputs.battery.voltage = round(car.voltage * 2.0) / 2.0
    inputs.battery.current = round(car.current * 2.0) / 2.0
    inputs.battery.discharge_limit = car.discharge_limit
    inputs.battery.charge_limit = car.charge_limit
    inputs.motion.longitudinal_acceleration = acceleration
    if int(car.frames) % 2 == 0:
        wheels = inputs.wheels
        wheels.front_left = wheels.front_right = wheels.rear_left = wheels.rear_right = car.speed
        wheels.front_link.received += 1
        wheels.rear_link.received += 1
    car.frames += 1.0


@kernel
def drive(steps, dt, every, log, car, inputs, outputs, state, measurements, calibration):
    """Run; rows of ``log`` every ``every`` steps: time, speed, power, predicted power, torques, high voltage, ready, relay."""
    for k in range(steps):
        brakes = outputs.brakes.front_left + outputs.brakes.front_right + outputs.brakes.rear_left + outputs.brakes.rear_right
        acceleration = move(dt, outputs, brakes, car, calibration)
        car.time += dt
        if car.time >= car.next_frame - 0.5 * dt:
            car.next_frame += FRAME
            exchange(acceleration, inputs, outputs, car, calibration)
        step(dt, inputs, outputs, state, measurements, calibration)
        if k % every == 0:
            row = log[k // every]
            row[0], row[1], row[2], row[3] = car.time, car.speed, car.power, measurements.power_budget.predicted_power
            row[4], row[5] = outputs.front.motor_torque, outputs.rear.motor_torque
            row[6], row[7], row[8] = outputs.power.high_voltage, outputs.power.ready, outputs.power.relay_output
            row[9], row[10] = acceleration, outputs.power.absence_diagnosis


TIME, SPEED, POWER, PREDICTED, FRONT, REAR, HIGH_VOLTAGE, READY, RELAY, ACCELERATION, DIAGNOSIS = range(11)


class DrivingRig(Rig):
    """A controller in its small car."""

    def __init__(self, speed=0.0, ready=True):
        super().__init__(speed, ready)
        self.car_array = SmallCar.new()
        self.car = self.car_array[0]
        self.car.speed = speed
        self.car.voltage = self.car.open_circuit_voltage
        self.car.link_voltage = self.car.voltage if ready else 0.0
        self.inputs.front.dc_voltage = self.inputs.rear.dc_voltage = self.car.link_voltage

    def drive(self, seconds, dt=1e-3, every=1):
        """Run for ``seconds``; returns the log, one row every ``every`` steps."""
        steps = round(seconds / dt)
        log = np.zeros((-(-steps // every), 11))
        drive(steps, dt, every, log, self.car, self.inputs, self.outputs, self.state, self.measurements, self.calibration)
        return log
