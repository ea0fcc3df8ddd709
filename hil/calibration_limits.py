"""What a calibration value may be: within its declared limits, a finite number, and on an axis more than the one before it."""

from typing import Any, cast

import numpy as np

from firmware_model.calibration import Calibration
from firmware_model.kernel import Field, Record
from firmware_model.kernel.records import locate

# Axes of curves and maps: interpolation divides by the distance of two neighbours.
AXES = frozenset({"driver_demand.pedal_points", "driver_demand.speed_points", "driver_demand.brake_points"})


def refusal(path: str, field: Field, values: Any) -> str | None:
    """Why ``values`` (in SI) cannot become the calibration value at ``path``, in one line; None if they can."""
    if not np.isfinite(values).all():
        return f"{path}: not a finite number"
    if (np.less(values, field.minimum) | np.greater(values, field.maximum)).any():
        return f"{path}: {field.minimum:g} to {field.maximum:g} {field.unit} are allowed"
    if path in AXES and (np.diff(values) <= 0.0).any():
        return f"{path}: each point has to be above the one before it"
    return None


def refusals(calibration: Any) -> list[str]:
    """What is wrong with a whole ``calibration`` (one-element recarray of Calibration), a line for each value."""
    found = (refusal(path, field, locate(calibration, path)[0]) for path, field in cast(Record, Calibration).fields())
    return [line for line in found if line]
