"""What testers change of the calibration goes the way of all changes: the pages check it, journal it, and hand it over whole."""

from collections.abc import Iterator
from contextlib import contextmanager

from hil.calibration.changes import CalibrationError
from hil.calibration.pages import CalibrationPages, Page
from hil.diagnostics.protocol import Code, NegativeResponseError
from hil.errors import UsageError

WAY = "diagnostics"  # in the journal


@contextmanager
def changing(pages: CalibrationPages, refusal: Code) -> Iterator[None]:
    """What is entered changes ``pages``. Raises NegativeResponseError, with ``refusal`` if they refuse the values."""
    if pages.selected is not Page.WORKING:  # the tester reads what the controller runs on, and would not find the change there
        raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
    try:
        yield
    except CalibrationError as error:
        raise NegativeResponseError(refusal) from error
    except UsageError as error:  # it cannot be journalled, or the controller does not take it over
        raise NegativeResponseError(Code.GENERAL_PROGRAMMING_FAILURE) from error
