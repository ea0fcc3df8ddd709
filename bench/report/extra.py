"""The libraries of the extra ``report``, imported when they are needed."""

import importlib
from typing import Any

from hil.errors import UsageError


def import_extra(module: str) -> Any:
    """The module of that dotted name. Raises UsageError, which says what to install, if it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError('this needs the report extra: pip install "e4orce-hil[report]"') from error
