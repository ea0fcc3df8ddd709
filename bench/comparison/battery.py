"""What the discharge limiter is worth: no cell beyond its limits anywhere on a grid of packs, against a static table of the same
safety; the power used at full throttle; and the predicted power against the true one.

Every figure is measured through the frames of the network and the lag of the inverters. The car is the twin-motor LEAF, whose
motors can take more than its pack can give.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from bench.comparison.result import BatteryPlots, Manoeuvre, Result
from bench.comparison.track import Track
from bench.drive import Drive
from bench.figures import LIMIT_TOLERANCE, limit_violations, time_to
from bench.nodes import stimulus as columns
from bench.nodes.car import Phase
from bench.plant.battery import BatteryMeasurements, BatteryState
from bench.plant.state_of_power import CHARGE, DISCHARGE, endless_power, sustainable_power
from bench.rows import Row, bounded
from bench.scenarios import Scenario, load_scenario
from bench.vehicles import Vehicle, load_vehicle, with_pack
from firmware_model.kernel import new
from firmware_model.signals import Gear
from hil.network.database import Network, load_network

Progress = Callable[[int, int], None]

VEHICLE = "leaf_twin_motor"
KILO = 1e-3

CHARGES = (0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
TEMPERATURES = tuple(float(temperature) for temperature in range(-20, 60, 5))  # [degC]
DURATION = 30.0  # [s] of a random drive
# The limiter's values were tuned with the drives 0 to 383; what is told here is of others.
FIRST_SEED = 1000
CHUNK = 3.0  # [s] of a drive in one go

# Where the prediction is tried: away from full and empty, where there is next to no power, or next to no time, to predict.
PREDICTED_CHARGES = (0.08, 0.12, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
PREDICTED_TEMPERATURES = (-20.0, -5.0, 10.0, 25.0, 45.0)  # [degC]
PREDICTED_AT = (18.0, 23.0, 29.0)  # [s] into a random drive: the pack's age is learnt from the first currents
HORIZONS = (2, 10, 30)  # [s]
TRIALS = 200  # steps in which the true power is tried
PREDICTION_ERROR = 0.02
# Below, the error is told in watts: two steps of the power limits in their frame.
LEAST_POWER = 25e3  # [W]
LEAST_ERROR = 500.0  # [W]

SHARE_USED = 0.987  # of its limit: what a production LEAF e+ uses
OVERSHOOT_TIME = 0.01  # [s]
DROP_SHARE = 0.5  # of the limit that is left after a sudden drop
DROP_TIME = 6.0  # [s] into a launch
NO_LIMIT = 1e6  # [W]


@dataclass(frozen=True)
class Age:
    """How old a pack is. The old one is an assumption: a LEAF pack at the end of its warranty, its resistance nearly doubled."""

    name: str
    state_of_health: float
    resistance_growth: float


NEW = Age("new", 1.0, 1.0)
AGED = Age("aged", 0.75, 1.8)
AGES = (NEW, AGED)


@dataclass(frozen=True)
class Case:
    """One point of the grid."""

    state_of_charge: float
    temperature: float  # [degC]
    age: Age
    seed: int  # of its random drive


@dataclass(frozen=True)
class Outcome:
    """What one random drive came to: samples of 10 ms beyond a limit, and the energy that the pack gave."""

    case: Case
    cells: int  # a cell below its floor while the motors drive, or above its ceiling while they charge
    currents: int
    powers: int  # above the limit of the battery's controller
    lowest_cell: float  # [V]
    limit: float  # [W] mean discharge limit
    energy: float  # [J] discharged with the on-line limiter
    static_energy: float  # [J] discharged with the static table


@dataclass(frozen=True)
class Prediction:
    """One prediction beside the truth."""

    case: Case
    direction: str  # discharge or charge
    horizon: int  # [s]
    predicted: float  # [W]
    true: float  # [W]


# --- the random drive -------------------------------------------------------------------------------------------------


@cache
def prototype() -> tuple[Vehicle, Network]:
    """The twin-motor LEAF and its network, read once."""
    vehicle = load_vehicle(VEHICLE)
    return vehicle, load_network(vehicle.network)


def vehicle_of(age: Age) -> Vehicle:
    """The twin-motor LEAF with a pack of that age."""
    vehicle = with_pack(prototype()[0])
    pack = vehicle.parameters[0].battery
    pack.state_of_health = age.state_of_health
    pack.series_growth = pack.polarisation_growth = age.resistance_growth
    return vehicle


def random_drive(case: Case) -> Scenario:
    """A driver who cannot decide: both pedals, anywhere, for half a second to six seconds each; always the same for a seed."""
    random = np.random.default_rng(case.seed)
    rows = [(0.0, 0.0, 0.3)]
    time = 0.5
    while time < DURATION:
        accelerator, brake = _pedals(random)
        rows += [(time, *rows[-1][1:]), (time + 0.05, accelerator, brake)]
        time += float(random.uniform(0.5, 6.0))
    table = np.zeros((len(rows), columns.COLUMNS))
    table[:, (columns.TIME, columns.ACCELERATOR, columns.BRAKE)] = rows
    table[:, columns.SPEED] = math.nan
    table[:, columns.GEAR] = Gear.DRIVE
    table[:, (columns.FRICTION_LEFT, columns.FRICTION_RIGHT)] = 1.0
    return replace(
        load_scenario("launch"), stimulus=table, duration=DURATION, targets={},
        state_of_charge=case.state_of_charge, temperature=case.temperature,
    )  # fmt: skip


def _pedals(random: Any) -> tuple[float, float]:
    """Accelerator and brake pedal: half of the time strongly on, else braking or hardly anything."""
    choice = random.random()
    if choice < 0.55:
        return float(random.uniform(0.3, 1.0)), 0.0
    if choice < 0.8:
        return 0.0, float(random.uniform(0.1, 0.5))
    return float(random.uniform(0.0, 0.3)), 0.0


def grid() -> list[Case]:
    """All points of the grid."""
    points = [(charge, temperature, age) for age in AGES for temperature in TEMPERATURES for charge in CHARGES]
    return [Case(*point, seed) for seed, point in enumerate(points, start=FIRST_SEED)]


def run_case(case: Case) -> Outcome:
    """Drive one point of the grid twice: with the on-line limiter, and with the static table of the same safety."""
    vehicle = vehicle_of(case.age)
    scenario = random_drive(case)
    samples = drive(vehicle, scenario)
    return Outcome(
        case=case,
        **violations(samples, vehicle.parameters[0].battery),
        lowest_cell=float(np.min(_pack(samples)["cell_voltage_lowest"])),
        limit=float(np.mean(samples["controller_measurements"]["discharge_limiter"]["discharge_limit"])),
        energy=energy_of(samples),
        static_energy=energy_of(drive(with_static_limit(vehicle, case.temperature), scenario)),
    )


def drive(vehicle: Vehicle, scenario: Scenario) -> Any:
    """The samples of a drive. Raises RuntimeError if it does not get to its end, which would be an error of the bench."""
    run = Drive(prototype()[1], vehicle, scenario)
    samples = np.concatenate([chunk.samples for chunk in run.chunks(run.lockstep(), CHUNK)])
    if run.scenario_time < run.duration:
        raise RuntimeError(f"the drive ended after {run.scenario_time:.1f} s, {run.duration:g} s were expected")
    return samples[samples["car_measurements"]["phase"] == Phase.DRIVING]


def violations(samples: Any, pack: Any) -> dict[str, int]:
    """How many samples are beyond a limit of the cells, of the current, of the battery's controller.

    A cell that is beyond its limit at rest, or by the auxiliaries alone, is not the motors' doing.
    """
    battery = _pack(samples)
    cell, current = pack.cell, battery["current"]
    motors = sum(samples["car_measurements"]["plant"][axle]["motor"]["mechanical_power"] for axle in ("front", "rear"))
    too_low = (battery["cell_voltage_lowest"] < cell.voltage_min) & (motors > LEAST_ERROR)
    too_high = (battery["cell_voltage_highest"] > cell.voltage_max) & (current < 0.0)
    too_much = (current > pack.parallel * cell.discharge_current_max) | (-current > pack.parallel * cell.charge_current_max)
    return {
        "cells": int(np.count_nonzero(too_low | too_high)),
        "currents": int(np.count_nonzero(too_much)),
        "powers": int(limit_violations(samples)),
    }


def energy_of(samples: Any) -> float:
    """Energy [J] that the pack has given."""
    discharged = _pack(samples)["discharged_energy"]
    return float(discharged[-1] - discharged[0])


def with_static_limit(vehicle: Vehicle, temperature: float) -> Vehicle:
    """The same car with a table limit over charge and temperature in its battery's controller.

    The table knows neither age nor polarisation, so it holds what the oldest pack can give after any drive.
    """
    static = with_pack(vehicle)
    pack = static.parameters[0].battery
    full = pack.series * pack.parallel * pack.state_of_health * pack.cell.capacity * pack.cell.nominal_voltage
    charges = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0])
    own = np.interp(full * charges, pack.discharge_energy, pack.discharge_over_energy)
    table = np.array([static_limit(charge, temperature) for charge in charges]) / pack.discharge_power_rated
    cold_or_hot = np.interp(temperature, pack.limit_temperature, pack.discharge_over_temperature)
    pack.discharge_energy = full * charges
    pack.discharge_over_energy = np.minimum(own, table / cold_or_hot) if cold_or_hot > 0.0 else own
    return static


def static_limit(charge: float, temperature: float) -> float:
    """Discharge power [W] that is safe at ``charge`` [1] and ``temperature`` [degC] for a pack of any age after any drive."""
    return min(endless_power(charge, temperature, vehicle_of(age).parameters[0].battery) for age in AGES)


def _pack(samples: Any) -> Any:
    return samples["car_measurements"]["plant"]["battery"]


# --- full throttle ----------------------------------------------------------------------------------------------------


def throttle_rows() -> Iterator[Row]:
    """Share of the allowed DC power that is used at full throttle, and by how much and how long it is exceeded."""
    for name in ("leaf_plus", VEHICLE):
        samples = drive(load_vehicle(name), replace(load_scenario("launch"), targets={}))
        battery = _pack(samples)
        share = battery["power"] / battery["discharge_limit"]
        over = share > 1.0 + LIMIT_TOLERANCE
        note = "peak of a launch; a production LEAF e+ uses 98.7 %"
        yield bounded(f"{name}: share of the allowed power used", float(share.max()), "1", minimum=SHARE_USED, note=note)
        yield bounded(f"{name}: power over the limit", max(float(share.max()) - 1.0, 0.0), "1", maximum=LIMIT_TOLERANCE)
        yield bounded(f"{name}: time over the limit by more", 10.0 * longest_run(over), "ms", maximum=1e3 * OVERSHOOT_TIME)


def drop_rows() -> Iterator[Row]:
    """How long the power is above a limit that suddenly halves, and how long it must be."""
    vehicle, network = prototype()
    run = Drive(network, vehicle, replace(load_scenario("launch"), targets={}), duration=DROP_TIME + 1.0)
    bench = run.lockstep()
    bench.sample_every = 1
    pack = run.car.parameters["plant"]["battery"]
    rated = float(pack["discharge_power_rated"][0])
    chunks = []
    for chunk in run.chunks(bench, 0.01):
        chunks.append(chunk)
        if run.scenario_time >= DROP_TIME:
            pack["discharge_power_rated"] = DROP_SHARE * rated
    samples = np.concatenate([chunk.samples for chunk in chunks])
    samples = samples[samples["car_measurements"]["phase"] == Phase.DRIVING]
    power, limit = _pack(samples)["power"], _pack(samples)["discharge_limit"]
    start = int(np.argmax(limit < 0.75 * rated))
    before, after = float(power[start - 1]), (1.0 + LIMIT_TOLERANCE) * float(limit[start])
    falls = int(np.argmax(power[start:] < (1.0 - LIMIT_TOLERANCE) * before))  # [ms] no controller's answer is there earlier
    lag = 1e3 * float(vehicle.parameters[0].front.motor.torque_lag_time)
    bound = falls + lag * math.log(before / after)
    above = int(np.flatnonzero(power[start:] > after)[-1]) + 1
    note = f"bound {bound:.0f} ms: {falls} ms until the first request is there, then a request of zero and the inverters' lag"
    yield Row("limit halves at full throttle: time above it", float(above), "ms", note=note)


def longest_run(flags: Any) -> int:
    """Length of the longest unbroken run of true ``flags``."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(int), [0]))))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


# --- prediction -------------------------------------------------------------------------------------------------------


def prediction_cases() -> list[Case]:
    """Where the prediction is tried."""
    points = [
        (charge, temperature, age) for age in AGES for temperature in PREDICTED_TEMPERATURES for charge in PREDICTED_CHARGES
    ]
    return [Case(*point, seed) for seed, point in enumerate(points, start=FIRST_SEED)]


def cells_only(vehicle: Vehicle) -> Vehicle:
    """The same car with a battery controller that allows everything, so that the cells are what limits."""
    free = with_pack(vehicle, discharge_power_rated=NO_LIMIT)
    pack = free.parameters[0].battery
    pack.discharge_over_energy = pack.discharge_over_temperature = pack.charge_over_temperature = 1.0
    pack.charge_power = NO_LIMIT
    return free


def predict(case: Case) -> list[Prediction]:
    """Predictions in the course of one random drive, and what the pack could really keep up at these moments."""
    vehicle = cells_only(vehicle_of(case.age))
    run = Drive(prototype()[1], vehicle, random_drive(case))
    _lift_power_limits(run.controller.parameters[0].discharge_limiter)
    due = list(PREDICTED_AT)
    predictions = []
    for _ in run.chunks(run.lockstep(), 0.1):
        if due and run.phase == Phase.DRIVING and run.scenario_time >= due[0]:
            due.pop(0)
            predictions += list(_compare(case, run))
    return predictions


def _lift_power_limits(limiter: Any) -> None:
    """Take away all that limits the power for another reason than voltage, current and charge of the cells."""
    limiter.power_full = NO_LIMIT
    limiter.discharge_charge_full, limiter.charge_charge_full = 1e-4, 1.0 - 1e-4
    limiter.hot_full, limiter.hot_zero, limiter.cold_full, limiter.cold_zero = 90.0, 100.0, -50.0, -60.0
    limiter.turtle_energy = limiter.turtle_release = 0.0
    limiter.heat_current = limiter.discharge_current_max


def _compare(case: Case, run: Drive) -> Iterator[Prediction]:
    pack = run.car.parameters[0].plant.battery
    state = run.car.state[0].plant.battery
    trial, measured = new(BatteryState)[0], new(BatteryMeasurements)[0]
    told = run.controller.measurements[0].discharge_limiter
    for direction, d in (("discharge", DISCHARGE), ("charge", CHARGE)):
        for horizon in HORIZONS:
            true = sustainable_power(d, float(horizon), horizon / TRIALS, pack, state, trial, measured)
            yield Prediction(case, direction, horizon, float(told[f"{direction}_power_{horizon}s"]), true)


def prediction_rows(predictions: list[Prediction]) -> Iterator[Row]:
    """The largest error of each horizon, and where it is."""
    for direction in ("discharge", "charge"):
        for horizon in HORIZONS:
            chosen = [p for p in predictions if (p.direction, p.horizon) == (direction, horizon)]
            large = [p for p in chosen if p.true >= LEAST_POWER]
            small = [abs(p.predicted - p.true) for p in chosen if p.true < LEAST_POWER]
            worst = max(large, key=_error)
            rms = math.sqrt(sum(_error(p) ** 2 for p in large) / len(large))
            over = sum(_error(p) > PREDICTION_ERROR for p in large)
            case = worst.case
            note = (
                f"rms {rms:.2%}; {over} of {len(large)} of {LEAST_POWER * KILO:g} kW and more over {PREDICTION_ERROR:.0%}; "
                f"worst {worst.predicted / worst.true - 1.0:+.1%} at {case.state_of_charge:.0%}, {case.temperature:g} °C, "
                f"{case.age.name}; smaller powers at most {max(small, default=0.0):.0f} W off"
            )
            name = f"predicted {direction} power for {horizon} s: largest error"
            yield bounded(name, _error(worst), "1", maximum=PREDICTION_ERROR, note=note)


def _error(prediction: Prediction) -> float:
    """Error [1] of a prediction, without its sign."""
    return abs(prediction.predicted / prediction.true - 1.0)


# --- results ----------------------------------------------------------------------------------------------------------


def grid_rows(outcomes: list[Outcome]) -> Iterator[Row]:
    """What the grid came to."""
    note = f"samples of 10 ms in {len(outcomes)} random drives of {DURATION:g} s"
    yield bounded("grid: cells beyond their voltage limits", sum(o.cells for o in outcomes), "1", maximum=0, note=note)
    yield bounded("grid: currents over the limit", sum(o.currents for o in outcomes), "1", maximum=0, note=note)
    yield bounded("grid: power over the battery controller's limit", sum(o.powers for o in outcomes), "1", maximum=0, note=note)
    for age in AGES:
        ours = [o for o in outcomes if o.case.age == age]
        gain = sum(o.energy for o in ours) / sum(o.static_energy for o in ours) - 1.0
        best = max(ours, key=lambda o: o.energy - o.static_energy)
        place = f"most at {best.case.temperature:g} °C and {best.case.state_of_charge:.0%}"
        note = f"{place}: {best.energy * KILO:.0f} instead of {best.static_energy * KILO:.0f} kJ"
        yield Row(f"{age.name} pack: energy gained on a static table", gain, "1", note=note)


def launch_rows() -> Iterator[Row]:
    """What the on-line limiter is worth at the traffic lights: a new pack, cold and low."""
    vehicle = vehicle_of(NEW)
    scenario = replace(load_scenario("launch"), targets={}, state_of_charge=0.15, temperature=0.0)
    times = [time_to(drive(car, scenario), 100.0 / 3.6) for car in (vehicle, with_static_limit(vehicle, scenario.temperature))]
    note = f"static table of the same safety: {times[1]:.2f} s"
    yield Row("0 to 100 km/h, new pack at 0 °C and 15 %", times[0], "s", note=note)


@dataclass(frozen=True)
class BatteryResults:
    """All that was found."""

    outcomes: list[Outcome]
    predictions: list[Prediction]
    rows: list[Row]


def compare_battery(progress: Progress = lambda done, total: None) -> BatteryResults:
    """Everything, one drive after the other; ``progress`` is told how many of how many are done."""
    cases, tries = grid(), prediction_cases()
    total = len(cases) + len(tries)
    outcomes: list[Outcome] = []
    predictions: list[Prediction] = []
    for case in cases:
        outcomes.append(run_case(case))
        progress(len(outcomes), total)
    for done, case in enumerate(tries, start=len(cases) + 1):
        predictions += predict(case)
        progress(done, total)
    rows = [*throttle_rows(), *drop_rows(), *grid_rows(outcomes), *launch_rows(), *prediction_rows(predictions)]
    return BatteryResults(outcomes, predictions, rows)


def run_battery(track: Track) -> Result:
    """The comparison as one manoeuvre among the others; its cars are its own."""
    results = compare_battery(lambda _done, _total: track.driven())
    return Result(results.rows, [BatteryPlots(results)])


MANOEUVRE = Manoeuvre(
    "battery",
    "The battery's limits: -20 to 55 °C, 2 to 100 % charge, new and aged",
    len(CHARGES) * len(TEMPERATURES) * len(AGES) + len(PREDICTED_CHARGES) * len(PREDICTED_TEMPERATURES),
    run_battery,
)
