"""python-can's drivers as they are: what they tell of the bus, how they fail, and how they are called although they may hang.

What they tell of the state of the CAN controller, by interface:

- socketcand, gs_usb: error frames of SocketCAN, see hil.can_errors; socketcand passes on the class alone. SocketCAN itself has
  sessions of its own, in hil.socketcan.
- pcan: bits of the status that ``status()`` asks for; ixxat: the property ``state``.
- slcan in python-can: nothing. Flags are never asked for, refused frames not noticed. ``hil.slcan`` asks.
- kvaser, vector and others: error frames without a class, which are counted.
- gs_usb does not tell that it was unplugged until something is sent; before that, it is only silent.
- virtual and udp_multicast have no CAN controller.

gs_usb hands our own frames back, marked as such; udp_multicast hands them back unmarked.
"""

import contextlib
import errno
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from hil.bus_state import BusState

PCAN_PASSIVE, PCAN_BUS_OFF = 0x4_0000, 0x10  # of PCAN-Basic's TPCANStatus
CLASSIFIED_ERRORS = ("gs_usb", "socketcand")  # interfaces whose error frames are those of SocketCAN
ECHO_SPAN = 5.0  # [s] for which a frame of our own may come back
# Errors of drivers whose transmit queue is full: of nobody's acknowledging, not of a lost bus.
QUEUE_FULL = re.compile(r"buffer full|queue full|XMTFULL|TXBUFOFL|transmit buffer|tx queue", re.I)


def interface_of(bus: Any) -> str:
    """Name of the python-can interface that a bus is of; empty for others."""
    package, _, rest = type(bus).__module__.partition("can.interfaces.")
    return rest.split(".")[0] if not package else ""


def asked_state(bus: Any) -> BusState | None:
    """The state of the CAN controller where the driver can be asked; None where it cannot."""
    interface = interface_of(bus)
    if interface == "pcan":
        status = int(bus.status())
        return BusState.BUS_OFF if status & PCAN_BUS_OFF else BusState.ERROR_PASSIVE if status & PCAN_PASSIVE else BusState.ACTIVE
    if interface == "ixxat":
        return {"ERROR": BusState.BUS_OFF, "PASSIVE": BusState.ERROR_PASSIVE}.get(bus.state.name, BusState.ACTIVE)
    return bus.controller_state() if hasattr(bus, "controller_state") else None


def makes_sense(message: Any) -> bool:
    """Whether a classic frame has the bytes and the identifier that it says; torn lines of slcan give others."""
    highest = 0x1FFF_FFFF if message.is_extended_id else 0x7FF
    if message.is_error_frame:
        return len(message.data) <= 8
    length = 0 if message.is_remote_frame else message.dlc
    return message.dlc <= 8 and len(message.data) == length and message.arbitration_id <= highest


def is_queue_full(error: Exception) -> bool:
    """Whether the driver only could not take one frame more."""
    return getattr(error, "error_code", None) == errno.ENOBUFS or bool(QUEUE_FULL.search(str(error)))


def reason(error: BaseException) -> str:
    """Why, in one line, from the error to its cause."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause:
        text = " ".join(str(cause).split()) or type(cause).__name__
        if not any(text in known for known in texts):
            texts.append(text)
        cause = cause.__cause__
    return ": ".join(texts)


class Echoes:
    """Frames of our own that a transport will hand back unmarked: each is expected once, and for a while."""

    def __init__(self, span: float = ECHO_SPAN) -> None:
        """``span`` [s]: for which a frame may come back."""
        self._span = span
        self._expected: deque[tuple[float, tuple[int, ...]]] = deque()
        self._lock = threading.Lock()  # one thread sends, another receives

    def expect(self, *frame: int) -> None:
        """``frame`` is about to be sent."""
        with self._lock:
            self._drop_old()
            self._expected.append((time.monotonic() + self._span, frame))

    def forget(self) -> None:
        """The frame that was expected last was not sent."""
        with self._lock:
            self._expected.pop()

    def is_one(self, *frame: int) -> bool:
        """Whether a received ``frame`` is one of ours; the next like it is not, unless it was sent twice."""
        with self._lock:
            self._drop_old()
            for place, (_, expected) in enumerate(self._expected):
                if expected == frame:
                    del self._expected[place]
                    return True
        return False

    def _drop_old(self) -> None:
        now = time.monotonic()
        while self._expected and self._expected[0][0] < now:
            self._expected.popleft()


class Attempt(threading.Thread):
    """A call into a driver that may not come back. What it opens after nobody waits any more, it closes again."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(name="driver call", daemon=True)
        self.error: Exception | None = None
        self._work = work
        self._result: Any = None
        self._left = False
        self._lock = threading.Lock()
        self.start()

    def run(self) -> None:
        """Call, and hand over what came of it."""
        try:
            result = self._work()
        except Exception as error:  # drivers raise all sorts
            self.error = error
            return
        with self._lock:
            self._result = result
            left = self._left
        if left and result is not None:
            close_bus(result)

    def take(self) -> Any:
        """What the call has returned; None if nothing yet, and then nothing later."""
        with self._lock:
            self._left = True
            return self._result


def close_bus(bus: Any) -> None:
    """Close a bus, also one whose adapter is gone."""
    try:
        with contextlib.suppress(Exception):  # drivers raise all sorts, and it ends here anyhow
            bus.shutdown()
    finally:
        # python-can's slcan leaves its port open if it cannot say good-bye on it.
        if port := getattr(bus, "serialPortOrig", None):
            with contextlib.suppress(Exception):  # of a port that is gone nothing is left to close
                port.close()
