"""What no controller could surpass on the same path: frames of 10 ms, the lag of the motors, the friction of the tyres.

A bound here is rigorous: it takes the side of the controller wherever something is left open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, inf, sin
from typing import Any

import numpy as np

from bench.comparison.track import TICK, Trace, Track, Trial
from bench.nodes import car as car_node
from bench.plant import car, motor, tyre
from bench.vehicles import Vehicle
from firmware_model.kernel.math import GRAVITY
from firmware_model.kernel.records import locate
from hil.network.database import Network

LOOK = 0.05  # [s] stretch in which two drives are compared at a time


@dataclass(frozen=True)
class Reaction:
    """When a controller can first react to what one scenario has and another has not. Times [s] of the scenario."""

    seen: float  # the first frame that tells the difference has been received
    arrives: tuple[float, ...]  # the next frame with a command is complete at its receiver, one a command


def first_reaction(track: Track, trial: Trial, without: Trial, noticed_by: Sequence[str], commands: Sequence[str]) -> Reaction:
    """When the controller of ``trial`` can first react to what the scenario ``without`` it lacks.

    Two runs of one controller are equal to the bit until one of the signals differs that tell of it, ``noticed_by`` (paths in
    Inputs): before, no controller can know from them. What it then knows can leave in the next frame with one of its ``commands``
    (paths in Outputs). Raises RuntimeError if nothing ever differs.
    """
    drive, bench = track.start(trial)
    other_bench = track.start(without)[1]
    begin = bench.time - drive.scenario_time
    if other_bench.time != bench.time:
        raise RuntimeError(f"{trial.scenario.name}: the two run-ups differ")
    carriers = [frames_of(track.network, command) for command in commands]
    arrives = [inf] * len(carriers)
    seen = inf
    while bench.time - begin < drive.duration:
        here, there = bench.advance(LOOK), other_bench.advance(LOOK)
        if seen == inf:
            different = first_difference(here.samples["controller_inputs"], there.samples["controller_inputs"], noticed_by)
            if different is None:
                continue
            seen = float(here.samples["time"][different]) - begin
        for frame in here.frames:
            time = frame.time * 1e-9 - begin
            for index, carrier in enumerate(carriers):
                if (frame.bus, frame.identifier) in carrier and seen < time < arrives[index]:
                    arrives[index] = time
        if max(arrives) < inf:
            return Reaction(seen, tuple(arrives))
    raise RuntimeError(f"{trial.scenario.name}: no controller would notice anything")


def first_difference(here: Any, there: Any, paths: Sequence[str]) -> int | None:
    """Index of the first of two rows of records that differ in one of the ``paths``; None if none does."""
    different = np.flatnonzero(np.any([locate(here, path) != locate(there, path) for path in paths], axis=0))
    return int(different[0]) if len(different) else None


def frames_of(network: Network, command: str) -> set[tuple[int, int]]:
    """Bus and identifier of the frames that carry a ``command``, a path in Outputs."""
    return {
        (bus.index, message.message.identifier)
        for bus in network.buses
        for message in bus.messages
        if message.from_controller and any(mapping.path.startswith(command) for mapping in message.mappings)
    }


def fastest_yaw_rate(trace: Trace, vehicle: Vehicle, friction: float, arrives: float) -> Any:
    """Yaw rate [rad/s] over time that no controller can exceed after a steering step to the left, (n,).

    Until the first command that knows of the step ``arrives`` [s], every controller's car does what the uncontrolled one of
    ``trace`` does. From then on the brakes of the inner wheels can build up torque with their lag, as far as the highest
    friction of half an axle's load lets them push, and the lateral force of the rear axle, which turns the car back, can at
    best be gone:

        j dr/dt <= j dr_a/dt + sum w/2 min(T_max (1 - exp(-t / tau)) / R, mu F_z) + l_r F_yr,
        F_yr = (m l_f a_y - j dr_a/dt) / l.

    Motors turn nothing by themselves behind open differentials. A car that understeers pushes back the more, the faster it turns,
    so that what it gains on the uncontrolled one is at most the integral.
    """
    car_ = vehicle.parameters[0]
    body, times, rate = car_.body, trace["time"], trace["yaw_rate"]
    l_f = body.front_axle_distance
    l_r = body.wheelbase - l_f
    mu = friction * car_.tyre.friction * (1.0 + car_.tyre.friction_load_sensitivity)
    since = np.maximum(times - arrives, 0.0)
    slope = np.gradient(rate, times)
    moment = l_r * np.maximum(body.mass * l_f * trace["lateral_acceleration"] - body.yaw_inertia * slope, 0.0) / body.wheelbase
    for axle_, share in ((car_.front, l_r / body.wheelbase), (car_.rear, l_f / body.wheelbase)):
        brake = axle_.brake.maximum_torque * -np.expm1(-since / axle_.brake.lag_time) / car_.tyre.radius
        moment += 0.5 * axle_.track * np.minimum(brake, 0.5 * share * mu * body.mass * GRAVITY)
    gain = np.where(times >= arrives, moment / body.yaw_inertia, 0.0)
    return rate + np.concatenate([[0.0], np.cumsum(gain[1:] * np.diff(times))])


def least_time_to(speed: float, vehicle: Vehicle, left: float, right: float, grade: float) -> float:
    """Time [s] from a standstill to ``speed`` [m/s] on a slope ``grade`` [1] at the limit of the tyres.

    The surface has a friction ``left`` and ``right`` of the car, which heads straight on. Each side has half of the weight, and
    since friction falls with load, both sides do best with equal loads in front and behind. Torque, lag and inertia of the wheels
    cost no time here.
    """
    body, rubber = vehicle.parameters[0].body, vehicle.parameters[0].tyre
    slope = atan(grade)
    load = 0.25 * body.mass * GRAVITY * cos(slope)
    force = 2.0 * (tyre.friction_limit(load, left, rubber) + tyre.friction_limit(load, right, rubber))
    acceleration = force / body.mass - GRAVITY * sin(slope)
    return float(speed / acceleration) if acceleration > 0.0 else inf


def highest_lateral_acceleration(vehicle: Vehicle, friction: float) -> float:
    """Lateral acceleration [m/s2] with all friction of all tyres used across the car, equally loaded as suits them best."""
    body, rubber = vehicle.parameters[0].body, vehicle.parameters[0].tyre
    return float(4.0 * tyre.friction_limit(0.25 * body.mass * GRAVITY, friction, rubber) / body.mass)


def least_overspeed(track: Track, trial: Trial, motor_arrives: float, brakes_arrive: float, duration: float = 0.3) -> float:
    """Least peak [m/s] of the front wheels' speed over that of their hubs, for commands that arrive at those times [s].

    Until then the drive of ``trial`` is the drive of any controller that obeys the pedal. Then the front motor is asked for all
    the braking torque that its envelope and the battery allow, with what the rear motor draws to spare, and both front brakes are
    applied; motor and hydraulics follow with their lags. Nothing that travels in later frames could be faster.
    """
    drive, bench = track.start(trial)
    begin = bench.time - drive.scenario_time
    bench.advance(ticks_until(bench.time, begin + min(motor_arrives, brakes_arrive)) * TICK)
    peak = 0.0
    state, plant = drive.car.state[0], drive.car.measurements[0].plant
    parameters = drive.car.parameters[0].plant
    for _ in range(round(duration / TICK)):
        state.scenario_time += TICK
        if state.scenario_time >= motor_arrives:
            state.demands.front.motor_torque = most_braking(state, plant, parameters)
        if state.scenario_time >= brakes_arrive:
            brake = parameters.front.brake.maximum_torque
            state.demands.front.left_brake_torque = state.demands.front.right_brake_torque = brake
        car_node.lay_road(drive.scenario.stimulus, drive.scenario.road, plant.body, state, parameters)
        car.step(TICK, state.demands, state.road, state.plant, parameters, plant)
        peak = max(
            peak, *(wheel.circumferential_speed - wheel.hub_speed_along for wheel in (plant.front.left, plant.front.right))
        )
    return float(peak)


def ticks_until(now: float, then: float) -> int:
    """Whole ticks that are over before ``then`` [s]."""
    return max(int((then - now) / TICK + 1e-6), 0)


def most_braking(state: Any, plant: Any, parameters: Any) -> float:
    """The most negative torque [Nm] that front motor and battery allow in the present state of the car."""
    engine, link = parameters.front.motor, state.plant.front.motor
    omega = link.speed
    available = motor.available_torque(omega, link.dc_voltage, engine)
    # What the battery takes, what the rest of the car burns, and the motor's own losses, no lower than at full torque.
    sink = plant.battery.charge_limit + plant.rear.motor.electrical_power + state.demands.auxiliary_power
    sink += sum(motor.losses(available, omega, link.dc_voltage, link.winding_temperature, link.rotor_temperature, engine))
    return float(-min(available, max(sink, 0.0) / max(omega, 1.0)))
