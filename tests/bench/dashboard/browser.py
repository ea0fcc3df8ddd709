"""A dashboard of its own process, and a real browser in front of it."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hil.captures.blf import read_own_blf
from hil.decoding import Recording
from hil.network.database import Network

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMPILED = 900.0  # [s] until a dashboard must be there: the first one compiles
PATIENCE = 30.0  # [s] until a condition must hold; a machine may be busy
LOOK = 0.1  # [s]
TORQUE_REQUEST = 0x1D4
LAST = 20  # frames that are decoded


def browser() -> str | None:
    """The browser of this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """What ``condition`` gives once it is true."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(LOOK)
    return found


class Dashboard:
    """``e4hil dashboard`` with these arguments, and what it has printed."""

    def __init__(self, *arguments: str, state: Path) -> None:
        self.lines: list[str] = []
        command = [sys.executable, "-m", "bench.cli", "dashboard", "--no-fifo", *arguments]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "E4HIL_STATE_DIR": str(state)},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        self.lines.extend(self._process.stderr)

    def wait_until_there(self) -> None:
        wait_for(lambda: self.said(r"code (\d+)") or self._process.poll() is not None, "a dashboard", COMPILED)
        assert self._process.poll() is None, "".join(self.lines)

    def said(self, pattern: str) -> list[str]:
        """What the lines hold of a pattern, in the order in which it came."""
        return re.findall(pattern, "".join(list(self.lines)))

    @property
    def address(self) -> str:
        """The address that opens the page next."""
        return self.said(r"(http://\S+\?token=\S+)")[-1]

    @property
    def site(self) -> str:
        return self.address.split("?")[0]

    @property
    def code(self) -> str:
        return self.said(r"code (?:is now )?(\d{6})")[-1]

    def end(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._reader.join(PATIENCE)
            assert self._process.stderr
            self._process.stderr.close()
        return status


@contextmanager
def opened(address: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page in a browser of its own, and the errors in its console."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        page = chromium.new_context(viewport={"width": 1366, "height": 768}, **options).new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.get_by_role("tab", name="Buses and loop").wait_for()
        yield page, errors
        chromium.close()


def front_torque(recording: Path, network: Network) -> float:
    """The front motor's torque [Nm] that the last recorded frames ask for; NaN before the first."""
    frames, _ = read_own_blf(recording)
    bus = network.bus("front").index
    asked = frames[(frames["identifier"] == TORQUE_REQUEST) & (frames["bus"] == bus)][-LAST:]
    values = Recording(network, asked).requested("front.motor_torque").values
    return float(values[-1]) if len(values) else math.nan
