"""``e4hil tester`` against the servers themselves: the controller's services, the virtual battery's and an inverter's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import served
from waiting import nothing_left_behind

from bench.commands import tester
from bench.diagnostics.responders import car_responders
from bench.drive import CAR, CONTROLLER
from bench.scenarios import load_scenario
from bench.tester.actions import ROUTINES
from bench.vehicles import load_vehicle
from hil.diagnostics.audit import AuditLog
from hil.diagnostics.controller import ADDRESSES, AUDIT_FILE, controller_server
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.identifiers import Identity, identifiers
from hil.diagnostics.lock import SECRET_FILE, Lock
from hil.diagnostics.responder import ResponderSpec
from hil.diagnostics.trouble_codes import TABLE
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node

NAME = "vehicle_speed.speed"
RUN: dict[str, Any] = {
    "target": "vcm", "unlock": None, "key_file": None, "timeout": 2.0, "period": 0.01, "count": None, "json": True,
}  # fmt: skip


class Controller:
    """The controller's memory and its whole diagnostic server; what outlives it is in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.node = Node(CONTROLLER, load_network("leaf_ze1"))
        self.memory = FaultMemory(TABLE)
        self.key_file = directory / SECRET_FILE
        self.server = controller_server(
            self.node, lambda: None, lambda on: None, Lock(directory, 0.0), AuditLog(directory / AUDIT_FILE, print), self.memory,
            directory,
        )  # fmt: skip

    @property
    def spec(self) -> ResponderSpec:
        return ResponderSpec("VCM", self.server, ADDRESSES)


@pytest.fixture
def controller(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Controller]:
    found = Controller(tmp_path)
    with nothing_left_behind(), served(request.node.name, found.spec):
        yield found


@pytest.fixture
def car(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A car that is awake, its battery and its front inverter on the bus."""
    network = load_network("leaf_ze1")
    node = Node(CAR, network, (load_scenario("launch").stimulus, None, None))
    node.parameters["plant"] = load_vehicle("leaf_plus").parameters[0]
    node.parameters[0].rear_inverter.fitted = 0
    node.state[0].battery_controller.awake_time = node.state[0].front_inverter.awake_time = 10.0
    measured = node.measurements[0].plant.battery
    measured.voltage, measured.current, measured.state_of_charge = 384.0, 100.0, 0.75
    measured.cell_voltage_lowest, measured.cell_voltage_average, measured.cell_voltage_highest = 3.98, 4.0, 4.02
    measured.temperature_lowest, measured.temperature_average, measured.temperature_highest = -3.0, -1.0, 1.0
    found = car_responders(node, network)
    assert [(bus, spec.name) for bus, spec in found] == [("front", "battery"), ("front", "front inverter")]
    with nothing_left_behind(), served(request.node.name, *(spec for _, spec in found)):
        yield node


@pytest.fixture
def ask(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command, and gives back the rows of its tables."""

    def run(*words: str, **options: Any) -> list[list[dict[str, Any]]]:
        tester.run(f"virtual:{request.node.name}", list(words), **{**RUN, **options})
        told = capsys.readouterr()
        assert told.err == ""
        return [json.loads(line)["rows"] for line in told.out.splitlines()]

    return run


def test_values_are_read_by_name_by_part_of_it_and_by_number(controller: Controller, ask: Any) -> None:
    controller.node.measurements[0].vehicle_speed.speed = 12.345
    controller.node.parameters[0].vehicle.mass = 1777.0
    ((speed, mass, vin),) = ask("read", NAME, "calibration.vehicle.mass", "F190")
    assert (speed["name"], speed["value"], speed["unit"]) == ("measurement.vehicle_speed.speed", 12.345, "m/s")
    assert (mass["value"], mass["unit"]) == (1777.0, "kg")
    assert (vin["name"], len(vin["value"])) == ("VIN", 17)
    assert ask("read", f"0x{speed['identifier']}") == [[speed]]


def test_curves_are_read_and_written_whole(controller: Controller, ask: Any) -> None:
    table = identifiers(controller.node)
    wide = next(row for row in table.values() if row.size > 8 and row.write and row.coding == "f8")
    ((row,),) = ask("read", wide.name)
    assert len(row["value"]) == wide.size // 8
    words = [str(value) for value in row["value"]]
    assert ask("write", wide.name, *words, unlock="calibrate", key_file=controller.key_file) == [[row]]


def test_the_leafs_own_identifiers_are_told_with_their_units(controller: Controller, ask: Any) -> None:
    controller.node.measurements[0].vehicle_speed.speed = 10.0
    controller.node.inputs[0].front.motor_speed = -100.0
    controller.node.inputs[0].pedals.power_switch = 1
    ((speed, rpm, supply, switch),) = ask("read", "vehicleSpeed", "leaf.motorSpeed", "1103", "1304")
    assert (speed["value"], speed["unit"]) == (pytest.approx(36.0), "km/h")
    assert rpm["value"] == -955.0
    assert (supply["value"], supply["unit"]) == (pytest.approx(13.04), "V")
    assert switch["value"] == 0x80


def test_a_value_is_written_once_the_lock_is_open(controller: Controller, ask: Any) -> None:
    with pytest.raises(UsageError, match=r"writing calibration.vehicle.mass: refused, security access denied .*--unlock"):
        ask("write", "vehicle.mass", "1800")
    ((row,),) = ask("write", "vehicle.mass", "1800", unlock="calibrate", key_file=controller.key_file)
    assert row["value"] == controller.node.parameters[0].vehicle.mass == 1800.0
    with pytest.raises(UsageError, match="refused, request out of range"):
        ask("write", "vehicle.mass", "-1", unlock="calibrate", key_file=controller.key_file)
    assert controller.node.parameters[0].vehicle.mass == 1800.0


def test_several_actions_share_one_session(controller: Controller, ask: Any) -> None:
    words = "unlock calibrate then write vehicle.mass 1900 then read vehicle.mass"
    opened, written, read = ask(*words.split(), key_file=controller.key_file)
    assert opened[0]["level"] == "calibrate"
    assert written == read


def test_a_session_lives_on_while_the_tester_waits(controller: Controller, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.tester.actions.KEEP_ALIVE", 0.02)
    opened, written = ask(
        *["unlock", "calibrate", "then", "wait", "0.1", "then", "write", "vehicle.mass", "1900"], key_file=controller.key_file
    )
    assert (opened[0]["level"], written[0]["value"]) == ("calibrate", 1900.0)


def test_a_wrong_key_opens_nothing(controller: Controller, ask: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text("00" * 32)
    other.chmod(0o600)
    with pytest.raises(UsageError, match=r"unlocking flash: refused, invalid key .*--key-file"):
        ask("unlock", "flash", key_file=other)


def test_trouble_codes_are_told_in_words_and_cleared(controller: Controller, ask: Any) -> None:
    entry = next(iter(controller.memory.entries.values()))
    assert ask("dtcs") == [[]]
    entry.status = 0x09
    ((row,),) = ask("dtcs")
    assert (row["code"], row["status"], row["meaning"]) == (entry.code.name, "09", "test failed, confirmed")
    assert row["description"] == entry.code.description
    assert ask("dtcs", "clear") == [[]]


def test_watching_ends_after_so_many_looks(controller: Controller, ask: Any) -> None:
    assert len(ask("watch", NAME, "leaf.gear", count=3)) == 3


def test_who_answers_is_told(controller: Controller, ask: Any) -> None:
    (rows,) = ask("identify")
    told = {row["name"]: row["value"] for row in rows}
    assert told["VIN by 21 81"] == told["VIN"] == Identity().vehicle_identification_number
    assert told["systemSupplierIdentifier"] == "e4orce-hil"


def test_routines_are_for_who_may_actuate(controller: Controller, ask: Any) -> None:
    with pytest.raises(UsageError, match="routine selfTest, start: refused, security access denied"):
        ask("routine", "start", "selfTest")
    options = {"unlock": "actuate", "key_file": controller.key_file}
    (started,) = ask("routine", "start", "selfTest", **options)  # after "response pending", as long as it takes
    assert (started[0]["routine"], started[0]["action"]) == ("0201", "start")
    assert started[0]["answer"].startswith(("passed; calibration with CRC-32 ", "monitor dead; "))
    (results,) = ask("routine", "results", "0201", **options)
    assert results[0]["answer"] == started[0]["answer"]
    with pytest.raises(UsageError, match="routine 9999, start: refused, request out of range"):
        ask("routine", "start", "9999", **options)
    assert set(ROUTINES) == {"selfTest", "brakeBleed", "capacityEstimate"}


def test_a_service_that_is_not_there_is_told_so(car: Node, ask: Any) -> None:
    with pytest.raises(UsageError, match="reading the trouble codes: refused, service not supported"):
        ask("dtcs", target="inverter")


def test_people_get_tables(controller: Controller, ask: Any, request: pytest.FixtureRequest, capsys: Any) -> None:
    tester.run(f"virtual:{request.node.name}", ["read", "leaf.supplyVoltage", "then", "dtcs"], **{**RUN, "json": False})
    told = capsys.readouterr().out
    assert "leaf.supplyVoltage" in told
    assert "13.04" in told
    assert "none" in told


def test_the_batterys_groups_are_told_as_people_want_them(car: Node, ask: Any) -> None:
    (rows,) = ask("battery", target="battery")
    told = {row["name"]: row["value"] for row in rows}
    assert told["state of charge"] == 75.0
    assert told["state of health"] == 100.0 * car.measurements[0].plant.battery.state_of_health
    assert told["voltage"] == 384.0
    assert told["current, positive in charge"] == -100.0
    assert told["power, positive in discharge"] == 38.4
    assert told["temperatures"] == [-3, -1, 1]
    assert len(told["cells"]) == 96
    assert sum(told["cells"]) == 384000
    assert (told["lowest cell"], told["highest cell"]) == (3980, 4020)
    assert (told["part number"], told["serial number"]) == ("VIRTUAL", "EMULATED PACK 1")
    assert ask("dtcs", "clear", target="battery") == [[]]


def test_the_inverter_tells_torque_and_temperature(car: Node, ask: Any) -> None:
    car.outputs[0].front.motor_torque = 42.25
    car.inputs[0].front.motor_temperature = 30.0
    ((torque, temperature),) = ask("read", "torqueRequest", "1121", target="inverter")
    assert (torque["value"], torque["unit"]) == (42.25, "Nm")
    assert (temperature["value"], temperature["unit"]) == (30.0, "degC")
    with pytest.raises(UsageError, match=r"refused, sub function not supported .0x12."):
        ask("read", "1125", target="inverter")


def test_silence_is_told_with_what_to_look_for(car: Node, ask: Any) -> None:
    car.state[0].battery_controller.awake_time = 0.0
    with nothing_left_behind(), pytest.raises(UsageError, match=r"no answer from the battery's controller \(0x79B.*e4hil bench"):
        ask("battery", target="battery", timeout=0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "an action was expected"),
        (["read", NAME, "then"], "an action was expected"),
        (["reed", NAME], 'unknown action "reed", did you mean "read"'),
        (["read"], "read: expected identifiers"),
        (["read", "vehicle_speed.sped"], 'unknown identifier "vehicle_speed.sped", did you mean'),
        (["read", "motor_speed"], 'identifier "motor_speed": there are several'),
        (["read", "12345"], 'unknown identifier "12345"'),
        (["write", NAME], "write: expected an identifier and its value"),
        (["write", NAME, "1"], "cannot be written"),
        (["write", "vehicle.mass", "heavy"], 'vehicle.mass: expected a number .kg., got "heavy"'),
        (["write", "vehicle.mass", "1", "2"], "vehicle.mass: expected 1 value .kg., got 2"),
        (["write", "ABCD", "xy"], "expected bytes as hexadecimal digits"),
        (["dtcs", "clean"], "dtcs: expected nothing more, or clear"),
        (["routine", "begin", "selfTest"], "routine: expected start, stop, results"),
        (["routine", "start", "selftest"], 'unknown routine "selftest", did you mean "selfTest"'),
        (["unlock", "everything"], 'level "everything"; there are read'),
        (["unlock"], "unlock: expected one of"),
        (["wait", "long"], "wait: expected seconds"),
        (["wait", "nan"], "wait: expected seconds"),
        (["watch"], "watch: expected identifiers"),
        (["battery"], "battery: add --target battery"),
        (["battery", "all"], "battery: expected nothing more"),
        (["read", NAME, "--jsn"], 'unknown option "--jsn"'),
    ],
)
def test_what_is_typed_wrong_is_told_in_one_line(words: list[str], message: str) -> None:
    with nothing_left_behind(), pytest.raises(UsageError, match=message) as caught:
        tester.run("virtual:nobody", words, **RUN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "batery"}, '--target "batery", did you mean "battery"'),
        ({"unlock": "calibrat"}, 'level "calibrat", did you mean "calibrate"'),
        ({"unlock": "flash", "key_file": Path("/nowhere/key")}, "/nowhere/key"),
    ],
)
def test_options_that_are_wrong_are_told(controller: Controller, ask: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask("read", NAME, **options)


def test_a_bus_that_is_not_there_is_told() -> None:
    with nothing_left_behind(), pytest.raises(UsageError, match="bus"):
        tester.run("slcan:/dev/nowhere@500000", ["read", NAME], **RUN)


def test_the_command_line_takes_negative_values_and_ends_with_one_line() -> None:
    from typer.testing import CliRunner

    from bench.cli import app

    done = CliRunner().invoke(app, ["tester", "virtual:nobody", "write", "vehicle.mass", "-5", "--timeout", "0.05"])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith("the extended session: no answer from the controller")
