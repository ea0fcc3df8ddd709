"""0x2C DynamicallyDefineDataIdentifier: identifiers that a tester makes of parts of others, and of memory.

They are his own, and end with his session.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from hil.diagnostics.identifiers import DataIdentifier, Identifiers
from hil.diagnostics.memory_request import parse
from hil.diagnostics.protocol import LONGEST, Access, Code, NegativeResponseError, Request, Rule, Service, Tester
from hil.memory_map import MemoryMap

NUMBERS = range(0xF200, 0xF400)  # those of F2xx are read periodically, too
HEAD = 4  # bytes of service, sub-function and identifier
PART = 4  # bytes of a source: its identifier, position, size
LARGEST = LONGEST - 3  # [bytes] that one answer of 0x22 holds
MOST = 32  # identifiers that a tester defines
PARTS_MOST = 256  # of one identifier


def service(identifiers: Identifiers, memory: MemoryMap) -> Service:
    """DynamicallyDefineDataIdentifier from what is in ``identifiers`` and in ``memory``."""

    def by_identifier(request: Request) -> bytes:
        data = request.data
        if (len(data) - HEAD) % PART:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        parts = [_part_of(identifiers, data[k : k + PART]) for k in range(HEAD, len(data), PART)]
        return _define(identifiers, request, parts)

    def by_address(request: Request) -> bytes:
        parts = [_part_at(memory, *place) for place in parse(request.data[HEAD], request.data[HEAD + 1 :])]
        return _define(identifiers, request, parts)

    def clear(request: Request) -> bytes:
        defined, data = identifiers.defined.get(request.tester, {}), request.data
        if len(data) == 2:
            defined.clear()
        elif len(data) != HEAD:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        elif defined.pop(int.from_bytes(data[2:]), None) is None:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        return bytes([request.sub_function]) + data[2:]

    rules = {
        0x01: Rule("defineByIdentifier", by_identifier, HEAD + PART),
        0x02: Rule("defineByMemoryAddress", by_address, HEAD + 3, access=Access.READ),
        0x03: Rule("clearDynamicallyDefinedDataIdentifier", clear, 2, HEAD),
    }
    return Service(0x2C, "DynamicallyDefineDataIdentifier", sub_functions=rules)


def _part_of(identifiers: Identifiers, data: bytes) -> DataIdentifier:
    """So many bytes of another identifier, from a position on that counts from 1. Raises NegativeResponseError."""
    source = identifiers.table.get(int.from_bytes(data[:2]))
    start, size = data[2] - 1, data[3]
    if source is None or start < 0 or size == 0 or start + size > source.size:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    read = source.read
    return _bytes(size, lambda: read()[start : start + size], source.access)


def _part_at(memory: MemoryMap, address: int, size: int) -> DataIdentifier:
    """Bytes of memory. Raises NegativeResponseError."""
    try:
        memory.read(address, size)
    except LookupError as error:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE) from error
    return _bytes(size, partial(memory.read, address, size), Access.READ)


def _define(identifiers: Identifiers, request: Request, parts: list[DataIdentifier]) -> bytes:
    """Add ``parts`` to the identifier that a request names; what it had stays in front. Raises NegativeResponseError."""
    tester, number = request.tester, int.from_bytes(request.data[2:HEAD])
    if number not in NUMBERS:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    if any(tester.access < part.access for part in parts):
        raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)
    defined = identifiers.defined.get(tester, {})
    if number in defined:
        parts = [*defined[number].parts, *parts]
    size = sum(part.size for part in parts)
    if size > LARGEST or len(parts) > PARTS_MOST or len({*defined, number}) > MOST:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    whole = _bytes(size, lambda: b"".join(part.read() for part in parts), max(part.access for part in parts))
    _own(identifiers, tester)[number] = replace(whole, number=number, parts=tuple(parts))
    return bytes([request.sub_function]) + request.data[2:HEAD]


def _own(identifiers: Identifiers, tester: Tester) -> dict[int, DataIdentifier]:
    """What ``tester`` has defined; forgotten when his session ends."""
    if tester not in identifiers.defined:
        identifiers.defined[tester] = {}
        tester.leaving.append(identifiers.forget)
    return identifiers.defined[tester]


def _bytes(size: int, read: Callable[[], bytes], access: Access) -> DataIdentifier:
    return DataIdentifier(0, "", "defined by the tester", "1", size, "bytes", read, access=access)
