"""0x14 and 0x19, from request to answer; what udsoncan makes of the answers."""

import os
from pathlib import Path
from typing import Any

import pytest

from hil.diagnostics import protocol
from hil.diagnostics.fault_memory import PASS_TIME, FaultMemory
from hil.diagnostics.protocol import DiagnosticServer
from hil.diagnostics.services import clear_diagnostic_information, read_dtc_information
from hil.diagnostics.trouble_codes import TABLE

INVERTER, NETWORK, STEERING = 0x319100, 0xD00000, 0xDE0687
SILENT_INVERTER, SILENT_STEERING = 1, 1 << 6
SNAPSHOT = bytes.fromhex("02 4000 3ff0000000000000 4001 0000000000000004")


class Car:
    """A server with these two services, and the memory behind them."""

    def __init__(self, path: Path | None = None) -> None:
        self.memory = FaultMemory(TABLE, path)
        self.audit: list[tuple[str, str, str]] = []
        services = [clear_diagnostic_information.service(self.memory), read_dtc_information.service(self.memory)]
        self.server = DiagnosticServer(services, audit=lambda *line: self.audit.append(line))
        self.tester = protocol.Tester("test")

    def ask(self, text: str, *, functional: bool = False) -> str | None:
        answer = self.server.request(self.tester, bytes.fromhex(text), 0.0, functional=functional)
        return None if answer is None else answer.hex(" ")

    def drive(self, present: int = 0, seconds: float = PASS_TIME) -> None:
        self.memory.begin_cycle()
        self.memory.update(present, lambda: SNAPSHOT, 100.0)
        self.memory.update(present, lambda: SNAPSHOT, 100.0 + seconds)
        self.memory.end_cycle()


@pytest.fixture
def car() -> Car:
    """One cycle in which the front inverter was silent, and the steering angle; then one in which all was well."""
    car = Car()
    car.drive(SILENT_INVERTER | SILENT_STEERING)
    car.drive()
    return car


def test_codes_are_counted_by_their_status(car: Car) -> None:
    assert car.ask("19 01 08") == "59 01 ff 01 00 03"
    assert car.ask("19 01 01") == "59 01 ff 01 00 00"
    assert car.ask("19 01 00") == "59 01 ff 01 00 00"


def test_codes_are_listed_by_their_status(car: Car) -> None:
    assert car.ask("19 02 08") == "59 02 ff d0 00 00 a8 31 91 00 a8 de 06 87 28"
    assert car.ask("19 02 80") == "59 02 ff d0 00 00 a8 31 91 00 a8"
    assert car.ask("19 02 01") == "59 02 ff"


def test_snapshots_are_told_and_read(car: Car) -> None:
    assert car.ask("19 03") == "59 03 d0 00 00 01 31 91 00 01 de 06 87 01"
    assert car.ask("19 04 31 91 00 01") == "59 04 31 91 00 a8 01 " + SNAPSHOT.hex(" ")
    assert car.ask("19 04 31 91 00 02") == "59 04 31 91 00 a8"  # the latest was the first
    car.drive(SILENT_INVERTER)
    assert car.ask("19 04 31 91 00 ff") == "59 04 31 91 00 af 01 " + SNAPSHOT.hex(" ") + " 02 " + SNAPSHOT.hex(" ")
    assert car.ask("19 04 0a 3f 00 ff") == "59 04 0a 3f 00 00"


def test_extended_data_are_read(car: Car) -> None:
    assert car.ask("19 06 31 91 00 ff") == "59 06 31 91 00 a8 01 01 02 01 03 00 00 00 00 04 00 00 00 00"
    assert car.ask("19 06 31 91 00 02") == "59 06 31 91 00 a8 02 01"
    car.drive(SILENT_INVERTER)
    assert car.ask("19 06 31 91 00 ff") == "59 06 31 91 00 af 01 02 02 00 03 00 00 00 00 04 00 00 00 04"


def test_codes_are_counted_and_listed_by_severity(car: Car) -> None:
    assert car.ask("19 07 c0 08") == "59 07 ff 01 00 02"
    assert car.ask("19 08 40 08") == "59 08 ff 40 00 31 91 00 a8"
    assert (car.ask("19 08 20 ff") or "").startswith("59 08 ff")
    assert car.ask("19 09 de 06 87") == "59 09 ff 20 00 de 06 87 28"


def test_all_codes_are_listed_whatever_their_status(car: Car) -> None:
    answer = bytes.fromhex(car.ask("19 0a") or "")
    assert len(answer) == 3 + 4 * len(TABLE)
    assert [int.from_bytes(answer[place : place + 3]) for place in range(3, len(answer), 4)] == [code.number for code in TABLE]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("19", "7f 19 13"),
        ("19 02", "7f 19 13"),
        ("19 02 08 00", "7f 19 13"),
        ("19 04 31 91 00", "7f 19 13"),
        ("19 0a 00", "7f 19 13"),
        ("19 05 01", "7f 19 12"),
        ("19 42 33 08", "7f 19 12"),
        ("19 04 12 34 56 01", "7f 19 31"),
        ("19 04 31 91 00 00", "7f 19 31"),
        ("19 04 31 91 00 03", "7f 19 31"),
        ("19 04 31 91 00 fe", "7f 19 31"),
        ("19 06 12 34 56 01", "7f 19 31"),
        ("19 06 31 91 00 05", "7f 19 31"),
        ("19 09 12 34 56", "7f 19 31"),
        ("14", "7f 14 13"),
        ("14 ff ff", "7f 14 13"),
        ("14 ff ff ff 00", "7f 14 13"),
        ("14 80 00 00", "7f 14 31"),  # a group without codes
        ("14 12 34 56", "7f 14 31"),
    ],
)
def test_a_wrong_request_gets_the_answer_of_the_standard(car: Car, request_: str, answer: str) -> None:
    before = car.ask("19 02 ff")
    assert car.ask(request_) == answer
    assert car.ask("19 02 ff") == before


def test_to_all_only_what_is_wrong_with_the_length_is_told(car: Car) -> None:
    assert car.ask("19 02", functional=True) == "7f 19 13"
    for request in ("19 05 01", "19 04 12 34 56 01", "14 12 34 56"):
        assert car.ask(request, functional=True) is None
    assert car.ask("14 ff ff ff", functional=True) == "54"


def test_an_answer_is_suppressed_where_that_is_wanted(car: Car) -> None:
    assert car.ask("19 82 08") is None
    assert car.ask("19 84 12 34 56 01") == "7f 19 31"


def test_a_code_a_group_and_all_are_cleared(car: Car) -> None:
    assert car.ask("14 31 91 00") == "54"
    assert car.ask("19 01 08") == "59 01 ff 01 00 02"
    assert car.ask("14 c0 00 00") == "54"
    assert car.ask("19 01 08") == "59 01 ff 01 00 00"
    car.drive(SILENT_INVERTER)
    assert car.ask("14 ff ff ff") == "54"
    assert car.ask("19 03") == "59 03"
    assert car.ask("19 01 af") == "59 01 ff 01 00 00"


def test_whoever_clears_is_in_the_audit_log_and_so_is_who_was_refused(car: Car) -> None:
    car.ask("14 31 91 00")
    car.ask("14 12 34 56")
    assert car.audit == [
        ("test", "ClearDiagnosticInformation 14 31 91 00", "allowed"),
        ("test", "ClearDiagnosticInformation 14 31 91 00", "done"),
        ("test", "ClearDiagnosticInformation 14 12 34 56", "allowed"),
        ("test", "ClearDiagnosticInformation 14 12 34 56", "refused: request out of range"),
    ]


def test_clearing_is_answered_when_the_file_is_without_the_codes(tmp_path: Path) -> None:
    car = Car(tmp_path / "faults.txt")
    car.drive(SILENT_INVERTER)
    answers = [car.ask("14 ff ff ff")]
    while answers[-1] is None:
        answers = [answer.hex(" ") for _, answer in car.server.poll([car.tester], 0.0)] or [None]
    assert answers == ["54"]
    assert not FaultMemory(TABLE, tmp_path / "faults.txt").entries[INVERTER].record
    car.memory.close()


def test_clearing_what_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    car = Car(tmp_path / "faults.txt")
    answers = [car.ask("14 ff ff ff")]
    while answers[-1] is None:
        answers = [answer.hex(" ") for _, answer in car.server.poll([car.tester], 0.0)] or [None]
    assert answers == ["7f 14 72"]
    car.memory.close()


def test_a_client_of_udsoncan_reads_the_same(car: Car) -> None:
    udsoncan = pytest.importorskip("udsoncan")
    information = pytest.importorskip("udsoncan.services").ReadDTCInformation

    def read(sub_function: int, **parameters: object) -> Any:
        request = information.make_request(sub_function, **parameters)
        answer = car.server.request(car.tester, request.get_payload(), 0.0)
        response = udsoncan.Response.from_payload(answer)
        return information.interpret_response(
            response, sub_function, extended_data_size={INVERTER: 1}, dtc_snapshot_did_size=2,
            didconfig={0x4000: ">d", 0x4001: ">q"},
        )  # fmt: skip

    listed = read(0x02, status_mask=0x08).service_data.dtcs
    assert [dtc.id for dtc in listed] == [NETWORK, INVERTER, STEERING]
    assert listed[1].status.confirmed
    assert listed[1].status.warning_indicator_requested
    assert not listed[1].status.test_failed
    (stored,) = read(0x04, dtc=INVERTER, snapshot_record_number=1).service_data.dtcs
    assert [(snapshot.did, snapshot.data) for snapshot in stored.snapshots] == [(0x4000, (1.0,)), (0x4001, (4,))]
