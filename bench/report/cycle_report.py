"""The report of a drive cycle: the trace in its tolerance, power between its limits, and where the energy went."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.cycles.driving import CycleResult
from bench.cycles.trace import KMH
from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import CAR, DRIVER, EXTRA, FRONT, LIMIT, OTHER, REAR, Line, Shade, Track, time_figure

KILO = 1e-3
BAND = "rgba(138, 147, 163, 0.28)"
BAR_HEIGHT = 420  # [px]


def write_cycle_report(target: Path, result: CycleResult) -> None:
    """Write the report to ``target`` (HTML). Raises UsageError if plotly is missing or the file cannot be written."""
    conditions = result.conditions
    details = {
        "vehicle": result.vehicle.name,
        "cycle": result.cycle.name,
        "test mass": f"{float(result.vehicle.parameters[0].body.mass):.0f} kg",
        "state of charge": f"{100.0 * conditions.state_of_charge:g} %",
        "temperature": f"{conditions.temperature:g} °C",
        "auxiliaries": f"{conditions.auxiliary_power:g} W",
        "e-Pedal": "on" if conditions.e_pedal else "off",
    }
    curve = result.meter.curve()
    sections = [trace_section(result, curve), power_section(curve), pack_section(curve), loss_section(result)]
    write_report(target, result.cycle.title, result.vehicle.title, result.rows, sections, details=details)


def trace_section(result: CycleResult, curve: Any) -> Section:
    """Speed in the band of its tolerance, and the pedals."""
    times = curve["time"]
    lowest, highest = result.cycle.band(times)
    speed = Track(
        "speed [km/h]",
        (
            Line("trace", result.cycle.time, result.cycle.speed / KMH, DRIVER, "dash"),
            Line("speed", times, curve["speed"] / KMH, CAR),
        ),
        (Shade(times, lowest / KMH, highest / KMH, BAND),),
        height=260,
    )
    pedals = Track(
        "pedals [%]",
        (
            Line("accelerator", times, 100.0 * curve["accelerator"], CAR),
            Line("brake", times, 100.0 * curve["brake"], LIMIT),
        ),
        height=110,
        include=(0.0, 100.0),
    )
    return Section(
        "Trace",
        f"The speed over ground in the band that the tolerance allows ({result.cycle.tolerance.name}), and the driver's pedals. "
        "The driver sees the trace to come, as on a driver's aid.",
        time_figure((speed, pedals)),
    )


def power_section(curve: Any) -> Section:
    """Power at shafts and pack, between the limits."""
    times = curve["time"]
    track = Track(
        "power [kW]",
        (
            Line("discharge limit", times, KILO * curve["discharge_limit"], LIMIT, "dash"),
            Line("motor shafts", times, KILO * curve["shaft_power"], FRONT),
            Line("pack", times, KILO * curve["pack_power"], CAR),
            Line("charge limit", times, -KILO * curve["charge_limit"], LIMIT, "dash"),
        ),
        height=240,
    )
    return Section(
        "Power",
        "Power at the motor shafts and at the pack's terminals, with the limits that the controller keeps.",
        time_figure((track,)),
    )


def pack_section(curve: Any) -> Section:
    """Energy, charge and temperatures."""
    times = curve["time"]
    steps = np.diff(times, prepend=times[0])
    energy = Track(
        "DC energy since the start [kWh]",
        (Line("DC energy", times, np.cumsum(curve["pack_power"] * steps) / 3.6e6, CAR),),
        height=120,
    )
    charge = Track("state of charge [%]", (Line("state of charge", times, 100.0 * curve["state_of_charge"], EXTRA),), height=100)
    heat = Track(
        "temperature [°C]",
        (
            Line("pack", times, curve["pack_temperature"], OTHER),
            Line("front motor's winding", times, curve["front_winding"], REAR),
        ),
        height=110,
    )
    return Section(
        "Energy, charge and heat", "What the cycle takes from the pack, and how it warms.", time_figure((energy, charge, heat))
    )


def loss_section(result: CycleResult) -> Section:
    """From the wall to the road: each loss by its cause."""
    shares = losses(result)
    figure = import_extra("plotly.graph_objects").Figure()
    figure.add_bar(
        x=[result.per_km(energy) for _, energy in shares],
        y=[name for name, _ in shares],
        orientation="h",
        marker={"color": CAR},
    )
    figure.update_layout(
        height=BAR_HEIGHT,
        margin={"l": 190, "r": 12, "t": 12, "b": 44},
        showlegend=False,
        xaxis={"title": {"text": "Wh/km"}},
        yaxis={"autorange": "reversed"},
    )
    lines = tuple((name, result.per_km(energy), result.per_mile(energy), 100.0 * energy / result.wall) for name, energy in shares)
    return Section(
        "Where the energy went",
        "Together these are the energy from the wall. Charging is what charger, cells and the car's computers take on the way "
        "back into the pack; the heat of the discharging cells is paid there, too.",
        figure,
        Table(("cause", "Wh/km", "Wh/mi", "% of the wall energy"), lines),
    )


def losses(result: CycleResult) -> list[tuple[str, float]]:
    """Causes and their energies [J], which add up to the energy from the wall."""
    meter = result.meter
    names = {
        "road_load": "road load",
        "motor_loss": "motors and inverters",
        "auxiliaries": "auxiliaries",
        "driveline_loss": "driveline",
        "slip_loss": "tyre slip",
        "brake_loss": "friction brakes",
        "climb": "climbing",
    }
    causes = [(label, meter.joules[name]) for name, label in names.items()]
    return [
        *causes,
        ("held by the moving car", meter.kinetic),
        ("left open", meter.open_balance),
        ("charging", result.wall - meter.dc),
    ]
