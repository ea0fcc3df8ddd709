"""``e4hil performance --realtime``: how well the loops keep their time, beside cyclictest and python-can in the same run.

On a virtual machine the worst wake-ups are those of its host: the time that it took away (steal) stands beside every figure, and
what is compared takes turns.
"""

import math
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands.measuring import ROUNDS, Measured, background
from bench.commands.performance_beside import addresses_of, tester_rows
from bench.commands.performance_slcan import full_bus_rows, unplugging_rows
from bench.rows import Row, bounded
from firmware_model.kernel import kernel, new
from hil.frames import new_frames
from hil.histogram import percentile
from hil.network.database import load_network
from hil.node import Node, NodeSpec, sent_messages
from hil.peer import peers, wall_clock_lead
from hil.realtime import RealtimeBench
from hil.ring import drain, new_rings, push, push_values
from hil.scheduling import Scheduling
from hil.timing import LoopSettings, LoopStatistics
from hil.wake_ups import measure_wake_ups

MS = 1_000_000  # [ns]
MOST_LATENCY = 100_000  # [µs] of cyclictest's histogram
CYCLIC_FRAMES = (3, 3, 2)  # frames every 10 ms on each of three buses
RATE = 8  # frames each way in every millisecond
PEER_PAUSE = 2e-3  # [s] between two batches of the peer
CYCLE = 10e-3  # [s]
RING_FRAMES, PYTHON_FRAMES = 10_000_000, 1_000_000
ECHO = NodeSpec("echo", "bench.nodes.echo.step", is_controller=True, sampled=())

DBC_HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: VCM INV\n'
DBC_FRAME = 'BO_ {identifier} {name}: 8 {sender}\n SG_ Torque : 0|32@1- (1,0) [-2147483648|2147483647] "Nm" {receiver}\n'
DBC_TAIL = 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;\nBA_DEF_DEF_ "GenMsgCycleTime" {period};\n'
QUESTION, FIRST_ANSWER = 0x080, 0x100


def parts(seconds: float) -> list[Callable[[], list[Row]]]:
    """The measurements, each of about ``seconds`` or a share of it."""
    return [
        lambda: wake_up_rows(1000, seconds / 4),
        lambda: wake_up_rows(10_000, seconds / 4),
        lambda: missed_period_rows(seconds),
        lambda: tester_rows(seconds),
        lambda: deviation_rows(seconds / 3),
        lambda: reaction_rows(seconds / 6),
        lambda: throughput_rows(seconds / 6),
        lambda: full_bus_rows(seconds / 3),
        lambda: unplugging_rows(seconds),
        ring_rows,
    ]


# --- wake-ups ---------------------------------------------------------------------------------------------------------------


def wake_up_rows(rate: int, seconds: float) -> list[Row]:
    """Wake-up latency at a rate [Hz], in turns with cyclictest."""
    settings = LoopSettings(period=round(1e9 / rate))
    ours, theirs = Measured(), Measured()
    for _ in range(ROUNDS):
        with ours.timed():
            ours.values.append(measure_wake_ups(seconds / ROUNDS, settings).statistics.latency)
        refusal = add_cyclictest(theirs, settings, seconds / ROUNDS)
    name = f"wake-up p99 at {rate // 1000} kHz"
    p99 = percentile(merged(ours.values), 0.99) * 1e-3
    note = f"{ours}; p50 {percentile(merged(ours.values), 0.5) * 1e-3:.1f} µs"
    if refusal:
        return [Row(name, p99, "µs", note=note), Row("  cyclictest", None, "µs", note=refusal)]
    latencies = np.sum(theirs.values, axis=0)
    reference = float(np.searchsorted(np.cumsum(latencies), 0.99 * latencies.sum()))
    return [
        bounded(name, p99, "µs", maximum=1.5 * max(reference, 1.0), note=note),
        Row("  cyclictest", reference, "µs", note=str(theirs)),
    ]


def merged(histograms: list[Any]) -> Any:
    """One histogram of several."""
    total = new(LoopStatistics)[0].latency
    for histogram in histograms:
        total.counts += histogram.counts
        total.total += histogram.total
        total.worst = max(total.worst, histogram.worst)
    return total


def add_cyclictest(measured: Measured, settings: LoopSettings, seconds: float) -> str:
    """Run cyclictest at the same priority, on the same processor; adds its counts by latency [µs]. Returns why it did not."""
    if not shutil.which("cyclictest"):
        return "cyclictest is not installed (Debian: rt-tests)"
    interval = settings.period // 1000
    processor = Scheduling(**settings.rights).processor
    command = f"cyclictest -q -m -t1 -p{settings.priority} -a{processor} -i{interval} -D{max(1, round(seconds))} -h{MOST_LATENCY}"
    with measured.timed():
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        return f"cyclictest: {(done.stderr or done.stdout).strip().splitlines()[0]}"
    counts = np.zeros(MOST_LATENCY, dtype=np.int64)
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit():
            counts[int(words[0])] = int(words[1])
    measured.values.append(counts)
    return ""


# --- missed periods -----------------------------------------------------------------------------------------------------------


def missed_period_rows(seconds: float) -> list[Row]:
    """Periods that a node on three buses misses while a Python thread never lets go of the interpreter but by force."""
    settings = LoopSettings()
    ours, theirs = Measured(), Measured()
    missed = periods = 0
    with measuring_network(10, CYCLIC_FRAMES) as network, background(burn):
        for _ in range(ROUNDS):
            bench = bench_of(network, settings)
            with ours.timed():
                for _ in bench.chunks(seconds / ROUNDS, 0.1):
                    pass
            missed += int(bench.statistics["echo"].cycle_slips)
            periods += int(bench.statistics["echo"].periods)
            refusal = add_cyclictest(theirs, settings, seconds / ROUNDS)
    name, note = "missed periods at 1 kHz, Python busy", f"of {periods}; {ours}"
    if refusal:
        return [Row(name, missed, "1", note=note), Row("  cyclictest", None, "1", note=refusal)]
    latencies = np.sum(theirs.values, axis=0)
    reference = int(np.sum(latencies * (np.arange(MOST_LATENCY) * 1000 // settings.period)))
    return [
        bounded(name, missed, "1", maximum=reference, note=note),
        Row("  cyclictest", reference, "1", note=f"of {latencies.sum()}; {theirs}"),
    ]


def burn(done: threading.Event) -> None:
    """Compute in Python all the time."""
    while not done.is_set():
        sum(range(1000))


# --- frames -------------------------------------------------------------------------------------------------------------------


@contextmanager
def measuring_network(period: int, frames: tuple[int, ...]) -> Iterator[Any]:
    """A network with a question from the car and so many frames of the controller on each bus, every ``period`` [ms]."""
    with tempfile.TemporaryDirectory() as name:
        folder, text = Path(name), 'title = "measuring"\n'
        for index, count in enumerate(frames):
            messages = [DBC_FRAME.format(identifier=QUESTION, name="Question", sender="INV", receiver="VCM")]
            for k in range(count):
                identifier = FIRST_ANSWER + 16 * index + k
                messages.append(DBC_FRAME.format(identifier=identifier, name=f"Answer{k}", sender="VCM", receiver="INV"))
            (folder / f"{index}.dbc").write_text(DBC_HEAD + "".join(messages) + DBC_TAIL.format(period=period))
            role = ("front_inverter", "rear_inverter", "chassis")[index]
            text += f'[bus.{index}]\ndbc = ["{index}.dbc"]\nroles = {{ VCM = "controller", INV = "{role}" }}\n'
            if index == 0:
                text += "[bus.0.signals]\n" + 'Question = { Torque = "front.motor_torque" }\n'
                text += 'Answer0 = { Torque = "front.motor_torque" }\n'
        (folder / "measuring.toml").write_text(text)
        yield load_network(str(folder / "measuring.toml"))


def bench_of(network: Any, settings: LoopSettings) -> RealtimeBench:
    """The echo node on a virtual bus for each of the network's."""
    bench = RealtimeBench(network, [Node(ECHO, network)], addresses_of(network), settings)
    bench.compile()
    return bench


def deviation_rows(seconds: float) -> list[Row]:
    """How far frames of 10 ms are from their grid at the bus, in turns with python-can's cyclic tasks.

    A loop knows its grid; that of the tasks is the one that fits them best, so a delay that is always the same does not count.
    """
    ours, theirs = Measured(), Measured()
    from_fitted: list[Any] = []
    with measuring_network(10, CYCLIC_FRAMES) as network:
        for _ in range(ROUNDS):
            with ours.timed():
                absolute, fitted = deviations_of_node(network, seconds / ROUNDS)
                ours.values.append(absolute)
                from_fitted.append(fitted)
            with theirs.timed():
                theirs.values.append(deviations_of_tasks(network, seconds / ROUNDS))
    return [
        deviation_row("10 ms frames off their grid: p99", ours, maximum=0.5),
        Row("  off the grid that fits best", float(np.quantile(np.concatenate(from_fitted), 0.99)) * 1e3, "ms"),
        deviation_row("  python-can's cyclic tasks", theirs),
    ]


def deviation_row(name: str, measured: Measured, maximum: float | None = None) -> Row:
    """The row of some deviations."""
    late = np.concatenate(measured.values) * 1e3
    note = f"{len(late)} frames; worst {late.max():.2f} ms; {measured}"
    return bounded(name, float(np.quantile(late, 0.99)), "ms", maximum=maximum, note=note)


def deviations_of_node(network: Any, seconds: float) -> tuple[Any, Any]:
    """Deviations [s] of a node's frames from their grid, which begins at its origin, and from the one that fits them best."""
    bench = bench_of(network, LoopSettings())
    node = bench.stations[0].nodes[0]
    due = {message.message.identifier: node.port["next_due"][0, k] * 1e-9 for k, message in sent_messages(ECHO, network)}
    with peers(addresses_of(network)) as others:
        for _ in bench.chunks(seconds, 0.1):
            pass
        times = times_heard(others)
    origin = bench.origin * 1e-9 + wall_clock_lead()
    since = np.concatenate([of_one - origin - due[identifier] for identifier, of_one in times.items()])
    # From 1 ms before its time to 9 ms after it: how far a frame can be off without taking the place of another.
    return np.abs((since + 1e-3) % CYCLE - 1e-3), off_grids(times)


def deviations_of_tasks(network: Any, seconds: float) -> Any:
    """Deviations [s] of python-can's cyclic tasks, each from the grid of 10 ms that fits it best."""
    with peers(addresses_of(network)) as others, peers(addresses_of(network)) as senders:
        for _, message in sent_messages(ECHO, network):
            senders[network.bus(message.bus).index].send_cyclically(message.message.identifier, CYCLE)
        time.sleep(seconds)
        times = times_heard(others)
    return off_grids(times)


def times_heard(others: list[Any]) -> dict[int, Any]:
    """Times [s, CLOCK_REALTIME] at which the frames of each identifier were on their bus."""
    times: dict[int, list[float]] = {}
    for other in others:
        for message in other.heard():
            times.setdefault(message.arbitration_id, []).append(message.timestamp)
    return {identifier: np.array(of_one) for identifier, of_one in times.items()}


def off_grids(times: dict[int, Any]) -> Any:
    """Distances [s] of all frames, each from the grid that fits its identifier best."""
    return np.concatenate([off_grid(of_one) for of_one in times.values()])


def off_grid(times: Any) -> Any:
    """Distance of each of ``times`` [s] from the grid of 10 ms that begins in the middle of their phases; gaps are none."""
    phases = times - CYCLE * np.round((times - times[0]) / CYCLE)
    return np.abs(phases - np.median(phases))


def reaction_rows(seconds: float) -> list[Row]:
    """Time from a frame that comes in, at any moment of a period, to the frame that answers it, in periods of 1 ms."""
    measured = Measured()
    with measuring_network(1, (1,)) as network, measured.timed():
        times = np.array(reactions_of_node(network, seconds)) * 1e3
    note = f"{len(times)} questions; {measured}"
    return [
        bounded("frame in to reacting frame out: median", float(np.median(times)), "periods", maximum=1.2, note=note),
        bounded("frame in to reacting frame out: p99", float(np.quantile(times, 0.99)), "periods", maximum=2.2),
    ]


def reactions_of_node(network: Any, seconds: float) -> list[float]:
    """Times [s] from question to answer, on ``virtual``."""
    bench = bench_of(network, LoopSettings())
    times: list[float] = []
    pauses = np.random.default_rng(1).uniform(2e-3, 6e-3, 100_000)
    with peers(addresses_of(network)) as (peer,):

        def ask(done: threading.Event) -> None:
            for number, pause in enumerate(pauses, start=1):
                time.sleep(pause)
                if done.is_set():
                    return
                asked = time.time()
                peer.send(QUESTION, number)
                while (answer := peer.listen(0.1)) and int.from_bytes(answer.data[:4], "little") != number:
                    pass
                if answer:
                    times.append(answer.timestamp - asked)

        run = bench.chunks(seconds, 0.1)
        next(run)
        with background(ask):
            for _ in run:
                pass
    return times


def throughput_rows(seconds: float) -> list[Row]:
    """RATE frames each way in every millisecond, through rings and python-can's threads: whether all arrive."""
    measured = Measured()
    with measuring_network(1, (RATE,)) as network, measured.timed():
        sent, received, asked, arrived, errors = throughput_of_node(network, seconds)
    rate = min(received, arrived) / seconds
    lost = (sent - received) + (asked - arrived)
    return [
        bounded("frames each way on virtual", rate, "1/s", minimum=0.98 * 1000 * RATE, note=str(measured)),
        bounded("  of them lost", lost, "1", maximum=0, note="; ".join(errors) or f"of {sent} out and {asked} in"),
    ]


def throughput_of_node(network: Any, seconds: float) -> tuple[int, int, int, int, list[str]]:
    """Frames that the node has sent, that the peer has received, and the other way round; what went wrong."""
    bench = bench_of(network, LoopSettings())
    node = bench.stations[0].nodes[0]
    asked = 0
    with peers(addresses_of(network)) as (peer,):

        def ask(done: threading.Event) -> None:
            nonlocal asked
            begin = time.monotonic()
            while not done.is_set():
                for _ in range(round((time.monotonic() - begin) * 1000 * RATE) - asked):
                    peer.send(QUESTION, asked)
                    asked += 1
                time.sleep(PEER_PAUSE)

        run = bench.chunks(math.inf, 0.1)
        next(run)
        with background(ask):
            end = time.monotonic() + seconds
            for _ in run:
                if time.monotonic() > end:
                    break
        for _ in range(3):  # what the peer sent last arrives
            next(run, None)
        bench.request_stop()
        for _ in run:
            pass
        received = len(peer.heard())
    return int(node.port["sent"].sum()), received, asked, int(node.port["received"].sum()), bench.errors


# --- rings --------------------------------------------------------------------------------------------------------------------


@kernel
def produce(control, storage, count, scratch):
    """Push ``count`` frames numbered in their payload, as often as it takes."""
    frame = scratch[0]
    number = 0
    while number < count:
        frame.payload = np.uint64(number)
        if push(control, storage, frame):
            number += 1


@kernel
def consume(control, storage, count, out):
    """Take ``count`` frames; returns how many were not the next in line."""
    number = 0
    wrong = 0
    while number < count:
        for k in range(drain(control, storage, out)):
            wrong += out[k].payload != np.uint64(number)
            number += 1
    return wrong


def ring_rows() -> list[Row]:
    """Frames through a ring from thread to thread: lost, out of order, and how fast."""
    rows = []
    for name, count, producer in (
        ("ring, two compiled threads", RING_FRAMES, produce),
        ("ring, from a Python thread", PYTHON_FRAMES, produce_in_python),
    ):
        measured = Measured()
        control, storage = (array[0] for array in new_rings(1, 4096))
        for function in (producer, consume):
            function(control, storage, 1, new_frames(64))  # compiled
        control[:] = 0
        thread = threading.Thread(target=producer, args=(control, storage, count, new_frames(1)), daemon=True)
        with measured.timed():
            thread.start()
            wrong = consume(control, storage, count, new_frames(64))
            thread.join()
        note = f"of {count}; {count / measured.seconds * 1e-6:.2f} million frames/s; {measured}"
        rows.append(bounded(f"{name}: lost or out of order", wrong, "1", maximum=0, note=note))
    return rows


def produce_in_python(control: Any, storage: Any, count: int, scratch: Any) -> None:
    """The same, each frame from Python."""
    for number in range(count):
        while not push_values(control, storage, 0, np.uint64(number), 0, 0, 8, 0):
            time.sleep(0)
