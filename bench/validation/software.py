"""Independent software: the single-track model that the driver steers by beside that of commonroad-vehicle-models."""

import itertools
from typing import Any

import numpy as np

from bench.plant.driver import DriverParameters, acquaint, single_track
from bench.validation.check import Check, Lab, Measure, MissingError, Subject
from firmware_model.kernel import new

SPEEDS = (5.0, 20.0, 45.0)  # [m/s]
YAW_RATES = (-0.4, 0.0, 0.3)  # [rad/s]
SIDESLIPS = (-0.02, 0.0, 0.05)  # [rad]
STEERS = (-0.05, 0.0, 0.1)  # [rad] of the road wheels
GRAVITY_THERE = 9.81  # [m/s2] of that package


def largest_deviation(lab: Lab, subject: Subject) -> float:
    """Largest deviation of the derivatives of yaw rate [rad/s2] and sideslip angle [rad/s] of the same car in both.

    M. Althoff et al., CommonRoad, IEEE IV 2017. Its tyres have a stiffness in proportion to their load, so ours have here.
    """
    try:
        from vehiclemodels.parameters_vehicle2 import parameters_vehicle2
        from vehiclemodels.vehicle_dynamics_st import vehicle_dynamics_st
    except ImportError:
        raise MissingError("needs the package commonroad-vehicle-models: pip install 'e4orce-hil[validation]'") from None
    car, here, there = subject.vehicle.parameters[0], new(DriverParameters)[0], parameters_vehicle2()
    acquaint(car, here)
    there.m, there.I_z, there.h_s = car.body.mass, car.body.yaw_inertia, car.body.centre_height
    there.a, there.b = car.body.front_axle_distance, car.body.wheelbase - car.body.front_axle_distance
    per_arm = -there.tire.p_ky1 * there.m * GRAVITY_THERE / (there.a + there.b)
    here.front_stiffness, here.rear_stiffness = per_arm * there.b, per_arm * there.a
    deviations = []
    for speed, yaw_rate, sideslip, steer in itertools.product(SPEEDS, YAW_RATES, SIDESLIPS, STEERS):
        expected = vehicle_dynamics_st([0.0, 0.0, steer, speed, 0.0, yaw_rate, sideslip], [0.0, 0.0], there)
        found = derivatives(speed, yaw_rate, sideslip, steer, here)
        deviations += [abs(found[0] - expected[5]), abs(found[1] - expected[6])]
    return float(np.max(deviations))


def derivatives(speed: float, yaw_rate: float, sideslip: float, steer: float, known: Any) -> tuple[float, float]:
    """Derivatives of yaw rate and sideslip angle of our single-track model."""
    (a_vv, a_vr), (a_rv, a_rr), (b_v, b_r) = single_track(speed, known)
    lateral = speed * sideslip
    return (
        a_rv * lateral + a_rr * yaw_rate + b_r * steer,
        (a_vv * lateral + a_vr * yaw_rate + b_v * steer) / speed,
    )


SINGLE_TRACK = Check("single-track", "Single-track model beside commonroad-vehicle-models", largest_deviation)
MEASURES = {
    "single_track_derivatives": Measure("single-track model, derivatives", "1e-9", SINGLE_TRACK, lambda result: 1e9 * result)
}
