"""Where commands write: results to standard output, progress to standard error, so that ``--json`` can be piped."""

from typing import Any


def output() -> Any:
    """Console for results."""
    from rich.console import Console

    return Console(highlight=False)


def progress() -> Any:
    """Console for what is going on."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
