"""The real-time bench on python-can's virtual buses. No test judges timing: machines differ."""

import threading
from pathlib import Path

import pytest
from small_network import CAR, CONTROLLER, write_small_network

from hil import clock
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node
from hil.realtime import RealtimeBench

pytestmark = pytest.mark.skipif(not clock.AVAILABLE, reason="the real-time loop needs Linux")


def bench_on(folder: Path, address: str, duration: float) -> RealtimeBench:
    network = load_network(str(write_small_network(folder)))
    bench = RealtimeBench(network, [Node(CONTROLLER, network), Node(CAR, network)], [address], duration=duration)
    bench.compile()
    return bench


def test_the_nodes_talk_over_a_virtual_bus_at_wall_clock_speed(tmp_path: Path) -> None:
    before = threading.active_count()
    bench = bench_on(tmp_path, "virtual:test_realtime", 0.6)
    chunks = list(bench.chunks(0.6, 0.2))
    assert bench.errors == []
    frames = [frame for chunk in chunks for frame in chunk.frames]
    assert {int(frame.identifier) for frame in frames} == {0x1D4, 0x1DA}
    times = [int(frame.time) for frame in chunks[0].frames]
    assert times == sorted(times)
    assert len(frames) > 50  # 120 on an idle machine
    controller = bench.nodes[0].node
    assert controller.inputs["front"]["motor_speed"][0] == pytest.approx(100.0, abs=0.06)
    assert controller.port["crc_errors"].sum() == 0
    assert sum(len(chunk.samples) for chunk in chunks) > 20
    statistics = bench.statistics["controller"]
    assert statistics.periods + statistics.cycle_slips >= 500
    assert threading.active_count() == before


def test_leaving_early_stops_every_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    bench = bench_on(tmp_path, "virtual:test_leaving", 30.0)
    run = bench.chunks(30.0, 0.05)
    next(run)
    run.close()
    assert threading.active_count() == before


def test_an_unknown_interface_lists_those_there_are(tmp_path: Path) -> None:
    bench = bench_on(tmp_path, "carrier_pigeon:coop", 1.0)
    with pytest.raises(UsageError, match=r'unknown interface "carrier_pigeon".*socketcan'):
        next(bench.chunks(1.0, 0.1))
