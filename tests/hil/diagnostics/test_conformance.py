"""The comparison with the second reading of the standard: whether it would notice a mistake."""

import csv
from dataclasses import replace

import pytest
from server_rig import security_subject

from hil.diagnostics.conformance import Cell, Subject, cells, check, expected_code, ranges, why_forbidden, write_table
from hil.diagnostics.protocol import Access, Code, DiagnosticServer, NegativeResponseError, Rule, Service, Session
from hil.errors import UsageError


def test_every_cell_of_the_services_of_sessions_and_security_leaves_the_car_as_it_was(tmp_path):
    subject, car = security_subject(tmp_path)
    for result in check(subject):
        assert result.is_right, result
        assert car.sends
        assert car.detects


def echo(request):
    return request.data[1:2]


STRICT = Rule(
    "1", lambda request: bytes([request.sub_function]), 2, 3, frozenset({Session.EXTENDED}), Access.ACTUATE, standing=True
)
SMALL = (Service(0x28, "CommunicationControl", sub_functions={1: STRICT}),
         Service(0x36, "TransferData", Rule("2", echo, 2, 3)))  # fmt: skip


def wrong_cells(server):
    """Cells in which a server of the services in SMALL does not do what its table says."""
    server.services = {service.number: service for service in SMALL}
    return [
        result.cell for result in check(Subject(server, lambda speed: server.car.__setitem__(0, speed))) if not result.is_right
    ]


class Server(DiagnosticServer):
    """A server whose car can be told to drive."""

    def __init__(self):
        self.car = [0.0]
        super().__init__(SMALL, lambda: self.car[0])


class AnswersAfterAll(Server):
    def _answered(self, request, answer, *, was_told=False):
        return bytes([request.data[0] + 0x40]) + answer


class TellsAll(Server):
    def _refused(self, request, code, *, was_told=False):
        return bytes([0x7F, request.data[0], code])


class ForgetsAccess(Server):
    def _find_rule(self, request):
        access, request.tester.access = request.tester.access, Access.FLASH
        try:
            return super()._find_rule(request)
        finally:
            request.tester.access = access


class LengthBeforeAccess(Server):
    def _find_rule(self, request):
        rule = self.services[0x28].sub_functions[1]
        if request.data[0] == 0x28 and len(request.data) > rule.maximum_length:
            raise NegativeResponseError(Code.INCORRECT_LENGTH)
        return super()._find_rule(request)


class NeverStands(Server):
    def __init__(self):
        super().__init__()
        self._speed = lambda: 9.0


class RepeatsNothing(Server):
    def _answered(self, request, answer, *, was_told=False):
        return super()._answered(request, b"\x55" + answer[1:], was_told=was_told)


def test_a_right_server_has_no_wrong_cell():
    assert wrong_cells(Server()) == []


@pytest.mark.parametrize("mistaken", [AnswersAfterAll, TellsAll, ForgetsAccess, LengthBeforeAccess, NeverStands, RepeatsNothing])
def test_a_mistake_in_a_server_is_noticed(mistaken):
    assert wrong_cells(mistaken())


def test_the_cells_of_a_table_are_all_combinations():
    table = list(cells(SMALL))
    assert len(table) == len(set(table))
    unknown, communication, transfer = ([cell for cell in table if cell.service == number] for number in (0x00, 0x28, 0x36))
    assert len(unknown) == 3 * 5 * 3 * 2  # sessions, access levels, lengths, addressing
    assert len(transfer) == 3 * 5 * 4 * 2
    without, unsupported, supported = 3 * 5 * 2, 127 * 3 * 5 * 3 * 2 * 2, 3 * 5 * 3 * 2 * 2 * 2
    assert len(communication) == without + unsupported + supported
    assert {cell.request[1] for cell in communication if cell.length > 1} == set(range(0x100))


CELL = Cell(0x28, 1, Session.EXTENDED, Access.ACTUATE, 2, functional=False, suppressed=False, driving=False)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0x00),
        ({"driving": True}, 0x88),
        ({"driving": True, "length": 4}, 0x13),
        ({"length": 4, "access": Access.CALIBRATE}, 0x33),
        ({"access": Access.LOCKED, "sub_function": 2}, 0x12),
        ({"sub_function": 2, "session": Session.DEFAULT}, 0x7F),
        ({"sub_function": None, "length": 1}, 0x13),
    ],
)
def test_the_second_reading_of_the_standard_has_its_order_of_checks(change, code):
    assert expected_code(SMALL[0], replace(CELL, **change)) == code
    assert expected_code(None, CELL) == 0x11


def test_a_sub_function_of_another_session_is_told_apart_from_a_service_of_another_session():
    rules = {1: STRICT, 2: Rule("everywhere", echo, 2, 2)}
    service = Service(0x28, "CommunicationControl", sub_functions=rules)
    assert expected_code(service, replace(CELL, session=Session.DEFAULT)) == 0x7E


@pytest.mark.parametrize(
    ("request_text", "answer", "circumstances", "why"),
    [
        ("22 01 02", "62 01 02 00", {}, None),
        ("22 01 02 03 04", "62 03 04 00", {}, None),
        ("22 01 02 03 04", "62 02 03 00", {}, "does not repeat"),
        ("22 01 02", None, {}, "no answer"),
        ("22 01 02", None, {"functional": True}, None),
        ("22 81 02", None, {}, "no answer"),
        ("22 01 02", "62 01 03 00", {}, "does not repeat"),
        ("22 01 02", "62 01 02", {}, "too short"),
        ("22 01 02", "7f 22 31", {}, None),
        ("22 01 02", "7f 22 31", {"functional": True}, "to a request to all"),
        ("22 01 02", "7f 22 31", {"functional": True, "pending": True}, None),
        ("22 01 02", "7f 22 24", {}, "none of this service"),
        ("22 01 02", "7f 22 12", {}, "none of this service"),
        ("22 01 02", "7f 23 31", {}, "of another service"),
        ("22 01 02", "7f 22", {}, "of 2 bytes"),
        ("22 01 02", "7f 22 31 00", {}, "of 4 bytes"),
        ("22 01 02", "6e 01 02 00", {}, "another service"),
        ("3e 80", None, {}, None),
        ("3e 80", "7e 00", {}, "to be suppressed"),
        ("3e 80", "7e 00", {"pending": True}, None),
        ("3e 00", "7e 00", {}, None),
        ("3e 00", "7e 80", {}, "does not repeat"),
        ("99", "d9", {}, "not known"),
        ("99", "7f 99 11", {}, None),
    ],
)  # fmt: skip
def test_a_single_answer_is_judged(request_text, answer, circumstances, why):
    found = why_forbidden(bytes.fromhex(request_text), bytes.fromhex(answer) if answer else None, **circumstances)
    assert found is None if why is None else why in found


def test_an_answer_longer_than_a_message_is_forbidden():
    assert "4096 bytes" in why_forbidden(b"\x22\x01\x02", b"\x62\x01\x02" + bytes(4093))


def test_the_table_is_written_for_people_and_holds_every_cell(tmp_path):
    server = Server()
    results = list(check(Subject(server, lambda speed: server.car.__setitem__(0, speed))))
    write_table(tmp_path / "table.csv", results)
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    held = sum(count_of(row["service"]) * count_of(row["sub-functions"]) for row in rows)
    assert held == len(results)
    assert len(rows) < len(results) / 20
    assert {row["right"] for row in rows} == {"yes"}
    wanted = {"service": "28", "sub-functions": "01", "session": "extended", "access": "actuate", "length": "2", "driving": "no",
              "addressing": "physical", "suppressed": "no"}  # fmt: skip
    (found,) = (row for row in rows if wanted.items() <= row.items())
    assert (found["expected"], found["actual"]) == ("68, or a refusal by the service", "68 ...")


def count_of(text):
    """How many numbers a text of a column stands for; one without is one cell."""
    parts = [part.split("-") for part in text.split()]
    return sum(int(part[-1], 16) - int(part[0], 16) + 1 for part in parts) or 1


def test_a_place_where_the_table_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_table(tmp_path / "file" / "table.csv", [])


def test_numbers_in_a_row_are_told_as_ranges():
    assert ranges([0, 1, 2, 5, 0x7F, 0x7E]) == "00-02 05 7E-7F"
    assert ranges([]) == ""
