"""Nodes in lockstep: what is sent arrives, in time, checked, and the same at every run."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from small_network import CAR, CONTROLLER, write_small_network

from hil.frames import FrameFlags
from hil.lockstep import Lockstep
from hil.network.database import Network, load_network
from hil.node import Node, spread_phases


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return load_network(str(write_small_network(tmp_path_factory.mktemp("network"))))


def bench_of(network: Network) -> Lockstep:
    return Lockstep(network, [Node(CONTROLLER, network), Node(CAR, network)])


def reception_of(bench: Lockstep) -> Callable[..., None]:
    """The generated kernel that takes a frame into the controller."""
    return sys.modules[bench._run.py_func.__module__].receive_controller


def test_a_value_goes_from_node_to_node_and_back_as_frames(network: Network) -> None:
    bench = bench_of(network)
    chunk = bench.advance(1.0)
    controller, car = bench.nodes
    asked, obeyed = float(controller.outputs["front"]["motor_torque"][0]), float(car.outputs["front"]["motor_torque"][0])
    delivered = float(controller.inputs["front"]["motor_torque"][0])
    assert asked == pytest.approx(10.0)
    assert 9.8 <= obeyed < asked  # one frame period and the time on the wire behind
    assert 9.5 <= delivered <= obeyed + 0.25
    assert controller.inputs["front"]["motor_speed"][0] == pytest.approx(100.0, abs=0.06)  # half a revolution per minute
    assert len(chunk.frames) == 200


def test_two_runs_are_identical_to_the_bit(network: Network) -> None:
    first, second = bench_of(network).advance(2.0), bench_of(network).advance(2.0)
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.samples.tobytes() == second.samples.tobytes()


def test_a_run_in_pieces_is_the_run_in_one(network: Network) -> None:
    whole = bench_of(network).advance(1.0)
    pieces = list(bench_of(network).chunks(1.0, 0.13))
    assert np.concatenate([piece.frames for piece in pieces]).tobytes() == whole.frames.tobytes()
    assert np.concatenate([piece.samples for piece in pieces]).tobytes() == whole.samples.tobytes()


def test_counters_and_crcs_are_right_and_every_answer_fits_its_question(network: Network) -> None:
    bench = bench_of(network)
    bench.advance(3.0)
    for node in bench.nodes:
        port = node.port[0]
        assert port.received[0] == 300
        assert (port.crc_errors[0], port.counter_errors[0], port.lost[0], port.length_errors[0], port.unknown) == (0, 0, 0, 0, 0)
    link = bench.nodes[0].inputs["front"]["link"][0]
    assert (link["received"], link["answer_errors"]) == (300, 0)
    assert 0.0 <= link["age"] < 0.011


def test_a_sender_told_to_be_silent_is_missed(network: Network) -> None:
    bench = bench_of(network)
    bench.advance(0.5)
    bench.nodes[1].inputs["front"]["link"]["silent"] = 1
    bench.advance(0.01)  # what is on the wire still arrives
    chunk = bench.advance(0.49)
    assert set(chunk.frames.identifier) == {0x1D4}
    assert bench.nodes[0].inputs["front"]["link"]["age"][0] == pytest.approx(0.5, abs=0.011)


@pytest.mark.parametrize(
    ("damage", "counted"),
    [
        (lambda frame: setattr(frame, "payload", frame.payload ^ np.uint64(0x0100)), "crc_errors"),
        (lambda frame: setattr(frame, "length", 7), "length_errors"),
        (lambda frame: setattr(frame, "identifier", 0x7FF), "unknown"),
    ],
)
def test_a_damaged_frame_is_thrown_away_and_counted(network: Network, damage, counted: str) -> None:
    bench = bench_of(network)
    frame = next(frame for frame in bench.advance(0.1).frames if frame.identifier == 0x1DA).copy()
    fresh = bench_of(network)
    controller = fresh.nodes[0]
    receive = reception_of(fresh)
    damage(frame)
    receive(frame, controller.inputs[0], controller.outputs[0], controller.port[0])
    assert np.sum(controller.port[0][counted]) == 1
    assert controller.port[0].received[0] == 0
    assert controller.inputs["front"]["motor_speed"][0] == 0.0


def test_a_frozen_counter_is_old_data_and_a_gap_counts_as_lost(network: Network) -> None:
    bench = bench_of(network)
    frames = [frame.copy() for frame in bench.advance(0.2).frames if frame.identifier == 0x1DA]
    fresh = bench_of(network)
    controller = fresh.nodes[0]
    receive = reception_of(fresh)
    for frame in (frames[0], frames[1], frames[1], frames[3]):
        receive(frame, controller.inputs[0], controller.outputs[0], controller.port[0])
    port = controller.port[0]
    assert (port.received[0], port.counter_errors[0], port.lost[0]) == (3, 1, 1)


def test_cyclic_frames_of_one_period_leave_in_different_ticks(network: Network) -> None:
    leaf = load_network("leaf_ze1")
    for bus in leaf.buses:
        fast = [message for message in bus.messages if message.message.period == 10_000_000 and message.from_controller]
        phases = spread_phases(fast)
        assert len(set(phases)) == len(phases)


@pytest.mark.parametrize("kind", [FrameFlags.REMOTE, FrameFlags.ERROR, FrameFlags.REMOTE | FrameFlags.TRANSMITTED])
def test_a_frame_that_is_not_data_says_nothing(network: Network, kind: FrameFlags) -> None:
    """A remote frame has the identifier and length of its message, and no bytes of it."""
    bench = bench_of(network)
    controller = bench.nodes[0]
    frame = bench.advance(0.1).frames[-1].copy()
    frame.payload, frame.kind = 0, int(kind)
    before = [array.copy() for array in controller.arrays]
    reception_of(bench)(frame, controller.inputs[0], controller.outputs[0], controller.port[0])
    for array, was in zip(controller.arrays, before, strict=True):
        assert array.tobytes() == was.tobytes()
