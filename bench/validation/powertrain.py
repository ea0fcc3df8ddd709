"""The torque path and regeneration beside what a LEAF e+ does on its buses: lag, slew, and how close power rides its limit."""

from collections.abc import Mapping

import numpy as np

from bench.comparison.scenarios import HELD, scenario
from bench.comparison.track import Trace
from bench.validation.check import Check, Curve, Lab, Measure, Plot, Subject
from bench.validation.straight import KILO, drive

FRAME = 0.010  # [s] between two frames of torque, request or report
LAGS = 11  # frames of lag that are tried
SLEW_TIME = 0.1  # [s] over which the drives' slew was read
TIP_SPEED = 60.0  # [km/h]
TIP_IN, TIP_OUT, TIP_END = 1.0, 3.0, 5.0  # [s] of the scenario
COAST_SPEED = 100.0  # [km/h] at which the brake pedal is pressed lightly
BRAKE_AT, BRAKE_END = 1.0, 7.0  # [s]
BRAKE_PEDAL = 0.15  # [1] asks for more than the battery takes
STEADY_AFTER = 1.0  # [s] after the pedal


def tip(lab: Lab, subject: Subject) -> Trace:
    """Full pedal while rolling, and off it again."""
    pedal = [(0.0, HELD), (TIP_IN, HELD), (TIP_IN + 1e-3, 1.0), (TIP_OUT, 1.0), (TIP_OUT + 1e-3, 0.0)]
    return drive(
        lab, subject,
        scenario("tip-in and tip-out", duration=TIP_END, state_of_charge=subject.charge, speed_kmh=TIP_SPEED, accelerator=pedal),
    )  # fmt: skip


def regenerate(lab: Lab, subject: Subject) -> Trace:
    """Light braking at a charge at which the battery takes little."""
    return drive(
        lab, subject,
        scenario(
            "light braking", duration=BRAKE_END, state_of_charge=subject.charge, speed_kmh=COAST_SPEED, steering_deg=0.0,
            accelerator=[(0.0, HELD), (BRAKE_AT, HELD), (BRAKE_AT + 1e-3, 0.0)],
            brake=[(0.0, HELD), (BRAKE_AT, HELD), (BRAKE_AT + 1e-3, 0.0), (BRAKE_AT + 0.2, BRAKE_PEDAL)],
        ),
    )  # fmt: skip


def torque_lag(trace: Trace) -> float:
    """Lag [ms] of the reported torque behind its request, both every 10 ms, with which they agree best.

    As it was read from the frames of the real car: whole frames, highest correlation.
    """
    request, report = each_frame(trace, "front_commanded"), each_frame(trace, "front_reported")
    agreement = [np.corrcoef(request[: len(request) - lag], report[lag:])[0, 1] for lag in range(LAGS)]
    return 1e3 * FRAME * int(np.argmax(agreement))


def each_frame(trace: Trace, signal: str) -> np.ndarray:
    """A signal every 10 ms."""
    times = np.arange(float(trace["time"][0]), float(trace["time"][-1]), FRAME)
    return np.interp(times, trace["time"], trace[signal])


def slews(trace: Trace) -> np.ndarray:
    """Change of the request [Nm/s] over SLEW_TIME, every 10 ms."""
    steps = round(SLEW_TIME / FRAME)
    request = each_frame(trace, "front_commanded")
    return (request[steps:] - request[:-steps]) / SLEW_TIME


def regeneration_share(trace: Trace) -> float:
    """Mean of the charge power over its limit [%] while the brakes are steady."""
    steady = trace.after(BRAKE_AT + STEADY_AFTER)
    return 100.0 * float(np.mean(-steady["battery_power"] / steady["charge_limit"]))


def torques(traces: Mapping[Subject, Trace]) -> list[Plot]:
    """Request and report over time."""
    curves = []
    for subject, trace in traces.items():
        curves += [
            Curve(f"{subject.vehicle.name}: request", trace["time"], trace["front_commanded"]),
            Curve(f"{subject.vehicle.name}: report", trace["time"], trace["front_reported"]),
        ]
    return [Plot("Tip-in and tip-out", f"Full pedal at {TIP_IN:g} s, none at {TIP_OUT:g} s.", "time [s]", "torque [Nm]", curves)]


def powers(traces: Mapping[Subject, Trace]) -> list[Plot]:
    """Charge power and its limit over time."""
    curves = []
    for subject, trace in traces.items():
        curves += [
            Curve(f"{subject.name}: power", trace["time"], -KILO * trace["battery_power"]),
            Curve(f"{subject.name}: limit", trace["time"], KILO * trace["charge_limit"]),
        ]
    return [Plot("Regeneration at its limit", f"Brake pedal from {BRAKE_AT:g} s on.", "time [s]", "charge power [kW]", curves)]


TIP = Check("tip-in", "Torque request and report", tip, torques)
REGENERATION = Check("regeneration", "Regeneration at the limit of a nearly full pack", regenerate, powers)

MEASURES = {
    "torque_lag": Measure("torque, request to report", "ms", TIP, torque_lag),
    "torque_rise_rate": Measure("torque request, rise", "Nm/s", TIP, lambda trace: float(np.max(slews(trace)))),
    "torque_fall_rate": Measure("torque request, fall", "Nm/s", TIP, lambda trace: -float(np.min(slews(trace)))),
    "regeneration_share": Measure("charge power over its limit", "%", REGENERATION, regeneration_share),
}
