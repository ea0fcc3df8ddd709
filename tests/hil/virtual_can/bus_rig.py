"""A bus with controllers that note what they receive; time is what the test says."""

from hil.virtual_can.can_bus import CanBus, Controller, Frame, Mode
from hil.virtual_can.injection import Injection

BITRATE = 500_000
BIT = 2000  # [ns]
LONG = 135 * BIT  # [ns] a frame of eight bytes with an 11-bit identifier


def frame(identifier: int = 0x100, kind: int = 0, length: int = 8) -> Frame:
    return Frame(b"t%03X%d" % (identifier, length) + b"00" * length, identifier, kind, length)


class Rig:
    """Open controllers on one bus, by number."""

    def __init__(self, *modes: Mode, bitrates: tuple[int, ...] = (), seed: int = 0) -> None:
        self.injection = Injection(seed)
        self.bus = CanBus("front", BITRATE, self.injection, 0)
        self.seen: list[tuple[int, int, int]] = []  # who, identifier, when
        self.nodes = []
        for number, mode in enumerate(modes):
            node = Controller(f"front{number}", self._note(number))
            self.bus.controllers.append(node)
            if mode is not Mode.CLOSED:
                self.bus.open(node, mode, bitrates[number] if bitrates else BITRATE, 0)
            self.nodes.append(node)

    def send(self, number: int, a_frame: Frame, now: int = 0) -> bool:
        return self.bus.send(self.nodes[number], a_frame, now)

    def advance(self, now: int) -> None:
        self.bus.advance(now)

    def identifiers(self, number: int) -> list[int]:
        return [identifier for who, identifier, _ in self.seen if who == number]

    def _note(self, number: int):
        return lambda a_frame, when: self.seen.append((number, a_frame.identifier, when))


def pair(**options) -> Rig:
    return Rig(Mode.NORMAL, Mode.NORMAL, **options)
