"""python-can sessions: one node on one bus, its frames carried between the bus and the rings of the compiled loop."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import UsageError
from hil.frames import FrameFlags, bytes_from_payload, new_frames, payload_from_bytes
from hil.ring import drain, new_rings, push_values

POLL = 0.5e-3  # [s] how long a frame may wait in the transmit ring
RECEIVE_TIMEOUT = 0.1  # [s] how long a stopping session may take


@dataclass(frozen=True)
class BusAddress:
    """Which bus to open: ``interface:channel[@bitrate]``."""

    interface: str
    channel: str
    bitrate: int | None = None

    def __str__(self) -> str:
        rate = f"@{self.bitrate}" if self.bitrate else ""
        return f"{self.interface}:{self.channel}{rate}"


def parse_bus_address(text: str) -> BusAddress:
    """Read ``interface:channel[@bitrate]``, for example ``slcan:/dev/ttyACM0@500000``. Raises UsageError."""
    interface, colon, rest = text.partition(":")
    channel, at, rate = rest.rpartition("@") if "@" in rest else (rest, "", "")
    if not (interface and colon and channel) or (at and not rate.isdigit()):
        raise UsageError(f'bus "{text}": expected interface:channel[@bitrate], for example virtual:front or socketcan:can0')
    return BusAddress(interface, channel, int(rate) if rate else None)


def open_bus(address: BusAddress) -> Any:
    """A python-can bus. Raises UsageError with what was tried if it cannot be opened."""
    import can

    if address.interface not in can.VALID_INTERFACES:
        known = ", ".join(sorted(can.VALID_INTERFACES))
        raise UsageError(f'bus "{address}": unknown interface "{address.interface}"; python-can has: {known}')
    options: dict[str, Any] = {"bitrate": address.bitrate} if address.bitrate else {}
    try:
        return can.Bus(interface=address.interface, channel=address.channel, **options)
    except (can.CanError, OSError, ImportError, ValueError) as error:
        raise UsageError(f'bus "{address}": cannot be opened: {error}') from error


class BusSession:
    """One node on one bus: a thread that receives into a ring, and a thread that sends from another.

    Times are taken on this side, from the monotonic clock, relative to ``origin`` [ns].
    """

    def __init__(self, bus: Any, index: int, origin: int, receive_ring: tuple[Any, Any], send_ring: tuple[Any, Any]) -> None:
        self._bus = bus
        self._index = index
        self._origin = origin
        self._receive_ring = receive_ring
        self._send_ring = send_ring
        self._stop = threading.Event()
        self.error: Exception | None = None
        self._received: deque[tuple[int, int, int, int, int]] = deque()  # time, payload, identifier, length, kind
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=f"{name} {bus.channel_info}", daemon=True)
            for name, work in (("receive", self._receive), ("send", self._send))
        ]

    @staticmethod
    def compile() -> None:
        """Compile what the threads call, so that the first frame does not wait for it."""
        control, storage = new_rings(1, 2)
        push_values(control[0], storage[0], 0, np.uint64(0), 0, 0, 0, 0)
        drain(control[0], storage[0], new_frames(1))

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send what waits, end both threads and close the bus."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._bus.shutdown()

    def take(self) -> list[tuple[int, int, int, int, int]]:
        """The frames received since the last call: time [ns], payload, identifier, length [bytes], kind."""
        return [self._received.popleft() for _ in range(len(self._received))]

    def _guard(self, work: Any) -> None:
        try:
            work()
        except Exception as error:  # drivers raise all sorts; whatever it is, the operator must hear of it
            self.error = error
            self._stop.set()

    def _receive(self) -> None:
        control, storage = self._receive_ring
        while not self._stop.is_set():
            message = self._bus.recv(RECEIVE_TIMEOUT)
            if message is None or message.is_error_frame or message.is_remote_frame or message.is_fd:
                continue
            now = time.monotonic_ns() - self._origin
            payload = payload_from_bytes(bytes(message.data))
            kind = int(FrameFlags.EXTENDED) if message.is_extended_id else 0
            push_values(control, storage, now, np.uint64(payload), message.arbitration_id, self._index, message.dlc, kind)
            self._received.append((now, payload, message.arbitration_id, message.dlc, kind))

    def _send(self) -> None:
        import can

        control, storage = self._send_ring
        waiting = new_frames(64)
        while True:
            stopping = self._stop.is_set()
            count = drain(control, storage, waiting)
            for frame in waiting[:count]:
                extended = bool(frame.kind & FrameFlags.EXTENDED)
                data = bytes_from_payload(frame.payload, frame.length)
                self._bus.send(can.Message(arbitration_id=int(frame.identifier), is_extended_id=extended, data=data))
            if not count:
                if stopping:
                    return
                time.sleep(POLL)
