"""The libraries of the extra ``report``, imported when they are needed."""

import importlib
import importlib.util
from typing import Any

from hil.errors import UsageError

LIBRARIES = ("plotly", "asammdf")
MISSING = 'this needs the report extra: pip install "e4orce-hil[report]"'


def require_extra() -> None:
    """Raises UsageError, which says what to install, if a library is not there; imports none, for that takes its time."""
    if any(importlib.util.find_spec(library) is None for library in LIBRARIES):
        raise UsageError(MISSING)


def import_extra(module: str) -> Any:
    """The module of that dotted name. Raises UsageError, which says what to install, if it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(MISSING) from error
