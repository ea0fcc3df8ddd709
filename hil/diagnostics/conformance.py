"""What ISO 14229-1:2020 lets a server answer: a second reading of the standard, which shares no code with the server.

``check`` asks a server everything that its table tells apart (service by sub-function by session by access by length by
addressing by suppression by speed) and compares with ``expected_code``. ``why_forbidden`` judges any single answer, also to
requests that nobody has foreseen. Numbers are written out here as they are in the standard.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from hil.diagnostics.protocol import Access, DiagnosticServer, Rule, Service, Session, Tester
from hil.files import atomic_path

HANDLED = 0x00  # in place of a code: all checks are passed, and the service itself answers
PATIENCE = 60.0  # [s] of the server's clock for which an answer may take
STEP = 0.01  # [s] from one look at a server that works to the next
FAST = 30.0  # [m/s] of a car that drives

WITH_SUB_FUNCTION = {0x10, 0x11, 0x19, 0x27, 0x28, 0x29, 0x2C, 0x31, 0x3E, 0x83, 0x85, 0x86, 0x87}
OF_ALL_SERVICES = {0x10, 0x11, 0x13, 0x21, 0x22, 0x33, 0x34, 0x78, 0x7F, *range(0x81, 0x90)}
OF_SUB_FUNCTIONS = {0x12, 0x7E}
# Codes of single services, beside those of all.
OF_SERVICE = {
    0x10: set(),
    0x11: set(),
    0x14: {0x31, 0x72},
    0x19: {0x14, 0x31},
    0x21: {0x12, 0x14, 0x31},  # of KWP 2000, ISO 14230-3
    0x22: {0x14, 0x31},
    0x23: {0x14, 0x31},
    0x27: {0x24, 0x31, 0x35, 0x36, 0x37},
    0x28: {0x31},
    0x29: {0x24, 0x31, *range(0x50, 0x5E)},
    0x2A: {0x31},
    0x2C: {0x31},
    0x2E: {0x31, 0x72},
    0x2F: {0x31},
    0x31: {0x14, 0x24, 0x31, 0x72},
    0x34: {0x31, 0x70},
    0x35: {0x31, 0x70},
    0x36: {0x24, 0x31, 0x71, 0x72, 0x73, 0x92, 0x93},
    0x37: {0x24, 0x31, 0x70, 0x72},
    0x3D: {0x31, 0x72},
    0x3E: set(),
    0x85: {0x31},
    0x86: {0x31},
}
SILENT_TO_ALL = {0x11, 0x12, 0x31, 0x7E, 0x7F}
# Bytes of the request, after the service, that the positive answer begins with, and the least length of the answer.
ECHO = {
    0x10: (1, 6), 0x11: (1, 2), 0x14: (0, 1), 0x19: (1, 2), 0x21: (1, 2), 0x22: (2, 4), 0x23: (0, 2), 0x27: (1, 2), 0x28: (1, 2),
    0x29: (1, 3), 0x2A: (0, 1), 0x2C: (1, 2), 0x2E: (2, 3), 0x2F: (2, 4), 0x31: (3, 4), 0x34: (0, 3), 0x35: (0, 3), 0x36: (1, 2),
    0x37: (0, 1), 0x3D: (1, 4), 0x3E: (1, 2), 0x85: (1, 2),
}  # fmt: skip


def why_forbidden(request: bytes, answer: bytes | None, *, functional: bool = False, pending: bool = False) -> str | None:
    """What the standard has against this answer to this request; None if nothing.

    ``pending``: the tester has been told, or will be, that the answer takes longer.
    """
    number = request[0]
    suppressed = number in WITH_SUB_FUNCTION and len(request) > 1 and request[1] >= 0x80
    if answer is None:
        return None if functional or suppressed or pending else "no answer"
    if len(answer) > 4095:
        return f"an answer of {len(answer)} bytes"
    if answer[0] == 0x7F:
        return _why_forbidden_refusal(number, answer, functional=functional, pending=pending)
    if answer[0] != number + 0x40:
        return "the answer to another service"
    if number not in ECHO:
        return "a positive answer of a service that is not known"
    if suppressed and not pending:
        return "a positive answer that was to be suppressed"
    size, least = ECHO[number]
    echo = bytes([request[1] & 0x7F]) + request[2 : 1 + size] if number in WITH_SUB_FUNCTION else request[1 : 1 + size]
    if number == 0x22:  # identifiers that are not there are left out
        asked = {request[place : place + 2] for place in range(1, len(request) - 1, 2)}
    else:
        asked = {echo}
    if answer[1 : 1 + size] not in asked:
        return "does not repeat what was asked"
    return "a positive answer that is too short" if len(answer) < least else None


def _why_forbidden_refusal(number: int, answer: bytes, *, functional: bool, pending: bool) -> str | None:
    if len(answer) != 3:
        return f"a negative answer of {len(answer)} bytes"
    if answer[1] != number:
        return "a refusal of another service"
    code = answer[2]
    known = OF_ALL_SERVICES | OF_SERVICE.get(number, set()) | (OF_SUB_FUNCTIONS if number in WITH_SUB_FUNCTION else set())
    if code not in known:
        return f"the code {code:02X} is none of this service"
    if functional and code in SILENT_TO_ALL and not pending:
        return f"the code {code:02X} to a request to all"
    return None


@dataclass(frozen=True)
class Cell:
    """One combination of what a server tells apart."""

    service: int
    sub_function: int | None  # without the bit that suppresses
    session: Session
    access: Access
    length: int  # bytes
    functional: bool
    suppressed: bool
    driving: bool

    @property
    def request(self) -> bytes:
        """The request; what follows the sub-function is zeros."""
        head = bytes([self.service])
        if self.sub_function is not None:
            head += bytes([self.sub_function | (0x80 if self.suppressed else 0x00)])
        return head.ljust(self.length, b"\0")


@dataclass(frozen=True)
class Result:
    """What was expected in a cell, and what came."""

    cell: Cell
    expected: str
    answer: bytes | None
    is_right: bool
    is_supported: bool = True  # the service

    @property
    def actual(self) -> str:
        """The answer's first bytes."""
        if self.answer is None:
            return "none"
        return self.answer[:3].hex(" ").upper() if self.answer[0] == 0x7F else f"{self.answer[:2].hex(' ').upper()} ..."


def cells(services: Iterable[Service]) -> Iterator[Cell]:
    """All cells of a table of services, and of the service numbers that are not in it."""
    known = {service.number: service for service in services}
    for number in range(0x100):
        for length in (1, 2, 4095) if number not in known else ():
            yield from _circumstances(number, None, (length,), (False,), (False,))
        if number in known:
            yield from _cells_of(known[number])


def _cells_of(service: Service) -> Iterator[Cell]:
    if service.rule:
        yield from _circumstances(service.number, None, _lengths(service.rule, 1), (False,), _speeds(service.rule))
        return
    yield from _circumstances(service.number, None, (1,), (False,), (False,))
    for sub_function in range(0x80):
        rule = service.sub_functions.get(sub_function)
        lengths = _lengths(rule, 2) if rule else (2, 3, 4095)
        yield from _circumstances(service.number, sub_function, lengths, (False, True), _speeds(rule))


def _lengths(rule: Rule, least: int) -> tuple[int, ...]:
    """Too short, least, most, too long: those of them that a message can have."""
    edges = {rule.minimum_length - 1, rule.minimum_length, rule.maximum_length, rule.maximum_length + 1}
    return tuple(sorted(length for length in edges if least <= length <= 4095))


def _speeds(rule: Rule | None) -> tuple[bool, ...]:
    return (False, True) if rule and rule.standing else (False,)


def _circumstances(
    number: int, sub_function: int | None, lengths: tuple[int, ...], suppressed: tuple[bool, ...], driving: tuple[bool, ...]
) -> Iterator[Cell]:
    for session, access, length, functional, quiet, fast in product(Session, Access, lengths, (False, True), suppressed, driving):
        yield Cell(number, sub_function, session, access, length, functional, quiet, fast)


def expected_code(service: Service | None, cell: Cell) -> int:
    """The first check of ISO 14229-1:2020, figures 5 and 6, that a request does not pass; HANDLED if it passes all."""
    if service is None:
        return 0x11
    rules = [service.rule] if service.rule is not None else list(service.sub_functions.values())
    if not any(cell.session in rule.sessions for rule in rules):
        return 0x7F
    if service.rule is not None:
        rule = service.rule
    else:
        if cell.length < 2:
            return 0x13
        if cell.sub_function is None or cell.sub_function not in service.sub_functions:
            return 0x12
        rule = service.sub_functions[cell.sub_function]
        if cell.session not in rule.sessions:
            return 0x7E
    if int(cell.access) < int(rule.access):
        return 0x33
    if cell.length < rule.minimum_length or cell.length > rule.maximum_length:
        return 0x13
    if rule.standing and cell.driving:
        return 0x88
    return HANDLED


@dataclass
class Subject:
    """The server that is checked, and how its car is made to drive and to live, and effects of requests are undone."""

    server: DiagnosticServer
    set_speed: Callable[[float], None]  # [m/s]
    restore: Callable[[], None] = lambda: None  # called after each request that a service has handled
    live: Callable[[float], None] = lambda seconds: None  # lets time [s] go by for what the server looks into
    now: float = 0.0  # [s]

    def ask(self, tester: Tester, data: bytes, *, functional: bool) -> tuple[bytes | None, bool]:
        """The final answer, and whether it was told before that it takes longer. Raises TimeoutError if none comes."""
        answer = self.server.request(tester, data, self.now, functional=functional)
        was_told = False
        end = self.now + PATIENCE
        while (answer is None and self.server.is_working) or (answer and answer[0] == 0x7F and answer[2] == 0x78):
            was_told = was_told or answer is not None
            self.now += STEP
            self.live(STEP)
            if self.now > end:
                raise TimeoutError(f"no answer to {data[:16].hex(' ')} in {PATIENCE:g} s")
            answer = next((said for who, said in self.server.poll([tester], self.now) if who is tester), None)
        return answer, was_told


def check(subject: Subject, chosen: Iterable[Cell] | None = None) -> Iterator[Result]:
    """Ask the server what each cell says, each time as a new tester, and compare."""
    for cell in cells(subject.server.services.values()) if chosen is None else chosen:
        subject.set_speed(FAST if cell.driving else 0.0)
        tester = Tester("797", cell.session, cell.access, subject.now)
        answer, was_told = subject.ask(tester, cell.request, functional=cell.functional)
        tester.enter(Session.DEFAULT)
        code = expected_code(subject.server.services.get(cell.service), cell)
        if code == HANDLED:
            subject.set_speed(0.0)
            subject.restore()
        yield _judge(cell, code, answer, was_told=was_told)


def _judge(cell: Cell, code: int, answer: bytes | None, *, was_told: bool) -> Result:
    if code != HANDLED:
        silent = cell.functional and code in SILENT_TO_ALL
        right = None if silent else bytes([0x7F, cell.service, code])
        return Result(cell, "none" if right is None else right.hex(" ").upper(), answer, answer == right, code != 0x11)
    quiet = cell.suppressed and not was_told
    why = why_forbidden(cell.request, answer, functional=cell.functional, pending=was_told)
    # What a service may say for itself is none of the checks that it has passed.
    of_checks = {0x11, 0x7F, 0x7E, *([0x12] if cell.service in WITH_SUB_FUNCTION else []), *([] if cell.driving else [0x88])}
    checked_twice = answer is not None and answer[0] == 0x7F and answer[2] in of_checks
    expected = "none, or a refusal by the service" if quiet else f"{cell.service + 0x40:02X}, or a refusal by the service"
    return Result(cell, expected, answer, why is None and not checked_twice)


COLUMNS = (
    "service",
    "sub-functions",
    "session",
    "access",
    "length",
    "addressing",
    "suppressed",
    "driving",
    "expected",
    "actual",
    "right",
)


def write_table(target: Path, results: Iterable[Result]) -> None:
    """Write a table (CSV) in which what has the same answers shares a line: sub-functions, and services that are not there.

    Raises UsageError if that is not possible.
    """
    lines: dict[tuple[Cell, str, str, bool], tuple[set[int], set[int]]] = {}
    for result in results:
        cell = result.cell
        alike = replace(cell, service=cell.service if result.is_supported else 0, sub_function=None)
        expected, actual = (_without_echo(text, cell) for text in (result.expected, result.actual))
        numbers, sub_functions = lines.setdefault((alike, expected, actual, result.is_right), (set(), set()))
        numbers.add(cell.service)
        if cell.sub_function is not None:
            sub_functions.add(cell.sub_function)
    with atomic_path(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for (cell, expected, actual, is_right), (numbers, sub_functions) in lines.items():
            addressing = "functional" if cell.functional else "physical"
            circumstances = cell.session.name.lower(), cell.access.name.lower(), cell.length, addressing
            flags = ("yes" if flag else "no" for flag in (cell.suppressed, cell.driving))
            outcome = expected, actual, "yes" if is_right else "NO"
            table.writerow([ranges(numbers), ranges(sub_functions), *circumstances, *flags, *outcome])


def _without_echo(text: str, cell: Cell) -> str:
    """``text`` of an answer without service and sub-function, which have columns of their own."""
    if text.startswith("7F "):
        return f"7F ... {text[-2:]}"
    echo = f"{cell.service + 0x40:02X} {cell.sub_function:02X} ..." if cell.sub_function is not None else None
    return f"{cell.service + 0x40:02X} ..." if text == echo else text


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as people write them: 00-03 05 07-7F."""
    texts: list[list[int]] = []
    for number in sorted(numbers):
        if texts and number == texts[-1][1] + 1:
            texts[-1][1] = number
        else:
            texts.append([number, number])
    return " ".join(f"{first:02X}" if first == last else f"{first:02X}-{last:02X}" for first, last in texts)
