"""Seeds and keys."""

import errno
import hmac
import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.diagnostics import lock as module
from hil.diagnostics.lock import ATTEMPTS, DELAY, LEVELS, SEED_TIME, Lock, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access, Code, NegativeResponseError, Session, Tester
from hil.errors import UsageError


@pytest.fixture
def directory(tmp_path):
    return tmp_path


@pytest.fixture
def lock(directory):
    return Lock(directory, now=0.0)


@pytest.fixture
def tester():
    return Tester("0x797", Session.EXTENDED)


def right_key(directory, level, seed, name="0x797"):
    return key_for_seed(level_key(read_secret(directory / module.SECRET_FILE), level), level, name, seed)


def refusal(call, *arguments):
    with pytest.raises(NegativeResponseError) as refused:
        call(*arguments)
    return refused.value.code


def try_wrong_keys(lock, tester, level, now=0.0):
    """Codes of the answers to wrong keys until the lock says that there were too many."""
    codes = []
    while not codes or codes[-1] != Code.EXCEEDED_NUMBER_OF_ATTEMPTS:
        lock.seed(tester, level, now)
        codes.append(refusal(lock.try_key, tester, level, bytes(32), now))
    return codes


@pytest.mark.parametrize("level", LEVELS)
def test_the_right_key_opens_its_level_whose_seed_is_then_zero(lock, directory, tester, level):
    seed = lock.seed(tester, level, 0.0)
    lock.try_key(tester, level, right_key(directory, level, seed), 1.0)
    assert tester.access == level
    assert lock.seed(tester, level, 2.0) == bytes(len(seed))


def test_the_key_is_the_function_that_is_documented(directory, lock):
    """HKDF and HMAC by the standard library, as anyone may write a tester."""
    secret = bytes.fromhex((directory / module.SECRET_FILE).read_text())
    pseudo_random_key = hmac.digest(bytes(32), secret, "sha256")  # RFC 5869 with no salt
    of_level = hmac.digest(pseudo_random_key, b"e4hil security access 3\x01", "sha256")
    key = hmac.digest(of_level, b"\x03" + b"s" * 16 + b"0x797", "sha256")
    assert key == right_key(directory, Access.ACTUATE, b"s" * 16)


def test_a_seed_is_good_once(lock, directory, tester):
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))
    lock.try_key(tester, Access.READ, key, 0.0)
    tester.enter(Session.EXTENDED)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.REQUEST_SEQUENCE_ERROR
    lock.seed(tester, Access.READ, 0.0)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.INVALID_KEY
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.REQUEST_SEQUENCE_ERROR
    assert tester.access == Access.LOCKED


def test_a_seed_is_good_for_a_short_time(lock, directory, tester):
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))
    assert refusal(lock.try_key, tester, Access.READ, key, SEED_TIME + 0.01) == Code.REQUEST_SEQUENCE_ERROR
    assert tester.access == Access.LOCKED


def test_only_the_last_seed_is_good(lock, directory, tester):
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))
    lock.seed(tester, Access.READ, 0.0)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.INVALID_KEY


def test_the_seed_of_one_level_opens_no_other(lock, directory, tester):
    seed = lock.seed(tester, Access.READ, 0.0)
    assert (
        refusal(lock.try_key, tester, Access.FLASH, right_key(directory, Access.FLASH, seed), 0.0) == Code.REQUEST_SEQUENCE_ERROR
    )
    seed = lock.seed(tester, Access.FLASH, 0.0)
    assert refusal(lock.try_key, tester, Access.FLASH, right_key(directory, Access.READ, seed), 0.0) == Code.INVALID_KEY
    assert tester.access == Access.LOCKED


def test_a_level_key_of_another_level_opens_nothing(directory, lock, tester):
    """Who was given the key to read cannot flash with it, whatever he computes with it."""
    key_to_read = level_key(read_secret(directory / module.SECRET_FILE), Access.READ)
    seed = lock.seed(tester, Access.FLASH, 0.0)
    assert (
        refusal(lock.try_key, tester, Access.FLASH, key_for_seed(key_to_read, Access.FLASH, "0x797", seed), 0.0)
        == Code.INVALID_KEY
    )


def test_the_seed_of_one_tester_does_not_open_for_another(lock, directory, tester):
    other = Tester("0x7DF", Session.EXTENDED)
    seed = lock.seed(tester, Access.READ, 0.0)
    key = right_key(directory, Access.READ, seed)
    assert refusal(lock.try_key, other, Access.READ, key, 0.0) == Code.REQUEST_SEQUENCE_ERROR
    lock.seed(other, Access.READ, 0.0)
    assert refusal(lock.try_key, other, Access.READ, key, 0.0) == Code.INVALID_KEY
    assert other.access == Access.LOCKED
    lock.try_key(tester, Access.READ, key, 0.0)


def test_a_key_is_bound_to_the_name_of_its_tester(lock, directory, tester):
    seed = lock.seed(tester, Access.READ, 0.0)
    assert refusal(lock.try_key, tester, Access.READ, right_key(directory, Access.READ, seed, "0x7E0"), 0.0) == Code.INVALID_KEY


def test_access_and_seed_end_with_the_session(lock, directory, tester):
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))
    tester.enter(Session.EXTENDED)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.REQUEST_SEQUENCE_ERROR
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))
    lock.try_key(tester, Access.READ, key, 0.0)
    tester.enter(Session.PROGRAMMING)
    assert tester.access == Access.LOCKED


def test_there_is_no_seed_in_the_default_session(lock):
    assert refusal(lock.seed, Tester("0x797"), Access.READ, 0.0) == Code.CONDITIONS_NOT_CORRECT


def test_asking_for_seeds_all_day_does_not_fill_the_memory(lock, tester):
    for _ in range(100):
        lock.seed(tester, Access.READ, 0.0)
    assert len(tester.leaving) == 1


def test_too_many_wrong_keys_bring_a_delay_after_which_there_is_one_attempt(lock, directory, tester):
    assert try_wrong_keys(lock, tester, Access.FLASH) == [Code.INVALID_KEY] * (ATTEMPTS - 1) + [Code.EXCEEDED_NUMBER_OF_ATTEMPTS]
    assert refusal(lock.seed, tester, Access.FLASH, DELAY - 0.01) == Code.REQUIRED_TIME_DELAY_NOT_EXPIRED
    assert try_wrong_keys(lock, tester, Access.FLASH, DELAY) == [Code.EXCEEDED_NUMBER_OF_ATTEMPTS]
    assert refusal(lock.seed, tester, Access.FLASH, DELAY + 1.0) == Code.REQUIRED_TIME_DELAY_NOT_EXPIRED
    seed = lock.seed(tester, Access.FLASH, 2 * DELAY)
    lock.try_key(tester, Access.FLASH, right_key(directory, Access.FLASH, seed), 2 * DELAY)
    tester.enter(Session.EXTENDED)
    assert len(try_wrong_keys(lock, tester, Access.FLASH, 2 * DELAY)) == ATTEMPTS


def test_the_delay_of_one_level_is_not_ended_by_opening_another(lock, directory, tester):
    try_wrong_keys(lock, tester, Access.FLASH)
    lock.try_key(tester, Access.READ, right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0)), 0.0)
    assert refusal(lock.seed, tester, Access.FLASH, 1.0) == Code.REQUIRED_TIME_DELAY_NOT_EXPIRED


def test_seeds_of_others_are_void_when_there_were_too_many_attempts(lock, directory, tester):
    other = Tester("0x7E0", Session.EXTENDED)
    key = right_key(directory, Access.FLASH, lock.seed(other, Access.FLASH, 0.0), "0x7E0")
    try_wrong_keys(lock, tester, Access.FLASH)
    assert refusal(lock.try_key, other, Access.FLASH, key, 0.0) == Code.REQUEST_SEQUENCE_ERROR


def test_attempts_are_counted_over_restarts_and_a_used_up_counter_begins_its_delay_anew(directory, tester):
    for _ in range(ATTEMPTS - 1):
        lock = Lock(directory, 0.0)
        lock.seed(tester, Access.FLASH, 0.0)
        assert refusal(lock.try_key, tester, Access.FLASH, b"", 0.0) == Code.INVALID_KEY
    lock = Lock(directory, 0.0)
    assert try_wrong_keys(lock, tester, Access.FLASH) == [Code.EXCEEDED_NUMBER_OF_ATTEMPTS]
    lock = Lock(directory, 100.0)
    assert refusal(lock.seed, tester, Access.FLASH, 100.0 + DELAY - 0.01) == Code.REQUIRED_TIME_DELAY_NOT_EXPIRED
    assert lock.seed(tester, Access.READ, 100.0) != bytes(16)
    assert lock.seed(tester, Access.FLASH, 100.0 + DELAY) != bytes(16)


def test_power_that_fails_while_a_key_is_compared_has_cost_an_attempt(lock, directory, tester, monkeypatch):
    class PowerError(Exception):
        pass

    def power_fails(*_):
        raise PowerError

    lock.seed(tester, Access.FLASH, 0.0)
    monkeypatch.setattr(module.constant_time, "bytes_eq", power_fails)
    with pytest.raises(PowerError):
        lock.try_key(tester, Access.FLASH, bytes(32), 0.0)
    assert json.loads((directory / module.ATTEMPTS_FILE).read_text())["4"] == 1


def test_two_who_try_at_the_same_time_have_two_attempts(lock, directory, monkeypatch):
    def slowly(path, data, write=module.write_durably):
        time.sleep(0.05)
        write(path, data)

    monkeypatch.setattr(module, "write_durably", slowly)
    testers = [Tester(name, Session.EXTENDED) for name in ("0x797", "XCP")]
    for tester in testers:
        lock.seed(tester, Access.READ, 0.0)
    with ThreadPoolExecutor() as threads:
        tries = [threads.submit(lock.try_key, tester, Access.READ, bytes(32), 0.0) for tester in testers]
    assert [attempt.exception().code for attempt in tries] == [Code.INVALID_KEY, Code.INVALID_KEY]
    assert json.loads((directory / module.ATTEMPTS_FILE).read_text())[str(int(Access.READ))] == 2


def test_an_attempt_that_cannot_be_counted_is_none(lock, directory, tester, monkeypatch):
    key = right_key(directory, Access.READ, lock.seed(tester, Access.READ, 0.0))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_durably", full)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.CONDITIONS_NOT_CORRECT
    assert tester.access == Access.LOCKED


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'{"1": 0}', b'{"1":0,"2":0,"3":0,"4":-1}', b"[" * 100_000, b"\xff",
                                     b'{"1":0,"2":0,"3":0,"4":true}', b'{"1":0,"2":0,"3":0,"4":1e99}'])  # fmt: skip
def test_a_broken_counter_opens_nothing_and_is_said(directory, tester, content):
    (directory / module.ATTEMPTS_FILE).write_bytes(content)
    said = []
    lock = Lock(directory, 0.0, said.append)
    assert len(said) == 1
    assert "is broken" in said[0]
    for level in LEVELS:
        assert refusal(lock.seed, tester, level, 0.0) == Code.REQUIRED_TIME_DELAY_NOT_EXPIRED
    lock.try_key(tester, Access.READ, right_key(directory, Access.READ, lock.seed(tester, Access.READ, DELAY)), DELAY)
    assert Lock(directory, 0.0, said.append)
    assert len(said) == 1


def test_the_secret_is_made_at_the_first_start_for_its_owner_alone_and_kept(directory):
    Lock(directory, 0.0)
    file = directory / module.SECRET_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = read_secret(file)
    Lock(directory, 0.0)
    assert read_secret(file) == secret
    assert len(secret) == 32


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64, b"\0" * 64])
def test_a_broken_secret_is_refused_with_a_message(directory, content):
    file = directory / module.SECRET_FILE
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="is broken: expected 64 hexadecimal digits"):
        Lock(directory, 0.0)
    assert file.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_can_reach_is_refused(directory, lock, mode):
    (directory / module.SECRET_FILE).chmod(mode)
    with pytest.raises(UsageError, match="others can read the secret"):
        Lock(directory, 0.0)


def test_a_link_or_a_folder_in_place_of_the_secret_is_refused(directory):
    file = directory / module.SECRET_FILE
    file.symlink_to(directory / "elsewhere")
    with pytest.raises(UsageError, match="cannot be read"):
        Lock(directory, 0.0)
    file.unlink()
    file.mkdir(mode=0o700)
    with pytest.raises(UsageError, match=r"cannot be read|is broken"):
        Lock(directory, 0.0)


def test_a_place_where_nothing_can_be_written_is_told(directory):
    with pytest.raises(UsageError, match="cannot be written"):
        Lock(directory / "missing", 0.0)


@given(key=st.binary(max_size=40))
def test_no_key_but_the_right_one_opens(tmp_path_factory, key):
    lock = Lock(tmp_path_factory.mktemp("lock"), 0.0)
    tester = Tester("0x797", Session.EXTENDED)
    lock.seed(tester, Access.READ, 0.0)
    assert refusal(lock.try_key, tester, Access.READ, key, 0.0) == Code.INVALID_KEY
    assert tester.access == Access.LOCKED
