"""How a diagnostic server answers a request: the order of checks of ISO 14229-1, sessions, access, answers that take long.

It knows no bus, no thread and no clock: requests come in as bytes with the time, answers go out as bytes. What a service does is
said in its own file (:mod:`hil.diagnostics.services`); what it may and when is a row of a table, from which the checks here, the
conformance test and the lists for people are made.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from weakref import WeakSet

S3_TIME = 5.0  # [s] without a request until a session ends (S3 server)
P2_TIME = 0.05  # [s] until a request is answered
P2_STAR_TIME = 5.0  # [s] until it is answered once more, after "response pending"
PENDING_PERIOD = 0.5 * P2_STAR_TIME  # [s] from one "response pending" to the next
SENDING_TIME = 0.1  # [s] in which an answer has left
STANDSTILL = 0.5  # [m/s] up to which the car stands, as far as a tester is concerned
LONGEST = 4095  # bytes of a message of ISO 15765-2 with a 12-bit length
NEGATIVE = 0x7F
POSITIVE = 0x40  # is added to the service's number
SUPPRESS = 0x80  # bit of a sub-function: no positive answer is wanted
TESTER_PRESENT_UNANSWERED = b"\x3e\x80"
LOGGED = 16  # bytes of a request that are told in the audit log


class Code(IntEnum):
    """Negative response codes, ISO 14229-1 table A.1."""

    GENERAL_REJECT = 0x10
    SERVICE_NOT_SUPPORTED = 0x11
    SUB_FUNCTION_NOT_SUPPORTED = 0x12
    INCORRECT_LENGTH = 0x13
    RESPONSE_TOO_LONG = 0x14
    BUSY_REPEAT_REQUEST = 0x21
    CONDITIONS_NOT_CORRECT = 0x22
    REQUEST_SEQUENCE_ERROR = 0x24
    REQUEST_OUT_OF_RANGE = 0x31
    SECURITY_ACCESS_DENIED = 0x33
    AUTHENTICATION_REQUIRED = 0x34
    INVALID_KEY = 0x35
    EXCEEDED_NUMBER_OF_ATTEMPTS = 0x36
    REQUIRED_TIME_DELAY_NOT_EXPIRED = 0x37
    CERTIFICATE_INVALID_TIME_PERIOD = 0x50
    CERTIFICATE_INVALID_SIGNATURE = 0x51
    CERTIFICATE_INVALID_CHAIN_OF_TRUST = 0x52
    CERTIFICATE_INVALID_TYPE = 0x53
    CERTIFICATE_INVALID_FORMAT = 0x54
    CERTIFICATE_INVALID_CONTENT = 0x55
    OWNERSHIP_VERIFICATION_FAILED = 0x58
    TRANSFER_NOT_ACCEPTED = 0x70
    TRANSFER_DATA_SUSPENDED = 0x71
    GENERAL_PROGRAMMING_FAILURE = 0x72
    WRONG_BLOCK_SEQUENCE_COUNTER = 0x73
    RESPONSE_PENDING = 0x78
    SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION = 0x7E
    SERVICE_NOT_SUPPORTED_IN_SESSION = 0x7F
    VEHICLE_SPEED_TOO_HIGH = 0x88


# To a request that was sent to all, who cannot serve it says nothing: ISO 14229-1, 7.5.
NOT_TOLD_TO_ALL = frozenset(
    {
        Code.SERVICE_NOT_SUPPORTED,
        Code.SUB_FUNCTION_NOT_SUPPORTED,
        Code.REQUEST_OUT_OF_RANGE,
        Code.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION,
        Code.SERVICE_NOT_SUPPORTED_IN_SESSION,
    }
)


class NegativeResponseError(Exception):
    """A service does not do what it was asked; ``code`` says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name.lower().replace("_", " "))
        self.code = code


class Session(IntEnum):
    """Diagnostic sessions."""

    DEFAULT = 0x01
    PROGRAMMING = 0x02
    EXTENDED = 0x03


class Access(IntEnum):
    """What a tester has unlocked; each level contains those before it."""

    LOCKED = 0
    READ = 1  # memory by its address, uploads
    CALIBRATE = 2  # values of the calibration, also while driving
    ACTUATE = 3  # actuators and routines, standing
    FLASH = 4  # whole calibrations, standing


ALL_SESSIONS = frozenset(Session)
NOT_DEFAULT = frozenset(Session) - {Session.DEFAULT}


@dataclass(eq=False)
class Tester:
    """Who asks: a session and an access of his own, which end together."""

    name: str
    session: Session = Session.DEFAULT
    access: Access = Access.LOCKED
    last_heard: float = 0.0  # [s]
    leaving: list[Callable[["Tester"], None]] = field(default_factory=list)  # called when the session is left, then forgotten
    afterwards: list[tuple[float, Callable[[], None]]] = field(default_factory=list)  # what is called when it is that time [s]

    def enter(self, session: Session) -> None:
        """Begin a session, which ends the one before with all that was allowed or started in it."""
        self.session = session
        self.access = Access.LOCKED
        leaving, self.leaving = self.leaving, []
        with contextlib.ExitStack() as ending:  # which goes on with the others where one fails
            for end in leaving:
                ending.callback(end, self)


@dataclass(frozen=True)
class Request:
    """One request; ``data`` begins with the service's number."""

    tester: Tester
    data: bytes
    now: float  # [s] of the server's clock
    functional: bool = False  # it was sent to all control units

    @property
    def sub_function(self) -> int:
        """The sub-function, without its bit that suppresses the answer."""
        return self.data[1] & ~SUPPRESS


# An answer that takes long: asked again and again, None until it is there; raises NegativeResponseError if it will not come.
LongAnswer = Callable[[], bytes | None]
# What follows the service's number in the positive answer. Raises NegativeResponseError.
Handler = Callable[[Request], bytes | LongAnswer]


@dataclass(frozen=True)
class Rule:
    """When a service, or one sub-function of it, is done, and by what."""

    name: str
    handle: Handler
    minimum_length: int = 1  # bytes of the whole request
    maximum_length: int = LONGEST
    sessions: frozenset[Session] = ALL_SESSIONS
    access: Access = Access.LOCKED
    standing: bool = False  # not while the car drives


@dataclass(frozen=True)
class Service:
    """One service: a rule for it as a whole, or rules for each of its sub-functions."""

    number: int
    name: str
    rule: Rule | None = None
    sub_functions: Mapping[int, Rule] = field(default_factory=dict)
    audited: bool = False  # it changes something: what is asked of it, and what came of it, is logged
    go_on: Callable[[float], None] | None = None  # called at every poll, with the time [s]
    # What is to be said to these testers now, without a request.
    unasked: Callable[[Iterable[Tester], float], Iterable[tuple[Tester, bytes]]] | None = None

    @property
    def sessions(self) -> frozenset[Session]:
        """Sessions in which it does anything."""
        rules = [self.rule] if self.rule else self.sub_functions.values()
        return frozenset().union(*(rule.sessions for rule in rules))


@dataclass
class Pending:
    """An answer that is still being worked on."""

    request: Request
    answer: LongAnswer
    told: float  # [s] when the tester was told last that it takes longer, or asked
    was_told: bool = False

    def is_due(self, now: float) -> bool:
        """Whether the tester has to be told (again) that it takes longer."""
        return now - self.told > (PENDING_PERIOD if self.was_told else 0.5 * P2_TIME)


# Name of the tester, what he asked for, what came of it. Raises NegativeResponseError if that cannot be kept.
Audit = Callable[[str, str, str], None]


def no_audit(tester: str, what: str, outcome: str) -> None:
    """The audit of control units in which nothing can be changed."""


def unknown_speed() -> float:
    """The speed [m/s] of a car that nobody can tell: then nothing is done that asks for standing."""
    return math.nan


class DiagnosticServer:
    """One control unit's server; serves several testers, each with a session of his own."""

    def __init__(self, services: Iterable[Service], speed: Callable[[], float] = unknown_speed, audit: Audit = no_audit) -> None:
        """``speed``: of the car [m/s]. ``audit``: keeps what is asked of audited services, and what came of it."""
        self.services = {service.number: service for service in services}
        self._speed = speed
        self._audit = audit
        self._pending: dict[Tester, Pending] = {}
        self._testers: WeakSet[Tester] = WeakSet()  # all who have asked

    @property
    def is_working(self) -> bool:
        """Whether an answer is still being worked on: then ``poll`` has something to do."""
        return bool(self._pending)

    def request(self, tester: Tester, data: bytes, now: float, *, functional: bool = False) -> bytes | None:
        """The answer to ``data``; None if there is none to give, or not yet: then ``poll`` gives it."""
        if not data:
            return None
        self._end_session_if_silent(tester, now)
        tester.last_heard = now
        self._testers.add(tester)
        request = Request(tester, data, now, functional)
        if tester in self._pending:
            return self._while_busy(request)
        try:
            rule = self._find_rule(request)
            self._log(request, "allowed")  # what cannot be logged is not done
            answer = rule.handle(request)
        except NegativeResponseError as error:
            return self._refused(request, error.code)
        if callable(answer):
            self._pending[tester] = Pending(request, answer, now)
            return self._work_on(tester, now)
        return self._answered(request, answer)

    def poll(self, testers: Iterable[Tester], now: float) -> list[tuple[Tester, bytes]]:
        """What is to be said now without being asked; ends sessions of ``testers`` who are silent. To be called every few ms."""
        for tester in testers:
            self._end_session_if_silent(tester, now)
            while tester.afterwards and now >= tester.afterwards[0][0]:
                tester.afterwards.pop(0)[1]()
        for service in self.services.values():
            if service.go_on:
                service.go_on(now)
        answers = [(tester, self._work_on(tester, now)) for tester in list(self._pending)]
        return [(tester, answer) for tester, answer in answers if answer is not None]

    def unasked(self, testers: Iterable[Tester], now: float) -> list[tuple[Tester, bytes]]:
        """What is to be said now to ``testers`` without a request: to those to whom nothing else is on its way."""
        free = [tester for tester in testers if tester not in self._pending]
        return [message for service in self.services.values() if service.unasked for message in service.unasked(free, now)]

    def end_sessions(self) -> None:
        """End the sessions of all testers; what was worked on is not answered any more."""
        self._pending.clear()
        for tester in list(self._testers):
            tester.enter(Session.DEFAULT)

    def _end_session_if_silent(self, tester: Tester, now: float) -> None:
        silent = now - tester.last_heard > S3_TIME and tester not in self._pending
        if silent and tester.session != Session.DEFAULT:
            tester.enter(Session.DEFAULT)

    def _find_rule(self, request: Request) -> Rule:
        """The rule for a request that is fit to be handled, checked in the order of ISO 14229-1, figures 5 and 6.

        Raises NegativeResponseError.
        """
        data, tester = request.data, request.tester
        service = self.services.get(data[0])
        if service is None:
            raise NegativeResponseError(Code.SERVICE_NOT_SUPPORTED)
        if tester.session not in service.sessions:
            raise NegativeResponseError(Code.SERVICE_NOT_SUPPORTED_IN_SESSION)
        rule = service.rule
        if rule is None:
            if len(data) < 2:
                raise NegativeResponseError(Code.INCORRECT_LENGTH)
            rule = service.sub_functions.get(request.sub_function)
            if rule is None:
                raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
            if tester.session not in rule.sessions:
                raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION)
        if tester.access < rule.access:
            raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)
        if not rule.minimum_length <= len(data) <= rule.maximum_length:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        if rule.standing:
            require_standstill(self._speed)
        return rule

    def _while_busy(self, request: Request) -> bytes | None:
        """To a tester whose last request is still worked on."""
        if request.data == TESTER_PRESENT_UNANSWERED:
            return None
        supported = request.data[0] in self.services
        return self._refused(request, Code.BUSY_REPEAT_REQUEST if supported else Code.SERVICE_NOT_SUPPORTED)

    def _work_on(self, tester: Tester, now: float) -> bytes | None:
        pending = self._pending[tester]
        try:
            answer = pending.answer()
        except NegativeResponseError as error:
            del self._pending[tester]
            tester.last_heard = now
            return self._refused(pending.request, error.code, was_told=pending.was_told)
        except Exception:  # a mistake in a service: the tester may ask again
            del self._pending[tester]
            raise
        if answer is not None:
            del self._pending[tester]
            tester.last_heard = now
            return self._answered(pending.request, answer, was_told=pending.was_told)
        if not pending.is_due(now):
            return None
        pending.told, pending.was_told = now, True
        return negative(pending.request.data[0], Code.RESPONSE_PENDING)

    def _answered(self, request: Request, answer: bytes, *, was_told: bool = False) -> bytes | None:
        """The positive answer, unless it is suppressed; after "response pending" it never is."""
        number = request.data[0]
        if 1 + len(answer) > LONGEST:
            return self._refused(request, Code.RESPONSE_TOO_LONG, was_told=was_told)
        with contextlib.suppress(NegativeResponseError):  # it is done, and that it was allowed is logged
            self._log(request, "done")
        if self.services[number].sub_functions and request.data[1] & SUPPRESS and not was_told:
            return None
        return bytes([number + POSITIVE]) + answer

    def _refused(self, request: Request, code: Code, *, was_told: bool = False) -> bytes | None:
        with contextlib.suppress(NegativeResponseError):  # nothing is done that had to be logged
            self._log(request, f"refused: {NegativeResponseError(code)}")
        if request.functional and code in NOT_TOLD_TO_ALL and not was_told:
            return None
        return negative(request.data[0], code)

    def _log(self, request: Request, outcome: str) -> None:
        """Raises NegativeResponseError if an audited request cannot be logged."""
        service = self.services.get(request.data[0])
        if service and service.audited:
            rest = f" ... ({len(request.data)} bytes)" if len(request.data) > LOGGED else ""
            self._audit(request.tester.name, f"{service.name} {request.data[:LOGGED].hex(' ')}{rest}", outcome)


def require_standstill(speed: Callable[[], float]) -> None:
    """Raises NegativeResponseError unless ``speed`` [m/s] is that of a car that stands; NaN, one that is not known, is not."""
    found = speed()
    if math.isnan(found):
        raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
    if abs(found) > STANDSTILL:
        raise NegativeResponseError(Code.VEHICLE_SPEED_TOO_HIGH)


def negative(service: int, code: Code) -> bytes:
    """A negative response."""
    return bytes([NEGATIVE, service, code])
