"""Who asked a control unit to change what, and what came of it: lines of JSON, appended to a file that does not grow for ever."""

import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hil.diagnostics.protocol import Code, NegativeResponseError

LIMIT = 1_000_000  # [bytes] of a file, after which the next is begun
KEPT = 4  # full files beside the one that grows: audit.jsonl.1 is the youngest


class AuditLog:
    """An audit log. A disk that takes no line is told of once, until it takes one again."""

    def __init__(self, path: Path, report: Callable[[str], None] | None = None, *, limit: int = LIMIT) -> None:
        self.path = path
        self._report = report
        self._limit = limit
        self._failed = False

    def write(self, tester: str, what: str, outcome: str) -> None:
        """Append a line. Raises NegativeResponseError if that is not possible: what cannot be logged is not to be done."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "tester": tester, "what": what, "outcome": outcome}) + "\n"
        try:
            self._append(line.encode())
        except OSError as error:
            if not self._failed and self._report:
                self._report(f"{self.path}: cannot be written: {error.strerror}; testers change nothing until it can")
            self._failed = True
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT) from error
        self._failed = False

    def _append(self, line: bytes) -> None:
        if self.path.exists() and self.path.stat().st_size + len(line) > self._limit:
            self._rotate()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if os.write(handle, line) < len(line):
                os.truncate(handle, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)

    def _rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            younger = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if younger.exists():
                younger.replace(older)
