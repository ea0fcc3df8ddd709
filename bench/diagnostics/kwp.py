"""What the LEAF's KWP2000 servers have in common: they choose by whole parameters, know no suppressed answers, and can sleep.

Their sub-functions reach beyond 0x7F, where ISO 14229 has the bit that suppresses the answer; so none of their services has
sub-functions of :mod:`hil.diagnostics.protocol`. What they do not know they refuse with 0x12, measured on an inverter.
"""

from collections.abc import Callable, Iterable, Mapping

from hil.diagnostics.protocol import Code, DiagnosticServer, NegativeResponseError, Request, Rule, Service, Session, Tester

DEFAULT_SESSION, MAKERS_SESSION = b"\x81", b"\xc0"

Answer = Callable[[Request], bytes]  # what follows the repeated parameter; raises NegativeResponseError


class SleepingServer(DiagnosticServer):
    """A server that says nothing while its control unit is not awake."""

    def __init__(self, services: Iterable[Service], is_awake: Callable[[], bool]) -> None:
        super().__init__(services)
        self._is_awake = is_awake

    def look(self, now: float) -> None:
        """Look for what happens between two requests; to be called some times a second, with the server's time [s]."""

    def request(self, tester: Tester, data: bytes, now: float, *, functional: bool = False) -> bytes | None:
        """The answer to ``data``; None if there is none to give."""
        return super().request(tester, data, now, functional=functional) if self._is_awake() else None


def chosen(number: int, name: str, answers: Mapping[bytes, Answer]) -> Service:
    """A service whose answer is chosen by all that follows its number, and begins with it."""

    def handle(request: Request) -> bytes:
        parameter = request.data[1:]
        if parameter not in answers:
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        return parameter + answers[parameter](request)

    return Service(number, name, Rule(name, handle))


def start_session(*others: bytes) -> Service:
    """0x10 StartDiagnosticSession with the default session, the maker's, and ``others``, which allow the same."""

    def enter(request: Request) -> bytes:
        request.tester.enter(Session.DEFAULT if request.data[1:] == DEFAULT_SESSION else Session.EXTENDED)
        return b""

    return chosen(0x10, "StartDiagnosticSession", dict.fromkeys((DEFAULT_SESSION, MAKERS_SESSION, *others), enter))


def tester_present() -> Service:
    """0x3E TesterPresent, with the parameter of KWP2000 and with that of UDS."""
    return chosen(0x3E, "TesterPresent", dict.fromkeys((b"\x01", b"\x00"), lambda request: b""))


def locked(number: int, name: str) -> Service:
    """A service whose key nobody has: whatever is asked, the security access is denied."""

    def refuse(request: Request) -> bytes:
        raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)

    return Service(number, name, Rule(name, refuse))


def write(data: bytearray, offset: int, size: int, value: float, *, signed: bool = False) -> None:
    """Write a number big-endian; beyond what ``size`` bytes hold it is the nearest that they do."""
    bits = 8 * size - int(signed)
    low = -(1 << bits) if signed else 0
    data[offset : offset + size] = min(max(round(value), low), (1 << bits) - 1).to_bytes(size, signed=signed)
