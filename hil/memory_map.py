"""One map of addresses for the records of the controller's node, the same in every process: what a tester reads by address.

Addresses of a process differ from start to start; these do not. A record begins at the address of its segment, and a value is at
the offset that it has in the record, as this version of the program declares it. Memory is as the machine has it: little-endian
words of eight bytes.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from firmware_model.kernel import Record
from hil.node import Node

WORD = 8  # [bytes]
CALIBRATION = "parameters"
# Segments by the node's array; 128 MiB apart, more than any record will ever need.
ADDRESSES = {
    CALIBRATION: 0x1000_0000,
    "measurements": 0x2000_0000,
    "inputs": 0x3000_0000,
    "outputs": 0x3800_0000,
    "state": 0x4000_0000,
}


@dataclass(frozen=True)
class Segment:
    """One record of the node in the map."""

    address: int
    words: Any  # 64-bit view of its memory

    @property
    def size(self) -> int:
        """Its length [bytes]."""
        return int(self.words.nbytes)


class MemoryMap:
    """The memory of a node by these addresses."""

    def __init__(self, node: Node) -> None:
        self.segments = {array: Segment(address, getattr(node, array).view(np.int64)) for array, address in ADDRESSES.items()}

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from ``address`` on, each word of them read whole. Raises LookupError if they are not all there."""
        for segment in self.segments.values():
            start = address - segment.address
            if start >= 0 and start + size <= segment.size:
                first = start // WORD
                words = segment.words[first : -(-(start + size) // WORD)].copy()
                return bytes(words.tobytes()[start - first * WORD :][:size])
        raise LookupError(f"no memory from 0x{address:08X} on for {size} bytes")


def address_of(array: str, declared: Any, path: str) -> int:
    """Address of the value at ``path`` of the ``declared`` record, which the node has in ``array``. Raises KeyError."""
    dtype: Any = cast(Record, declared).dtype
    address = ADDRESSES[array]
    for key in path.split("."):
        dtype, offset = dtype.fields[key][:2]
        address += offset
    return address
