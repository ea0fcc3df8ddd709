"""A real fault of the controller, in lockstep with the virtual car's control units, on its way through the fault memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.drive import Drive
from bench.nodes.rest_bus import CHASSIS, RestBusParameters
from bench.scenarios import load_scenario
from bench.station import car_of_roles, roles_of_car
from bench.vehicles import load_vehicle
from firmware_model.measurements import SupervisorState
from hil.diagnostics.fault_memory import PASS_TIME, FaultMemory
from hil.diagnostics.fault_watch import FaultWatch
from hil.diagnostics.protocol import DiagnosticServer
from hil.diagnostics.protocol import Tester as Client
from hil.diagnostics.services import clear_diagnostic_information, read_dtc_information
from hil.diagnostics.trouble_codes import TABLE
from hil.lockstep import Lockstep
from hil.network.database import load_network
from hil.node import Node, NodeSpec

LOOK = 0.02  # [s] as beside a running loop
REST_BUS = NodeSpec(
    "rest_bus", "bench.nodes.rest_bus.step", is_controller=False, parameters=RestBusParameters, sampled=(), roles=CHASSIS
)
REAR_SILENT, NO_CAN = "de 01 87", "d0 00 00"


class StandingCar:
    """A car that stands, with its real battery and inverters, which is switched on and off; and what its controller stores."""

    def __init__(self, path: Path | None = None, vehicle: str = "leaf_twin_motor") -> None:
        loaded = load_vehicle(vehicle)
        network = load_network(loaded.network)
        drive = Drive(network, loaded, load_scenario("launch"))
        self.controller, self.switch = drive.controller, Node(REST_BUS, network)
        self.car = car_of_roles(drive.car, network, set(roles_of_car(network)) - CHASSIS - {"panel"})
        self.switch.parameters.power_switch[:] = 0
        self.bench = Lockstep(network, [self.controller, self.switch, self.car])
        self.memory = FaultMemory(TABLE, path)
        self.watch = FaultWatch(self.controller, self.memory, self._snapshot)
        services = [read_dtc_information.service(self.memory), clear_diagnostic_information.service(self.memory)]
        self.server, self.tester = DiagnosticServer(services), Client("test")

    def _snapshot(self) -> bytes:
        return bytes([1, 0x40, 0x00, int(self.controller.measurements[0].supervisor.state)])

    def ask(self, text: str) -> str:
        answer = self.server.request(self.tester, bytes.fromhex(text), self.bench.time)
        assert answer
        return answer.hex(" ")

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK)):
            self.bench.advance(LOOK)
            self.watch.look(self.bench.time)

    @property
    def state(self) -> int:
        return int(self.controller.measurements[0].supervisor.state)

    def switch_to(self, on: bool, wanted: SupervisorState) -> None:
        self.switch.parameters.power_switch[:] = on
        for _ in range(100):
            if self.state == wanted:
                return
            self.run(0.2)
        pytest.fail(f"state {self.state} in the place of {wanted}")

    def cycle(self) -> None:
        """Switched on, READY for so long that all tests pass, switched off."""
        self.switch_to(True, SupervisorState.READY)
        self.run(2.1 + PASS_TIME + 0.1)
        self.switch_to(False, SupervisorState.OFF)

    def mute_rear_inverter(self, mute: bool) -> None:
        self.car.parameters["rear_inverter"]["mute"] = mute


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faults.txt"


@pytest.fixture
def car(path: Path) -> Iterator[StandingCar]:
    car = StandingCar(path)
    yield car
    car.memory.close()


def test_a_car_that_is_well_passes_all_tests_and_stores_nothing(car: StandingCar) -> None:
    car.cycle()
    assert car.ask("19 02 ff") == "59 02 ff"


def test_a_silent_inverter_is_stored_heals_ages_and_is_gone_and_survives_a_restart(car: StandingCar, path: Path) -> None:
    car.switch_to(True, SupervisorState.READY)
    car.run(2.2)
    car.mute_rear_inverter(True)
    car.run(1.0)
    assert car.ask("19 02 01") == f"59 02 ff {REAR_SILENT} af"
    car.run(1.5)
    assert car.ask("19 02 01")[:9] == "59 02 ff "
    assert {NO_CAN, REAR_SILENT} == {code for code in (NO_CAN, REAR_SILENT) if code in car.ask("19 02 01")}
    assert car.ask(f"19 04 {REAR_SILENT} 01").endswith(f"01 01 40 00 {SupervisorState.READY:02x}")
    car.mute_rear_inverter(False)
    car.switch_to(False, SupervisorState.OFF)
    car.cycle()
    assert car.ask("19 02 05") == "59 02 ff"
    assert REAR_SILENT in car.ask("19 02 08")
    car.memory.close()

    again = StandingCar(path)
    assert again.ask(f"19 06 {REAR_SILENT} 02").endswith(" 02 01")
    for _ in range(38):
        again.cycle()
    assert REAR_SILENT in again.ask("19 02 08")
    again.cycle()
    assert again.ask("19 02 08") == "59 02 ff"
    assert again.ask(f"19 06 {REAR_SILENT} ff") == f"59 06 {REAR_SILENT} 20"
    again.memory.close()
