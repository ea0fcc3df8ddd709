"""Bounds against hand calculation, and against drives that must not surpass them."""

import math

import numpy as np
import pytest

from bench.comparison import bounds, grip
from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, THIS
from bench.comparison.figures import first_time
from bench.comparison.steering import COMMANDS, NOTICED_BY, step_steer
from bench.comparison.track import Track, Trial, whole
from bench.vehicles import load_vehicle
from firmware_model.signals import Inputs


@pytest.fixture(scope="module")
def track() -> Track:
    made = Track(load_vehicle("leaf_twin_motor"), workers=1)
    made.compile()
    return made


def test_least_time_up_a_hill_is_that_of_the_friction_of_all_wheels(track: Track) -> None:
    mass, gravity = 1880.0, 9.80665
    load = 0.25 * mass * gravity * math.cos(math.atan(0.1))
    mu = 1.10 * (1.0 - 0.08 * (load / 4500.0 - 1.0))
    acceleration = 2.0 * mu * load * (0.8 + 0.15) / mass - gravity * math.sin(math.atan(0.1))
    assert bounds.least_time_to(5.0, track.vehicle, 0.8, 0.15, 0.1) == pytest.approx(5.0 / acceleration)
    assert bounds.least_time_to(5.0, track.vehicle, 0.05, 0.05, 0.1) == math.inf


def test_the_highest_lateral_acceleration_is_that_of_the_friction_of_all_wheels(track: Track) -> None:
    mu = 0.5 * 1.10 * (1.0 - 0.08 * (0.25 * 1880.0 * 9.80665 / 4500.0 - 1.0))
    assert bounds.highest_lateral_acceleration(track.vehicle, 0.5) == pytest.approx(mu * 9.80665)


def test_the_torque_frame_of_the_leaf_carries_the_command(track: Track) -> None:
    assert 0x1D4 in {identifier for _, identifier in bounds.frames_of(track.network, "front.motor_torque")}
    assert bounds.frames_of(track.network, "brakes.front_left")
    assert bounds.frames_of(track.network, "no.such.signal") == set()


def test_the_first_difference_looks_at_the_named_signals_only() -> None:
    here, there = np.repeat(Inputs.new(), 5), np.repeat(Inputs.new(), 5)
    here["front"]["motor_speed"][3:] = 1.0
    here["pedals"]["brake"][1:] = 0.5
    assert bounds.first_difference(here, there, ("front.motor_speed",)) == 3
    assert bounds.first_difference(here, there, ("front.motor_speed", "pedals.brake")) == 1
    assert bounds.first_difference(here, there, ("rear.motor_speed",)) is None


def test_the_fastest_yaw_rate_is_the_drives_own_until_a_command_can_arrive_and_nobody_is_faster(track: Track) -> None:
    angle = 28.0
    traces = track.compare(CONTENDERS, step_steer(angle, 1.0))
    reaction = bounds.first_reaction(
        track, Trial(THIS, step_steer(angle, 1.0)), Trial(THIS, step_steer(0.0, 1.0)), NOTICED_BY, COMMANDS
    )
    assert 0.5 < reaction.seen < min(reaction.arrives) < reaction.seen + 0.011
    uncontrolled = traces[FIXED_SPLIT]
    fastest = bounds.fastest_yaw_rate(uncontrolled, track.vehicle, 1.0, min(reaction.arrives))
    before = uncontrolled["time"] < min(reaction.arrives)
    assert np.array_equal(fastest[before], uncontrolled["yaw_rate"][before])
    for trace in traces.values():
        reached = first_time(trace["time"], trace["yaw_rate"] >= 0.13)
        assert np.interp(reached, uncontrolled["time"], fastest) > 0.13


def test_no_drive_onto_ice_stays_below_the_least_overspeed_and_the_bound_reacts_after_the_spin(track: Track) -> None:
    dry = track.drive(Trial(THIS, grip.friction_jump(None)), whole)
    edge = grip.place_of(dry, grip.JUMP_SPEED) + 1.296
    jumps = [grip.jump(track, edge + phase, 1.296) for phase in (0.0, 0.07)]
    for jump in jumps:
        assert jump.begin < jump.reaction.seen < jump.reaction.arrives[0] < jump.begin + 0.025
        assert jump.trace.at("speed", jump.begin) == pytest.approx(grip.JUMP_SPEED, rel=0.01)
        assert 0.5 < jump.bound < jump.overspeed


def test_the_least_overspeed_grows_with_every_later_command(track: Track) -> None:
    dry = track.drive(Trial(THIS, grip.friction_jump(None)), whole)
    trial = Trial(THIS, grip.friction_jump(grip.place_of(dry, grip.JUMP_SPEED) + 1.296))
    begin = grip.crossing_time(dry, grip.place_of(dry, grip.JUMP_SPEED))
    peaks = [bounds.least_overspeed(track, trial, begin + late, begin + late) for late in (0.005, 0.015, 0.03)]
    assert peaks == sorted(peaks)
    # All of the axle's torque on ice, less 615 Nm, on 4.7 kg m2, in 10 ms
    spinning = (8.193 * dry.at("front_torque", begin) - 615.0) / 4.7 * 0.3108 * 0.01
    assert peaks[1] - peaks[0] == pytest.approx(spinning, rel=0.3)


def test_the_most_braking_torque_stays_within_envelope_and_battery(track: Track) -> None:
    drive, bench = track.start(Trial(THIS, grip.friction_jump(None)))
    bench.advance(1.0)
    state, plant = drive.car.state[0], drive.car.measurements[0].plant
    parameters = drive.car.parameters[0].plant
    full = bounds.most_braking(state, plant, parameters)
    assert full == pytest.approx(-340.0, rel=0.01)
    plant.battery.charge_limit = 0.0
    plant.rear.motor.electrical_power = -600.0
    weak = bounds.most_braking(state, plant, parameters)
    assert full < weak < 0.0
    assert abs(weak * plant.front.motor.speed) < 12e3  # no more than motor and inverter burn at full torque
