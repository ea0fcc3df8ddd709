"""The real-time bench on python-can's virtual buses. No test judges timing: machines differ."""

import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from platforms import needs_absolute_sleep
from small_network import CAR, CONTROLLER, write_small_network

from hil import clock, realtime
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node, NodeSpec
from hil.realtime import RealtimeBench
from hil.session import BusSession
from hil.timing import Ended, LoopSettings, Overrun

pytestmark = needs_absolute_sleep


ORDINARY = {"priority": 0, "lock_memory": False}  # what every machine grants


def bench_on(
    folder: Path, address: str | None, specs: tuple[NodeSpec, ...] = (CONTROLLER, CAR), **settings: Any
) -> RealtimeBench:
    network = load_network(str(write_small_network(folder)))
    nodes = [Node(spec, network) for spec in specs]
    bench = RealtimeBench(network, nodes, [address], LoopSettings(**{**ORDINARY, **settings}))
    bench.compile()
    return bench


def left_behind() -> tuple[int, int]:
    """Threads and file descriptors of this process."""
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_the_nodes_talk_over_a_virtual_bus_at_wall_clock_speed(tmp_path: Path) -> None:
    before = threading.active_count()
    bench = bench_on(tmp_path, "virtual:test_realtime")
    chunks = list(bench.chunks(0.6, 0.2))
    assert bench.errors == []
    frames = [frame for chunk in chunks for frame in chunk.frames]
    assert {int(frame.identifier) for frame in frames} == {0x1D4, 0x1DA}
    times = [int(frame.time) for frame in chunks[0].frames]
    assert times == sorted(times)
    assert len(frames) > 50  # 120 on an idle machine
    controller = bench.stations[0].nodes[0]
    assert controller.inputs["front"]["motor_speed"][0] == pytest.approx(100.0, abs=0.06)
    assert controller.port["crc_errors"].sum() == 0
    assert sum(len(chunk.samples) for chunk in chunks) > 20
    statistics = bench.statistics["controller"]
    assert statistics.periods + statistics.cycle_slips >= 500
    assert threading.active_count() == before


def test_a_platform_without_absolute_sleep_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "AVAILABLE", False)
    with pytest.raises(UsageError, match="needs Linux"):
        bench_on(tmp_path, None)


def test_leaving_early_leaves_no_thread_and_no_file_open(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_leaving")
    before = left_behind()
    run = bench.chunks(30.0, 0.05)
    next(run)
    run.close()
    assert left_behind() == before


def test_a_run_without_end_stops_when_a_signal_handler_asks_for_it(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_signal")
    before = left_behind()
    previous = signal.signal(signal.SIGUSR1, lambda *_: bench.request_stop())
    try:
        run = bench.chunks(math.inf, 60.0)
        killer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
        killer.start()
        assert sum(len(chunk.frames) for chunk in run) > 0
        killer.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert bench.errors == []
    assert {station.ended for station in bench.stations} == {Ended.ASKED}
    assert left_behind() == before


def test_a_node_runs_without_a_bus_that_is_absent(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, None, (CONTROLLER,))
    chunks = list(bench.chunks(0.2, 0.1))
    assert bench.errors == []
    assert sum(len(chunk.frames) for chunk in chunks) == 0
    assert bench.stations[0].nodes[0].port["sent"].sum() > 0
    assert bench.statistics["controller"].periods > 0


def test_how_the_loop_kept_its_time_is_a_measurement_beside_those_of_the_node(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, None, (CONTROLLER,), sample_every=1)
    samples = np.concatenate([chunk.samples for chunk in bench.chunks(0.2, 0.05)])
    statistics = bench.statistics["controller"]
    assert len(samples) == statistics.periods
    assert np.all(np.diff(samples["time"]) > 0)
    loop = samples["controller_loop"]
    assert loop["latency"].max() * 1e9 <= statistics.latency.worst + 1
    assert loop["execution"][1:].min() > 0
    assert loop["cycle_slips"][-1] <= statistics.cycle_slips
    assert statistics.latency.total == statistics.execution.total == statistics.periods


def test_a_missed_period_ends_a_loop_that_is_to_stop_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "START_DELAY", -10_000_000)  # the first wake-up is late by ten periods
    bench = bench_on(tmp_path, "virtual:test_overrun", (CONTROLLER,), overrun=Overrun.STOP)
    before = left_behind()
    list(bench.chunks(60.0, 0.01))
    assert bench.stations[0].ended == Ended.OVERRUN
    assert bench.errors == ["controller: the loop ended because it missed a period"]
    assert bench.statistics["controller"].periods == 0
    assert left_behind() == before


def test_a_step_is_told_the_time_of_the_periods_that_were_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "START_DELAY", -7_500_000)  # the first wake-up is late by six periods
    bench = bench_on(tmp_path, None, (CONTROLLER,), sample_every=1)
    samples = np.concatenate([chunk.samples for chunk in bench.chunks(0.05, 0.01)])
    assert bench.statistics["controller"].cycle_slips >= 6
    assert 6.9e-3 <= samples["controller_measurements"]["time"][0] <= min(samples["time"][0], 10e-3) + 1e-9


def test_samples_that_nobody_takes_are_counted_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "SAMPLES_KEPT", 0)
    bench = bench_on(tmp_path, None, (CONTROLLER,), sample_every=1)
    chunks = list(bench.chunks(0.1, 0.1))
    assert "samples were lost" in bench.errors[0]
    assert bench.failures == []  # the car drives on without its samples
    assert bench.stations[0].measurements[0].samples_lost > 0
    assert sum(len(chunk.samples) for chunk in chunks) >= 2


def test_frames_lost_in_a_full_ring_end_the_run_and_are_a_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BusSession, "_send", lambda *_: None)  # nobody takes what is to be sent
    monkeypatch.setattr(realtime, "RING", 2)
    bench = bench_on(tmp_path, "virtual:test_full", (CONTROLLER,))
    list(bench.chunks(60.0, 0.05))
    assert "frames were lost in full rings" in bench.errors[0]
    assert bench.stations[0].measurements[0].frames_lost > 0


def test_the_samples_nearest_in_time_stand_beside_each_other() -> None:
    nearest = realtime._nearest(np.array([0.0, 1.0, 2.0, 3.0]), np.array([-1.0, 0.4, 0.6, 2.9, 9.0]))
    assert list(nearest) == [0, 0, 1, 3, 3]


def test_an_unknown_interface_lists_those_there_are(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "carrier_pigeon:coop")
    with pytest.raises(UsageError, match=r'unknown interface "carrier_pigeon".*socketcan'):
        next(bench.chunks(1.0, 0.1))
