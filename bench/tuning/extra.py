"""The libraries of the extras ``tuning`` and ``cluster``, imported when they are needed."""

import importlib
from typing import Any

from hil.errors import UsageError


def import_extra(module: str, extra: str = "tuning") -> Any:
    """The module of that dotted name. Raises UsageError, which says what to install, if it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f'this needs the {extra} extra: pip install "e4orce-hil[{extra}]" ({error})') from error
