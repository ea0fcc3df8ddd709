"""Values as a file holds them, before they are a calibration: whether they fit the table, and what of them does."""

from dataclasses import dataclass
from typing import Any

from hil.calibration.changes import CalibrationError, changed, misfit
from hil.calibration.table import FIELDS, VERSION
from hil.toml_files import closest

ALL, CHANGES = "all", "changes"  # what a file says that it contains
REMEDY = "e4hil calibration import takes over what fits"


@dataclass(frozen=True)
class FileValues:
    """The values of one file by their paths."""

    source: str  # the file, for messages
    values: dict[str, Any]
    version: str | None = None  # of the table that it was written with; None: it does not say
    is_complete: bool = False  # it holds every value of that table

    def on(self, base: Any) -> Any:
        """``base`` (recarray (1,)) with these values.

        Raises CalibrationError with all that is wrong: unknown, missing, out of range, contradictory; and of a file of another
        version of the table value by value what is new, gone or out of range.
        """
        return changed(base, self.checked(), self.source)

    def checked(self) -> dict[str, Any]:
        """The values, each of which fits the table, looked at alone. Raises CalibrationError as ``on``."""
        if self.version not in (None, VERSION):
            raise CalibrationError(self.source, [self._version_line(), *self.misfits().values(), REMEDY])
        wrong = self.misfits()
        if wrong:
            raise CalibrationError(self.source, list(wrong.values()))
        return self.values

    def adapted_to(self, base: Any) -> tuple[Any, list[str]]:
        """``base`` with those of these values that fit, and one line about each that does not.

        Raises CalibrationError if they contradict each other.
        """
        wrong = self.misfits()
        fitting = {path: value for path, value in self.values.items() if path not in wrong}
        told = [] if self.version in (None, VERSION) else [self._version_line()]
        return changed(base, fitting, self.source), [*told, *wrong.values()]

    def misfits(self) -> dict[str, str]:
        """What is wrong with each value, looked at alone: gone or unknown, new or missing, out of range, of another shape."""
        is_other = self.version not in (None, VERSION)
        gone, new = ("gone", "new") if is_other else ("no such value", "missing")
        told = {path: f"{path}: {gone}{closest(path, FIELDS)}" for path in self.values if path not in FIELDS}
        for path in self.values:
            if path in FIELDS and (lines := misfit(path, self.values[path])):
                told[path] = lines[0]
        if self.is_complete:
            told |= {path: f"{path}: {new}" for path in FIELDS if path not in self.values}
        return told

    def _version_line(self) -> str:
        return f'version = "{self.version}": the table of calibration values has version "{VERSION}"'
