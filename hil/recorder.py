"""Recording while it happens: every frame in and out to a file that is complete at every moment.

Sessions and loops hand over frames; a thread of its own sorts, encodes and writes them, four times a second, straight to the
kernel. Nothing waits in this process: after ``kill -9`` the file holds all but the last half second, and is read like any other.
MF4 cannot be written like this. It is written at the end, from a BLF beside it, which is what remains if the end never comes.
"""

import contextlib
import glob
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from hil.captures.blf import BlfEncoder, read_own_blf
from hil.captures.mf4 import require_asammdf, write_mf4
from hil.captures.writing import candump_line, items, python_can_message
from hil.errors import UsageError
from hil.frames import FRAME, new_frames

PERIOD = 0.25  # [s] between two writings
HOLD = 250_000_000  # [ns] for which a frame waits for earlier ones from other threads
CAPACITY = 200_000  # frames that may wait: 16 s of three full buses at 500 kbit/s
STOP_TIMEOUT = 10.0  # [s] for a disk to answer
SMALLEST_LIMIT = 10_000  # [bytes] of one file
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)B?")
UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def parse_size(text: str) -> int:
    """A file size [bytes] as people write it: 100MB, 1.5 GB, 800kB. Raises UsageError."""
    match = SIZE.fullmatch(text.strip())
    size = round(float(match[1]) * UNITS[match[2]]) if match else 0
    if size < SMALLEST_LIMIT:
        raise UsageError(f'size "{text}": expected at least {SMALLEST_LIMIT // 1000}kB, for example 100MB or 1GB')
    return size


class CandumpEncoder:
    """A log of candump."""

    def __init__(self, channels: Sequence[str], start: int) -> None:
        self._channels = channels
        self._offset = start // 1000  # [us]

    def header(self) -> bytes:
        """Nothing: a log is its lines."""
        return b""

    footer = header

    def encode(self, frames: Any) -> bytes:
        """The lines of ``frames``."""
        return "".join(candump_line(item, self._channels[item.bus], self._offset) for item in items(frames)).encode()


class AscEncoder:
    """Vector ASC, by python-can. Its header is told with the first frames."""

    def __init__(self, channels: Sequence[str], start: int) -> None:
        import can

        self._start = start * 1e-9
        self._text = StringIO()
        self._writer = can.ASCWriter(self._text)

    def header(self) -> bytes:
        """Nothing: python-can writes it before the first frame."""
        return b""

    def footer(self) -> bytes:
        """The last line."""
        return b"End TriggerBlock\n"

    def encode(self, frames: Any) -> bytes:
        """The lines of ``frames``."""
        for item in items(frames):
            self._writer.on_message_received(python_can_message(item, self._start))
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()


ENCODERS: dict[str, Callable[[Sequence[str], int], Any]] = {
    ".blf": lambda channels, start: BlfEncoder(start),
    ".asc": AscEncoder,
    ".log": CandumpEncoder,
    ".mf4": lambda channels, start: BlfEncoder(start),
}


class GrowingFile:
    """A file that is whole at every moment: what could not be written to its end is taken away again."""

    def __init__(self, path: Path, encoder: Any) -> None:
        self.path = path
        self.size = 0  # [bytes]
        self._encoder = encoder
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            self._append(encoder.header())
        except OSError:
            os.close(self._handle)
            path.unlink()
            raise

    def write(self, frames: Any) -> None:
        """Append ``frames``. Raises OSError if there is no space; the file is then as it was."""
        self._append(self._encoder.encode(frames))
        os.pwrite(self._handle, self._encoder.header(), 0)

    def close(self) -> None:
        """Close it, with its last line where the disk has room for it."""
        with contextlib.suppress(OSError):  # a disk that is full has been told, and the frames are complete without it
            self._append(self._encoder.footer())
        os.close(self._handle)

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._handle, data[written:], self.size + written)
        except OSError:
            os.truncate(self._handle, self.size)
            raise
        self.size += len(data)


class Recorder:
    """Records the frames of several buses until it is stopped.

    ``put`` and ``add`` may be called from any thread and never wait. A full disk ends the recording and nothing else.
    """

    def __init__(
        self,
        target: Path,
        channels: Sequence[str],
        origin: int,
        *,
        limit: int | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """``target``: .blf, .asc, .log (candump) or .mf4. ``channels``: names of the buses, by index. ``origin``: time 0 of the
        frames [ns, CLOCK_MONOTONIC]. ``limit``: size [bytes] after which the next of a row of numbered files is begun.

        Raises UsageError if the format is not known, the file exists, or cannot be written.
        """
        if target.suffix.lower() not in ENCODERS:
            raise UsageError(f"{target}: recordings are {', '.join(ENCODERS)}; {target.suffix or 'no suffix'} is none of them")
        if target.suffix.lower() == ".mf4":
            require_asammdf(target)
        self.target = target
        self.files: list[Path] = []  # in order
        self.recorded = 0  # frames
        self.dropped = 0  # frames that found the queue full
        self.error: Exception | None = None  # why recording has ended early
        self._channels = tuple(channels)
        self._origin = origin
        self._shift = 0  # [ns] from there to the origin of the frames
        self._start = time.time_ns() - time.monotonic_ns() + origin  # [ns since 1970]
        self._limit = limit
        self._report = report
        self._queue: deque[Any] = deque()  # rows of frames, and arrays of them
        self._waiting = 0  # frames
        self._lock = threading.Lock()
        self._held = new_frames(0)
        self._stopping = threading.Event()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._require_free_names()
            self._file: GrowingFile | None = self._next_file()
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._run, name=f"record {target.name}", daemon=True)
        self._thread.start()

    def begin(self, origin: int) -> None:
        """The frames that come from now on count from ``origin`` [ns, CLOCK_MONOTONIC]: a run begins when all is compiled."""
        self._shift = origin - self._origin

    def put(self, time: int, payload: int, identifier: int, bus: int, length: int, kind: int) -> None:
        """Record one frame given by its values."""
        self._take((time, payload, identifier, bus, length, kind, 0), 1)

    def add(self, frames: Any) -> None:
        """Record ``frames`` (an array of hil.frames.FRAME), those of our own marked TRANSMITTED."""
        if len(frames):
            self._take(np.array(frames, dtype=FRAME), len(frames))

    def stop(self) -> None:
        """Write what waits, and close the file, or take it away if no frame came.

        MF4 is written now, and takes its time: some seconds for a million frames.
        """
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT)
        if self._thread.is_alive():
            self._say(f"recording to {self.target}: the disk does not answer; what was written by now remains")
        elif not self.recorded and not self.error:
            self._discard()
        elif self.target.suffix.lower() == ".mf4":
            self._convert()

    def _discard(self) -> None:
        """Take away a file in which there is nothing: it would only stand in the way of the next attempt."""
        for path in self.files:
            path.unlink(missing_ok=True)
        self.files.clear()
        self._say(f"recording to {self.target}: no frame came, and no file is left")

    def _take(self, item: Any, count: int) -> None:
        with self._lock:
            if self.error or self._waiting + count > CAPACITY:
                self.dropped += count
                return
            self._queue.append(item)
            self._waiting += count

    def _run(self) -> None:
        overflow = False
        while not self.error:
            stopping = self._stopping.wait(PERIOD)
            try:
                self._write(everything=stopping)
            except Exception as error:  # a full disk, or a mistake in an encoder: the operator must hear of it
                self._give_up(error)
            if self.dropped and not overflow and not self.error:
                overflow = True
                self._say(f"recording to {self.target} does not keep up: frames are missing in it")
            if stopping:
                break
        if self._file:
            self._file.close()

    def _write(self, *, everything: bool) -> None:
        """Write what waits in the order of time; what is young is held back, for what may still come to lie before it."""
        with self._lock:
            taken, self._queue, self._waiting = self._queue, deque(), 0
        rows = np.array([item for item in taken if isinstance(item, tuple)], dtype=FRAME)
        fresh = np.concatenate([rows, *(item for item in taken if not isinstance(item, tuple))])
        fresh["time"] += self._shift
        frames = np.concatenate([self._held, fresh])
        frames = frames[np.argsort(frames["time"], kind="stable")]
        ripe = len(frames)
        if not everything:
            ripe = int(np.searchsorted(frames["time"], time.monotonic_ns() - self._origin - HOLD, side="right"))
        self._held = frames[ripe:]
        if not ripe or not self._file:
            return
        if self._limit and self._file.size >= self._limit:
            self._file.close()
            self._file = None
            self._file = self._next_file()
        self._file.write(frames[:ripe])
        self.recorded += ripe

    def _require_free_names(self) -> None:
        """Raises UsageError if a recording of this name is there already: it may be what a crash has left."""
        numbered = f"{glob.escape(self.target.stem)}_[0-9][0-9][0-9]*{self.target.suffix}*"
        taken = sorted(self.target.parent.glob(numbered)) if self._limit else [self.target, self._spool(self.target)]
        if found := [path for path in taken if path.exists()]:
            raise UsageError(f"{found[0]} exists already; choose another name, or remove it")

    def _spool(self, path: Path) -> Path:
        """Where the frames of a file are while it is recorded."""
        return path.with_name(f"{path.name}.blf") if path.suffix.lower() == ".mf4" else path

    def _next_file(self) -> GrowingFile:
        path = self.target
        if self._limit:
            path = path.with_stem(f"{path.stem}_{len(self.files) + 1:03d}")
        path = self._spool(path)
        file = GrowingFile(path, ENCODERS[self.target.suffix.lower()](self._channels, self._start))
        self.files.append(path)
        return file

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            self.error = error
            self._queue.clear()
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        self._say(f"recording to {self.target} has ended: {why}; {self.recorded} frames are in it, the session goes on")

    def _convert(self) -> None:
        """From the BLF files beside it to MF4; a BLF remains where that fails."""
        for number, spool in enumerate(self.files):
            path = spool.with_suffix("")
            frames, start = read_own_blf(spool)
            if not len(frames):
                continue
            try:
                write_mf4(path, frames, start * 1e-9)
            except Exception as error:  # whatever the library raises: the frames are not lost by it
                self._say(f"{path}: {error}; the frames are in {spool}")
                continue
            spool.unlink()
            self.files[number] = path

    def _say(self, text: str) -> None:
        if self._report:
            with contextlib.suppress(Exception):  # a terminal that is gone must not end the recording
                self._report(text)
