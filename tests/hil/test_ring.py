"""The queues between threads: nothing lost, nothing out of order, a full one says so."""

import threading

import numpy as np
import pytest

from bench.commands.performance_realtime import consume, produce
from hil.frames import new_frames
from hil.ring import DROPPED, drain, new_rings, push_values

FRAMES = 300_000


def test_frames_between_two_compiled_threads_arrive_all_and_in_order() -> None:
    control, storage = new_rings(1, 256)
    produce(control[0], storage[0], 1, new_frames(1))
    assert consume(control[0], storage[0], 1, new_frames(16)) == 0
    control[:] = 0
    producer = threading.Thread(target=produce, args=(control[0], storage[0], FRAMES, new_frames(1)))
    producer.start()
    wrong = consume(control[0], storage[0], FRAMES, new_frames(64))
    producer.join()
    assert wrong == 0


def test_a_full_ring_refuses_and_counts() -> None:
    control, storage = new_rings(1, 4)
    accepted = [push_values(control[0], storage[0], time, np.uint64(0), 0x100, 0, 8, 0) for time in range(6)]
    assert accepted == [True] * 4 + [False] * 2
    assert control[0][DROPPED] == 2
    out = new_frames(8)
    assert drain(control[0], storage[0], out) == 4
    assert list(out.time[:4]) == [0, 1, 2, 3]


def test_every_value_of_a_frame_survives_the_ring() -> None:
    control, storage = new_rings(1, 4)
    push_values(control[0], storage[0], 123456789, np.uint64(2**64 - 2), 0x18CC078C, 2, 7, 1)
    out = new_frames(1)
    assert drain(control[0], storage[0], out) == 1
    frame = out[0]
    assert (frame.time, frame.payload, frame.identifier, frame.bus, frame.length, frame.kind) == (
        123456789,
        2**64 - 2,
        0x18CC078C,
        2,
        7,
        1,
    )


def test_a_capacity_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        new_rings(1, 100)
