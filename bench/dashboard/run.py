"""The run behind the page: a thread that looks after the compiled loop, whoever looks at the page or does not.

The loop itself is compiled, and needs neither this thread nor the page: controller and virtual car are one station, whose frames
reach each other within the loop, and go out to their buses beside it. What the page wants of it, it has from the samples that
are taken here; what it changes, the loop takes over between two periods.
"""

import math
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from bench.calibrating import calibration_of
from bench.controller_watch import LETTING_GO, ControllerWatch
from bench.dashboard.history import History
from bench.dashboard.recording import Recording
from bench.drive import CAR, CONTROLLER, Drive, DriveResult
from bench.operator import Operator
from bench.report.drive_report import write_drive_report
from bench.report.measurement import write_mf4
from bench.scenarios import load_scenario
from bench.station import rest_bus_of
from bench.vehicles import Vehicle
from hil.bus import BusAddress
from hil.calibration.journal import Journal
from hil.calibration.pages import CalibrationPages
from hil.errors import UsageError
from hil.histogram import percentile
from hil.lockstep import Chunk
from hil.network.database import Network
from hil.node import Node, NodeSpec
from hil.realtime import RealtimeBench
from hil.realtime_station import SessionOptions
from hil.timing import LoopSettings

LOOK = 0.04  # [s] between two looks at the loop
GONE = 2.0  # [s] without a page after which whoever armed through one has gone
COMPARED = "tip_in"  # any scenario: what is compiled is the same
TOLD = 200  # lines that are kept for the page


class Standing(Enum):
    """How the run stands."""

    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass
class Prepared:
    """What one start needs: the bench, its first node, and who looks after both."""

    bench: RealtimeBench
    controller: Node
    look: Callable[[list[str]], bool]  # is given keys; False once it is over
    let_go: Callable[[], None]  # asks for the end, torque first
    drive: Drive | None = None


@dataclass(frozen=True)
class LoopFigures:
    """How the loop keeps its time."""

    periods: int
    missed: int
    wake_up_p99: float  # [s] after the deadline
    wake_up_worst: float  # [s]
    execution_p99: float  # [s]
    period: float  # [s]


@dataclass
class Run(ABC):
    """One controller in real time, started and stopped from the page."""

    network: Network
    vehicle: Vehicle
    settings: LoopSettings
    recording: Recording
    report: Callable[[str], None]
    history: History = field(default_factory=History)
    standing: Standing = Standing.OFF
    error: str = ""  # why the last run failed
    journal: Journal | None = None
    seen_at: float = 0.0  # [s, monotonic] when a page last answered
    pages: CalibrationPages = field(init=False)
    calibration: Any = field(init=False)  # recarray (1,): what the controller runs on, or begins with

    def __post_init__(self) -> None:
        self.lines: deque[tuple[float, str]] = deque(maxlen=TOLD)  # time [s since 1970] and what happened
        self._prepared: Prepared | None = None
        self._keys: deque[str] = deque()
        self._chunks: list[Chunk] = []
        self._is_whole = True  # nothing of the run was let go so far
        self._load: Any = None
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()

    @abstractmethod
    def _prepare(self) -> Prepared:
        """What the next start needs; the controller with the calibration that is on its page."""

    @property
    def title(self) -> str:
        """What is running, or would be."""
        return self.vehicle.title

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        """The nodes that are sampled."""
        return (CONTROLLER,)

    @property
    def is_on(self) -> bool:
        """Whether a loop runs or begins to."""
        return self.standing in (Standing.STARTING, Standing.RUNNING)

    @property
    def bench(self) -> RealtimeBench | None:
        """The bench of the run, also when it is over; None before the first."""
        return self._prepared.bench if self._prepared else None

    @property
    def drive(self) -> Drive | None:
        """The drive of the run, also when it is over; None where nothing is driven."""
        return self._prepared.drive if self._prepared else None

    @property
    def tyre_load(self) -> Any:
        """What the controller estimates of its tyres (record TyreLoadState), as of the last sample; None before the first."""
        return self._load

    def tell(self, text: str) -> None:
        """A line for the terminal, and for the page."""
        self.lines.append((time.time(), text))
        self.report(text)

    def begin_with(self, calibration: Any, held: Collection[str] = ()) -> None:
        """Make ``calibration`` (recarray (1,)) both pages; ``held`` as CalibrationPages has it."""
        self.calibration = calibration.copy()
        self.pages = CalibrationPages(self.calibration, self.put, self.journal, held)

    def compile(self) -> None:
        """Compile the loop and what compares, or load them from the cache: who compiles later lets the page wait."""
        self._prepare().bench.compile()
        Drive(self.network, self.vehicle, load_scenario(COMPARED)).lockstep().compile()

    def start(self) -> None:
        """Begin. Raises UsageError if that is not possible."""
        with self._lock:
            if self.is_on:
                raise UsageError("it runs already; stop it first")
            if self._thread:
                self._thread.join()
            self._stopping = False
            self._begin()
            self._thread = threading.Thread(target=self._go, name="dashboard run", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask for the end; torque goes first."""
        with self._lock:
            if self.is_on and self._prepared:
                self._stopping = True
                self._prepared.let_go()

    def close(self) -> None:
        """End, and wait for it."""
        self.stop()
        if self._thread:
            self._thread.join()
        self.recording.stop()

    def press(self, key: str) -> None:
        """A key of the operator, see bench.operator."""
        self._keys.append(key)

    def loop_figures(self) -> LoopFigures | None:
        """How the loop of this run keeps its time; None before the first."""
        if not self._prepared:
            return None
        statistics = self._prepared.bench.stations[0].statistics[0]
        return LoopFigures(
            periods=int(statistics.periods),
            missed=int(statistics.cycle_slips),
            wake_up_p99=1e-9 * percentile(statistics.latency, 0.99),
            wake_up_worst=1e-9 * int(statistics.latency.worst),
            execution_p99=1e-9 * percentile(statistics.execution, 0.99),
            period=1e-9 * self.settings.period,
        )

    def result(self) -> DriveResult | None:
        """What the drive has left behind so far; None where nothing was driven."""
        drive, chunks = self.drive, list(self._chunks)
        return drive.result(chunks) if drive and sum(len(chunk.samples) for chunk in chunks) else None

    def write_measurement(self, target: Path) -> None:
        """Write all samples that are kept as MF4. Raises UsageError."""
        samples = self.history.all()
        if samples is None:
            raise UsageError("nothing was measured yet: start a run first")
        write_mf4(target, samples, self.nodes)

    def write_report(self, target: Path) -> None:
        """Write the report of the drive as HTML. Raises UsageError."""
        if not self._is_whole:
            raise UsageError("this run is too long for a report: e4hil drive --out writes one of any length")
        result = self.result()
        if result is None:
            raise UsageError("nothing was driven yet: start a run first")
        write_drive_report(target, result)

    def put(self, calibration: Any) -> None:
        """Let the controller take over a calibration, now or when it is started. Raises TimeoutError."""
        with self._lock:
            if self._prepared and self.is_on:
                self._prepared.bench.stations[0].put_parameters(calibration)
            self.calibration[:] = calibration

    def _begin(self) -> None:
        self._prepared = self._prepare()
        self._keys.clear()
        self._chunks.clear()
        self._is_whole = True
        self.error = ""
        self.standing = Standing.STARTING
        self.history.begin()
        self.tell(f"start: {self.title}")

    def _go(self) -> None:
        try:
            self.error = self._watch()
            while self._begins_anew():
                self.error = self._watch()
        except Exception as error:  # whatever it is, the page must say it: nobody else looks at this thread
            self.error = str(error) or type(error).__name__
        self.tell(f"the run failed: {self.error}" if self.error else "the run is over")
        self.standing = Standing.FAILED if self.error else Standing.OFF

    def _begins_anew(self) -> bool:
        with self._lock:  # against who stops it between two runs
            goes_on = self.goes_on and not self._stopping and not self.error
            if goes_on:
                self._begin()
            return goes_on

    def _watch(self) -> str:
        """Look after one run until it is over; why it failed, or nothing."""
        prepared = self._prepared
        assert prepared
        bench = prepared.bench
        bench.compile()
        for chunk in bench.chunks(math.inf, LOOK):
            self._load = prepared.controller.state.tyre_load[0].copy()
            self._take(chunk)
            self.standing = Standing.RUNNING
            if bench.failures:
                prepared.let_go()
            if not prepared.look(self._taken_keys()):
                bench.request_stop()
        return "; ".join(bench.errors)

    def _take(self, chunk: Chunk) -> None:
        self.history.add(chunk.samples)
        if not self.drive or not self._is_whole:
            return
        self._chunks.append(chunk)
        if self.history.has_let_go:
            self._is_whole = False
            self._chunks.clear()

    def _taken_keys(self) -> list[str]:
        keys = []
        while self._keys:
            keys.append(self._keys.popleft())
        return keys

    @property
    def goes_on(self) -> bool:
        """Whether what is over begins anew."""
        return False

    def _options(self, report: Callable[[str], None] | None, grace: float = 0.0) -> SessionOptions:
        return SessionOptions(reconnect=True, recorder=self.recording, report=report, grace=grace)


@dataclass
class CarRun(Run):
    """Controller and virtual car on virtual buses of this process; each scenario is a drive of its own, from power-on."""

    scenario: str = "step_steer"
    repeat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        load_scenario(self.scenario)
        self.begin_with(calibration_of(self.vehicle))

    @property
    def title(self) -> str:
        """The car and its scenario."""
        return f"{self.vehicle.title}: {self.drive.scenario.title}" if self.drive else self.vehicle.title

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        """Controller and car."""
        return (CONTROLLER, CAR)

    def choose(self, scenario: str) -> None:
        """What the next start drives. Raises UsageError if there is no such scenario."""
        load_scenario(scenario)
        self.scenario = scenario

    @property
    def goes_on(self) -> bool:
        """Whether the scenario is repeated."""
        return self.repeat

    def _prepare(self) -> Prepared:
        drive = Drive(self.network, self.vehicle, load_scenario(self.scenario), calibration=self.calibration)
        addresses = [f"virtual:dashboard {bus.name}" for bus in self.network.buses]
        bench = RealtimeBench(self.network, [[drive.controller, drive.car]], addresses, self.settings, self._options(None))
        return Prepared(bench, drive.controller, lambda _: drive.scenario_time < drive.duration, bench.request_stop, drive)


@dataclass
class ControllerRun(Run):
    """The controller alone on its buses, with whoever is there; the operator's panel is on the page."""

    station: Callable[[], list[Node]] = field(kw_only=True)  # makes its nodes, the controller first
    addresses: list[BusAddress | None] = field(kw_only=True)
    held: Collection[str] = ()  # paths of values that no page changes
    operator: Operator | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begin_with(self.station()[0].parameters, self.held)

    def _prepare(self) -> Prepared:
        nodes = self.station()
        controller = nodes[0]
        controller.parameters[:] = self.calibration
        options = self._options(self.tell, grace=2 * LETTING_GO)
        bench = RealtimeBench(self.network, [nodes], self.addresses, self.settings, options)
        watch = ControllerWatch(self.tell, bench, controller, switch=rest_bus_of(nodes), operator=self.operator)

        def look(keys: list[str]) -> bool:
            if self.operator and self.operator.armed and time.monotonic() - self.seen_at > GONE:
                self.operator.arm(False)
                self.tell("operator: disarmed, because no page answers any more")
            return watch.look(keys)

        return Prepared(bench, controller, look, watch.let_go)
