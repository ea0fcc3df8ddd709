"""Packs beside measured ones, as checks: what :mod:`bench.validation.cells` replays and compares."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.validation.cells import LimitPoint, Replay, limit_points, replay_drive, replay_pulse_test
from bench.validation.check import Check, Curve, Lab, Measure, MissingError, Plot, Subject

FLAT_FROM, FLAT_TO = 20.0, 96.0  # [%] charge between which the 40 kWh pack's discharge limit was seen to be flat


def with_data(work: Callable[[Path, Subject], Any]) -> Callable[[Lab, Subject], Any]:
    """``work`` on the folder with measured data. Raises MissingError where there is none."""

    def run(lab: Lab, subject: Subject) -> Any:
        if lab.data is None:
            raise MissingError("needs measured data: --data DIR")
        return work(lab.data, subject)

    return run


def replays(title: str, text: str) -> Callable[[Mapping[Subject, Replay]], list[Plot]]:
    """Measured and simulated voltage over time."""

    def plots(results: Mapping[Subject, Replay]) -> list[Plot]:
        result = next(iter(results.values()))
        curves = [Curve("simulated", result.time, result.simulated), Curve("measured", result.time, result.measured, True)]
        return [Plot(title, text, "time [s]", "voltage [V]", curves)]

    return plots


def limits(results: Mapping[Subject, Sequence[LimitPoint]]) -> list[Plot]:
    """Observed and own charge limit over charge."""
    curves = []
    for subject, points in results.items():
        charge = np.array([np.mean(point.state_of_charge) for point in points])
        order = np.argsort(charge)
        for name, values, measured in (
            ("simulated", [np.mean(point.charge_simulated) for point in points], False),
            ("observed", [np.mean(point.charge_observed) for point in points], True),
        ):
            curves.append(Curve(f"{subject.vehicle.name}: {name}", charge[order], np.array(values)[order], measured))
    return [Plot("Charge limit", "As the battery's controllers sent it.", "charge [%]", "charge limit [kW]", curves)]


def note_at_peak(result: Replay) -> str:
    """The voltages at the highest current."""
    peak = int(np.argmax(result.current))
    return f"at {result.current[peak]:.0f} A {result.simulated[peak]:.1f} V, measured {result.measured[peak]:.1f} V"


def millivolts(result: Replay) -> float:
    """Root mean square of the error [mV], every sample counted alike."""
    return 1e3 * result.rms


def note_over_time(result: Replay) -> str:
    """What the samples, which are denser in the pulses, do not say."""
    return f"{1e3 * result.rms_over_time:.1f} mV over time; largest {1e3 * np.max(np.abs(result.error)):.0f} mV, close to empty"


def worst_charge_limit(points: Sequence[LimitPoint]) -> float:
    """Largest deviation of the charge limit [kW]."""
    return max(point.charge_error for point in points)


def discharge_limits(points: Sequence[LimitPoint]) -> list[float]:
    """Discharge limits [kW] where the observed one is flat."""
    flat = [point for point in points if FLAT_FROM <= point.state_of_charge[0] <= FLAT_TO]
    return [limit for point in flat for limit in point.discharge_simulated]


def pulse_test(name: str, temperature: float) -> Check:
    """One pulse test of a cell."""
    title = f"Cell of a first LEAF, pulse test at {temperature:g} °C"
    run = with_data(lambda data, subject: replay_pulse_test(data, name))
    return Check(name, title, run, replays(title, "The measured current, replayed."))


DRIVE = Check(
    "pack-drive", "LEAF e+, one drive", with_data(lambda data, subject: replay_drive(data)),
    replays("Pack voltage of a LEAF e+ over one drive", "The measured current, replayed."),
)  # fmt: skip
COLD, WARM = pulse_test("hppc_10C.csv", 10.0), pulse_test("hppc_40C.csv", 40.0)
LIMITS = Check(
    "limits", "Limits that battery controllers sent",
    with_data(lambda data, subject: limit_points(data, subject.vehicle.name)), limits,
)  # fmt: skip

MEASURES = {
    "pack_voltage_rms": Measure("pack voltage over a measured drive, rms", "V", DRIVE, lambda result: result.rms, note_at_peak),
    "cell_voltage_rms_10_degc": Measure("cell, pulse test at 10 °C, rms", "mV", COLD, millivolts, note_over_time),
    "cell_voltage_rms_40_degc": Measure("cell, pulse test at 40 °C, rms", "mV", WARM, millivolts, note_over_time),
    "charge_limit_deviation": Measure("charge limit, largest deviation", "kW", LIMITS, worst_charge_limit),
    "discharge_limit_lowest": Measure("discharge limit, lowest", "kW", LIMITS, lambda points: min(discharge_limits(points))),
    "discharge_limit_highest": Measure("discharge limit, highest", "kW", LIMITS, lambda points: max(discharge_limits(points))),
}
