"""`e4hil diagnostics`: what people and testers are told of the emulated controller."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from hil.diagnostics.identifiers import LIST, read_list
from hil.diagnostics.trouble_codes import TABLE
from hil.errors import UsageError


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["diagnostics", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture(scope="module")
def listed() -> dict[str, list[dict[str, object]]]:
    tables: dict[str, list[dict[str, object]]] = json.loads(run("list", "--json"))
    return tables


def test_every_pinned_identifier_is_listed_by_its_number(listed: dict[str, list[dict[str, object]]]) -> None:
    by_number = {int(str(line["number"]), 16): line["name"] for line in listed["identifiers"]}
    for number, (kind, path) in read_list(LIST.read_text()).items():
        assert by_number[number] == f"{kind}.{path}"
    assert by_number[0xF190] == "VIN"


def test_codes_routines_and_services_are_listed(listed: dict[str, list[dict[str, object]]]) -> None:
    assert [line["name"] for line in listed["trouble-codes"]] == [code.name for code in TABLE]
    assert {line["name"] for line in listed["routines"]} >= {"selfTest", "brakeBleed", "capacityEstimate"}
    services = {str(line["number"])[:2] for line in listed["services"]}
    assert services >= {"10", "11", "14", "19", "22", "23", "27", "28", "2E", "2F", "31", "34", "3E", "85"}


def test_a_service_says_how_long_requests_are_and_who_may_ask(listed: dict[str, list[dict[str, object]]]) -> None:
    (line,) = [line for line in listed["services"] if line["number"] == "19 02"]
    assert line == {
        "number": "19 02", "name": "ReadDTCInformation: reportDTCByStatusMask", "bytes": "3",
        "sessions": ["default", "programming", "extended"], "access": "locked",
    }  # fmt: skip


def test_one_part_is_a_table_for_people() -> None:
    text = run("list", "trouble-codes")
    assert "P318E-00" in text
    assert "selfTest" not in text
    assert "requests to 0x797, answers from 0x79A" in text


def test_listing_leaves_no_state_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E4HIL_STATE_DIR", str(tmp_path))
    run("list", "routines")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_part_is_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(UsageError, match=r'part "rutines", did you mean "routines"; there are: services, '):
        run("list", "rutines")


def test_the_export_is_read_by_odxtools(tmp_path: Path) -> None:
    odxtools = pytest.importorskip("odxtools")
    run("export", str(tmp_path / "unit.pdx"))
    (layer,) = odxtools.load_pdx_file(str(tmp_path / "unit.pdx")).ecus
    assert layer.short_name == "e4orce_controller"
    names = {service.short_name for service in layer.services}
    assert all(re.fullmatch("[A-Za-z0-9_]{1,128}", name) for name in names)
    assert names >= {"Read_VIN", "StartRoutine_brakeBleed", "SecurityAccess_RequestSeed_calibrate", "ECUReset_HardReset"}


def test_an_export_has_a_suffix_and_a_folder_that_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unit\.odx: descriptions of control units are \.pdx; \.odx is not"):
        run("export", str(tmp_path / "unit.odx"))
    (tmp_path / "file").write_text("")
    pytest.importorskip("odxtools")
    with pytest.raises(UsageError, match=r"cannot write .*; choose another folder"):
        run("export", str(tmp_path / "file" / "unit.pdx"))


def test_without_odxtools_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'needs the odx extra: pip install "e4orce-hil\[odx\]"'):
        run("export", str(tmp_path / "unit.pdx"))
