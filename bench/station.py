"""A station: what one process puts on the buses, the controller with what is supplied beside it, or the car.

Each bus of the network is connected to a real or virtual one, or stays inside the process. Each role that the nodes of the
station do not fill must be filled by somebody on its bus; what nobody can fill is named at the start, and what is not heard is
named once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.calibrating import calibration_of
from bench.drive import CONTROLLER
from bench.nodes.rest_bus import BATTERY, CHASSIS, RestBusParameters
from bench.operator import PANEL, Operator
from bench.vehicles import Vehicle, with_motor
from hil.bus import BusAddress, check_roles, parse_bus_address
from hil.calibration.file_values import FileValues
from hil.errors import UsageError
from hil.matching import detect_network
from hil.network.database import CONTROLLER_ROLE, Network, list_networks
from hil.node import Node, NodeSpec, sent_messages
from hil.toml_files import closest

REST_BUS_NAME = "rest_bus"
REST_BUS = {"battery": BATTERY, "chassis": CHASSIS}
AXLES = ("front", "rear")  # each on the bus of its name
SUPPLY_VOLTAGE = 350.0  # [V] about that of a LEAF's pack that is half full
PRECHARGE_SHARE = 0.8  # of the supply's voltage: below it nothing is precharged
BY_HAND = replace(CONTROLLER, step="firmware_model.controller.step_by_hand")


@dataclass(frozen=True)
class Wiring:
    """Where the buses of a network are: the address of each, None for one that stays inside the process."""

    network: Network
    addresses: Mapping[str, BusAddress | None]

    @property
    def in_order(self) -> list[BusAddress | None]:
        """The addresses in the order of the network's buses."""
        return [self.addresses[bus.name] for bus in self.network.buses]

    @property
    def is_virtual(self) -> bool:
        """Whether no real part can be on any of them; doubt means no."""
        return all(address is None or address.is_virtual for address in self.addresses.values())

    @property
    def leaves_process(self) -> bool:
        """Whether anybody beyond this process can be on any of them."""
        return any(address and address.interface != "virtual" for address in self.addresses.values())

    def is_connected(self, bus: str) -> bool:
        """Whether others can be on that bus."""
        return self.addresses[bus] is not None


def wire(network: Network, given: Mapping[str, str | None]) -> Wiring:
    """Read the addresses ``given`` for some buses of the network. Raises UsageError."""
    names = [bus.name for bus in network.buses]
    for name in given:
        if given[name] and name not in names:
            raise UsageError(f'network {network.name} has no bus "{name}"; it has {", ".join(names)}')
    addresses = {name: parse_bus_address(text) if (text := given.get(name)) else None for name in names}
    connected = {name: address for name, address in addresses.items() if address}
    if not connected:
        raise UsageError(f"no bus is connected: name at least one, for example --{names[0]} slcan:/dev/ttyACM0@500000")
    frames = {bus.name: [message.message.identifier for message in bus.messages] for bus in network.buses}
    check_roles(connected, {name: frames[name] for name in connected})
    return Wiring(network, addresses)


def network_heard(own: Network, frames: Any) -> tuple[Network, str]:
    """The network whose ``frames`` were heard, ``own`` if they leave a choice, and what to tell of it."""
    known = [name for name, _ in list_networks()]
    detection = detect_network(frames) if own.name in known else None
    if detection is None:
        return own, f"network: {own.title}, as of the vehicle: nothing is heard that tells; --network names another"
    if own.name in (detection.network.name, *detection.alike):
        return own, f"network: {own.title}, as heard"
    found = detection.network
    return found, f"network: {found.title}, as heard, though the vehicle's is {own.title}; --network names another"


def rest_bus_roles(names: Iterable[str]) -> frozenset[str]:
    """The roles that the rest-bus is to fill, by the names of REST_BUS. Raises UsageError."""
    roles: frozenset[str] = frozenset()
    for name in names:
        if name not in REST_BUS:
            raise UsageError(f'rest-bus "{name}": expected some of {", ".join(REST_BUS)}, separated by commas')
        roles |= REST_BUS[name]
    return roles


def controller_station(
    wiring: Wiring,
    vehicle: Vehicle,
    *,
    rest: frozenset[str] = frozenset(),
    operator: Operator | None = None,
    by_hand: bool = False,
    voltage: float = SUPPLY_VOLTAGE,
    listening: bool = False,
    calibration: FileValues | None = None,
) -> list[Node]:
    """The controller on that wiring, beside the rest-bus for the roles of ``rest`` and a panel for an ``operator`` here.

    ``by_hand``: the panel sets the torques, and no car is needed. ``voltage`` [V] of the supply in the place of the pack.
    ``calibration``: values in the place of the vehicle's own, but for what hangs on the wiring.
    A motor whose bus is not connected is not there. Raises UsageError, naming each role that nobody can fill; who is only
    ``listening`` needs none.
    """
    network = wiring.network
    for axle in AXLES:
        if axle in wiring.addresses and not wiring.is_connected(axle):
            vehicle = with_motor(vehicle, axle, "none")
    controller = Node(BY_HAND if by_hand else CONTROLLER, network)
    own = calibration_of(vehicle)
    controller.parameters[:] = calibration.on(own) if calibration else own
    for axle in AXLES:  # a motor that the vehicle has not is not made by a file
        controller.parameters[axle].motor_present[:] &= own[axle].motor_present
    if "battery" in rest:
        controller.parameters.supervisor.precharge_voltage_min[:] = PRECHARGE_SHARE * voltage
    if by_hand or not wiring.is_virtual:
        controller.parameters.supervisor.arming_required[:] = 1
    filled = rest | (PANEL.roles or frozenset()) if operator else rest
    if not listening:
        _require(wiring, filled, [axle for axle in AXLES if int(controller.parameters[axle].motor_present[0])])
    nodes = [controller]
    if rest:
        nodes.append(Node(_rest_bus(rest), network))
        nodes[-1].parameters.voltage[:] = voltage
    if operator:
        nodes.append(Node(PANEL, network, (operator.words,)))
    return nodes


def roles_of_car(network: Network) -> list[str]:
    """All roles of the network but the controller's, by name."""
    return sorted({role for bus in network.buses for role in bus.roles} - {CONTROLLER_ROLE})


def require_connected(wiring: Wiring, roles: Iterable[str]) -> None:
    """Raise UsageError if none of the ``roles`` could say anything: the buses of all of them are not connected."""
    buses = {bus.name for bus in wiring.network.buses for role in roles if role in bus.roles}
    if buses and not any(wiring.is_connected(bus) for bus in buses):
        options = " or ".join(f"--{bus} ADDRESS" for bus in sorted(buses))
        raise UsageError(f"{', '.join(roles)}: nobody would hear them; connect {options}")


def car_of_roles(car: Node, network: Network, roles: Iterable[str]) -> Node:
    """The ``car``, of which only these ``roles`` speak: the others are real, or somebody else's. Raises UsageError."""
    known = roles_of_car(network)
    for role in roles:
        if role not in known:
            raise UsageError(f'role "{role}"{closest(role, known)}; there are {", ".join(known)}')
    part = Node(replace(car.spec, roles=frozenset(roles)), network, car.tables)
    part.parameters[:], part.state[:] = car.parameters, car.state
    return part


def local_roles(nodes: Iterable[Node], network: Network) -> frozenset[str]:
    """The roles that the ``nodes`` of a station fill."""
    return frozenset(message.role for node in nodes for _, message in sent_messages(node.spec, network))


def _rest_bus(roles: frozenset[str]) -> NodeSpec:
    return NodeSpec(
        REST_BUS_NAME, "bench.nodes.rest_bus.step", is_controller=False, parameters=RestBusParameters, sampled=(), roles=roles
    )


def rest_bus_of(nodes: Iterable[Node]) -> Node | None:
    """The rest-bus among the ``nodes`` of a station."""
    return next((node for node in nodes if node.spec.name == REST_BUS_NAME), None)


def _require(wiring: Wiring, filled: frozenset[str], axles: list[str]) -> None:
    """Raise UsageError if no motor is connected, or a role that the controller needs can be filled by nobody."""
    if not axles:
        raise UsageError("no motor is connected: give --front or --rear the bus of an inverter that the vehicle has")
    motors = {f"{axle}_inverter" for axle in AXLES}
    missing: dict[str, list[str]] = {}
    for bus in wiring.network.buses:
        if wiring.is_connected(bus.name):
            continue
        absent = [role for role in bus.roles if role not in filled | motors | {CONTROLLER_ROLE, "panel"}]
        if absent:
            missing[bus.name] = absent
    if missing:
        told = "; ".join(f'bus "{bus}": {", ".join(roles)}' for bus, roles in missing.items())
        absent_roles = {role for roles in missing.values() for role in roles}
        supplied = ",".join(name for name, roles in REST_BUS.items() if roles & absent_roles)
        advice = " and ".join(f"--{bus} ADDRESS" for bus in missing)
        raise UsageError(
            f"roles that nobody fills: {told}. Connect {advice}, or let the rest-bus fill them: --rest-bus {supplied}"
        )
