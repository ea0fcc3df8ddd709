"""The journal of a calibration: what was changed when, by which way, from what to what; one line of JSON each."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from hil.calibration.changes import Change
from hil.errors import UsageError


class Journal:
    """Appends to a file, which is there to stay; several controllers may share one."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError if the file cannot be written."""
        self.path = path
        self._append(b"")

    def write(self, way: str, changes: Iterable[Change] = (), *, page: str = "") -> None:
        """Append one entry. Raises UsageError if that is not possible; then nothing counts as journalled."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "way": way}
        if page:
            entry["page"] = page
        told = [{"path": change.path, "from": change.before, "to": change.after} for change in changes]
        line = json.dumps(entry | ({"changes": told} if told else {}), ensure_ascii=False)
        self._append(line.encode() + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(0, "no space left on the disk")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise UsageError(f"cannot write the journal {self.path}: {error.strerror or error}") from error
