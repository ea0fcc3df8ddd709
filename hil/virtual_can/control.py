"""The hub's control interface: one command a line on a Unix socket, one JSON object a line as the answer.

The commands are the methods of ``HubClient``; on the socket one is written like ``lose front0 probability=0.1``.
"""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hil.errors import UsageError
from hil.virtual_can.claim import default_folder
from hil.virtual_can.injection import Effect

SOCKET_NAME = "control"
COMMANDS = (
    "statistics, delay TARGET SECONDS, lose TARGET [OPTION ...], corrupt TARGET [OPTION ...], bus-off PORT, unplug PORT, "
    "plug PORT, clear [TARGET]; a target is a bus or a port, options are probability=0.1, count=5, identifier=0x1DB"
)
LONGEST_COMMAND = 1024  # [bytes]
TIMEOUT = 5.0  # [s] a hub that does not answer by then hangs


def parse_options(words: list[str]) -> dict[str, Any]:
    """``probability``, ``count`` and ``identifier`` from words of the form key=value."""
    options: dict[str, Any] = {"probability": 1.0, "count": None, "identifier": None}
    readers: Mapping[str, Callable[[str], Any]] = {
        "probability": float,
        "count": int,
        "identifier": lambda text: int(text, 0),
    }
    for word in words:
        key, equals, text = word.partition("=")
        if key not in readers or not equals:
            raise UsageError(f'"{word}": expected {", ".join(f"{name}=…" for name in readers)}')
        options[key] = number(readers[key], text, word)
    if not 0.0 <= options["probability"] <= 1.0:
        raise UsageError(f"probability={options['probability']:g}: must be 0 to 1")
    if options["count"] is not None and options["count"] < 1:
        raise UsageError(f"count={options['count']}: must be at least 1")
    return options


def number(reader: Callable[[str], Any], text: str, word: str) -> Any:
    """``text`` as a number. Raises UsageError."""
    try:
        return reader(text)
    except ValueError as error:
        raise UsageError(f'"{word}": a number was expected') from error


class HubClient:
    """Tells a running hub what to do. The methods are the commands; a refusal raises UsageError."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: that of the hub, if not the default. Raises UsageError if no hub runs there."""
        path = (folder or default_folder()) / SOCKET_NAME
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise UsageError(f"no hub at {path}: {error.strerror or error}; start one with: e4hil hub") from error
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()

    def tell(self, command: str) -> dict[str, Any]:
        """Send one command and return the answer."""
        try:
            self._socket.sendall(" ".join(command.split()).encode() + b"\n")
            line = self._answers.readline()
        except OSError as error:
            raise UsageError(f"the hub does not answer: {error.strerror or error}") from error
        if not line:
            raise UsageError("the hub has gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise UsageError(f"{command}: {answer['error']}")
        return answer

    def statistics(self) -> dict[str, Any]:
        """Every bus with its ports, and the disturbances in force."""
        return self.tell("statistics")

    def delay(self, target: str, seconds: float) -> None:
        """Hand frames to a port, or to all ports of a bus, over later."""
        self.tell(f"delay {target} {seconds}")

    def lose(self, target: str, **options: float | int) -> None:
        """Frames vanish: ``probability``, ``count``, ``identifier``."""
        self._disturb(Effect.LOSE, target, options)

    def corrupt(self, target: str, **options: float | int) -> None:
        """Frames are destroyed by an error frame: ``probability``, ``count``, ``identifier``."""
        self._disturb(Effect.CORRUPT, target, options)

    def bus_off(self, port: str) -> None:
        """Drive a port off its bus."""
        self.tell(f"bus-off {port}")

    def unplug(self, port: str) -> None:
        """Pull the cable of a port."""
        self.tell(f"unplug {port}")

    def plug(self, port: str) -> None:
        """Put the cable of a port back."""
        self.tell(f"plug {port}")

    def clear(self, target: str = "") -> None:
        """Take disturbances back: all, or those of a target."""
        self.tell(f"clear {target}")

    def _disturb(self, effect: Effect, target: str, options: Mapping[str, float | int]) -> None:
        self.tell(" ".join([effect.value, target, *(f"{key}={value}" for key, value in options.items())]))
