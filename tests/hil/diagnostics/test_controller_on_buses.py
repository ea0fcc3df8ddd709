"""udsoncan's client at the controller's own server, over every kind of bus: every service of it."""

import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bus_places import Place
from isotp_tester import REQUEST, uds_client
from platforms import needs_absolute_sleep
from responder_rig import running
from small_network import write_small_network
from udsoncan import AsciiCodec, CommunicationType, DataIdentifier, DidCodec, DynamicDidDefinition, MemoryLocation
from udsoncan.exceptions import NegativeResponseException
from waiting import wait_until

from bench.drive import CONTROLLER
from hil.bus import open_bus, parse_bus_address
from hil.diagnostics.controller import controller_responder
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.lock import SECRET_FILE, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access, Code, DiagnosticServer, Tester
from hil.diagnostics.services.security_access import request_seed
from hil.diagnostics.trouble_codes import TABLE
from hil.memory_map import address_of
from hil.network.database import load_network
from hil.node import Node

pytestmark = needs_absolute_sleep

PATIENCE = 30.0  # [s] for the longest message over a serial port
MASS = address_of("parameters", CONTROLLER.parameters, "vehicle.mass")


class Float64(DidCodec):
    def encode(self, value: float) -> bytes:
        return struct.pack(">d", value)

    def decode(self, payload: bytes) -> float:
        return float(struct.unpack(">d", payload)[0])

    def __len__(self) -> int:
        return 8


DIDS = {"default": Float64, DataIdentifier.VIN: AsciiCodec(17), 0xF200: Float64, 0xF300: Float64}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_network(str(write_small_network(tmp_path_factory.mktemp("network"))))


@pytest.fixture
def vcm() -> Node:
    return Node(CONTROLLER, load_network("leaf_ze1"))


@contextmanager
def writing(server: DiagnosticServer) -> Iterator[None]:
    """The fault memory has written its file, so that the thread which does that is there before threads are counted."""
    before = Tester("before")
    if server.request(before, b"\x14\xff\xff\xff", 0.0) is None:
        wait_until(lambda: server.poll([before], 0.0))
    yield


@pytest.fixture
def client(network: Any, vcm: Node, tmp_path: Path, place: Place) -> Any:
    """udsoncan's client, who has unlocked everything, over each kind of bus."""
    bus = open_bus(parse_bus_address(place[1]))
    try:
        with (
            controller_responder(vcm, lambda: None, lambda on: None, tmp_path, lambda message: None) as responder,
            writing(responder.server),
            running(network, place[0], server=responder.server, transport=responder.transport),
            uds_client(bus) as client,
        ):
            client.config["data_identifiers"] = DIDS
            client.config["p2_timeout"] = client.config["request_timeout"] = PATIENCE
            client.config["server_address_format"], client.config["server_memorysize_format"] = 32, 16
            secret = read_secret(tmp_path / SECRET_FILE)
            client.config["security_algo"] = lambda level, seed, params: key_for_seed(
                level_key(secret, Access.FLASH), Access.FLASH, f"{REQUEST:03X}", seed
            )
            client.change_session(3)
            client.unlock_security_access(request_seed(Access.FLASH))
            yield client
    finally:
        bus.shutdown()


def numbers(vcm: Node) -> dict[str, int]:
    return {row.name: row.number for row in identifiers(vcm).values()}


def test_values_are_read_and_written_and_refused_by_the_standards_codes(client: Any, vcm: Node) -> None:
    mass = numbers(vcm)["calibration.vehicle.mass"]
    client.write_data_by_identifier(mass, 1950.0)
    assert client.read_data_by_identifier([mass, DataIdentifier.VIN]).service_data.values[mass] == 1950.0
    assert vcm.parameters[0].vehicle.mass == 1950.0
    with pytest.raises(NegativeResponseException) as caught:
        client.write_data_by_identifier(mass, 1e9)
    assert caught.value.response.code == Code.REQUEST_OUT_OF_RANGE


def test_memory_is_read_by_address_and_by_an_identifier_of_the_testers_own(client: Any, vcm: Node) -> None:
    place = MemoryLocation(MASS, 8, address_format=32, memorysize_format=16)
    data = client.read_memory_by_address(place).service_data.memory_block
    assert struct.unpack("<d", data) == (1875.0,)
    speed = numbers(vcm)["input.front.motor_speed"]
    vcm.inputs[0].front.motor_speed = 42.0
    client.dynamically_define_did(0xF300, DynamicDidDefinition(source_did=speed, position=1, memorysize=8))
    assert client.read_data_by_identifier(0xF300).service_data.values[0xF300] == 42.0
    client.clear_dynamically_defined_did(0xF300)


def test_requests_are_answered_while_values_come_periodically(client: Any, vcm: Node) -> None:
    """Values of eight bytes need several frames each, between which the tester asks."""
    torque = numbers(vcm)["output.front.motor_torque"]
    vcm.outputs[0].front.motor_torque = 12.5
    client.dynamically_define_did(0xF200, DynamicDidDefinition(source_did=torque, position=1, memorysize=8))
    client.conn.send(bytes.fromhex("2a0300"))
    periodic, answers = [], 0
    end = time.monotonic() + 10.0
    asked = False
    while (len(periodic) < 10 or answers < 10) and time.monotonic() < end:
        if not asked:
            client.conn.send(bytes.fromhex("3e00"))
            asked = True
        message = client.conn.wait_frame(timeout=1.0)
        if message == bytes.fromhex("7e00"):
            answers, asked = answers + 1, False
        elif message and message[:2] == bytes.fromhex("6a00"):
            periodic.append(message[2:])
    assert answers >= 10
    assert periodic[:10] == [struct.pack(">d", 12.5)] * 10
    client.conn.send(bytes.fromhex("2a04"))


def test_a_calibration_goes_down_and_up(client: Any, vcm: Node) -> None:
    image = vcm.parameters.copy()
    image[0].vehicle.mass = 2222.0
    data, place = image.tobytes(), MemoryLocation(0x1000_0000, image.nbytes, address_format=32, memorysize_format=16)
    client.change_session(2)
    client.unlock_security_access(request_seed(Access.FLASH))
    longest = client.request_download(place).service_data.max_length - 2
    for number, start in enumerate(range(0, len(data), longest), 1):
        client.transfer_data(number, data[start : start + longest])
    client.request_transfer_exit(zlib.crc32(data).to_bytes(4))
    assert vcm.parameters.tobytes() == data
    client.request_upload(place)
    fetched = b""
    while len(fetched) < len(data):
        fetched += client.transfer_data(len(fetched) // longest + 1).service_data.parameter_records
    crc = client.request_transfer_exit().service_data.parameter_records
    assert (fetched, crc) == (data, zlib.crc32(data).to_bytes(4))


def test_a_brake_is_tested_and_a_routine_run(client: Any, vcm: Node) -> None:
    client.config["input_output"] = {numbers(vcm)["output.brakes.rear_left"]: Float64}
    brake = numbers(vcm)["output.brakes.rear_left"]
    client.io_control(brake, control_param=3, values=[400.0])
    request = vcm.state[0].actuator_test.request
    assert (request.active, request.rear_left) == (1, 400.0)
    beats = int(request.heartbeat)
    end = time.monotonic() + 5.0
    while request.heartbeat < beats + 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert request.heartbeat >= beats + 5
    client.io_control(brake, control_param=0)
    assert request.active == 0
    result = client.start_routine(0x0201).service_data  # its controller does not run here
    assert result.routine_status_record[0] & 8


def test_trouble_codes_certificates_silence_and_a_reset_are_asked_for(client: Any, vcm: Node) -> None:
    assert client.tester_present().positive
    assert len(client.get_supported_dtc().service_data.dtcs) == len(TABLE)
    assert client.get_number_of_dtc_by_status_mask(0xFF).positive
    assert client.get_dtc_by_status_mask(0x08).service_data.dtcs == []
    assert client.clear_dtc(0xFFFFFF).positive
    for switch in (2, 1):
        assert client.control_dtc_setting(switch).positive
    for control in (1, 0):
        assert client.communication_control(control, CommunicationType(subnet=0, normal_msg=True)).positive
    with pytest.raises(NegativeResponseException):  # no trust anchor is installed
        client.authentication(1, communication_configuration=0, certificate_client=bytes(8))
    assert client.authentication(8).positive
    assert client.ecu_reset(1).positive
