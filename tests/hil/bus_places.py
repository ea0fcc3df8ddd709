"""Buses of every kind, each by two addresses: that of a station, and the one by which somebody else is on it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import can
import pytest
from platforms import NO_VCAN, VCAN, VCAN_ABSENT

from hil.bus import parse_bus_address
from hil.virtual_can import BusPlan, Hub, serving

Place = tuple[str, str]  # the address of the node's bus, and the one by which somebody else is on it


@contextmanager
def virtual() -> Iterator[Place]:
    yield "virtual:test_buses", "virtual:test_buses"


@contextmanager
def slcan() -> Iterator[Place]:
    """Two adapters of a hub in this process; a serial port serves one program."""
    with tempfile.TemporaryDirectory() as folder, serving(Hub([BusPlan("front")], folder=Path(folder))) as hub:
        yield hub.address("front0"), hub.address("front1")


@contextmanager
def udp_multicast() -> Iterator[Place]:
    """A multicast group of this process, if this machine passes frames through it."""
    address = f"udp_multicast:239.74.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}"
    try:
        with can.Bus(**options_of(address)) as one, can.Bus(**options_of(address)) as other:
            one.send(can.Message(arbitration_id=1))
            heard = other.recv(1.0)
    except (can.CanError, OSError, ImportError) as error:
        pytest.skip(f"no multicast here: {error}")
    if heard is None:
        pytest.skip("no multicast here: a frame does not come back")
    yield address, address


@contextmanager
def socketcan() -> Iterator[Place]:
    if VCAN_ABSENT:
        pytest.skip(NO_VCAN)
    yield f"socketcan:{VCAN}", f"socketcan:{VCAN}"


INTERFACES = {"virtual": virtual, "slcan": slcan, "udp_multicast": udp_multicast, "socketcan": socketcan}


def options_of(address: str) -> dict[str, Any]:
    parsed = parse_bus_address(address)
    return {"interface": parsed.interface, "channel": parsed.channel}
