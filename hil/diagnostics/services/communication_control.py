"""0x28 CommunicationControl: the frames of the controller's network, apart from those of diagnostics.

Only sending can be stopped. A torque controller that is made deaf would go on with what it heard last, so that is not supported.
"""

from collections.abc import Callable

from hil.diagnostics.protocol import NOT_DEFAULT, Access, Code, NegativeResponseError, Request, Rule, Service
from hil.diagnostics.switching import SwitchedOff

ENABLE, DISABLE_SENDING = 0x00, 0x01
KINDS = (0x01, 0x03)  # communication types: normal messages, and with those of network management, of which there are none
LENGTH = 3  # bytes


def service(switch_transmission: Callable[[bool], None]) -> Service:
    """CommunicationControl of a car that stands.

    ``switch_transmission`` is called with False to make torque zero and stop all normal frames, with True to begin again: when
    a tester asks for it, or when the session ends in which he had them stopped.
    """
    transmission = SwitchedOff(switch_transmission)

    def enable(request: Request) -> bytes:
        _require_known_kind(request)
        transmission.on(request.tester)
        return bytes([ENABLE])

    def disable(request: Request) -> bytes:
        _require_known_kind(request)
        transmission.off(request.tester)
        return bytes([DISABLE_SENDING])

    rules = {
        ENABLE: Rule("enableRxAndTx", enable, LENGTH, LENGTH, NOT_DEFAULT),
        DISABLE_SENDING: Rule("enableRxAndDisableTx", disable, LENGTH, LENGTH, NOT_DEFAULT, Access.ACTUATE, standing=True),
    }
    return Service(0x28, "CommunicationControl", sub_functions=rules, audited=True)


def _require_known_kind(request: Request) -> None:
    if request.data[2] not in KINDS:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
