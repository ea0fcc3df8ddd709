"""SocketCAN with others than ourselves on the bus: the can-utils, and an interface that goes down.

Needs a vcan and the can-utils: ``make test-vcan``.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import can
import numpy as np
import pytest
from platforms import VCAN, needs_root, needs_vcan
from running import TORQUE, bench_on, received, run_until
from small_network import CONTROLLER, write_small_network
from waiting import nothing_left_behind

from hil.mailbox import FrameFilter
from hil.network.database import load_network
from hil.realtime_station import SessionOptions

pytestmark = [
    needs_vcan,
    pytest.mark.skipif(not shutil.which("candump"), reason="the can-utils are not installed"),
]
PATIENCE = 30.0  # [s]


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    return bench_on(load_network(str(write_small_network(tmp_path))), f"socketcan:{VCAN}", CONTROLLER)


@pytest.fixture
def dump() -> Iterator[subprocess.Popen[str]]:
    """candump, which writes down twenty frames of the node."""
    command = ["candump", "-L", "-n", "20", f"{VCAN},{TORQUE:X}:7FF"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_candump_sees_what_the_node_sends(bench: Any, dump: subprocess.Popen[str]) -> None:
    run_until(bench, lambda _: dump.poll() is not None)
    lines = dump.communicate(timeout=PATIENCE)[0].splitlines()
    data = [bytes.fromhex(line.split("#")[1]) for line in lines if f"{VCAN} {TORQUE:X}#" in line]
    assert len(data) == 20
    counters = [(row[4] >> 6) for row in data]
    assert counters == [(counters[0] + k) % 4 for k in range(20)]


def test_cansend_reaches_the_node(bench: Any) -> None:
    sent = iter(["123#DEADBEEF", "18CC078C#0102030405060708", "7FF#"])

    def send() -> None:
        if frame := next(sent, None):
            subprocess.run(["cansend", VCAN, frame], check=True, timeout=PATIENCE)

    frames = received(run_until(bench, lambda seen: len(received(seen)) >= 3, send))
    assert [(int(f.identifier), int(f.payload), int(f.length), int(f.kind)) for f in frames] == [
        (0x123, 0xEFBEADDE, 4, 0),
        (0x18CC078C, 0x0807060504030201, 8, 1),
        (0x7FF, 0, 0, 0),
    ]


def test_of_a_flood_by_cangen_every_frame_is_received_or_counted_as_dropped(bench: Any) -> None:
    count = 5000
    flood = [["cangen", VCAN, "-g", "0", "-n", str(count), "-I", "321", "-L", "8", "-D", "i", "-i"]]
    last = ["cansend", VCAN, "322#"]  # the kernel tells with the next frame how many it has dropped

    def send() -> None:
        for command in [flood.pop(), last] if flood else []:
            subprocess.run(command, check=True, timeout=PATIENCE)

    frames = received(run_until(bench, lambda seen: len(seen) and (seen.identifier == 0x322).any(), send))
    statistics = bench.stations[0].sockets.statistics[0]
    generated = frames[frames.identifier == 0x321]
    assert len(generated) + statistics.dropped == count
    assert np.all(np.diff(generated.payload.astype(np.int64)) > 0)
    assert bool(bench.errors) == bool(statistics.dropped)  # what is lost is never silent


def test_an_interface_that_goes_down_is_a_lost_bus(bench: Any) -> None:
    if os.geteuid():
        pytest.skip("to take an interface down one must be root")

    def unplug() -> None:
        subprocess.run(["ip", "link", "set", VCAN, "down"], check=True, timeout=PATIENCE)

    try:
        begin = time.monotonic()
        run_until(bench, lambda _: False, unplug)
    finally:
        subprocess.run(["ip", "link", "set", VCAN, "up"], check=True, timeout=PATIENCE)
    assert time.monotonic() - begin < PATIENCE  # it ended by itself
    assert "Network is down" in bench.errors[0]


OWN = "vcan7"  # a link that a test may take down, and away


def ip(*command: str) -> None:
    subprocess.run(["ip", "link", *command], check=True, timeout=PATIENCE)


def plug_in() -> None:
    ip("add", "dev", OWN, "type", "vcan")
    ip("set", OWN, "up")


@needs_root
@pytest.mark.parametrize(
    ("lose", "mend"),
    [(lambda: ip("set", OWN, "down"), lambda: ip("set", OWN, "up")), (lambda: ip("delete", OWN), plug_in)],
    ids=["down and up", "unplugged and plugged in"],
)
def test_a_link_that_is_lost_is_told_and_taken_again(tmp_path: Path, lose: Callable[[], None], mend: Callable[[], None]) -> None:
    told: list[str] = []
    options = SessionOptions(reconnect=True, report=told.append)
    plug_in()
    try:
        bench = bench_on(load_network(str(write_small_network(tmp_path))), f"socketcan:{OWN}", CONTROLLER, options=options)
        run = bench.chunks(PATIENCE, 0.02)

        def wait_for(condition: Callable[[Any], bool]) -> None:
            assert any(condition(chunk.frames) for chunk in run), told

        wait_for(lambda _: len(told) == 1)
        lose()
        wait_for(lambda _: len(told) == 2)
        mend()
        wait_for(lambda _: "is open again" in told[-1])
        subprocess.run(["cansend", OWN, "123#01"], check=True, timeout=PATIENCE)
        wait_for(lambda frames: bool((frames.identifier == 0x123).any()))
        run.close()
    finally:
        subprocess.run(["ip", "link", "delete", OWN], check=False, timeout=PATIENCE)
    opened, lost, *_, again = told
    assert opened == "front: is open"
    assert lost.startswith("front: is lost, it is opened again as soon as it is back: ")
    assert again.startswith("front: is open again after ")
    assert bench.errors == []


@needs_root
def test_a_mailbox_survives_a_link_that_is_lost_and_its_frames_of_that_time_are_counted(tmp_path: Path) -> None:
    plug_in()
    try:
        options = SessionOptions(reconnect=True)
        bench = bench_on(load_network(str(write_small_network(tmp_path))), f"socketcan:{OWN}", CONTROLLER, options=options)
        with nothing_left_behind():
            run = bench.chunks(PATIENCE, 0.02)
            next(run)
            session = bench.stations[0]._sessions[0]
            mailbox = session.open_mailbox([FrameFilter(0x797)], [FrameFilter(0x79A)])
            ip("delete", OWN)
            assert any(not bench.is_connected for _ in run)
            discarded = session.counters.discarded
            assert not mailbox.send(0x79A, b"\1")
            assert session.counters.discarded == discarded + 1
            assert mailbox.receive(0.01) is None
            plug_in()
            assert any(bench.is_connected for _ in run)
            with can.Bus(interface="socketcan", channel=OWN, can_filters=[{"can_id": 0x79A, "can_mask": 0x7FF}]) as other:
                assert mailbox.send(0x79A, b"\2")
                assert bytes(other.recv(PATIENCE).data) == b"\2"
                other.send(can.Message(arbitration_id=0x797, is_extended_id=False, data=b"\3"))
                found = mailbox.receive(PATIENCE)
            assert found
            assert found.payload == 3
            waiting = threading.Thread(target=lambda: mailbox.receive(None))
            waiting.start()
            run.close()
            waiting.join(PATIENCE)
            assert not mailbox.send(0x79A, b"\4")
    finally:
        subprocess.run(["ip", "link", "delete", OWN], check=False, timeout=PATIENCE)
    assert bench.errors == []


def test_error_frames_of_the_controller_are_counted_and_bus_off_is_known(bench: Any) -> None:
    with can.Bus(interface="socketcan", channel=VCAN) as controller:
        bus_off = [can.Message(arbitration_id=0x40, is_error_frame=True, is_extended_id=False, dlc=8, data=bytes(8))]
        statistics = bench.stations[0].sockets.statistics[0]
        run_until(bench, lambda _: statistics.bus_off == 1, lambda: [controller.send(m) for m in bus_off] and None)
    assert statistics.error_frames[6] > 0
