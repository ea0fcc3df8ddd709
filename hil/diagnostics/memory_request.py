"""Addresses and sizes in requests: addressAndLengthFormatIdentifier of ISO 14229-1, annex H."""

from hil.diagnostics.protocol import Code, NegativeResponseError

WIDEST = 4  # bytes of an address, and of a size


def widths(format_identifier: int) -> tuple[int, int]:
    """Bytes of an address and of a size. Raises NegativeResponseError if no such ones are served."""
    size, address = format_identifier >> 4, format_identifier & 0xF
    if not 1 <= size <= WIDEST or not 1 <= address <= WIDEST:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    return address, size


def parse(format_identifier: int, data: bytes) -> list[tuple[int, int]]:
    """The addresses and sizes [bytes] of which ``data`` consists. Raises NegativeResponseError."""
    address, size = widths(format_identifier)
    step = address + size
    if not data or len(data) % step:
        raise NegativeResponseError(Code.INCORRECT_LENGTH)
    parts = [data[k : k + step] for k in range(0, len(data), step)]
    found = [(int.from_bytes(part[:address]), int.from_bytes(part[address:])) for part in parts]
    if any(count == 0 for _, count in found):
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    return found


def parse_one(format_identifier: int, data: bytes) -> tuple[int, int]:
    """The same of exactly one."""
    (found, *more) = parse(format_identifier, data)
    if more:
        raise NegativeResponseError(Code.INCORRECT_LENGTH)
    return found
