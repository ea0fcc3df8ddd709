"""Energy and road load beside what regulators measured: wall energy on their cycles, and coast-down.

EPA's figures are unadjusted dynamometer results of the multi-cycle test (SAE J1634): climate control off, D, normal mode. The
dynamometer imposes the equivalent test weight and the coast-down coefficients, which are the vehicle files' road load. Test mass
and road load of the Japanese figures are not known: the car as driven stands in, and EPA's coast-down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bench.cycles.charging import LEAF_CHARGER, Charger
from bench.cycles.driving import Conditions, CycleResult, drive_cycle
from bench.cycles.energy import rotating_mass
from bench.cycles.sources import load_cycle
from bench.cycles.trace import KMH
from bench.plant import car
from bench.validation.check import Check, Curve, Lab, Measure, MissingError, Plot, Subject
from bench.vehicles import Vehicle
from firmware_model.kernel import kernel, new
from hil.errors import UsageError

POUND = 0.45359237  # [kg]
TEST_WEIGHTS = {"leaf_plus": 4250.0, "leaf_plus_s": 4250.0, "leaf_40": 3875.0}  # [lb] EPA's equivalent test weight
TEST_TEMPERATURE = 25.0  # [degC] EPA: 68 to 86 degF; Japan: 23 degC
TEST_CHARGE = 0.6  # middle of the test, which begins full and ends empty
JAPANESE_OUTLET = replace(LEAF_CHARGER, ac_power=3000.0)  # assumption: 200 V and 15 A, as is usual there

COAST_FROM, COAST_TO, COAST_STEP = 115.0, 15.0, 10.0  # [km/h] SAE J2263
CHUNK = 0.05  # [s] between two looks at a coasting car
DT = 1e-3  # [s]


# --- cycles ---------------------------------------------------------------------------------------------------------------


def drive(name: str, subject: Subject, test_weight: float | None, charger: Charger) -> CycleResult:
    """Drive the cycle of that name, with a ``test_weight`` [lb] in the place of the car's own. Raises MissingError."""
    try:
        cycle = load_cycle(name)
    except UsageError as error:
        raise MissingError(str(error)) from error
    mass = None if test_weight is None else POUND * test_weight
    conditions = Conditions(state_of_charge=TEST_CHARGE, temperature=TEST_TEMPERATURE, test_mass=mass)
    return drive_cycle(subject.vehicle, cycle, conditions, charger=charger)


def epa(name: str, title: str) -> Check:
    """The check of a cycle as EPA drives it."""

    def run(lab: Lab, subject: Subject) -> CycleResult:
        return drive(name, subject, TEST_WEIGHTS[subject.vehicle.name], LEAF_CHARGER)

    return Check(name, title, run, cycle_plots(title))


def cycle_plots(title: str) -> Any:
    """Battery power of all cars over the cycle, and the speed they followed."""

    def plots(results: Mapping[Subject, CycleResult]) -> list[Plot]:
        curves = [
            Curve(subject.vehicle.name, result.meter.curve()["time"], 1e-3 * result.meter.curve()["pack_power"])
            for subject, result in results.items()
        ]
        text = "Power at the pack's terminals: below zero it is charged by the motors."
        return [Plot(title, text, "time [s]", "battery power [kW]", curves)]

    return plots


def wall_per_mile(result: CycleResult) -> float:
    """Energy from the wall [Wh/mi]; NaN for a drive that left the trace, which is no measurement."""
    return result.per_mile(result.wall) if followed(result) else np.nan


def wall_per_km(result: CycleResult) -> float:
    """The same [Wh/km]."""
    return result.per_km(result.wall) if followed(result) else np.nan


def followed(result: CycleResult) -> bool:
    """Whether the car came through the cycle within its tolerance."""
    return result.completed and result.violations == 0


def split(result: CycleResult) -> str:
    """Where the energy went, in words."""
    parts = {
        "road": "road_load", "motors": "motor_loss", "gears": "driveline_loss", "auxiliaries": "auxiliaries",
        "brakes": "brake_loss",
    }  # fmt: skip
    told = ", ".join(f"{label} {result.per_mile(result.meter.joules[name]):.0f}" for label, name in parts.items())
    return f"DC {result.per_mile(result.meter.dc):.0f} Wh/mi: {told}"


# --- coast-down -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoastDown:
    """Road load found by letting the car coast, beside that of its coefficients, at the middle of each interval of speed."""

    vehicle: str
    speed: Any  # [m/s]
    found: Any  # [N]
    expected: Any  # [N]

    @property
    def worst(self) -> float:
        """Largest difference, as a share of the expected force [1]."""
        return float(np.max(np.abs(self.found / self.expected - 1.0)))


@kernel
def coast(steps: int, dt: float, demands: Any, road: Any, state: Any, parameters: Any, measurements: Any) -> None:
    """Let the car go on for so many ``steps`` of ``dt`` [s]."""
    for _ in range(steps):
        car.step(dt, demands, road, state, parameters, measurements)


def coast_down(vehicle: Vehicle) -> CoastDown:
    """Let the car coast in neutral on a level road without wind, and find the force from its deceleration.

    F = (m + m_rot) dv / dt over each interval of speed, m_rot from wheels and rotors.
    """
    parameters = vehicle.parameters
    state, demands, road, measured = (new(record) for record in (car.State, car.Demands, car.Road, car.Measurements))
    # Neutral: the inverters do not switch. The run begins faster, so that what the start disturbs has settled.
    car.place((COAST_FROM + 5.0) * KMH, 0.5, TEST_TEMPERATURE, state[0], parameters[0])
    times, speeds = [0.0], [(COAST_FROM + 5.0) * KMH]
    while speeds[-1] > (COAST_TO - 1.0) * KMH:
        coast(round(CHUNK / DT), DT, demands[0], road[0], state[0], parameters[0], measured[0])
        times.append(times[-1] + CHUNK)
        speeds.append(float(state[0].body.longitudinal_speed))
    edges = KMH * np.arange(COAST_FROM, COAST_TO - 1.0, -COAST_STEP)
    passed = np.interp(-edges, -np.array(speeds), times)
    inertia = float(parameters[0].body.mass) + rotating_mass(parameters[0])
    middle = 0.5 * (edges[1:] + edges[:-1])
    found = inertia * -np.diff(edges) / np.diff(passed)
    return CoastDown(vehicle.name, middle, found, mean_road_load(edges, parameters[0].body))


def mean_road_load(edges: Any, body: Any) -> Any:
    """Force [N] that takes as long as the coefficients from each of ``edges`` [m/s] to the next: 1 / mean(1 / F)."""
    forces = []
    for fast, slow in pairwise(edges):
        v = np.linspace(slow, fast, 101)
        force = body.road_load_0 + v * (body.road_load_1 + v * body.road_load_2)
        forces.append((fast - slow) / np.trapezoid(1.0 / force, v))
    return np.array(forces)


def forces(results: Mapping[Subject, CoastDown]) -> list[Plot]:
    """What was found, and the coefficients."""
    curves = []
    for result in results.values():
        speed = result.speed / KMH
        curves.append(Curve(f"{result.vehicle}: found", speed, result.found))
        curves.append(Curve(f"{result.vehicle}: EPA", speed, result.expected, measured=True))
    return [Plot("Coast-down", "In neutral, from 115 to 15 km/h.", "speed [km/h]", "force [N]", curves)]


def coast_subject(lab: Lab, subject: Subject) -> CoastDown:
    """The coast-down of a car."""
    return coast_down(subject.vehicle)


UDDS, HWFET = epa("udds", "EPA's city cycle, UDDS"), epa("hwfet", "EPA's highway cycle, HWFET")
WLTC_JAPAN = Check(
    "wltc_3b_japan", "WLTC as Japan drives it, without its fastest part",
    lambda lab, subject: drive("wltc_3b_japan", subject, None, JAPANESE_OUTLET), cycle_plots("WLTC as Japan drives it"),
)  # fmt: skip
COAST_DOWN = Check("coast-down", "Coast-down", coast_subject, forces)

MEASURES = {
    "udds_wall_energy": Measure("UDDS, from the wall", "Wh/mi", UDDS, wall_per_mile, split),
    "hwfet_wall_energy": Measure("HWFET, from the wall", "Wh/mi", HWFET, wall_per_mile, split),
    "wltc_jp_wall_energy": Measure("WLTC of Japan, from the wall", "Wh/km", WLTC_JAPAN, wall_per_km, split),
    "coast_down_deviation": Measure("coast-down, largest deviation", "%", COAST_DOWN, lambda result: 100.0 * result.worst),
}
