import struct

import pytest
from data_rig import Rig, refused

from hil.diagnostics.protocol import Access, Code
from hil.diagnostics.services import write_data_by_identifier


@pytest.fixture
def rig():
    return Rig(lambda rig: [write_data_by_identifier.service(rig.identifiers, lambda: rig.speed)])


def test_a_calibration_value_is_taken_and_the_log_says_so(rig):
    mass = rig.number("calibration.vehicle.mass")
    assert rig.ask("2e", mass, struct.pack(">d", 2100.0)) == b"\x6e" + mass.to_bytes(2)
    assert rig.node.parameters[0].vehicle.mass == 2100.0
    what = "WriteDataByIdentifier 2e 20 00 40 a0 68 00 00 00 00 00"
    assert rig.log == [("tester", what, "allowed"), ("tester", what, "done")]


def test_a_flag_is_a_whole_number(rig):
    required = rig.number("calibration.supervisor.arming_required")
    assert rig.ask("2e", required, struct.pack(">q", 1))[0] == 0x6E
    assert rig.node.parameters[0].supervisor.arming_required == 1
    assert rig.ask("2e", required, struct.pack(">q", 2)) == refused(0x2E, Code.REQUEST_OUT_OF_RANGE)


@pytest.mark.parametrize("access", [Access.LOCKED, Access.READ])
def test_without_the_access_nothing_is_written_and_the_log_says_so(rig, access):
    rig.tester.access = access
    mass = rig.number("calibration.vehicle.mass")
    assert rig.ask("2e", mass, struct.pack(">d", 2100.0)) == refused(0x2E, Code.SECURITY_ACCESS_DENIED)
    assert rig.node.parameters[0].vehicle.mass == 1875.0
    assert rig.log[-1][2] == "refused: security access denied"


@pytest.mark.parametrize("name", ["measurement.vehicle_speed.speed", "input.front.motor_speed", "output.brakes.front_left"])
def test_what_is_no_calibration_value_cannot_be_written(rig, name):
    assert rig.ask("2e", rig.number(name), bytes(8)) == refused(0x2E, Code.REQUEST_OUT_OF_RANGE)


@pytest.mark.parametrize("size", [1, 7, 9, 16])
def test_another_length_than_that_of_the_value_is_refused(rig, size):
    assert rig.ask("2e", rig.number("calibration.vehicle.mass"), bytes(size)) == refused(0x2E, Code.INCORRECT_LENGTH)


def test_the_length_is_looked_at_after_the_identifier_and_the_access(rig):
    mass = rig.number("calibration.vehicle.mass")
    assert rig.ask("2e", 0x0042, "00") == refused(0x2E, Code.REQUEST_OUT_OF_RANGE)
    rig.tester.access = Access.LOCKED
    assert rig.ask("2e", mass, "00") == refused(0x2E, Code.SECURITY_ACCESS_DENIED)


def test_while_driving_one_word_is_taken_and_a_curve_is_not(rig):
    rig.speed = -3.0
    points = struct.pack(">6d", 0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
    curve = rig.number("calibration.driver_demand.pedal_points")
    assert rig.ask("2e", curve, points) == refused(0x2E, Code.VEHICLE_SPEED_TOO_HIGH)
    assert rig.ask("2e", rig.number("calibration.vehicle.mass"), struct.pack(">d", 2100.0))[0] == 0x6E
    rig.speed = 0.0
    assert rig.ask("2e", curve, points)[0] == 0x6E
    assert list(rig.node.parameters[0].driver_demand.pedal_points) == [0.0, 0.1, 0.2, 0.4, 0.7, 1.0]


def test_at_an_unknown_speed_no_array_is_written(rig):
    rig.speed = float("nan")
    curve = rig.number("calibration.driver_demand.pedal_points")
    assert rig.ask("2e", curve, struct.pack(">6d", 0.0, 0.1, 0.2, 0.4, 0.7, 1.0)) == refused(0x2E, Code.CONDITIONS_NOT_CORRECT)
