"""Where the TOML files of cars and their components are, and what is in them; no more than that, for a quick start."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from hil.errors import UsageError

VEHICLES = Path(__file__).parent
CELLS = VEHICLES / "cells"
COMPONENTS = {"cell": CELLS, "motor": VEHICLES / "motors"}  # a block of that name may come from a file of that folder


def names(folder: Path) -> list[str]:
    """Names of the TOML files in ``folder``."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def find(name: str, folder: Path, beside: Path, kind: str) -> Path:
    """The file of that name in ``folder``, or the file of that path seen from ``beside``. Raises UsageError."""
    known = names(folder)
    if name in known:
        return folder / f"{name}.toml"
    path = beside / name
    if path.is_file():
        return path
    if path.suffix == ".toml":
        raise UsageError(f"{name}: no such file; give the path of a TOML file, or one of: {', '.join(known)}")
    close = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean {close[0]}?" if close else ","
    raise UsageError(f"unknown {kind} {name!r}{hint} known: {', '.join(known)}")


def parse(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises UsageError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected TOML in UTF-8, got: {error}") from error
