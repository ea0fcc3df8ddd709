import pytest

from bench.operator import Operator
from bench.station import controller_station, rest_bus_roles, roles_not_heard, wire
from bench.vehicles import load_vehicle
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import sent_messages


@pytest.fixture(scope="module")
def network():
    return load_network("leaf_ze1")


def names_sent(node, network) -> set[str]:
    return {message.role for _, message in sent_messages(node.spec, network)}


def test_one_inverter_on_the_table_needs_no_more_than_the_rest_bus(network) -> None:
    wiring = wire(network, {"front": "slcan:/dev/ttyACM0@500000"})
    assert not wiring.is_virtual
    nodes = controller_station(
        wiring, load_vehicle("leaf_twin_motor"), rest=rest_bus_roles(["battery", "chassis"]), operator=Operator(), by_hand=True
    )
    controller, rest, panel = nodes
    assert controller.parameters.front.motor_present[0] == 1
    assert controller.parameters.rear.motor_present[0] == 0  # its bus is not connected
    assert controller.parameters.supervisor.arming_required[0] == 1
    assert names_sent(rest, network) == {"battery", "steering", "wheel_speeds", "motion", "pedals", "brakes"}
    assert names_sent(panel, network) == {"panel"}


def test_what_nobody_fills_is_named_with_what_to_do(network) -> None:
    wiring = wire(network, {"front": "virtual:f"})
    with pytest.raises(UsageError, match=r'nobody fills: bus "chassis": steering, .*--chassis ADDRESS, .*--rest-bus chassis$'):
        controller_station(wiring, load_vehicle("leaf_plus"), rest=rest_bus_roles(["battery"]))


def test_a_battery_whose_bus_is_not_connected_is_missed_though_its_axle_is_not(network) -> None:
    wiring = wire(network, {"rear": "virtual:r"})
    with pytest.raises(UsageError, match=r'bus "front": battery\. Connect --front ADDRESS, .*--rest-bus battery$'):
        controller_station(wiring, load_vehicle("leaf_twin_motor"), rest=rest_bus_roles(["chassis"]))


@pytest.mark.parametrize(
    ("given", "vehicle"), [({"chassis": "virtual:c"}, "leaf_twin_motor"), ({"rear": "virtual:r"}, "leaf_plus")]
)
def test_a_station_without_a_motor_is_refused(network, given, vehicle) -> None:
    with pytest.raises(UsageError, match="no motor is connected: give --front or --rear"):
        controller_station(wire(network, given), load_vehicle(vehicle), rest=rest_bus_roles(["battery", "chassis"]))


def test_all_buses_connected_nothing_has_to_be_supplied(network) -> None:
    wiring = wire(network, {"front": "virtual:f", "rear": "virtual:r", "chassis": "virtual:c"})
    [controller] = controller_station(wiring, load_vehicle("leaf_twin_motor"))
    assert controller.parameters.rear.motor_present[0] == 1
    assert controller.parameters.supervisor.arming_required[0] == 0


def test_on_a_real_bus_arming_is_required(network) -> None:
    wiring = wire(network, {"front": "socketcan:can0", "rear": "virtual:r", "chassis": "virtual:c"})
    [controller] = controller_station(wiring, load_vehicle("leaf_twin_motor"))
    assert controller.parameters.supervisor.arming_required[0] == 1


def test_roles_that_were_not_heard_are_told_by_bus(network) -> None:
    wiring = wire(network, {"front": "virtual:f"})
    rest = rest_bus_roles(["chassis"])
    controller = controller_station(wiring, load_vehicle("leaf_plus"), rest=rest)[0]
    assert roles_not_heard(wiring, controller, rest) == {"front": ["front_inverter", "battery"]}
    controller.port["received"] = 1
    assert roles_not_heard(wiring, controller, rest) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no bus is connected: name at least one, for example --front"),
        ({"middle": "virtual:m"}, 'has no bus "middle"; it has front, rear, chassis'),
        ({"front": "virtual"}, "expected interface:channel"),
        ({"front": "virtual:same", "rear": "virtual:same"}, "front and rear are on the same bus"),
    ],
)
def test_a_wiring_that_cannot_be_says_why(network, given, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wire(network, given)


def test_an_unknown_part_of_the_rest_bus_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match='rest-bus "inverter": expected some of battery, chassis'):
        rest_bus_roles(["inverter"])
