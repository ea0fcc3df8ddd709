"""Changes of a calibration: several values at once, taken over as a whole or refused with the list of what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_model.kernel import Field
from firmware_model.kernel.records import locate
from hil.calibration.table import FIELDS, findings, suspects, value_findings
from hil.errors import UsageError
from hil.toml_files import closest


class CalibrationError(UsageError):
    """A calibration that is refused; ``findings`` says all that is wrong, one line each."""

    def __init__(self, source: str, findings: list[str]) -> None:
        super().__init__(f"{source}: {'; '.join(findings)}")
        self.findings = findings


@dataclass(frozen=True)
class Change:
    """One value before and after, as plain numbers or lists of them."""

    path: str
    before: Any
    after: Any


def plain(calibration: Any, path: str) -> Any:
    """A value as a plain number or nested list of them."""
    return locate(calibration, path)[0].tolist()


def differences(before: Any, after: Any) -> list[Change]:
    """The values in which two calibrations differ, in the order of the table."""
    pairs = ((path, plain(before, path), plain(after, path)) for path in suspects(before, after))
    return [Change(path, a, b) for path, a, b in pairs if a != b]


def changed(calibration: Any, values: Mapping[str, Any], source: str = "calibration") -> Any:
    """A copy of ``calibration`` (recarray (1,)) with other ``values``, by their dotted paths; checked as a whole.

    Raises CalibrationError, whose text begins with the ``source`` of the values.
    """
    wrong = [line for path, value in values.items() for line in misfit(path, value)]
    if not wrong:
        result = calibration.copy()
        for path, value in values.items():
            locate(result, path)[0] = value
        wrong = findings(result)
    if wrong:
        raise CalibrationError(source, wrong)
    return result


def misfit(path: str, value: Any) -> list[str]:
    """Why this value, looked at alone, is none of the table's; at most one line."""
    field = FIELDS.get(path)
    if field is None:
        return [f"{path}: no such value{closest(path, FIELDS)}"]
    array = _numbers(field, value)
    if array is None:
        return [f"{path} = {_short(value)}: expected {_expected(field)}"]
    return value_findings(path, array)


def _numbers(field: Field, value: Any) -> Any:
    """The value as an array of the field's shape; None if it is none."""
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        return None
    if array.shape != field.shape or array.dtype.kind not in "biuf":
        return None
    if field.dtype == "i8" and array.dtype.kind == "f" and not (array == np.floor(array)).all():  # NaN is none, either
        return None
    return array


def _expected(field: Field) -> str:
    kind = "a whole number" if field.dtype == "i8" else "a number"
    if not field.shape:
        return kind
    return f"{' x '.join(map(str, field.shape))} {kind.split(' ', 1)[1]}s"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
