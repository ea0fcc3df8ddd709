"""The virtual inverters' diagnostic servers, as those of a LEAF e+ answered on its bus."""

import pytest

from bench.diagnostics.inverter import InverterServer
from bench.drive import CAR
from bench.scenarios import load_scenario
from hil.diagnostics import protocol
from hil.network.database import load_network
from hil.node import Node


class Asked:
    """A tester of one inverter, which is awake."""

    def __init__(self, axle: str = "front", generation: str = "leaf_ze1") -> None:
        network = load_network(generation)
        self.car = Node(CAR, network, (load_scenario("launch").stimulus, None, None))
        self.axle = axle
        self.car.state[0][f"{axle}_inverter"].awake_time = 5.0
        self.server, self.tester = InverterServer(self.car, network, axle), protocol.Tester("test")

    def __call__(self, request: str) -> str | None:
        answer = self.server.request(self.tester, bytes.fromhex(request), 1.0)
        return None if answer is None else answer.hex().upper()


def test_it_tells_the_torque_that_is_asked_for_as_a_real_one_does() -> None:
    """A LEAF e+: its answer 01 70 came right after an 0x1D4 that asked for raw 0x170, 92 Nm."""
    ask = Asked()
    ask.car.outputs[0].front.motor_torque = 92.0
    assert ask("221225") == "6212250170"
    ask.car.outputs[0].front.motor_torque = -33.0
    assert ask("221225") == "621225FF7C"


def test_the_rear_one_is_mounted_the_other_way_round() -> None:
    ask = Asked("rear")
    ask.car.outputs[0].rear.motor_torque = 92.0
    assert ask("221225") == "621225FE90"


def test_it_tells_the_motors_temperature_as_in_its_own_frame() -> None:
    """A LEAF e+: its answer 53 came while the byte of 0x55A was 53."""
    ask = Asked()
    ask.car.inputs[0].front.motor_temperature = (0x53 - 32) / 1.8
    assert ask("221121") == "62112153"


@pytest.mark.parametrize("request_", ["221125", "221131", "22", "2212", "22122500", "22F190", "2103", "21"])
def test_what_it_does_not_know_is_refused_as_on_a_real_car(request_: str) -> None:
    assert Asked()(request_) == f"7F{request_[:2]}12"


@pytest.mark.parametrize(
    ("generation", "records"), [("leaf_ze1", {1: 1}), ("leaf_aze0", {1: 1, 3: 2, 4: 2}), ("leaf_ze0", {1: 1, 3: 2, 4: 2})]
)
def test_the_resolvers_offset_can_be_read_and_written(generation: str, records: dict[int, int]) -> None:
    ask = Asked(generation=generation)
    assert ask("10AA") == "50AA"
    for number, length in records.items():
        assert ask(f"21{number:02X}") == f"61{number:02X}" + "00" * length
        assert ask(f"3B{number:02X}" + "A5" * length) == f"7B{number:02X}"
        assert ask(f"21{number:02X}") == f"61{number:02X}" + "A5" * length


@pytest.mark.parametrize("request_", ["3B", "3B01", "3B010000", "3B0300", "3B02", "3B0200"])
def test_a_record_of_another_number_or_length_is_refused(request_: str) -> None:
    ask = Asked()
    assert ask(request_) == "7F3B12"
    assert ask("2101") == "610100"


def test_no_record_is_written_while_the_motor_can_drive() -> None:
    ask = Asked()
    ask.car.inputs[0].front_condition.enabled = 1
    assert ask("3B0107") == "7F3B22"
    assert ask("2101") == "610100"


def test_one_that_sleeps_or_is_mute_says_nothing() -> None:
    ask = Asked()
    ask.car.parameters[0].front_inverter.mute = 1
    assert ask("221225") is None
    ask = Asked()
    ask.car.state[0].front_inverter.awake_time = 0.1
    assert ask("221225") is None
