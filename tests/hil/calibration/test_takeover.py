"""A record that a compiled loop takes over as a whole."""

import threading

import numpy as np
import pytest
from platforms import needs_absolute_sleep
from small_network import Memory, write_small_network
from waiting import nothing_left_behind, wait_until

from firmware_model.kernel import integer, kernel, new, real, record
from hil.calibration import takeover
from hil.calibration.takeover import ASKED, TakeOver, take_over
from hil.network.database import load_network
from hil.node import Node, NodeSpec
from hil.realtime import RealtimeBench
from hil.timing import LoopSettings

POINTS = 100_000  # so many that writing them takes a part of a period that cannot be missed


@record
class Many:
    """Values that are all the same in every record that is given."""

    values = real("1", "all the same", shape=(POINTS,))
    number = integer("the same, too")


@record
class Seen:
    """What a node has seen of its parameters."""

    torn = integer("steps in which they were not all the same")
    latest = integer("the latest that was seen")


@kernel
def look(dt, inputs, outputs, state, measurements, parameters):
    """Count steps in which the parameters are of two records."""
    same = True
    for k in range(POINTS):
        same = same and parameters.values[k] == parameters.number
    if not same:
        state.torn += 1
    state.latest = parameters.number


LOOKER = NodeSpec("controller", "test_takeover.look", True, Seen, Memory, Many, sampled=("measurements",))


def filled(number):
    made = new(Many)
    made.values[:] = made.number[:] = number
    return made


def test_without_a_loop_a_record_is_written_at_once():
    running = filled(1)
    TakeOver(running).put(filled(2))
    assert running.tobytes() == filled(2).tobytes()


def test_a_loop_takes_over_once_what_was_asked_for():
    running = filled(1)
    giving = TakeOver(running)
    giving.begin()
    taken = threading.Thread(target=giving.put, args=(filled(2),))
    taken.start()
    wait_until(lambda: giving.arrays[0][ASKED] == 1)
    assert running.tobytes() == filled(1).tobytes()
    take_over(*giving.arrays)
    taken.join()
    assert running.tobytes() == filled(2).tobytes()
    running.values[:] = 9.0
    take_over(*giving.arrays)
    assert running.values[0, 0] == 9.0


def test_a_loop_that_stands_is_given_up_and_a_new_record_waits_for_the_one_before(monkeypatch):
    monkeypatch.setattr(takeover, "PATIENCE", 0.01)
    giving = TakeOver(filled(1))
    giving.begin()
    for number in (2, 3):
        with pytest.raises(TimeoutError):
            giving.put(filled(number))
        assert giving.arrays[1][-1] == 2
    giving.end()
    giving.put(filled(4))
    assert giving.arrays[2][-1] == 4


@needs_absolute_sleep
def test_a_running_loop_never_sees_a_part_of_a_change(tmp_path):
    network = load_network(str(write_small_network(tmp_path)))
    node = Node(LOOKER, network)
    node.parameters[:] = filled(1)
    with nothing_left_behind():
        bench = RealtimeBench(network, [node], [None], LoopSettings(priority=0, lock_memory=False))
        bench.compile()
        number = 1
        for _ in bench.chunks(60.0, 0.001):
            while number < 300:
                number += 1
                bench.stations[0].put_parameters(filled(number))
            bench.request_stop()
    assert bench.errors == []
    assert node.state.torn[0] == 0
    assert node.state.latest[0] == number
    np.testing.assert_array_equal(node.parameters.values[0], number)
