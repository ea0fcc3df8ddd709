"""USB-CAN adapters that speak the Lawicel protocol (slcan: CANable, USBtin, Lawicel), as a python-can bus.

python-can has a driver for them, too. This one reads whole blocks where that reads byte by byte, waits for the adapter's answer
after opening where that always sleeps two seconds, and hears what the adapter says: a refused bitrate, a refused frame (BELL),
and the status flags, for which it asks. A line that was torn costs that line: ``recv`` raises ValueError for it.

Bus-off has no flag in the protocol, and no way out but closing and opening the channel. A controller that is error-passive or
refuses frames, while nothing is heard, may be bus-off: its channel is closed and opened once a second.
"""

import contextlib
import os
import re
import select
import threading
import time
from collections import deque
from typing import Any

import can
import serial

from hil.bus_interfaces import LAWICEL_CODES
from hil.bus_state import BusState

# Kind, identifier, length and data.
FRAME = re.compile(rb"([tr])([0-7][0-9A-Fa-f]{2})([0-8])([0-9A-Fa-f]*)|([TR])([01][0-9A-Fa-f]{7})([0-8])([0-9A-Fa-f]*)")
FLAGS = re.compile(rb"F([0-9A-Fa-f]{2})")
STAMP = 4  # digits that follow the data if the adapter was left with time stamps switched on
LONGEST_LINE = 64  # bytes; more without an end is rubbish
READ_TIMEOUT = 0.02  # [s]
WRITE_TIMEOUT = 0.05  # [s] an adapter that takes no bytes for so long is gone
FIRST_ANSWER = 2.0  # [s] opening the port resets some adapters, and they take that long to start
REPEAT = 0.25  # [s] between questions until the first answer
SETTLING = 0.1  # [s] at most, until no answer to these questions is under way
ANSWER = 0.2  # [s] to a command; some firmware does not answer at all
ASKED_IN_VAIN = 10  # questions for the flags without an answer after which the adapter is not asked again
PASSIVE_FLAG = 0x20
RESTART = 1.0  # [s] without a frame, in trouble, after which the channel is closed and opened
PASSIVE_SPAN = 1.0  # [s] for which an error-passive flag is believed: adapters clear it when it was read


class SlcanBus(can.BusABC):
    """One adapter on a serial port. One thread may receive while another sends and a third asks for the state."""

    def __init__(self, channel: str, bitrate: int | None = None, listen_only: bool = False, tty_baudrate: int = 115_200) -> None:
        """Raises CanInitializationError if there is no such port, it is in use, or the adapter refuses what it is told."""
        self._is_shutdown = True  # until it is open: nothing is to be closed before
        if bitrate is not None and bitrate not in LAWICEL_CODES:
            known = ", ".join(str(rate) for rate in sorted(LAWICEL_CODES))
            raise can.CanInitializationError(f"slcan has no bitrate {bitrate}; it has {known}")
        try:
            self._port = serial.serial_for_url(channel, baudrate=tty_baudrate, timeout=READ_TIMEOUT, exclusive=True)
            self._descriptor = self._port.fileno()
        except (OSError, ValueError) as error:
            raise can.CanInitializationError(str(error)) from error
        self._can_protocol = can.CanProtocol.CAN_20
        self.channel_info = f"slcan {channel}"
        self._buffer = b""
        self._waiting: deque[can.Message | bytes] = deque()  # messages, and lines that are none
        self._writing = threading.Lock()
        self._answers = 0  # to commands
        self._refusals = self._refusals_told = 0  # BELLs
        self._asked = 0  # for the flags, without an answer
        self._passive_until = self._trouble_until = float("-inf")  # [s]
        self._restart_at = float("inf")  # [s] should there be trouble
        self._opening = b"L\r" if listen_only else b"O\r"
        self._tells_flags = False
        try:
            self._start(bitrate, listen_only)
        except BaseException:
            self._port.close()
            raise
        super().__init__(channel)
        self._is_shutdown = False

    def _start(self, bitrate: int | None, listen_only: bool) -> None:
        end = time.monotonic() + FIRST_ANSWER
        while not self._answers and time.monotonic() < end:
            self._write(b"C\rV\r")  # closes it, should it be open; most answer at least one of them
            self._await_answer(REPEAT)
        settled = time.monotonic() + SETTLING
        while (
            self._read() and time.monotonic() < settled
        ):  # the answer to the other one is not to be taken for that to what follows
            pass
        if bitrate is not None:
            self._command(f"{LAWICEL_CODES[bitrate]}\r".encode(), f"refuses the bitrate {bitrate}")
        self._command(self._opening, "refuses to listen only" if listen_only else "refuses to open its channel")
        self._waiting.clear()
        self._restart_at = time.monotonic() + RESTART

    def _command(self, command: bytes, refusal: str) -> None:
        self._answers = self._refusals = 0
        self._write(command)
        self._await_answer(ANSWER)
        if self._refusals:
            raise can.CanInitializationError(f"the adapter {refusal}")

    def _await_answer(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._answers and time.monotonic() < end:
            self._read()

    def _write(self, data: bytes) -> None:
        # pyserial's own timeout also strikes when all is written, but this process was not on the processor meanwhile.
        try:
            with self._writing:
                while data:
                    with contextlib.suppress(BlockingIOError):  # full for the moment: waited for below
                        data = data[os.write(self._descriptor, data) :]
                    if data and not select.select([], [self._descriptor], [], WRITE_TIMEOUT)[1]:
                        raise can.CanOperationError(f"cannot write: the adapter takes no bytes for {WRITE_TIMEOUT} s")
        except (OSError, ValueError) as error:
            raise can.CanOperationError(f"cannot write: {error}") from error

    def _read(self, timeout: float = READ_TIMEOUT) -> bool:
        """Wait for bytes, and sort the lines that are complete; False if there came none."""
        try:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                return False
            data = self._port.read(1)
            if data:
                data += self._port.read(self._port.in_waiting)
        except (OSError, TypeError, ValueError) as error:  # TypeError: pyserial, of a port that was closed meanwhile
            raise can.CanOperationError(f"cannot read: {error}") from error
        bells = data.count(b"\a")
        if bells:
            self._trouble_until = time.monotonic() + PASSIVE_SPAN
        self._refusals += bells
        self._answers += bells
        *lines, self._buffer = (self._buffer + data.replace(b"\a", b"")).split(b"\r")
        for line in lines:
            self._sort(line)
        if len(self._buffer) > LONGEST_LINE:
            self._waiting.append(self._buffer)
            self._buffer = b""
        return bool(data)

    def _sort(self, line: bytes) -> None:
        if match := FRAME.fullmatch(line):
            self._waiting.append(message(match) or line)
            self._restart_at = time.monotonic() + RESTART
        elif match := FLAGS.fullmatch(line):
            self._tells_flags = True
            self._asked = 0
            if int(match[1], 16) & PASSIVE_FLAG:
                self._passive_until = self._trouble_until = time.monotonic() + PASSIVE_SPAN
        elif line in (b"", b"z", b"Z") or line[:1] in (b"V", b"N"):
            self._answers += 1
        else:
            self._waiting.append(line)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if not self._waiting:
            self._read(READ_TIMEOUT if timeout is None else min(timeout, READ_TIMEOUT))
        if not self._waiting:
            return None, False
        first = self._waiting.popleft()
        if isinstance(first, bytes):
            raise ValueError(f"{first[:LONGEST_LINE]!r} is no frame")
        return first, False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Hand a frame to the adapter. Raises CanOperationError if that fails, or if the adapter has refused one before."""
        head = f"T{msg.arbitration_id:08X}" if msg.is_extended_id else f"t{msg.arbitration_id:03X}"
        if msg.is_remote_frame:
            head = head.replace("t", "r").replace("T", "R")
        self._write(f"{head}{msg.dlc}{msg.data.hex().upper()}\r".encode())
        if self._refusals > self._refusals_told:
            self._refusals_told = self._refusals
            raise can.CanOperationError("the adapter refuses frames, its transmit buffer full")

    def controller_state(self) -> BusState | None:
        """Ask for the flags, and tell what the last answer said; None if this adapter does not tell.

        May restart the controller, see above.
        """
        if self._asked < ASKED_IN_VAIN:
            self._asked += 1
            self._write(b"F\r")
        now = time.monotonic()
        if now < self._trouble_until and now > self._restart_at:
            self._restart_at = now + RESTART
            self._write(b"C\r" + self._opening)
        if not self._tells_flags:
            return None
        return BusState.ERROR_PASSIVE if now < self._passive_until else BusState.ACTIVE

    def fileno(self) -> int:
        """File descriptor of the port."""
        return int(self._descriptor)

    def shutdown(self) -> None:
        """Close the adapter's channel, and the port."""
        super().shutdown()
        try:
            if self._port.is_open:
                self._write(b"C\r")
        finally:
            self._port.close()


def message(match: Any) -> can.Message | None:
    """The frame of a line; None if it has another number of bytes than it says."""
    kind, identifier, length, digits = (a or b for a, b in zip(match.groups()[:4], match.groups()[4:], strict=True))
    remote = kind in b"rR"
    size = 0 if remote else 2 * int(length)
    if len(digits or b"") not in (size, size + STAMP):
        return None
    return can.Message(
        timestamp=time.time(),
        arbitration_id=int(identifier, 16),
        is_extended_id=kind in b"TR",
        is_remote_frame=remote,
        dlc=int(length),
        data=bytes.fromhex(digits[:size].decode()) if size else b"",
    )
