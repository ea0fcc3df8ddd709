from functools import cache

import numpy as np
import pytest

from bench.drive import CONTROLLER
from firmware_model.kernel.records import locate
from hil.memory_map import ADDRESSES, MemoryMap, address_of
from hil.network.database import load_network
from hil.node import Node


@cache
def network():
    return load_network("leaf_ze1")


@pytest.fixture
def node():
    return Node(CONTROLLER, network())


DECLARED = {"parameters": CONTROLLER.parameters, "measurements": CONTROLLER.measurements, "state": CONTROLLER.state}


@pytest.mark.parametrize("array", DECLARED)
def test_every_value_is_read_at_its_address(node, array):
    memory = MemoryMap(node)
    words = getattr(node, array).view(np.int64)
    words[:] = np.arange(len(words)) + 1
    for path, field in DECLARED[array].fields():
        size = 8 * int(np.prod(field.shape))
        value = memory.read(address_of(array, DECLARED[array], path), size)
        assert value == locate(getattr(node, array), path)[0].tobytes(), path


def test_any_stretch_of_a_segment_is_read_also_from_the_middle_of_a_word(node):
    whole = node.parameters.tobytes()
    memory, start = MemoryMap(node), ADDRESSES["parameters"]
    for first, size in ((0, 1), (3, 4), (5, 17), (len(whole) - 1, 1), (0, len(whole))):
        assert memory.read(start + first, size) == whole[first : first + size]


@pytest.mark.parametrize("address", [0, 0x0FFF_FFFF, 0x1000_0000 - 8, 0x2000_0000 - 1, 0xFFFF_FFFF])
def test_there_is_nothing_beside_the_segments(node, address):
    with pytest.raises(LookupError):
        MemoryMap(node).read(address, 8)


def test_nothing_is_read_beyond_the_end_of_a_segment(node):
    memory, end = MemoryMap(node), ADDRESSES["parameters"] + node.parameters.nbytes
    assert len(memory.read(end - 8, 8)) == 8
    with pytest.raises(LookupError):
        memory.read(end - 8, 9)


def test_the_addresses_are_those_that_testers_know():
    assert ADDRESSES == {
        "parameters": 0x10000000,
        "measurements": 0x20000000,
        "inputs": 0x30000000,
        "outputs": 0x38000000,
        "state": 0x40000000,
    }
