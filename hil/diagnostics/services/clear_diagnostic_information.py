"""0x14 ClearDiagnosticInformation: forget trouble codes, all of them, those of a group, or one.

The answer comes when the file is without them, so that a lost supply does not bring them back.
"""

from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.protocol import Code, LongAnswer, NegativeResponseError, Request, Rule, Service
from hil.diagnostics.trouble_codes import GROUPS

LENGTH = 4  # [bytes] of a request


def service(memory: FaultMemory) -> Service:
    """ClearDiagnosticInformation of ``memory``."""

    def clear(request: Request) -> LongAnswer:
        group = int.from_bytes(request.data[1:])
        if group not in GROUPS and not memory.selected(group):
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        memory.clear(group)
        return lambda: _saved(memory)

    rule = Rule("clearDiagnosticInformation", clear, LENGTH, LENGTH)
    return Service(0x14, "ClearDiagnosticInformation", rule, audited=True)


def _saved(memory: FaultMemory) -> bytes | None:
    """Nothing more to say, once it is kept."""
    saved = memory.is_saved()
    if saved is False:
        raise NegativeResponseError(Code.GENERAL_PROGRAMMING_FAILURE)
    return b"" if saved else None
