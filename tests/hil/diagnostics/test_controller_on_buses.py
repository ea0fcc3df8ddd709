"""udsoncan's client at the controller's own server, over a bus: what it knows of the controller's services."""

import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from isotp_tester import LISTENED, REQUEST, uds_client
from platforms import needs_absolute_sleep
from responder_rig import running
from small_network import write_small_network
from udsoncan import AsciiCodec, DataIdentifier, DidCodec, DynamicDidDefinition, MemoryLocation
from udsoncan.exceptions import NegativeResponseException

from bench.drive import CONTROLLER
from hil.bus import open_bus, parse_bus_address
from hil.diagnostics.controller import controller_responder
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.lock import SECRET_FILE, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access, Code
from hil.diagnostics.services.security_access import request_seed
from hil.memory_map import address_of
from hil.network.database import load_network
from hil.node import Node

pytestmark = needs_absolute_sleep

ADDRESS = "virtual:test_controller_on_buses"
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


@pytest.fixture
def client(network: Any, vcm: Node, tmp_path: Path) -> Any:
    """udsoncan's client, who has unlocked everything."""
    bus = open_bus(parse_bus_address(ADDRESS))
    try:
        with (
            controller_responder(vcm, lambda: None, lambda on: None, tmp_path, lambda message: None) as responder,
            running(network, ADDRESS, server=responder.server),
            uds_client(bus) as client,
        ):
            client.config["data_identifiers"] = DIDS
            client.config["use_server_timing"] = False  # the client counts from before its frames have left
            client.config["p2_timeout"] = LISTENED
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
