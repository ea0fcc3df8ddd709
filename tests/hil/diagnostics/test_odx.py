"""The description for testers: odxtools reads it back, asks the real server by it, and understands its answers."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bench.drive import CONTROLLER
from firmware_model.measurements import Fault
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.identifiers import Identifiers, identifiers
from hil.diagnostics.protocol import Access, DiagnosticServer, Session, Tester
from hil.diagnostics.routines import SelfTest
from hil.diagnostics.services import (
    clear_diagnostic_information,
    diagnostic_session_control,
    read_data_by_identifier,
    read_dtc_information,
    read_memory_by_address,
    routine_control,
    tester_present,
    write_data_by_identifier,
)
from hil.diagnostics.trouble_codes import TABLE
from hil.errors import UsageError
from hil.memory_map import MemoryMap
from hil.network.database import load_network
from hil.node import Node

odxtools = pytest.importorskip("odxtools")


class Unit:
    """A control unit in process, and what its description makes of it."""

    def __init__(self, folder: Path) -> None:
        from hil.diagnostics.odx import ControlUnit, write_pdx

        self.node = Node(CONTROLLER, load_network("leaf_ze1"))
        self.memory = FaultMemory(TABLE)
        table = identifiers(self.node)
        known, routines = Identifiers(table), [SelfTest(self.node).routine()]
        services = [
            diagnostic_session_control.service(),
            clear_diagnostic_information.service(self.memory),
            read_dtc_information.service(self.memory),
            read_data_by_identifier.service(known),
            read_memory_by_address.service(MemoryMap(self.node)),
            write_data_by_identifier.service(known),
            routine_control.service(routines, lambda: 0.0),
            tester_present.service(),
        ]
        self.server = DiagnosticServer(services, lambda: 0.0)
        self.path = folder / "controller.pdx"
        write_pdx(
            self.path, ControlUnit("controller", "emulated controller", 0x797, 0x79A, 0x7DF, services, table, routines, TABLE)
        )
        self.database = odxtools.load_pdx_file(str(self.path))
        (self.layer,) = self.database.ecus
        self.tester = Tester("test", Session.EXTENDED)

    def ask(self, name: str, **values: object) -> dict[str, Any]:
        """The answer to a service by its name in the description, as odxtools understands it."""
        request = self.layer.services[name].encode_request(**values)
        answer = self.server.request(self.tester, bytes(request), 0.0)
        assert answer
        (message,) = self.layer.decode_response(answer, bytes(request))
        return dict(message.param_dict)


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    return Unit(tmp_path_factory.mktemp("odx"))


def test_the_file_is_a_package_of_odx_2_2_documents(unit: Unit) -> None:
    with zipfile.ZipFile(unit.path) as package:
        assert package.testzip() is None
        (layer,) = [name for name in package.namelist() if name.endswith(".odx-d")]
        assert 'MODEL-VERSION="2.2.0"' in package.read(layer).decode()
        assert "index.xml" in package.namelist()


def test_a_reader_learns_where_the_unit_is_reached_and_how_long_to_wait(unit: Unit) -> None:
    assert (unit.layer.get_can_receive_id(), unit.layer.get_can_send_id()) == (0x797, 0x79A)
    assert unit.layer.get_can_func_req_id() == 0x7DF
    assert {name: unit.layer.get_comparam(name).get_value() for name in ("CP_P2Max", "CP_P2Star")} == {
        "CP_P2Max": "50000",
        "CP_P2Star": "5000000",
    }


def test_every_identifier_is_read_by_its_service_and_every_answer_is_understood(unit: Unit) -> None:
    for identifier in identifiers(unit.node).values():
        answer = unit.ask("Read_" + identifier.name.replace(".", "_"))
        assert answer["identifier"] == identifier.number
        assert len(answer) > 2


def test_a_number_has_its_unit_and_the_value_of_the_controller(unit: Unit) -> None:
    unit.node.measurements[0].vehicle_speed.speed = 12.34567890123
    assert unit.ask("Read_measurement_vehicle_speed_speed")["value"] == 12.34567890123
    answer = unit.layer.services.Read_measurement_vehicle_speed_speed.positive_responses[0]
    assert answer.parameters.value.dop.unit.display_name == "m/s"


def test_a_choice_is_told_by_its_label_and_bits_by_both_halves(unit: Unit) -> None:
    unit.node.measurements[0].supervisor.state = 4
    assert unit.ask("Read_measurement_supervisor_state")["value"] == "READY"
    faults = Fault.REAR_INVERTER_SILENT | Fault.EMERGENCY_STOP
    unit.node.measurements[0].supervisor.faults = faults
    answer = unit.ask("Read_measurement_supervisor_faults")
    assert answer["value_upper"] << 32 | answer["value"] == faults


def test_text_is_text(unit: Unit) -> None:
    assert re.fullmatch("[A-Z0-9]{17}", unit.ask("Read_VIN")["value"])


def test_a_value_of_the_calibration_is_written(unit: Unit) -> None:
    unit.tester.access = Access.CALIBRATE
    assert unit.ask("Write_calibration_vehicle_mass", value=1888.5)["identifier"] == 0x2000
    assert unit.node.parameters[0].vehicle.mass == 1888.5
    assert unit.ask("Read_calibration_vehicle_mass")["value"] == 1888.5


def test_only_what_can_be_written_has_a_service_that_does(unit: Unit) -> None:
    writes = {service.short_name for service in unit.layer.services if service.short_name.startswith("Write_")}
    assert len(writes) == sum(identifier.write is not None for identifier in identifiers(unit.node).values())


def test_stored_codes_are_told_by_their_names(unit: Unit) -> None:
    unit.memory.begin_cycle()
    unit.memory.update(int(Fault.FRONT_INVERTER_SILENT), lambda: bytes.fromhex("01 4000 0000000000000000"), 0.0)
    answer = unit.ask("ReadDTCInformation_ReportDTCByStatusMask", mask=0x08)
    assert [(entry["code"].display_trouble_code, entry["status"]) for entry in answer["codes"]] == [("P3191-00", 0xAF)]
    assert answer["codes"][0]["code"].text.text == "front inverter: no frames"
    snapshot = unit.ask("ReadDTCInformation_ReportDTCSnapshotRecordByDTCNumber", code=0x319100, record=1)
    assert bytes(snapshot["records"]) == bytes.fromhex("01 01 4000 0000000000000000")
    supported = unit.ask("ReadDTCInformation_ReportSupportedDTC")["codes"]
    assert [entry["code"].trouble_code for entry in supported] == [code.number for code in TABLE]
    assert unit.ask("ClearDiagnosticInformation", group=0xFFFFFF)
    assert unit.ask("ReadDTCInformation_ReportDTCByStatusMask", mask=0x08)["codes"] == []


def test_a_refusal_is_told_by_its_name(unit: Unit) -> None:
    unit.tester.enter(Session.EXTENDED)
    answer = unit.ask("StartRoutine_selfTest")
    assert answer == {"service": 0x7F, "of_service": 0x31, "response_code": "SECURITY_ACCESS_DENIED"}


def test_every_service_and_every_sub_function_of_the_server_is_described(unit: Unit) -> None:
    described = {bytes(service.request.coded_const_prefix())[:2] for service in unit.layer.services}
    for service in unit.server.services.values():
        wanted = [bytes([service.number, sub]) for sub in service.sub_functions] or [bytes([service.number])]
        for prefix in wanted:
            assert any(found.startswith(prefix) for found in described), prefix.hex()


def test_names_are_such_as_odx_allows(unit: Unit) -> None:
    names = [service.short_name for service in unit.layer.services]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9_]{1,128}", name) for name in names)


def test_a_folder_that_cannot_be_written_is_an_error_of_the_user(tmp_path: Path, unit: Unit) -> None:
    from hil.diagnostics.odx import ControlUnit, write_pdx

    (tmp_path / "file").write_text("")
    empty = ControlUnit("unit", "", 1, 2, 3, [], {}, [], [])
    with pytest.raises(UsageError, match=r"cannot write .*choose another folder"):
        write_pdx(tmp_path / "file" / "unit.pdx", empty)
