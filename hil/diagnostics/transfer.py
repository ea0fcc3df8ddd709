"""One calibration as a block, down into the controller, checked as a whole before anything of it counts; or memory going up.

A block is what the map of memory holds: the whole record of the calibration, in the machine's words. Its CRC-32 (IEEE 802.3, as
of zip) goes with it in RequestTransferExit.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np

from hil.calibration.pages import CalibrationPages
from hil.calibration.table import RECORD
from hil.diagnostics.calibrating import WAY, changing
from hil.diagnostics.protocol import Code, NegativeResponseError, Tester
from hil.memory_map import CALIBRATION, MemoryMap

BLOCK = 1026  # bytes of a TransferData message, its service and counter included
HEAD = 2  # of them
COUNTERS = 256
CRC = 4  # bytes


@dataclass
class Transfer:
    """What one tester transfers."""

    size: int  # [bytes]
    upload: bytes | None  # what goes up; None: a download
    received: bytearray = field(default_factory=bytearray)
    counter: int = 0  # of the last block
    last: bytes = b""  # answer to it
    done: int = 0  # [bytes]

    @property
    def next_counter(self) -> int:
        """Counter of the next block: 1 to 255, then 0."""
        return (self.counter + 1) % COUNTERS


class Transfers:
    """The transfer of each tester, and the calibration that a download becomes."""

    def __init__(self, pages: CalibrationPages, memory: MemoryMap) -> None:
        self._pages = pages
        self._memory = memory
        self._open: dict[Tester, Transfer] = {}

    def download(self, tester: Tester, address: int, size: int) -> None:
        """Begin a download of the whole calibration. Raises NegativeResponseError."""
        whole = self._memory.segments[CALIBRATION]
        if (address, size) != (whole.address, whole.size):
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        self._begin(tester, Transfer(size, None))

    def upload(self, tester: Tester, address: int, size: int) -> None:
        """Begin an upload of memory as it is now. Raises NegativeResponseError."""
        try:
            data = self._memory.read(address, size)
        except LookupError as error:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE) from error
        self._begin(tester, Transfer(size, data))

    def block(self, tester: Tester, counter: int, data: bytes) -> bytes:
        """Take or give one block; one that is repeated is answered as before. Raises NegativeResponseError."""
        transfer = self._of(tester)
        if transfer.upload is not None and data:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        if transfer.done and counter == transfer.counter:
            return transfer.last
        if transfer.done == transfer.size:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        if counter != transfer.next_counter:
            raise NegativeResponseError(Code.WRONG_BLOCK_SEQUENCE_COUNTER)
        if transfer.upload is not None:
            data = transfer.upload[transfer.done : transfer.done + BLOCK - HEAD]
            transfer.last = data
        else:
            self._take(transfer, data)
        transfer.done += len(data)
        transfer.counter = counter
        return transfer.last

    def finish(self, tester: Tester, parameter: bytes) -> bytes:
        """End the transfer: a download by its CRC-32, which is the answer to an upload. Raises NegativeResponseError."""
        transfer = self._of(tester)
        if transfer.done < transfer.size:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        if len(parameter) != (0 if transfer.upload is not None else CRC):
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        self.forget(tester)
        if transfer.upload is not None:
            return zlib.crc32(transfer.upload).to_bytes(CRC)
        if zlib.crc32(transfer.received).to_bytes(CRC) != parameter:
            raise NegativeResponseError(Code.GENERAL_PROGRAMMING_FAILURE)
        with changing(self._pages, Code.GENERAL_PROGRAMMING_FAILURE):
            self._pages.load(np.frombuffer(transfer.received, RECORD.dtype).view(np.recarray), WAY)
        return b""

    def is_download(self, tester: Tester) -> bool:
        """Whether the open transfer is one."""
        return tester in self._open and self._open[tester].upload is None

    def forget(self, tester: Tester) -> None:
        """Drop the transfer; nothing of it counts."""
        self._open.pop(tester, None)
        if self.forget in tester.leaving:
            tester.leaving.remove(self.forget)

    def _begin(self, tester: Tester, transfer: Transfer) -> None:
        if tester in self._open or (transfer.upload is None and any(map(self.is_download, self._open))):
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        self._open[tester] = transfer
        tester.leaving.append(self.forget)

    def _of(self, tester: Tester) -> Transfer:
        if tester not in self._open:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        return self._open[tester]

    def _take(self, transfer: Transfer, data: bytes) -> None:
        if not data:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        if transfer.done + len(data) > transfer.size:
            raise NegativeResponseError(Code.TRANSFER_DATA_SUSPENDED)
        transfer.received += data
