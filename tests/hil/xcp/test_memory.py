"""What a master sees of the records."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from firmware_model.kernel.records import locate, words_of
from hil.calibration.table import FIELDS
from hil.xcp.memory import RECORDS, SEGMENTS, address, find

CALIBRATION = SEGMENTS["parameters"]


@pytest.mark.parametrize("array", RECORDS)
def test_every_value_has_its_place_and_what_is_between_is_zero(array):
    record = RECORDS[array].new()
    for number, (path, _) in enumerate(RECORDS[array].fields(), 1):
        locate(record, path)[...] = number
    image = SEGMENTS[array].image(words_of(record)).copy()
    for number, (path, field) in enumerate(RECORDS[array].fields(), 1):
        at = address(array, path) - SEGMENTS[array].address
        place = image[at : at + 4 * int(np.prod(field.shape))]
        np.testing.assert_array_equal(place.view("<f4" if field.dtype == "f8" else "<i4"), number)
        place[:] = 0
    assert not image.any()


def test_a_whole_number_has_all_its_eight_bytes():
    record = RECORDS["measurements"].new()
    record.supervisor.faults = -2
    at = address("measurements", "supervisor.faults") - SEGMENTS["measurements"].address
    image = SEGMENTS["measurements"].image(words_of(record))
    assert struct.unpack_from("<q", image.tobytes(), at) == (-2,)


def test_what_is_beyond_binary32_is_infinite():
    record = RECORDS["outputs"].new()
    record.front.motor_torque = 1e300
    at = address("outputs", "front.motor_torque") - SEGMENTS["outputs"].address
    assert struct.unpack_from("<f", SEGMENTS["outputs"].image(words_of(record)).tobytes(), at) == (np.inf,)


def test_an_image_that_is_not_changed_changes_nothing():
    words = words_of(new(Calibration))
    np.testing.assert_array_equal(CALIBRATION.changed(words, CALIBRATION.image(words)), words)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_that_is_written_reads_back_as_the_same_binary32(number):
    calibration = new(Calibration)
    words = words_of(calibration)
    image = CALIBRATION.image(words)
    at = address("parameters", "vehicle.mass") - CALIBRATION.address
    image[at : at + 4] = memoryview(struct.pack("<f", number))
    changed = CALIBRATION.changed(words, image)
    assert CALIBRATION.image(changed).tobytes() == image.tobytes()


@pytest.mark.parametrize("path", ["front.wheel_radius", "vehicle.cg_height", "pack.resistance_1", "power_budget.margin"])
def test_limits_and_defaults_arrive_as_they_are_written_by_people(path):
    for number in (FIELDS[path].minimum, FIELDS[path].maximum, FIELDS[path].default):
        calibration = new(Calibration)
        locate(calibration, path)[...] = 0.77
        words = words_of(calibration)
        image = CALIBRATION.image(words)
        at = address("parameters", path) - CALIBRATION.address
        image[at : at + 4] = memoryview(struct.pack("<f", number))
        words[:] = CALIBRATION.changed(words, image)
        assert locate(calibration, path)[0] == number


@pytest.mark.parametrize("array", RECORDS)
def test_a_segment_ends_where_it_ends(array):
    segment = SEGMENTS[array]
    assert find(segment.address + segment.size - 4, 4) == (segment, segment.size - 4)
    for at, size in ((segment.address - 1, 2), (segment.address + segment.size - 4, 5), (segment.address + segment.size, 1)):
        with pytest.raises(LookupError):
            find(at, size)
