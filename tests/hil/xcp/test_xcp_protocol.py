"""The slave in process: bytes in, bytes out."""

import random
import struct
import zlib

import pytest
from xcp_rig import FAULTS, MASS, SPEED, Rig

from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from hil.calibration.pages import Page
from hil.diagnostics.lock import Lock, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access
from hil.xcp.commands import Command, Error
from hil.xcp.identity import EPK, EPK_ADDRESS
from hil.xcp.memory import SEGMENTS, address

ALL_COMMANDS = [int(command) for command in Command]


def test_connect_tells_resources_sizes_and_versions(rig):
    assert rig.connect() == bytes([0x05, 0xC0, 8, 8, 0, 1, 1])
    assert rig.answer(0xFB) == bytes([0, 1, 0, 43, 0, 0, 0x10])


def test_who_is_not_connected_gets_no_answer(network):
    rig = Rig(network)
    assert [rig.ask(command, *bytes(7)) for command in ALL_COMMANDS if command != Command.CONNECT] == [[]] * 36
    rig.connect()
    rig.answer(0xFE)
    assert rig.ask(0xFD) == []


@pytest.mark.parametrize("command", sorted(set(range(0xC0, 0x100)) - set(ALL_COMMANDS)))
def test_a_command_that_is_not_there_is_unknown(rig, command):
    assert rig.error(command, *bytes(7)) == Error.UNKNOWN


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_a_command_that_is_too_short_is_a_syntax_error(rig, command):
    needs_more = command not in (0xFE, 0xFD, 0xFC, 0xFB, 0xE9, 0xDC, 0xDB, 0xDA, 0xD9, 0xD6)
    frames = rig.ask(command)
    assert (frames == [bytes([0xFE, Error.SYNTAX])]) is needs_more


def test_synch_is_answered_by_its_own_error(rig):
    assert rig.ask(0xFC) == [bytes([0xFE, 0x00])]


def test_a_value_is_read_at_its_address_as_binary32(rig):
    rig.node.measurements.vehicle_speed.speed = 12.34
    assert rig.read(SPEED) == struct.unpack("<f", struct.pack("<f", 12.34))[0]
    rig.node.measurements.supervisor.faults = 1 << 40 | 5
    assert (rig.read(FAULTS, "<I"), rig.read(FAULTS + 4, "<I")) == (5, 1 << 8)


def test_an_upload_goes_on_where_the_last_one_ended_in_frames_of_seven_bytes(rig):
    at = address("parameters", "driver_demand.speed_points")
    rig.point(at)
    frames = rig.ask(0xF5, 16)
    assert [len(frame) for frame in frames] == [8, 8, 3]
    data = b"".join(frame[1:] for frame in frames) + rig.answer(0xF5, 16)
    assert struct.unpack("<8f", data) == (0.0, 2.0, 5.0, 10.0, 18.0, 26.0, 35.0, 45.0)


@pytest.mark.parametrize("at", [0, SEGMENTS["parameters"].address + SEGMENTS["parameters"].size - 3, 0xFFFF_FFFF])
def test_what_is_no_memory_is_out_of_range(rig, at):
    where = at.to_bytes(4, "little")
    assert rig.error(0xF4, 4, 0, 0, *where) == Error.OUT_OF_RANGE
    rig.point(at)
    assert rig.error(0xF5, 4) == Error.OUT_OF_RANGE
    assert rig.error(0xF0, 4, *bytes(4)) == Error.OUT_OF_RANGE
    assert rig.error(0xF3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F) == Error.OUT_OF_RANGE


def test_what_is_written_reaches_the_controller_as_the_decimal_that_was_meant(rig):
    assert rig.write(MASS, 1900.1) == [b"\xff"]
    assert rig.node.parameters.vehicle.mass[0] == 1900.1
    rig.write(address("parameters", "front.wheel_radius"), 0.2)  # its lowest
    assert rig.node.parameters.front.wheel_radius[0] == 0.2
    untouched = rig.node.parameters.copy()
    untouched.vehicle.mass, untouched.front.wheel_radius = 1875.0, 0.3108
    assert untouched.tobytes() == new(Calibration).tobytes()


def test_a_value_out_of_its_range_changes_nothing_and_the_operator_hears_why(rig):
    assert rig.write(MASS, float("nan")) == [bytes([0xFE, Error.OUT_OF_RANGE])]
    assert rig.write(MASS, 9e9) == [bytes([0xFE, Error.OUT_OF_RANGE])]
    assert rig.node.parameters.tobytes() == new(Calibration).tobytes()
    assert rig.refused[1] == "refused: XCP: vehicle.mass = 9e+09: allowed is 500 to 5000 kg"


def test_a_block_is_taken_over_as_one(rig):
    at = address("parameters", "driver_demand.pedal_points")
    points = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert rig.write(at, 0.3) == [bytes([0xFE, Error.OUT_OF_RANGE])]  # one after the other they would not rise
    assert rig.download(at, struct.pack("<6f", *points)) == [b"\xff"]
    assert tuple(rig.node.parameters.driver_demand.pedal_points[0]) == points


def test_frames_of_a_block_that_come_in_disorder_end_it(rig):
    rig.point(MASS)
    assert rig.ask(0xF0, 8, *bytes(6)) == []
    assert rig.ask(0xEF, 7, 0, 0) == [bytes([0xFE, Error.SEQUENCE, 2])]
    assert rig.ask(0xEF, 2, 0, 0) == [bytes([0xFE, Error.SEQUENCE, 0])]
    assert rig.ask(0xF0, 8, *bytes(6)) == []
    rig.answer(0xFD)  # another command ends it, too
    assert rig.ask(0xEF, 2, 0, 0) == [bytes([0xFE, Error.SEQUENCE, 0])]
    assert rig.node.parameters.tobytes() == new(Calibration).tobytes()


def test_measurements_cannot_be_written(rig):
    assert rig.write(SPEED, 1.0) == [bytes([0xFE, Error.WRITE_PROTECTED])]
    rig.answer(0xFA, 0)
    assert rig.error(0xF0, 1, 0) in (Error.WRITE_PROTECTED, Error.OUT_OF_RANGE)


def test_pages_are_switched_for_the_controller_and_for_the_master(rig):
    rig.write(MASS, 2000.0)
    rig.answer(0xEB, 0x02, 0, Page.REFERENCE)
    assert (rig.read(MASS), rig.node.parameters.vehicle.mass[0]) == (1875.0, 2000.0)
    assert rig.write(MASS, 2100.0) == [bytes([0xFE, Error.WRITE_PROTECTED])]
    rig.answer(0xEB, 0x81, 7, Page.REFERENCE)
    assert rig.node.parameters.vehicle.mass[0] == 1875.0
    assert (rig.answer(0xEA, 1, 0)[2], rig.answer(0xEA, 2, 0)[2]) == (1, 1)
    rig.answer(0xEB, 0x83, 0, Page.WORKING)
    assert (rig.read(MASS), rig.node.parameters.vehicle.mass[0]) == (2000.0, 2000.0)
    rig.answer(0xE4, 0, Page.REFERENCE, 0, Page.WORKING)
    assert rig.node.parameters.tobytes() == new(Calibration).tobytes()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((0xEB, 0x00, 0, 0), Error.MODE_NOT_VALID),
        ((0xEB, 0x03, 1, 0), Error.SEGMENT_NOT_VALID),
        ((0xEB, 0x03, 0, 2), Error.PAGE_NOT_VALID),
        ((0xEA, 0x03, 0), Error.MODE_NOT_VALID),
        ((0xEA, 0x01, 1), Error.SEGMENT_NOT_VALID),
        ((0xE4, 0, 0, 0, 1), Error.WRITE_PROTECTED),
        ((0xE4, 0, 2, 0, 0), Error.PAGE_NOT_VALID),
        ((0xE4, 1, 0, 0, 0), Error.SEGMENT_NOT_VALID),
        ((0xE7, 0, 0, 2), Error.PAGE_NOT_VALID),
        ((0xE7, 0, 1, 0), Error.SEGMENT_NOT_VALID),
        ((0xE8, 1, 1, 0, 0), Error.SEGMENT_NOT_VALID),
        ((0xE8, 2, 0, 0, 0), Error.OUT_OF_RANGE),
        ((0xF6, 0, 0, 1, 0, 0, 0, 0), Error.OUT_OF_RANGE),
        ((0xF5, 0), Error.OUT_OF_RANGE),
        ((0xF4, 8, 0, 0, *MASS.to_bytes(4, "little")), Error.OUT_OF_RANGE),
        ((0xF0, 0), Error.OUT_OF_RANGE),
        ((0xF0, 4, 1), Error.SYNTAX),
        ((0xFF, 1), Error.OUT_OF_RANGE),
        ((0xD7, 0, 3, 0), Error.OUT_OF_RANGE),
        ((0xDE, 1, 0, 0), Error.OUT_OF_RANGE),
        ((0xDD, 3), Error.MODE_NOT_VALID),
        ((0xF7, 1, 0), Error.SEQUENCE),
        ((0xF8, 1, 0), Error.SEQUENCE),
        ((0xF8, 0, 0x40), Error.OUT_OF_RANGE),
    ],
)
def test_what_makes_no_sense_has_the_code_of_the_standard(rig, command, code):
    assert rig.error(*command) == code


def test_segment_and_pages_are_described(rig):
    assert rig.answer(0xE9) == bytes([1, 0])
    segment = SEGMENTS["parameters"]
    assert int.from_bytes(rig.answer(0xE8, 0, 0, 0, 0)[3:], "little") == segment.address
    assert int.from_bytes(rig.answer(0xE8, 0, 0, 1, 0)[3:], "little") == segment.size
    assert rig.answer(0xE8, 1, 0, 0, 0)[0] == 2
    assert [rig.answer(0xE7, 0, 0, page)[0] for page in (0, 1)] == [0x3F, 0x0F]


def test_a_checksum_is_that_of_what_is_uploaded(rig):
    segment = SEGMENTS["parameters"]
    rig.point(segment.address)
    answer = rig.answer(0xF3, 0, 0, 0, *segment.size.to_bytes(4, "little"))
    rig.point(segment.address)
    data = b"".join(rig.answer(0xF5, min(255, segment.size - at)) for at in range(0, segment.size, 255))
    assert answer[0] == 0x09
    assert int.from_bytes(answer[3:], "little") == zlib.crc32(data)
    rig.write(MASS, 2000.0)
    rig.point(segment.address)
    assert rig.answer(0xF3, 0, 0, 0, *segment.size.to_bytes(4, "little")) != answer


@pytest.mark.parametrize(("kind", "text"), [(1, b"e4orce_hil"), (2, b"e4orce_hil.a2l"), (5, EPK), (99, b"")])
def test_identifications_are_uploaded(rig, kind, text):
    length = int.from_bytes(rig.answer(0xFA, kind)[3:], "little")
    assert length == len(text)
    if length:
        assert rig.answer(0xF5, length) == text
        assert rig.error(0xF5, 1) == Error.OUT_OF_RANGE


def test_the_epk_is_at_its_address(rig):
    rig.point(EPK_ADDRESS)
    assert rig.answer(0xF5, len(EPK)) == EPK
    assert rig.error(0xF4, 1, 0, 0, *(EPK_ADDRESS + len(EPK)).to_bytes(4, "little")) == Error.OUT_OF_RANGE


class Locked:
    """A slave with the lock of the diagnostics."""

    def __init__(self, network, folder):
        self.rig = Rig(network, lock=Lock(folder, 0.0))
        self.rig.connect()
        self._key = level_key(read_secret(folder / "security_access.key"), Access.CALIBRATE)

    def seed(self):
        answer = self.rig.answer(0xF8, 0, 1)
        seed, left = answer[1:], answer[0] - len(answer[1:])
        while left > 0:
            answer = self.rig.answer(0xF8, 1, 0)
            assert answer[0] == left
            seed += answer[1:]
            left -= len(answer[1:])
        return seed

    def key(self, seed):
        return key_for_seed(self._key, Access.CALIBRATE, "XCP", seed)

    def unlock(self, key):
        frames = []
        for start in range(0, len(key), 6):
            frames = self.rig.ask(0xF7, len(key) - start, *key[start : start + 6])
        return frames


@pytest.fixture
def locked(network, tmp_path):
    (tmp_path / "state").mkdir()
    return Locked(network, tmp_path / "state")


def test_a_locked_calibration_is_read_and_measured_but_not_changed(locked):
    rig = locked.rig
    assert rig.answer(0xFD)[1] == 0x01
    assert rig.read(MASS) == 1875.0
    assert rig.write(MASS, 2000.0) == [bytes([0xFE, Error.ACCESS_LOCKED])]
    assert rig.error(0xEB, 0x83, 0, 1) == Error.ACCESS_LOCKED
    assert rig.error(0xE4, 0, 1, 0, 0) == Error.ACCESS_LOCKED
    assert rig.error(0xEE, *bytes(7)) == Error.ACCESS_LOCKED
    assert rig.node.parameters.tobytes() == new(Calibration).tobytes()
    rig.configure(SPEED)


def test_the_key_opens_it_until_the_session_ends(locked):
    rig = locked.rig
    assert locked.unlock(locked.key(locked.seed())) == [bytes([0xFF, 0])]
    assert rig.answer(0xFD)[1] == 0
    assert rig.answer(0xF8, 0, 1) == b"\x00"
    assert rig.write(MASS, 2000.0) == [b"\xff"]
    rig.connect()
    assert rig.answer(0xFD)[1] == 0x01
    assert rig.write(MASS, 2100.0) == [bytes([0xFE, Error.ACCESS_LOCKED])]


def test_a_wrong_key_ends_the_session_and_is_counted(locked):
    rig = locked.rig
    for _ in range(3):
        rig.connect()
        locked.seed()
        assert locked.unlock(bytes(32)) == [bytes([0xFE, Error.ACCESS_LOCKED])]
        assert rig.ask(0xFD) == []
    rig.connect()
    assert rig.error(0xF8, 0, 1) == Error.ACCESS_DENIED


def test_random_commands_find_no_exception_no_other_answer_and_no_bad_calibration(rig):
    chance = random.Random(1)
    addresses = [MASS, SPEED, EPK_ADDRESS, SEGMENTS["parameters"].address + 7380]
    for _ in range(20_000):
        command = chance.choice(ALL_COMMANDS)
        data = bytes(chance.randrange(256) if chance.random() < 0.3 else chance.randrange(3) for _ in range(chance.randrange(8)))
        if chance.random() < 0.3:
            data = data[:3] + chance.choice(addresses).to_bytes(4, "little")
        for frame in rig.ask(command, *data[:7]):
            assert frame[0] in (0xFF, 0xFE)
            assert len(frame) <= 8
        if not rig.spec.slave.is_connected:
            rig.connect()
    assert rig.pages.load(rig.pages.page(Page.WORKING), "check") == []
