"""Plots of the battery comparison: where the on-line limiter gives more than a static table, and predicted beside true power."""

from typing import Any

import numpy as np

from bench.comparison.battery import AGES, CHARGES, HORIZONS, TEMPERATURES, BatteryResults
from bench.report.extra import import_extra
from bench.report.html import Section
from bench.report.time_plot import CAR, FRONT, LIMIT, REAR

HEIGHT = 460  # [px]
PERCENT, KILO = 100.0, 1e-3
COLOURS = (FRONT, REAR, LIMIT)  # one a horizon


def battery_sections(results: BatteryResults) -> list[Section]:
    """The sections that a report shows of ``results``."""
    return [gain_section(results), prediction_section(results)]


def gain_section(results: BatteryResults) -> Section:
    """Energy of the random drives over the grid, as multiple of what the static table lets through."""
    go, subplots = import_extra("plotly.graph_objects"), import_extra("plotly.subplots")
    figure = subplots.make_subplots(cols=len(AGES), subplot_titles=[f"{age.name} pack" for age in AGES], shared_yaxes=True)
    found = {(o.case.age, o.case.temperature, o.case.state_of_charge): o for o in results.outcomes}
    for column, age in enumerate(AGES, start=1):
        gain = [[_gain(found.get((age, temperature, charge))) for charge in CHARGES] for temperature in TEMPERATURES]
        figure.add_trace(
            go.Heatmap(
                x=[f"{charge:.0%}" for charge in CHARGES], y=TEMPERATURES, z=gain, zmin=0.0, zmax=100.0, colorscale="Blues",
                colorbar={"title": "%"}, showscale=column == len(AGES),
            ),
            row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(title_text="state of charge", row=1, col=column)
    figure.update_yaxes(title_text="temperature [°C]", row=1, col=1)
    figure.update_layout(height=HEIGHT)
    return Section(
        "Energy gained on a static table",
        "Energy that the pack gave in a random drive, on top of what a static limit over charge and temperature lets through. "
        "Both keep every cell above its floor; the table has to hold for the oldest pack after any drive. White: the battery "
        "controller's own limit, or the motors, bind with both.",
        figure,
    )


def _gain(outcome: Any) -> float:
    """Energy gained [%]; nothing where there is nothing to gain it on."""
    if outcome is None or outcome.static_energy <= 0.0:
        return 0.0
    return float(np.round(PERCENT * (outcome.energy / outcome.static_energy - 1.0), 1))


def prediction_section(results: BatteryResults) -> Section:
    """Error of the predicted power over the true power."""
    go, subplots = import_extra("plotly.graph_objects"), import_extra("plotly.subplots")
    directions = ("discharge", "charge")
    figure = subplots.make_subplots(cols=2, subplot_titles=directions, shared_yaxes=True)
    for column, direction in enumerate(directions, start=1):
        for horizon, colour in zip(HORIZONS, COLOURS, strict=True):
            chosen = [p for p in results.predictions if (p.direction, p.horizon) == (direction, horizon) and p.true > 0.0]
            figure.add_trace(
                go.Scatter(
                    x=[KILO * p.true for p in chosen], y=[PERCENT * (p.predicted / p.true - 1.0) for p in chosen],
                    mode="markers", marker={"color": colour, "size": 6}, name=f"{horizon} s", showlegend=column == 1,
                    text=[f"{p.case.age.name}, {p.case.temperature:g} °C, {p.case.state_of_charge:.0%}" for p in chosen],
                ),
                row=1, col=column,
            )  # fmt: skip
        figure.update_xaxes(title_text="true power [kW]", row=1, col=column)
    for bound in (-2.0, 2.0):
        figure.add_hline(y=bound, line={"color": CAR, "dash": "dot"})
    figure.update_yaxes(title_text="error [%]", range=[-6.0, 6.0], row=1, col=1)
    figure.update_layout(height=HEIGHT)
    return Section(
        "Predicted and true power",
        "What the controller predicts from the frames that the pack can keep up, against what the pack of the bench really keeps "
        "up, found by trying it from the same state. The battery controller's own limits are lifted, so that cells bind. Small "
        "powers are near a limit that the next second reaches; an error of some hundred watts is a large share of them.",
        figure,
    )
