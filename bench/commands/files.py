"""Output folders."""

import tempfile
from pathlib import Path

from hil.errors import UsageError


def require_writable(folder: Path) -> None:
    """Make ``folder`` and try to write into it, before long work is done for nothing. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written: {error.strerror}; choose another folder") from error
