"""0x27 SecurityAccess: seeds and keys, a pair of sub-functions for each level."""

from collections.abc import Iterator

from hil.diagnostics.lock import KEY_SIZE, LEVELS, Lock
from hil.diagnostics.protocol import NOT_DEFAULT, Access, Request, Rule, Service

HEAD = 2  # bytes before the key


def service(lock: Lock) -> Service:
    """SecurityAccess, with sub-functions 0x01 and 0x02 for the first level of ``lock``, 0x03 and 0x04 for the second, ..."""
    return Service(0x27, "SecurityAccess", sub_functions=dict(_rules(lock)), audited=True)


def request_seed(level: Access) -> int:
    """The sub-function that asks for the seed of a level."""
    return 2 * level - 1


def send_key(level: Access) -> int:
    """The sub-function that sends the key of a level."""
    return 2 * level


def _rules(lock: Lock) -> Iterator[tuple[int, Rule]]:
    def seed(request: Request) -> bytes:
        level = Access((request.sub_function + 1) // 2)
        return bytes([request.sub_function]) + lock.seed(request.tester, level, request.now)

    def key(request: Request) -> bytes:
        level = Access(request.sub_function // 2)
        lock.try_key(request.tester, level, request.data[HEAD:], request.now)
        return bytes([request.sub_function])

    for level in LEVELS:
        name = level.name.lower()
        yield request_seed(level), Rule(f"requestSeed, {name}", seed, HEAD, HEAD, NOT_DEFAULT)
        yield send_key(level), Rule(f"sendKey, {name}", key, HEAD + KEY_SIZE, HEAD + KEY_SIZE, NOT_DEFAULT)
