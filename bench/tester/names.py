"""What identifiers mean: their names, units and values, from the tables of the control units themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hil.diagnostics import leaf_vcm
from hil.diagnostics.identifiers import DataIdentifier, identifiers
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node
from hil.toml_files import closest

Value = float | int | str | list[float] | list[int]

NUMBERS = ("f8", "i8")
HIGHEST = 0xFFFF
LISTED = 5  # names that a message shows


@dataclass(frozen=True)
class Meaning:
    """One identifier, as people want to see it."""

    number: int
    name: str
    description: str
    unit: str
    decode: Callable[[bytes], Value]
    encode: Callable[[list[str]], bytes] | None = None  # raises UsageError


@cache
def controller_meanings() -> dict[int, Meaning]:
    """All identifiers of the emulated controller, by their numbers; no controller is needed."""
    from bench.drive import CONTROLLER

    node = Node(CONTROLLER, load_network("leaf_ze1"))  # only for the table: its memory is nobody's
    own = {row.number: _meaning(row) for row in identifiers(node).values()}
    leafs = leaf_vcm.TABLE.values()
    return own | {row.number: Meaning(row.number, f"leaf.{row.name}", row.description, row.unit, row.decode) for row in leafs}


def inverter_meanings() -> dict[int, Meaning]:
    """What a LEAF's inverter tells."""
    return {
        0x1225: Meaning(
            0x1225, "torqueRequest", "torque that is asked of it, in its own direction", "Nm",
            lambda data: 0.25 * int.from_bytes(data[:2], signed=True),
        ),
        0x1121: Meaning(
            0x1121, "motorTemperature", "temperature of the motor", "degC", lambda data: round((data[0] - 32.0) / 1.8, 1)
        ),
    }  # fmt: skip


def find(text: str, meanings: Mapping[int, Meaning]) -> Meaning:
    """The identifier of that number (0x4000, 4000, F190) or name; a name's first parts may be left out if one is meant by it.

    Raises UsageError.
    """
    named = [meaning for meaning in meanings.values() if meaning.name == text or meaning.name.endswith(f".{text}")]
    exact = [meaning for meaning in named if meaning.name == text]
    if len(exact or named) == 1:
        return (exact or named)[0]
    if named:
        some = ", ".join(meaning.name for meaning in named[:LISTED])
        raise UsageError(f'identifier "{text}": there are several: {some}{", …" if len(named) > LISTED else ""}')
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= HIGHEST:
        near = closest(text, [meaning.name for meaning in meanings.values()])
        raise UsageError(f'unknown identifier "{text}"{near}; expected a name (e4hil diagnostics list) or a number, as F190')
    return meanings.get(number) or Meaning(number, f"{number:04X}", "", "", bytes.hex)


def _meaning(row: DataIdentifier) -> Meaning:
    def decode(data: bytes) -> Value:
        if row.coding == "ascii":
            return data.decode("ascii", errors="replace")
        if row.coding not in NUMBERS:
            return data.hex()
        values = np.frombuffer(data, f">{row.coding}").tolist()
        return values[0] if len(values) == 1 else values

    def encode(words: list[str]) -> bytes:
        most = row.size // 8
        if len(words) != most:
            raise UsageError(f"{row.name}: expected {most} value{'s' if most > 1 else ''} [{row.unit}], got {len(words)}")
        return np.array([_number(word, row) for word in words], f">{row.coding}").tobytes()

    return Meaning(
        row.number, row.name, row.description, row.unit, decode, encode if row.coding in NUMBERS and row.write else None
    )


def _number(word: str, row: DataIdentifier) -> Any:
    try:
        return float(word) if row.coding == "f8" else int(word, 0)
    except ValueError as error:
        kind = "a number" if row.coding == "f8" else "a whole number"
        raise UsageError(f'{row.name}: expected {kind} [{row.unit}], got "{word}"') from error
