import struct
from dataclasses import replace

import pytest
from data_rig import Rig, refused

from hil.diagnostics.protocol import Access, Code, Session
from hil.diagnostics.services import read_data_by_identifier


@pytest.fixture
def rig():
    return Rig(lambda rig: [read_data_by_identifier.service(rig.identifiers)])


def test_several_values_come_in_the_order_in_which_they_were_asked_for(rig):
    rig.node.inputs[0].front.motor_speed = -12.5
    rig.node.measurements[0].torque_monitor.trips = 3
    speed, trips = rig.number("input.front.motor_speed"), rig.number("measurement.torque_monitor.trips")
    answer = rig.ask("22", trips, speed)
    assert answer == b"\x62" + struct.pack(">HqHd", trips, 3, speed, -12.5)


def test_the_values_are_those_of_now(rig):
    mass = rig.number("calibration.vehicle.mass")
    rig.node.parameters[0].vehicle.mass = 2000.0
    assert rig.ask("22", mass)[3:] == struct.pack(">d", 2000.0)


def test_an_unknown_identifier_among_known_ones_is_passed_over(rig):
    assert rig.ask("22", 0x0042, 0xF186) == bytes.fromhex("62f18603")


@pytest.mark.parametrize("request_", ["22", "2201", "22f18601", "22" + 65 * "f186"])
def test_a_length_that_is_none_of_whole_identifiers_or_too_many_is_refused(rig, request_):
    assert rig.ask(request_) == refused(0x22, Code.INCORRECT_LENGTH)


def test_unknown_identifiers_alone_are_out_of_range(rig):
    assert rig.ask("22", 0x0042, 0x0043) == refused(0x22, Code.REQUEST_OUT_OF_RANGE)


def test_an_answer_that_no_message_holds_is_refused(rig):
    assert rig.ask("22", *10 * [rig.number("calibration.faults.latch_time")]) == refused(0x22, Code.RESPONSE_TOO_LONG)


def test_what_needs_an_access_is_refused_without_it_also_among_others(rig):
    rig.identifiers.table[0xF190] = replace(rig.identifiers.table[0xF190], access=Access.READ)
    rig.tester.access = Access.LOCKED
    assert rig.ask("22", 0xF190, 0xF186) == refused(0x22, Code.SECURITY_ACCESS_DENIED)
    rig.tester.access = Access.READ
    assert rig.ask("22", 0xF190)[:3] == bytes.fromhex("62f190")


def test_a_tester_without_session_and_access_reads_every_identifier(rig):
    rig.tester.session, rig.tester.access = Session.DEFAULT, Access.LOCKED
    for number, identifier in rig.identifiers.table.items():
        assert len(rig.ask("22", number)) == 3 + identifier.size
