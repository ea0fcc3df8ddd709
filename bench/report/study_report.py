"""The report of the battery study: what pack size, chemistry, charge and temperature do, and the launch over time.

Blue is the car with all limits, orange without the battery controller's, grey without any; a point's shape and colour say what
binds there.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.figures import KMH
from bench.report.extra import import_extra
from bench.report.html import Section, Table, write_report
from bench.report.time_plot import CAR, DRIVER, EXTRA, FRONT, LIMIT, OTHER, REAR, Line, Track, time_figure
from bench.rows import Row
from bench.studies import battery
from bench.studies.battery import KILOWATT_HOUR, PROTOTYPE, Limit, Outcome, Outcomes, Published, Trace
from firmware_model.measurements import Constraint

LINES = {Limit.ALL: (FRONT, "solid"), Limit.CELLS: (REAR, "dash"), Limit.NONE: (DRIVER, "dot")}
BROAD_LINE = "rgba(224, 122, 31, 0.45)"
DRAWN = (Limit.CELLS, Limit.ALL)  # in this order, so that what the car really has lies on top
MARKERS = {
    battery.CONSTRAINTS[Constraint.BATTERY_LIMIT]: ("circle", LIMIT),
    battery.CONSTRAINTS[Constraint.CURRENT]: ("square", EXTRA),
    battery.CONSTRAINTS[Constraint.VOLTAGE]: ("triangle-down", OTHER),
    battery.CONSTRAINTS[Constraint.STATE_OF_CHARGE]: ("diamond", "#c9a227"),
    battery.CONSTRAINTS[Constraint.TEMPERATURE]: ("triangle-up", "#d65db1"),
    battery.MOTORS: ("star", CAR),
}
OTHER_MARKER = ("x", DRIVER)
MARKER_SIZE = 11  # [px]
RING = {"symbol": "circle-open", "color": CAR, "size": 20, "line": {"width": 2.5}}  # around the prototype
CHEMISTRIES = {"nmc_leaf": "the LEAF's NMC cells", "nmc811": "NMC 811 cells", "lfp": "LFP cells"}

HEIGHT = 600  # [px] of the plots of a sweep
MARGIN = {"l": 64, "r": 186, "t": 76, "b": 56}  # [px] names of the published cars on the right, the legend above
POWER_RANGE = (0.0, 380.0)  # [kW]
TIME_RANGE = (2.5, 16.5)  # [s]
FIRST_VIEW = (0.0, 11.0)  # [s] of the launch

# Published cars, and on which side of its line the name of each stands, so that two close lines do not share a place
POWER_LINES = (
    (battery.PUBLISHED_LEAF, "middle"),
    (battery.PUBLISHED_PROTOTYPE, "middle"),
    (battery.PUBLISHED_MOTORS, "top"),
    (battery.PUBLISHED_TESLA, "bottom"),
)
TIME_LINES = ((battery.PUBLISHED_LEAF, "middle"), (battery.PUBLISHED_TESLA, "middle"))


def write_battery_report(target: Path, title: str, outcomes: Outcomes, rows: Sequence[Row]) -> None:
    """Write the report of the battery study to ``target`` (HTML). Raises UsageError if that is not possible."""
    details = {
        "vehicle": battery.VEHICLE,
        "scenario": f"{battery.SCENARIO}, {battery.DURATION:g} s",
        "cases": str(len(outcomes)),
        "unless said": f"{100.0 * PROTOTYPE.state_of_charge:g} % charge, {PROTOTYPE.temperature:g} °C",
    }
    sections = [
        pack_section(outcomes),
        launch_section(outcomes),
        condition_section(outcomes),
        published_section(),
        assumption_section(),
        case_section(outcomes),
    ]
    write_report(target, title, battery.answer(outcomes), rows, sections, details=details)


# --- sweeps -----------------------------------------------------------------------------------------------------------


def pack_section(outcomes: Outcomes) -> Section:
    """Peak power and 0 to 100 km/h over pack size, one column of plots a chemistry."""
    names = battery.chemistries()
    panels = Panels([CHEMISTRIES.get(name, name) for name in names])
    for column, chemistry in enumerate(names, start=1):
        for limit in DRAWN:
            cases = battery.pack_sweep(chemistry, limit)
            panels.add(column, battery.PARALLEL, [outcomes[case] for case in cases])
        energies = [outcomes[case].energy / KILOWATT_HOUR for case in battery.pack_sweep(chemistry, Limit.ALL)]
        ticks = [f"{parallel}<br>{energy:.0f}" for parallel, energy in zip(battery.PARALLEL, energies, strict=True)]
        panels.label_axis(column, "cells in parallel, energy of the pack [kWh]", battery.PARALLEL, ticks)
    return Section(
        "Pack size and chemistry",
        "Blue: all limits. Orange: cells only, without the power limit of the battery's controller (LBC), so that the motor "
        "controller's own limiter works on the voltage, current, charge and temperature of the cells. Where the lines coincide, "
        "that power limit is not reached. A larger pack allows more power and weighs more: once the motors bind, it only makes "
        "the car slower. All cells have the same charge and resistance, so the chemistries show what the voltage curve does. "
        "Three in parallel are the pack sold as 62 kWh.",
        panels.figure(),
    )


def condition_section(outcomes: Outcomes) -> Section:
    """Peak power and 0 to 100 km/h of the 62 kWh car over charge and temperature."""
    panels = Panels(["charge, at 25 °C", "temperature of the battery, at 93 % charge"])
    for limit in DRAWN:
        charges, temperatures = battery.charge_sweep(limit), battery.temperature_sweep(limit)
        panels.add(1, [100.0 * case.state_of_charge for case in charges], [outcomes[case] for case in charges])
        panels.add(2, [case.temperature for case in temperatures], [outcomes[case] for case in temperatures])
    panels.label_axis(1, "state of charge [%]")
    panels.label_axis(2, "temperature [°C]")
    return Section(
        "Charge and temperature, 62 kWh",
        "The battery's controller holds its limit flat over charge, as on CAN, and lowers it in cold and heat; where it does so, "
        "its power limit binds, whatever moved it. Towards empty the rest voltage falls: the same current carries less power.",
        panels.figure(),
    )


class Panels:
    """Plots in two rows, peak shaft power above 0 to 100 km/h, and some columns."""

    def __init__(self, titles: Sequence[str]) -> None:
        """``titles`` of the columns."""
        self._columns = len(titles)
        self._figure = import_extra("plotly.subplots").make_subplots(
            rows=2, cols=self._columns, subplot_titles=titles, shared_xaxes=True, shared_yaxes=True,
            row_heights=(0.58, 0.42), vertical_spacing=0.06, horizontal_spacing=0.025,
        )  # fmt: skip
        self._seen: set[str] = set()  # constraints

    def add(self, column: int, positions: Sequence[float], outcomes: Sequence[Outcome]) -> None:
        """One curve in both plots of a column."""
        self._add_curve(1, column, positions, [outcome.shaft_power * 1e-3 for outcome in outcomes], outcomes)
        self._add_curve(2, column, positions, [outcome.time_to_100 for outcome in outcomes], outcomes)

    def label_axis(
        self, column: int, title: str, values: Sequence[float] | None = None, texts: Sequence[str] | None = None
    ) -> None:
        """Name the x axis of a column; ``values`` and ``texts`` are its ticks, if not its numbers."""
        self._figure.update_xaxes(title_text=title, title_standoff=6, row=2, col=column)
        self._figure.update_xaxes(tickvals=values, ticktext=texts, zeroline=False, col=column)

    def figure(self) -> Any:
        """The finished figure, with the published cars and a legend."""
        self._add_published(1, "kW", ((car.name, car.power * 1e-3, anchor) for car, anchor in POWER_LINES))
        self._add_published(2, "s", ((car.name, car.time_to_100, anchor) for car, anchor in TIME_LINES))
        self._add_legend()
        self._figure.update_yaxes(range=POWER_RANGE, row=1)
        self._figure.update_yaxes(range=TIME_RANGE, row=2)
        self._figure.update_yaxes(title_text="peak shaft power [kW]", row=1, col=1)
        self._figure.update_yaxes(title_text="0 to 100 km/h [s]", row=2, col=1)
        legend = {"orientation": "h", "x": 0.0, "xanchor": "left", "y": 1.0, "yref": "container", "yanchor": "top"}
        self._figure.update_layout(height=HEIGHT + MARGIN["t"] + MARGIN["b"], margin=MARGIN, legend=legend)
        return self._figure

    def _add_curve(
        self, row: int, column: int, positions: Sequence[float], values: Sequence[float], outcomes: Sequence[Outcome]
    ) -> None:
        """One curve with a marker a case, and a ring around the prototype's."""
        place = {"row": row, "col": column}
        symbols = [MARKERS.get(outcome.constraint, OTHER_MARKER) for outcome in outcomes]
        self._seen.update(outcome.constraint for outcome in outcomes)
        self._figure.add_scatter(
            x=positions, y=values, mode="lines+markers", line=line_style(outcomes[0].case.limit),
            marker={"symbol": [symbol for symbol, _ in symbols], "color": [colour for _, colour in symbols], "size": MARKER_SIZE},
            hovertext=[describe(outcome) for outcome in outcomes], hoverinfo="text", showlegend=False, **place,
        )  # fmt: skip
        for x, y, outcome in zip(positions, values, outcomes, strict=True):
            if outcome.case == PROTOTYPE:
                self._figure.add_scatter(
                    x=[x], y=[y], mode="markers", marker=RING, hoverinfo="skip", showlegend=False, **place
                )  # fmt: skip

    def _add_published(self, row: int, unit: str, lines: Iterable[tuple[str, float, str]]) -> None:
        """Published figures (name, value, anchor) as horizontal lines through a row of plots, named on the right."""
        for name, value, anchor in lines:
            style = {"color": DRIVER, "dash": "dot", "width": 1.2}
            self._figure.add_hline(y=value, line=style, layer="below", row=row, col="all")
            self._figure.add_annotation(
                text=f"{value:g} {unit}: {name}", font={"size": 11, "color": DRIVER}, showarrow=False,
                xref="x domain", x=1.0, xanchor="left", xshift=4, y=value, yanchor=anchor, row=row, col=self._columns,
            )  # fmt: skip

    def _add_legend(self) -> None:
        """Names of the lines and of the markers that occur."""
        for limit in reversed(DRAWN):
            self._add_key(str(limit), mode="lines", line=line_style(limit))
        for constraint, (symbol, colour) in MARKERS.items():
            if constraint in self._seen:
                marker = {"symbol": symbol, "color": colour, "size": MARKER_SIZE}
                self._add_key(f"{constraint} binds", mode="markers", marker=marker)
        self._add_key("the car of 2019", mode="markers", marker=RING)

    def _add_key(self, name: str, **style: Any) -> None:
        self._figure.add_scatter(x=[None], y=[None], name=name, row=1, col=1, **style)


def line_style(limit: Limit) -> dict[str, Any]:
    """The line of a sweep under ``limit``: that of the cells is broad, to be seen where it lies below the other."""
    return {"color": BROAD_LINE, "width": 6.0} if limit is Limit.CELLS else {"color": LINES[limit][0], "width": 2.0}


def describe(outcome: Outcome) -> str:
    """One case in words, for the mouse."""
    case = outcome.case
    lines = (
        f"<b>{case.chemistry}, {case.parallel} in parallel, {outcome.energy / KILOWATT_HOUR:.0f} kWh; {case.limit}</b>",
        f"{100.0 * case.state_of_charge:.0f} % charge, {case.temperature:.0f} °C, car of {outcome.mass:.0f} kg",
        f"shaft {outcome.shaft_power * 1e-3:.1f} kW, battery {outcome.battery_power * 1e-3:.1f} kW",
        f"{outcome.current:.0f} A at {outcome.voltage:.0f} V, weakest cell {outcome.cell_voltage:.2f} V",
        f"0 to 100 km/h in {outcome.time_to_100:.2f} s",
        f"binds: {outcome.constraint}",
    )
    return "<br>".join(lines)


# --- the launch over time ---------------------------------------------------------------------------------------------


def launch_section(outcomes: Outcomes) -> Section:
    """The prototype's launch with all limits, without its controller's, and without any."""
    tracks = (
        launch_track(outcomes, "battery power [kW]", lambda trace: trace.battery_power * 1e-3, 170),
        launch_track(outcomes, "current [A]", lambda trace: trace.current, 120),
        launch_track(outcomes, "lowest cell voltage [V]", lambda trace: trace.cell_voltage, 120),
        launch_track(outcomes, "speed [km/h]", lambda trace: trace.speed * KMH, 170),
    )
    return Section(
        "The launch",
        "The 62 kWh car at full pedal, three times: with all limits; with those of the cells only; and without any limit of the "
        "pack, so that the motors decide. The power ends at the top speed of the LEAF e+, to which the controller holds the car.",
        time_figure(tracks, window=FIRST_VIEW),
    )


def launch_track(outcomes: Outcomes, title: str, signal: Callable[[Trace], Any], height: int) -> Track:
    """One signal of the three launches."""
    lines = []
    for case in (PROTOTYPE, battery.PROTOTYPE_CELLS, battery.PROTOTYPE_MOTORS):
        trace = outcomes[case].trace
        colour, dash = LINES[case.limit]
        lines.append(Line(str(case.limit), trace.times, signal(trace), colour, dash, width=2.0))
    return Track(title, tuple(lines), height=height)


# --- tables -----------------------------------------------------------------------------------------------------------


def published_section() -> Section:
    """The published figures and where they are from."""
    table = Table(
        ("car", "power [kW]", "source", "0 to 100 km/h [s]", "source"), tuple(published_line(car) for car in battery.PUBLISHED)
    )
    return Section("Published figures", "What the results are compared with.", table=table)


def published_line(car: Published) -> tuple[str | float, ...]:
    """One published car as a line of a table."""
    return car.name, car.power * 1e-3, car.power_source, car.time_to_100, car.time_source


def assumption_section() -> Section:
    """What the results rest on and nobody published."""
    car = battery.vehicle_of(PROTOTYPE).parameters[0]
    pack, cell = car.battery, car.battery.cell
    rate = cell.discharge_current_max * 3600.0 / cell.capacity
    lines = (
        (
            "power limit of the battery's controller",
            f"{pack.discharge_power_rated * 1e-3:.0f} kW",
            "35 % above the 180 kW of the LEAF e+; grows with the cells in parallel, as from the LEAF's 40 to its 62 kWh",
        ),
        ("highest discharge current of a cell", f"{cell.discharge_current_max:.0f} A", f"{rate:.1f} C, for some seconds"),
        ("lowest voltage of a cell", f"{cell.voltage_min:g} V", "2.5 V for LFP"),
        (
            "series resistance of a cell",
            f"{cell.resistance_0 * 1e3:.2f} mΩ",
            "measured on a LEAF e+ at 92 % charge; the same is assumed of all chemistries",
        ),
        (
            "mass of the car with driver",
            f"{car.body.mass:.0f} kg",
            "107 kg more for each further cell in parallel, as between the LEAF's packs",
        ),
        ("friction of the tyres", f"{car.tyre.friction:g}", "dry, level road"),
    )
    table = Table(("what", "value", "why"), lines)
    return Section("Assumptions", "What decides the results and was never published.", table=table)


def case_section(outcomes: Outcomes) -> Section:
    """Every case in figures."""
    lines = tuple(tuple(battery.table_line(outcome).values()) for outcome in outcomes.values())
    text = "Current, voltage and what binds are those of the moment of the highest battery power."
    return Section("All cases", text, table=Table(tuple(column.heading for column in battery.COLUMNS), lines))
