"""TOML files that people write: finding one by name or path, reading it, and telling in one line what is wrong with it."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.errors import UsageError
from hil.files import read_text

if TYPE_CHECKING:
    from pydantic import ValidationError


def names(folder: Path, pattern: str = "*.toml") -> list[str]:
    """Names of the TOML files in ``folder`` that come with the product."""
    return sorted(path.stem for path in folder.glob(pattern))


def titles(folder: Path) -> list[tuple[str, str]]:
    """Names and titles of the TOML files in ``folder`` that come with the product."""
    return [(name, str(read(folder / f"{name}.toml")["title"])) for name in names(folder)]


def find(
    kind: str, name: str, folder: Path, *, pattern: str = "*.toml", beside: Path | None = None, also: tuple[str, ...] = ()
) -> Path:
    """The file of that name in ``folder``, or of that path (seen from ``beside``, else from where the user is).

    Raises UsageError if it is neither: what there is, and what was probably meant. ``also`` are suffixes other than ``.toml``.
    """
    known = names(folder, pattern)
    if name in known:
        return folder / f"{name}.toml"
    path = (beside or Path.cwd()) / name
    if path.is_file():
        return Path(name) if beside is None else path
    if path.suffix in (".toml", *also):
        raise UsageError(f"{kind} {name}: no such file; give the path of one, or a name: {', '.join(known)}")
    raise UsageError(f'unknown {kind} "{name}"{closest(name, known)}; there are: {", ".join(known)}; or give the path of a file')


def closest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, as the end of a sentence; empty if nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f', did you mean "{close[0]}"' if close else ""


def read(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises UsageError with the place of a mistake."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is not valid TOML: {error}") from error


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """``overlay`` laid over ``base``: tables merge key by key, anything else is replaced."""
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def first_error(error: "ValidationError") -> str:
    """The first of pydantic's errors as one line: the key, what is wrong, and what was given."""
    details = error.errors()
    more = f"; and {len(details) - 1} more" if len(details) > 1 else ""
    return f"{told(details[0])}{more}"


def all_errors(error: "ValidationError") -> str:
    """All of pydantic's errors in one line."""
    return "; ".join(told(detail) for detail in error.errors())


def told(detail: Any) -> str:
    """One of pydantic's errors: the key, what is wrong, and what was given."""
    key = ".".join(str(part) for part in detail["loc"]) or "the file"
    given = f" (given: {detail['input']!r})" if not isinstance(detail["input"], dict) else ""
    return f"{key}: {detail['msg']}{given}"
