"""What many tests wait for: a condition that comes true, and a process that has left nothing behind."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll for a condition; the time is only there so that a failing test ends."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.002)


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Neither a thread nor an open file is there afterwards that was not there before."""
    threads, files = threading.active_count(), open_files()
    yield
    wait_until(lambda: threading.active_count() == threads)  # a driver's thread may end after its bus is closed
    assert open_files() == files


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
