"""What has to be so in the car before a service may act on it, and who is told that it did."""

from collections.abc import Callable
from math import isfinite

from hil.diagnostics.protocol import Code, Handler, LongAnswer, NegativeResponseError, Request

STANDSTILL = 0.5  # [m/s] below which the car stands, as far as a tester is concerned

Speed = Callable[[], float]  # [m/s] over ground, either sign
Audit = Callable[[str, str, str], None]  # tester, what he wanted, outcome

DONE = "done"
SHOWN = 32  # bytes of a request that its line in the log shows


def require_standstill(speed: Speed) -> None:
    """Raises NegativeResponseError unless the car stands."""
    now = speed()
    if not isfinite(now) or abs(now) > STANDSTILL:
        raise NegativeResponseError(Code.VEHICLE_SPEED_TOO_HIGH)


def audited(audit: Audit, service: str, handle: Handler) -> Handler:
    """``handle``, with a line in the audit log for what it has done, and for what it refused."""

    def handler(request: Request) -> bytes | LongAnswer:
        what = f"{service} {request.data[1:SHOWN].hex()}"
        try:
            answer = handle(request)
        except NegativeResponseError as error:
            audit(request.tester.name, what, str(error))
            raise
        audit(request.tester.name, what, DONE)
        return answer

    return handler
