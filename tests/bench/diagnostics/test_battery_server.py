"""The virtual battery's diagnostic server: lengths and places as on real cars, values as in the plant."""

from types import SimpleNamespace

import pytest
from interpreter import needs_compiler

from bench.diagnostics.battery import CELLS, FROZEN, NO_CAN, NO_CONTROLLER, WRONG_CHECK, BatteryServer, cell_voltages
from bench.drive import CAR, Drive
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.diagnostics import protocol
from hil.network.database import load_network
from hil.node import Node

# Total lengths of the answers of real batteries.
LENGTHS = {
    "ZE0": {0x01: 41, 0x02: 198, 0x04: 16, 0x06: 26, 0x61: 331, 0x62: 118, 0x83: 26, 0x84: 22},
    "AZE0": {0x01: 43, 0x02: 198, 0x04: 16, 0x06: 26, 0x61: 331, 0x62: 118, 0x83: 26, 0x84: 22},
    "ZE1": {0x01: 53, 0x02: 198, 0x04: 31, 0x06: 26, 0x61: 331, 0x62: 118, 0x83: 26, 0x84: 22},
}
# A LEAF of 2018, as published: 381.73 V, 12.76 V, 80.40 %, 111.7 Ah, Hx 96.5 %; and a sensor of 19 degC.
REAL_01 = bytes.fromhex(
    "6101FFFFFC1802AFFFFFFB62FFFFF0DD0B1C30D4951D3306039500017000269A000C44B500110BB8800001FFFFFB62FFFFFCAA01AD"
)
REAL_04 = bytes.fromhex("6104020D13020314FFFFFF020B131300")


def node(generation: str) -> Node:
    """A car that is awake, with a pack of 381.73 V whose values a test may write."""
    car = Node(CAR, load_network(f"leaf_{generation.lower()}"), (load_scenario("launch").stimulus, None, None))
    car.parameters["plant"] = load_vehicle("leaf_plus").parameters[0]
    car.state[0].battery_controller.awake_time = 10.0
    measured = car.measurements[0].plant.battery
    measured.voltage, measured.current = 381.73, 1.182
    measured.cell_voltage_average = 381.73 / CELLS
    measured.cell_voltage_lowest, measured.cell_voltage_highest = 3.950, 3.991
    measured.state_of_charge, measured.state_of_health = 0.804021, 0.91
    measured.temperature_lowest, measured.temperature_average, measured.temperature_highest = 18.0, 19.0, 21.0
    return car


class Asked:
    """A tester of one server."""

    def __init__(self, car: Node, generation: str = "ZE1") -> None:
        self.server, self.tester, self.now = BatteryServer(car, generation), protocol.Tester("test"), 0.0

    def __call__(self, request: str) -> bytes | None:
        self.now += 0.1
        self.server.look(self.now)
        return self.server.request(self.tester, bytes.fromhex(request), self.now)

    def group(self, number: int) -> bytes:
        answer = self(f"21{number:02x}")
        assert answer is not None
        assert answer[:2] == bytes([0x61, number])
        return answer


def number(data: bytes, first: int, size: int, *, signed: bool = False) -> int:
    """A number behind service and group."""
    return int.from_bytes(data[2 + first : 2 + first + size], signed=signed)


@pytest.mark.parametrize("generation", LENGTHS)
def test_every_group_is_as_long_as_that_of_a_real_battery(generation: str) -> None:
    ask = Asked(node(generation), generation)
    assert {group: len(ask.group(group)) for group in LENGTHS[generation]} == LENGTHS[generation]


def test_a_newer_battery_that_has_just_woken_gives_a_short_first_group() -> None:
    car = node("ZE1")
    car.state[0].battery_controller.awake_time = 0.5
    assert len(Asked(car).group(0x01)) == 44


def test_a_pack_like_that_of_a_real_car_is_told_as_the_car_tells_it() -> None:
    car = node("ZE1")
    pack = car.parameters[0].plant.battery
    pack.cell.capacity = 111.7112 * 3600.0 / (pack.parallel * pack.state_of_health)
    pack.series_growth = 102.4 * 100.0 / 0x269A
    car.inputs[0].battery.isolation = 917.0
    car.measurements[0].plant.battery.current = 1182 / 1024.0
    answer = Asked(car).group(0x01)
    own_assumption = range(2, 6)  # the first current sensor, which reads low
    assert [k for k in range(53) if answer[k] != REAL_01[k]] == list(own_assumption)[-2:]


def test_temperatures_are_told_as_a_real_car_tells_them() -> None:
    measured = (car := node("ZE1")).measurements[0].plant.battery
    measured.temperature_lowest, measured.temperature_average, measured.temperature_highest = 18.87, 19.4, 19.07
    answer = Asked(car).group(0x04)
    assert answer[:4] == REAL_04[:4]
    assert answer[8:11] == REAL_04[8:11] == b"\xff\xff\xff"
    assert (answer[11:15], answer[15:]) == (REAL_04[11:15], b"\x00" + bytes([0xFF] * 15))


@pytest.mark.parametrize("generation", LENGTHS)
def test_values_are_where_tools_look_for_them(generation: str) -> None:
    ask = Asked(node(generation), generation)
    hx, scale = (28, 102.4) if generation == "ZE1" else (26, 100.0)
    first = ask.group(0x01)
    assert number(first, 6, 4, signed=True) == round(-1.182 * 1024)
    assert number(first, 18, 2) == 38173
    assert number(first, hx, 2) == round(100.0 * scale)
    assert number(first, hx + 3, 3) == 804021
    assert number(first, hx + 7, 3) == round(1e4 * 3 * load_vehicle("leaf_plus").parameters[0].battery.cell.capacity / 3600.0)
    assert number(ask.group(0x61), 2, 2) == 9100
    assert ask.group(0x83)[2:9] == b"VIRTUAL"
    assert ask.group(0x84)[5:20] == b"EMULATED PACK 1"


def test_frost_is_told_below_zero() -> None:
    car = node("ZE1")
    car.measurements[0].plant.battery.temperature_lowest = -20.0
    assert number(Asked(car).group(0x04), 2, 1, signed=True) == -20


def test_a_pack_of_fewer_cells_leaves_their_places_empty() -> None:
    car = node("ZE1")
    car.parameters[0].plant.battery.series = 92
    cells = Asked(car).group(0x02)[2:194]
    assert (cells[:184].count(0xFF), cells[184:]) == (0, bytes([0xFF] * 8))


@pytest.mark.parametrize("series", [1, 2, 46, 92, 96, 400])
@pytest.mark.parametrize(("low", "high"), [(3.95, 3.99), (3.9, 3.99), (3.97, 4.05), (3.975, 3.977), (3.9763, 3.9763)])
def test_cells_add_up_to_the_pack_and_keep_its_extremes(series: int, low: float, high: float) -> None:
    mean = 3.9763
    measured = SimpleNamespace(cell_voltage_lowest=low, cell_voltage_average=mean, cell_voltage_highest=high)
    cells = cell_voltages(measured, series)
    assert len(cells) == series
    assert sum(cells) == pytest.approx(1e3 * mean * series, abs=0.51)
    if series > 2:
        assert min(cells) == pytest.approx(1e3 * low, abs=2.0)
        assert max(cells) == pytest.approx(1e3 * high, abs=2.0)


def test_it_says_nothing_while_it_sleeps() -> None:
    car = node("ZE1")
    car.state[0].battery_controller.awake_time = 0.0
    assert Asked(car)("2101") is None


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("1081", "5081"), ("10C0", "50C0"), ("3E01", "7E01"), ("19020E", "59020F"), ("14FFFFFF", "54"),
        # The reset of the state of health, as tools try it, with its public algorithm or without.
        ("2765", "7F2733"), ("27660102030405060708", "7F2733"), ("3103", "7F3133"), ("310301", "7F3133"),
        ("2103", "7F2112"), ("21", "7F2112"), ("210100", "7F2112"), ("1001", "7F1012"), ("1902", "7F1912"), ("19010E", "7F1912"),
        ("14FF00", "7F1412"), ("22F190", "7F2211"), ("3E02", "7F3E12"),
    ],
)  # fmt: skip
def test_other_services_answer_as_a_leaf_does(request_: str, answer: str) -> None:
    told = Asked(node("ZE1"))(request_)
    assert told is not None
    assert told.hex().upper() == answer


def test_its_session_ends_with_silence() -> None:
    ask = Asked(node("ZE1"))
    ask("10C0")
    assert ask.tester.session == protocol.Session.EXTENDED
    ask.server.poll([ask.tester], ask.now + protocol.S3_TIME + 0.1)
    assert ask.tester.session == protocol.Session.DEFAULT


def test_why_it_gave_up_is_stored_until_it_is_cleared() -> None:
    car = node("ZE1")
    controller, power = car.state[0].battery_controller, car.outputs[0].power
    ask = Asked(car)
    power.link.age = power.charger_link.age = 0.01
    power.charger_link.crc_errors = power.charger_link.counter_errors = 200
    controller.malfunction = 1
    assert codes(ask("19020E")) == {WRONG_CHECK: 0x0F, FROZEN: 0x0F}
    controller.malfunction, power.charger_link.crc_errors, power.charger_link.counter_errors = 0, 0, 0
    assert set(codes(ask("19020E")).values()) == {0x0E}
    controller.awake_time = 0.0  # it sleeps
    assert ask("19020E") is None
    controller.awake_time = 10.0
    assert codes(ask("19020E")) == {WRONG_CHECK: 0x08, FROZEN: 0x08}
    assert codes(ask("190201")) == {}
    ask("14FFFFFF")
    assert codes(ask("19020E")) == {}


def test_a_car_that_falls_silent_is_stored() -> None:
    car = node("ZE1")
    car.state[0].battery_controller.malfunction = 1
    car.outputs[0].power.link.age = car.outputs[0].power.charger_link.age = 2.5
    assert codes(Asked(car)("19020E")) == {NO_CAN: 0x0F, NO_CONTROLLER: 0x0F}


def codes(answer: bytes | None) -> dict[int, int]:
    assert answer is not None
    assert answer[:3] == b"\x59\x02\x0f"
    rows = answer[3:]
    return {int.from_bytes(rows[k : k + 3]): rows[k + 3] for k in range(0, len(rows), 4)}


@needs_compiler
def test_in_a_drive_every_group_says_what_the_plant_says() -> None:
    network = load_network("leaf_ze1")
    drive = Drive(network, load_vehicle("leaf_twin_motor"), load_scenario("launch"))
    bench, ask = drive.lockstep(), Asked(drive.car)
    assert ask("2101") is None  # nobody is awake yet
    currents = []
    for _ in range(8):
        bench.advance(1.0)
        pack = drive.car.measurements[0].plant.battery
        first, cells, temperatures = ask.group(0x01), ask.group(0x02), ask.group(0x04)
        currents.append(number(first, 6, 4, signed=True) / 1024.0)
        assert currents[-1] == pytest.approx(-pack.current, abs=1e-3)
        assert number(first, 18, 2) / 100.0 == pytest.approx(pack.voltage, abs=0.006)
        assert number(first, 31, 3) / 1e6 == pytest.approx(pack.state_of_charge, abs=1e-6)
        voltages = [number(cells, 2 * k, 2) for k in range(CELLS)]
        assert sum(voltages) / 1e3 == pytest.approx(pack.voltage, abs=0.001)
        assert min(voltages) == pytest.approx(1e3 * pack.cell_voltage_lowest, abs=2.0)
        assert max(voltages) == pytest.approx(1e3 * pack.cell_voltage_highest, abs=2.0)
        assert number(cells, 192, 2) / 100.0 == pytest.approx(pack.voltage, abs=0.006)
        link = drive.car.measurements[0].high_voltage.link_voltage
        assert number(cells, 194, 2) / 100.0 == pytest.approx(link, abs=0.006)
        assert number(temperatures, 2, 1) == round(pack.temperature_lowest)
        assert number(temperatures, 12, 1) == round(pack.temperature_average)
        assert number(first, 22, 2) == pytest.approx(drive.car.inputs[0].battery.isolation, abs=0.51)
    assert min(currents) < -100.0  # it did drive
    assert codes(ask("19020E")) == {}
