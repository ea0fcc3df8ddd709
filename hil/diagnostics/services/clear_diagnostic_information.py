"""0x14 ClearDiagnosticInformation: forget trouble codes, all of them, those of a group, or one.

The answer comes when the file is without them, so that a lost supply does not bring them back.
"""

from collections.abc import Callable

from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.protocol import Code, LongAnswer, NegativeResponseError, Request, Rule, Service
from hil.diagnostics.trouble_codes import GROUPS

LENGTH = 4  # [bytes] of a request

# Told who has asked, for what, and how it ended.
Audit = Callable[[str, str, str], None]


def service(memory: FaultMemory, audit: Audit = lambda tester, what, outcome: None) -> Service:
    """ClearDiagnosticInformation of ``memory``; each request goes into the ``audit``."""

    def clear(request: Request) -> LongAnswer:
        group = int.from_bytes(request.data[1:])
        what = f"clear trouble codes {group:06X}"
        if group not in GROUPS and not memory.selected(group):
            audit(request.tester.name, what, "refused: no such group or code")
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        audit(request.tester.name, what, "done")  # which refuses what it cannot keep
        memory.clear(group)
        return lambda: _saved(memory)

    return Service(0x14, "ClearDiagnosticInformation", Rule("clearDiagnosticInformation", clear, LENGTH, LENGTH))


def _saved(memory: FaultMemory) -> bytes | None:
    """Nothing more to say, once it is kept."""
    saved = memory.is_saved()
    if saved is False:
        raise NegativeResponseError(Code.GENERAL_PROGRAMMING_FAILURE)
    return b"" if saved else None
