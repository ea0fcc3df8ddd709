"""What python-can's drivers tell, as they tell it."""

import can
import pytest
from can.exceptions import CanOperationError

from hil.bus_state import BusState
from hil.can_errors import error_classes, state_in_error_frame
from hil.drivers import Echoes, asked_state, is_queue_full, reason


@pytest.mark.parametrize(
    ("identifier", "data", "state"),
    [
        (0x040, bytes(8), BusState.BUS_OFF),
        (0x100, bytes(8), BusState.ACTIVE),
        (0x004, b"\0\x20", BusState.ERROR_PASSIVE),
        (0x004, b"\0\x10", BusState.ERROR_PASSIVE),
        (0x004, b"\0\x40", BusState.ACTIVE),
        (0x004, b"\0\x08", None),  # warning level: frames still pass
        (0x004, b"\0", None),
        (0x020, bytes(8), None),
    ],
)
def test_error_frames_of_socketcan_tell_the_state_of_the_controller(identifier, data, state):
    assert state_in_error_frame(identifier, data) == state


@pytest.mark.parametrize(("status", "state"), [(0, 2), (0x4_0000, 3), (0x4_0010, 4), (0x20, 2)])
def test_the_status_of_pcan_is_read(status, state):
    pcan = type("PcanBus", (), {"__module__": "can.interfaces.pcan.pcan", "status": lambda self: status})
    assert asked_state(pcan()) == state


def test_a_virtual_bus_has_no_controller_to_ask():
    with can.Bus(interface="virtual", channel="test_drivers") as bus:
        assert asked_state(bus) is None


def test_the_classes_of_an_error_frame_are_named():
    assert error_classes(0x0A0) == "no acknowledge, bus error"
    assert error_classes(0x200) == "error counters"
    assert error_classes(0x400) == "class 400"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (CanOperationError("Transmit buffer full"), True),
        (CanOperationError("Failed to transmit: No buffer space available", 105), True),
        (CanOperationError("The transmit queue is full [XMTFULL]"), True),
        (CanOperationError("Failed to transmit: Network is down", 100), False),
        (OSError(5, "Input/output error"), False),
    ],
)
def test_a_full_transmit_queue_is_told_from_a_lost_bus(error, full):
    assert is_queue_full(error) == full


def test_a_frame_of_our_own_comes_back_once_as_often_as_it_was_sent():
    echoes = Echoes()
    for frame in ((0x1D4, 1, 8, 0), (0x1D4, 2, 8, 0), (0x1D4, 1, 8, 0)):
        echoes.expect(*frame)
    assert not echoes.is_one(0x1D4, 1, 8, 1)
    assert [echoes.is_one(0x1D4, 1, 8, 0) for _ in range(3)] == [True, True, False]
    assert [echoes.is_one(0x1D4, 2, 8, 0) for _ in range(2)] == [True, False]


def test_a_frame_of_our_own_is_not_expected_for_ever():
    echoes = Echoes(span=-1.0)
    echoes.expect(0x1D4, 1, 8, 0)
    assert not echoes.is_one(0x1D4, 1, 8, 0)


def test_a_frame_that_could_not_be_sent_is_not_expected():
    echoes = Echoes()
    echoes.expect(0x1D4, 1, 8, 0)
    echoes.expect(0x1D4, 2, 8, 0)
    echoes.forget()
    assert not echoes.is_one(0x1D4, 2, 8, 0)
    assert echoes.is_one(0x1D4, 1, 8, 0)


def test_a_reason_is_one_line_from_the_error_to_its_cause():
    error = CanOperationError("Could not read")
    error.__cause__ = OSError(5, "Input/output\nerror")
    assert reason(error) == "Could not read: [Errno 5] Input/output error"
    assert reason(KeyError()) == "KeyError"
