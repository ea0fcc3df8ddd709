"""Energy and road load against what regulators measured: wall energy on their cycles, and coast-down.

EPA's figures are unadjusted dynamometer results of the multi-cycle test (SAE J1634): climate control off, D, normal mode. The
dynamometer imposes the equivalent test weight and the coast-down coefficients, which are the vehicle files' road load.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bench.cycles.charging import LEAF_CHARGER, Charger
from bench.cycles.driving import Conditions, CycleResult, drive_cycle, with_mass
from bench.cycles.energy import rotating_mass
from bench.cycles.sources import load_cycle
from bench.cycles.trace import KMH, Cycle
from bench.plant import car
from bench.rows import Row
from bench.vehicles import Vehicle
from firmware_model.kernel import kernel, new

POUND = 0.45359237  # [kg]
EPA_TOLERANCE = 0.05  # of the published figure
JAPAN_TOLERANCE = 0.07
COAST_DOWN_TOLERANCE = 0.01
# Climate control is off in these tests. 250 W is an assumption: computers, pumps, power steering and daytime lights of such cars
# take 200 to 350 W.
AUXILIARY_POWER = 250.0  # [W]
TEST_TEMPERATURE = 25.0  # [degC] EPA: 68 to 86 degF; Japan: 23 degC
TEST_CHARGE = 0.6  # middle of the test, which begins full and ends empty

# Assumption: charged at the outlet that is usual in Japan, 200 V and 15 A.
JAPANESE_OUTLET = replace(LEAF_CHARGER, ac_power=3000.0)

COAST_FROM, COAST_TO, COAST_STEP = 115.0, 15.0, 10.0  # [km/h] SAE J2263
CHUNK = 0.05  # [s] between two looks at a coasting car
DT = 1e-3  # [s]


@dataclass(frozen=True)
class EnergyTarget:
    """A published consumption: what it is of, and the level of its evidence (A measured, B the maker's claim)."""

    cycle: str
    published: float
    unit: str  # Wh/mi or Wh/km
    tolerance: float
    level: str
    source: str
    test_weight: float | None = None  # [lb] equivalent test weight; None: the car as driven
    charger: Charger = LEAF_CHARGER

    @property
    def name(self) -> str:
        """How a table calls it."""
        return f"{self.cycle.upper()} wall energy"


def epa(cycle: str, published: float, test_weight: float) -> EnergyTarget:
    """A figure of the EPA's list of model year 2022, 33.705 kWh over the unadjusted MPGe."""
    return EnergyTarget(cycle, published, "Wh/mi", EPA_TOLERANCE, "A", "EPA 2022, unadjusted", test_weight)


def japan(published: float) -> EnergyTarget:
    """The WLTC figure of a Japanese catalogue, charging included.

    Test mass and road load of that test are not known: the car as driven stands in, and EPA's coast-down.
    """
    return EnergyTarget(
        "wltc_3b_japan", published, "Wh/km", JAPAN_TOLERANCE, "B", "Nissan Japan, WLTC mode", charger=JAPANESE_OUTLET
    )


# by the name of the vehicle's file
TARGETS: dict[str, tuple[EnergyTarget, ...]] = {
    "leaf_plus": (epa("udds", 206.1, 4250.0), epa("hwfet", 250.2, 4250.0), japan(161.0)),  # SV and SL, 17 inch
    "leaf_plus_s": (epa("udds", 200.1, 4250.0), epa("hwfet", 242.5, 4250.0)),  # S, 16 inch
    "leaf_40": (epa("udds", 192.0, 3875.0), epa("hwfet", 238.7, 3875.0), japan(155.0)),
}


@dataclass(frozen=True)
class EnergyOutcome:
    """A published consumption beside the simulated one."""

    vehicle: str
    target: EnergyTarget
    result: CycleResult

    @property
    def simulated(self) -> float:
        """The consumption from the wall, in the target's unit."""
        per = self.result.per_mile if self.target.unit == "Wh/mi" else self.result.per_km
        return per(self.result.wall)

    @property
    def difference(self) -> float:
        """Simulated above published, as a share of it [1]."""
        return self.simulated / self.target.published - 1.0

    @property
    def row(self) -> Row:
        """The row of a table. A drive that left the trace is no measurement."""
        target, followed = self.target, self.result.completed and self.result.violations == 0
        passed = followed and abs(self.difference) <= target.tolerance
        note = f"published {target.published:g} ({target.source}, level {target.level}); simulated {self.difference:+.1%}"
        wanted = f"{target.published:g} ± {100.0 * target.tolerance:g} %"
        return Row(f"{self.vehicle}: {target.name}", self.simulated, target.unit, wanted, passed, note)


def energy_outcome(vehicle: Vehicle, target: EnergyTarget, cycle: Cycle | None = None) -> EnergyOutcome:
    """Drive the target's cycle as its test does; ``cycle`` instead of the one that a package ships.

    Raises UsageError if the package that ships the cycle is missing.
    """
    conditions = Conditions(
        state_of_charge=TEST_CHARGE,
        temperature=TEST_TEMPERATURE,
        auxiliary_power=AUXILIARY_POWER,
        test_mass=None if target.test_weight is None else POUND * target.test_weight,
    )
    result = drive_cycle(vehicle, cycle or load_cycle(target.cycle), conditions, charger=target.charger)
    return EnergyOutcome(vehicle.name, target, result)


def energy_outcomes(vehicle: Vehicle) -> list[EnergyOutcome]:
    """All published consumptions of a vehicle beside the simulated ones. Raises UsageError if a cycle is missing."""
    return [energy_outcome(vehicle, target) for target in TARGETS.get(vehicle.name, ())]


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

    @property
    def row(self) -> Row:
        """The row of a table."""
        share = 100.0 * self.worst
        note = f"{COAST_FROM:g} to {COAST_TO:g} km/h in neutral, against F0 + F1 v + F2 v²; level A (EPA)"
        limit = 100.0 * COAST_DOWN_TOLERANCE
        return Row(f"{self.vehicle}: coast-down, largest difference", share, "%", f"≤ {limit:g}", share <= limit, note)


@kernel
def coast(steps: int, dt: float, demands: Any, road: Any, state: Any, parameters: Any, measurements: Any) -> None:
    """Let the car go on for so many ``steps`` of ``dt`` [s]."""
    for _ in range(steps):
        car.step(dt, demands, road, state, parameters, measurements)


def coast_down(vehicle: Vehicle, mass: float | None = None) -> CoastDown:
    """Let the car coast in neutral on a level road without wind, and find the force from its deceleration.

    F = (m + m_rot) dv / dt over each interval of speed, m_rot from wheels and rotors. ``mass`` [kg] is its own unless given.
    """
    if mass is not None:
        vehicle = with_mass(vehicle, mass)
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
