"""One behavioural suite for every bus: what a node does on it is the same, whatever carries the frames.

Runs over python-can's ``virtual``, over slcan through a hub, over ``udp_multicast`` where multicast works, and over SocketCAN
where there is a vcan: ``make test-vcan`` brings one. A further interface is one more entry of ``bus_places.INTERFACES``.
"""

import threading
import time
from typing import Any

import can
import numpy as np
import pytest
from bus_places import Place
from platforms import needs_absolute_sleep
from running import LONG_ENOUGH, STATUS, TORQUE, bench_on, received, run_until
from small_network import CAR, CONTROLLER

from hil.frames import FrameFlags, bytes_from_payload
from hil.session import BusSession
from hil.socket_session import SocketSession

pytestmark = needs_absolute_sleep


@pytest.fixture
def address(place: Place) -> str:
    return place[0]


def test_every_kind_of_frame_reaches_the_node_as_it_was_sent(network: Any, address: str, peer: Any) -> None:
    bench = bench_on(network, address, CONTROLLER)
    rng = np.random.default_rng(3)
    sent = [
        can.Message(arbitration_id=identifier, is_extended_id=extended, data=rng.bytes(length))
        for length in range(9)
        for identifier, extended in ((0x000, False), (0x7FF, False), (0x100, True), (0x1FFFFFFF, True))
    ]
    outstanding = iter([sent])

    def send() -> None:
        for message in next(outstanding, []):
            peer.send(message)

    frames = received(run_until(bench, lambda seen: len(received(seen)) >= len(sent), send))
    told = [(int(f.identifier), bool(f.kind & FrameFlags.EXTENDED), bytes_from_payload(f.payload, f.length)) for f in frames]
    assert told == [(m.arbitration_id, m.is_extended_id, bytes(m.data)) for m in sent]
    assert bench.stations[0].nodes[0].port[0].unknown >= len(sent)
    assert bench.errors == []


def test_the_node_sends_its_frames_in_order_and_others_hear_all_of_them(network: Any, address: str, peer: Any) -> None:
    bench = bench_on(network, address, CONTROLLER)
    heard: list[Any] = []

    def listen() -> None:
        while message := peer.recv(0.0):
            heard.append(message)

    run_until(bench, lambda _: len(heard) >= 20, listen)
    while message := peer.recv(0.2):  # what was still on its way
        heard.append(message)
    assert {message.arbitration_id for message in heard} == {TORQUE}
    assert len(heard) == bench.stations[0].nodes[0].port["sent"][0, 0]
    counters = [message.data[4] >> 6 for message in heard]
    assert counters == [count % 4 for count in range(len(heard))]
    assert all(message.dlc == 8 for message in heard)


def test_two_nodes_close_their_loop_over_the_bus(network: Any, place: Place) -> None:
    bench, others = (bench_on(network, address, node) for address, node in zip(place, (CONTROLLER, CAR), strict=True))
    before = threading.active_count()
    controller, car = (one.stations[0].nodes[0] for one in (bench, others))
    run = others.chunks(LONG_ENOUGH, 0.02)
    frames = run_until(bench, lambda seen: np.count_nonzero(seen.identifier == STATUS) >= 30, lambda: next(run))
    run.close()
    assert controller.inputs["front"]["motor_speed"][0] == pytest.approx(100.0, abs=0.06)
    assert controller.inputs["front"]["motor_torque"][0] > 0.0
    assert set(frames.identifier) == {TORQUE, STATUS}
    for node in (controller, car):
        port = node.port[0]
        assert (port.crc_errors[0], port.counter_errors[0], port.lost[0], port.length_errors[0]) == (0, 0, 0, 0)
    assert bench.errors == others.errors == []
    assert threading.active_count() == before


def test_a_burst_reaches_the_node_whole_and_in_order(network: Any, address: str, peer: Any) -> None:
    bench = bench_on(network, address, CONTROLLER)
    count, burst = 1000, 40
    numbers = iter(range(count))

    def send() -> None:
        for _ in range(burst):
            if (number := next(numbers, None)) is not None:
                peer.send(can.Message(arbitration_id=0x321, is_extended_id=False, data=number.to_bytes(8, "little")))

    frames = received(run_until(bench, lambda seen: np.count_nonzero(seen.identifier == 0x321) >= count, send))
    assert list(frames[frames.identifier == 0x321].payload) == list(range(count))
    assert bench.errors == []


def test_times_of_frames_lie_within_the_run_in_the_order_of_sending(network: Any, address: str, peer: Any) -> None:
    bench = bench_on(network, address, CONTROLLER)
    numbers = iter(range(20))
    begin = time.monotonic_ns()

    def send() -> None:
        if (number := next(numbers, None)) is not None:
            peer.send(can.Message(arbitration_id=0x300 + number, is_extended_id=False))

    frames = received(run_until(bench, lambda seen: len(received(seen)) >= 20, send))
    in_time = frames[np.argsort(frames.time, kind="stable")]
    assert list(in_time.identifier) == [0x300 + number for number in range(20)]
    # The run's time begins a moment after its buses are open.
    assert -time.monotonic_ns() + begin < in_time.time[0] < in_time.time[-1] < time.monotonic_ns() - begin


def test_a_bus_can_be_left_and_taken_again(network: Any, address: str, peer: Any) -> None:
    for _ in range(3):
        bench = bench_on(network, address, CONTROLLER)
        run_until(bench, lambda _: peer.recv(0.0) is not None)
        assert bench.errors == []
        while peer.recv(0.1):
            pass


def test_the_loop_itself_works_on_the_socket_where_there_is_one(network: Any, address: str) -> None:
    bench = bench_on(network, address, CONTROLLER)
    run = bench.chunks(LONG_ENOUGH, 0.02)
    next(run)
    session = bench.stations[0]._sessions[0]
    run.close()
    assert isinstance(session, SocketSession if address.startswith("socketcan") else BusSession)
