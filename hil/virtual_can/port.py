"""A port of the hub: a pseudo-terminal with a stable path, an adapter behind it, and a CAN controller behind that."""

import errno
import os
import termios
import tty
from collections import deque
from contextlib import suppress
from pathlib import Path

from hil.errors import UsageError
from hil.serial_ports import own_hub_ports
from hil.virtual_can.can_bus import CanBus, Controller, Frame, Mode, Status
from hil.virtual_can.claim import Claim
from hil.virtual_can.injection import Injection
from hil.virtual_can.lawicel import LONGEST_LINE, Adapter

READ = 4096  # [bytes] at a time, so that a port that floods does not starve the others
ANSWER_BUFFER = 4096  # [bytes] so that a program that has been asleep is answered
RECEIVE_BUFFER = 64 * (
    LONGEST_LINE + 5
)  # [bytes] 64 frames with time stamps (assumption), beside the 20 kB of the kernel's terminal


class Port:
    """An adapter that can be plugged in, unplugged, and opened by anything that opens a serial port."""

    def __init__(self, name: str, bus: CanBus, path: Path, number: int, injection: Injection, now: int) -> None:
        """Claims ``path``. Raises UsageError if somebody else has it."""
        self.name = name
        self.path = path
        self.bus = bus
        self.controller = Controller(name, self._receive)
        self.fd = -1
        self.attended = False  # whether a program has the port open, as far as is known
        self.ending = False  # whether the last program has closed it, and there may be something to read from it yet
        self.lost = 0  # frames that found the receive buffer full
        self._injection = injection
        self._adapter = Adapter(self.controller, bus, number, now)
        self._terminal = ""
        self._output = bytearray()
        self._delayed: deque[tuple[int, Frame]] = deque()
        self._claim = Claim(path)

    @property
    def plugged(self) -> bool:
        """Whether it is there."""
        return self.fd >= 0

    @property
    def next_event(self) -> int | None:
        """When the next delayed frame is due [ns]."""
        return self._delayed[0][0] if self._delayed else None

    def plug(self, now: int) -> None:
        """Make the terminal and its link. Raises UsageError if there is none left."""
        try:
            self.fd, terminal = os.openpty()
            try:
                # Settings stay with the terminal as long as this side is open.
                tty.setraw(terminal)
                self._terminal = os.ttyname(terminal)
            finally:
                os.close(terminal)
            os.set_blocking(self.fd, False)
            self.path.symlink_to(self._terminal)
        except (OSError, termios.error) as error:
            self._close_terminal()
            raise UsageError(f"port {self.name}: no pseudo-terminal at {self.path}: {error.args[-1]}") from error
        own_hub_ports.add(self._terminal)
        self._adapter.power_up(now)
        self.bus.controllers.append(self.controller)

    def unplug(self, now: int) -> None:
        """Take it away: the program that has it open meets EIO, the path is gone, the controller forgets all."""
        self.path.unlink(missing_ok=True)
        own_hub_ports.discard(self._terminal)  # its number may be another program's next
        self._close_terminal()
        self.bus.close(self.controller, now)
        self.bus.controllers.remove(self.controller)
        self.controller.transmit_errors = self.controller.receive_errors = 0
        self._output.clear()
        self._delayed.clear()
        self.attended = False

    def close(self, now: int) -> None:
        """Unplug, and give the path back."""
        if self.plugged:
            self.unplug(now)
        self._claim.release()

    def read(self, now: int) -> bool:
        """Obey what has been written to the port; True if there may be more."""
        try:
            data = os.read(self.fd, READ)
        except BlockingIOError:
            self.attended, self.ending = True, False
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hang_up()
            return False
        self.attended = True
        self._write(self._adapter.accept(data, now), RECEIVE_BUFFER + ANSWER_BUFFER)
        return self.ending or len(data) == READ

    def release(self, now: int) -> None:
        """Report the delayed frames that are due."""
        while self._delayed and self._delayed[0][0] <= now:
            due, frame = self._delayed.popleft()
            self._report(frame, due)

    def flush(self, now: int) -> None:
        """Hand over what there is to read, as far as it is taken; what nobody reads is dropped."""
        if not self._output:
            return
        if not self.attended:
            # Programs open a port unnoticed: whether one has is seen when reading.
            self.read(now)
            if not self.attended:
                self._output.clear()
                return
        try:
            del self._output[: os.write(self.fd, self._output)]
        except BlockingIOError:
            return

    def _receive(self, frame: Frame, time: int) -> None:
        delay = self._injection.delay(self.name) + self._injection.delay(self.bus.name)
        if not delay and not self._delayed:
            self._report(frame, time)
            return
        # Frames never overtake each other, not even when a delay is taken back.
        latest = self._delayed[-1][0] if self._delayed else 0
        self._delayed.append((max(time + delay, latest), frame))

    def _report(self, frame: Frame, time: int) -> None:
        if not self._write(self._adapter.report(frame, time), RECEIVE_BUFFER):
            self.lost += 1
            self.controller.latched |= Status.RECEIVE_FULL | Status.OVERRUN

    def _write(self, lines: bytes, limit: int) -> bool:
        """Append whole lines; False if the buffer is at its limit. An adapter waits for nobody."""
        if len(self._output) >= limit:
            return False
        self._output += lines
        return True

    def _hang_up(self) -> None:
        """The last program has closed the port: what it had not read, or not finished writing, is not for the next one."""
        self.ending = False
        if not self.attended:
            return
        self.attended = False
        self._output.clear()
        self._adapter.forget_line()
        with suppress(OSError, termios.error):  # Linux, too, can take the terminal over, for its slcan driver
            terminal = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(terminal, termios.TCIFLUSH)
            finally:
                os.close(terminal)

    def _close_terminal(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def statistics(self) -> dict[str, object]:
        """Counters and condition."""
        controller = self.controller
        return {
            "name": self.name,
            "path": str(self.path),
            "plugged": self.plugged,
            "attended": self.attended,
            "condition": controller.condition() if self.plugged else "unplugged",
            "bitrate": controller.bitrate if controller.mode is not Mode.CLOSED else None,
            "sent": controller.sent,
            "received": controller.received,
            "waiting": len(controller.queue),
            "refused": controller.refused,
            "lost": self.lost,
            "transmit_errors": controller.transmit_errors,
            "receive_errors": controller.receive_errors,
        }
