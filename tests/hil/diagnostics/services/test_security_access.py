"""0x27 SecurityAccess through the server; the lock itself is tested in test_lock."""

import pytest

from hil.diagnostics.lock import LEVELS, SECRET_FILE, Lock, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access, Session
from hil.diagnostics.services import diagnostic_session_control, security_access


@pytest.fixture
def ask(server_of, tester, tmp_path):
    server = server_of(security_access.service(Lock(tmp_path, 0.0)), diagnostic_session_control.service())
    return lambda data, now=0.0: server.request(tester, bytes(data), now)


def key(tmp_path, level, seed):
    return key_for_seed(level_key(read_secret(tmp_path / SECRET_FILE), level), level, "0x797", seed)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_a_pair_of_sub_functions(ask, tester, tmp_path, level):
    answer = ask([0x27, 2 * level - 1])
    assert answer[:2] == bytes([0x67, 2 * level - 1])
    assert ask(bytes([0x27, 2 * level]) + key(tmp_path, level, answer[2:])) == bytes([0x67, 2 * level])
    assert tester.access == level
    assert ask([0x27, 1]) == b"\x67\x01" + bytes(16)


def test_a_key_without_a_seed_or_for_another_level_is_out_of_sequence(ask, tmp_path):
    assert ask(b"\x27\x02" + bytes(32)) == b"\x7f\x27\x24"
    seed = ask(b"\x27\x07")[2:]
    assert ask(b"\x27\x02" + key(tmp_path, Access.READ, seed)) == b"\x7f\x27\x24"


def test_three_wrong_keys_are_told_apart_and_bring_the_delay(ask):
    answers = []
    for _ in range(3):
        ask(b"\x27\x01")
        answers.append(ask(b"\x27\x02" + bytes(32))[2])
    assert answers == [0x35, 0x35, 0x36]
    assert ask(b"\x27\x01") == b"\x7f\x27\x37"


def test_lengths_and_levels_that_are_none_are_refused(ask):
    assert ask(b"\x27\x01\x00") == b"\x7f\x27\x13"
    assert ask(b"\x27\x02" + bytes(31)) == b"\x7f\x27\x13"
    assert ask(b"\x27\x00") == b"\x7f\x27\x12"
    assert ask(b"\x27\x09") == b"\x7f\x27\x12"


def test_nothing_is_unlocked_in_the_default_session_and_access_ends_with_its_session(ask, tester, tmp_path):
    seed = ask(b"\x27\x01")[2:]
    ask(b"\x10\x03")
    assert ask(b"\x27\x02" + key(tmp_path, Access.READ, seed)) == b"\x7f\x27\x24"
    seed = ask(b"\x27\x01")[2:]
    ask(b"\x27\x02" + key(tmp_path, Access.READ, seed))
    assert tester.access == Access.READ
    ask(b"\x10\x01")
    assert (tester.session, tester.access) == (Session.DEFAULT, Access.LOCKED)
    assert ask(b"\x27\x01") == b"\x7f\x27\x7f"
