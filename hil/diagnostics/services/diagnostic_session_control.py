"""0x10 DiagnosticSessionControl: what a tester may ask for from now on."""

from hil.diagnostics.protocol import (
    ALL_SESSIONS,
    NOT_DEFAULT,
    P2_STAR_TIME,
    P2_TIME,
    Request,
    Rule,
    Service,
    Session,
)

P2_UNIT = 1e-3  # [s] of the answer's first time
P2_STAR_UNIT = 10e-3  # [s] of its second


def service() -> Service:
    """DiagnosticSessionControl, with a sub-function for each session; a car is programmed standing, and not straight away."""
    return Service(
        0x10,
        "DiagnosticSessionControl",
        sub_functions={session: _rule(session) for session in Session},
    )


def _rule(session: Session) -> Rule:
    programming = session == Session.PROGRAMMING
    sessions = NOT_DEFAULT if programming else ALL_SESSIONS
    return Rule(f"{session.name.lower()}Session", _enter, 2, 2, sessions, standing=programming)


def _enter(request: Request) -> bytes:
    request.tester.enter(Session(request.sub_function))
    times = round(P2_TIME / P2_UNIT).to_bytes(2) + round(P2_STAR_TIME / P2_STAR_UNIT).to_bytes(2)
    return bytes([request.sub_function]) + times
