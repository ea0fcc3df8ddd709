"""A port of the hub as bytes, and waiting for what a hub does in its own time."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hil.virtual_can import HubClient

PATIENCE = 10.0  # [s] for what takes milliseconds


def eventually(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it holds."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)
    return found


class Terminal:
    """A port as bytes."""

    def __init__(self, path: Path | str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.seen = b""

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)

    def read(self) -> bytes:
        with suppress(BlockingIOError):
            self.seen += os.read(self.fd, 65536)
        return self.seen

    def expect(self, text: bytes) -> bytes:
        """All that came, up to and including ``text``."""
        eventually(lambda: text in self.read())
        before, self.seen = self.seen.split(text, 1)
        return before + text

    def open_channel(self) -> "Terminal":
        self.write(b"C\rS6\rO\rV\r")
        self.expect(b"V1013\r")
        return self

    def close(self) -> None:
        os.close(self.fd)


def port(client: HubClient, name: str) -> dict[str, Any]:
    return next(port for bus in client.statistics()["buses"] for port in bus["ports"] if port["name"] == name)
