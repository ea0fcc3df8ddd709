"""Calibrations as files of whichever kind their suffix says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.calibration.cdfx import read_cdfx, write_cdfx
from hil.calibration.file_values import FileValues
from hil.calibration.toml_file import read_values, write_calibration
from hil.errors import UsageError

READERS: dict[str, Callable[[Path], FileValues]] = {".toml": read_values, ".cdfx": read_cdfx}
WRITERS: dict[str, Callable[..., None]] = {".toml": write_calibration, ".cdfx": write_cdfx}


def read_file(path: Path) -> FileValues:
    """What a calibration file holds, not checked yet. Raises UsageError."""
    return READERS[_suffix(path)](path)


def write_file(path: Path, calibration: Any, *, base: Any = None) -> None:
    """Write a calibration (recarray (1,)): all of it, or what differs from ``base``. Raises UsageError."""
    WRITERS[_suffix(path)](path, calibration, base=base)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise UsageError(f"{path}: is no calibration file by its name; expected one that ends in {' or '.join(READERS)}")
    return suffix
