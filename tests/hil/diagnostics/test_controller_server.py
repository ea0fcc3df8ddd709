"""The controller's whole server: what a tester reaches, unlocks, changes, and what of it outlives the process."""

import json
import struct
import time
import zlib
from functools import cache

import pytest

from bench.drive import Drive
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.diagnostics import protocol
from hil.diagnostics.controller import AUDIT_FILE, controller_responder, snapshot
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.lock import SECRET_FILE, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import SENDING_TIME, Access, Code, Session
from hil.diagnostics.services.security_access import request_seed, send_key
from hil.diagnostics.trouble_codes import SNAPSHOT
from hil.errors import UsageError
from hil.network.database import load_network


@cache
def network():
    return load_network("leaf_ze1")


class Vcm:
    """The controller in a car that stands, with everything that a tester can reach."""

    def __init__(self, directory, scenario="launch"):
        drive = Drive(network(), load_vehicle("leaf_twin_motor"), load_scenario(scenario))
        self.node, self.lockstep = drive.controller, drive.lockstep()
        self.restarts, self.switched, self.told = [], [], []
        self.directory = directory
        self.responder = controller_responder(
            self.node, lambda: self.restarts.append(self.now), self.switched.append, directory, self.told.append
        )
        self.tester = protocol.Tester("tester")
        self.now = time.monotonic()  # of which the lock counts its delays
        self.numbers = {row.name: row.number for row in identifiers(self.node).values()}

    def __enter__(self):
        self.server = self.responder.__enter__().server
        return self

    def __exit__(self, *error):
        self.responder.__exit__(*error)

    def ask(self, *parts, tester=None):
        data = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
        return self.server.request(tester or self.tester, data, self.now)

    def unlock(self, level, session=Session.EXTENDED, tester=None):
        """As a tester does who has the key."""
        tester = tester or self.tester
        assert self.ask("10 03", tester=tester)[0] == 0x50
        if session != Session.EXTENDED:
            assert self.ask("10", bytes([session]), tester=tester)[0] == 0x50
        seed = self.ask("27", bytes([request_seed(level)]), tester=tester)[2:]
        key = key_for_seed(level_key(read_secret(self.directory / SECRET_FILE), level), level, tester.name, seed)
        assert self.ask("27", bytes([send_key(level)]), key, tester=tester)[0] == 0x67

    def pass_time(self, seconds):
        frames = self.lockstep.advance(seconds).frames
        self.now += seconds
        self.tester.last_heard = self.now
        self.server.poll([self.tester], self.now)
        return frames

    def identifier(self, name):
        return self.numbers[name].to_bytes(2)


@pytest.fixture
def vcm(tmp_path):
    with Vcm(tmp_path) as vcm:
        vcm.pass_time(0.1)
        yield vcm


def test_every_service_of_the_controller_is_there(vcm):
    assert sorted(vcm.server.services) == [
        0x10, 0x11, 0x14, 0x19, 0x21, 0x22, 0x23, 0x27, 0x28, 0x29, 0x2A, 0x2C, 0x2E, 0x2F, 0x31, 0x34, 0x35, 0x36, 0x37, 0x3E,
        0x85,
    ]  # fmt: skip


def test_the_vin_is_the_same_by_both_protocols(vcm):
    assert vcm.ask("21 81")[2:19] == vcm.ask("22 f190")[3:]


def test_a_tester_unlocks_and_calibrates_and_the_log_tells_it(vcm):
    mass = vcm.identifier("calibration.vehicle.mass")
    vcm.ask("10 03")
    write = b"\x2e" + mass + struct.pack(">d", 1950.0)
    assert vcm.ask(write) == bytes([0x7F, 0x2E, Code.SECURITY_ACCESS_DENIED])
    vcm.unlock(Access.CALIBRATE)
    assert vcm.ask(write) == b"\x6e" + mass
    assert vcm.ask("22", mass)[3:] == struct.pack(">d", 1950.0)
    assert vcm.node.parameters[0].vehicle.mass == 1950.0
    lines = [json.loads(line) for line in (vcm.directory / AUDIT_FILE).read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines if line["what"].startswith("WriteDataByIdentifier")]
    assert outcomes == ["allowed", "refused: security access denied", "allowed", "done"]


def test_a_reset_ends_what_any_tester_has_begun_and_starts_anew_after_the_answer(vcm):
    other = protocol.Tester("other")
    vcm.unlock(Access.ACTUATE, tester=other)
    brake = vcm.identifier("output.brakes.rear_left")
    assert vcm.ask("2f", brake, "03", struct.pack(">d", 500.0), tester=other)[0] == 0x6F
    vcm.unlock(Access.ACTUATE)
    assert vcm.ask("11 01") == bytes.fromhex("51 01")
    assert vcm.restarts == []
    vcm.pass_time(2 * SENDING_TIME)
    assert len(vcm.restarts) == 1
    assert (vcm.tester.session, other.session, other.access) == (Session.DEFAULT, Session.DEFAULT, Access.LOCKED)
    assert vcm.node.state[0].actuator_test.request.active == 0


def test_while_wheel_speeds_are_missing_nobody_knows_whether_the_car_stands(vcm):
    vcm.ask("10 03")
    told = vcm.node.measurements[0].supervisor
    told.state, told.faults = SupervisorState.READY, int(Fault.REAR_WHEELS_SILENT)
    assert vcm.ask("11 01") == bytes.fromhex("7f 11 22")
    told.state = SupervisorState.OFF  # its sensors sleep
    assert vcm.ask("11 01") == bytes.fromhex("51 01")


def test_a_self_test_that_a_reset_interrupts_says_nothing_any_more(vcm):
    other = protocol.Tester("other")
    vcm.unlock(Access.ACTUATE, tester=other)
    assert vcm.ask("31 01 02 01", tester=other) is None
    vcm.unlock(Access.ACTUATE)
    vcm.ask("11 01")
    vcm.pass_time(0.2)
    assert vcm.server.poll([vcm.tester, other], vcm.now + 2.0) == []


def test_normal_frames_stop_for_a_tester_and_come_back_with_the_end_of_his_session(vcm):
    vcm.unlock(Access.ACTUATE)
    assert vcm.ask("28 01 01") == bytes.fromhex("68 01")
    assert vcm.switched == [False]
    vcm.tester.enter(Session.DEFAULT)
    assert vcm.switched == [False, True]


def test_a_snapshot_holds_values_by_their_identifiers(vcm):
    table = identifiers(vcm.node)
    data = snapshot(table)
    assert data[0] == len(SNAPSHOT)
    rest, found = data[1:], []
    while rest:
        row = table[int.from_bytes(rest[:2])]
        assert rest[2 : 2 + row.size] == row.read()
        found.append(row.name)
        rest = rest[2 + row.size :]
    assert found == [f"measurement.{path}" for path in SNAPSHOT]


def test_two_controllers_do_not_share_what_outlives_them(vcm):
    with pytest.raises(UsageError, match="in use"), Vcm(vcm.directory):
        pass


def test_keys_are_the_same_after_a_restart_of_the_process(tmp_path):
    for _ in range(2):
        with Vcm(tmp_path) as vcm:
            vcm.pass_time(0.1)
            secret = (tmp_path / SECRET_FILE).read_text()
            vcm.unlock(Access.FLASH, Session.PROGRAMMING)
    assert (tmp_path / SECRET_FILE).read_text() == secret


def test_a_whole_calibration_goes_down_in_the_programming_session(vcm):
    vcm.unlock(Access.FLASH, Session.PROGRAMMING)
    image = vcm.node.parameters.copy()
    image[0].vehicle.mass = 2222.0
    data = image.tobytes()
    assert vcm.ask("34 00 24 10000000", len(data).to_bytes(2))[0] == 0x74
    for number, start in enumerate(range(0, len(data), 1024), 1):
        assert vcm.ask("36", bytes([number]), data[start : start + 1024])[0] == 0x76
    assert vcm.ask("37", zlib.crc32(data).to_bytes(4)) == b"\x77"
    assert vcm.node.parameters[0].vehicle.mass == 2222.0
