"""What the interpreter's tests stand on: a structure is the record itself."""

import numpy as np
import pytest
from structures import structure

from firmware_model.calibration import Calibration
from firmware_model.kernel import integer, real, record
from firmware_model.kernel.records import locate
from firmware_model.measurements import Measurements
from firmware_model.signals import Inputs, Outputs
from firmware_model.state import State


@record
class Part:
    """One part."""

    mass = real("kg", "its mass", default=1.5)
    curve = real("Nm", "three points", default=(1.0, 2.0, 3.0), shape=(3,))
    pieces = integer("how many", default=7)


@record
class Whole:
    """Two parts and some."""

    left = Part
    right = Part
    covariance = real("1", "two by two", shape=(2, 2))
    counts = integer("how many of each", shape=(2,))


@pytest.mark.parametrize("declared", [Inputs, Outputs, State, Measurements, Calibration, Whole])
def test_every_value_of_a_record_is_where_the_structure_reads_it(declared):
    array = declared.new()
    memory = array.view("f8")
    memory[:] = np.arange(len(memory)) + 0.5
    view = structure(array)
    for path, _ in declared.fields():
        value = view
        for name in path.split("."):
            value = getattr(value, name)
        assert np.array_equal(value, locate(array, path)[0]), path


def test_what_is_written_to_the_structure_is_in_the_record():
    array = Whole.new()
    whole = structure(array)
    whole.right.mass, whole.left.pieces, whole.covariance[1, 0], whole.left.curve = 4.0, np.bool_(True), 0.5, (7.0, 8.0, 9.0)
    whole.right.pieces = 3.9
    assert array[0].right.mass == 4.0
    assert (array[0].left.pieces, array[0].right.pieces) == (1, 3)
    assert array[0].covariance[1, 0] == 0.5
    assert list(array[0].left.curve) == [7.0, 8.0, 9.0]
    assert whole["right"]["mass"] == 4.0


def test_a_name_that_is_not_declared_is_refused():
    whole = structure(Whole.new())
    with pytest.raises(AttributeError):
        whole.left.weight = 1.0
    with pytest.raises(AttributeError):
        whole.left = whole.right
