"""0x31 RoutineControl: routines by their identifiers, started, stopped, asked for results."""

from collections.abc import Callable, Iterable

from hil.diagnostics.protocol import (
    Access,
    Code,
    LongAnswer,
    NegativeResponseError,
    Request,
    Rule,
    Service,
    Session,
    require_standstill,
)
from hil.diagnostics.routines import Routine

START, STOP, RESULTS = 0x01, 0x02, 0x03
HEAD = 4  # bytes of service, sub-function and identifier


def service(routines: Iterable[Routine], speed: Callable[[], float]) -> Service:
    """RoutineControl of ``routines``; none of them takes an option."""
    table = {routine.number: routine for routine in routines}

    def find(request: Request) -> tuple[bytes, Routine]:
        head = bytes([request.sub_function]) + request.data[2:HEAD]
        routine = table.get(int.from_bytes(request.data[2:HEAD]))
        if routine is None:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if request.sub_function == STOP and routine.stop is None:
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        if len(request.data) > HEAD:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        return head, routine

    def start(request: Request) -> bytes | LongAnswer:
        head, routine = find(request)
        if routine.standing:
            require_standstill(speed)
        return after(head, routine.start(request.tester, request.now))

    def stop(request: Request) -> bytes:
        head, routine = find(request)
        return head + (routine.stop(request.tester) if routine.stop else b"")

    def results(request: Request) -> bytes:
        head, routine = find(request)
        return head + routine.results()

    def go_on(now: float) -> None:
        for routine in table.values():
            if routine.go_on:
                routine.go_on(now)

    sessions, access = frozenset({Session.EXTENDED}), Access.ACTUATE
    rules = {
        START: Rule("startRoutine", start, HEAD, sessions=sessions, access=access),
        STOP: Rule("stopRoutine", stop, HEAD, sessions=sessions, access=access),
        RESULTS: Rule("requestRoutineResults", results, HEAD, sessions=sessions, access=access),
    }
    return Service(0x31, "RoutineControl", sub_functions=rules, audited=True, go_on=go_on)


def after(head: bytes, answer: bytes | LongAnswer) -> bytes | LongAnswer:
    """``answer`` with ``head`` before it, now or when it comes."""
    if not callable(answer):
        return head + answer

    def later() -> bytes | None:
        rest = answer()
        return None if rest is None else head + rest

    return later
