import struct

import numpy as np
import pytest
from data_rig import Rig, refused

from hil.diagnostics import protocol
from hil.diagnostics.protocol import Access, Code, Session
from hil.diagnostics.services import (
    dynamically_define_data_identifier,
    read_data_by_identifier,
    read_data_by_periodic_identifier,
)
from hil.diagnostics.services.dynamically_define_data_identifier import PARTS_MOST
from hil.memory_map import MemoryMap

MASS = "10000000"  # address of the first value of the calibration


class DynamicRig(Rig):
    def __init__(self):
        super().__init__(
            lambda rig: [
                read_data_by_identifier.service(rig.identifiers),
                dynamically_define_data_identifier.service(rig.identifiers, MemoryMap(rig.node)),
                read_data_by_periodic_identifier.service(rig.identifiers),
            ]
        )

    def define(self, number, name="calibration.vehicle.mass", position=1, size=8):
        return self.ask("2c01", number, self.number(name), bytes([position, size]))

    def said(self, until):
        """What comes unasked until then [s], with its times; the tester says every second that he is there."""
        found = []
        for _ in range(round((until - self.now) / 0.01)):
            self.now = round(self.now + 0.01, 6)
            self.tester.last_heard = self.now
            found += [(self.now, message) for _, message in self.server.unasked([self.tester], self.now)]
        return found


@pytest.fixture
def rig():
    return DynamicRig()


def test_parts_of_identifiers_and_memory_become_one(rig):
    assert rig.define(0xF300) == bytes.fromhex("6c01f300")
    assert rig.define(0xF300, "calibration.vehicle.wheelbase", 2, 3) == bytes.fromhex("6c01f300")
    assert rig.ask("2c02", 0xF300, "14", MASS, "04") == bytes.fromhex("6c02f300")
    expected = struct.pack(">d", 1875.0) + struct.pack(">d", 2.7)[1:4] + np.float64(1875.0).tobytes()[:4]
    assert rig.ask("22", 0xF300) == bytes.fromhex("62f300") + expected


def test_one_that_was_added_to_often_is_read_and_has_a_limit(rig):
    added = 0
    while rig.define(0xF200, position=1, size=1) == bytes.fromhex("6c01f200"):
        added += 1
    assert added == PARTS_MOST
    assert rig.define(0xF200, size=1) == refused(0x2C, Code.REQUEST_OUT_OF_RANGE)
    assert rig.ask("22", 0xF200)[3:] == added * struct.pack(">d", 1875.0)[:1]


def test_what_is_read_is_what_is_there_now(rig):
    rig.define(0xF201, "input.front.motor_speed")
    rig.node.inputs[0].front.motor_speed = 99.0
    assert rig.ask("22", 0xF201)[3:] == struct.pack(">d", 99.0)


@pytest.mark.parametrize(
    "request_",
    [
        "2c01f1002000 0108",  # not a number for them
        "2c01f4002000 0108",
        "2c01f3000042 0108",  # no such source
        "2c01f3002000 0008",  # positions count from 1
        "2c01f3002000 0208",  # beyond its end
        "2c01f3002000 0100",
        "2c02f300 14 0000000008",  # no such memory
        "2c02f300 14 1000000000",
        "2c02f300 55 10000000001000000000",
        "2c03f300",  # not defined
    ],
)
def test_what_cannot_be_defined_or_cleared_is_out_of_range(rig, request_):
    assert rig.ask(request_) == refused(0x2C, Code.REQUEST_OUT_OF_RANGE)
    assert rig.ask("22", 0xF300) == refused(0x22, Code.REQUEST_OUT_OF_RANGE)


@pytest.mark.parametrize("request_", ["2c01f300", "2c01f30020000108 20", "2c02f3001410000000", "2c03f3", "2c03f30000", "2c"])
def test_a_wrong_length_is_refused(rig, request_):
    assert rig.ask(request_) == refused(0x2C, Code.INCORRECT_LENGTH)


def test_a_definition_of_which_a_part_is_wrong_leaves_what_was_there(rig):
    rig.define(0xF300)
    assert rig.ask("2c01f300 20010108 00420101")[0] == 0x7F
    assert len(rig.ask("22", 0xF300)) == 3 + 8


def test_one_definition_is_cleared_or_all(rig):
    rig.define(0xF300)
    rig.define(0xF301)
    assert rig.ask("2c03f300") == bytes.fromhex("6c03f300")
    assert rig.ask("22", 0xF300) == refused(0x22, Code.REQUEST_OUT_OF_RANGE)
    assert rig.ask("22", 0xF301)[0] == 0x62
    assert rig.ask("2c03") == bytes.fromhex("6c03")
    assert rig.ask("22", 0xF301) == refused(0x22, Code.REQUEST_OUT_OF_RANGE)


def test_definitions_are_the_testers_own_and_end_with_his_session(rig):
    other = protocol.Tester("other")
    rig.define(0xF300)
    assert rig.ask("22f300", tester=other) == refused(0x22, Code.REQUEST_OUT_OF_RANGE)
    rig.tester.enter(Session.EXTENDED)
    assert rig.ask("22f300") == refused(0x22, Code.REQUEST_OUT_OF_RANGE)


def test_memory_needs_its_access_when_defined_and_when_read(rig):
    rig.ask("2c02", 0xF300, "14", MASS, "08")
    rig.tester.access = Access.LOCKED
    assert rig.ask("2c02", 0xF301, "14", MASS, "08") == refused(0x2C, Code.SECURITY_ACCESS_DENIED)
    assert rig.ask("22f300") == refused(0x22, Code.SECURITY_ACCESS_DENIED)


def test_a_tester_cannot_fill_the_memory_with_definitions(rig):
    codes = [rig.define(0xF200 + k)[0] for k in range(200)]
    assert codes.count(0x6C) == 32
    rig.ask("2c03")
    while rig.ask("2c02", 0xF300, "24", MASS, "0400")[0] == 0x6C:
        pass
    assert len(rig.ask("22f300")) == 3 + 3 * 1024


# 0x2A -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "period"), [("01", 1.0), ("02", 0.2), ("03", 0.05)])
def test_a_value_comes_again_and_again_at_its_rate(rig, mode, period):
    rig.define(0xF207, size=4)
    assert rig.ask("2a", mode, "07") == b"\x6a"
    messages = rig.said(3.0)
    times = np.array([time for time, _ in messages])
    assert np.diff(times) == pytest.approx(period, abs=0.011)
    assert times[-1] - times[0] == pytest.approx(period * (len(times) - 1), abs=0.011)
    assert {message for _, message in messages} == {b"\x6a\x07" + struct.pack(">d", 1875.0)[:4]}


def test_what_was_missed_is_left_out(rig):
    rig.define(0xF207)
    rig.ask("2a0307")
    rig.now = 3.01
    assert len(rig.server.unasked([rig.tester], rig.now)) == 1
    assert rig.said(3.04) == []


def test_a_value_stops_when_told_when_cleared_and_with_the_session(rig):
    for low in (1, 2, 3):
        rig.define(0xF200 + low)
    rig.ask("2a03010203")
    assert {message[1] for _, message in rig.said(0.2)} == {1, 2, 3}
    assert rig.ask("2a0401") == b"\x6a"
    assert {message[1] for _, message in rig.said(0.4)} == {2, 3}
    rig.ask("2c03f202")
    assert {message[1] for _, message in rig.said(0.6)} == {3}
    rig.tester.enter(Session.EXTENDED)
    rig.define(0xF203)
    assert rig.said(0.8) == []


def test_all_stop_at_once(rig):
    rig.define(0xF201)
    rig.define(0xF202)
    rig.ask("2a030102")
    assert rig.ask("2a04") == b"\x6a"
    assert rig.said(0.5) == []


def test_a_silent_testers_values_end_with_his_session(rig):
    rig.define(0xF201)
    rig.ask("2a0301")
    rig.now = 5.1
    rig.server.poll([rig.tester], rig.now)
    assert rig.server.unasked([rig.tester], rig.now) == []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("2a", Code.INCORRECT_LENGTH),
        ("2a03", Code.INCORRECT_LENGTH),
        ("2a0001", Code.REQUEST_OUT_OF_RANGE),
        ("2a0501", Code.REQUEST_OUT_OF_RANGE),
        ("2a0309", Code.REQUEST_OUT_OF_RANGE),
        ("2a030101", Code.REQUEST_OUT_OF_RANGE),
        ("2a0409", Code.REQUEST_OUT_OF_RANGE),
        ("2a03010203040506070809", Code.INCORRECT_LENGTH),
    ],
)
def test_what_cannot_be_sent_periodically_is_refused(rig, request_, code):
    rig.define(0xF201)
    assert rig.ask(request_) == refused(0x2A, code)
    assert rig.said(0.2) == []


def test_a_value_that_is_too_long_to_be_sent_periodically_is_refused(rig):
    rig.ask("2c02", 0xF201, "14", MASS, "41")
    assert rig.ask("2a0301") == refused(0x2A, Code.REQUEST_OUT_OF_RANGE)


def test_in_the_default_session_nothing_is_sent_periodically(rig):
    rig.tester.session = Session.DEFAULT
    rig.define(0xF201)
    assert rig.ask("2a0301") == refused(0x2A, Code.SERVICE_NOT_SUPPORTED_IN_SESSION)
