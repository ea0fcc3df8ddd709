"""The calibration on the page: sliders for values, grids for curves and maps, made from the table of calibration values.

A slider covers what is near the default, the number beside it all that is allowed. A change goes out when the slider is let go,
so that each is one line of the journal and one step of undo.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nicegui import events, ui

from bench.dashboard.elements import icon_button
from bench.rows import format_value
from firmware_model.kernel import Field
from hil.calibration.changes import differences, plain
from hil.calibration.pages import CalibrationPages, Page
from hil.calibration.table import AXES, FIELDS, Axis, FixedAxis, axis_labels

Attempt = Callable[[Callable[[], Any]], bool]
WAY = "dashboard"  # for the journal
NEAR = 2.0  # a slider ends at so many times the default
STEPS = 200  # of a slider
MOST_FOUND = 40  # entries that a search shows
ESSENTIAL = (
    "front.motor_torque_max",
    "rear.motor_torque_max",
    "driver_demand.force_standard",
    "torque_split.front_share",
    "torque_split.load_gain",
    "yaw_control.enabled",
    "yaw_control.gain",
    "yaw_control.gain_rate",
    "yaw_control.understeer_share",
    "wheel_slip.slip_ratio",
    "brake_blending.regeneration_deceleration_max",
    "ride_control.feedback_gain",
    "ride_control.pitch_gain",
    "power_budget.margin",
    "discharge_limiter.cell_voltage_min",
)
ESSENTIALS, CHANGED = "most used", "changed from the reference"


@dataclass
class Entry:
    """The elements of one value."""

    box: Any
    number: Any = None
    slider: Any = None
    switch: Any = None
    text: Any = None
    reset: Any = None
    cells: dict[tuple[int, ...], Any] = field(default_factory=dict)


class CalibrationEditor:
    """The calibration panel of one page."""

    def __init__(self, pages: CalibrationPages, attempt: Attempt, may_write: Callable[[], bool]) -> None:
        """``attempt`` does what changes something, if this page may, says what is wrong, and whether it was done."""
        self._pages = pages
        self._attempt = attempt
        self._may_write = may_write
        self._entries: dict[str, Entry] = {}
        self._shown: Any = None
        self._shown_page = Page.WORKING

    def build(self, keep: Callable[[], Any], load: Callable[[], Any], save: Callable[[], Any]) -> None:
        """Make the panel; the three are what its buttons do with a whole calibration."""
        groups = [ESSENTIALS, CHANGED, *dict.fromkeys(path.split(".")[0] for path in FIELDS)]
        with ui.row().classes("w-full items-center no-wrap").style("gap: 4px"):
            self._search = ui.input(placeholder="search values", on_change=self.rebuild).props(
                "dense outlined clearable debounce=250"
            )
            self._search.classes("col")
            self._group = ui.select({name: name.replace("_", " ") for name in groups}, value=ESSENTIALS, on_change=self.rebuild)
            self._group.props("dense outlined options-dense").classes("col")
        with ui.row().classes("w-full items-center no-wrap").style("gap: 2px"):
            self._page = ui.toggle({Page.WORKING: "Working", Page.REFERENCE: "Reference"}, value=self._pages.selected)
            self._page.props("dense unelevated no-caps size=sm").on_value_change(self._select)
            self._page.tooltip("The page that the controller runs on. The reference is what it was started with.")
            ui.space()
            for icon, tip, action in (
                ("undo", "Undo the last change", lambda: self._attempt(lambda: self._pages.undo(f"{WAY}: undo"))),
                ("redo", "Redo", lambda: self._attempt(lambda: self._pages.redo(f"{WAY}: redo"))),
                ("restart_alt", "Make all values those of the reference", self._reset_all),
                ("bookmark_add", "Keep this calibration, to compare it later", keep),
                ("upload_file", "Load a calibration (TOML, CDFX)", load),
                ("download", "Save this calibration as TOML", save),
            ):
                icon_button(icon, tip, action)
        self._note = ui.label().classes("small dim")
        self._list = ui.column().classes("w-full scrolls").style("gap: 0; flex: 1 1 0; flex-wrap: nowrap")
        self.rebuild()

    def rebuild(self) -> None:
        """Show the values that were searched for, or those of the group."""
        paths = self._paths()
        self._entries = {}
        self._list.clear()
        with self._list:
            for path in paths[:MOST_FOUND]:
                self._entries[path] = self._entry(path)
            if not paths:
                ui.label("nothing is changed" if self._group.value == CHANGED else "no value is called that").classes("dim")
            if len(paths) > MOST_FOUND:
                ui.label(f"and {len(paths) - MOST_FOUND} more: search more narrowly").classes("dim")
        self._show()

    def refresh(self) -> None:
        """Show what others have changed; to be called now and then."""
        working = self._pages.page(Page.WORKING)
        if self._pages.selected != self._shown_page:
            self._shown_page = self._page.value = self._pages.selected
        if working is not self._shown:
            if self._group.value == CHANGED and not self._search.value:
                self.rebuild()
            else:
                self._show()

    def _paths(self) -> list[str]:
        if text := (self._search.value or "").strip().lower():
            words = text.split()
            return [path for path, row in FIELDS.items() if all(word in f"{path} {row.description}".lower() for word in words)]
        if self._group.value == ESSENTIALS:
            return list(ESSENTIAL)
        if self._group.value == CHANGED:
            return self._changed()
        return [path for path in FIELDS if path.split(".")[0] == self._group.value]

    def _changed(self) -> list[str]:
        """The values that differ from the reference, in the order of the table."""
        return [change.path for change in differences(self._pages.page(Page.REFERENCE), self._pages.page(Page.WORKING))]

    def _entry(self, path: str) -> Entry:
        row = FIELDS[path]
        with ui.column().classes("entry") as box:
            entry = Entry(box)
            with ui.row().classes("w-full items-center no-wrap").style("gap: 6px"):
                ui.label(path).classes("name col")
                entry.reset = icon_button("restart_alt", "Back to the reference", lambda: self._reset(path), "xs")
                if row.shape:
                    entry.text = ui.label().classes("figures")
                    ui.button("Edit", on_click=lambda: self._edit(path)).props("dense outline no-caps size=sm")
                elif _is_flag(row):
                    entry.switch = ui.switch().props("dense")
                    entry.switch.on_value_change(lambda event: self._change(path, int(event.value)))
                else:
                    entry.number = (
                        ui.number(step=_step(row)).props("dense outlined debounce=600 hide-bottom-space").style("width: 100px")
                    )
                    entry.number.on_value_change(lambda event: self._change(path, event.value))
                    ui.label(_unit(row)).classes("small dim").style("width: 64px; line-height: 1.1")
            ui.label(self._about(row)).classes("about")
            if entry.number:
                low, high = slider_range(row)
                entry.slider = (
                    ui.slider(min=low, max=high, step=_slider_step(row, low, high)).props("dense").mark(f"slider {path}")
                )
                entry.slider.on("change", lambda event: self._change(path, event.args))
            for control in (entry.number, entry.slider, entry.switch):
                if control:
                    control.set_enabled(self._may_write())
        return entry

    def _about(self, row: Field) -> str:
        if row.shape:
            return f"{row.description}, {' × '.join(map(str, row.shape))} values {_unit(row)}"
        if _is_flag(row):
            return row.description
        return f"{row.description}; {_limits(row)}, default {format_value(row.default)}"

    def _show(self) -> None:
        self._shown = self._pages.page(Page.WORKING)
        changed = self._changed()
        runs = "" if self._pages.selected is Page.WORKING else " — the controller runs on the reference"
        self._note.text = (
            f"{len(changed)} of {len(FIELDS)} values differ from the reference" if changed else "as it was started"
        ) + runs
        for path, entry in self._entries.items():
            value, is_changed = plain(self._shown, path), path in changed
            entry.box.classes(add="changed" if is_changed else "", remove="" if is_changed else "changed")
            entry.reset.set_visibility(is_changed and self._may_write())
            if entry.text:
                entry.text.text = _range_of(value)
            elif entry.switch:
                entry.switch.value = bool(value)
            else:
                entry.number.value = _shown(value)
                entry.slider.value = value

    def _change(self, path: str, value: Any) -> None:
        """Take a value over, unless it is what is there already: elements tell what they are set to, too."""
        current = plain(self._pages.page(Page.WORKING), path)
        if value is None or _shown(value) == _shown(current):
            return
        number = round(value) if FIELDS[path].dtype == "i8" else float(value)
        self._attempt(lambda: self._pages.change({path: number}, WAY))
        self._show()

    def _reset(self, path: str) -> None:
        self._attempt(lambda: self._pages.change({path: plain(self._pages.page(Page.REFERENCE), path)}, WAY))
        self._show()

    def _reset_all(self) -> None:
        self._attempt(lambda: self._pages.reset(f"{WAY}: reset"))

    def _select(self, event: events.ValueChangeEventArguments) -> None:
        if event.value == self._pages.selected:
            return
        self._attempt(lambda: self._pages.select(event.value, WAY))
        self._page.value = self._shown_page = self._pages.selected
        self._show()

    def _edit(self, path: str) -> None:
        """A curve or a map in a dialog of its own: its numbers, and how they look."""
        row, working = FIELDS[path], self._pages.page(Page.WORKING)
        value = plain(working, path)
        rows = value if len(row.shape) == 2 else [value]
        axes = AXES.get(path, ())
        columns = axis_labels(axes[-1], len(rows[0]), working) if axes else [str(k + 1) for k in range(len(rows[0]))]
        lines = axis_labels(axes[0], len(rows), working) if len(axes) > 1 else [""]

        def take() -> None:
            numbers = [[cells[i][j].value for j in range(len(columns))] for i in range(len(lines))]
            kind = round if row.dtype == "i8" else float
            given = [[math.nan if number is None else kind(number) for number in line] for line in numbers]
            if self._attempt(lambda: self._pages.change({path: given if len(row.shape) == 2 else given[0]}, WAY)):
                dialog.close()
                self._show()

        def draw() -> None:
            numbers = [[cell.value for cell in line] for line in cells]
            chart.options["series"] = _curves(numbers, lines)
            chart.update()

        with ui.dialog() as dialog, ui.card().style("max-width: 96vw; width: 980px"):
            ui.label(f"{path} [{row.unit if row.unit != '1' else '–'}]").classes("brand")
            ui.label(f"{row.description}; {_limits(row)}").classes("dim small")
            chart = ui.echart(_curve_options(columns, _axis_title(axes[-1]) if axes else "point", _unit(row))).style(
                "height: 230px"
            )
            with ui.element("div").classes("scrolls").style("max-height: 38vh; overflow: auto; width: 100%"):
                cells = _grid(columns, lines, rows, _axis_title(axes[0]) if len(axes) > 1 else "", draw, self._may_write())
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Take over", on_click=take).props("unelevated no-caps").set_enabled(self._may_write())
        draw()
        dialog.on("hide", dialog.delete)
        dialog.open()


def slider_range(row: Field) -> tuple[float, float]:
    """Where a slider begins and ends: what is near the default, within what is allowed."""
    default = float(row.default)
    reach = NEAR * abs(default) or float(row.maximum)
    low = row.minimum if row.minimum >= 0.0 and row.minimum > -reach else max(row.minimum, -reach)
    return float(low), float(min(row.maximum, max(reach, default)))


def _slider_step(row: Field, low: float, high: float) -> float:
    if row.dtype == "i8":
        return 1
    return float(10.0 ** math.floor(math.log10((high - low) / STEPS)))


def _step(row: Field) -> float:
    low, high = slider_range(row)
    return _slider_step(row, low, high)


def _limits(row: Field) -> str:
    return f"{format_value(row.minimum)} to {format_value(row.maximum)}"


def _is_flag(row: Field) -> bool:
    return row.dtype == "i8" and (row.minimum, row.maximum) == (0, 1)


def _unit(row: Field) -> str:
    return "" if row.unit == "1" else row.unit.replace("m/s2", "m/s²").replace("degC", "°C").replace("Ohm", "Ω")


def _shown(value: float) -> float:
    """A number as the page shows it: without the tail of binary fractions."""
    return float(f"{float(value):.9g}")


def _range_of(value: Any) -> str:
    numbers = [number for row in value for number in (row if isinstance(row, list) else [row])]
    return f"{format_value(min(numbers))} … {format_value(max(numbers))}"


def _axis_title(axis: Axis) -> str:
    if isinstance(axis, FixedAxis):
        title, unit = axis.title, axis.unit
    else:
        title, unit = axis.split(".")[-1].replace("_", " "), FIELDS[axis].unit
    return title if unit == "1" else f"{title} [{unit}]"


def _grid(
    columns: list[str], lines: list[str], rows: Any, title: str, draw: Callable[[], None], enabled: bool
) -> list[list[Any]]:
    """A table of numbers to be edited; its elements, line by line."""
    cells: list[list[Any]] = []
    with ui.element("table").classes("grid-editor"):
        with ui.element("tr"):
            with ui.element("th"):
                ui.label(title).classes("small")
            for column in columns:
                with ui.element("th"):
                    ui.label(column)
        for line, values in zip(lines, rows, strict=True):
            with ui.element("tr"):
                with ui.element("th"):
                    ui.label(line)
                cells.append([])
                for value in values:
                    with ui.element("td"):
                        cell = ui.number(value=_shown(value), on_change=draw).props(
                            "dense outlined hide-bottom-space debounce=300"
                        )
                        cell.style("width: 92px").set_enabled(enabled)
                        cells[-1].append(cell)
    return cells


def _curves(rows: list[list[Any]], lines: list[str]) -> list[dict[str, Any]]:
    """A curve for each line of a map, from blue to orange."""
    count = max(1, len(rows) - 1)
    return [
        {
            "type": "line", "name": line, "data": row, "symbolSize": 5, "animation": False,
            "color": f"hsl({215 - 190 * k / count:.0f} 65% 52%)", "lineStyle": {"width": 1.8},
        }
        for k, (line, row) in enumerate(zip(lines, rows, strict=True))
    ]  # fmt: skip


def _curve_options(columns: list[str], title: str, unit: str) -> dict[str, Any]:
    text = {"color": "#8592a5", "fontSize": 11}
    return {
        "animation": False,
        "grid": {"left": 60, "right": 20, "top": 28, "bottom": 40},
        "legend": {"top": 0, "textStyle": text},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": columns, "name": title, "nameLocation": "middle", "nameGap": 24, "axisLabel": text,
                  "nameTextStyle": text},
        "yAxis": {"type": "value", "name": unit, "scale": True, "axisLabel": text, "nameTextStyle": text,
                  "splitLine": {"lineStyle": {"color": "rgba(133, 146, 165, 0.22)"}}},
        "series": [],
    }  # fmt: skip
