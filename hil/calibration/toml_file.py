"""Calibrations as TOML: one line a value, by its dotted path.

A file says whether it holds all values or only those that differ from another calibration, and of which version of the table it
is. One that says no version is taken by its values alone, so that a few lines written by hand are a calibration, too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hil.calibration.changes import differences, plain
from hil.calibration.file_values import ALL, CHANGES, FileValues
from hil.calibration.table import FIELDS, VERSION
from hil.errors import UsageError
from hil.files import write_text
from hil.toml_files import read

END = "is_whole"  # the last line of a file that was written here


def write_calibration(path: Path, calibration: Any, *, base: Any = None, comments: tuple[str, ...] = ()) -> None:
    """Write a calibration (recarray (1,)) to ``path``: all of it, or what differs from ``base``. Raises UsageError.

    ``comments``: lines that stand above the values.
    """
    paths = list(FIELDS) if base is None else [change.path for change in differences(base, calibration)]
    lines = [
        "# Calibration of the controller; units and limits as the table of calibration values has them.",
        *(f"# {comment}" for comment in comments),
        f'version = "{VERSION}"',
        f'contents = "{ALL if base is None else CHANGES}"',
        "",
        *(_line(calibration, name) for name in paths),
        "",
        f"{END} = true  # a file without this line was cut off",
    ]
    write_text(path, "\n".join(lines) + "\n")


def _line(calibration: Any, path: str) -> str:
    field = FIELDS[path]
    unit = "" if field.unit == "1" else f"[{field.unit}] "
    return f"{path} = {plain(calibration, path)!r}  # {unit}{field.description}"


def read_values(path: Path) -> FileValues:
    """What the file holds, not checked yet. Raises UsageError if it is no calibration at all."""
    values = dict(_flat(read(path)))
    is_whole = values.pop(END, "contents" not in values)  # what people write by hand says neither
    contents = values.pop("contents", CHANGES)
    if contents not in (ALL, CHANGES):
        raise UsageError(f'{path}: contents = {contents!r}: expected "{ALL}" or "{CHANGES}"')
    if is_whole is not True:
        raise UsageError(f"{path}: was cut off: its last line, {END} = true, is not there; copy or export it again")
    return FileValues(str(path), values, values.pop("version", None), contents == ALL)


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
