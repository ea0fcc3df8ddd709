"""0x35 RequestUpload: memory is to be sent."""

from hil.diagnostics.memory_request import parse_one
from hil.diagnostics.protocol import NOT_DEFAULT, Access, Code, NegativeResponseError, Request, Rule, Service
from hil.diagnostics.services.request_download import LENGTH, PLAIN
from hil.diagnostics.transfer import Transfers


def service(transfers: Transfers) -> Service:
    """RequestUpload of anything in the map of memory."""

    def handle(request: Request) -> bytes:
        if request.data[1] != PLAIN:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        transfers.upload(request.tester, *parse_one(request.data[2], request.data[3:]))
        return LENGTH

    rule = Rule("requestUpload", handle, 5, 11, sessions=NOT_DEFAULT, access=Access.READ)
    return Service(0x35, "RequestUpload", rule)
