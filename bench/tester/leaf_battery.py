"""What a LEAF's battery tells in its KWP2000 groups, made readable: of a real one, or of the virtual."""

from dataclasses import dataclass

from bench.tester.link import Link
from hil.errors import UsageError

GROUPS = (0x01, 0x02, 0x04, 0x06, 0x61, 0x62, 0x83, 0x84)
NEWER_LENGTH = 44  # from here on group 01 is that of a ZE1
CELLS = 96
ABSENT = 0xFFFF


@dataclass(frozen=True)
class BatteryState:
    """What the groups say."""

    voltage: float  # [V]
    current: float  # [A] positive in charge
    state_of_charge: float  # [%]
    capacity: float  # [Ah]
    hx: float  # [%]
    state_of_health: float  # [%]
    insulation: int  # level without a public scale
    cells: list[int]  # [mV]
    temperatures: list[int]  # [degC] of the sensors that are there
    shunts: int  # that are closed
    normal_charges: int
    quick_charges: int
    part_number: str
    serial_number: str


def read_battery(link: Link) -> BatteryState:
    """Ask for all groups. Raises UsageError."""
    return decode({group: _group(link, group) for group in GROUPS})


def decode(groups: dict[int, bytes]) -> BatteryState:
    """``groups`` by their numbers, without service and group. Raises UsageError if one is too short."""
    try:
        return _decode(groups)
    except IndexError as error:
        raise UsageError("the battery's groups are shorter than those of any LEAF") from error


def _decode(groups: dict[int, bytes]) -> BatteryState:
    first, temperatures, health, charges = (groups[number] for number in (0x01, 0x04, 0x61, 0x62))
    newer = len(first) + 2 >= NEWER_LENGTH
    hx, scale = (28, 102.4) if newer else (26, 100.0)
    return BatteryState(
        voltage=_number(first, 18, 2) / 100.0,
        current=_number(first, 6, 4, signed=True) / 1024.0,
        state_of_charge=_number(first, hx + 3, 3) / 1e4,
        capacity=_number(first, hx + 7, 3) / 1e4,
        hx=_number(first, hx, 2) / scale,
        state_of_health=_number(health, 2, 2) / 100.0,
        insulation=_number(first, 22, 2),
        cells=[cell for k in range(CELLS) if (cell := _number(groups[0x02], 2 * k, 2)) != ABSENT],
        temperatures=[
            _number(temperatures, 3 * k + 2, 1, signed=True) for k in range(4) if _number(temperatures, 3 * k, 2) != ABSENT
        ],
        shunts=sum(byte.bit_count() for byte in groups[0x06].rstrip(b"\xff")),
        normal_charges=_number(charges, 0, 2),
        quick_charges=_number(charges, 2, 2),
        part_number=_text(groups[0x83][:7]),
        serial_number=_text(groups[0x84][3:18]),
    )


def _group(link: Link, group: int) -> bytes:
    answer = link.ask(f"group {group:02X}", bytes([0x21, group]))
    if answer[:2] != bytes([0x61, group]):
        raise UsageError(
            f"group {group:02X}: the answer {answer[:2].hex()} is that to another request: is there a second tester?"
        )
    return answer[2:]


def _number(data: bytes, first: int, size: int, *, signed: bool = False) -> int:
    if first + size > len(data):
        raise IndexError
    return int.from_bytes(data[first : first + size], signed=signed)


def _text(data: bytes) -> str:
    return data.decode("ascii", errors="replace").strip("\x00 \ufffd")
