"""A record handed to a compiled loop as a whole: the loop takes it over between two periods, never a part of it.

The giver fills the staged copy and asks; the loop, at the beginning of a period, copies it over what it runs on and says so. One
load a period is all that a loop has of it in which nothing changes.
"""

import threading
import time
from typing import Any

import numpy as np

from firmware_model.kernel import kernel
from firmware_model.kernel.records import words_of
from hil.ring import CONTROL_WORDS, load_word, store_word

ASKED, TAKEN = 0, 16  # places in the control words, on cache lines of their own; the loop alone writes TAKEN
PATIENCE = 2.0  # [s] after which a loop that takes nothing over is given up; its longest period is 1 s
POLL = 2e-4  # [s]


@kernel
def take_over(control, staged, running):
    """Make ``running`` what is ``staged`` (both int64) if that was asked for since the last time."""
    asked = load_word(control, ASKED)
    if asked != control[TAKEN]:
        for k in range(len(running)):
            running[k] = staged[k]
        store_word(control, TAKEN, asked)


class TakeOver:
    """The giver's side, for any thread."""

    def __init__(self, running: Any) -> None:
        """``running``: the one-element recarray that the loop works on; its fields are 64-bit words."""
        self._running = words_of(running)
        self._staged = self._running.copy()
        self._control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        self._is_looping = False
        self._lock = threading.Lock()

    @property
    def arrays(self) -> tuple[Any, Any, Any]:
        """What the loop gives to ``take_over``."""
        return self._control, self._staged, self._running

    def begin(self) -> None:
        """From now on a loop takes over."""
        with self._lock:
            self._is_looping = True

    def end(self) -> None:
        """The loop has ended."""
        with self._lock:
            self._is_looping = False

    def put(self, record: Any) -> None:
        """Let the loop run on ``record``; back when it does, within a period.

        Raises TimeoutError if the loop does not take it over; then it may do so later.
        """
        with self._lock:
            if not self._is_looping:
                self._running[:] = words_of(record)
                return
            self._wait()  # for one that came too late for its giver
            self._staged[:] = words_of(record)
            store_word(self._control, ASKED, int(self._control[ASKED]) + 1)
            self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while load_word(self._control, TAKEN) != self._control[ASKED]:
            if time.monotonic() > end:
                raise TimeoutError("the loop takes over nothing")
            time.sleep(POLL)
