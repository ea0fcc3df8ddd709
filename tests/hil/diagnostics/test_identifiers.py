import hashlib
import struct
from functools import cache
from importlib.metadata import version

import numpy as np
import pytest

from bench.drive import CONTROLLER
from firmware_model.kernel.records import locate
from hil.diagnostics import protocol
from hil.diagnostics.identifiers import (
    ACTIVE_SESSION,
    CALIBRATION_IDENTIFICATION,
    KINDS,
    LIST,
    Identifiers,
    append_missing,
    identifiers,
    missing_lines,
    read_list,
)
from hil.diagnostics.protocol import Code, NegativeResponseError, Session
from hil.network.database import load_network
from hil.node import Node

# Lines of the list when a release was made, and their SHA-256: what testers know by its number stays what it is.
RELEASES = {"0.1.0": (739, "6481180093bef2ea29cb409c9561ce846f524fa2edb61db55be19fea90e9d79f")}


@cache
def network():
    return load_network("leaf_ze1")


@pytest.fixture
def node():
    return Node(CONTROLLER, network())


@pytest.fixture
def by_name(node):
    return {identifier.name: identifier for identifier in identifiers(node).values()}


def pinned_lines():
    return [line for line in LIST.read_text().splitlines() if not line.startswith("#")]


def test_every_value_has_a_line():
    assert missing_lines(LIST.read_text()) == [], "python -m hil.diagnostics.identifiers appends them"


def test_every_line_has_a_value():
    for kind, path in read_list(LIST.read_text()).values():
        KINDS[kind].record.field(path)


@pytest.mark.parametrize("release", RELEASES)
def test_the_lines_of_a_release_are_as_they_were(release):
    count, digest = RELEASES[release]
    assert hashlib.sha256("\n".join(pinned_lines()[:count]).encode()).hexdigest() == digest


def test_a_new_value_gets_the_next_number_of_its_kind_and_nothing_else_changes(tmp_path):
    path = tmp_path / "identifiers.txt"
    kept = [line for line in LIST.read_text().splitlines() if not line.endswith((" front.link.age", " vehicle.mass"))]
    path.write_text("\n".join(kept) + "\n")
    append_missing(path)
    added = path.read_text().splitlines()[len(kept) :]
    assert path.read_text().splitlines()[: len(kept)] == kept
    assert [line.split()[1:] for line in added] == [
        ["calibration", "vehicle.mass"],
        ["input", "front.link.age"],
        ["output", "front.link.age"],
    ]
    numbers = {int(line.split()[0], 16) for line in kept if not line.startswith("#")}
    assert not numbers & {int(line.split()[0], 16) for line in added}


def test_the_number_of_a_value_that_is_gone_is_not_given_again():
    text = f"2000 calibration gone\n2000 retired gone\n{LIST.read_text().split('2000 calibration vehicle.mass')[0]}"
    assert read_list(text) == {}
    assert missing_lines(text)[0] == "2001 calibration vehicle.mass"


@pytest.mark.parametrize(
    "text",
    [
        "2000 calibration vehicle.mass\n2000 calibration vehicle.wheelbase",
        "2000 calibration vehicle.mass\n2001 calibration vehicle.mass",
        "4000 calibration vehicle.mass",
    ],
)
def test_a_list_that_gives_a_number_or_a_value_twice_is_refused(text):
    with pytest.raises(ValueError, match="given away"):
        read_list(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_read_from_the_memory_of_the_node_big_endian(node, by_name, kind):
    array = getattr(node, KINDS[kind].array)
    memory = array.view("i8")
    memory[:] = np.arange(len(memory)) * 0x0101010101
    for path, field in KINDS[kind].record.fields():
        identifier = by_name[f"{kind}.{path}"]
        values = struct.unpack(f">{identifier.size // 8}{'d' if field.dtype == 'f8' else 'q'}", identifier.read())
        assert np.array_equal(np.reshape(values, field.shape), locate(array, path)[0]), path


def test_only_calibration_values_are_written(by_name):
    assert {name.split(".")[0] for name, identifier in by_name.items() if identifier.write} == {"calibration"}


def test_every_calibration_value_takes_what_it_holds(node, by_name):
    before = node.parameters.tobytes()
    for identifier in by_name.values():
        if identifier.write:
            identifier.write(identifier.read())
    assert node.parameters.tobytes() == before


@pytest.mark.parametrize("mass", [499.9, 5000.1, float("nan"), float("inf"), -float("inf")])
def test_a_value_out_of_its_range_is_refused_and_changes_nothing(node, by_name, mass):
    with pytest.raises(NegativeResponseError) as caught:
        by_name["calibration.vehicle.mass"].write(struct.pack(">d", mass))
    assert caught.value.code == Code.REQUEST_OUT_OF_RANGE
    assert node.parameters[0].vehicle.mass == 1875.0


@pytest.mark.parametrize("points", [(0.0, 0.1, 0.1, 0.5, 0.75, 1.0), (0.0, 0.25, 0.1, 0.5, 0.75, 1.0)])
def test_an_axis_that_does_not_rise_is_refused(node, by_name, points):
    with pytest.raises(NegativeResponseError):
        by_name["calibration.driver_demand.pedal_points"].write(struct.pack(">6d", *points))
    assert node.parameters[0].driver_demand.pedal_points[1] == 0.1


def test_another_calibration_has_another_name(node, by_name):
    identification = identifiers(node)[CALIBRATION_IDENTIFICATION]
    before = identification.read()
    by_name["calibration.vehicle.mass"].write(struct.pack(">d", 1900.0))
    assert identification.read() != before
    assert len(identification.read()) == identification.size


def test_the_version_of_the_software_and_the_vin_are_told(node):
    table = identifiers(node)
    assert table[0xF195].read().decode() == version("e4orce-hil")
    assert len(table[0xF190].read()) == 17
    assert not set(table[0xF190].read()) & set(b"IOQ")


def test_the_active_session_is_that_of_the_tester_who_asks(node):
    known = Identifiers(identifiers(node))
    one, other = protocol.Tester("one", Session.EXTENDED), protocol.Tester("other")
    assert known.find(one, ACTIVE_SESSION).read() == b"\x03"
    assert known.find(other, ACTIVE_SESSION).read() == b"\x01"
