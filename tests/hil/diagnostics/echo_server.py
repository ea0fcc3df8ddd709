"""A small server whose answers show what has arrived: services of the project beside one that says back what it was told."""

from hil.diagnostics.protocol import DiagnosticServer, Request, Rule, Service
from hil.diagnostics.services import diagnostic_session_control, tester_present

ECHO, FAULTY, SLOW = 0xBA, 0xBB, 0xBC  # of the range for system suppliers


def echo_server(slow_polls: int = 0):
    """ECHO answers with what it was told, FAULTY has a mistake, SLOW answers when it was asked ``slow_polls`` times."""

    def echo(request: Request) -> bytes:
        return request.data[1:]

    def fail(request: Request) -> bytes:
        raise ZeroDivisionError("a mistake")

    def be_slow(request: Request):
        left = iter(range(slow_polls))
        return lambda: None if next(left, None) is not None else request.data[1:]

    own = [Service(number, name, Rule(name, rule)) for number, name, rule in (
        (ECHO, "echo", echo), (FAULTY, "faulty", fail), (SLOW, "slow", be_slow)
    )]  # fmt: skip
    return DiagnosticServer([diagnostic_session_control.service(), tester_present.service(), *own])
