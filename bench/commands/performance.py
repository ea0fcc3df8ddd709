"""``e4hil performance``: the speed of loop and codecs beside what people use otherwise, as ratios of one run.

Absolute times differ between machines and minutes; the ratios do not, since each pair is measured in turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.commands.console import output, progress
from bench.plant.car import step as step_car
from bench.rows import Row, as_json, bounded, failed, print_table
from firmware_model.controller import RASTER_1MS, RASTER_10MS, TICKS_OF_100MS, step
from firmware_model.kernel import kernel
from firmware_model.quadratic_program import ITERATIONS_MAX

if TYPE_CHECKING:
    from hil.lockstep import Lockstep
    from hil.network.database import Message, Network

ROUNDS = 7
CODEC_LOOPS = 2_000_000
REFERENCE_LOOPS = 3_000
LOOP_SECONDS = 20.0
SINGLE_STEPS = 1_000
CONTROLLER_STEPS = 20_000
PLANT_STEPS = 1_000  # so few that a car in a curve is still in it at their end
LANE_CHANGE_BEGIN = 13.0  # [s] from power-on: READY and the run-up are over
MOMENTS, MOMENT = 25, 0.2  # of the double lane change at which controller and car are timed, and [s] between two of them
PLAIN_STEPS = 200
# Eight signals of mixed width, order, sign and scale: the frame on which codecs are commonly compared.
EIGHT_SIGNALS = """VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 256 Eight: 8 A
 SG_ One : 7|12@0- (0.25,0) [-512|511.75] "Nm" B
 SG_ Two : 11|4@0+ (1,0) [0|15] "" B
 SG_ Three : 16|10@1+ (0.5,0) [0|511.5] "V" B
 SG_ Four : 26|6@1+ (2,-40) [-40|86] "degC" B
 SG_ Five : 39|11@0- (0.5,0) [-512|511.5] "A" B
 SG_ Six : 44|5@0+ (1,0) [0|31] "" B
 SG_ Seven : 48|8@1- (1,0) [-128|127] "" B
 SG_ Eight : 56|8@1+ (0.4,0) [0|102] "%" B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 10;
"""
EIGHT_SIGNALS_NETWORK = """title = "eight signals"
bus.one = { dbc = ["eight.dbc"], roles = { A = "controller" } }
"""


def run(out: Path | None, json: bool) -> int:
    """Measure speed and report; returns the number of rows that miss their target."""
    return report("Speed, one core, one run", [codec_rows, loop_rows, controller_rows, plant_rows, stepping_rows], out, json)


def run_realtime(seconds: float, out: Path | None, json: bool) -> int:
    """Measure how loops keep their time, for ``seconds`` what takes longest, and report; returns as ``run``."""
    from bench.commands import performance_realtime
    from hil import clock
    from hil.scheduling import examine, refused

    clock.require()
    for finding in refused(examine()):
        progress().print(f"[yellow]{finding}[/]")
    return report("Real time, one run", performance_realtime.parts(seconds), out, json)


def run_tuning(seconds: float, out: Path | None, json: bool) -> int:
    """Measure how fast a search drives, for about ``seconds`` what takes longest, and report; returns as ``run``."""
    from bench.commands import performance_tuning

    return report("Search of calibrations, one run", performance_tuning.parts(seconds), out, json)


def report(title: str, parts: Sequence[Callable[[], list[Row]]], out: Path | None, json: bool) -> int:
    """Measure the parts one after the other, and tell."""
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    rows: list[Row] = []
    from rich.progress import Progress

    with Progress(console=progress(), transient=True) as bar:
        task = bar.add_task("measuring", total=len(parts))
        for part in parts:
            rows += part()
            bar.advance(task)
    print(as_json(title, rows)) if json else print_table(output(), title, rows)
    if out:
        from bench.report.html import write_report

        write_report(out / "report.html", title, "e4hil performance", rows, [])
    return len(failed(rows))


def fastest(functions: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median time of each function over rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            times[name].append(function())
    return {name: statistics.median(values) for name, values in times.items()}


def timed(function: Callable[[], object], loops: int) -> float:
    """Time [s] of one of ``loops`` calls that ``function`` makes."""
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) / loops


# --- codecs ---------------------------------------------------------------------------------------------------------------

CODEC_LOOPS_TEXT = '''
import numpy as np

from firmware_model.kernel import kernel
from {codecs} import *


@kernel
def encode_many(loops, values):
    """Encode ``loops`` frames whose values change from one to the next."""
    total = np.uint64(0)
    for k in range(loops):
        row = values[k & 63]
        total ^= {encode}
    return total


@kernel
def decode_many(loops, payloads):
    """Decode ``loops`` frames that change from one to the next."""
    total = 0.0
    for k in range(loops):
        values = decode_{codec}(payloads[k & 63])
        total += {total}
    return total
'''


def codec_rows() -> list[Row]:
    """Compiled codecs beside cantools."""
    import cantools.database

    from hil.network.database import LEAF_FOLDER, load_network

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "eight.dbc").write_text(EIGHT_SIGNALS)
        (folder / "eight.toml").write_text(EIGHT_SIGNALS_NETWORK)
        eight = measure_codec(
            load_network(str(folder / "eight.toml")), "Eight", cantools.database.load_file(folder / "eight.dbc")
        )
    leaf = measure_codec(load_network("leaf_ze1"), "TorqueRequest", cantools.database.load_file(LEAF_FOLDER / "ev.dbc"))
    rows = []
    for what, limit in (("encode", 20.0), ("decode", 10.0)):
        ratio = eight[f"cantools {what}"] / eight[what]
        rows += [
            bounded(f"codec: {what} 8 signals", eight[what] * 1e9, "ns/frame", maximum=limit, note="inside a kernel"),
            Row(f"cantools: {what} 8 signals", eight[f"cantools {what}"] * 1e9, "ns/frame"),
            bounded(f"cantools over codec: {what}", ratio, "times", minimum=300.0),
            Row(f"codec: {what} 0x1D4", leaf[what] * 1e9, "ns/frame", note="14 signals"),
        ]
    return rows


def measure_codec(network: "Network", name: str, database: Any) -> dict[str, float]:
    """Times [s] of one encode and one decode of a message, compiled and by cantools."""
    message = next(message for message in network.messages if message.name == name)
    loops = codec_loops(network, message)
    generator = np.random.default_rng(1)
    raw = np.stack([generator.integers(s.raw_minimum, s.raw_maximum + 1, 64) for s in message.signals], axis=1)
    values = np.array([[signal.physical(int(r)) for signal, r in zip(message.signals, row, strict=True)] for row in raw])
    payloads = generator.integers(0, 2**63, 64).astype(np.uint64)
    loops.encode_many(1, values)
    loops.decode_many(1, payloads)

    reference = database.get_message_by_name(name)
    named = [dict(zip([signal.name for signal in message.signals], row, strict=True)) for row in values.tolist()]
    data = [int(payload).to_bytes(8, "little") for payload in payloads]

    def encode_by_cantools() -> None:
        for k in range(REFERENCE_LOOPS):
            reference.encode(named[k & 63])

    def decode_by_cantools() -> None:
        for k in range(REFERENCE_LOOPS):
            reference.decode(data[k & 63], decode_choices=False)

    return fastest(
        {
            "encode": lambda: timed(lambda: loops.encode_many(CODEC_LOOPS, values), CODEC_LOOPS),
            "decode": lambda: timed(lambda: loops.decode_many(CODEC_LOOPS, payloads), CODEC_LOOPS),
            "cantools encode": lambda: timed(encode_by_cantools, REFERENCE_LOOPS),
            "cantools decode": lambda: timed(decode_by_cantools, REFERENCE_LOOPS),
        }
    )


def codec_loops(network: "Network", message: "Message") -> ModuleType:
    """Compiled loops around the codec of one message."""
    from hil.generated import import_generated, module_name
    from hil.network.codegen import generate_codecs

    text = generate_codecs(network)
    import_generated("codecs", text)
    count = len(message.signals)
    loops = CODEC_LOOPS_TEXT.format(
        codecs=module_name("codecs", text),
        codec=message.codec,
        encode=f"encode_{message.codec}({', '.join(f'row[{k}]' for k in range(count))})",
        total=" + ".join(f"values[{k}]" for k in range(count)),
    )
    return import_generated("codec_loops", loops)


# --- the whole loop ---------------------------------------------------------------------------------------------------------


def loop_rows() -> list[Row]:
    """Lockstep of car, controller and frames on three buses: multiples of real time, and the same loop run otherwise."""
    rows = []
    for name in ("stop_and_go", "double_lane_change"):
        bench = lockstep_of(name)
        bench.advance(10.0)
        second = measure_second(bench)
        note = f"{second * 1e3:.2f} µs a step of 1 ms: car, controller, three buses"
        rows.append(bounded(f"lockstep: {name}", 1.0 / second, "× real time", minimum=830.0, note=note))
    step = second * 1e-3
    called = fastest({"step": lambda: timed(lambda: [bench.advance(1e-3) for _ in range(SINGLE_STEPS)], SINGLE_STEPS)})["step"]
    rows.append(Row("the same loop, each step called from Python", called / step, "times as long"))
    rows.append(Row("the same loop in plain Python", plain_python_step() / step, "times as long", note="the kernels uncompiled"))
    return rows


@kernel
def step_many(steps: int, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """``steps`` steps of 1 ms with inputs that stand still."""
    for _ in range(steps):
        step(1e-3, inputs, outputs, state, measurements, calibration)


@kernel
def step_all_due_many(steps: int, inputs: Any, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """The same, with every task of every raster due in each step."""
    for _ in range(steps):
        state.raster.elapsed_1ms = RASTER_1MS
        state.raster.elapsed_10ms = RASTER_10MS
        state.raster.ticks_10ms = TICKS_OF_100MS - 1
        step(1e-3, inputs, outputs, state, measurements, calibration)


def moments() -> Iterator[tuple[Any, Any]]:
    """Controller and car at MOMENTS of a double lane change, one after the other."""
    bench = lockstep_of("double_lane_change")
    bench.advance(LANE_CHANGE_BEGIN)
    for _ in range(MOMENTS):
        bench.advance(MOMENT)
        yield bench.nodes[0], bench.nodes[1]


def controller_rows() -> list[Row]:
    """The controller alone, at moments of a double lane change: a mean step, and the one in which every task is due."""
    means: list[float] = []
    worst: list[float] = []
    iterations = 0
    for node, _ in moments():
        for function, times in ((step_many, means), (step_all_due_many, worst)):
            records = [array.copy() for array in (node.inputs, node.outputs, node.state, node.measurements, node.parameters)]
            arguments = [array[0] for array in records]
            function(1, *arguments)  # compiled
            times.append(timed(partial(function, CONTROLLER_STEPS, *arguments), CONTROLLER_STEPS))
        iterations = max(iterations, int(node.measurements[0].allocation.iterations))
    note = f"{MOMENTS} moments of a double lane change; allocation with up to {iterations} of {ITERATIONS_MAX} iterations"
    return [
        bounded("controller: mean step at 1 ms", 1e6 * statistics.median(means), "µs", maximum=0.3, note=note),
        bounded("controller: step with every task due", 1e6 * statistics.median(worst), "µs", maximum=3.0),
        Row("controller: the slowest of these moments", 1e6 * max(worst), "µs"),
    ]


@kernel
def step_car_many(steps: int, demands: Any, road: Any, state: Any, parameters: Any, measurements: Any) -> None:
    """``steps`` steps of 1 ms of the car without its control units, with demands that stand still."""
    for _ in range(steps):
        step_car(1e-3, demands, road, state, parameters, measurements)


def plant_rows() -> list[Row]:
    """The car alone at the same moments: it goes on from each with what is demanded there."""
    means: list[float] = []
    for _, node in moments():
        state, measurements, parameters = (array.copy() for array in (node.state, node.measurements, node.parameters))
        car = state[0]
        arguments = (car.demands, car.road, car.plant, parameters[0].plant, measurements[0].plant)
        step_car_many(1, *arguments)  # compiled
        means.append(timed(partial(step_car_many, PLANT_STEPS, *arguments), PLANT_STEPS))
    note = "body, tyres, driveline, motors, battery, brakes; at the same moments"
    return [bounded("plant: mean step of 1 ms", 1e6 * statistics.median(means), "µs", maximum=0.8, note=note)]


def measure_second(bench: "Lockstep") -> float:
    """Time [s] that one second of the drive takes."""
    return fastest({"drive": lambda: timed(lambda: bench.advance(LOOP_SECONDS), 1) / LOOP_SECONDS})["drive"]


def lockstep_of(scenario: str) -> "Lockstep":
    """The twin-motor car in a scenario, at power-on."""
    from bench.drive import Drive
    from bench.scenarios import load_scenario
    from bench.vehicles import load_vehicle
    from hil.network.database import load_network

    vehicle = load_vehicle("leaf_twin_motor")
    return Drive(load_network(vehicle.network), vehicle, load_scenario(scenario)).lockstep()


def plain_python_step() -> float:
    """Time [s] of one step of the loop with the compiler off, in a process of its own."""
    code = (
        "from bench.commands.performance import PLAIN_STEPS, lockstep_of, timed\n"
        "bench = lockstep_of('double_lane_change')\n"
        "print(timed(lambda: bench.advance(PLAIN_STEPS * 1e-3), PLAIN_STEPS))"
    )
    # Unsigned numbers that wrap round are meant; only the interpreter warns of them.
    command = [sys.executable, "-W", "ignore::RuntimeWarning", "-c", code]
    done = subprocess.run(command, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True)
    return float(done.stdout)


# --- other ways to step a car --------------------------------------------------------------------------------------------


def _single_track(x: Any, steer: float, force: float, dt: float) -> None:
    """One Euler step of a linear single-track car: the state is speed, lateral speed, yaw rate, yaw, x, y."""
    speed = max(x[0], 1.0)
    front = 90e3 * (steer - (x[1] + 1.3 * x[2]) / speed)
    rear = 110e3 * (-(x[1] - 1.4 * x[2]) / speed)
    x[3] += dt * x[2]
    x[4] += dt * (x[0] * np.cos(x[3]) - x[1] * np.sin(x[3]))
    x[5] += dt * (x[0] * np.sin(x[3]) + x[1] * np.cos(x[3]))
    x[0] += dt * (force - 0.45 * x[0] * x[0]) / 1900.0
    x[1] += dt * ((front + rear) / 1900.0 - x[0] * x[2])
    x[2] += dt * (1.3 * front - 1.4 * rear) / 3000.0


single_track = kernel(_single_track)


@kernel
def single_track_many(x, steps):
    """The same step, ``steps`` times inside compiled code."""
    for k in range(steps):
        single_track(x, 0.01 if k % 2000 < 1000 else -0.01, 500.0, 1e-3)


def stepping_rows() -> list[Row]:
    """What a step of a far simpler car (single-track, six states, no frames) costs when Python makes it."""
    count = 20_000
    state = np.array([20.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    plain = getattr(single_track, "py_func", _single_track)

    def loop(step: Callable[..., None], steps: int) -> Callable[[], None]:
        def go() -> None:
            x = state.copy()
            for k in range(steps):
                step(x, 0.01 if k % 2000 < 1000 else -0.01, 500.0, 1e-3)

        return go

    loop(single_track, 1)()
    single_track_many(state.copy(), 1)
    measured = fastest(
        {
            "plain": lambda: timed(loop(plain, count // 10), count // 10),
            "from Python": lambda: timed(loop(single_track, count), count),
            "inside": lambda: timed(lambda: single_track_many(state.copy(), 10 * count), 10 * count),
        }
    )
    inside = measured["inside"]
    return [
        Row("single-track car, compiled loop", inside * 1e9, "ns/step"),
        Row(
            "single-track car, compiled step called from Python",
            measured["from Python"] / inside,
            "times as long",
            note="as f1tenth_gym steps",
        ),
        Row("single-track car, plain Python", measured["plain"] / inside, "times as long"),
    ]
