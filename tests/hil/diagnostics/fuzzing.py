"""Requests that nobody sends by intention, and what has to hold whatever comes.

``Fuzzer`` takes any server. Testers ask it one after the other; the clock goes on by nothing, a little or more than S3; the car
stands, drives, or does not know. Each answer is judged by hil.diagnostics.conformance.
"""

import math
import random
import time
from dataclasses import dataclass
from itertools import accumulate

from hil.diagnostics.conformance import why_forbidden
from hil.diagnostics.lock import LEVELS
from hil.diagnostics.protocol import NEGATIVE, S3_TIME, SUPPRESS, Access, Session, Tester

SPEEDS = (0.0, 0.0, 0.0, 0.4, 30.0, -30.0, math.nan, math.inf)  # [m/s]
STEPS = {0.0: 100, 0.001: 30, 0.03: 30, 0.11: 20, 1.0: 10, 4.9: 5, 5.1: 5, 11.0: 2}  # [s] and how often
STEPS_LIST, STEPS_WEIGHTS = list(STEPS), list(accumulate(STEPS.values()))
LENGTHS = (*range(12), 33, 34, 35, 100, 4094, 4095)
LIFE = 0.03  # [s] that the car lives at most between two requests
KEPT = 64  # requests that were answered, to be changed and sent again
PERIODIC = 0x6A  # first byte of values that come again and again
UNANSWERED_TESTER_PRESENT = b"\x3e\x80"
DYNAMICALLY_DEFINE = 0x2C  # of the default session, too: what a tester defines there is his until he begins another one
PATIENCE = 20.0  # [s] of a clock on the wall, for what is on its way to a disk


@dataclass(frozen=True)
class Plan:
    """What one who has the key is about: a session, a level that he opens, and requests of which each may need those before."""

    session: Session
    level: Access
    requests: tuple[bytes, ...] = ()


class Requests:
    """An endless row of requests: random ones, ones of the table, and changed ones of those that were answered."""

    def __init__(self, rng, services, known):
        """``known``: requests that a service may answer, to begin with."""
        self._rng = rng
        self._heads = [(number,) for number, service in services.items() if service.rule]
        self._heads += [(number, sub) for number, service in services.items() for sub in service.sub_functions]
        self._rules = {(number,): service.rule for number, service in services.items()}
        self._rules |= {
            (number, sub): rule for number, service in services.items() for sub, rule in service.sub_functions.items()
        }
        self._known = [b"\x10\x03", *known]
        self._answered = list(self._known)
        self._last = b""

    def keep(self, request, answer):
        """Hear what came of a request."""
        if answer is None:
            return
        self._last = answer
        if answer[0] != NEGATIVE:
            place = self._rng.randrange(KEPT)
            self._answered[place : place + 1] = [request]

    def next(self):
        """The next request."""
        rng = self._rng
        return rng.choice(
            (self._random, self._of_table, self._of_table, self._of_table, self._changed, self._changed, self._session)
        )()

    def _random(self):
        return self._rng.randbytes(self._rng.choice(LENGTHS))

    def _of_table(self):
        rng = self._rng
        head = rng.choice(self._heads)
        rule = self._rules[head]
        request = bytearray(head)
        if len(head) > 1 and not rng.randrange(4):
            request[1] |= SUPPRESS
        least = rule.minimum_length
        length = rng.choice((least - 1, least, least, least + rng.randrange(8), min(rule.maximum_length, 4095)))
        missing = max(0, length - len(request))
        return bytes(request) + rng.choice((bytes, rng.randbytes, self._small_numbers))(missing)

    def _small_numbers(self, count):
        return bytes(self._rng.choices(range(4), k=count))

    def _changed(self):
        rng = self._rng
        request = bytearray(rng.choice(rng.choice((self._known, self._answered))))
        for _ in range(rng.randrange(3)):
            request[rng.randrange(len(request))] = rng.randrange(0x100)
        match rng.randrange(6):
            case 0:
                del request[rng.randrange(len(request)) :]
            case 1:
                request += rng.randbytes(rng.randrange(1, 20))
            case 2:  # as one who sends back what he heard
                request += self._last[2:]
        return bytes(request[:4095])

    def _session(self):
        return self._rng.choice((b"\x10\x01", b"\x10\x02", b"\x10\x03", b"\x10\x83", b"\x3e\x00", UNANSWERED_TESTER_PRESENT))


class Fuzzer:
    """Sends requests to a server and finds what must not be. Raises AssertionError."""

    def __init__(self, subject, seed, testers=3, known=(), plans=()):
        """``known``: requests that a service may answer, to begin with. ``plans``: of those who have the key."""
        self._rng = random.Random(seed)
        self._subject = subject
        self._requests = Requests(self._rng, subject.server.services, known)
        self._plans = plans or [Plan(Session.EXTENDED, level) for level in LEVELS]
        self._to_do = {}  # by tester: what is left of his plan
        self._pending = {}  # by tester: the request that is worked on, whether it went to all, whether he was told
        self.testers = [Tester(f"{0x797 + index:03X}") for index in range(testers)]
        self.opened = dict.fromkeys(self.testers, Access.LOCKED)  # by the right key
        self.sent = 0
        self.positive = set()  # services that have answered

    def run(self, count, right_key=None):
        """Send ``count`` random requests; with ``right_key`` (of tester, level and seed) some as one who has the key."""
        end = self.sent + count
        while self.sent < end:
            tester = self._rng.choice(self.testers)
            self.step(*self._rng.choices(STEPS_LIST, cum_weights=STEPS_WEIGHTS))
            self._subject.set_speed(self._rng.choice(SPEEDS))
            if right_key and not self._rng.randrange(60) and tester not in self._pending:
                plan = self._rng.choice(self._plans)
                if self.unlock(tester, plan.level, right_key, plan.session):
                    self._to_do[tester] = list(plan.requests)
            if self._to_do.get(tester) and self._rng.randrange(4):
                self.send(tester, self._to_do[tester].pop(0))
            else:
                self.send(tester, self._requests.next(), functional=not self._rng.randrange(8))

    def unlock(self, tester, level, right_key, session=Session.EXTENDED):
        """Open a level as one who has the key. Returns whether that was possible."""
        self.send(tester, b"\x10\x03")
        if session != Session.EXTENDED:
            self.send(tester, bytes([0x10, session]))
        answer = self.send(tester, bytes([0x27, 2 * level - 1]))
        if not answer or answer[0] == NEGATIVE or not any(answer[2:]):
            return False
        self.opened[tester] = level
        answer = self.send(tester, bytes([0x27, 2 * level]) + right_key(tester, level, answer[2:]))
        assert answer == bytes([0x67, 2 * level])
        assert tester.access == level
        return True

    def step(self, seconds):
        """Let time go by."""
        self._subject.now += seconds
        self._subject.live(min(seconds, LIFE))
        for tester, answer in self._subject.server.poll(self.testers, self._subject.now):
            request, functional, _ = self._pending[tester]
            if answer == bytes([NEGATIVE, request[0], 0x78]):
                self._pending[tester] = request, functional, True
            else:
                self._judge(tester, request, answer, functional=functional, pending=self._pending.pop(tester)[2])
        for tester in [tester for tester in self._pending if not self._works(tester)]:  # a reset has ended the work of all
            del self._pending[tester]
        for tester, message in self._subject.server.unasked(self.testers, self._subject.now):
            assert message[0] == PERIODIC
            assert tester.session != Session.DEFAULT
        for tester in self.testers:
            self._check_access(tester)

    def send(self, tester, request, *, functional=False):
        """Send one request and judge the answer, which is returned."""
        self.sent += 1
        was_busy = tester in self._pending
        answer = self._subject.server.request(tester, request, self._subject.now, functional=functional)
        if not request:
            assert answer is None
        elif was_busy:
            quiet = functional or request == UNANSWERED_TESTER_PRESENT
            assert (answer is None and quiet) or answer in (bytes([NEGATIVE, request[0], code]) for code in (0x11, 0x21))
        elif answer is None and self._works(tester):
            self._pending[tester] = request, functional, False
        elif answer == bytes([NEGATIVE, request[0], 0x78]):
            self._pending[tester] = request, functional, True
        else:
            self._judge(tester, request, answer, functional=functional, pending=False)
        self._check_access(tester)
        return answer

    def finish(self):
        """All testers fall silent: whatever they had started has ended."""
        self._to_do.clear()
        end = time.monotonic() + PATIENCE
        self.step(S3_TIME + 0.1)
        while self._pending and time.monotonic() < end:
            self.step(S3_TIME + 0.1)
        self.step(S3_TIME + 0.1)
        assert not self._pending
        for tester in self.testers:
            assert (tester.session, tester.access) == (Session.DEFAULT, Access.LOCKED)
            assert len(tester.leaving) <= (DYNAMICALLY_DEFINE in self._subject.server.services)
            assert tester.afterwards == []

    def _works(self, tester):
        return tester in self._subject.server._pending

    def _judge(self, tester, request, answer, *, functional, pending):
        why = why_forbidden(request, answer, functional=functional, pending=pending)
        assert why is None, f"{request[:40].hex(' ')} ({len(request)} bytes) -> {answer and answer[:40].hex(' ')}: {why}"
        self._requests.keep(request, answer)
        if answer and answer[0] != NEGATIVE:
            self.positive.add(request[0])

    def _check_access(self, tester):
        """Nobody has more than the right key has opened in this session."""
        if tester.access == Access.LOCKED:
            self.opened[tester] = Access.LOCKED
        assert tester.access <= self.opened[tester], f"{tester.name} has {tester.access.name}"
        assert tester.access == Access.LOCKED or tester.session != Session.DEFAULT
