"""Somebody else on a bus, to measure a node with: python-can as everybody uses it, with the times at which it sends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hil.bus import BusAddress, open_bus, parse_bus_address


class Peer:
    """A python-can bus of its own on the bus of a node."""

    def __init__(self, address: str, *, python_can: bool = False) -> None:
        """``python_can``: slcan by python-can's own driver."""
        parsed = parse_bus_address(address)
        self._bus = open_slcan_of_python_can(parsed) if python_can else open_bus(parsed)
        self._tasks: list[Any] = []

    def send(self, identifier: int, payload: int) -> None:
        """Send eight bytes."""
        self._bus.send(message(identifier, payload))

    def send_cyclically(self, identifier: int, period: float) -> None:
        """Leave a frame to python-can's cyclic tasks, every ``period`` [s]."""
        self._tasks.append(self._bus.send_periodic(message(identifier, 0), period))

    def listen(self, timeout: float = 0.0) -> Any:
        """The next message, or None if there is none within ``timeout`` [s]; ``timestamp`` [s, CLOCK_REALTIME]."""
        return self._bus.recv(timeout)

    def heard(self) -> list[Any]:
        """All messages that wait."""
        return list(iter(self.listen, None))

    def close(self) -> None:
        """Stop sending, and leave the bus."""
        for task in self._tasks:
            task.stop()
        for task in self._tasks:  # a thread that has not seen it yet would still send
            if thread := getattr(task, "thread", None):
                thread.join()
        self._bus.shutdown()


def open_slcan_of_python_can(address: BusAddress) -> Any:
    """A port, without the two seconds that this driver waits for adapters that start anew when they are opened."""
    import can

    return can.Bus(interface="slcan", channel=address.channel, bitrate=address.bitrate, sleep_after_open=0, ignore_config=True)


def message(identifier: int, payload: int) -> Any:
    """A message of eight bytes."""
    import can

    return can.Message(arbitration_id=identifier, is_extended_id=False, data=payload.to_bytes(8, "little"))


@contextmanager
def peers(addresses: list[str]) -> Iterator[list[Peer]]:
    """A peer on each of the buses."""
    opened: list[Peer] = []
    try:
        for address in addresses:
            opened.append(Peer(address))
        yield opened
    finally:
        for peer in opened:
            peer.close()


def wall_clock_lead() -> float:
    """How far CLOCK_REALTIME is before CLOCK_MONOTONIC now [s]."""
    return (time.time_ns() - time.monotonic_ns()) * 1e-9
