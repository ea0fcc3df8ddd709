"""The command ``e4hil`` itself: its options, and how it ends on wrong input."""

import errno
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from hil.errors import UsageError

app = typer.Typer(
    name="e4hil",
    help="Hardware-in-the-loop bench for a twin-motor electric drive:\n"
    "Nissan's e-4ORCE controller and its battery discharge limiter, over CAN.",
    epilog="Start with:  e4hil drive launch --out out/launch",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"e4hil {version('e4orce-hil')}")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options that come before the command."""


def main() -> None:
    """Entry point: wrong input ends with one clear line and status 2."""
    try:
        try:
            app()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is the end itself
    except UsageError as error:
        print(f"e4hil: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone; that is no error of ours.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Met while numba stores what it compiled; our own files say so themselves.
        print("e4hil: no space left on the disk; free some, or set E4HIL_CACHE_DIR to a folder on another disk", file=sys.stderr)
        sys.exit(2)
