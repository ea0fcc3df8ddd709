from enum import IntEnum

import numpy as np
import pytest

from firmware_model.kernel import choice, flag, integer, kernel, real, record
from firmware_model.kernel.records import locate


class Colour(IntEnum):
    RED = 2
    GREEN = 5


@record
class Part:
    """One part."""

    mass = real("kg", "its mass", default=1.5, minimum=0.0, maximum=9.0)
    curve = real("Nm", "three points", default=(1.0, 2.0, 3.0), shape=(3,))
    colour = choice(Colour, "its colour", default=Colour.GREEN)


@record
class Whole:
    """Two parts and some."""

    left = Part
    right = Part
    count = integer("how many", default=7)
    open = flag("whether it is open")


@kernel
def double_mass(whole):
    whole.right.mass = 2.0 * whole.left.mass + whole.left.curve[2]
    whole.right.colour = Colour.RED
    return whole.right.mass


def test_a_new_record_holds_every_default():
    whole = Whole.new()
    assert whole.shape == (1,)
    assert whole[0].left.mass == 1.5
    assert list(whole[0].right.curve) == [1.0, 2.0, 3.0]
    assert (whole[0].count, whole[0].open, whole[0].left.colour) == (7, 0, Colour.GREEN)


def test_new_records_share_nothing():
    first, second = Whole.new(), Whole.new()
    first[0].left.mass = 4.0
    assert second[0].left.mass == 1.5


def test_reset_writes_every_default_again():
    whole = Whole.new()
    whole[0].left.mass, whole[0].count = 8.0, 0
    Whole.reset(whole)
    assert whole == Whole.new()


def test_fields_come_with_dotted_paths_in_order_of_declaration():
    paths = [path for path, _ in Whole.fields()]
    assert paths == [
        "left.mass", "left.curve", "left.colour", "right.mass", "right.curve", "right.colour", "count", "open",
    ]  # fmt: skip


def test_field_finds_a_declaration_by_its_path():
    mass = Whole.field("right.mass")
    assert (mass.unit, mass.minimum, mass.maximum, mass.default) == ("kg", 0.0, 9.0, 1.5)
    assert Whole.field("right.colour").labels is Colour


@pytest.mark.parametrize("path", ["left", "left.weight", "left.mass.unit", "nothing"])
def test_field_refuses_a_path_that_is_no_value(path):
    with pytest.raises(KeyError):
        Whole.field(path)


def test_a_choice_is_limited_to_its_labels_and_a_flag_to_0_and_1():
    assert (Part.field("colour").minimum, Part.field("colour").maximum) == (2, 5)
    assert (Whole.field("open").minimum, Whole.field("open").maximum) == (0, 1)


def test_locate_reads_and_writes_by_path():
    whole = Whole.new()
    locate(whole, "right.mass")[...] = 3.0
    assert whole[0].right.mass == 3.0


def test_the_layout_is_aligned():
    assert Whole.dtype.isalignedstruct or np.dtype(Whole.dtype.descr).itemsize <= Whole.dtype.itemsize
    assert all(offset % 8 == 0 for _, offset in Whole.dtype.fields.values())


def test_the_declaration_keeps_name_and_description():
    assert (Whole.name, Whole.description) == ("Whole", "Two parts and some.")


def test_a_kernel_reads_and_writes_nested_records():
    whole = Whole.new()
    assert double_mass(whole[0]) == 6.0
    assert whole[0].right.mass == 6.0
    assert whole[0].right.colour == Colour.RED


def test_a_name_that_numpy_records_have_already_is_refused():
    class Clash:
        """Has a field that hides numpy's own."""

        shape = real("1", "would hide record.shape")

    with pytest.raises(ValueError, match="shape"):
        record(Clash)
