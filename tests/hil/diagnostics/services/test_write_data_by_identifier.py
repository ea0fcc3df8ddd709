import struct

import pytest
from data_rig import Rig, refused

from hil.calibration.pages import Page
from hil.diagnostics.protocol import Access, Code
from hil.diagnostics.services import read_data_by_identifier, write_data_by_identifier

POINTS = [0.0, 0.1, 0.2, 0.4, 0.7, 1.0]


def assembled(rig):
    return [read_data_by_identifier.service(rig.identifiers), write_data_by_identifier.service(rig.identifiers)]


@pytest.fixture
def rig():
    return Rig(assembled)


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


def test_a_curve_is_taken_over_whole_also_while_driving():
    taken = []
    rig = Rig(assembled, put=lambda calibration: taken.append(list(calibration[0].driver_demand.pedal_points)))
    rig.speed = 30.0
    curve = rig.number("calibration.driver_demand.pedal_points")
    assert rig.ask("2e", curve, struct.pack(">6d", *POINTS))[0] == 0x6E
    assert taken == [POINTS]


def test_a_curve_that_does_not_rise_is_refused(rig):
    curve = rig.number("calibration.driver_demand.pedal_points")
    before = rig.ask("22", curve)
    assert rig.ask("2e", curve, struct.pack(">6d", *reversed(POINTS))) == refused(0x2E, Code.REQUEST_OUT_OF_RANGE)
    assert rig.ask("22", curve) == before


def test_what_hangs_on_who_sits_at_the_bench_is_not_written():
    rig = Rig(assembled, held=["supervisor.arming_required"])
    required = rig.number("calibration.supervisor.arming_required")
    assert rig.ask("2e", required, struct.pack(">q", 1)) == refused(0x2E, Code.REQUEST_OUT_OF_RANGE)
    assert rig.node.parameters[0].supervisor.arming_required == 0


def test_nothing_is_written_while_the_controller_runs_on_the_reference_page(rig):
    rig.pages.select(Page.REFERENCE, "test")
    mass = rig.number("calibration.vehicle.mass")
    assert rig.ask("2e", mass, struct.pack(">d", 2100.0)) == refused(0x2E, Code.CONDITIONS_NOT_CORRECT)
    assert rig.pages.page(Page.WORKING)[0].vehicle.mass == 1875.0


def test_a_value_that_the_loop_does_not_take_over_is_not_written():
    def stuck(calibration):
        raise TimeoutError("the loop takes over nothing")

    rig = Rig(assembled, put=stuck)
    mass = rig.number("calibration.vehicle.mass")
    assert rig.ask("2e", mass, struct.pack(">d", 2100.0)) == refused(0x2E, Code.GENERAL_PROGRAMMING_FAILURE)
    assert rig.ask("22", mass)[3:] == struct.pack(">d", 1875.0)
