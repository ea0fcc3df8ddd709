"""0x10 DiagnosticSessionControl: what a tester may ask for from now on."""

from hil.diagnostics.protocol import P2_STAR_TIME, P2_TIME, Request, Rule, Service, Session

P2_UNIT = 1e-3  # [s] of the answer's first time
P2_STAR_UNIT = 10e-3  # [s] of its second


def service() -> Service:
    """DiagnosticSessionControl, with a sub-function for each session."""
    return Service(
        0x10, "DiagnosticSessionControl", sub_functions={session: Rule(session.name.lower(), _enter, 2, 2) for session in Session}
    )


def _enter(request: Request) -> bytes:
    request.tester.enter(Session(request.sub_function))
    times = round(P2_TIME / P2_UNIT).to_bytes(2) + round(P2_STAR_TIME / P2_STAR_UNIT).to_bytes(2)
    return bytes([request.sub_function]) + times
