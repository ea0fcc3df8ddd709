"""The table of calibration values: version, axes, bounds."""

import dataclasses

import numpy as np
import pytest

from bench.calibrating import calibration_of
from bench.vehicles import list_vehicles, load_vehicle
from firmware_model.calibration import Calibration
from firmware_model.kernel import Record, new
from firmware_model.kernel.records import locate
from hil.calibration.table import (
    AXES,
    BOUNDS,
    FIELDS,
    RISING,
    VERSION,
    FixedAxis,
    Relation,
    findings,
    suspects,
    table_version,
    value_findings,
)


def test_the_defaults_are_within_their_limits():
    calibration = new(Calibration)
    assert [line for path in FIELDS for line in value_findings(path, locate(calibration, path)[0])] == []


def test_the_calibration_of_every_vehicle_of_the_product_is_well():
    assert findings(new(Calibration)) == []
    for name, _ in list_vehicles():
        assert findings(calibration_of(load_vehicle(name))) == [], name


def test_every_array_has_axes_of_its_shape_or_is_one():
    arrays = {path for path, field in FIELDS.items() if field.shape}
    points = {axis for axes in AXES.values() for axis in axes if isinstance(axis, str)}
    assert arrays == set(AXES) | points
    for path, axes in AXES.items():
        assert len(axes) == len(FIELDS[path].shape)
        for axis, length in zip(axes, FIELDS[path].shape, strict=True):
            assert isinstance(axis, FixedAxis) or FIELDS[axis].shape == (length,)


@pytest.mark.parametrize("path", RISING)
def test_points_that_do_not_rise_are_found(path):
    calibration = new(Calibration)
    points = locate(calibration, path)[0]
    points[2] = points[1]
    (line,) = findings(calibration)
    assert line.startswith(f"{path}: must rise from point to point; ")


@pytest.mark.parametrize(("low", "relation", "high"), BOUNDS)
def test_values_that_bound_each_other_are_compared(low, relation, high):
    calibration = new(Calibration)
    top = min(FIELDS[low].maximum, FIELDS[high].maximum)
    locate(calibration, low)[...] = locate(calibration, high)[...] = top
    together = [line for line in findings(calibration) if line.startswith(f"{low} = ") and high in line]
    assert bool(together) is (relation is Relation.BELOW)
    bottom = max(FIELDS[low].minimum, FIELDS[high].minimum)
    if bottom < top:
        locate(calibration, high)[...] = bottom
        assert any(line.startswith(f"{low} = {top:g}: must be {relation} {high} = {bottom:g}") for line in findings(calibration))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 5001.0, 499.0])
def test_a_value_that_is_no_number_in_its_range_is_found_with_its_range(value):
    calibration = new(Calibration)
    calibration.vehicle.mass = value
    assert findings(calibration) == [f"vehicle.mass = {value:g}: allowed is 500 to 5000 kg"]


def test_every_value_that_is_changed_is_found_by_its_memory():
    for path in FIELDS:
        calibration = new(Calibration)
        locate(calibration, path).flat[-1] += 1
        assert suspects(calibration, new(Calibration)) == [path]


def test_a_point_of_a_map_is_named_by_its_place():
    calibration = new(Calibration)
    calibration.driver_demand.force_eco[0, 3, 5] = 60e3
    assert findings(calibration) == ["driver_demand.force_eco[3][5] = 60000: allowed is -20000 to 50000 N"]


@pytest.mark.parametrize("change", [{"unit": "t"}, {"shape": (2,)}, {"dtype": "i8"}])
def test_the_version_changes_with_names_units_and_shapes_and_with_nothing_else(change):
    def version_with(**other):
        return table_version(Record("R", "", {"a": dataclasses.replace(FIELDS["vehicle.mass"], **other)}))

    assert version_with() != version_with(**change)
    assert version_with() == version_with(default=1.0, description="other", minimum=0.0)
    assert version_with() != table_version(Record("R", "", {"b": FIELDS["vehicle.mass"]}))
    assert len(VERSION) == 8
