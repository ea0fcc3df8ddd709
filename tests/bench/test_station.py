from dataclasses import replace

import pytest
from leaf_frames import battery_temperature, inverter_state

from bench.operator import Operator
from bench.station import controller_station, local_roles, network_heard, require_connected, rest_bus_roles, wire
from bench.vehicles import load_vehicle
from hil.errors import UsageError
from hil.frames import PlainFrame, frames_of, payload_from_bytes
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


def test_the_roles_of_a_station_are_those_of_all_its_nodes(network) -> None:
    wiring = wire(network, {"front": "virtual:f"})
    nodes = controller_station(
        wiring, load_vehicle("leaf_plus"), rest=rest_bus_roles(["chassis", "battery"]), operator=Operator(), by_hand=True
    )
    filled = {"controller", "battery", "steering", "wheel_speeds", "motion", "pedals", "brakes", "panel"}
    assert local_roles(nodes, network) == filled


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


def frames_heard(*frames: tuple[int, bytes]):
    """Frames of 11-bit identifiers."""
    return frames_of(PlainFrame(0, payload_from_bytes(data), identifier, 0, len(data), 0) for identifier, data in frames)


def test_the_network_is_that_of_the_car_that_is_heard(network) -> None:
    heard, text = network_heard(network, frames_heard(battery_temperature(1), (0x50B, bytes(6)), inverter_state(0)))
    assert heard.name == "leaf_ze0"
    assert text.startswith("network: Nissan LEAF ZE0 (2010 to 2012), as heard, though the vehicle's is Nissan LEAF ZE1")


def test_where_what_is_heard_leaves_a_choice_the_vehicles_own_network_is_taken() -> None:
    for name in ("leaf_aze0", "leaf_ze0"):  # whose inverters send the same
        heard, text = network_heard(load_network(name), frames_heard(inverter_state(0)))
        assert heard.name == name
        assert text.endswith(", as heard")


def test_of_silence_and_of_strangers_no_network_is_concluded(network) -> None:
    for frames in (frames_heard(), frames_heard((0x2C4, bytes(8)))):
        heard, text = network_heard(network, frames)
        assert heard.name == "leaf_ze1"
        assert "nothing is heard that tells" in text


def test_a_network_of_ones_own_is_not_doubted(network) -> None:
    own = replace(network, name="my_network")
    assert network_heard(own, frames_heard(inverter_state(0)))[0].name == "my_network"


def test_roles_that_nobody_would_hear_are_refused(network) -> None:
    wiring = wire(network, {"front": "virtual:f"})
    require_connected(wiring, ["rear_inverter", "front_inverter"])
    with pytest.raises(UsageError, match="rear_inverter: nobody would hear them; connect --rear ADDRESS"):
        require_connected(wiring, ["rear_inverter"])


def test_who_only_listens_needs_nobody(network) -> None:
    controller_station(wire(network, {"front": "virtual:f"}), load_vehicle("leaf_plus"), listening=True)
