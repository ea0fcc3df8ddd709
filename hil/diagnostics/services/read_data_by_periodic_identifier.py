"""0x2A ReadDataByPeriodicIdentifier: values of F2xx, again and again, until told to stop or until the session ends.

Each goes out in a message of its own: 0x6A, the lower byte of the identifier, the value. ISO 14229-1 of 2006 calls that message
type 1. It needs no identifier on the bus beside that of the answers, on which a value without 0x6A could be taken for one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from hil.diagnostics.identifiers import Identifiers
from hil.diagnostics.protocol import NOT_DEFAULT, POSITIVE, Code, NegativeResponseError, Request, Rule, Service, Tester

NUMBER = 0x2A
PERIODS = {0x01: 1.0, 0x02: 0.2, 0x03: 0.05}  # [s] slow, medium, fast
STOP = 0x04
HIGH = 0xF200  # upper byte of every periodic identifier
MOST = 8  # identifiers at once
LARGEST = 64  # [bytes] of a value


@dataclass
class Schedule:
    """When a value goes out."""

    period: float  # [s]
    due: float  # [s]


def service(identifiers: Identifiers) -> Service:
    """ReadDataByPeriodicIdentifier of what a tester has made of ``identifiers`` by 0x2C."""
    schedules: WeakKeyDictionary[Tester, dict[int, Schedule]] = WeakKeyDictionary()

    def handle(request: Request) -> bytes:
        mode, wanted, tester = request.data[1], request.data[2:], request.tester
        if mode != STOP and mode not in PERIODS:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if mode == STOP:
            stop(tester, wanted)
        elif not wanted:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        else:
            start(tester, wanted, PERIODS[mode], request.now)
        return b""

    def start(tester: Tester, wanted: bytes, period: float, now: float) -> None:
        found = [identifiers.find(tester, HIGH + low) for low in wanted]
        running = schedules.get(tester, {})
        if any(identifier is None or identifier.size > LARGEST for identifier in found):
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if len(set(wanted)) < len(wanted) or len({*running, *wanted}) > MOST:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if any(identifier and tester.access < identifier.access for identifier in found):
            raise NegativeResponseError(Code.SECURITY_ACCESS_DENIED)
        if tester not in schedules:
            schedules[tester] = running
            tester.leaving.append(forget)
        running.update({low: Schedule(period, now) for low in wanted})

    def forget(tester: Tester) -> None:
        del schedules[tester]

    def stop(tester: Tester, wanted: bytes) -> None:
        running = schedules.get(tester, {})
        if not set(wanted) <= set(running):
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        for low in set(wanted or running):
            del running[low]

    def send(testers: Iterable[Tester], now: float) -> Iterator[tuple[Tester, bytes]]:
        for tester in testers:
            running = schedules.get(tester, {})
            for low, schedule in list(running.items()):
                identifier = identifiers.find(tester, HIGH + low)
                if identifier is None:  # cleared meanwhile
                    del running[low]
                elif now >= schedule.due:
                    # What was missed is left out.
                    schedule.due += schedule.period * (1 + (now - schedule.due) // schedule.period)
                    yield tester, bytes([NUMBER + POSITIVE, low]) + identifier.read()

    rule = Rule("readDataByPeriodicIdentifier", handle, 2, 2 + MOST, sessions=NOT_DEFAULT)
    return Service(NUMBER, "ReadDataByPeriodicIdentifier", rule, unasked=send)
