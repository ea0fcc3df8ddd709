"""Which diagnostic servers a virtual car brings, and how each speaks ISO-TP: one for every control unit whose role it fills."""

from bench.diagnostics import battery, inverter
from bench.diagnostics.battery import BatteryServer
from bench.diagnostics.inverter import InverterServer
from hil.diagnostics.channel import TransportSettings
from hil.diagnostics.responder import Addresses, ResponderSpec
from hil.network.database import Network
from hil.node import Node, sent_messages

AXLES = ("front", "rear")  # the inverter of each is on the bus of its name


def car_responders(car: Node, network: Network) -> list[tuple[str, ResponderSpec]]:
    """The servers of the ``car``, each with the name of its bus."""
    roles = {message.role for _, message in sent_messages(car.spec, network)}
    buses = {role: bus.name for bus in network.buses for role in bus.roles if role in roles}
    found = []
    if "battery" in buses:
        found.append((buses["battery"], _battery(car, network)))
    for axle in AXLES:
        role = f"{axle}_inverter"
        if role in buses and car.parameters[0][role].fitted:
            found.append((buses[role], _inverter(car, network, axle)))
    return found


def _battery(car: Node, network: Network) -> ResponderSpec:
    server = BatteryServer(car, network.generation)
    return ResponderSpec(
        "battery", server, Addresses(battery.REQUEST, battery.ANSWER, functional=None),
        TransportSettings(separation=battery.SEPARATION, padding=battery.PADDING), battery.RESPONSE_TIME, drops_while_busy=True,
        look=server.look,
    )  # fmt: skip


def _inverter(car: Node, network: Network, axle: str) -> ResponderSpec:
    return ResponderSpec(
        f"{axle} inverter", InverterServer(car, network, axle), Addresses(inverter.REQUEST, inverter.ANSWER, functional=None),
        TransportSettings(padding=inverter.PADDING), inverter.RESPONSE_TIME,
    )  # fmt: skip
