"""Data identifiers of ISO 14229: every measurement, calibration value, input and output of the controller, and what it is.

A value has one identifier, an array (curve, map, one value a fault) one for all of it. Numbers go out big-endian, as all
numbers of ISO 14229 do, and as the controller has them: IEEE 754 binary64 in SI units, or 64-bit two's complement. So nothing is
rounded, no scaling has to be agreed on, and what is read can be written back and is the same.

Identifiers are pinned in ``identifiers.txt``, for testers know values by their numbers. ``python -m hil.diagnostics.identifiers``
appends a line for each value that has none yet.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from firmware_model.calibration import Calibration
from firmware_model.kernel import Field
from firmware_model.kernel.records import locate
from firmware_model.measurements import Measurements
from firmware_model.signals import Inputs, Outputs
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.calibrating import WAY, changing
from hil.diagnostics.protocol import Access, Code, Session, Tester
from hil.files import read_text, write_text
from hil.node import Node

LIST = Path(__file__).with_name("identifiers.txt")
RETIRED = "retired"
WORD = 8  # bytes of a number

ACTIVE_SESSION = 0xF186
CALIBRATION_IDENTIFICATION = 0xF182


@dataclass(frozen=True)
class Kind:
    """Values of one record of the controller's node, and the numbers of their identifiers."""

    record: Any  # declared record
    array: str  # of the node
    numbers: range


# Below are the identifiers that the LEAF's VCM is known to answer, above those that ISO 14229 has given away.
KINDS = {
    "calibration": Kind(Calibration, "parameters", range(0x2000, 0x4000)),
    "measurement": Kind(Measurements, "measurements", range(0x4000, 0x5000)),
    "input": Kind(Inputs, "inputs", range(0x5000, 0x6000)),
    "output": Kind(Outputs, "outputs", range(0x6000, 0x7000)),
}


@dataclass(frozen=True)
class DataIdentifier:
    """One data identifier: what it is, how it is read, and whether and how it is written."""

    number: int
    name: str
    description: str
    unit: str
    size: int  # [bytes]
    coding: str  # f8, i8: big-endian numbers; ascii, bytes
    read: Callable[[], bytes]
    write: Callable[[bytes], None] | None = None  # raises NegativeResponseError
    access: Access = Access.LOCKED
    write_access: Access = Access.CALIBRATE
    parts: tuple["DataIdentifier", ...] = ()  # of which a tester has made it


@dataclass(frozen=True)
class Identity:
    """What the control unit is; an emulated one has no maker that would have numbered it."""

    vehicle_identification_number: str = "0E4RCEHLBENCH0001"
    spare_part_number: str = "E4HIL-VCM"
    supplier: str = "e4orce-hil"
    serial_number: str = "00000001"
    hardware_number: str = "EMULATED"


class Identifiers:
    """All identifiers that a tester can name: those of the control unit, and those that he has defined himself."""

    def __init__(self, table: dict[int, DataIdentifier]) -> None:
        self.table = table
        self.defined: WeakKeyDictionary[Tester, dict[int, DataIdentifier]] = WeakKeyDictionary()

    def find(self, tester: Tester, number: int) -> DataIdentifier | None:
        """The identifier of that number as ``tester`` knows it; None if there is none."""
        if number == ACTIVE_SESSION and number in self.table:
            return replace(self.table[number], read=lambda: bytes([tester.session]))
        return self.defined.get(tester, {}).get(number) or self.table.get(number)

    def forget(self, tester: Tester) -> None:
        """Forget what ``tester`` has defined."""
        self.defined.pop(tester, None)


def read_list(text: str) -> dict[int, tuple[str, str]]:
    """Kind and path of each number of the pinned list. Raises ValueError where the list is not one."""
    pinned: dict[int, tuple[str, str]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        number, kind, path = int(line.split()[0], 16), *line.split()[1:]
        if kind == RETIRED:
            del pinned[number]
        elif number in pinned or (kind, path) in pinned.values() or number not in KINDS[kind].numbers:
            raise ValueError(f"{line}: a number or a value that has been given away, or a number of another kind")
        else:
            pinned[number] = (kind, path)
    return pinned


def missing_lines(text: str) -> list[str]:
    """The lines that the list needs for values that have none, in order of declaration; numbers are never used again."""
    pinned = set(read_list(text).values())
    used = {int(line.split()[0], 16) for line in text.splitlines() if line and not line.startswith("#")}
    lines = []
    for name, kind in KINDS.items():
        free = iter(range(max(used & set(kind.numbers), default=kind.numbers.start - 1) + 1, kind.numbers.stop))
        lines += [f"{next(free):04X} {name} {path}" for path, _ in kind.record.fields() if (name, path) not in pinned]
    return lines


def identifiers(node: Node, identity: Identity | None = None, pages: CalibrationPages | None = None) -> dict[int, DataIdentifier]:
    """Every identifier of the controller ``node``, by its number; ``identity`` is that of an emulated one unless given.

    ``pages``: of its calibration; without them, nothing runs but between calls.
    """
    pages = pages or CalibrationPages(node.parameters)
    table = {number: _value(number, kind, path, node, pages) for number, (kind, path) in read_list(read_text(LIST)).items()}
    return table | {identifier.number: identifier for identifier in _identification(node, identity or Identity())}


def checksum(node: Node) -> int:
    """CRC-32 of the calibration in the memory of ``node``."""
    return zlib.crc32(node.parameters.tobytes())


def calibration_identification(node: Node) -> str:
    """Name of the calibration in the memory of ``node``: another one has another name."""
    return f"CAL-{checksum(node):08X}"


def encode(values: Any, field: Field) -> bytes:
    """Numbers as they go out."""
    return np.asarray(values).astype(f">{field.dtype}").tobytes()


def labels_of(identifier: DataIdentifier) -> type[IntEnum] | None:
    """The enumeration of which the identifier's value is one; None if it is a number."""
    kind, _, path = identifier.name.partition(".")
    return KINDS[kind].record.field(path).labels if kind in KINDS else None


def _value(number: int, kind: str, path: str, node: Node, pages: CalibrationPages) -> DataIdentifier:
    """The identifier of one declared value in the live memory of ``node``."""
    field: Field = KINDS[kind].record.field(path)
    view = locate(getattr(node, KINDS[kind].array), path)

    def read() -> bytes:
        return encode(view[0], field)

    def write(data: bytes) -> None:
        values = np.frombuffer(data, f">{field.dtype}").reshape(field.shape)
        with changing(pages, Code.REQUEST_OUT_OF_RANGE):
            pages.change({path: values.tolist()}, WAY)

    size = WORD * int(np.prod(field.shape))
    writer = write if kind == "calibration" else None
    return DataIdentifier(number, f"{kind}.{path}", field.description, field.unit, size, field.dtype, read, writer)


def _identification(node: Node, identity: Identity) -> Iterator[DataIdentifier]:
    """What the control unit is, by the numbers of ISO 14229-1, annex C."""
    calibration = partial(calibration_identification, node)
    yield _text(CALIBRATION_IDENTIFICATION, "applicationDataIdentification", "calibration, by its CRC-32", calibration)
    yield DataIdentifier(
        ACTIVE_SESSION, "activeDiagnosticSession", "session of the tester who asks", "1", 1, "bytes",
        lambda: bytes([Session.DEFAULT]),
    )  # fmt: skip
    release = version("e4orce-hil")
    for number, name, description, text in (
        (0xF187, "vehicleManufacturerSparePartNumber", "spare part number", identity.spare_part_number),
        (0xF18A, "systemSupplierIdentifier", "who made it", identity.supplier),
        (0xF18C, "ECUSerialNumber", "serial number", identity.serial_number),
        (0xF190, "VIN", "vehicle identification number", identity.vehicle_identification_number),
        (0xF191, "vehicleManufacturerECUHardwareNumber", "hardware", identity.hardware_number),
        (0xF195, "systemSupplierECUSoftwareVersionNumber", "version of the software", release),
    ):
        yield _text(number, name, description, partial(str, text))


def _text(number: int, name: str, description: str, text: Callable[[], str]) -> DataIdentifier:
    """An identifier whose value is text."""
    return DataIdentifier(number, name, description, "1", len(text()), "ascii", lambda: text().encode("ascii"))


def append_missing(path: Path = LIST) -> None:
    """Give an identifier to every value that has none. Raises UsageError if the list cannot be written."""
    text = read_text(path)
    write_text(path, text + "".join(f"{line}\n" for line in missing_lines(text)))


if __name__ == "__main__":
    append_missing()
