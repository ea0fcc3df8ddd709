import os
import pty
import time

import pytest

from bench.keyboard import Keyboard, keys_in


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("a", ["a"]),
        ("\x1b[A\x1b[A\x1b[B", ["up", "up", "down"]),
        ("\x1bOA", ["up"]),  # an arrow of a terminal in application mode
        ("\x1b[A\x1b[A ", ["up", "up", " "]),
        ("\x1b[a\x1b[1;5A\x1b[15~", []),  # with shift, with control, a function key: none of them arms
        ("", []),
    ],
)
def test_keys_are_told_from_the_sequences_of_a_terminal(sent: str, keys: list[str]) -> None:
    assert keys_in(sent) == keys


def keys_of(keyboard: Keyboard, seconds: float = 5.0) -> list[str]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if keys := keyboard.pressed():
            return keys
        time.sleep(0.002)
    return []


def test_keys_come_without_a_line_and_an_emergency_stop_instead_of_all_others() -> None:
    us, terminal = pty.openpty()
    try:
        with Keyboard(terminal) as keyboard:
            assert keyboard.pressed() == []
            os.write(us, b"\x1b[A\x1b[Aa a")
            assert keys_of(keyboard) == [" "]  # neither arms, nor leaves a torque behind
            os.write(us, b"\x1b[Aa")
            assert keys_of(keyboard) == ["up", "a"]
    finally:
        os.close(us)
        os.close(terminal)


def test_a_terminal_that_is_closed_meanwhile_has_no_more_keys_and_ends_in_order() -> None:
    us, terminal = pty.openpty()
    with Keyboard(terminal) as keyboard:
        os.close(us)
        assert keys_of(keyboard, 0.05) == []
    os.close(terminal)


def test_where_nobody_types_there_are_no_keys() -> None:
    read, write = os.pipe()
    try:
        with Keyboard(read) as keyboard:
            os.write(write, b"a")
            assert keyboard.pressed() == []
    finally:
        os.close(read)
        os.close(write)


def test_where_standard_input_is_closed_nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with Keyboard() as keyboard:
        assert keyboard.pressed() == []
