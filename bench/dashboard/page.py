"""The page: what stands where, and what its buttons do. Each browser has one of its own, with what it may do."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nicegui import events, ui
from nicegui import run as background

from bench.dashboard.access import Access, Session
from bench.dashboard.calibration_editor import WAY, CalibrationEditor
from bench.dashboard.comparison import Comparison
from bench.dashboard.elements import icon_button, rename
from bench.dashboard.health import Health
from bench.dashboard.plots import Plots
from bench.dashboard.run import CarRun, ControllerRun, Run, Standing
from bench.dashboard.signals import Signal
from bench.nodes.car import Phase
from bench.scenarios import list_scenarios
from hil.calibration.files import read_file, write_file
from hil.calibration.pages import Page as CalibrationPage
from hil.errors import UsageError

FOLDER = Path(__file__).parent / "static"
FIRST_VIEW: Any = "Drive"  # by its name; NiceGUI's own type wants the tab
RECORD = "Record all frames to a file"
UNLOCK = "Unlock this page, to change something"
REFRESH = 0.5  # [s] of what does not move
LARGEST_FILE = 5_000_000  # [bytes] of a calibration that is loaded
CAR = (FOLDER / "car.svg").read_text(encoding="utf-8")
POWER = """
<div class="power">
  <span class="side" id="charge-limit">charge limit <b>–</b></span>
  <span><span class="dim small">power of the pack</span><br><span class="now" id="power-now">–</span></span>
  <span class="side" id="discharge-limit" style="text-align: right">discharge limit <b>–</b></span>
</div>
<div class="gauge unknown" id="gauge">
  <div class="allowed" id="power-allowed"></div><div class="used" id="power-used"></div>
  <div class="edge" id="power-low"></div><div class="edge" id="power-high"></div><div class="zero" id="power-zero"></div>
</div>
<div class="scale-text">
  <span id="power-scale-low"></span><span id="power-scale-zero"></span><span id="power-scale-high"></span>
</div>
"""
LOST = """
<div class="banner error" id="lost">
  The page has lost the dashboard. Was it started anew? Then open the address that it has printed.
</div>
"""
EMERGENCY_STOP = " "
# What the operator's keys are called on the page.
KEYS = (
    ("Emergency stop", EMERGENCY_STOP, "unelevated color=negative"),
    ("Arm", "a", "outline"),
    ("Disarm", "d", "outline"),
    ("−1 Nm", "down", "flat dense"),
    ("+1 Nm", "up", "flat dense"),
    ("0 Nm", "0", "flat dense"),
)
STATES = """
<div class="state"><span>state</span><b id="state">off</b></div><div class="state"><span>gear</span><b id="gear">–</b></div>
<div class="state"><span>drive mode</span><b id="mode">–</b></div><div class="state"><span>charge</span><b id="charge">–</b></div>
"""
LEGEND = """
<span><i style="background: var(--motor)"></i>motor torque</span><span><i style="background: var(--brake)"></i>brake torque</span>
<span><i style="background: var(--front)"></i>grip in use</span><span>longest arrow <b id="torque-scale">500</b> Nm</span>
"""
PEDALS = """
<span>accelerator</span><div class="track"><div class="fill" id="accelerator" style="background: var(--motor)"></div></div>
<span class="number" id="accelerator-number">–</span>
<span>brake</span><div class="track"><div class="fill" id="brake" style="background: var(--brake)"></div></div>
<span class="number" id="brake-number">–</span>
<span>steering wheel</span><div class="track"><div class="fill" id="steering" style="background: var(--front)"></div></div>
<span class="number" id="steering-number">–</span>
"""


@dataclass
class Shared:
    """What all pages have in common."""

    run: Run
    access: Access
    signals: dict[str, Signal]
    kept: dict[str, Any] = field(default_factory=dict)  # calibrations that people have kept, by name


class DashboardPage:
    """One browser's page."""

    def __init__(self, shared: Shared, session: Session) -> None:
        self._shared = shared
        self._run = shared.run
        self._session = session
        self._unlocked_shown = session.unlocked
        self._plots = Plots(shared.signals)
        self._health = Health(self._run)
        self._editor = CalibrationEditor(self._run.pages, self._attempt, lambda: session.unlocked)
        scenario = self._run.scenario if isinstance(self._run, CarRun) else "step_steer"
        self._comparison = Comparison(self._run, shared.kept, scenario)

    def build(self) -> None:
        """Make the page."""
        ui.add_head_html('<link rel="stylesheet" href="/dashboard/page.css"><script src="/dashboard/page.js"></script>')
        ui.colors(primary="#3b82d6", negative="#d9434b", positive="#2f9e6b", warning="#d99a1b")
        self._dark = ui.dark_mode(None)
        with ui.header().classes("top items-center no-wrap").style("gap: 10px"):
            self._build_header()
        with ui.element("div").classes("columns").bind_visibility_from(self._view, "value", value="Drive"):
            self._build_car()
            self._build_middle()
            self._build_right()
        with ui.element("div").classes("view").bind_visibility_from(self._view, "value", value="Compare"):
            self._comparison.build()
        ui.timer(REFRESH, self._refresh)
        self._refresh()

    def _build_header(self) -> None:
        ui.label("e4orce-hil").classes("brand")
        if isinstance(self._run, CarRun):
            scenarios = dict(list_scenarios())
            options = scenarios if self._run.scenario in scenarios else {self._run.scenario: self._run.scenario, **scenarios}
            self._scenario = ui.select(options, value=self._run.scenario).props("dense outlined options-dense").classes("col")
            self._scenario.style("max-width: 460px; min-width: 180px").tooltip("Manoeuvre")
        else:
            ui.label(self._run.title).classes("dim")
        self._start = ui.button("Start", icon="play_arrow", on_click=self._on_start).props("unelevated no-caps")
        self._stop = ui.button("Stop", icon="stop", on_click=self._on_stop).props("unelevated no-caps color=negative")
        if isinstance(self._run, CarRun):
            self._repeat = ui.switch("repeat", value=self._run.repeat, on_change=self._on_repeat).props("dense")
        if isinstance(self._run, ControllerRun) and self._run.operator:
            for label, key, look in KEYS:
                ui.button(label, on_click=self._press(key)).props(f"no-caps {look}")
        self._progress = ui.label().classes("figures dim").style("white-space: nowrap; min-width: 148px")
        ui.space()
        with ui.tabs(value=FIRST_VIEW).props("dense no-caps inline-label") as self._view:
            ui.tab("Drive", label="Drive", icon="directions_car")
            ui.tab("Compare", label="Compare A/B", icon="compare_arrows")
        self._record = icon_button("fiber_manual_record", RECORD, self._on_record, "md")
        with icon_button("save_alt", "Keep what was seen", size="md"), ui.menu():
            ui.menu_item("Measurement (MF4)", self._keep_measurement)
            if isinstance(self._run, CarRun):
                ui.menu_item("Report (HTML)", self._keep_report)
            ui.menu_item("Calibration (TOML)", self._save_calibration)
        self._lock = icon_button("lock", UNLOCK, self._on_lock, "md")
        icon_button("dark_mode", "Light or dark", self._on_dark, "md")

    def _build_car(self) -> None:
        with ui.element("div").classes("column"):
            ui.html(STATES, sanitize=False).classes("states panel")
            with ui.element("div").classes("panel car-view"):
                ui.html(CAR, sanitize=False).classes("car-box")
                ui.html(LEGEND, sanitize=False).classes("legend")
                ui.html(PEDALS, sanitize=False).classes("pedals")

    def _build_middle(self) -> None:
        with ui.element("div").classes("column"):
            ui.html(LOST, sanitize=False)
            self._banner = ui.label().classes("banner")
            ui.html(POWER, sanitize=False).classes("panel w-full")
            self._plots.build()

    def _build_right(self) -> None:
        with ui.element("div").classes("column panel"):
            with ui.tabs().props("dense no-caps align=left").classes("w-full") as tabs:
                ui.tab("Calibration")
                with ui.tab("Faults"):
                    self._fault_badge = ui.badge().props("color=negative floating")
                ui.tab("Buses and loop")
            with (
                ui.tab_panels(tabs, value="Calibration", keep_alive=True)
                .classes("w-full column")
                .style("flex: 1 1 0; background: none")
            ):
                with ui.tab_panel("Calibration").classes("column").style("padding: 0; height: 100%; gap: 6px"):
                    self._editor.build(self._keep_calibration, self._load_calibration, self._save_calibration)
                with ui.tab_panel("Faults").style("padding: 0"):
                    self._health.build_faults()
                with ui.tab_panel("Buses and loop").style("padding: 0"):
                    self._health.build_system()

    # --- what changes something

    def _attempt(self, action: Callable[[], Any]) -> bool:
        """Do what changes something if this browser may, and say what is wrong; whether it was done."""
        if not self._session.unlocked:
            self._ask_code()
            return False
        try:
            action()
        except UsageError as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=8000)
            return False
        return True

    def _on_start(self) -> None:
        self._attempt(self._begin)
        self._refresh()

    def _begin(self) -> None:
        if isinstance(self._run, CarRun):
            self._run.choose(self._scenario.value)
        self._run.start()

    def _on_stop(self) -> None:
        self._attempt(self._run.stop)

    def _on_repeat(self, event: events.ValueChangeEventArguments) -> None:
        if isinstance(self._run, CarRun) and event.value != self._run.repeat:
            run = self._run
            if not self._attempt(lambda: setattr(run, "repeat", event.value)):
                self._repeat.value = run.repeat

    def _press(self, key: str) -> Callable[[], None]:
        """What a key of the operator does; the emergency stop asks for no code."""

        def press() -> None:
            if key == EMERGENCY_STOP:
                self._run.press(key)
            else:
                self._attempt(lambda: self._run.press(key))

        return press

    def _on_record(self) -> None:
        recording = self._run.recording
        if recording.target:
            self._attempt(recording.stop)
        elif self._attempt(recording.start):
            ui.notify(f"recording to {recording.target}", type="positive")
        self._refresh()

    def _on_lock(self) -> None:
        if self._session.unlocked:
            self._session.unlocked = False
            self._refresh()
        else:
            self._ask_code()

    def _ask_code(self) -> None:
        with ui.dialog() as dialog, ui.card().style("width: 340px"):
            ui.label("Unlock this page").classes("brand")
            ui.label("To change something, type the code that e4hil dashboard has printed in its terminal.").classes("dim")
            code = (
                ui.input("code")
                .props("outlined dense autofocus autocomplete=off inputmode=numeric")
                .classes("w-full")
                .mark("code")
            )

            def unlock() -> None:
                if wrong := self._shared.access.unlock(self._session, code.value or ""):
                    code.props(f'error error-message="{wrong}"')
                    return
                dialog.close()
                self._refresh()

            code.on("keydown.enter", unlock)
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Unlock", on_click=unlock).props("unelevated no-caps")
        dialog.on("hide", dialog.delete)
        dialog.open()

    # --- what is kept and loaded

    def _keep_calibration(self) -> None:
        name = time.strftime("kept at %H:%M:%S")
        self._shared.kept[name] = self._run.pages.page(CalibrationPage.WORKING)
        ui.notify(f"{name}: choose it as A or B in Compare A/B", type="positive")

    def _load_calibration(self) -> None:
        async def take(event: events.UploadEventArguments) -> None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / Path(event.file.name).name
                path.write_bytes(await event.file.read())
                dialog.close()
                self._attempt(lambda: self._take_file(path))

        if not self._session.unlocked:
            self._ask_code()
            return
        with ui.dialog() as dialog, ui.card():
            ui.label("Load a calibration").classes("brand")
            ui.label("A TOML or CDFX; what it does not hold stays as the reference page has it.").classes("dim")
            ui.upload(on_upload=take, auto_upload=True, max_file_size=LARGEST_FILE).props("flat bordered accept=.toml,.cdfx")
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _take_file(self, path: Path) -> None:
        try:
            values = read_file(path).on(self._run.pages.page(CalibrationPage.REFERENCE))
        except UsageError as error:  # whoever loads it knows its name, and not where it lies here
            raise UsageError(str(error).replace(str(path), path.name)) from error
        self._run.pages.load(values, f"{WAY}: {path.name}")

    async def _save_calibration(self) -> None:
        await self._download(
            "calibration.toml",
            lambda path: write_file(path, self._run.pages.page(CalibrationPage.WORKING)),
        )

    async def _keep_measurement(self) -> None:
        await self._download("measurement.mf4", self._run.write_measurement)

    async def _keep_report(self) -> None:
        await self._download("report.html", self._run.write_report)

    async def _download(self, name: str, write: Callable[[Path], None]) -> None:
        """Let a file be written elsewhere, and the browser have it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            try:
                await background.io_bound(write, path)
            except UsageError as error:
                ui.notify(str(error), type="negative", multi_line=True)
                return
            ui.download.content(await asyncio.to_thread(path.read_bytes), name)

    # --- what is shown

    async def _on_dark(self) -> None:
        self._dark.value = not await ui.run_javascript("document.body.classList.contains('body--dark')")

    def _refresh(self) -> None:
        if self._session.unlocked != self._unlocked_shown:
            self._unlocked_shown = self._session.unlocked
            self._editor.rebuild()
        is_on = self._run.is_on
        self._start.set_visibility(not is_on)
        self._stop.set_visibility(is_on)
        if isinstance(self._run, CarRun):
            self._repeat.value = self._run.repeat
        self._progress.text = self._progress_text()
        if self._session.unlocked:
            rename(self._lock, "Lock this page: look only", "lock_open")
        else:
            rename(self._lock, UNLOCK, "lock")
        recording = self._run.recording
        target = recording.target
        self._record.props(f"color={'negative' if target else 'grey'}")
        text = f"Recording, {recording.recorded} frames in {target.name}" if target else RECORD
        rename(self._record, text, "stop_circle" if target else "fiber_manual_record")
        faults = self._health.count()
        self._fault_badge.text = str(faults)
        self._fault_badge.set_visibility(faults > 0)
        self._show_banner()
        self._editor.refresh()
        self._health.refresh()
        self._comparison.refresh()

    def _progress_text(self) -> str:
        drive = self._run.drive
        if self._run.standing is Standing.STARTING:
            return "starting …"
        if not self._run.is_on:
            return "car off" if isinstance(self._run, CarRun) else "controller off"
        if drive is None:
            return "on its buses"
        if drive.phase == Phase.STARTING:
            return "switching on"
        if drive.phase == Phase.RUN_UP:
            return f"reaching {3.6 * drive.scenario.start_speed:.0f} km/h"
        return f"{max(0.0, drive.scenario_time):.1f} of {drive.duration:g} s"

    def _show_banner(self) -> None:
        text, kind = self._banner_text()
        self._banner.text = text
        self._banner.set_visibility(bool(text))
        self._banner.classes(add=kind, remove="hint" if kind == "error" else "error")

    def _banner_text(self) -> tuple[str, str]:
        run, bench = self._run, self._run.bench
        if run.standing is Standing.FAILED:
            return f"The loop has stopped: {run.error}", "error"
        if run.is_on and bench and not bench.is_connected:
            return f"A bus is lost: {'; '.join(bench.problems) or 'it is opened again and again'}", "error"
        if run.is_on:
            return "", "hint"
        what = (
            "The car is off. Choose a manoeuvre above and press Start."
            if isinstance(run, CarRun)
            else "The controller is off. Press Start."
        )
        return (what if run.history.last is None else f"{what} What the last run showed is still here."), "hint"
