"""ISO-TP (ISO 15765-2) between one tester and one control unit, by can-isotp, on frames that somebody else carries.

The library keeps the states and the times of the standard: 1 s for a flow control (N_Bs), 1 s for the next consecutive frame
(N_Cr). What the standard tells a receiver to ignore, and the library would end a reception for, does not reach it.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import isotp

from hil.diagnostics.protocol import LONGEST
from hil.errors import UsageError

FRAME_LENGTH = 8
LOGGER = "e4hil.isotp"  # the library tells every error there, as fast as somebody makes them; they are counted instead
WAITING_MOST = 4  # answers that wait until the one before is sent
WAIT_FRAMES_MOST = 10  # in a row (N_WFTmax)
SEPARATION_MOST = 127  # [ms] what a code of STmin that the standard reserves stands for: ISO 15765-2, 9.6.5.4

logging.getLogger(LOGGER).disabled = True


class FrameType(IntEnum):
    """Upper half of the first byte of a frame."""

    SINGLE = 0
    FIRST = 1
    CONSECUTIVE = 2
    FLOW_CONTROL = 3


@dataclass(frozen=True)
class TransportSettings:
    """How a control unit speaks ISO-TP. Raises UsageError if a value is outside its range."""

    block_size: int = 0  # consecutive frames that a tester may send at once; 0: all
    separation_asked: int = 0  # [ms] that a tester is asked to leave between them (STmin)
    separation: int = 1  # [ms] left between our own, or more if the tester asks for more; a real control unit has a task for it
    padding: int = 0x00  # byte that fills a frame

    def __post_init__(self) -> None:
        ranges = {"block_size": 255, "separation_asked": SEPARATION_MOST, "separation": SEPARATION_MOST, "padding": 255}
        for name, most in ranges.items():
            if not 0 <= getattr(self, name) <= most:
                raise UsageError(f"ISO-TP: {name} = {getattr(self, name)}: allowed is 0 to {most}")


@dataclass
class Counters:
    """What came, and what went wrong, on one channel."""

    received: int = 0  # messages
    sent: int = 0  # messages that were begun
    dropped: int = 0  # messages not sent, because too many waited
    errors: int = 0  # of the protocol, as the library tells them
    by_kind: dict[str, int] = field(default_factory=dict)  # the same, by the library's names


class Channel:
    """Messages to and from one tester."""

    def __init__(
        self,
        request: int,
        response: int,
        extended: bool,
        send: Callable[[int, bytes, bool], bool],
        settings: TransportSettings | None = None,
    ) -> None:
        """``request``: identifier of the tester's frames; ``response``: of ours; ``send``: sends a frame, and says whether."""
        self.request, self.response, self.extended = request, response, extended
        self.counters = Counters()
        self._settings = settings or TransportSettings()
        self._send_frame = send
        self._incoming: deque[isotp.CanMessage] = deque()
        self._stuck = False  # a frame could not be sent: of its message the others must not be
        mode = isotp.AddressingMode.Normal_29bits if extended else isotp.AddressingMode.Normal_11bits
        self._logic = isotp.TransportLayerLogic(
            self._next_frame,
            self._take_frame,
            isotp.Address(mode, txid=response, rxid=request),
            self._count,
            {
                "blocksize": self._settings.block_size,
                "stmin": self._settings.separation_asked,
                "tx_padding": self._settings.padding,
                "max_frame_size": LONGEST,
                "wftmax": WAIT_FRAMES_MOST,
                "logger_name": LOGGER,
                "wait_func": lambda seconds: None,  # it is called once, to try it
            },
        )

    @property
    def is_sending(self) -> bool:
        """Whether a message is on its way."""
        return self._logic.transmitting()

    def take(self, data: bytes) -> None:
        """A frame of the tester has come."""
        if usable := self._usable(data):
            self._incoming.append(isotp.CanMessage(self.request, len(usable), usable, self.extended))
        self.process()

    def process(self) -> None:
        """Go on with what is due."""
        try:
            self._logic.process()
        except Exception as error:  # whatever a frame may do to the library: the next one finds it as new
            self._count(error)
            self._logic.reset()
        if self._stuck:
            self._stuck = False
            self._logic.stop_sending()

    def until_due(self) -> float | None:
        """Time [s] until ``process`` has something to do, unless a frame comes; None if it has nothing."""
        logic = self._logic
        if (delay := logic.next_cf_delay()) is not None:
            return delay
        timers = [timer.remaining() for timer in (logic.timer_rx_fc, logic.timer_rx_cf) if not timer.is_stopped()]
        return min(timers, default=None)

    def receive(self) -> bytes | None:
        """The next message of the tester."""
        message = self._logic.recv()
        self.counters.received += message is not None
        return None if message is None else bytes(message)

    def send(self, message: bytes) -> None:
        """Send a message to the tester, after those that wait; if too many do, it is dropped."""
        if self._logic.tx_queue.qsize() >= WAITING_MOST:
            self.counters.dropped += 1
            return
        self.counters.sent += 1
        self._logic.send(message)
        self.process()

    def _next_frame(self, timeout: float) -> isotp.CanMessage | None:
        return self._incoming.popleft() if self._incoming else None

    def _take_frame(self, message: isotp.CanMessage) -> None:
        self._stuck |= not self._send_frame(message.arbitration_id, bytes(message.data), message.is_extended_id)

    def _count(self, error: Exception) -> None:
        self.counters.errors += 1
        kind = type(error).__name__
        self.counters.by_kind[kind] = self.counters.by_kind.get(kind, 0) + 1

    def _usable(self, data: bytes) -> bytes | None:
        """A frame as the library may have it; None for one that is to be ignored: ISO 15765-2, 9.6 and 9.8."""
        if not data:
            return None
        kind = data[0] >> 4
        if kind == FrameType.SINGLE:
            return data if single_frame(data) else None
        if kind == FrameType.FIRST:
            length = (data[0] & 0x0F) << 8 | data[1] if len(data) == FRAME_LENGTH else 1
            # Zero: a length of 32 bits follows, for which there is no room; the library says so to the tester.
            return data if length == 0 or length >= FRAME_LENGTH else None
        if kind == FrameType.FLOW_CONTROL:
            return self._own_pace(data) if len(data) >= 3 and data[0] & 0x0F <= 2 else None
        return data if kind == FrameType.CONSECUTIVE and len(data) > 1 else None

    def _own_pace(self, data: bytes) -> bytes:
        """A flow control that asks for no less time between our frames than we leave anyway."""
        asked = data[2]
        if 0xF1 <= asked <= 0xF9:  # tenths of a millisecond
            return data if self._settings.separation == 0 else bytes([*data[:2], self._settings.separation])
        return bytes([*data[:2], max(min(asked, SEPARATION_MOST), self._settings.separation)])


def single_frame(data: bytes) -> bytes | None:
    """The message in a frame that holds all of it; None if it is none."""
    length = data[0] if data else 0
    return data[1 : 1 + length] if 1 <= length < min(len(data), FRAME_LENGTH) else None
