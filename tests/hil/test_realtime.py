"""The real-time bench on python-can's virtual buses. No test judges timing: machines differ."""

import math
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import can
import numpy as np
import pytest
from can.interfaces.virtual import VirtualBus
from platforms import needs_absolute_sleep
from small_network import CAR, CONTROLLER, write_small_network
from waiting import nothing_left_behind, wait_until

from hil import bus, clock, realtime, realtime_station
from hil import session as sessions
from hil.captures import read_capture
from hil.errors import UsageError
from hil.frames import FrameFlags
from hil.network.database import load_network
from hil.node import Node, NodeSpec
from hil.realtime import RealtimeBench
from hil.realtime_loop import RESTART
from hil.realtime_station import SessionOptions
from hil.recorder import Recorder
from hil.ring import load_word
from hil.session import BusSession
from hil.timing import LoopSettings, Overrun

pytestmark = needs_absolute_sleep


ORDINARY = {"priority": 0, "lock_memory": False}  # what every machine grants


def bench_on(
    folder: Path,
    address: str | None,
    specs: tuple[NodeSpec, ...] = (CONTROLLER, CAR),
    options: SessionOptions | None = None,
    **settings: Any,
) -> RealtimeBench:
    network = load_network(str(write_small_network(folder)))
    nodes = [Node(spec, network) for spec in specs]
    bench = RealtimeBench(network, nodes, [address], LoopSettings(**{**ORDINARY, **settings}), options)
    bench.compile()
    return bench


@pytest.fixture(autouse=True)
def nothing_stays():
    with nothing_left_behind():
        yield


def test_the_nodes_talk_over_a_virtual_bus_at_wall_clock_speed(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_realtime")
    chunks: list[Any] = []
    for chunk in bench.chunks(60.0, 0.2):
        chunks.append(chunk)
        if sum(len(chunk.frames) for chunk in chunks) > 50:
            bench.request_stop()
    assert bench.errors == []
    frames = [frame for chunk in chunks for frame in chunk.frames]
    assert {int(frame.identifier) for frame in frames} == {0x1D4, 0x1DA}
    times = [int(frame.time) for frame in chunks[0].frames]
    assert times == sorted(times)
    assert len(frames) > 50
    controller = bench.stations[0].nodes[0]
    assert controller.inputs["front"]["motor_speed"][0] == pytest.approx(100.0, abs=0.06)
    assert controller.port["crc_errors"].sum() == 0
    assert sum(len(chunk.samples) for chunk in chunks) > 20
    statistics = bench.statistics["controller"]
    sent = sum(frame.identifier == 0x1D4 for frame in frames)  # one at the beginning of every ten periods
    assert statistics.periods + statistics.cycle_slips >= 10 * (sent - 1)
    (station, name, load, deviation), _ = bench.bus_figures
    assert (station, name) == ("controller", "front")
    assert 0.0 < load < 1.0
    assert deviation >= 0.0


def test_a_node_begins_anew_but_for_its_parameters_and_its_frames_keep_their_grid(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_restart", specs=(CONTROLLER,))
    controller = bench.stations[0].nodes[0]
    controller.parameters["time"] = 7.0
    frames, last = [], 0.0
    restarts, begun = 0, []
    with can.Bus(interface="virtual", channel="test_restart") as other:
        for chunk in bench.chunks(60.0, 0.005):
            frames += list(chunk.frames)
            last = max([last, *(float(sample.time) for sample in chunk.samples)])
            other.send(can.Message(arbitration_id=0x321, is_extended_id=False))
            if controller.state["time"][0] > 0.02 and restarts < 20:
                assert controller.port["unknown"][0] > 0
                bench.stations[0].restart()
                restarts += 1
                wait_until(lambda: not load_word(bench.stations[0]._control, RESTART))
                begun.append((controller.port["unknown"][0], controller.port["sent"][0, 0], controller.state["time"][0]))
            elif restarts == 20:
                break
    assert len(begun) == 20
    assert all(unknown <= 2 and sent <= time / 0.01 + 2 for unknown, sent, time in begun)
    assert controller.parameters["time"][0] == 7.0
    assert bench.errors == []
    assert sum(frame.identifier == 0x1D4 for frame in frames) <= last / 0.01 + 3  # none comes out of turn


def test_a_node_that_is_to_be_silent_sends_nothing_and_begins_anew_when_it_sends_again(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_silence", specs=(CONTROLLER,))
    station = bench.stations[0]
    torques = []
    with can.Bus(interface="virtual", channel="test_silence") as other:
        run = bench.chunks(60.0, 0.02)

        def hear(count: int) -> None:
            for _ in run:
                torques.extend(message.data[2:4] for message in iter(lambda: other.recv(0.0), None))
                if len(torques) >= count:
                    return

        hear(10)
        station.switch_transmission(False)
        for _ in range(3):
            next(run)
        torques.clear()
        while other.recv(0.0):
            pass
        for _ in range(5):
            next(run)
        assert other.recv(0.0) is None
        assert station.nodes[0].state["time"][0] > 0.05
        station.switch_transmission(True)
        hear(1)
        run.close()
    assert int.from_bytes(torques[0], "big") >> 4 <= 1  # [0.25 Nm] it asks for 10 Nm more every second
    assert bench.errors == []


def test_a_platform_without_absolute_sleep_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "AVAILABLE", False)
    with pytest.raises(UsageError, match="needs Linux"):
        bench_on(tmp_path, None)


def test_leaving_early_leaves_no_thread_and_no_file_open(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_leaving")
    run = bench.chunks(30.0, 0.05)
    next(run)
    run.close()


def test_a_run_without_end_stops_when_a_signal_handler_asks_for_it(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "virtual:test_signal")
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


def test_a_missed_period_ends_a_run_that_is_to_stop_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "START_DELAY", -10_000_000)  # the first wake-up is late by ten periods
    bench = bench_on(tmp_path, "virtual:test_overrun", (CONTROLLER,), overrun=Overrun.STOP)
    assert len(list(bench.chunks(60.0, 0.01))) == 2
    assert bench.errors == ["controller: the loop missed a period"]


def test_a_run_that_fails_goes_on_for_who_has_to_take_its_torque_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "START_DELAY", -10_000_000)
    options = SessionOptions(grace=60.0)
    bench = bench_on(tmp_path, "virtual:test_grace", (CONTROLLER,), options, overrun=Overrun.STOP)
    run = bench.chunks(60.0, 0.01)
    told = [bool(bench.failures) for _ in zip(range(5), run, strict=False)]
    periods = int(bench.statistics["controller"].periods)
    bench.request_stop()
    assert told == [True] * 5
    assert periods > 0
    assert len(list(run)) == 1


def test_a_step_is_told_the_time_of_the_periods_that_were_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "START_DELAY", -7_500_000)  # the first wake-up is late by six periods
    bench = bench_on(tmp_path, None, (CONTROLLER,), sample_every=1)
    samples = np.concatenate([chunk.samples for chunk in bench.chunks(0.05, 0.01)])
    assert bench.statistics["controller"].cycle_slips >= 6
    assert 6.9e-3 <= samples["controller_measurements"]["time"][0] <= min(samples["time"][0], 10e-3) + 1e-9


def test_samples_that_nobody_takes_are_counted_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime_station, "SAMPLES_KEPT", 0)
    bench = bench_on(tmp_path, None, (CONTROLLER,), sample_every=1)
    chunks = list(bench.chunks(0.1, 0.1))
    assert "samples were lost" in bench.errors[0]
    assert bench.failures == []  # the car drives on without its samples
    assert bench.stations[0].measurements[0].samples_lost > 0
    assert sum(len(chunk.samples) for chunk in chunks) >= 2


def test_frames_lost_in_a_full_ring_end_the_run_and_are_a_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BusSession, "_send", lambda *_: None)  # nobody takes what is to be sent
    monkeypatch.setattr(realtime_station, "RING", 2)
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


def test_the_recorder_is_told_every_frame_and_the_chunks_all_but_error_frames(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.blf", ["front"], time.monotonic_ns())
    bench = bench_on(tmp_path, "virtual:test_recording", options=SessionOptions(recorder=recorder))
    told: list[Any] = []
    with can.Bus(interface="virtual", channel="test_recording") as peer:
        for looks, chunk in enumerate(bench.chunks(60.0, 0.02)):
            told.extend(chunk.frames)
            peer.send(can.Message(is_error_frame=True))
            if looks > 10 and told:
                bench.request_stop()
    recorder.stop()
    assert bench.errors == []
    assert {int(frame.identifier) for frame in told} == {0x1D4, 0x1DA}
    assert not any(frame.kind & FrameFlags.ERROR for frame in told)
    recorded = read_capture(tmp_path / "run.blf").frames
    assert np.count_nonzero(recorded.kind & FrameFlags.ERROR) > 0
    assert np.count_nonzero(recorded.kind == 0) == len(told)  # the chunks tell of each frame once, of two stations


def test_frames_missing_in_the_recording_are_told_and_do_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "HISTORY", 2)
    bench = bench_on(tmp_path, "virtual:test_history", (CONTROLLER,))
    for _ in bench.chunks(60.0, 0.05):
        if bench.stations[0]._sessions[0].lost_frames:
            bench.request_stop()
    assert bench.failures == []
    assert "frames are missing in what was recorded: nobody took them in time" in bench.errors[0]


class Hanging(VirtualBus):
    """A driver that does not come back from the calls in ``hanging`` until it is let go."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel)
        self.hanging: tuple[str, ...] = ()
        self.let_go = threading.Event()

    def send(self, msg: Any, timeout: float | None = None) -> None:
        if "send" in self.hanging:
            self.let_go.wait()
        super().send(msg, timeout)

    def shutdown(self) -> None:
        if "shutdown" in self.hanging:
            self.let_go.wait()
        super().shutdown()


@pytest.fixture
def hanging_bus(monkeypatch: pytest.MonkeyPatch):
    """The bus that is opened in a run's place."""
    opened = Hanging("test_hanging")
    monkeypatch.setattr(realtime_station, "open_bus", lambda address, **options: opened)
    yield opened
    opened.let_go.set()
    wait_until(lambda: opened._is_shutdown)


def test_a_driver_that_hangs_in_closing_does_not_hold_up_the_end_of_a_run(tmp_path: Path, hanging_bus: Hanging) -> None:
    hanging_bus.hanging = ("shutdown",)
    bench = bench_on(tmp_path, "virtual:test_hanging", (CONTROLLER,))
    list(bench.chunks(0.05, 0.05))
    assert not hanging_bus.let_go.is_set()
    assert bench.problems == ["front: 1 calls into the driver did not come back"]


def test_a_driver_that_hangs_in_sending_is_a_lost_bus_in_the_loops_measurements(tmp_path: Path, hanging_bus: Hanging) -> None:
    told: list[str] = []
    bench = bench_on(tmp_path, "virtual:test_hanging", (CONTROLLER,), SessionOptions(reconnect=True, report=told.append))
    hanging_bus.hanging = ("send",)
    loop = bench.stations[0].measurements[0]
    for _ in bench.chunks(60.0, 0.02):
        if not bench.is_connected and loop.buses_lost and loop.frames_lost:
            bench.request_stop()
    assert loop.buses_lost == 1
    assert loop.frames_lost > 0
    assert bench.failures == []
    assert any("the driver does not come back from sending" in text for text in told)


def test_buses_that_no_session_has_yet_are_closed_if_the_next_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def open_one(address: Any, **options: Any) -> Any:
        if opened:
            raise UsageError("no such bus")
        opened.append(bus.open_bus(address, **options))
        return opened[0]

    monkeypatch.setattr(realtime_station, "open_bus", open_one)
    bench = bench_on(tmp_path, "virtual:test_second")
    with pytest.raises(UsageError, match="no such bus"):
        next(bench.chunks(1.0, 0.1))
    assert opened[0]._is_shutdown


def test_what_the_kernel_dropped_is_told_by_its_name_and_ends_the_run(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, None, (CONTROLLER,))
    bench.stations[0].sockets.statistics[0].dropped = 3
    assert bench.failures == ["controller: 3 frames were dropped by the kernel: the loop did not read them"]
