"""0x2E WriteDataByIdentifier: one value, checked before it is taken, and taken whole."""

from hil.diagnostics.identifiers import Identifiers
from hil.diagnostics.protocol import NOT_DEFAULT, Code, NegativeResponseError, Request, Rule, Service

HEAD = 3  # bytes of the service and the identifier


def service(identifiers: Identifiers) -> Service:
    """WriteDataByIdentifier of ``identifiers``."""

    def write(request: Request) -> bytes:
        identifier = identifiers.find(request.tester, int.from_bytes(request.data[1:HEAD]))
        if identifier is None or identifier.write is None:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if request.tester.access < identifier.write_access:
            raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)
        if len(request.data) != HEAD + identifier.size:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        identifier.write(request.data[HEAD:])
        return request.data[1:HEAD]

    rule = Rule("writeDataByIdentifier", write, HEAD + 1, sessions=NOT_DEFAULT)
    return Service(0x2E, "WriteDataByIdentifier", rule, audited=True)
