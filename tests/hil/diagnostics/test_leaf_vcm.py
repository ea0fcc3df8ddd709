"""The LEAF's own identifiers, as tools for the LEAF read them: numbers, lengths and scales of published answers of a car."""

import math

import pytest

from bench.drive import CONTROLLER
from firmware_model.signals import DriveMode, Gear
from hil.diagnostics import protocol
from hil.diagnostics.identifiers import KINDS, Identifiers
from hil.diagnostics.leaf_vcm import TABLE, leaf_identifiers
from hil.diagnostics.services import read_data_by_identifier, read_data_by_local_identifier
from hil.network.database import load_network
from hil.node import Node

VIN = "E4HVIRTUALCAR0001"
# Answers of a LEAF of 2018: bytes behind the identifier, and what their finder makes of them.
PUBLISHED = [
    (0x1103, "A3", 13.04),
    (0x115D, "81", 24.0),
    (0x1183, "FF72", -0.5546875),
    (0x1203, "0001", 1.0),
    (0x1205, "0073", 115.0),
    (0x1261, "02", 100.0),
    (0x1262, "01", 250.0),
    (0x1152, "02", 200.0),
    (0x1151, "01", 250.0),
    (0x1255, "FFAB", -85.0),
    (0x1236, "0015", 2100.0),
    (0x1146, "0027", 1560.0),
    (0x121A, "0001", 0.1),
    (0x1304, "80FE", 0x80),
    (0x131A, "0414", 0x04),
]


@pytest.fixture
def node() -> Node:
    return Node(CONTROLLER, load_network("leaf_ze1"))


def ask(node: Node, request: str) -> str:
    table = Identifiers(leaf_identifiers(node))
    server = protocol.DiagnosticServer([read_data_by_identifier.service(table), read_data_by_local_identifier.service(VIN)])
    answer = server.request(protocol.Tester("test"), bytes.fromhex(request), 0.0)
    assert answer is not None
    return answer.hex().upper()


@pytest.mark.parametrize(("number", "data", "value"), PUBLISHED)
def test_an_answer_of_a_real_car_means_what_its_finder_says(number: int, data: str, value: float) -> None:
    row = TABLE[number]
    assert row.decode(bytes.fromhex(data)) == pytest.approx(value)
    assert row.encode(value).hex().upper() == data


def test_no_number_is_also_one_of_the_controllers_own() -> None:
    assert not [number for number in TABLE if any(number in kind.numbers for kind in KINDS.values())]


def test_every_identifier_is_as_long_as_it_says(node: Node) -> None:
    for number, identifier in leaf_identifiers(node).items():
        assert len(identifier.read()) == identifier.size, f"{number:04X}"


def test_a_car_that_drives_is_told_as_a_leaf_tells_it(node: Node) -> None:
    node.inputs[0].front.motor_speed = -85.0 * math.pi / 30.0
    node.measurements[0].vehicle_speed.speed = -10.0 / 3.6
    node.measurements[0].front.dc_power, node.measurements[0].rear.dc_power = 1000.0, 560.0
    assert ask(node, "221255") == "621255FFAB"
    assert ask(node, "22121A") == "62121A0064"
    assert ask(node, "221146") == "6211460027"
    assert ask(node, "221255121A") == "621255FFAB121A0064"


@pytest.mark.parametrize(
    ("gear", "mode", "told"),
    [
        (Gear.PARK, DriveMode.STANDARD, "01"),
        (Gear.REVERSE, DriveMode.STANDARD, "02"),
        (Gear.NEUTRAL, DriveMode.ECO, "03"),
        (Gear.DRIVE, DriveMode.SPORT, "04"),
        (Gear.BRAKE, DriveMode.STANDARD, "04"),
        (Gear.DRIVE, DriveMode.ECO, "07"),
    ],
)
def test_gears_have_the_leafs_numbers(node: Node, gear: Gear, mode: DriveMode, told: str) -> None:
    node.outputs[0].power.gear, node.inputs[0].pedals.drive_mode = gear, mode
    assert ask(node, "221156") == f"621156{told}"


def test_switches_are_told(node: Node) -> None:
    pedals = node.inputs[0].pedals
    assert (ask(node, "221304"), ask(node, "221318"), ask(node, "22131A")) == ("62130400FE", "6213180039", "62131A0014")
    pedals.power_switch, pedals.drive_mode, pedals.e_pedal = 1, DriveMode.ECO, 1
    assert (ask(node, "221304"), ask(node, "221318"), ask(node, "22131A")) == ("62130480FE", "6213181039", "62131A0414")


def test_a_car_with_a_rear_motor_alone_tells_its_speed(node: Node) -> None:
    node.parameters[0].front.motor_present = 0
    node.inputs[0].rear.motor_speed = 1000.0 * math.pi / 30.0
    assert ask(node, "221255") == "62125503E8"


@pytest.mark.parametrize(("value", "told"), [(math.nan, "0000"), (math.inf, "0000"), (1e9, "7FFF"), (-1e9, "8000")])
def test_what_has_no_value_or_is_beyond_the_range_is_told_all_the_same(node: Node, value: float, told: str) -> None:
    node.inputs[0].front.motor_speed = value
    assert ask(node, "221255") == f"621255{told}"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [("2181", "6181" + VIN.encode().hex().upper() + "0000"), ("2101", "7F2112"), ("21", "7F2113"), ("218100", "7F2113")],
)
def test_the_vin_is_told_by_kwp(node: Node, request_: str, answer: str) -> None:
    assert ask(node, request_) == answer
