"""The limiter's predictor on a cell that it has never seen: pulse tests (HPPC) of a LEAF cell of 2013, voltage and current alone.

The predictor gets the rest voltages of the cell as its data sheet, from the test at the other temperature, and the resistances
of a quite different cell; neither temperature nor age is told. Before each pulse it says what the cell can give for 2, 10 and
30 s down to a floor. What the cell can give follows from the pulse itself: its step response, scaled and superposed so that the
power is constant (the cell is taken as linear, as every pulse test is).
"""

import csv
import math
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison.result import Manoeuvre, Result
from bench.rows import Row
from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from firmware_model.measurements import Measurements
from firmware_model.pack_estimate import estimate, follow_slow
from firmware_model.state import State
from firmware_model.state_of_power import DISCHARGE, sustainable
from hil.errors import UsageError
from hil.files import read_text

TESTS = {"hppc_10C.csv": "hppc_40C.csv", "hppc_40C.csv": "hppc_10C.csv"}  # each with the one that its rest voltages are from
HORIZONS = (2, 10, 30)  # [s]
FLOOR = 3.0  # [V]
CURRENT_MAX = 1e3  # [A] far beyond what the floor allows
# Noise of the filter for a cell whose rest voltage is known at eleven points only, and that lies for hours between two pulses.
CHARGE_NOISE = 2e-3  # [1/sqrt(s)]
POLARISATION_NOISE = 3e-3  # [V/sqrt(s)]
GROWTH_TIME = 3e4  # [s]
FIRST_STEP, PULSE_STEP, REST_STEP = 5, 6, 10  # of the cycler: rest when full, pulse, rest after each tenth of the charge
TIME, STEP, CURRENT, VOLTAGE = range(4)


@dataclass(frozen=True)
class PulsePrediction:
    """One predicted power of a cell beside what its pulse tells."""

    test: str
    state_of_charge: float  # estimated
    horizon: int  # [s]
    predicted: float  # [W]
    measured: float  # [W]


def read_test(path: Path) -> Any:
    """Time [s], step of the cycler, current [A, positive in discharge] and voltage [V] from the full cell on.

    Raises UsageError if the file cannot be read, or is no such test.
    """
    rows = []
    reader = csv.reader(StringIO(read_text(path)))
    try:
        for line in reader:
            if line and line[0] == "No":
                rows.append((float(line[1]), float(line[6]), -float(line[8]), float(line[9])))
    except csv.Error as error:
        raise UsageError(f"{path}: cannot be read as a cycler's table: {error}") from None
    except (ValueError, IndexError):
        raise UsageError(f"{path}: line {reader.line_num}: expected numbers for time, step, current and voltage") from None
    table = np.array(rows)
    if not rows or not np.any(table[:, STEP] == FIRST_STEP):
        raise UsageError(f"{path}: expected a pulse test with a rest of the full cell, step {FIRST_STEP}")
    if not np.all(np.diff(table[:, TIME]) > 0.0):
        raise UsageError(f"{path}: expected times that rise")
    return table[np.argmax(table[:, STEP] == FIRST_STEP) :]


def rest_voltages(table: Any) -> tuple[Any, Any, float]:
    """States of charge [1] and rest voltages [V] at the end of each rest, and the charge [A s] of the full cell."""
    hours = np.diff(table[:, TIME], prepend=table[0, TIME])
    drawn = np.cumsum(table[:, CURRENT] * np.where(hours < 100.0, hours, 0.0))
    last = np.append(np.diff(table[:, STEP]) != 0, True)
    rests = np.flatnonzero(last & np.isin(table[:, STEP], (FIRST_STEP, REST_STEP)))
    capacity = float(drawn[-1])
    return 1.0 - drawn[rests] / capacity, table[rests, VOLTAGE], capacity


def predictor(charges: Any, voltages: Any, capacity: float) -> tuple[Any, Any]:
    """State and calibration of the predictor for a cell with these rest voltages."""
    state, calibration = new(State)[0], new(Calibration)[0]
    pack = calibration.pack
    scale = pack.capacity / capacity
    pack.cell_count, pack.capacity, pack.heat_capacity = 1, capacity, 1e8
    pack.charge_spread = pack.resistance_spread = 0.0
    order = np.argsort(charges)
    pack.open_circuit_voltage = np.interp(np.arange(21) / 20.0, np.asarray(charges)[order], np.asarray(voltages)[order])
    for key in ("resistance_0", "resistance_1", "resistance_2"):
        pack[key] *= scale
    noise = calibration.pack_estimate
    noise.charge_noise, noise.polarisation_noise, noise.growth_time = CHARGE_NOISE, POLARISATION_NOISE, GROWTH_TIME
    calibration.discharge_limiter.heat_current = CURRENT_MAX
    return state, calibration


def run_test(folder: Path, name: str) -> list[PulsePrediction]:
    """Follow one test from current and voltage, and predict at the beginning of each pulse."""
    table = read_test(folder / name)
    charges, voltages, _ = rest_voltages(read_test(folder / TESTS[name]))
    state, calibration = predictor(charges, voltages, rest_voltages(table)[2])
    cell, measurements = state.pack_estimate, new(Measurements)[0].discharge_limiter
    battery = state.inputs.battery
    battery.state_trusted, battery.state_of_charge = 1, 1.0
    follow_slow(battery, cell, calibration.pack, calibration.pack_estimate)
    found = []
    for k in range(1, len(table)):
        battery.current, battery.voltage = table[k, CURRENT], table[k, VOLTAGE]
        step = table[k, TIME] - table[k - 1, TIME]
        estimate(step, battery, cell, measurements, calibration.pack, calibration.pack_estimate)
        if k + 1 < len(table) and table[k + 1, STEP] == PULSE_STEP != table[k, STEP]:
            for horizon in HORIZONS:
                measured = power_of_pulse(table[k:], horizon)
                power = sustainable(
                    DISCHARGE, float(horizon), FLOOR, CURRENT_MAX, 0.0, 0.0, cell, calibration.pack, calibration.discharge_limiter
                )
                found.append(PulsePrediction(name, float(cell.state_of_charge), horizon, power, measured))
    return found


def power_of_pulse(table: Any, horizon: int) -> float:
    """Constant power [W] that brings the cell to the floor after ``horizon`` [s], by the step response of the pulse that begins
    with the second row.
    """
    pulse = table[1 : 1 + int(np.argmax(table[1:, STEP] != PULSE_STEP))]
    times = pulse[:, TIME] - table[0, TIME]
    response = (table[0, VOLTAGE] - pulse[:, VOLTAGE]) / pulse[0, CURRENT]  # [Ohm]
    grid = np.arange(0.0, horizon + 0.25, 0.5)
    # Before the first sample the response is taken as that sample's.
    resistance = np.interp(grid, times, response)
    low, high = 0.0, FLOOR * table[0, VOLTAGE] / resistance[0]
    while high - low > 1e-4 * high:
        power = 0.5 * (low + high)
        if _end_voltage(power, table[0, VOLTAGE], resistance) > FLOOR:
            low = power
        else:
            high = power
    return low


def _end_voltage(power: float, rest: float, resistance: Any) -> float:
    """Voltage [V] at the end of a pulse of constant ``power`` [W] on a cell with that step response [Ohm]; 0 if it collapses."""
    rises: list[float] = []  # [A] of the current, step by step
    voltage = rest
    for n in range(len(resistance)):
        past = float(np.dot(rises, resistance[n:0:-1])) if rises else 0.0
        current = sum(rises)
        source = rest - past + resistance[0] * current
        root = source * source - 4.0 * resistance[0] * power
        if root < 0.0:
            return 0.0
        voltage = 0.5 * (source + math.sqrt(root))
        rises.append(power / voltage - current)
    return voltage


def hppc_rows(folder: Path) -> list[Row]:
    """Errors of the predictor on the tests in ``folder``."""
    rows = []
    for name in TESTS:
        found = run_test(folder, name)
        for horizon in HORIZONS:
            errors = np.array([p.predicted / p.measured - 1.0 for p in found if p.horizon == horizon])
            later = errors[1:]  # at the first pulse nothing of the cell is known but its rest voltage
            note = f"rms {np.sqrt(np.mean(later**2)):.1%} over {len(later)} pulses; before the first pulse {errors[0]:+.0%}"
            title = f"cell test at {name[5:7]} °C: predicted power for {horizon} s, largest error"
            rows.append(Row(title, float(np.max(np.abs(later))), "1", note=note))
    return rows


def cell_tests_in(folder: Path) -> Manoeuvre:
    """The cell tests in ``folder`` as one manoeuvre among the others. Raises UsageError if they are not there."""
    missing = [name for name in TESTS if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"--cell-tests {folder}: expected the files {', '.join(TESTS)}; missing: {', '.join(missing)}")
    title = "Measured cells: the same predictor on HPPC tests, from current and voltage alone"
    return Manoeuvre("cell-tests", title, 0, lambda _track: Result(hppc_rows(folder), []))
