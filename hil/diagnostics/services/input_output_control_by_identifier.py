"""0x2F InputOutputControlByIdentifier: brakes and motors in the hands of a tester, within the limits of actuator tests."""

import struct
from collections.abc import Callable

from hil.diagnostics.actuator_tests import BRAKES, MOTORS, ActuatorTests
from hil.diagnostics.identifiers import DataIdentifier, Identifiers
from hil.diagnostics.protocol import Access, Code, NegativeResponseError, Request, Rule, Service, Session, require_standstill

RETURN_CONTROL, RESET_TO_DEFAULT, FREEZE_CURRENT_STATE, SHORT_TERM_ADJUSTMENT = range(4)
HEAD = 4  # bytes of service, identifier and what to do
STATE = struct.Struct(">d")  # [Nm]
# The actuator that an output belongs to.
OUTPUTS = {f"output.brakes.{brake}": brake for brake in BRAKES} | {
    f"output.{motor.replace('_', '.', 1)}": motor for motor in MOTORS
}


def service(identifiers: Identifiers, tests: ActuatorTests, speed: Callable[[], float]) -> Service:
    """InputOutputControlByIdentifier of the outputs that can be tested; the control ends with the session."""

    def handle(request: Request) -> bytes:
        data = request.data
        identifier = identifiers.find(request.tester, int.from_bytes(data[1:3]))
        if identifier is None or identifier.name not in OUTPUTS or data[3] > SHORT_TERM_ADJUSTMENT:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if len(data) != HEAD + (STATE.size if data[3] == SHORT_TERM_ADJUSTMENT else 0):
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        actuator = OUTPUTS[identifier.name]
        if data[3] == RETURN_CONTROL:
            tests.take_back(request.tester, actuator)
        else:
            require_standstill(speed)
            tests.ask(request.tester, {actuator: wanted(data, identifier)})
        return data[1:HEAD] + identifier.read()

    def wanted(data: bytes, identifier: DataIdentifier) -> float:
        if data[3] == RESET_TO_DEFAULT:
            return 0.0
        state = identifier.read() if data[3] == FREEZE_CURRENT_STATE else data[HEAD:]
        return float(STATE.unpack(state)[0])

    sessions = frozenset({Session.EXTENDED})
    rule = Rule("inputOutputControlByIdentifier", handle, HEAD, sessions=sessions, access=Access.ACTUATE)
    return Service(0x2F, "InputOutputControlByIdentifier", rule, audited=True, go_on=tests.go_on)
