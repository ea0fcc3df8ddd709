import zlib

import numpy as np
import pytest
from data_rig import Rig, refused

from bench.drive import CONTROLLER
from firmware_model.calibration import Calibration
from hil.diagnostics import protocol
from hil.diagnostics.protocol import Access, Code, Session
from hil.diagnostics.services import request_download, request_transfer_exit, request_upload, transfer_data
from hil.diagnostics.transfer import Transfers
from hil.memory_map import ADDRESSES, MemoryMap, address_of

START = ADDRESSES["parameters"]
SIZE = Calibration.new().nbytes
DATA = 1024  # bytes of a full block


class TransferRig(Rig):
    def __init__(self):
        def assemble(rig):
            transfers = Transfers(rig.pages, MemoryMap(rig.node))
            return [
                request_download.service(transfers),
                request_upload.service(transfers),
                transfer_data.service(transfers),
                request_transfer_exit.service(transfers, lambda: rig.speed),
            ]

        super().__init__(assemble)
        self.tester.session = Session.PROGRAMMING

    def request(self, service, address=START, size=SIZE):
        return self.ask(service, "00 24", address.to_bytes(4), size.to_bytes(2))

    def send(self, image):
        for number, start in enumerate(range(0, len(image), DATA), 1):
            counter = bytes([number % 256])
            assert self.ask("36", counter, image[start : start + DATA]) == b"\x76" + counter

    def fetch(self, size):
        data, number = b"", 0
        while len(data) < size:
            number += 1
            answer = self.ask("36", bytes([number % 256]))
            assert answer[:2] == bytes([0x76, number % 256])
            data += answer[2:]
        return data

    def finish(self, image):
        return self.ask("37", zlib.crc32(image).to_bytes(4))


@pytest.fixture
def rig():
    return TransferRig()


def other_calibration(**values):
    """The image of a calibration that differs from the default."""
    calibration = Calibration.new()
    for name, value in ({"mass": 2345.0, "wheelbase": 2.8} | values).items():
        calibration[0].vehicle[name] = value
    return calibration.tobytes()


def test_a_calibration_goes_down_as_a_whole(rig):
    image = other_calibration()
    assert rig.request("34") == bytes.fromhex("74 20 0402")
    rig.send(image)
    assert rig.node.parameters[0].vehicle.mass == 1875.0
    assert rig.finish(image) == b"\x77"
    assert rig.node.parameters.tobytes() == image
    assert [line[2] for line in rig.log] == ["allowed", "done", "allowed", "done"]


def test_what_was_uploaded_can_be_downloaded_again(rig):
    rig.node.parameters[0].vehicle.mass = 2000.0
    assert rig.request("35") == bytes.fromhex("75 20 0402")
    image = rig.fetch(SIZE)
    assert image == rig.node.parameters.tobytes()
    assert rig.ask("37") == b"\x77" + zlib.crc32(image).to_bytes(4)
    rig.node.parameters[0].vehicle.mass = 1000.0
    rig.request("34")
    rig.send(image)
    assert rig.finish(image) == b"\x77"
    assert rig.node.parameters[0].vehicle.mass == 2000.0


def test_memory_is_uploaded_as_it_was_when_asked_for(rig):
    rig.request("35", address_of("parameters", CONTROLLER.parameters, "vehicle.mass"), 8)
    rig.node.parameters[0].vehicle.mass = 1000.0
    assert rig.fetch(8) == np.float64(1875.0).tobytes()


def test_counters_go_on_after_255_with_0(rig):
    rig.tester.access = Access.FLASH
    image = other_calibration()
    rig.request("34")
    sent = [rig.ask("36", bytes([number % 256]), image[20 * (number - 1) : 20 * number]) for number in range(1, 301)]
    assert all(answer[0] == 0x76 for answer in sent)
    assert sent[255] == b"\x76\x00"


@pytest.mark.parametrize("values", [{"mass": float("nan")}, {"mass": 1e9}, {"wheelbase": -float("inf")}])
def test_one_value_out_of_its_range_refuses_the_whole(rig, values):
    before, image = rig.node.parameters.tobytes(), other_calibration(**values)
    rig.request("34")
    rig.send(image)
    assert rig.finish(image) == refused(0x37, Code.GENERAL_PROGRAMMING_FAILURE)
    assert rig.node.parameters.tobytes() == before
    assert rig.finish(image) == refused(0x37, Code.REQUEST_SEQUENCE_ERROR)


def test_an_axis_that_does_not_rise_refuses_the_whole(rig):
    calibration = Calibration.new()
    calibration[0].driver_demand.speed_points[3] = calibration[0].driver_demand.speed_points[2]
    rig.request("34")
    rig.send(calibration.tobytes())
    assert rig.finish(calibration.tobytes()) == refused(0x37, Code.GENERAL_PROGRAMMING_FAILURE)


def test_one_wrong_bit_is_found_by_the_crc(rig):
    before, image = rig.node.parameters.tobytes(), bytearray(other_calibration())
    crc = zlib.crc32(image).to_bytes(4)
    image[100] ^= 1
    rig.request("34")
    rig.send(bytes(image))
    assert rig.ask("37", crc) == refused(0x37, Code.GENERAL_PROGRAMMING_FAILURE)
    assert rig.node.parameters.tobytes() == before


def test_a_repeated_block_counts_once(rig):
    image = other_calibration()
    rig.request("34")
    assert rig.ask("36 01", image[:DATA]) == b"\x76\x01"
    assert rig.ask("36 01", image[:DATA]) == b"\x76\x01"
    for number in range(2, -(-SIZE // DATA) + 1):
        rig.ask("36", bytes([number]), image[DATA * (number - 1) : DATA * number])
    assert rig.finish(image) == b"\x77"
    assert rig.node.parameters.tobytes() == image


def test_a_repeated_block_of_an_upload_is_the_same(rig):
    rig.request("35")
    first = rig.ask("36 01")
    assert rig.ask("36 01") == first
    assert rig.ask("36 02") != first


@pytest.mark.parametrize("counter", ["00", "02", "ff"])
def test_a_wrong_counter_is_refused_and_the_right_one_goes_on(rig, counter):
    rig.request("34")
    assert rig.ask("36", counter, bytes(8)) == refused(0x36, Code.WRONG_BLOCK_SEQUENCE_COUNTER)
    assert rig.ask("36 01", bytes(8)) == b"\x76\x01"


def test_without_a_transfer_there_is_no_block_and_no_end(rig):
    assert rig.ask("36 01", bytes(8)) == refused(0x36, Code.REQUEST_SEQUENCE_ERROR)
    assert rig.ask("37") == refused(0x37, Code.REQUEST_SEQUENCE_ERROR)


def test_an_end_before_all_is_there_is_refused_and_the_transfer_goes_on(rig):
    image = other_calibration()
    rig.request("34")
    assert rig.finish(image) == refused(0x37, Code.REQUEST_SEQUENCE_ERROR)
    rig.send(image)
    assert rig.finish(image) == b"\x77"


def test_more_than_was_announced_is_refused(rig):
    image = other_calibration()
    rig.request("34")
    rig.send(image[: SIZE - 8])
    last = bytes([-(-(SIZE - 8) // DATA) + 1])
    assert rig.ask("36", last, bytes(9)) == refused(0x36, Code.TRANSFER_DATA_SUSPENDED)
    rig.ask("36", last, image[-8:])
    assert rig.ask("36", bytes([last[0] + 1]), bytes(1)) == refused(0x36, Code.REQUEST_SEQUENCE_ERROR)
    assert rig.finish(image) == b"\x77"


def test_a_block_has_data_in_a_download_and_none_in_an_upload_and_is_not_too_long(rig):
    rig.request("34")
    assert rig.ask("36 01") == refused(0x36, Code.INCORRECT_LENGTH)
    assert rig.ask("36 01", bytes(DATA + 1)) == refused(0x36, Code.INCORRECT_LENGTH)
    rig.tester.enter(Session.PROGRAMMING)
    rig.tester.access = Access.FLASH
    rig.request("35")
    assert rig.ask("36 01 00") == refused(0x36, Code.INCORRECT_LENGTH)


def test_the_end_of_a_session_drops_the_transfer(rig):
    rig.request("34")
    rig.tester.enter(Session.PROGRAMMING)
    rig.tester.access = Access.FLASH
    assert rig.ask("36 01", bytes(8)) == refused(0x36, Code.REQUEST_SEQUENCE_ERROR)
    assert rig.tester.leaving == []


def test_a_second_transfer_is_refused_while_one_is_open_also_by_another_tester(rig):
    rig.request("34")
    assert rig.request("34") == refused(0x34, Code.CONDITIONS_NOT_CORRECT)
    rig.tester = protocol.Tester("other", Session.PROGRAMMING, Access.FLASH)
    assert rig.request("34") == refused(0x34, Code.CONDITIONS_NOT_CORRECT)
    assert rig.request("35")[0] == 0x75


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("34 01 24 10000000 0008", Code.REQUEST_OUT_OF_RANGE),
        ("34 00 24 10000000 0008", Code.REQUEST_OUT_OF_RANGE),
        ("34 00 24 20000000 0008", Code.REQUEST_OUT_OF_RANGE),
        ("34 00 55 10000000 0008", Code.REQUEST_OUT_OF_RANGE),
        ("34 00 24 10000000 00", Code.INCORRECT_LENGTH),
        ("34 00 24", Code.INCORRECT_LENGTH),
        ("35 00 24 00000000 0008", Code.REQUEST_OUT_OF_RANGE),
        ("35 11 24 10000000 0008", Code.REQUEST_OUT_OF_RANGE),
    ],
)
def test_what_is_no_calibration_or_no_memory_is_refused(rig, request_, code):
    assert rig.ask(request_) == refused(int(request_[:2], 16), code)


def test_access_session_and_standing_are_asked_for(rig):
    rig.tester.access = Access.ACTUATE
    assert rig.request("34") == refused(0x34, Code.SECURITY_ACCESS_DENIED)
    assert rig.request("35")[0] == 0x75
    rig.tester.session, rig.tester.access = Session.EXTENDED, Access.FLASH
    assert rig.request("34") == refused(0x34, Code.SERVICE_NOT_SUPPORTED_IN_SESSION)


def test_a_car_that_has_begun_to_move_takes_no_calibration_over(rig):
    image = other_calibration()
    rig.speed = 1.0
    assert rig.request("34") == refused(0x34, Code.VEHICLE_SPEED_TOO_HIGH)
    rig.speed = 0.0
    rig.request("34")
    rig.send(image)
    rig.speed = 1.0
    assert rig.finish(image) == refused(0x37, Code.VEHICLE_SPEED_TOO_HIGH)
    assert rig.node.parameters[0].vehicle.mass == 1875.0
    rig.speed = 0.0
    assert rig.finish(image) == b"\x77"
