"""A car on a test rig: its records, and a compiled loop around its step."""

from functools import cache

import numba
import numpy as np

from bench.plant import car
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate

GRAVITY = 9.80665


@numba.njit(error_model="numpy")
def repeat(steps, dt, demands, road, state, parameters, measurements):
    for _ in range(steps):
        car.step(dt, demands, road, state, parameters, measurements)


@cache
def parameters_of(vehicle):
    return load_vehicle(vehicle).parameters


class Rig:
    """One car with constant demands until they are changed; kernels get element 0 of each record."""

    def __init__(self, vehicle="leaf_plus", speed=0.0, charge=0.9, temperature=25.0):
        self.parameters = parameters_of(vehicle).copy()
        self.state, self.demands, self.road, self.measured = (
            record.new() for record in (car.State, car.Demands, car.Road, car.Measurements)
        )
        car.place(speed, charge, temperature, self.state[0], self.parameters[0])
        self.demands.front.connected = self.demands.rear.connected = 1

    @property
    def records(self):
        return self.demands[0], self.road[0], self.state[0], self.parameters[0], self.measured[0]

    def run(self, seconds, dt=1e-3):
        repeat(round(seconds / dt), dt, *self.records)

    def brake(self, torque):
        for axle in (self.demands.front, self.demands.rear):
            axle.left_brake_torque = axle.right_brake_torque = torque

    @property
    def speed(self):
        return float(self.state.body.longitudinal_speed[0])

    @property
    def wheels(self):
        return [side for axle in (self.measured.front, self.measured.rear) for side in (axle.left, axle.right)]

    def rotational_mass(self):
        """Mass [kg] that wheels and rotors add to the car's."""
        inertia = sum(
            2.0 * axle.wheel_inertia[0] + axle.motor.rotor_inertia[0] * axle.gear_ratio[0] ** 2
            for axle in (self.parameters.front, self.parameters.rear)
        )
        return inertia / self.parameters.tyre.radius[0] ** 2

    def is_finite(self):
        return all(np.isfinite(locate(self.state, path)).all() for path, _ in car.State.fields())
