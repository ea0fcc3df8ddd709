"""What several measurements of ``e4hil performance`` have in common."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hil.wake_ups import steal_time

ROUNDS = 3  # in which two that are compared take turns


@dataclass
class Measured:
    """What was counted over some time, and how much of it the host took away."""

    seconds: float = 0.0
    stolen: float = 0.0  # [s]
    values: list[Any] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add a stretch."""
        begin, stolen = time.monotonic(), steal_time()
        yield
        self.seconds += time.monotonic() - begin
        self.stolen += steal_time() - stolen

    def __str__(self) -> str:
        return f"{self.stolen * 1e3:.0f} ms steal in {self.seconds:.0f} s"


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """``work`` in a thread, which ends when the event that it is given is set."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=(done,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
