"""Single keys from the terminal, where there is one."""

import os
import re
import select
import sys
from contextlib import suppress
from typing import Any

ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}
KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|.", re.DOTALL)


class Keyboard:
    """Keys as they are pressed, without waiting for a line; none where nobody types."""

    def __init__(self, file: int | None = None) -> None:
        """``file``: descriptor of a terminal; standard input if none is given."""
        wanted = _standard_input() if file is None else file
        self._file = wanted if wanted is not None and os.isatty(wanted) else None
        self._before: Any = None

    def __enter__(self) -> "Keyboard":
        if self._file is not None:
            import termios
            import tty

            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            import termios

            with suppress(termios.error):  # a terminal that was closed has no settings to get back
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def pressed(self) -> list[str]:
        """The keys since the last call; with a space among them it alone: no other key may undo an emergency stop."""
        if self._file is None or not select.select([self._file], [], [], 0.0)[0]:
            return []
        try:
            text = os.read(self._file, 4096).decode(errors="ignore")
        except OSError:
            self._file = None  # the terminal is closed; the signal that tells so is under way
            return []
        keys = keys_in(text)
        return [" "] if " " in keys else keys


def _standard_input() -> int | None:
    """The descriptor of standard input; None if it is closed, or no file."""
    try:
        return sys.stdin.fileno() if sys.stdin else None
    except (OSError, ValueError):
        return None


def keys_in(text: str) -> list[str]:
    """The keys of what a terminal sends: characters and arrows; other sequences are no key that means anything here."""
    keys = (ARROWS.get(code, code) for code in KEY.findall(text))
    return [key for key in keys if not key.startswith("\x1b")]
