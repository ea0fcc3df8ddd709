"""0x36 TransferData: the next block of a download or an upload."""

from hil.diagnostics.protocol import NOT_DEFAULT, Access, Request, Rule, Service
from hil.diagnostics.transfer import BLOCK, HEAD, Transfers


def service(transfers: Transfers) -> Service:
    """TransferData for the transfers that 0x34 and 0x35 have begun."""

    def handle(request: Request) -> bytes:
        counter = request.data[1]
        return bytes([counter]) + transfers.block(request.tester, counter, request.data[HEAD:])

    rule = Rule("transferData", handle, HEAD, BLOCK, sessions=NOT_DEFAULT, access=Access.READ)
    return Service(0x36, "TransferData", rule)
