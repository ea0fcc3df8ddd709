"""The battery study: what the twin-motor LEAF does with other packs, and what stops it.

Each case is a launch at full pedal of the virtual car, its controller and its frames, in lockstep. A case differs from the
prototype in its pack, in that pack's charge and temperature, and in what may limit its power: everything; only what the
controller's limiter makes of the cells (voltage floor, current, temperature, charge); or nothing, so that the motors do.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from bench.drive import Drive, DriveResult
from bench.figures import KMH, LIMIT_TOLERANCE, motor_torque, plant, scenario_time, shaft_power, speed, time_to
from bench.rows import Row, bounded
from bench.scenarios import load_scenario
from bench.vehicles import Vehicle, list_chemistries, load_vehicle, with_pack
from firmware_model.measurements import Constraint
from hil.network.database import load_network

VEHICLE = "leaf_twin_motor"
SCENARIO = "launch"
KILOWATT_HOUR = 3.6e6  # [J]
DURATION = 20.0  # [s] from a standstill beyond 100 km/h, for all but hopeless packs
PARALLEL = (1, 2, 3, 4, 5, 6)  # 3 make the 62 kWh pack
STATES_OF_CHARGE = tuple(percent / 100.0 for percent in range(10, 100, 5))
TEMPERATURES = tuple(float(temperature) for temperature in range(-20, 60, 5))  # [degC]

NO_POWER_LIMIT = 1e6  # [W] thrice what the motors take, and the most that the controller believes
NO_CURRENT_LIMIT = 500.0  # [A] of one cell: half as much again as the motors take from three in parallel

CONSTRAINTS = {
    Constraint.BATTERY_LIMIT: "power",
    Constraint.VOLTAGE: "voltage",
    Constraint.CURRENT: "current",
    Constraint.STATE_OF_CHARGE: "state of charge",
    Constraint.TEMPERATURE: "temperature",
    Constraint.NO_VALID_LIMIT: "no valid limit",
    Constraint.RISE_RATE: "rise rate",
    Constraint.HEAT: "heat",
    Constraint.TURTLE: "turtle",
}
MOTORS = "motors"  # binds where no limit of the pack is reached
# A limit binds where the battery's power comes this close to it. The controller leaves 0.5 %, 250 W and the resolution of both
# torque frames of it free, 1 % of the smallest pack's, and follows a limit that rises with the delay of its frames.
BINDING_SHARE = 0.95


class Limit(StrEnum):
    """What may limit the pack's power."""

    ALL = "all limits"  # the power limit of the battery's controller (LBC), and the cells
    CELLS = "cells only"  # no power limit of the battery's controller
    NONE = "motors only"  # nor a limit of the cells' current


@dataclass(frozen=True)
class Case:
    """One launch. By default the prototype's, at the charge at which full-throttle drives of a LEAF e+ were recorded."""

    chemistry: str = "nmc_leaf"
    parallel: int = 3  # cells
    state_of_charge: float = 0.93
    temperature: float = 25.0  # [degC]
    limit: Limit = Limit.ALL


PROTOTYPE = Case()
PROTOTYPE_CELLS = replace(PROTOTYPE, limit=Limit.CELLS)
PROTOTYPE_MOTORS = replace(PROTOTYPE, limit=Limit.NONE)


@dataclass(frozen=True)
class Trace:
    """The launch over time."""

    times: Any  # [s]
    speed: Any  # [m/s]
    battery_power: Any  # [W]
    current: Any  # [A]
    cell_voltage: Any  # [V] of the weakest cell


@dataclass(frozen=True)
class Outcome:
    """What a launch came to. Voltage, current and constraint are those of the moment of the highest battery power."""

    case: Case
    energy: float  # [J] of the full pack
    mass: float  # [kg] of the car
    shaft_power: float  # [W] highest, both motors
    battery_power: float  # [W] highest
    voltage: float  # [V]
    current: float  # [A]
    constraint: str  # one of CONSTRAINTS, or MOTORS
    time_to_100: float  # [s] from standstill to 100 km/h, NaN if it was not reached
    cell_voltage: float  # [V] lowest
    torque_wanted: float  # [Nm] highest sum of both motors' torque that the controller wanted
    torque: float  # [Nm] highest sum of both motors' torque
    violations: int  # samples in which the battery's power was above a limit
    trace: Trace


@dataclass(frozen=True)
class Published:
    """Published figures, to compare with, and where they are from."""

    name: str
    power: float  # [W]
    power_source: str
    time_to_100: float = math.nan  # [s]
    time_source: str = "never published"


PUBLISHED_PROTOTYPE = Published("twin-motor LEAF", 227e3, "Nissan, October 2019, with 680 Nm")
PUBLISHED_MOTORS = Published("two LEAF e+ motors", 320e3, "twice the LEAF e+", time_source="no such car")
PUBLISHED_LEAF = Published("LEAF e+", 160e3, "Nissan", 6.9, "Nissan Europe, from memory")
PUBLISHED_TESLA = Published(
    "Model 3 Performance", 331e3, "444 bhp of 2019 (Autocar)", 3.4, "Tesla, 2019, from memory; Autocar has 3.7 s to 62 mph"
)
PUBLISHED = (PUBLISHED_LEAF, PUBLISHED_PROTOTYPE, PUBLISHED_MOTORS, PUBLISHED_TESLA)
PUBLISHED_TORQUE = 680.0  # [Nm] of the prototype

Outcomes = Mapping[Case, Outcome]


# --- cases ------------------------------------------------------------------------------------------------------------


def chemistries() -> list[str]:
    """Names of the cells, the prototype's first."""
    return sorted(list_chemistries(), key=lambda name: (name != PROTOTYPE.chemistry, name))


def pack_sweep(chemistry: str, limit: Limit) -> list[Case]:
    """Packs of one chemistry, from small to large."""
    return [replace(PROTOTYPE, chemistry=chemistry, parallel=parallel, limit=limit) for parallel in PARALLEL]


def charge_sweep(limit: Limit) -> list[Case]:
    """The prototype's pack from nearly empty to full."""
    return [replace(PROTOTYPE, state_of_charge=charge, limit=limit) for charge in STATES_OF_CHARGE]


def temperature_sweep(limit: Limit) -> list[Case]:
    """The prototype's pack from cold to hot."""
    return [replace(PROTOTYPE, temperature=temperature, limit=limit) for temperature in TEMPERATURES]


def without_controller_limit(case: Case) -> Case:
    """The same case with the limits of the cells alone."""
    return replace(case, limit=Limit.CELLS)


def all_cases() -> list[Case]:
    """Every case of the study, each once, the prototype's own first."""
    cases = [PROTOTYPE, PROTOTYPE_CELLS, PROTOTYPE_MOTORS]
    for limit in (Limit.ALL, Limit.CELLS):
        for chemistry in chemistries():
            cases += pack_sweep(chemistry, limit)
        cases += charge_sweep(limit) + temperature_sweep(limit)
    return list(dict.fromkeys(cases))


# --- driving ----------------------------------------------------------------------------------------------------------


def new_drive(case: Case) -> Drive:
    """The drive of a case, ready to run."""
    vehicle = vehicle_of(case)
    launch = load_scenario(SCENARIO)
    scenario = replace(launch, state_of_charge=case.state_of_charge, temperature=case.temperature, targets={})
    return Drive(load_network(vehicle.network), vehicle, scenario, duration=DURATION)


def vehicle_of(case: Case) -> Vehicle:
    """The prototype with the pack of a case."""
    power = None if case.limit is Limit.ALL else NO_POWER_LIMIT
    vehicle = with_pack(load_vehicle(VEHICLE), parallel=case.parallel, chemistry=case.chemistry, discharge_power_rated=power)
    if case.limit is Limit.NONE:
        vehicle.parameters.battery.cell.discharge_current_max = NO_CURRENT_LIMIT
    return vehicle


def run_cases(cases: Iterable[Case], threads: int | None = None) -> Iterator[Outcome]:
    """Drive the cases on some threads (one a core, if not given) and give their outcomes in the order of the cases.

    A run shares nothing with another but the compiled code, which does not hold the interpreter's lock. That code is to be
    compiled before (``new_drive(case).lockstep().compile()``).
    """
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        yield from pool.map(run_case, cases)


def run_case(case: Case) -> Outcome:
    """Drive one case. Raises RuntimeError if the car does not get to the end, which would be an error of the bench."""
    drive = new_drive(case)
    result = drive.result(list(drive.chunks(drive.lockstep())))
    if not result.completed:
        raise RuntimeError(f"{case}: the launch ended after {drive.scenario_time:.1f} s, {drive.duration:g} s were expected")
    return outcome_of(case, result)


def outcome_of(case: Case, result: DriveResult) -> Outcome:
    """What is kept of a drive."""
    samples = result.scenario_samples
    battery = plant(samples)["battery"]
    peak = int(np.argmax(battery["power"]))
    wanted = [samples["controller_measurements"][axle]["motor_torque_wanted"] for axle in ("front", "rear")]
    return Outcome(
        case=case,
        energy=float(battery["full_energy"][0]),
        mass=float(result.vehicle.parameters.body.mass[0]),
        shaft_power=float(np.max(shaft_power(samples))),
        battery_power=float(battery["power"][peak]),
        voltage=float(battery["voltage"][peak]),
        current=float(battery["current"][peak]),
        constraint=constraint_at(battery["power"][peak], samples["controller_measurements"]["discharge_limiter"][peak]),
        time_to_100=time_to(samples, 100.0 / KMH),
        cell_voltage=float(np.min(battery["cell_voltage_lowest"])),
        torque_wanted=float(np.max(wanted[0] + wanted[1])),
        torque=float(np.max(motor_torque(samples))),
        violations=count_violations(samples),
        trace=trace_of(samples),
    )


def constraint_at(power: float, limiter: Any) -> str:
    """What binds at a battery ``power`` [W]: what sets the limit of the controller's ``limiter``, or the motors.

    Whether the power budget cuts torque tells nothing: the allocation asks for no more than the battery allows.
    """
    if power < BINDING_SHARE * limiter["discharge_limit"]:
        return MOTORS
    return CONSTRAINTS[Constraint(int(limiter["discharge_constraint"]))]


def count_violations(samples: Any) -> int:
    """Samples in which the battery's power is above its controller's limit or above the limiter's, whichever is lower."""
    battery = plant(samples)["battery"]
    limiter = samples["controller_measurements"]["discharge_limiter"]
    limit = np.minimum(battery["discharge_limit"], limiter["discharge_limit"])
    return int(np.count_nonzero(battery["power"] > (1.0 + LIMIT_TOLERANCE) * limit))


def trace_of(samples: Any) -> Trace:
    """The signals of a drive that the report shows over time."""
    battery = plant(samples)["battery"]
    return Trace(
        times=scenario_time(samples).copy(),
        speed=speed(samples).copy(),
        battery_power=battery["power"].copy(),
        current=battery["current"].copy(),
        cell_voltage=battery["cell_voltage_lowest"].copy(),
    )


# --- results ----------------------------------------------------------------------------------------------------------


def answer(outcomes: Outcomes) -> str:
    """The answer to the study's question, in a sentence or two."""
    real, cells, motors = (outcomes[case] for case in (PROTOTYPE, PROTOTYPE_CELLS, PROTOTYPE_MOTORS))
    limit = vehicle_of(PROTOTYPE).parameters.battery.discharge_power_rated[0]
    return (
        f"With its 62 kWh pack the car makes {kilowatts(real.shaft_power)} at the shafts, where the battery's controller allows "
        f"{kilowatts(limit)}. Without that limit it would make {kilowatts(cells.shaft_power)}; then {cells.constraint} binds. "
        f"The motors alone would make {kilowatts(motors.shaft_power)} and take {motors.time_to_100:.1f} s to 100 km/h instead of "
        f"{real.time_to_100:.1f} s. Published for the Model 3 Performance of 2019: {kilowatts(PUBLISHED_TESLA.power)} and "
        f"{PUBLISHED_TESLA.time_to_100:g} s."
    )


def kilowatts(power: float) -> str:
    """A power [W] as people say it."""
    return f"{power * 1e-3:.0f} kW"


def result_rows(outcomes: Outcomes) -> list[Row]:
    """The answer in figures, and what was published beside it."""
    return [
        *prototype_rows(outcomes[PROTOTYPE]),
        *limit_rows(outcomes),
        *violation_rows(outcomes),
        *(row for car in (PUBLISHED_LEAF, PUBLISHED_TESLA) for row in published_rows(car)),
    ]


def prototype_rows(prototype: Outcome) -> list[Row]:
    """The prototype as it was."""
    return [
        near("62 kWh car: peak shaft power", prototype.shaft_power * 1e-3, "kW", PUBLISHED_PROTOTYPE.power * 1e-3, 0.02),
        near("62 kWh car: motor torque wanted", prototype.torque_wanted, "Nm", PUBLISHED_TORQUE, 0.01),
        Row("62 kWh car: motor torque delivered", prototype.torque, "Nm", note="as far as the front tyres grip: slip control"),
        Row("62 kWh car: peak battery power", prototype.battery_power * 1e-3, "kW", note=operating_point(prototype)),
        Row("62 kWh car: lowest cell voltage", prototype.cell_voltage, "V"),
        Row("62 kWh car: 0 to 100 km/h", prototype.time_to_100, "s", note="never published"),
        Row("62 kWh car: what binds", prototype.constraint),
    ]


def limit_rows(outcomes: Outcomes) -> list[Row]:
    """The prototype without its limits, and the packs that leave it to the motors."""
    cells, motors = outcomes[PROTOTYPE_CELLS], outcomes[PROTOTYPE_MOTORS]
    return [
        Row("cells only: peak shaft power", cells.shaft_power * 1e-3, "kW", note="no power limit of the LBC"),
        Row("cells only: peak battery power", cells.battery_power * 1e-3, "kW", note=operating_point(cells)),
        Row("cells only: 0 to 100 km/h", cells.time_to_100, "s"),
        Row("cells only: what binds", cells.constraint),
        near("motors only: peak shaft power", motors.shaft_power * 1e-3, "kW", PUBLISHED_MOTORS.power * 1e-3, 0.03),
        Row("motors only: peak battery power", motors.battery_power * 1e-3, "kW", note=operating_point(motors)),
        Row("motors only: 0 to 100 km/h", motors.time_to_100, "s"),
        Row("motors bind from", smallest_pack(outcomes, Limit.ALL), note="LEAF cells, all limits"),
        Row("cells only: motors bind from", smallest_pack(outcomes, Limit.CELLS), note="LEAF cells"),
    ]


def near(name: str, value: float, unit: str, published: float, tolerance: float) -> Row:
    """A figure that must lie within a ``tolerance`` [1] of a published one."""
    low, high = (round(published * (1.0 + sign * tolerance), 1) for sign in (-1.0, 1.0))
    return bounded(name, value, unit, minimum=low, maximum=high, note=f"published: {published:g} {unit}")


def operating_point(outcome: Outcome) -> str:
    """Current and voltage of the pack at the peak of its power."""
    return f"{outcome.current:.0f} A at {outcome.voltage:.0f} V"


def smallest_pack(outcomes: Outcomes, limit: Limit) -> str:
    """The smallest pack of LEAF cells with which the motors bind."""
    for case in pack_sweep(PROTOTYPE.chemistry, limit):
        if outcomes[case].constraint == MOTORS:
            return f"{outcomes[case].energy / KILOWATT_HOUR:.0f} kWh ({case.parallel}p)"
    return f"beyond {PARALLEL[-1]}p"


def violation_rows(outcomes: Outcomes) -> list[Row]:
    """Whether any limit was crossed."""
    total = sum(outcome.violations for outcome in outcomes.values())
    note = f"samples of 10 ms more than {LIMIT_TOLERANCE:.1%} above the lowest limit"
    return [
        bounded("limit violations, 62 kWh car", outcomes[PROTOTYPE].violations, "1", maximum=0, note=note),
        bounded(f"limit violations, all {len(outcomes)} cases", total, "1", maximum=0),
    ]


def published_rows(car: Published) -> list[Row]:
    """The published figures of a car."""
    return [
        Row(f"{car.name}: power", car.power * 1e-3, "kW", note=f"published: {car.power_source}"),
        Row(f"{car.name}: 0 to 100 km/h", car.time_to_100, "s", note=f"published: {car.time_source}"),
    ]


@dataclass(frozen=True)
class Column:
    """One column of the table of cases."""

    key: str
    heading: str
    value: Callable[[Outcome], str | int | float]


COLUMNS = (
    Column("chemistry", "cells", lambda o: o.case.chemistry),
    Column("parallel", "parallel", lambda o: o.case.parallel),
    Column("energy_kwh", "kWh", lambda o: round(o.energy / KILOWATT_HOUR, 1)),
    Column("mass_kg", "car kg", lambda o: round(o.mass)),
    Column("state_of_charge_percent", "charge %", lambda o: round(100.0 * o.case.state_of_charge, 1)),
    Column("temperature_degc", "°C", lambda o: o.case.temperature),
    Column("limit", "limits", lambda o: str(o.case.limit)),
    Column("shaft_power_kw", "shaft kW", lambda o: round(o.shaft_power * 1e-3, 1)),
    Column("battery_power_kw", "battery kW", lambda o: round(o.battery_power * 1e-3, 1)),
    Column("current_a", "A", lambda o: round(o.current)),
    Column("voltage_v", "V", lambda o: round(o.voltage)),
    Column("lowest_cell_voltage_v", "cell V", lambda o: round(o.cell_voltage, 2)),
    Column("time_to_100_kmh_s", "0-100 s", lambda o: round(o.time_to_100, 2)),
    Column("constraint", "binds", lambda o: o.constraint),
    Column("violations", "violations", lambda o: o.violations),
)


def table_line(outcome: Outcome) -> dict[str, str | int | float | None]:
    """One case as a line of a table, by the keys of COLUMNS; None where a figure has no value."""
    line = {column.key: column.value(outcome) for column in COLUMNS}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in line.items()}
