"""The file of the fault memory: one line with a checksum, then JSON; replaced as a whole, and written by a thread of its own.

Whatever happens while it is written, the file is the one from before or the new one. What is found in its place and is not a
fault memory is set aside and told, and the memory begins empty. A disk that takes nothing is told once; the memory goes on
without it and tries again with the next change.
"""

import re
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from hil.state_directory import write_durably

PERIOD = 0.5  # [s] between two writings
STOP_TIMEOUT = 10.0  # [s] for a disk to answer
LARGEST = 1_000_000  # [bytes] of a file that is read
MOST_SET_ASIDE = 5
HEADER = re.compile(rb"e4hil fault memory 1 ([0-9a-f]{8})\n")

Byte = Annotated[int, Field(ge=0, le=255)]
Seconds = Annotated[FiniteFloat, Field(ge=0.0)]


class Strict(BaseModel):
    """A part of the file: nothing is missing in it, and nothing else is there."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class StoredRecord(Strict):
    """What is kept of one record: hil.diagnostics.fault_memory.Record."""

    snapshots: Annotated[list[bytes], Field(min_length=1, max_length=2)]
    first_time: Seconds
    last_time: Seconds
    occurrences: Byte
    passed_cycles: Byte


class StoredCode(Strict):
    """What is kept of one code."""

    number: Annotated[int, Field(ge=0, le=0xFFFFFF)]
    status: Byte
    trips: Byte
    record: StoredRecord | None


class StoredMemory(Strict):
    """All that is kept."""

    operating_time: Seconds
    in_cycle: bool
    codes: list[StoredCode]


class FaultFile:
    """One file, of which this process is the only writer."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self.path = path
        self._report = report
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._waiting: StoredMemory | None = None
        self._wanted = self._attempted = self._written = 0  # how many memories were handed over, tried, kept
        self._thread: threading.Thread | None = None
        self._told = False

    def load(self) -> StoredMemory | None:
        """What the file holds; None if there is none, or nothing that can be used."""
        try:
            for leftover in self.path.parent.glob(f".{self.path.name}-*"):
                leftover.unlink(missing_ok=True)  # of a process that was killed while it wrote
            return parse(self._read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._report(f"{self.path}: is not a fault memory: {why}; {self._set_aside()}, the memory begins empty")
            return None

    def save(self, memory: StoredMemory) -> int:
        """Have it written soon; returns a number for :meth:`outcome`. Never waits for the disk."""
        with self._changed:
            self._waiting = memory
            self._wanted += 1
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"keep {self.path.name}", daemon=True)
                self._thread.start()
            return self._wanted

    def outcome(self, number: int) -> bool | None:
        """Whether what was handed over under that number, or something newer, is in the file; None while that is open."""
        with self._changed:
            if self._written >= number:
                return True
            return False if self._attempted >= number else None

    def close(self) -> None:
        """Write what waits, and end the thread."""
        if self._thread is None:
            return
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(STOP_TIMEOUT)
        if self._thread.is_alive():
            self._report(f"{self.path}: the disk does not answer; the latest faults may be missing in it")

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._waiting is None and not self._closing.is_set():
                    self._changed.wait()
                memory, self._waiting, number = self._waiting, None, self._wanted
            if memory is None:
                return
            written = self._write(memory)
            with self._changed:
                self._attempted = number
                if written:
                    self._written = number
            self._closing.wait(PERIOD)

    def _write(self, memory: StoredMemory) -> bool:
        try:
            write_durably(self.path, text_of(memory))
        except OSError as error:
            if not self._told:
                self._report(f"{self.path}: cannot be written: {error.strerror or error}; faults are not kept over a restart")
            self._told = True
            return False
        self._told = False
        return True

    def _read(self) -> bytes:
        if self.path.exists() and not self.path.is_file():
            raise ValueError("it is no file")
        with self.path.open("rb") as file:
            return file.read(LARGEST + 1)

    def _set_aside(self) -> str:
        """Rename the file, and say so; of those that were set aside before, the last makes room."""
        names = [self.path.with_name(f"{self.path.name}.broken-{number + 1}") for number in range(MOST_SET_ASIDE)]
        target = next((name for name in names if not name.exists()), names[-1])
        try:
            self.path.replace(target)
        except OSError as error:
            return f"it cannot be set aside ({error.strerror or error})"
        return f"it is set aside as {target.name}"


def text_of(memory: StoredMemory) -> bytes:
    """The content of the file."""
    body = memory.model_dump_json(indent=1).encode() + b"\n"
    return b"e4hil fault memory 1 %08x\n" % zlib.crc32(body) + body


def parse(content: bytes) -> StoredMemory:
    """The opposite. Raises ValueError."""
    header = HEADER.match(content)
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    if not header:
        raise ValueError("its first line is not that of one")
    body = content[header.end() :]
    if zlib.crc32(body) != int(header[1], 16):
        raise ValueError("its checksum is wrong")
    try:
        return StoredMemory.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
