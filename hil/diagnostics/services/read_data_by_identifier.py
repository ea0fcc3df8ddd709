"""0x22 ReadDataByIdentifier: values by their identifiers, several in one request."""

from hil.diagnostics.identifiers import DataIdentifier, Identifiers
from hil.diagnostics.protocol import Code, NegativeResponseError, Request, Rule, Service

MOST = 64  # identifiers in one request
NUMBER = 2  # bytes of an identifier


def service(identifiers: Identifiers) -> Service:
    """ReadDataByIdentifier for what a tester can name in ``identifiers``."""

    def read(request: Request) -> bytes:
        numbers = request.data[1:]
        if len(numbers) % NUMBER:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        found = [find(request, numbers[k : k + NUMBER]) for k in range(0, len(numbers), NUMBER)]
        known = [identifier for identifier in found if identifier]
        # ISO 14229-1, 11.2: what is unknown among others is passed over.
        if not known:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if any(request.tester.access < identifier.access for identifier in known):
            raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)
        return b"".join(identifier.number.to_bytes(NUMBER) + identifier.read() for identifier in known)

    def find(request: Request, number: bytes) -> DataIdentifier | None:
        return identifiers.find(request.tester, int.from_bytes(number))

    rule = Rule("readDataByIdentifier", read, 1 + NUMBER, 1 + MOST * NUMBER)
    return Service(0x22, "ReadDataByIdentifier", rule)
