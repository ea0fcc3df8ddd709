"""Frames to a file while the run goes on, switched on and off from the page."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hil.recorder import Recorder


class Recording:
    """Hands the frames of the run to a recorder while there is one; sessions take it for one that is always there."""

    def __init__(self, folder: Path, buses: Sequence[str], report: Callable[[str], None]) -> None:
        """``folder``: where recordings that the page asks for are put. ``buses``: their names, by index."""
        self._folder = folder
        self._buses = tuple(buses)
        self._report = report
        self._recorder: Recorder | None = None
        self._origin = 0  # [ns, CLOCK_MONOTONIC] of the run
        self._lock = threading.Lock()

    @property
    def target(self) -> Path | None:
        """The file that is being written."""
        recorder = self._recorder
        return recorder.target if recorder else None

    @property
    def recorded(self) -> int:
        """Frames in it so far."""
        recorder = self._recorder
        return recorder.recorded if recorder else 0

    def start(self, target: Path | None = None) -> Path:
        """Record to ``target``, or to a new file named by the time. Raises UsageError."""
        with self._lock:
            if self._recorder is None:
                target = target or self._folder / time.strftime("dashboard_%Y-%m-%d_%H-%M-%S.blf")
                self._recorder = Recorder(target, self._buses, time.monotonic_ns(), report=self._report)
                self._recorder.begin(self._origin or time.monotonic_ns())
            return self._recorder.target

    def stop(self) -> None:
        """Write what waits, and close the file."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder:
            recorder.stop()

    def begin(self, origin: int) -> None:
        """The frames that come from now on count from ``origin`` [ns, CLOCK_MONOTONIC]."""
        self._origin = origin
        if recorder := self._recorder:
            recorder.begin(origin)

    def add(self, frames: Any) -> None:
        """Frames of the run."""
        if recorder := self._recorder:
            recorder.add(frames)
