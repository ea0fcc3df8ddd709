"""The skid pad and the lane change of the road testers."""

import math

import numpy as np
import pytest
from interpreter import needs_compiler

from bench.comparison.contenders import THIS
from bench.comparison.track import Trace, Track, Trial
from bench.validation import handling
from bench.validation.check import Lab, Subject
from bench.vehicles import load_vehicle


def circling(radius, speed, seconds=10.0):
    """A trace of a car on a circle around the centre of the pad."""
    time = np.arange(0.0, seconds, 1e-3)
    angle = speed * time / radius
    signals = {
        "time": time, "x": handling.ENTRY + radius * np.sin(angle), "y": handling.RADIUS - radius * np.cos(angle),
        "speed": np.broadcast_to(speed, time.shape), "lateral_speed": np.zeros(len(time)),
    }  # fmt: skip
    return Trace(Trial(THIS, handling.skid_pad(0.9)), signals)


def test_sustained_acceleration_is_that_of_the_circle():
    assert handling.sustained_acceleration(circling(30.48, 15.0)) == pytest.approx(15.0**2 / 30.48 / 9.80665, rel=1e-6)


def test_a_car_beside_its_line_sustains_nothing():
    assert math.isnan(handling.sustained_acceleration(circling(31.2, 15.0)))


def test_line_of_the_pad_is_a_circle_of_200_feet_in_diameter():
    line = handling.pad_line(400.0)
    radius = np.hypot(line[1:, 0] - handling.ENTRY, line[1:, 1] - handling.RADIUS)
    assert radius == pytest.approx(np.full(len(radius), 30.48))
    assert np.hypot(*np.diff(line[1:], axis=0).T).sum() == pytest.approx(400.0, abs=1.0)


@needs_compiler
def test_first_leaf_corners_as_measured_on_the_skid_pad():
    vehicle = load_vehicle("leaf_ze0")
    lab = Lab(Track(vehicle, workers=1))
    found = handling.sustained_acceleration(handling.circle(lab, Subject(vehicle, 0.93)))
    assert found == pytest.approx(0.78, abs=0.02)  # Edmunds, 2011
