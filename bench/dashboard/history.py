"""What was seen: the samples of the run, to be read by several pages while they come."""

import threading
from collections import deque
from typing import Any

import numpy as np

LONGEST = 36_000  # samples: 6 minutes of one every 10 ms; older ones are let go


class History:
    """Samples in the order in which they came, by a number that counts on from run to run."""

    def __init__(self) -> None:
        self._chunks: deque[Any] = deque()
        self._first = 0  # number of the oldest
        self._count = 0  # number of the next
        self._run = 0
        self._begun_at = 0  # number of the first sample of the run
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A new run: the samples of the one before are let go."""
        with self._lock:
            self._chunks.clear()
            self._first = self._begun_at = self._count
            self._run += 1

    def add(self, samples: Any) -> None:
        """Append the samples of a chunk."""
        if not len(samples):
            return
        with self._lock:
            self._chunks.append(samples)
            self._count += len(samples)
            while self._count - self._first > LONGEST:
                self._first += len(self._chunks.popleft())

    @property
    def has_let_go(self) -> bool:
        """Whether the run was so long that its beginning is not kept any more."""
        return self._first > self._begun_at

    @property
    def run(self) -> int:
        """Number of the run."""
        return self._run

    def since(self, number: int) -> tuple[int, list[Any]]:
        """The number of the next sample, and in chunks those that came from ``number`` on."""
        with self._lock:
            chunks: list[Any] = []
            begin = self._count
            for chunk in reversed(self._chunks):
                if begin <= number:
                    break
                begin -= len(chunk)
                chunks.append(chunk[max(0, number - begin) :])
            return self._count, chunks[::-1]

    def latest(self, count: int) -> tuple[int, list[Any]]:
        """As ``since``, the last so many."""
        return self.since(max(self._first, self._count - count))

    @property
    def last(self) -> Any:
        """The last sample, or None."""
        with self._lock:
            return self._chunks[-1][-1] if self._chunks else None

    def all(self) -> Any:
        """All samples that are kept, in one array; None if there is none."""
        with self._lock:
            chunks = list(self._chunks)
        return np.concatenate(chunks).view(np.recarray) if chunks else None
