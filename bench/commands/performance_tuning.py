"""``e4hil performance --tuning``: how many drives a minute a search makes, on one core, on two, and through Dask.

And what the controller's loop notices of the tools with which people tune.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.commands.performance_beside import xcp_rows
from bench.commands.performance_page import page_rows
from bench.rows import Row, bounded
from bench.tuning.cluster import Cluster
from bench.tuning.evaluation import LocalCores, Piece
from bench.tuning.search import Workers, search
from bench.tuning.study_file import Study, load_study

CORES = 2
TEN_SECONDS = 10.0  # [s] from power-on, as the loop counts
DRIVES_A_MINUTE = 10_000.0
SCALING = 1.8
CLUSTER_SHARE = 0.9
ROUNDS = 3  # of which the median counts; the ways to drive take turns
STUDY, TRIALS, SAMPLES, MINUTES = "handling", 500, 8, 10.0
TEN_SECOND_STUDY = """
title = "ten seconds"
[[drive]]
name = "drive"
scenario = "{scenario}"
[[parameter]]
path = "yaw_control.gain"
minimum = 10e3
maximum = 200e3
[[objective]]
name = "smooth"
term = [{{ drive = "drive", figure = "peak_jerk", scale = 1.0 }}]
"""
# From power-on the car is READY within 2 s; the rest of the ten seconds is the scenario, full throttle and then a curve.
TEN_SECOND_SCENARIO = """
title = "ten seconds from power-on"
duration = {duration}
[stimulus]
time         = [0.0, 0.1, 3.0, 3.1, 8.0]
accelerator  = [0.0, 0.8, 0.8, 0.2, 0.2]
brake        = [0.0, 0.0, 0.0, 0.0, 0.0]
steering_deg = [0.0, 0.0, 0.0, 60.0, 60.0]
"""


def parts(seconds: float) -> list[Callable[[], list[Row]]]:
    """The parts of the measurement, the longest of which takes about ``seconds``."""
    return [
        lambda: drive_rows(seconds),
        lambda: study_rows(seconds),
        lambda: xcp_rows(seconds),
        lambda: page_rows(seconds),
    ]


@contextmanager
def ten_seconds() -> Iterator[Study]:
    """A study of one drive that takes ten seconds from power-on to its end."""
    from bench.calibrating import calibration_of
    from bench.tuning.rig import Prepared, Rig
    from hil.network.database import load_network

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        duration = TEN_SECONDS
        for _ in range(2):  # the first drive tells how long the way to READY is
            (folder / "ten.toml").write_text(TEN_SECOND_SCENARIO.format(duration=duration))
            (folder / "study.toml").write_text(TEN_SECOND_STUDY.format(scenario=folder / "ten.toml"))
            study = load_study(str(folder / "study.toml"))
            network, calibration = load_network(study.network), calibration_of(study.vehicle)
            rig = Rig(network)
            scenario = study.manoeuvres["drive"].scenarios[0]
            prepared = Prepared(network, study.vehicle, scenario, calibration=calibration)
            rig.run(prepared, calibration)
            duration = TEN_SECONDS - (rig.time - prepared.drive.scenario_time)
        yield study


def drive_rows(seconds: float) -> list[Row]:
    """Drives of ten seconds: on one core, on two, and on two workers of a cluster on this machine."""
    with ten_seconds() as study, ExitStack() as stack:
        one, two = (stack.enter_context(closing(LocalCores(study, workers))) for workers in (1, CORES))
        there = stack.enter_context(local_cluster(study))
        count = 50
        elapsed = timed(two, study, count)
        count = max(count, int(count * seconds / (3.0 * ROUNDS * elapsed)))
        rates: dict[str, list[float]] = {"one": [], "two": [], "cluster": []}
        for _ in range(ROUNDS):
            for name, workers, share in (("one", one, 0.5), ("two", two, 1.0), ("cluster", there, 1.0)):
                drives = int(share * count)
                rates[name].append(60.0 * drives / timed(workers, study, drives))
    alone, both, cluster = (statistics.median(rates[name]) for name in rates)
    scaling = statistics.median(b / a for a, b in zip(rates["one"], rates["two"], strict=True))
    share = statistics.median(c / b for b, c in zip(rates["two"], rates["cluster"], strict=True))
    cores = len(os.sched_getaffinity(0))
    note = f"{TEN_SECONDS:g} s from power-on at 1 ms, with all frames; {60e6 * CORES / both / 1e4:.2f} µs of a core a step"
    return [
        bounded(f"drives on {CORES} cores", both, "1/min", minimum=DRIVES_A_MINUTE, note=note),
        Row("drives on one core", alone, "1/min"),
        bounded("one core to two", scaling, "times", minimum=SCALING, note=f"this process may use {cores}"),
        bounded(
            f"Dask, {CORES} local workers, over local", share, "times", minimum=CLUSTER_SHARE, note=f"{cluster:.0f} a minute"
        ),
    ]


def timed(workers: Workers, study: Study, drives: int) -> float:
    """Time [s] of so many drives, each with its own calibration."""
    low, high = study.parameters[0].minimum, study.parameters[0].maximum
    pieces: Sequence[Piece] = [Piece((low + (high - low) * k / drives,), 0) for k in range(drives)]
    begin = time.perf_counter()
    workers.figures(pieces, lambda count: None)
    return time.perf_counter() - begin


@contextmanager
def local_cluster(study: Study) -> Iterator[Cluster]:
    """A scheduler and workers, each a process of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    commands += [[*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]] * CORES
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for command in commands:
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        pool = stack.enter_context(closing(Cluster(study, address)))
        while len(pool.workers()) < CORES:
            time.sleep(0.05)
        timed(pool, study, 4 * CORES)  # each has compiled, or loaded
        yield pool


def study_rows(seconds: float) -> list[Row]:
    """The study that comes with the bench: as much of it as the time allows, and what all of it would take."""
    study = replace(load_study(STUDY), samples=SAMPLES)
    with tempfile.TemporaryDirectory() as name, closing(LocalCores(study, CORES)) as cores:
        begin = time.perf_counter()
        search(study, Path(name) / "first", cores, trials=study.generation)
        first = time.perf_counter() - begin
        trials = min(TRIALS, max(1, int(seconds / first)) * study.generation)
        begin = time.perf_counter()
        search(study, Path(name) / "part", cores, trials=trials)
        elapsed = time.perf_counter() - begin
    minutes = elapsed / 60.0 * TRIALS / trials
    drives = sum(len(manoeuvre.scenarios) for manoeuvre in study.manoeuvres.values())
    about = "measured" if trials == TRIALS else f"from {trials} trials in {elapsed:.0f} s"
    size = f"{TRIALS} trials × {len(study.drives)} manoeuvres ({drives} drives) × {SAMPLES} cars"
    note = f"{size}, {len(study.parameters)} parameters; {about}"
    return [bounded(f"study {STUDY} on {CORES} cores", minutes, "min", maximum=MINUTES, note=note)]
