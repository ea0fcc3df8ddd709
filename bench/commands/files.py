"""Output folders."""

import tempfile
from pathlib import Path

from bench.report.extra import require_extra
from hil.errors import UsageError


def prepare_output(folder: Path) -> None:
    """Make ``folder``, try to write into it, and look for what reports need, before long work is done for nothing.

    Raises UsageError.
    """
    require_extra()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written: {error.strerror}; choose another folder") from error
