"""0x28 CommunicationControl and 0x85 ControlDTCSetting: what is off while a session lasts."""

import pytest

from hil.diagnostics.protocol import S3_TIME, Access, Session, Tester
from hil.diagnostics.services import communication_control, control_dtc_setting, diagnostic_session_control


@pytest.fixture
def sending():
    """What was switched, in order."""
    return []


@pytest.fixture
def detecting():
    return []


@pytest.fixture
def server(server_of, sending, detecting):
    return server_of(
        diagnostic_session_control.service(),
        communication_control.service(sending.append),
        control_dtc_setting.service(detecting.append),
    )


@pytest.fixture
def ask(server, tester):
    tester.access = Access.ACTUATE
    return lambda text, now=0.0: server.request(tester, bytes.fromhex(text), now)


def test_sending_is_stopped_once_and_begun_again_when_asked(ask, sending):
    assert ask("28 01 01") == b"\x68\x01"
    assert ask("28 01 03") == b"\x68\x01"
    assert sending == [False]
    assert ask("28 00 01") == b"\x68\x00"
    assert ask("28 00 01") == b"\x68\x00"
    assert sending == [False, True]


@pytest.mark.parametrize("session", ["10 01", "10 02", "10 03"])
def test_sending_begins_again_when_the_session_is_left_for_whichever(ask, sending, tester, session):
    ask("28 01 01")
    ask(session)
    assert sending == [False, True]
    assert tester.leaving == []


def test_sending_begins_again_when_the_tester_falls_silent(server, ask, sending, tester):
    ask("28 01 01")
    server.poll([tester], S3_TIME + 0.01)
    assert sending == [False, True]


def test_sending_begins_again_after_the_last_of_two_testers(server, ask, sending, tester):
    other = Tester("0x7E0", Session.EXTENDED, Access.ACTUATE)
    ask("28 01 01")
    server.request(other, b"\x28\x01\x01", 0.0)
    ask("28 00 01")
    assert sending == [False]
    server.request(other, b"\x10\x01", 0.0)
    assert sending == [False, True]


def test_sending_is_stopped_by_who_may_act_standing_and_in_a_session_alone(ask, sending, tester, speed):
    speed[0] = 1.0
    assert ask("28 01 01") == b"\x7f\x28\x88"
    assert ask("28 00 01") == b"\x68\x00"
    tester.access = Access.CALIBRATE
    assert ask("28 01 01") == b"\x7f\x28\x33"
    tester.enter(Session.DEFAULT)
    assert ask("28 01 01") == b"\x7f\x28\x7f"
    assert sending == []


@pytest.mark.parametrize(
    ("request_text", "code"),
    [("28 02 01", 0x12), ("28 03 01", 0x12), ("28 01 00", 0x31), ("28 01 02", 0x31), ("28 01 11", 0x31), ("28 01", 0x13),
     ("28 01 01 00", 0x13), ("28 00 02", 0x31), ("28", 0x13)],
)  # fmt: skip
def test_receiving_is_never_stopped_and_other_networks_are_not_there(ask, sending, request_text, code):
    assert ask(request_text) == bytes([0x7F, 0x28, code])
    assert sending == []


def test_trouble_codes_are_kept_still_until_asked_for_or_the_session_is_the_default_one(server, ask, detecting, tester):
    assert ask("85 02") == b"\xc5\x02"
    assert ask("85 02") == b"\xc5\x02"
    assert ask("10 02")[0] == 0x50
    assert detecting == [False]
    assert ask("85 01") == b"\xc5\x01"
    assert detecting == [False, True]
    ask("85 82")
    for _ in range(10):
        ask("10 03")
    assert len(tester.leaving) == 1
    server.poll([tester], S3_TIME + 0.01)
    assert detecting == [False, True, False, True]
    assert tester.leaving == []


def test_settings_of_single_trouble_codes_are_not_there(ask, detecting):
    assert ask("85 02 ff ff ff") == b"\x7f\x85\x13"
    assert ask("85 03") == b"\x7f\x85\x12"
    assert detecting == []
