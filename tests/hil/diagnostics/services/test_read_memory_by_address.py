import numpy as np
import pytest
from data_rig import Rig, refused

from bench.drive import CONTROLLER
from hil.diagnostics.protocol import Access, Code
from hil.diagnostics.services import read_memory_by_address
from hil.memory_map import MemoryMap, address_of

MASS = address_of("parameters", CONTROLLER.parameters, "vehicle.mass")


@pytest.fixture
def rig():
    return Rig(lambda rig: [read_memory_by_address.service(MemoryMap(rig.node))])


@pytest.mark.parametrize(("width", "size_width"), [(4, 1), (4, 4)])
def test_a_value_is_read_by_its_address(rig, width, size_width):
    answer = rig.ask("23", bytes([size_width << 4 | width]), MASS.to_bytes(width), (8).to_bytes(size_width))
    assert answer == b"\x63" + np.float64(1875.0).tobytes()


@pytest.mark.parametrize("form", ["05", "50", "55", "00", "15", "51"])
def test_another_format_of_address_and_size_is_out_of_range(rig, form):
    assert rig.ask("23", form, bytes(8)) == refused(0x23, Code.REQUEST_OUT_OF_RANGE)


@pytest.mark.parametrize("tail", ["10000000", "100000000800", "1000000008" + "00000000"])
def test_a_length_that_does_not_fit_the_format_is_refused(rig, tail):
    assert rig.ask("23", "14", tail) == refused(0x23, Code.INCORRECT_LENGTH)


@pytest.mark.parametrize(("address", "size"), [(0, 8), (0x1000_0000, 0), (0x2000_0000 - 4, 8), (0xFFFF_FFF8, 255)])
def test_what_is_not_in_the_map_and_nothing_at_all_are_out_of_range(rig, address, size):
    assert rig.ask("23", "14", address.to_bytes(4), bytes([size])) == refused(0x23, Code.REQUEST_OUT_OF_RANGE)


def test_more_than_an_answer_holds_is_refused(rig):
    start = (0x1000_0000).to_bytes(4)
    assert len(rig.ask("23", "24", start, (4094).to_bytes(2))) == 4095
    assert rig.ask("23", "24", start, (4095).to_bytes(2)) == refused(0x23, Code.RESPONSE_TOO_LONG)


def test_without_access_nothing_is_read(rig):
    rig.tester.access = Access.LOCKED
    assert rig.ask("23", "14", MASS.to_bytes(4), "08") == refused(0x23, Code.SECURITY_ACCESS_DENIED)
