"""Error frames of SocketCAN: the classes of errors in the identifier, and the status of the controller in byte 1.

Numbers are those of the kernel's header <linux/can/error.h>.
"""

from hil.bus_state import BusState

CLASSES = (
    "transmission timed out",
    "arbitration lost",
    "controller",
    "protocol violation",
    "transceiver",
    "no acknowledge",
    "bus-off",
    "bus error",
    "restarted",
    "error counters",
)  # bits 0 to 9 of the identifier
CONTROLLER_CLASS, BUS_OFF_CLASS, RESTARTED_CLASS = 2, 6, 8  # of these
WARNING_BITS, PASSIVE_BITS, ACTIVE_BIT = 0x0C, 0x30, 0x40  # of the controller's status


def state_in_error_frame(identifier: int, data: bytes) -> BusState | None:
    """What an error frame says of the controller's state; None if it says nothing."""
    if identifier >> BUS_OFF_CLASS & 1:
        return BusState.BUS_OFF
    if identifier >> RESTARTED_CLASS & 1:
        return BusState.ACTIVE
    if identifier >> CONTROLLER_CLASS & 1 and len(data) > 1:
        if data[1] & PASSIVE_BITS:
            return BusState.ERROR_PASSIVE
        if data[1] & ACTIVE_BIT:
            return BusState.ACTIVE
    return None


def error_classes(identifier: int) -> str:
    """The classes of an error frame in words."""
    named = ", ".join(text for bit, text in enumerate(CLASSES) if identifier >> bit & 1)
    return named or f"class {identifier:X}"
