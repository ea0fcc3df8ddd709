"""The lock on the door: seeds, keys, and how often they may be tried (0x27 SecurityAccess).

A key is an HMAC-SHA256 over level, tester and seed, with a key of that level. The keys of all levels are derived (HKDF, RFC 5869)
from one secret, which is generated at the first start and kept in a file for its owner's eyes alone. Who is to open some levels
only is given ``level_key`` of these.

Attempts are counted in a file before a key is compared: cutting the power at the right moment gives no attempt for nothing.
A control unit that starts with a used-up counter begins its delay anew, so no clock has to survive with it.
"""

import contextlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hil.diagnostics.protocol import Access, Code, NegativeResponseError, Session, Tester
from hil.errors import UsageError
from hil.state_directory import write_durably

SECRET_FILE = "security_access.key"
ATTEMPTS_FILE = "security_access_attempts.json"
SECRET_SIZE = 32  # bytes
SEED_SIZE = 16  # bytes
KEY_SIZE = 32  # bytes
SEED_TIME = 10.0  # [s] for which a seed is good
ATTEMPTS = 3  # wrong keys after which there is a delay, and then after each
DELAY = 10.0  # [s]
LEVELS: tuple[Access, ...] = tuple(level for level in Access if level != Access.LOCKED)


def read_secret(path: Path) -> bytes:
    """The secret in a file. Raises UsageError if there is none, if it is broken, or if others than its owner can read it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            text = file.read(2 * SECRET_SIZE + 2) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if status.st_mode & 0o077:
        raise UsageError(f"{path}: others can read the secret; remove it to have a new one, or forbid that with chmod 600")
    try:
        secret = bytes.fromhex(text.decode())
    except ValueError:
        secret = b""
    if len(secret) != SECRET_SIZE:
        raise UsageError(f"{path}: is broken: expected {2 * SECRET_SIZE} hexadecimal digits; remove it to have a new one")
    return secret


def level_key(secret: bytes, level: Access) -> bytes:
    """The key that opens one level, and no other."""
    return HKDF(SHA256(), SECRET_SIZE, salt=None, info=b"e4hil security access %d" % level).derive(secret)


def key_for_seed(key_of_level: bytes, level: Access, tester: str, seed: bytes) -> bytes:
    """What the tester of this name has to send back for a seed."""
    mac = HMAC(key_of_level, SHA256())
    mac.update(bytes([level]) + seed + tester.encode())
    return mac.finalize()


@dataclass(frozen=True)
class Seed:
    """A seed that waits for its key."""

    level: Access
    value: bytes
    given: float  # [s]


class Lock:
    """Gives seeds and compares keys, for any thread, one at a time. What it opens ends with the tester's session."""

    def __init__(self, directory: Path, now: float, report: Callable[[str], None] | None = None) -> None:
        """``directory``: where the secret and the counters of attempts are. Raises UsageError if the secret cannot be used."""
        secret_file = directory / SECRET_FILE
        if not os.path.lexists(secret_file):
            try:
                write_durably(secret_file, secrets.token_hex(SECRET_SIZE).encode() + b"\n")
            except OSError as error:
                raise UsageError(f"{secret_file}: cannot be written: {error.strerror}") from error
        secret = read_secret(secret_file)
        self._keys = {level: level_key(secret, level) for level in LEVELS}
        self._attempts_file = directory / ATTEMPTS_FILE
        self._attempts = self._read_attempts(report)
        self._delayed_until = {level: now + DELAY for level in LEVELS if self._attempts[level] >= ATTEMPTS}  # [s]
        self._seeds: dict[Tester, Seed] = {}
        self._mutex = threading.Lock()  # two who try at once have two attempts

    def seed(self, tester: Tester, level: Access, now: float) -> bytes:
        """A new seed, which is good once and for a short time; zeros if the level is open. Raises NegativeResponseError."""
        if tester.session == Session.DEFAULT:
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        if tester.access >= level:
            return bytes(SEED_SIZE)
        with self._mutex:
            if now < self._delayed_until.get(level, now):
                raise NegativeResponseError(Code.REQUIRED_TIME_DELAY_NOT_EXPIRED)
            if self._forget not in tester.leaving:
                tester.leaving.append(self._forget)
            seed = self._seeds[tester] = Seed(level, secrets.token_bytes(SEED_SIZE), now)
            return seed.value

    def try_key(self, tester: Tester, level: Access, key: bytes, now: float) -> None:
        """Open ``level`` if ``key`` is the one for the seed that the tester was given last. Raises NegativeResponseError."""
        with self._mutex:
            self._try_key(tester, level, key, now)

    def _try_key(self, tester: Tester, level: Access, key: bytes, now: float) -> None:
        seed = self._seeds.pop(tester, None)
        if seed is None or seed.level != level or now - seed.given > SEED_TIME:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        try:
            self._count(level, min(self._attempts[level] + 1, ATTEMPTS))
        except OSError as error:  # of a full disk: an attempt that is not counted is none
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT) from error
        if not constant_time.bytes_eq(key, key_for_seed(self._keys[level], level, tester.name, seed.value)):
            raise NegativeResponseError(self._refusal(level, now))
        with contextlib.suppress(OSError):  # the count stays as it is, which opens nothing
            self._count(level, 0)
        tester.access = level

    def _refusal(self, level: Access, now: float) -> Code:
        if self._attempts[level] < ATTEMPTS:
            return Code.INVALID_KEY
        self._delayed_until[level] = now + DELAY
        self._seeds = {tester: seed for tester, seed in self._seeds.items() if seed.level != level}
        return Code.EXCEEDED_NUMBER_OF_ATTEMPTS

    def _forget(self, tester: Tester) -> None:
        with self._mutex:
            self._seeds.pop(tester, None)

    def _count(self, level: Access, attempts: int) -> None:
        """Raises OSError; the count is then as it was."""
        counted = {**self._attempts, level: attempts}
        write_durably(self._attempts_file, json.dumps({str(int(level)): count for level, count in counted.items()}).encode())
        self._attempts = counted

    def _read_attempts(self, report: Callable[[str], None] | None) -> dict[Access, int]:
        """The counters of the last run. Where they cannot be read, all attempts are used up: a broken file opens nothing."""
        try:
            counted = json.loads(self._attempts_file.read_bytes())
            attempts = {level: counted[str(int(level))] for level in LEVELS}
            if all(type(count) is int and 0 <= count <= ATTEMPTS for count in attempts.values()):
                return attempts
        except FileNotFoundError:
            return dict.fromkeys(LEVELS, 0)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        if report:
            report(f"{self._attempts_file}: is broken; access to all levels begins with a delay of {DELAY:g} s")
        return dict.fromkeys(LEVELS, ATTEMPTS)
