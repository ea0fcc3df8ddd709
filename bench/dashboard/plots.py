"""Live plots of any measurement, in ECharts.

Of the libraries that NiceGUI has, ECharts redraws moving curves at the rate of the stream: it draws on a canvas, takes new data
for a curve without building its axes anew, and is served from this machine. Plotly rebuilds its figure, and matplotlib sends
pictures. The values do not go through NiceGUI: ``page.js`` has them from the stream and hands each plot what its window shows.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nicegui import ui

from bench.dashboard.elements import icon_button, rename
from bench.dashboard.signals import Signal
from bench.report.time_plot import CAR, DRIVER, EXTRA, FRONT, LIMIT, OTHER, REAR

WINDOWS = {5: "5 s", 10: "10 s", 20: "20 s", 60: "60 s"}
HOLD = "Hold the plots; values go on being taken"
MOST_PLOTS = 6
MOST_CURVES = 6  # of one plot
MOST_UNITS = 2  # of one plot: an axis on each side
TEXT = "#8592a5"  # readable on light and dark
GRID = "rgba(133, 146, 165, 0.22)"
MEASURED = "controller_measurements"
# What the first plots show: title, and path -> name, colour, dash.
FIRST_PLOTS: tuple[dict[str, tuple[str, str, str]], ...] = (
    {
        f"{MEASURED}.front.axle_torque": ("torque, front axle", FRONT, "solid"),
        f"{MEASURED}.rear.axle_torque": ("torque, rear axle", REAR, "solid"),
    },
    {
        "controller_inputs.motion.yaw_rate": ("yaw rate", CAR, "solid"),
        f"{MEASURED}.yaw_control.yaw_rate_reference": ("reference", DRIVER, "dashed"),
    },
    {f"{MEASURED}.vehicle_speed.speed": ("speed", EXTRA, "solid")},
)
COLOURS = (OTHER, LIMIT, EXTRA, CAR, REAR, FRONT, DRIVER)


@dataclass
class Plot:
    """One plot: its paths, and the elements that show it."""

    paths: list[str]
    looks: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    chart: Any = None


class Plots:
    """The plots of one page."""

    def __init__(self, signals: dict[str, Signal]) -> None:
        self._signals = signals
        self._plots = [
            Plot([path for path in looks if path in signals], {path: look for path, look in looks.items() if path in signals})
            for looks in FIRST_PLOTS
        ]
        self._paused = False

    def build(self) -> None:
        """Make the panel."""
        with ui.column().classes("panel column w-full").style("flex: 1 1 0"):
            with ui.row().classes("w-full items-center no-wrap").style("gap: 8px"):
                ui.label("Measurements").classes("brand")
                ui.space()
                ui.label("last").classes("dim small")
                ui.toggle(
                    WINDOWS, value=10, on_change=lambda event: ui.run_javascript(f"e4hil.setSeconds({int(event.value)})")
                ).props("dense unelevated no-caps size=sm toggle-color=primary")
                self._pause = icon_button("pause", HOLD, self._toggle_pause)
                icon_button("add_chart", "Add a plot", self._add)
            self._box = ui.element("div").classes("plots")
        self._rebuild()

    def _rebuild(self) -> None:
        self._box.clear()
        with self._box:
            for plot in self._plots:
                with ui.element("div").classes("plot"):
                    plot.chart = ui.echart(_options())
                    with ui.row().classes("tools no-wrap").style("gap: 0"):
                        for icon, tip, action in (
                            ("tune", "Choose what is plotted", self._choose),
                            ("close", "Remove this plot", self._remove),
                        ):
                            icon_button(icon, tip, partial(action, plot), "xs")
        self.send()

    def send(self) -> None:
        """Tell the page's script what to plot."""
        wanted = [self._told(plot) for plot in self._plots]
        ui.run_javascript(f"e4hil.setPlots({json.dumps(wanted)})")

    def _told(self, plot: Plot) -> dict[str, Any]:
        units = list(dict.fromkeys(self._signals[path].unit for path in plot.paths))
        series = []
        for number, path in enumerate(plot.paths):
            signal = self._signals[path]
            name, colour, dash = plot.looks.get(path, (_words(signal.name), COLOURS[number % len(COLOURS)], "solid"))
            style = {
                "type": "line", "name": name, "showSymbol": False, "animation": False, "color": colour, "silent": True,
                "lineStyle": {"width": 1.8, "type": dash}, "yAxisIndex": units.index(signal.unit),
            }  # fmt: skip
            series.append({"path": path, "style": style})
        axes = [{"name": units[k] if k < len(units) else "", "show": k < max(1, len(units))} for k in range(MOST_UNITS)]
        return {"element": plot.chart.id, "series": series, "axes": axes}

    def _toggle_pause(self) -> None:
        self._paused = not self._paused
        rename(self._pause, "Let the plots go on" if self._paused else HOLD, "play_arrow" if self._paused else "pause")
        ui.run_javascript(f"e4hil.pause({json.dumps(self._paused)})")

    def _add(self) -> None:
        if len(self._plots) >= MOST_PLOTS:
            ui.notify(f"at most {MOST_PLOTS} plots", type="warning")
            return
        plot = Plot([])
        self._plots.append(plot)
        self._choose(plot)

    def _remove(self, plot: Plot) -> None:
        self._plots.remove(plot)
        self._rebuild()

    def _choose(self, plot: Plot) -> None:
        chooser(self._signals, plot.paths, lambda paths: self._take(plot, paths))

    def _take(self, plot: Plot, paths: list[str]) -> None:
        plot.paths = paths
        if not paths and plot in self._plots:
            self._plots.remove(plot)
        self._rebuild()


def chooser(signals: dict[str, Signal], chosen: list[str], take: Callable[[list[str]], None]) -> None:
    """A dialog that chooses measurements by words; ``take`` is given their paths."""
    columns = [
        {"name": name, "label": label, "field": name, "align": "left", "sortable": True, "style": style}
        for name, label, style in (
            ("group", "group", "color: var(--dim)"),
            ("name", "measurement", "font-weight: 550"),
            ("unit", "unit", ""),
            ("description", "what it is", "white-space: normal; color: var(--dim)"),
        )
    ]
    rows = [
        {"path": signal.path, "group": signal.group, "name": signal.name, "unit": signal.unit, "description": signal.description}
        for signal in signals.values()
    ]

    def close() -> None:
        paths = [row["path"] for row in table.selected]
        if len(paths) > MOST_CURVES:
            ui.notify(f"at most {MOST_CURVES} curves in one plot", type="warning")
        elif len({signals[path].unit for path in paths}) > MOST_UNITS:
            ui.notify(f"at most {MOST_UNITS} units in one plot: add another plot", type="warning")
        else:
            dialog.close()
            take(paths)

    with ui.dialog() as dialog, ui.card().style("width: 860px; max-width: 95vw"):
        search = ui.input(placeholder="search: torque, limit, slip, temperature …").props("dense outlined autofocus clearable")
        search.classes("w-full")
        table = ui.table(columns=columns, rows=rows, row_key="path", selection="multiple", pagination=0)
        table.classes("w-full").style("height: 52vh").props("dense flat virtual-scroll hide-bottom")
        table.bind_filter_from(search, "value", backward=lambda text: text or "")
        table.selected = [row for row in rows if row["path"] in chosen]
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Plot these", on_click=close).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _options() -> dict[str, Any]:
    """An empty plot; its curves and units come from the script."""
    label = {"color": TEXT, "fontSize": 11}
    axis: dict[str, Any] = {
        "type": "value", "scale": True, "splitNumber": 4, "axisLabel": {**label, ":formatter": "String"},
        "splitLine": {"lineStyle": {"color": GRID}},
        "nameTextStyle": {"color": TEXT, "fontSize": 11, "padding": [0, 0, 0, -24]}, "nameGap": 8,
    }  # fmt: skip
    second = {**axis, "show": False, "splitLine": {"show": False}, "nameTextStyle": {"color": TEXT, "fontSize": 11}}
    return {
        "animation": False,
        "grid": {"left": 46, "right": 40, "top": 26, "bottom": 20},
        "legend": {
            "top": 0, "left": 40, "itemWidth": 16, "itemHeight": 3, "icon": "rect", "textStyle": {"color": TEXT, "fontSize": 12},
        },
        "xAxis": {
            "type": "value", "min": 0, "max": 10, "splitLine": {"show": False}, "axisLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {**label, "showMinLabel": False, ":formatter": "(value) => value.toFixed(0) + ' s'"},
        },
        "yAxis": [axis, second],
        "series": [],
    }  # fmt: skip


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ", ")
