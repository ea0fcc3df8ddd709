"""How the frames of a recording arrived: by bus and identifier."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.decoding import NANO
from hil.frames import FrameFlags
from hil.network.database import Network
from hil.node import Node, received_messages

GAP = 3.0  # periods: a longer distance is a gap, not jitter


@dataclass(frozen=True)
class Timing:
    """Distances [s] from frame to frame; NaN where there are fewer than two frames."""

    period: float  # median
    jitter: float  # standard deviation, gaps left out
    shortest: float
    longest: float


@dataclass(frozen=True)
class Errors:
    """What the receiver found wrong. None where the message has nothing by which it could be seen."""

    crc: int | None = None  # or another sum
    frozen: int | None = None  # the counter stood still
    lost: int | None = None  # by the gaps in the counter
    length: int | None = None


@dataclass(frozen=True)
class MessageIntegrity:
    """The frames of one identifier on one bus."""

    bus: str
    identifier: int
    extended: bool
    name: str  # empty: the network has no such message on this bus
    elsewhere: str  # bus of the network that has it instead, and its name there; or empty
    frames: int
    timing: Timing
    errors: Errors

    @property
    def label(self) -> str:
        """The identifier as people write it."""
        return f"0x{self.identifier:0{8 if self.extended else 3}X}"


def measure_integrity(network: Network, frames: Any, nodes: list[Node]) -> list[MessageIntegrity]:
    """Every identifier in ``frames``, whose errors the ``nodes`` have counted while they received them."""
    counted = {
        (message.bus, message.message.identifier, message.message.extended): (message.message, node.port[0], index)
        for node in nodes
        for index, message in received_messages(node.spec, network)
    }
    found = []
    for bus in network.buses:
        own = frames[frames["bus"] == bus.index]
        keys = own["identifier"].astype(np.uint64) | ((own["kind"] & FrameFlags.EXTENDED).astype(np.uint64) << np.uint64(32))
        for key in np.unique(keys):
            identifier, extended = int(key) & 0xFFFF_FFFF, int(key) > 0xFFFF_FFFF
            times = own["time"][keys == key] * NANO
            entry = counted.get((bus.name, identifier, extended))
            found.append(
                MessageIntegrity(
                    bus=bus.name,
                    identifier=identifier,
                    extended=extended,
                    name=entry[0].name if entry else "",
                    elsewhere="" if entry else _elsewhere(network, identifier, extended),
                    frames=len(times),
                    timing=measure_timing(times),
                    errors=_errors(*entry) if entry else Errors(),
                )
            )
    return found


def measure_timing(times: Any) -> Timing:
    """Distances between ``times`` [s]."""
    distances = np.diff(times)
    if not len(distances):
        return Timing(np.nan, np.nan, np.nan, np.nan)
    period = float(np.median(distances))
    regular = distances[distances < GAP * period]
    jitter = float(np.std(regular)) if len(regular) else np.nan
    return Timing(period, jitter, float(distances.min()), float(distances.max()))


def _errors(message: Any, port: Any, index: int) -> Errors:
    return Errors(
        crc=int(port["crc_errors"][index]) if message.has_check else None,
        frozen=int(port["counter_errors"][index]) if message.counter else None,
        lost=int(port["lost"][index]) if message.counter else None,
        length=int(port["length_errors"][index]),
    )


def _elsewhere(network: Network, identifier: int, extended: bool) -> str:
    """Where else the network has this identifier: gateways hand frames on from bus to bus."""
    for bus in network.buses:
        for bus_message in bus.messages:
            if (bus_message.message.identifier, bus_message.message.extended) == (identifier, extended):
                return f"{bus.name}: {bus_message.message.name}"
    return ""
