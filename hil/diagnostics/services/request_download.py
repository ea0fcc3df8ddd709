"""0x34 RequestDownload: a whole calibration is to come."""

from hil.diagnostics.memory_request import parse_one
from hil.diagnostics.protocol import Access, Code, NegativeResponseError, Request, Rule, Service, Session
from hil.diagnostics.transfer import BLOCK, Transfers

PLAIN = 0x00  # dataFormatIdentifier: neither compressed nor encrypted
LENGTH = bytes([0x20]) + BLOCK.to_bytes(2)  # how long blocks may be, in two bytes


def service(transfers: Transfers) -> Service:
    """RequestDownload; the car has to stand."""

    def handle(request: Request) -> bytes:
        if request.data[1] != PLAIN:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        address, size = parse_one(request.data[2], request.data[3:])
        transfers.download(request.tester, address, size)
        return LENGTH

    programming = frozenset({Session.PROGRAMMING})
    rule = Rule("requestDownload", handle, 5, 11, programming, Access.FLASH, standing=True)
    return Service(0x34, "RequestDownload", rule, audited=True)
