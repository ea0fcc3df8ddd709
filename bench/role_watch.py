"""Who is heard on which bus, and what silence says of power, wiring and cables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.station import REST_BUS, Wiring
from hil.frames import EXTENDED, REMOTE, TRANSMITTED
from hil.network.database import NetworkBus

HEARING_TIME = 2.0  # [s] after which a role that was not heard is told
SUPPLIED = frozenset[str]().union(*REST_BUS.values())  # roles that a rest-bus can fill

Key = tuple[int, bool]  # identifier, extended


@dataclass
class RoleWatch:
    """The roles that others are to fill on the buses of a station; those not heard are told once."""

    tell: Callable[[str], None]
    wiring: Wiring
    filled: frozenset[str]  # roles that this process fills
    _heard: dict[int, set[Key]] = field(default_factory=dict)  # by bus
    _told: bool = False

    def look(self, frames: Any, now: float) -> None:
        """Take in the ``frames`` (an array of hil.frames.FRAME) since the last look, at ``now`` [s] after the start."""
        if self._told:
            return
        received = frames[frames.kind & (TRANSMITTED | REMOTE) == 0]
        for bus, identifier, kind in np.unique(received[["bus", "identifier", "kind"]]).tolist():
            self._heard.setdefault(bus, set()).add((identifier, bool(kind & EXTENDED)))
        if now > HEARING_TIME:
            self._told = True
            for text in self.missing():
                self.tell(text)

    def missing(self) -> Iterator[str]:
        """One line for each bus on which a role was not heard so far, and one for each role that was heard on another."""
        for bus in self._connected():
            silent = [role for role in bus.roles if role not in self.filled and not self._keys(bus, role) & self._on(bus)]
            astray = {role: other for role in silent if (other := self._elsewhere(bus, role))}
            for role, other in astray.items():
                yield f"{bus.name}: nothing heard of {role}, whose frames come in on {other}: are the two cables swapped?"
            if unheard := [role for role in silent if role not in astray]:
                advice = ", or see --rest-bus" if SUPPLIED & set(unheard) else ""
                yield f"{bus.name}: nothing heard of {', '.join(unheard)}: look for power and wiring{advice}"

    def _elsewhere(self, bus: NetworkBus, role: str) -> str:
        """The bus on which the frames of a role are heard that none sends there; empty if there is none."""
        for other in self._connected():
            own = {key for any_role in other.roles for key in self._keys(other, any_role)}
            if (self._keys(bus, role) - own) & self._on(other):
                return other.name
        return ""

    def _connected(self) -> list[NetworkBus]:
        return [bus for bus in self.wiring.network.buses if self.wiring.is_connected(bus.name)]

    def _on(self, bus: NetworkBus) -> set[Key]:
        return self._heard.get(bus.index, set())

    @staticmethod
    def _keys(bus: NetworkBus, role: str) -> set[Key]:
        return {(m.message.identifier, m.message.extended) for m in bus.messages if m.role == role}
