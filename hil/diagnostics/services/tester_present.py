"""0x3E TesterPresent: somebody is there, so the session goes on."""

from hil.diagnostics.protocol import Request, Rule, Service


def service() -> Service:
    """TesterPresent, with its only sub-function 0."""
    return Service(0x3E, "TesterPresent", sub_functions={0x00: Rule("zeroSubFunction", _answer, 2, 2)})


def _answer(request: Request) -> bytes:
    return bytes([request.sub_function])
