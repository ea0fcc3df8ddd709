import re
from pathlib import Path

import numpy as np
import pytest

import firmware_model
from firmware_model.calibration import Calibration
from firmware_model.measurements import FIRST_INVALID_BIT, Fault, Measurements, Source
from firmware_model.state import State

DECLARATIONS = {"calibration.py", "state.py", "measurements.py", "signals.py"}
LAWS = "\n".join(path.read_text() for path in Path(firmware_model.__file__).parent.glob("*.py") if path.name not in DECLARATIONS)


@pytest.mark.parametrize(("path", "field"), list(Calibration.fields()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_calibration_value_has_unit_limits_and_meaning_and_its_default_is_within(path, field):
    assert field.unit
    assert field.description
    assert np.isfinite([field.minimum, field.maximum]).all()
    assert (np.asarray(field.default) >= field.minimum).all()
    assert (np.asarray(field.default) <= field.maximum).all()


@pytest.mark.parametrize("record", [Calibration, State, Measurements], ids=lambda record: record.name)
def test_every_declared_value_is_used_by_a_law(record):
    unused = [path for path, _ in record.fields() if not re.search(rf"\.{path.rpartition('.')[2]}\b", LAWS)]
    assert unused == []


def test_the_points_of_all_curves_ascend():
    calibration = Calibration.new()[0].driver_demand
    for points in (calibration.pedal_points, calibration.speed_points, calibration.brake_points):
        assert (np.diff(points) > 0.0).all()


@pytest.mark.parametrize("source", Source)
def test_the_fault_bits_of_a_source_follow_from_its_number(source):
    assert Fault[f"{source.name}_SILENT"] == 1 << source
    if source != Source.PANEL:
        assert Fault[f"{source.name}_INVALID"] == 1 << (FIRST_INVALID_BIT + source)
