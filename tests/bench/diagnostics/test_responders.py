"""The servers of the virtual car on a bus: asked by can-isotp, as a tool for the LEAF would, and only where they are emulated."""

import time
from collections.abc import Iterator

import can
import isotp
import pytest
from served import served
from waiting import nothing_left_behind

from bench.diagnostics.responders import car_responders
from bench.drive import CAR
from bench.scenarios import load_scenario
from bench.station import car_of_roles
from bench.vehicles import load_vehicle
from hil.network.database import load_network
from hil.node import Node

CHANNEL = "front bus of a virtual car"
BATTERY, INVERTER = (0x79B, 0x7BB), (0x784, 0x78C)
# Consecutive frames of the answers of a LEAF e+, and the times until the last one [s].
MEASURED = {0x01: (7, 0.069, 0.082), 0x02: (28, 0.277, 0.289), 0x04: (4, 0.037, 0.053), 0x06: (3, 0.031, 0.042)}


def awake_car() -> Node:
    network = load_network("leaf_ze1")
    car = Node(CAR, network, (load_scenario("launch").stimulus, None, None))
    car.parameters["plant"] = load_vehicle("leaf_twin_motor").parameters[0]
    for unit in ("battery_controller", "front_inverter", "rear_inverter"):
        car.state[0][unit].awake_time = 10.0
    return car


@pytest.fixture(scope="module")
def bus() -> Iterator[can.BusABC]:
    """Somebody else's end of the front bus, on which a car is."""
    front = [spec for bus, spec in car_responders(awake_car(), load_network("leaf_ze1")) if bus == "front"]
    with nothing_left_behind(), served(CHANNEL, *front), can.Bus(interface="virtual", channel=CHANNEL) as bus:
        yield bus


def frames(bus: can.BusABC, identifier: int, seconds: float) -> list[bytes]:
    """What comes from ``identifier`` within that time."""
    end, found = time.monotonic() + seconds, []
    while (left := end - time.monotonic()) > 0.0:
        message = bus.recv(left)
        if message and message.arbitration_id == identifier:
            found.append(bytes(message.data))
    return found


def send(bus: can.BusABC, data: bytes) -> None:
    bus.send(can.Message(arbitration_id=0x79B, data=data.ljust(8, b"\0"), is_extended_id=False))


def ask(bus: can.BusABC, request: bytes, pair: tuple[int, int] = BATTERY) -> bytes | None:
    address = isotp.Address(isotp.AddressingMode.Normal_11bits, txid=pair[0], rxid=pair[1])
    stack = isotp.CanStack(bus, address=address, params={"blocksize": 0, "stmin": 0, "tx_padding": 0})
    stack.start()
    try:
        stack.send(request)
        return stack.recv(block=True, timeout=5.0)
    finally:
        stack.stop()


@pytest.mark.parametrize("group", MEASURED)
def test_a_group_takes_as_many_frames_as_on_a_real_car_and_no_less_time(bus: can.BusABC, group: int) -> None:
    """How much longer it takes is the machine's affair; that nothing is sent faster is the battery's."""
    count, shortest, _ = MEASURED[group]
    began = time.monotonic()
    answer = ask(bus, bytes([0x21, group]))
    assert answer is not None
    assert answer[:2] == bytes([0x61, group])
    assert -(-(len(answer) - 6) // 7) == count
    assert time.monotonic() - began > shortest


def test_the_frames_of_a_tool_that_asks_for_one_at_a_time_are_answered(bus: can.BusABC) -> None:
    """Flow control 30 01 00 before each frame, as simple tools send it; the last one is padded with FF."""
    send(bus, b"\x02\x21\x84")
    received = frames(bus, 0x7BB, 0.1)
    assert [frame[:4] for frame in received] == [b"\x10\x16\x61\x84"]
    for number in (1, 2, 3):
        send(bus, b"\x30\x01\x00")
        received += frames(bus, 0x7BB, 0.1)
        assert received[-1][0] == 0x20 | number
    assert (len(received), len({len(frame) for frame in received})) == (4, 1)
    assert received[-1][3:] == b"\xff" * 5


def test_a_request_in_the_middle_of_an_answer_is_dropped(bus: can.BusABC) -> None:
    send(bus, b"\x02\x21\x84")
    assert len(frames(bus, 0x7BB, 0.1)) == 1
    send(bus, b"\x02\x3e\x01")  # it waits for a flow control, and for nothing else
    assert frames(bus, 0x7BB, 0.1) == []
    send(bus, b"\x30\x00\x00")
    assert len(frames(bus, 0x7BB, 0.2)) == 3
    assert ask(bus, b"\x3e\x01") == b"\x7e\x01"


def test_the_inverter_answers_beside_it(bus: can.BusABC) -> None:
    assert ask(bus, b"\x22\x12\x25", INVERTER) == b"\x62\x12\x25\x00\x00"
    assert ask(bus, b"\x22\x11\x25", INVERTER) == b"\x7f\x22\x12"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (None, {("front", "battery"), ("front", "front inverter"), ("rear", "rear inverter")}),
        (["battery"], {("front", "battery")}),
        (["front_inverter"], {("front", "front inverter")}),
        (["rear_inverter", "pedals"], {("rear", "rear inverter")}),
        (["pedals", "brakes"], set()),
    ],
)
def test_only_control_units_that_are_emulated_answer(roles: list[str] | None, expected: set[tuple[str, str]]) -> None:
    network, car = load_network("leaf_ze1"), awake_car()
    part = car if roles is None else car_of_roles(car, network, roles)
    assert {(bus, spec.name) for bus, spec in car_responders(part, network)} == expected


def test_an_axle_without_a_motor_has_no_inverter_that_answers() -> None:
    car = awake_car()
    car.parameters[0].rear_inverter.fitted = 0
    assert {spec.name for _, spec in car_responders(car, load_network("leaf_ze1"))} == {"battery", "front inverter"}
