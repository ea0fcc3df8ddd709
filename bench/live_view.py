"""What a person sees while a drive runs: why the first run waits, how far the drive is, and what the car does.

On anything but a terminal (a log of CI, a pipe) the dashboard keeps quiet and the wait is announced in one plain line.
"""

import math
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from numba.core.event import Event, Listener, register, unregister
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.nodes.car import Phase
from firmware_model.kernel.jit import KERNELS
from firmware_model.measurements import Constraint, SupervisorState, fault_names
from firmware_model.signals import Gear

REFRESH = 10.0  # [1/s]
BAR = 32  # characters from one end of a scale to the other
WHEEL_BAR = 4  # characters
NEARLY = 0.95  # share of a limit from which its bar changes colour
FRONT, REAR, CAR, WARNING, ALARM = "dodger_blue1", "dark_orange", "green3", "yellow3", "red"
SHOWN_FAULTS = 2  # by name; the others are counted

KILO = 1e-3
KMH = 3.6
DEGREES = 180.0 / math.pi
BAR_PRESSURE = 1e-5  # from [Pa]

SECONDS_PER_KERNEL = 0.12  # [s] measured on one core of a server of the 2020s
COMPILATION = "numba:compile"


@dataclass
class Scale:
    """The scale of a bar: it grows with what is seen, in steps, and never shrinks, so that a bar can be read over time."""

    step: float
    end: float = 0.0

    def share(self, value: float) -> float:
        """The value as share of the scale, which is made long enough first; NaN stays NaN."""
        if math.isfinite(value):
            self.end = max(self.end, self.step * max(math.ceil(abs(value) / self.step), 1))
        return value / (self.end or self.step)


@dataclass
class Scales:
    """The scales of the dashboard's bars. Discharge and charge have their own: packs give more than they take."""

    torque: Scale = field(default_factory=lambda: Scale(500.0))  # [Nm] at the axle
    discharge: Scale = field(default_factory=lambda: Scale(50e3))  # [W]
    charge: Scale = field(default_factory=lambda: Scale(25e3))  # [W]
    yaw_rate: Scale = field(default_factory=lambda: Scale(0.2))  # [rad/s]
    pressure: Scale = field(default_factory=lambda: Scale(5e6))  # [Pa]


class LiveView:
    """A drive at a glance: phase and progress, torque, power between its limits, yaw rate, brakes, faults.

    It reads what the controller receives, sends and measures, and so works wherever a controller runs.
    """

    def __init__(self, console: Console, title: str, duration: float) -> None:
        """``duration`` [s] of the scenario."""
        self.title = title
        self.duration = duration
        self._phase = Phase.STARTING
        self._scenario_time = 0.0
        self._sample: Any = None
        self._scales = Scales()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=REFRESH, transient=True)
        self._shown = console.is_terminal

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            self._live.stop()

    def update(self, phase: Phase, scenario_time: float, sample: Any) -> None:
        """Show where the drive stands: its phase, the scenario's time [s], and the latest sample."""
        self._phase, self._scenario_time, self._sample = phase, scenario_time, sample

    def _render(self) -> RenderableType:
        """What stands on the terminal now; called by the refreshing thread."""
        sample = self._sample
        parts: list[RenderableType] = [Text(self.title, "bold", no_wrap=True, overflow="ellipsis")]
        parts.append(progress_line(self._phase, self._scenario_time, self.duration))
        if sample is not None:
            parts += [dashboard(sample, self._scales), fault_line(sample["controller_measurements"]["supervisor"])]
        return Group(*parts)


def progress_line(phase: Phase, scenario_time: float, duration: float) -> RenderableType:
    """The phase, and how much of the scenario is done; its times are in s."""
    done = max(scenario_time, 0.0) if phase == Phase.DRIVING else 0.0
    bar = ProgressBar(
        duration, min(done, duration), width=BAR + 15, pulse=phase != Phase.DRIVING,
        complete_style="cyan", finished_style="cyan", pulse_style="cyan",
    )  # fmt: skip
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(f"{phase.name.replace('_', '-'):<9}", "bold"), bar, f"{done:.1f} / {duration:g} s")
    return line


def dashboard(sample: Any, scales: Scales) -> RenderableType:
    """The values of one sample as numbers and bars."""
    inputs, measurements = sample["controller_inputs"], sample["controller_measurements"]
    battery = inputs["battery"]
    table = Table.grid(padding=(0, 1))
    table.add_column(width=10, no_wrap=True)
    table.add_column(width=7, justify="right", no_wrap=True)
    table.add_column(width=4, style="dim", no_wrap=True)
    table.add_column(width=BAR + 1, no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_row("speed", number(measurements["vehicle_speed"]["speed"], KMH, 1), "km/h", "", standing(sample))
    table.add_row(*torque_row("front", FRONT, measurements, scales.torque))
    table.add_row(*torque_row("rear", REAR, measurements, scales.torque))
    table.add_row(*power_row(measurements, scales))
    table.add_row(*yaw_row(inputs, measurements, scales.yaw_rate))
    pack = f"{number(battery['current'], 1.0, 0)} A, charge {number(battery['state_of_charge'], 100.0, 1)} %"
    table.add_row("pack", number(battery["voltage"], 1.0, 1), "V", pack)
    table.add_row("brakes", number(max(pressures(inputs)), BAR_PRESSURE, 0), "bar", brake_bars(inputs, scales.pressure))
    return table


def standing(sample: Any) -> str:
    """State of the controller and the engaged gear."""
    state = SupervisorState(int(sample["controller_measurements"]["supervisor"]["state"])).name.replace("_", " ")
    return f"{state}, {Gear(int(sample['controller_outputs']['power']['gear'])).name.lower()}"


def torque_row(axle: str, colour: str, measurements: Any, scale: Scale) -> tuple[RenderableType, ...]:
    """Commanded torque of one axle."""
    torque = float(measurements[axle]["axle_torque"])
    bar = signed_bar(scale.share(torque), colour)
    return f"{axle} axle", number(torque, 1.0, 0), "Nm", bar, f"± {scale.end:.0f}"


def power_row(measurements: Any, scales: Scales) -> tuple[RenderableType, ...]:
    """Predicted DC power between the limits, with what sets the one in whose direction it goes."""
    limiter = measurements["discharge_limiter"]
    power = float(measurements["power_budget"]["predicted_power"])
    discharge, charge = float(limiter["discharge_limit"]), float(limiter["charge_limit"])
    limit, name, scale = (
        (charge, "charge_constraint", scales.charge) if power < 0.0 else (discharge, "discharge_constraint", scales.discharge)
    )
    used = abs(power) / limit if limit > 0.0 else 0.0
    colour = ALARM if used > 1.0 else WARNING if used > NEARLY else CAR
    marks = (-scales.charge.share(charge), scales.discharge.share(discharge))
    constraint = Constraint(int(limiter[name])).name.replace("_", " ").lower()
    bar = signed_bar(scale.share(power), colour, *marks)
    return "DC power", number(power, KILO, 1), "kW", bar, f"{number(limit, KILO, 0)}: {constraint}"


def yaw_row(inputs: Any, measurements: Any, scale: Scale) -> tuple[RenderableType, ...]:
    """Yaw rate with its reference as a mark; a car that turns to the left has its bar on the left."""
    yaw_rate = float(inputs["motion"]["yaw_rate"])
    reference = float(measurements["yaw_control"]["yaw_rate_reference"])
    bar = signed_bar(-scale.share(yaw_rate), CAR, -scale.share(reference))
    return "yaw rate", number(yaw_rate, DEGREES, 1), "°/s", bar, f"reference {number(reference, DEGREES, 1)}"


def pressures(inputs: Any) -> list[float]:
    """Brake pressure of the four wheels [Pa]."""
    return [float(inputs["brakes"][wheel]) for wheel in ("front_left", "front_right", "rear_left", "rear_right")]


def brake_bars(inputs: Any, scale: Scale) -> Text:
    """A small bar for each wheel's brake pressure."""
    text = Text()
    wheels = zip(("FL", "FR", "RL", "RR"), pressures(inputs), (FRONT, FRONT, REAR, REAR), strict=True)
    for name, pressure, colour in wheels:
        share = scale.share(pressure)
        filled = round(WHEEL_BAR * share) if math.isfinite(share) else 0
        text.append(f"{name} ", "dim").append("━" * filled, colour).append("─" * (WHEEL_BAR - filled) + " ", "grey30")
    return text


def fault_line(supervisor: Any) -> Text:
    """What the controller complains about now; before READY that is what it still waits for."""
    faults = fault_names(int(supervisor["faults"]))
    if not faults:
        return Text("no faults", "dim")
    more = f" and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
    starting = int(supervisor["state"]) < SupervisorState.READY
    text = ("waiting: " if starting else "faults: ") + ", ".join(faults[:SHOWN_FAULTS]) + more
    return Text(text, "dim" if starting else f"bold {ALARM}", no_wrap=True, overflow="ellipsis")


def number(value: float, factor: float, decimals: int) -> str:
    """A value times ``factor``; a dash where there is none."""
    value = float(value) * factor
    return f"{round(value, decimals) + 0.0:.{decimals}f}" if math.isfinite(value) else "–"  # + 0.0 makes -0.0 a plain 0.0


def signed_bar(share: float, colour: str, *marks: float) -> Text:
    """A bar from zero in the middle, to the right when positive; ``share`` and ``marks`` are -1 to 1, NaN shows nothing."""
    zero = BAR // 2

    def place(share: float) -> int:
        return zero + round(zero * min(max(share, -1.0), 1.0)) if math.isfinite(share) else zero

    low, high = sorted((zero, place(share)))
    ticks = [place(mark) for mark in marks if math.isfinite(mark)]
    cells = ["━" if low <= k <= high else "─" for k in range(BAR + 1)]
    cells[zero] = "┼"
    for tick in ticks:
        cells[tick] = "┃"
    bar = Text("".join(cells), "grey30")
    bar.stylize(colour, low, high + 1)
    for tick in ticks:
        bar.stylize("bold default", tick, tick + 1)
    return bar


class CompileProgress(Listener):
    """Says why the first run waits, and for how long, but only if numba really compiles: loaded code makes no events."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._announced = False
        self._compiled: set[str] = set()
        self._progress = Progress(
            BarColumn(BAR + 15), TextColumn("{task.completed} of {task.total} functions"), TimeElapsedColumn(),
            console=console, transient=True, refresh_per_second=REFRESH,
        )  # fmt: skip

    def __enter__(self) -> Self:
        register(COMPILATION, self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        unregister(COMPILATION, self)
        if self._progress.live.is_started:
            self._progress.stop()

    def on_start(self, event: Event) -> None:
        """The first compilation announces itself; the functions that a function calls are compiled within it."""
        if self._announced:
            return
        self._announced = True
        seconds = round(len(KERNELS) * SECONDS_PER_KERNEL, -1)
        text = f"Compiling control and vehicle models for this machine (first run, about {seconds:.0f} s)"
        self._console.print(text, soft_wrap=True)
        if self._console.is_terminal:
            self._progress.add_task("", total=len(KERNELS))
            self._progress.start()

    def on_end(self, event: Event) -> None:
        """Count a kernel once, though it may be compiled for several types; numba's own functions do not count."""
        self._compiled.add(event.data["dispatcher"].py_func.__qualname__)
        for task in self._progress.task_ids:
            self._progress.update(task, completed=len(self._compiled.intersection(KERNELS)))
