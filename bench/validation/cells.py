"""The pack model against measured packs and cells: their current through the plant's kernels, and their voltage beside it.

A LEAF e+ on the road (``leaf_ze1/drive_accel_regen.csv``), pulse tests of a cell of a first LEAF (``cell_hppc/hppc_*.csv``), and
power limits that LEAFs sent (``leaf_ze1/lbc_limits_observed.csv``); all in one folder of data beside the repository.
"""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison.hppc import CURRENT, TIME, VOLTAGE, read_test
from bench.plant import battery
from bench.plant.battery import BatteryMeasurements, BatteryState
from bench.vehicles import load_vehicle, with_pack
from firmware_model.kernel import kernel, new
from hil.errors import UsageError
from hil.files import read_text

DRIVE = Path("leaf_ze1", "drive_accel_regen.csv")
DRIVE_COLUMNS = ("t_s", "V_pack", "I_pack_A(neg=discharge)", "soc_pct")
DRIVE_HEALTH = 0.91  # of that pack, as its controller tells it
PULSE_TESTS = {"hppc_10C.csv": 10.0, "hppc_40C.csv": 40.0}  # [degC] of the climate chamber
PULSE_CELL = "nmc_leaf_ze0"
PULSE_HEALTH = 0.937  # of that cell: 31.0 of 33.1 Ah
LARGEST_STEP = 0.5  # [s] of the plant, where samples are a minute apart
CHAMBER = 1e7  # [J/K] heat capacity of cell and chamber together, which keeps the temperature

LIMITS = Path("leaf_ze1", "lbc_limits_observed.csv")
LIMIT_COLUMNS = ("pack", "soc_pct_0x55B", "discharge_limit_kW", "charge_limit_kW", "soh_pct")
LIMIT_PACKS = {"leaf_plus": "62kWh", "leaf_40": "40kWh"}  # vehicle: how its pack's name begins in the file
MODERATE = 25.0  # [degC]


@dataclass(frozen=True)
class Replay:
    """A measured voltage, and the model's at the same current."""

    name: str
    time: Any  # [s]
    current: Any  # [A], positive in discharge
    measured: Any  # [V]
    simulated: Any  # [V]

    @property
    def error(self) -> Any:
        """Simulated less measured voltage [V]."""
        return self.simulated - self.measured

    @property
    def rms(self) -> float:
        """Root mean square of the error [V], every sample counted alike."""
        return float(np.sqrt(np.mean(self.error**2)))

    @property
    def rms_over_time(self) -> float:
        """Root mean square of the error [V], every second counted alike."""
        duration = np.diff(self.time, prepend=self.time[0])
        return float(np.sqrt(np.sum(duration * self.error**2) / np.sum(duration)))


@dataclass(frozen=True)
class LimitPoint:
    """Power limits that a pack sent at a state of charge, and the model's there; ranges as (lowest, highest) [kW]."""

    pack: str
    state_of_charge: tuple[float, float]  # [%]
    discharge_observed: tuple[float, float]
    discharge_simulated: tuple[float, float]
    charge_observed: tuple[float, float]
    charge_simulated: tuple[float, float]

    @property
    def discharge_error(self) -> float:
        """By how much the model leaves what was observed of the discharge limit [kW]."""
        return outside(self.discharge_simulated, self.discharge_observed)

    @property
    def charge_error(self) -> float:
        """By how much the model leaves what was observed of the charge limit [kW]."""
        return outside(self.charge_simulated, self.charge_observed)


# --- voltage ----------------------------------------------------------------------------------------------------------


def replay_drive(data: Path) -> Replay:
    """Pack voltage of the LEAF e+ over the measured current of a full throttle and what follows.

    It starts at the charge that the battery's controller tells, the RC elements settled at the first current: the recording
    begins in the middle of an acceleration. Raises UsageError for a file that is not as expected.
    """
    time, voltage, current, charge = read_columns(data / DRIVE, DRIVE_COLUMNS)
    vehicle = with_pack(load_vehicle("leaf_plus"))
    pack, state = vehicle.parameters[0].battery, new(BatteryState)[0]
    pack.state_of_health = DRIVE_HEALTH
    state.state_of_charge = charge[0] / 100.0
    cell, first = pack.cell, -current[0] / pack.parallel
    factor = battery.polarisation_factor(state.state_of_charge, state.temperature, pack)
    state.fast_voltage, state.slow_voltage = factor * cell.resistance_1 * first, factor * cell.resistance_2 * first
    return replay(DRIVE.name, time, -current, voltage, pack, state)


def replay_pulse_test(data: Path, name: str) -> Replay:
    """Cell voltage over one of the PULSE_TESTS, from the full cell to the empty one.

    Raises UsageError for a file that is not as expected.
    """
    table = read_test(data / "cell_hppc" / name)
    vehicle = with_pack(load_vehicle("leaf_plus"), chemistry=PULSE_CELL)
    pack, state = vehicle.parameters[0].battery, new(BatteryState)[0]
    pack.series = pack.parallel = 1
    pack.state_of_health, pack.heat_capacity = PULSE_HEALTH, CHAMBER
    state.state_of_charge, state.temperature = 1.0, PULSE_TESTS[name]
    return replay(name, table[:, TIME].copy(), table[:, CURRENT].copy(), table[:, VOLTAGE].copy(), pack, state)


def replay(name: str, time: Any, current: Any, voltage: Any, pack: Any, state: Any) -> Replay:
    """The pack from ``state`` on (BatteryState, changed) at a measured ``current`` [A, positive in discharge]."""
    simulated = np.zeros(len(time))
    conduct(time, current, LARGEST_STEP, pack, state, new(BatteryMeasurements)[0], simulated)
    return Replay(name, time, current, voltage, simulated)


@kernel
def conduct(time: Any, current: Any, largest_step: float, pack: Any, state: Any, measured: Any, voltage: Any) -> None:
    """Let ``current`` [A] flow and tell the ``voltage`` [V] at every ``time`` [s].

    A sample's current has flown since the sample before: cyclers write one at the end of each of their steps.
    """
    air = state.temperature
    for k in range(len(time)):
        if k > 0:
            steps = int((time[k] - time[k - 1]) / largest_step) + 1
            dt = (time[k] - time[k - 1]) / steps
            for _ in range(steps):
                battery.step(dt, battery.power_for_current(current[k], pack, state), air, pack, state, measured)
        voltage[k] = battery.source_voltage(pack, state) - current[k] * battery.series_resistance(current[k], pack, state)


# --- limits -----------------------------------------------------------------------------------------------------------


def limit_points(data: Path, name: str) -> list[LimitPoint]:
    """What packs like that of the vehicle ``name``, one of LIMIT_PACKS, sent, and what its own controller allows there.

    Raises UsageError for a file that is not as expected.
    """
    vehicle = with_pack(load_vehicle(name))
    path = data / LIMITS
    points = []
    for line, row in enumerate(read_table(path, LIMIT_COLUMNS), start=2):
        if not row["pack"].startswith(LIMIT_PACKS[name]):
            continue
        charges, discharge, charge, health = (numbers(path, line, key, row[key]) for key in LIMIT_COLUMNS[1:])
        pack = vehicle.parameters[0].battery
        pack.state_of_health = health[0] / 100.0
        allowed = [own_limits(each / 100.0, pack) for each in charges]
        points.append(
            LimitPoint(
                row["pack"],
                charges,
                discharge,
                (min(allowed)[0], max(allowed)[0]),
                charge,
                (min(limits[1] for limits in allowed), max(limits[1] for limits in allowed)),
            )
        )
    return points


def own_limits(charge: float, pack: Any) -> tuple[float, float]:
    """Discharge and charge limit [kW] of the pack's controller at state of ``charge`` [1] and a moderate temperature."""
    state, measured = new(BatteryState)[0], new(BatteryMeasurements)[0]
    state.state_of_charge, state.temperature = charge, MODERATE
    battery.spread_cells(pack, state, measured)
    battery.own_limits(pack, state, measured)
    return float(measured.discharge_limit) * 1e-3, float(measured.charge_limit) * 1e-3


def outside(inner: tuple[float, float], outer: tuple[float, float]) -> float:
    """By how much the range ``inner`` leaves the range ``outer``."""
    return max(outer[0] - inner[0], inner[1] - outer[1], 0.0)


# --- files ------------------------------------------------------------------------------------------------------------


def read_table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these ``columns``. Raises UsageError."""
    try:
        reader = csv.DictReader(StringIO(read_text(path)))
        rows = list(reader)
    except csv.Error as error:
        raise UsageError(f"{path}: cannot be read as a table: {error}") from None
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(f"{path}: expected the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    if not rows:
        raise UsageError(f"{path}: expected rows below the header, got none")
    return rows


def read_columns(path: Path, columns: tuple[str, ...]) -> list[Any]:
    """The ``columns`` of a CSV file as arrays; the first one is a time that rises. Raises UsageError."""
    rows = read_table(path, columns)
    arrays = [
        np.array([numbers(path, line, column, row[column])[0] for line, row in enumerate(rows, start=2)]) for column in columns
    ]
    if len(rows) < 2 or np.any(np.diff(arrays[0]) <= 0.0):
        raise UsageError(f"{path}: {columns[0]}: expected two rising times at least")
    return arrays


def numbers(path: Path, line: int, column: str, text: str | None) -> tuple[float, float]:
    """A number, or a range of two as in ``66.3-69.2``, as lowest and highest. Raises UsageError."""
    try:
        low, high = (float(text or ""),) * 2
    except ValueError:
        try:
            low, high = (float(part) for part in (text or "").split("-"))
        except ValueError:
            raise UsageError(f"{path}: line {line}: {column}: expected a number or a range, got {text!r}") from None
    if not np.isfinite([low, high]).all():
        raise UsageError(f"{path}: line {line}: {column}: expected a finite number, got {text!r}")
    return low, high
