"""0x23 ReadMemoryByAddress: bytes of the map of memory."""

from hil.diagnostics.memory_request import parse_one
from hil.diagnostics.protocol import Access, Code, NegativeResponseError, Request, Rule, Service
from hil.memory_map import MemoryMap


def service(memory: MemoryMap) -> Service:
    """ReadMemoryByAddress of ``memory``."""

    def read(request: Request) -> bytes:
        address, size = parse_one(request.data[1], request.data[2:])
        try:
            return memory.read(address, size)
        except LookupError as error:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE) from error

    return Service(0x23, "ReadMemoryByAddress", Rule("readMemoryByAddress", read, 4, 10, access=Access.READ))
