"""The rules of diagnostic answers; the order of checks is that of ISO 14229-1:2020, figures 5 (all) and 6 (sub-functions)."""

import itertools
import math

import pytest

from hil.diagnostics.protocol import (
    LONGEST,
    P2_STAR_TIME,
    P2_TIME,
    S3_TIME,
    SENDING_TIME,
    STANDSTILL,
    Access,
    Code,
    DiagnosticServer,
    NegativeResponseError,
    Rule,
    Service,
    Session,
    Tester,
    require_standstill,
)
from hil.diagnostics.services import diagnostic_session_control, tester_present

EXTENDED = frozenset({Session.EXTENDED})
STILL, FAST = 0.0, 20.0  # [m/s]


def echo(request):
    return request.data[1:]


def refuse(code):
    def handle(request):
        raise NegativeResponseError(code)

    return handle


class Work:
    """An answer that takes as long as the test wants."""

    def __init__(self):
        self.result = None

    def __call__(self):
        if isinstance(self.result, Code):
            raise NegativeResponseError(self.result)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def speed():
    return [STILL]


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def log():
    return []


@pytest.fixture
def server(speed, work, log):
    strict = Rule("strict", echo, 3, 4, EXTENDED, Access.ACTUATE, standing=True)
    services = [
        diagnostic_session_control.service(),
        tester_present.service(),
        Service(0x22, "whole", Rule("whole", echo, 3, 4, EXTENDED, Access.ACTUATE, standing=True)),
        Service(0x31, "with sub-functions", sub_functions={1: strict, 2: Rule("easy", echo, 2, 2)}, audited=True),
        Service(0x36, "long", Rule("long", lambda request: work), audited=True),
        Service(0x2F, "long with sub-functions", sub_functions={1: Rule("long", lambda request: work)}),
        Service(0x23, "too long", Rule("too long", lambda request: bytes(LONGEST))),
        Service(0x14, "long enough", Rule("long enough", lambda request: bytes(LONGEST - 1))),
        *(Service(0xC0 + index, code.name, Rule(code.name, refuse(code))) for index, code in enumerate(Code)),
    ]
    return DiagnosticServer(services, lambda: speed[0], lambda *line: log.append(line))


@pytest.fixture
def tester():
    return Tester("0x797")


@pytest.fixture
def ask(server, tester):
    return lambda text, now=0.0, **functional: server.request(tester, bytes.fromhex(text), now, **functional)


def prepare(tester, session, access):
    tester.enter(session)
    tester.access = access


def code_of(answer):
    """The negative response code of an answer, None if it is positive."""
    return Code(answer[2]) if answer[0] == 0x7F else None


@pytest.mark.parametrize(
    ("mended", "code"),
    [
        ("", Code.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("session", Code.SECURITY_ACCESS_DENIED),
        ("session access", Code.INCORRECT_LENGTH),
        ("session access length", Code.VEHICLE_SPEED_TOO_HIGH),
        ("session access length standing", None),
        ("access length standing", Code.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("session length standing", Code.SECURITY_ACCESS_DENIED),
        ("session access standing", Code.INCORRECT_LENGTH),
    ],
)
def test_a_service_is_checked_for_session_then_access_then_length_then_conditions(ask, tester, speed, mended, code):
    prepare(
        tester,
        Session.EXTENDED if "session" in mended else Session.DEFAULT,
        Access.ACTUATE if "access" in mended else Access.CALIBRATE,
    )
    speed[0] = STILL if "standing" in mended else FAST
    assert code_of(ask("22 01 02" if "length" in mended else "22 01")) == code


@pytest.mark.parametrize(
    ("text", "session", "access", "speed_now", "code"),
    [
        ("31", Session.DEFAULT, Access.LOCKED, FAST, Code.INCORRECT_LENGTH),
        ("31 03", Session.DEFAULT, Access.LOCKED, FAST, Code.SUB_FUNCTION_NOT_SUPPORTED),
        ("31 01", Session.DEFAULT, Access.LOCKED, FAST, Code.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION),
        ("31 01", Session.EXTENDED, Access.CALIBRATE, FAST, Code.SECURITY_ACCESS_DENIED),
        ("31 01", Session.EXTENDED, Access.ACTUATE, FAST, Code.INCORRECT_LENGTH),
        ("31 01 00 00 00", Session.EXTENDED, Access.FLASH, FAST, Code.INCORRECT_LENGTH),
        ("31 01 00", Session.EXTENDED, Access.FLASH, FAST, Code.VEHICLE_SPEED_TOO_HIGH),
        ("31 01 00", Session.EXTENDED, Access.FLASH, STILL, None),
    ],
)
def test_a_sub_function_is_checked_for_being_there_then_session_access_length_and_conditions(
    ask, tester, speed, text, session, access, speed_now, code
):
    prepare(tester, session, access)
    speed[0] = speed_now
    assert code_of(ask(text)) == code


@pytest.mark.parametrize(
    ("speed", "code"),
    [
        (STANDSTILL + 1e-9, Code.VEHICLE_SPEED_TOO_HIGH), (-STANDSTILL - 1e-9, Code.VEHICLE_SPEED_TOO_HIGH),
        (math.inf, Code.VEHICLE_SPEED_TOO_HIGH), (-math.inf, Code.VEHICLE_SPEED_TOO_HIGH),
        (math.nan, Code.CONDITIONS_NOT_CORRECT),
    ],
)  # fmt: skip
def test_a_car_whose_speed_is_too_high_or_not_known_does_not_stand(speed, code):
    with pytest.raises(NegativeResponseError) as refused:
        require_standstill(lambda: speed)
    assert refused.value.code == code
    require_standstill(lambda: -STANDSTILL)


def test_a_server_that_is_told_no_speed_does_nothing_that_asks_for_standing(tester):
    server = DiagnosticServer([diagnostic_session_control.service()])
    assert server.request(tester, b"\x10\x03", 0.0)[0] == 0x50
    assert server.request(tester, b"\x10\x02", 0.0) == b"\x7f\x10\x22"


def test_nothing_is_said_to_an_empty_request(ask):
    assert ask("") is None


@pytest.mark.parametrize("number", [0x00, 0x21, 0x3F, 0x40, 0x7E, 0x7F, 0xBF, 0xFF])
def test_a_service_that_is_not_there_is_not_supported(ask, number):
    assert ask(f"{number:02x}") == bytes([0x7F, number, 0x11])


def test_a_positive_answer_is_suppressed_and_a_negative_one_is_not(ask):
    assert ask("31 02") == b"\x71\x02"
    assert ask("31 82") is None
    assert ask("31 82 00") == b"\x7f\x31\x13"
    assert ask("31 83") == b"\x7f\x31\x12"


def test_bytes_of_services_without_sub_function_suppress_nothing(ask, tester):
    prepare(tester, Session.EXTENDED, Access.ACTUATE)
    assert ask("22 80 80") == b"\x62\x80\x80"


SILENT = {0x11, 0x12, 0x31, 0x7E, 0x7F}


@pytest.mark.parametrize("index", range(len(Code)))
def test_to_a_request_to_all_a_control_unit_that_cannot_serve_it_says_nothing(ask, index):
    code = list(Code)[index]
    expected = bytes([0x7F, 0xC0 + index, code])
    assert ask(f"{0xC0 + index:02x}") == expected
    assert ask(f"{0xC0 + index:02x}", functional=True) == (None if code in SILENT else expected)


def test_checks_before_a_service_are_silent_for_all_by_the_same_rule(ask):
    assert ask("ff", functional=True) is None
    assert ask("22 01 02", functional=True) is None
    assert ask("31 03", functional=True) is None
    assert ask("31 01 00", functional=True) is None
    assert ask("31", functional=True) == b"\x7f\x31\x13"
    assert ask("31 02", functional=True) == b"\x71\x02"
    assert ask("31 82", functional=True) is None


def test_an_answer_that_is_longer_than_a_message_is_refused(ask):
    assert ask("23") == b"\x7f\x23\x14"
    assert len(ask("14")) == LONGEST


def test_a_session_ends_when_nothing_is_heard_and_with_it_access_and_what_was_started(server, ask, tester):
    left = []
    ask("10 03")
    tester.access = Access.FLASH
    tester.leaving.append(left.append)
    assert server.poll([tester], S3_TIME) == []
    assert (tester.session, tester.access) == (Session.EXTENDED, Access.FLASH)
    server.poll([tester], S3_TIME + 0.01)
    assert (tester.session, tester.access) == (Session.DEFAULT, Access.LOCKED)
    assert left == [tester]
    server.poll([tester], 100.0)
    assert left == [tester]


@pytest.mark.parametrize("text", ["3e 00", "3e 80", "3e 01", "ff", "22"])
def test_any_request_keeps_a_session_alive(server, ask, tester, text):
    ask("10 03")
    for second in range(1, 20):
        ask(text, float(second))
        server.poll([tester], float(second))
    assert tester.session == Session.EXTENDED


def test_a_session_that_was_not_polled_has_ended_when_the_next_request_comes(ask, tester):
    ask("10 03")
    tester.access = Access.FLASH
    assert ask("22 01 02", S3_TIME + 0.01) == b"\x7f\x22\x7f"
    assert tester.access == Access.LOCKED


def test_each_change_of_session_locks_even_into_the_same(ask, tester):
    ask("10 03")
    tester.access = Access.FLASH
    ask("10 03")
    assert tester.access == Access.LOCKED


def test_what_fails_when_a_session_ends_keeps_nothing_else_from_ending(tester):
    left = []

    def fail(tester):
        raise ZeroDivisionError

    tester.leaving += [left.append, fail, left.append]
    with pytest.raises(ZeroDivisionError):
        tester.enter(Session.DEFAULT)
    assert left == [tester, tester]
    assert tester.leaving == []


def test_testers_have_sessions_of_their_own(server, ask, tester):
    other = Tester("0x7E0")
    ask("10 03")
    assert server.request(other, bytes.fromhex("22 01 02"), 0.0) == b"\x7f\x22\x7f"
    assert (tester.session, other.session) == (Session.EXTENDED, Session.DEFAULT)


def test_who_works_long_says_so_in_time_and_again_and_answers_in_the_end(server, ask, tester, work):
    assert ask("36") is None
    said = [(0.005 * step, answer) for step in range(2000) for _, answer in server.poll([tester], 0.005 * step)]
    times = [time for time, _ in said]
    assert all(answer == b"\x7f\x36\x78" for _, answer in said)
    assert times[0] < P2_TIME
    assert all(later - earlier < P2_STAR_TIME for earlier, later in itertools.pairwise(times))
    assert len(said) < 10
    work.result = b"\x01"
    assert server.poll([tester], 10.0) == [(tester, b"\x76\x01")]
    assert server.poll([tester], 10.0) == []


def test_work_that_is_done_at_once_is_answered_at_once(ask, work):
    work.result = b"\x01"
    assert ask("36") == b"\x76\x01"


def test_work_may_end_with_a_refusal(server, ask, tester, work):
    ask("36")
    work.result = Code.GENERAL_PROGRAMMING_FAILURE
    assert server.poll([tester], 0.01) == [(tester, b"\x7f\x36\x72")]


def test_a_mistake_in_long_work_is_told_and_the_tester_may_ask_again(server, ask, tester, work):
    ask("36")
    work.result = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        server.poll([tester], 0.01)
    assert not server.is_working
    work.result = b"\x01"
    assert ask("36") == b"\x76\x01"


def test_after_response_pending_the_answer_is_not_suppressed_nor_silent_to_all(server, ask, tester, work):
    ask("2f 81")
    work.result = b"\x01"
    assert server.poll([tester], 0.01) == []
    work.result = None
    ask("2f 81")
    assert server.poll([tester], 0.04) == [(tester, b"\x7f\x2f\x78")]
    work.result = b"\x01"
    assert server.poll([tester], 0.05) == [(tester, b"\x6f\x01")]
    work.result = None
    ask("36", 1.0, functional=True)
    assert server.poll([tester], 1.04) == [(tester, b"\x7f\x36\x78")]
    work.result = Code.REQUEST_OUT_OF_RANGE
    assert server.poll([tester], 1.05) == [(tester, b"\x7f\x36\x31")]


def test_who_works_is_busy_for_the_same_tester_alone_and_lets_the_presence_pass(server, ask, tester, work):
    other = Tester("0x7E0")
    ask("36")
    assert ask("31 02", 0.01) == b"\x7f\x31\x21"
    assert ask("36", 0.01) == b"\x7f\x36\x21"
    assert ask("3e 80", 0.01) is None
    assert ask("3e 80", 0.01, functional=True) is None
    assert ask("01 00", 0.01, functional=True) is None
    assert ask("31 02", 0.01, functional=True) == b"\x7f\x31\x21"
    assert server.request(other, b"\x31\x02", 0.01) == b"\x71\x02"
    work.result = b""
    assert server.poll([tester, other], 0.02) == [(tester, b"\x76")]


def test_a_session_does_not_end_over_work_and_counts_from_its_end(server, ask, tester, work):
    ask("10 03")
    ask("36")
    for second in range(20):
        server.poll([tester], float(second))
    assert tester.session == Session.EXTENDED
    work.result = b""
    server.poll([tester], 20.0)
    server.poll([tester], 20.0 + S3_TIME)
    assert tester.session == Session.EXTENDED
    server.poll([tester], 20.01 + S3_TIME)
    assert tester.session == Session.DEFAULT


def test_what_is_to_happen_after_an_answer_happens_once_when_it_is_time(server, tester):
    done = []
    tester.afterwards.append((SENDING_TIME, lambda: done.append(1)))
    server.poll([tester], SENDING_TIME - 0.01)
    assert done == []
    server.poll([tester], SENDING_TIME)
    server.poll([tester], 1.0)
    assert done == [1]


def test_audited_services_are_logged_before_and_after_and_when_they_are_refused(server, ask, tester, work, log):
    ask("31 02")
    ask("31 82")
    ask("31 01 00")
    ask("31")
    ask("22 01 02")
    ask("ff")
    assert log == [
        ("0x797", "with sub-functions 31 02", "allowed"),
        ("0x797", "with sub-functions 31 02", "done"),
        ("0x797", "with sub-functions 31 82", "allowed"),
        ("0x797", "with sub-functions 31 82", "done"),
        ("0x797", "with sub-functions 31 01 00", "refused: sub function not supported in session"),
        ("0x797", "with sub-functions 31", "refused: incorrect length"),
    ]
    log.clear()
    ask("36" + " 00" * 99)
    work.result = Code.GENERAL_REJECT
    server.poll([tester], 0.01)
    what = "long 36" + " 00" * 15 + " ... (100 bytes)"
    assert log == [("0x797", what, "allowed"), ("0x797", what, "refused: general reject")]


def test_what_cannot_be_logged_is_not_done(tester):
    done = []

    def full(*_):
        raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)

    def handle(request):
        done.append(request)
        return b""

    services = [
        Service(0x2E, "write", Rule("write", handle), audited=True),
        Service(0x22, "read", Rule("read", handle)),
        diagnostic_session_control.service(),
    ]
    server = DiagnosticServer(services, audit=full)
    assert server.request(tester, b"\x2e", 0.0) == b"\x7f\x2e\x22"
    assert done == []
    assert server.request(tester, b"\x22", 0.0) == b"\x62"
    assert server.request(tester, b"\x10\x03", 0.0)[0] == 0x50
