"""The Lawicel (slcan) protocol as an adapter speaks it: lines of ASCII that end with CR; answers are CR, BELL, or data.

Commands and status bits are those of the CAN232 and CANUSB manuals [M], with the loopback of the USBtin. A transmission is
answered by z or Z, as a CANUSB does; the drivers of python-can and of Linux and SavvyCAN take either that or a bare CR.
"""

import re

from hil.bus_interfaces import LAWICEL_BITRATES
from hil.virtual_can.can_bus import EXTENDED, REMOTE, CanBus, Controller, Frame, Mode

OK, BELL = b"\r", b"\a"
REGISTER_CLOCK = 8_000_000  # [Hz] of the SJA1000's bit timing, half of its 16 MHz crystal
MINUTE = 60_000  # [ms] after which a time stamp starts again
VERSION = b"1013"  # hardware and software, two digits each: those of a CANUSB, whose answers these are
LONGEST_LINE = len(b"T000000008" + b"00" * 8)

_FRAMES = {  # form, kind, and the answer when it was taken
    b"t": (re.compile(rb"t([0-7][0-9A-Fa-f]{2})([0-8])((?:[0-9A-Fa-f]{2})*)"), 0, b"z\r"),
    b"T": (re.compile(rb"T([01][0-9A-Fa-f]{7})([0-8])((?:[0-9A-Fa-f]{2})*)"), EXTENDED, b"Z\r"),
    b"r": (re.compile(rb"r([0-7][0-9A-Fa-f]{2})([0-8])()"), REMOTE, b"z\r"),
    b"R": (re.compile(rb"R([01][0-9A-Fa-f]{7})([0-8])()"), EXTENDED | REMOTE, b"Z\r"),
}
_QUESTIONS = {b"": OK, b"V": b"V%b\r" % VERSION, b"v": b"v%b\r" % VERSION}
_BITRATES = {b"S%d" % code: bitrate for code, bitrate in enumerate(LAWICEL_BITRATES)}
_REGISTERS = re.compile(rb"s([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")
_MODES = {b"O": Mode.NORMAL, b"L": Mode.LISTEN_ONLY, b"l": Mode.LOOPBACK}
_TIME_STAMPS = {b"Z0": False, b"Z1": True}
# No acceptance filter is modelled: only the setting that lets everything pass is accepted.
_ALL_PASS = (b"M00000000", b"mFFFFFFFF", b"mffffffff")


def bitrate_of_registers(btr0: int, btr1: int) -> int:
    """Bitrate of the SJA1000's two bit timing registers [bit/s]."""
    prescaler = (btr0 & 0x3F) + 1
    quanta = 1 + (btr1 & 0x0F) + 1 + (btr1 >> 4 & 0x07) + 1
    return round(REGISTER_CLOCK / (prescaler * quanta))


class Adapter:
    """The command interpreter of one adapter in front of its CAN controller."""

    def __init__(self, controller: Controller, bus: CanBus, serial_number: int, now: int) -> None:
        self._controller = controller
        self._bus = bus
        self._serial_number = b"N%04X\r" % (serial_number & 0xFFFF)
        self._torn = b""
        self.power_up(now)

    def power_up(self, now: int) -> None:
        """Begin as when it is plugged in: closed, no bitrate, no time stamps."""
        self._powered_at = now
        self._bitrate = 0
        self._time_stamps = False
        self.forget_line()

    def forget_line(self) -> None:
        """Drop a line whose end never came."""
        self._torn = b""

    def accept(self, data: bytes, now: int) -> bytes:
        """Obey the commands in ``data``, which may begin and end anywhere, and return the answers."""
        *lines, rest = (self._torn + data).replace(b"\n", b"").split(b"\r")
        self._torn = rest[: LONGEST_LINE + 1]  # one byte too long is wrong already, however much more comes
        return b"".join([self._answer(line, now) for line in lines])

    def report(self, frame: Frame, time: int) -> bytes:
        """The line that tells of a received frame."""
        if not self._time_stamps:
            return frame.text + OK
        return b"%b%04X\r" % (frame.text, (time - self._powered_at) // 1_000_000 % MINUTE)

    def _answer(self, line: bytes, now: int) -> bytes:
        if line[:1] in _FRAMES:
            return self._transmit(line, now)
        if line in _QUESTIONS:
            return _QUESTIONS[line]
        if line == b"N":
            return self._serial_number
        if line == b"F":
            return self._read_status()
        if line == b"C":
            return self._close(now)
        return self._set_up(line, now)

    def _set_up(self, line: bytes, now: int) -> bytes:
        """Commands for a closed channel."""
        registers = _REGISTERS.fullmatch(line)
        if self._controller.mode is not Mode.CLOSED:
            return BELL
        if line in _BITRATES:
            self._bitrate = _BITRATES[line]
        elif registers:
            self._bitrate = bitrate_of_registers(int(registers[1], 16), int(registers[2], 16))
        elif line in _TIME_STAMPS:
            self._time_stamps = _TIME_STAMPS[line]
        elif line in _MODES and self._bitrate:
            self._bus.open(self._controller, _MODES[line], self._bitrate, now)
        elif line not in _ALL_PASS or not self._bitrate:
            return BELL
        return OK

    def _transmit(self, line: bytes, now: int) -> bytes:
        if self._controller.mode not in (Mode.NORMAL, Mode.LOOPBACK):
            return BELL
        pattern, kind, done = _FRAMES[line[:1]]
        match = pattern.fullmatch(line)
        if match is None:
            return BELL
        identifier, length, data = match.groups()
        if not kind & REMOTE and len(data) != 2 * int(length):
            return BELL
        frame = Frame(line[:1] + line[1:].upper(), int(identifier, 16), kind, int(length))
        return done if self._bus.send(self._controller, frame, now) else BELL

    def _close(self, now: int) -> bytes:
        if self._controller.mode is Mode.CLOSED:
            return BELL
        self._bus.close(self._controller, now)
        return OK

    def _read_status(self) -> bytes:
        if self._controller.mode is Mode.CLOSED:
            return BELL
        answer = b"F%02X\r" % self._controller.status()
        self._controller.latched = 0
        return answer
