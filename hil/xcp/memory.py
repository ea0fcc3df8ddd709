"""The memory that an XCP master sees: the records of the controller at the addresses of :mod:`hil.memory_map`, in 32-bit numbers.

A frame of CAN takes seven bytes of data, so a number of eight is no unit of it: it could neither be measured nor written whole.
A real number therefore is here what it is in most control units of cars, IEEE 754 binary32; the points of an array are four bytes
apart, from the address of the array on. Whole numbers have their eight bytes, the low half first. What is between is zero.

What is written as binary32 becomes the shortest decimal that is this binary32: 0.3108 arrives as 0.3108, limits as they are.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from firmware_model.calibration import Calibration
from firmware_model.kernel import Record
from firmware_model.measurements import Measurements
from firmware_model.signals import Inputs, Outputs
from hil.memory_map import ADDRESSES, CALIBRATION, WORD, address_of

# The node's arrays that are seen, and what is declared of them.
RECORDS: dict[str, Record] = {
    CALIBRATION: cast(Record, Calibration),
    "measurements": cast(Record, Measurements),
    "inputs": cast(Record, Inputs),
    "outputs": cast(Record, Outputs),
}
MEASURED = tuple(array for array in RECORDS if array != CALIBRATION)
NUMBER = 4  # bytes of a real one


@dataclass(frozen=True)
class Segment:
    """One record of the map."""

    array: str  # of the node

    @property
    def address(self) -> int:
        """Its address."""
        return ADDRESSES[self.array]

    @property
    def size(self) -> int:
        """Its length [bytes]."""
        return RECORDS[self.array].dtype.itemsize

    @cached_property
    def _layout(self) -> tuple[Any, Any]:
        """Of every 64-bit word of the record where its number is in the image, in units of NUMBER; and whether it is a real."""
        places = np.zeros(self.size // WORD, dtype=np.int64)
        real = np.zeros(len(places), dtype=bool)
        for path, field in RECORDS[self.array].fields():
            first = (address_of(self.array, RECORDS[self.array], path) - self.address) // WORD
            count = int(np.prod(field.shape))
            stride = 1 if field.dtype == "f8" else 2
            places[first : first + count] = 2 * first + stride * np.arange(count)
            real[first : first + count] = field.dtype == "f8"
        return places, real

    def image(self, words: Any) -> Any:
        """What a master sees of ``words``, int64 (..., record): uint8 (..., size)."""
        places, real = self._layout
        image = np.zeros((*words.shape[:-1], 2 * words.shape[-1]), dtype=np.uint32)
        whole = places[~real]
        with np.errstate(over="ignore"):  # what is beyond binary32 is infinite there
            image[..., places[real]] = words[..., real].view(np.float64).astype(np.float32).view(np.uint32)
        image[..., whole] = words[..., ~real] & 0xFFFF_FFFF
        image[..., whole + 1] = words[..., ~real] >> 32 & 0xFFFF_FFFF
        return image.view(np.uint8)

    def changed(self, words: Any, image: Any) -> Any:
        """``words`` (int64, one record) with the numbers in which ``image`` (uint8) differs from theirs."""
        places, real = self._layout
        before, after = self.image(words).view(np.uint32), image.view(np.uint32)
        result = words.copy()
        for word in np.flatnonzero(before[places] != after[places]):
            number = after[places[word]]
            if real[word]:
                result[word] = np.float64(str(number.view(np.float32))).view(np.int64)
            else:
                result[word] = np.int64(number.view(np.int32))
        return result


SEGMENTS = {array: Segment(array) for array in RECORDS}


def find(address: int, size: int) -> tuple[Segment, int]:
    """The segment that holds ``size`` bytes from ``address`` on, and where in it. Raises LookupError if none does."""
    for segment in SEGMENTS.values():
        offset = address - segment.address
        if offset >= 0 and offset + size <= segment.size:
            return segment, offset
    raise LookupError(f"no memory from 0x{address:08X} on for {size} bytes")


def address(array: str, path: str) -> int:
    """Address of a value of one of the RECORDS."""
    return address_of(array, RECORDS[array], path)
