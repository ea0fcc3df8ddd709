"""0x10 DiagnosticSessionControl, 0x3E TesterPresent, 0x11 ECUReset."""

import pytest

from hil.diagnostics.protocol import SENDING_TIME, Access, Session, Tester
from hil.diagnostics.services import diagnostic_session_control, ecu_reset, tester_present


@pytest.fixture
def restarts():
    return []


@pytest.fixture
def server(server_of, restarts):
    reset = ecu_reset.service(lambda: restarts.append(1))
    return server_of(diagnostic_session_control.service(), tester_present.service(), reset)


@pytest.fixture
def ask(server, tester):
    return lambda text, now=0.0: server.request(tester, bytes.fromhex(text), now)


def test_an_answer_to_session_control_tells_the_times_of_answers(ask):
    assert ask("10 03") == bytes.fromhex("50 03 00 32 01 f4")  # 50 ms, 5 s in steps of 10 ms


def test_programming_is_reached_from_the_extended_session_alone_and_only_standing(ask, tester, speed):
    tester.enter(Session.DEFAULT)
    assert ask("10 02") == b"\x7f\x10\x7e"
    ask("10 03")
    speed[0] = 3.0
    assert ask("10 02") == b"\x7f\x10\x88"
    assert tester.session == Session.EXTENDED
    speed[0] = 0.0
    assert ask("10 02")[0] == 0x50
    assert tester.session == Session.PROGRAMMING
    speed[0] = 3.0
    assert ask("10 81") is None
    assert tester.session == Session.DEFAULT


def test_tester_present_answers_unless_it_is_told_not_to(ask):
    assert ask("3e 00") == b"\x7e\x00"
    assert ask("3e 80") is None
    assert ask("3e 01") == b"\x7f\x3e\x12"
    assert ask("3e 00 00") == b"\x7f\x3e\x13"


@pytest.mark.parametrize("kind", ["01", "02", "03", "81"])
def test_a_reset_is_answered_first_and_then_begins_once(server, ask, tester, restarts, kind):
    tester.access = Access.FLASH
    assert ask(f"11 {kind}") == (None if kind == "81" else bytes.fromhex(f"51 {kind}"))
    ask(f"11 {kind}", 0.01)
    server.poll([tester], SENDING_TIME - 0.01)
    assert restarts == []
    server.poll([tester], SENDING_TIME)
    server.poll([tester], 1.0)
    assert restarts == [1]
    assert (tester.session, tester.access) == (Session.DEFAULT, Access.LOCKED)


def test_a_flood_of_requests_does_not_put_off_a_reset(server, ask, tester, restarts):
    ask("11 01")
    for step in range(1, 30):
        ask("11 01", 0.01 * step)
        server.poll([tester], 0.01 * step)
        if restarts:
            break
    assert 0.01 * step == pytest.approx(SENDING_TIME)


def test_a_car_that_drives_is_not_reset_nor_one_whose_tester_has_no_session(server, ask, tester, speed, restarts):
    speed[0] = 10.0
    assert ask("11 01") == b"\x7f\x11\x88"
    assert server.request(Tester("0x7E0"), b"\x11\x01", 0.0) == b"\x7f\x11\x7f"
    assert ask("11 04") == b"\x7f\x11\x12"
    server.poll([tester], 1.0)
    assert restarts == []
