"""A CAN bus and the controllers on it: bitrate, arbitration, acknowledgement, error counters, bus-off.

Nothing here knows a clock or a file: time [ns] is an argument, frames are handed to each controller's ``receive``. The rules are
those of ISO 11898-1 (fault confinement) [M]: a transmitter's error counts 8, a receiver's 1, a receiver that was the first to
signal an error 8 more, a success takes 1 off; passive from 128, bus-off from 256, back after 128 times 11 recessive bits. Two
nodes that send the same identifier at the same instant do not collide here: the one that asked first goes first.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntFlag

from hil import wire
from hil.frames import FrameFlags
from hil.virtual_can.injection import Effect, Injection

TRANSMIT_BUFFER = 64  # frames that wait in an adapter; assumption: of the order of a CANable's
WARNING_LIMIT, PASSIVE_LIMIT, BUS_OFF_LIMIT = 96, 128, 256
COUNTER_MAXIMUM = 255  # [M] the receive error counter has eight bits
TRANSMIT_ERROR, RECEIVE_ERROR, FIRST_TO_SIGNAL = 8, 1, 8
BACK_FROM_PASSIVE = 127  # receive error counter after the first good frame; the standard allows 119 to 127
ERROR_FRAME_BITS = 6 + 6 + 8 + 3  # superposed error flags at their longest, delimiter, intermission
SUSPEND_BITS = 8  # an error-passive node waits so long after its own frame
RECOVERY_SEQUENCES = 128  # of 11 recessive bits; each frame ends with one
SEQUENCE_BITS = 11
BITRATE_TOLERANCE = 0.01  # oscillators of two nodes may differ by this and still understand each other
LOAD_WINDOW = 1_000_000_000  # [ns]
CATCH_UP = 1_000_000_000  # [ns] a hub that slept for longer (a suspended machine) does not send for all that time

EXTENDED, REMOTE = FrameFlags.EXTENDED.value, FrameFlags.REMOTE.value  # plain numbers: flags are slow
# A kernel, called from Python with a Python frame: as it is written, not compiled.
_priority = getattr(wire.priority, "py_func", wire.priority)
FRAME_BITS = wire.FRAME_BITS.tolist()


class Mode(Enum):
    """What a controller does on its bus."""

    CLOSED = "closed"
    NORMAL = "open"
    LISTEN_ONLY = "listen-only"
    LOOPBACK = "loopback"


class Status(IntFlag):
    """Status flags of an adapter, with the bits of the Lawicel protocol's F command (those of the SJA1000)."""

    RECEIVE_FULL = 0x01
    TRANSMIT_FULL = 0x02
    ERROR_WARNING = 0x04
    OVERRUN = 0x08
    ERROR_PASSIVE = 0x20
    ARBITRATION_LOST = 0x40
    BUS_ERROR = 0x80


@dataclass(slots=True, eq=False)
class Frame:
    """A classic CAN frame on its way."""

    text: bytes  # as the Lawicel protocol writes it, without the end of the line
    identifier: int
    kind: int  # FrameFlags
    length: int  # [bytes]
    time: int = 0  # [ns] when the controller got it
    priority: tuple[int, int] = field(init=False)  # a data frame wins against a remote frame of the same identifier
    bits: int = field(init=False)

    def __post_init__(self) -> None:
        remote = int(bool(self.kind & REMOTE))
        self.priority = int(_priority(self)), remote
        self.bits = FRAME_BITS[self.kind & EXTENDED][0 if remote else self.length]


@dataclass(eq=False)
class Controller:
    """A CAN controller: what it is set to, what it has to send, and how much it trusts itself."""

    name: str
    receive: Callable[[Frame, int], None]
    mode: Mode = Mode.CLOSED
    bitrate: int = 0  # [bit/s]
    understands: bool = False  # whether that is the bitrate of its bus
    queue: deque[Frame] = field(default_factory=deque)
    transmit_errors: int = 0
    receive_errors: int = 0
    latched: int = 0  # Status, until it is read
    sent: int = 0
    received: int = 0
    refused: int = 0  # frames that found the transmit buffer full
    not_before: int = 0  # [ns] an error-passive node lets the others go first
    rejoins: int = 0  # number of the recessive sequence that ends bus-off, once it is opened anew

    @property
    def bus_off(self) -> bool:
        """Whether it has left the bus."""
        return self.transmit_errors >= BUS_OFF_LIMIT

    @property
    def error_passive(self) -> bool:
        """Whether its error flags no longer disturb the others."""
        return self.transmit_errors >= PASSIVE_LIMIT or self.receive_errors >= PASSIVE_LIMIT

    @property
    def takes_part(self) -> bool:
        """Whether it acknowledges and signals errors."""
        return self.mode is Mode.NORMAL and self.transmit_errors < BUS_OFF_LIMIT

    @property
    def listens(self) -> bool:
        """Whether frames reach it."""
        return self.mode in (Mode.NORMAL, Mode.LISTEN_ONLY) and self.transmit_errors < BUS_OFF_LIMIT

    def status(self) -> int:
        """Status flags of now, and those that were latched since."""
        worst = max(self.transmit_errors, self.receive_errors)
        warning = Status.ERROR_WARNING if worst >= WARNING_LIMIT else 0
        passive = Status.ERROR_PASSIVE if worst >= PASSIVE_LIMIT else 0
        full = Status.TRANSMIT_FULL if len(self.queue) >= TRANSMIT_BUFFER else 0
        return int(self.latched | warning | passive | full)

    def condition(self) -> str:
        """In one word, for people."""
        if self.mode is Mode.CLOSED:
            return self.mode.value
        if self.bus_off:
            return "bus-off"
        return "error-passive" if self.error_passive else self.mode.value


class CanBus:
    """One bus: who may send next, how long it takes, and what becomes of it."""

    def __init__(self, name: str, bitrate: int, injection: Injection, now: int) -> None:
        self.name = name
        self.bitrate = bitrate
        self.controllers: list[Controller] = []
        self.next_event: int | None = None  # [ns] when to call ``advance`` at the latest
        self.frames = 0
        self.errors = 0  # frames destroyed or not acknowledged
        self.load = 0.0  # share of the last full window during which the bus was not idle
        self._injection = injection
        self._bit = round(1e9 / bitrate)  # [ns]
        self._busy = 0  # [ns]
        self._sequences_of_frames = 0
        self._origin = self._free_at = self._window = now
        self._busy_at_window = 0
        self._recovering: list[Controller] = []
        self._repeating = False  # a lone error-passive node repeats its frame: nothing changes until somebody does something

    def open(self, controller: Controller, mode: Mode, bitrate: int, now: int) -> None:
        """Take a controller onto the bus. One that is bus-off waits for its recessive bits first."""
        self.touch(now)
        controller.mode, controller.bitrate = mode, bitrate
        controller.understands = abs(bitrate - self.bitrate) <= BITRATE_TOLERANCE * self.bitrate
        if controller.bus_off:
            controller.rejoins = self._sequences(now) + RECOVERY_SEQUENCES
            self._recovering.append(controller)
        else:
            controller.transmit_errors = controller.receive_errors = 0
        controller.latched = controller.not_before = 0

    def close(self, controller: Controller, now: int) -> None:
        """Take a controller off the bus; what it had to send is gone."""
        self.touch(now)
        controller.mode = Mode.CLOSED
        controller.queue.clear()
        if controller in self._recovering:
            self._recovering.remove(controller)

    def send(self, controller: Controller, frame: Frame, now: int) -> bool:
        """Give a frame to an open controller; False, and flagged, if its buffer is full."""
        if len(controller.queue) >= TRANSMIT_BUFFER:
            controller.latched |= Status.TRANSMIT_FULL
            controller.refused += 1
            return False
        frame.time = now
        if controller.mode is Mode.LOOPBACK:
            controller.sent += 1
            controller.received += 1
            controller.receive(frame, now)
            return True
        controller.queue.append(frame)
        self.touch(now)
        return True

    def touch(self, now: int) -> None:
        """Something has changed: whoever repeats its frame does so from now on under new conditions."""
        if self._repeating:
            self._occupy(now)
            self._repeating = False

    def advance(self, now: int) -> None:
        """Complete every frame that ends by ``now``."""
        self.next_event = None
        if self._repeating:
            self._occupy(now)
        else:
            self._free_at = max(self._free_at, now - CATCH_UP)
            self._rejoin(now)
            while (attempt := self._next_attempt()) is not None:
                start, sender, contenders = attempt
                end = start + sender.queue[0].bits * self._bit
                if end > now:
                    self.next_event = end
                    break
                self._transmit(start, end, sender, contenders)
                self._rejoin(end)
                if self._repeating:
                    self._occupy(now)
                    break
            self._await_rejoin(now)
        if now - self._window >= LOAD_WINDOW:
            self.load = (self._busy - self._busy_at_window) / (now - self._window)
            self._window, self._busy_at_window = now, self._busy

    def _next_attempt(self) -> tuple[int, Controller, list[Controller]] | None:
        """When the next frame starts, whose it is, and who else wanted to; None if nobody has anything to send."""
        if self._repeating:
            return None
        waiting = [(max(c.queue[0].time, c.not_before), c) for c in self.controllers if c.queue and c.takes_part]
        if not waiting:
            return None
        start = max(self._free_at, min(ready for ready, _ in waiting))
        contenders = [controller for ready, controller in waiting if ready <= start]
        return start, min(contenders, key=lambda controller: controller.queue[0].priority), contenders

    def _transmit(self, start: int, end: int, sender: Controller, contenders: list[Controller]) -> None:
        frame = sender.queue[0]
        for controller in contenders:
            if controller is not sender:
                controller.latched |= Status.ARBITRATION_LOST
        others = [c for c in self.controllers if c is not sender and c.takes_part]
        self._free_at = end
        if self._is_destroyed(sender, frame, others):
            self._destroy(sender, others)
        elif not sender.understands or not any(c.understands for c in others):
            self._miss_acknowledge(sender, others, alone=len(contenders) == 1)
        else:
            self._deliver(sender, frame, end)
        if sender.error_passive:
            sender.not_before = self._free_at + SUSPEND_BITS * self._bit
        self._busy += self._free_at - start
        self._sequences_of_frames += 1

    def _is_destroyed(self, sender: Controller, frame: Frame, others: list[Controller]) -> bool:
        """By somebody of another bitrate (one that is error-passive no longer disturbs), or on command."""
        if self._injection.strikes(Effect.CORRUPT, self.name, frame.identifier):
            return True
        if self._injection.strikes(Effect.CORRUPT, sender.name, frame.identifier):
            return True
        if not sender.understands:
            return any(not c.error_passive for c in others)
        return any(not c.error_passive and not c.understands for c in others)

    def _destroy(self, sender: Controller, others: list[Controller]) -> None:
        """Error flags: everybody counts, and the sender will try again."""
        self.errors += 1
        self._free_at += ERROR_FRAME_BITS * self._bit
        sender.transmit_errors += TRANSMIT_ERROR
        sender.latched |= Status.BUS_ERROR
        for controller in others:
            first = sender.understands and not controller.understands and not controller.error_passive
            self._count_receive_error(controller, RECEIVE_ERROR + (FIRST_TO_SIGNAL if first else 0))

    def _miss_acknowledge(self, sender: Controller, others: list[Controller], alone: bool) -> None:
        """Nobody has understood the frame, or there is nobody.

        An error-passive sender counts no further: it is never driven off the bus by being alone.
        """
        self.errors += 1
        self._free_at += ERROR_FRAME_BITS * self._bit
        sender.latched |= Status.BUS_ERROR
        for controller in others:
            self._count_receive_error(controller, RECEIVE_ERROR)
        if not sender.error_passive:
            sender.transmit_errors += TRANSMIT_ERROR
        elif alone and not self._injection.rules and not self._recovering:
            self._repeating = True

    def _deliver(self, sender: Controller, frame: Frame, end: int) -> None:
        sender.queue.popleft()
        sender.sent += 1
        sender.transmit_errors = max(0, sender.transmit_errors - 1)
        self.frames += 1
        lost = self._injection.strikes(Effect.LOSE, self.name, frame.identifier)
        for controller in self.controllers:
            if controller is sender or not controller.listens:
                continue
            if not controller.understands:
                self._count_receive_error(controller, RECEIVE_ERROR)
                continue
            if controller.receive_errors:
                controller.receive_errors = min(controller.receive_errors - 1, BACK_FROM_PASSIVE)
            if not lost and not self._injection.strikes(Effect.LOSE, controller.name, frame.identifier):
                controller.received += 1
                controller.receive(frame, end)

    def _count_receive_error(self, controller: Controller, count: int) -> None:
        controller.latched |= Status.BUS_ERROR
        if controller.mode is Mode.NORMAL:
            controller.receive_errors = min(controller.receive_errors + count, COUNTER_MAXIMUM)

    def _occupy(self, now: int) -> None:
        self._busy += max(0, now - self._free_at)
        self._free_at = max(self._free_at, now)

    def _sequences(self, now: int) -> int:
        """How many times 11 recessive bits have been on the bus; a frame under way counts when it has ended."""
        attempt = self._next_attempt()
        idle = max(0, (min(now, attempt[0]) if attempt else now) - self._origin - self._busy)
        return self._sequences_of_frames + idle // (SEQUENCE_BITS * self._bit)

    def _rejoin(self, now: int) -> None:
        """End bus-off where enough recessive bits have passed."""
        for controller in [c for c in self._recovering if self._sequences(now) >= c.rejoins]:
            controller.transmit_errors = controller.receive_errors = 0
            controller.not_before = now
            self._recovering.remove(controller)

    def _await_rejoin(self, now: int) -> None:
        """On an idle bus nobody else wakes a recovering controller."""
        for controller in self._recovering:
            when = now + max(1, controller.rejoins - self._sequences(now)) * SEQUENCE_BITS * self._bit
            self.next_event = min(when, self.next_event or when)
