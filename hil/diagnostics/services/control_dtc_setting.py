"""0x85 ControlDTCSetting: whether faults change the status of trouble codes."""

from collections.abc import Callable

from hil.diagnostics.protocol import NOT_DEFAULT, Request, Rule, Service
from hil.diagnostics.switching import SwitchedOff

ON, OFF = 0x01, 0x02


def service(switch_detection: Callable[[bool], None]) -> Service:
    """ControlDTCSetting for all trouble codes at once.

    ``switch_detection`` is called with False and True; it is on again once the session has become the default one.
    """
    detection = SwitchedOff(switch_detection, kept_in=NOT_DEFAULT)

    def on(request: Request) -> bytes:
        detection.on(request.tester)
        return bytes([ON])

    def off(request: Request) -> bytes:
        detection.off(request.tester)
        return bytes([OFF])

    rules = {ON: Rule("on", on, 2, 2, NOT_DEFAULT), OFF: Rule("off", off, 2, 2, NOT_DEFAULT)}
    return Service(0x85, "ControlDTCSetting", sub_functions=rules, audited=True)
