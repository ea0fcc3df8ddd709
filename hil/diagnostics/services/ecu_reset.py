"""0x11 ECUReset: the control unit starts anew."""

from collections.abc import Callable

from hil.diagnostics.protocol import NOT_DEFAULT, SENDING_TIME, Request, Rule, Service, Session

RESETS = {0x01: "hardReset", 0x02: "keyOffOnReset", 0x03: "softReset"}


def service(restart: Callable[[], None]) -> Service:
    """ECUReset of a car that stands, for who has left the default session.

    ``restart`` is called once the answer has left. It has to end the sessions of all testers.
    """

    def reset(request: Request) -> bytes:
        tester = request.tester

        def begin_anew() -> None:
            tester.enter(Session.DEFAULT)
            restart()

        if not tester.afterwards:  # else it is about to begin
            tester.afterwards.append((request.now + SENDING_TIME, begin_anew))
        return bytes([request.sub_function])

    rules = {number: Rule(name, reset, 2, 2, NOT_DEFAULT, standing=True) for number, name in RESETS.items()}
    return Service(0x11, "ECUReset", sub_functions=rules, audited=True)
