"""Roles that nobody speaks for are told once, by bus, with what their absence suggests."""

import numpy as np
import pytest

from bench.role_watch import HEARING_TIME, RoleWatch
from bench.station import wire
from hil.frames import EXTENDED, REMOTE, TRANSMITTED, new_frames
from hil.network.database import CONTROLLER_ROLE, load_network

BUSES = {"front": "virtual:f", "rear": "virtual:r", "chassis": "virtual:c"}


class Rig:
    """A watch over the buses of a car with two motors; the controller is here, all others are elsewhere."""

    def __init__(self, buses: dict[str, str] = BUSES) -> None:
        self.network = load_network("leaf_ze1")
        self.told: list[str] = []
        self.watch = RoleWatch(self.told.append, wire(self.network, buses), frozenset([CONTROLLER_ROLE, "panel"]))

    def frames_of(self, bus: str, role: str, heard_on: str = "", kind: int = 0):
        """One frame of each message of a role, as heard on its own bus or another."""
        found = self.network.bus(bus)
        messages = [m.message for m in found.messages if m.role == role]
        frames = new_frames(len(messages))
        frames.identifier = [message.identifier for message in messages]
        frames.kind = [kind | (EXTENDED if message.extended else 0) for message in messages]
        frames.bus = self.network.bus(heard_on or bus).index
        return frames

    def all_frames(self, swap: tuple[str, ...] = (), without: tuple[str, ...] = (), kind: int = 0):
        """Frames of all roles but those ``without``, the two buses of ``swap`` taken for each other."""
        taken = dict(zip(swap, reversed(swap), strict=True))
        spoken = [(bus, role) for bus in self.network.buses for role in bus.roles if role not in without]
        parts = [self.frames_of(bus.name, role, taken.get(bus.name, ""), kind) for bus, role in spoken]
        return np.concatenate(parts).view(np.recarray)


def test_who_is_heard_is_not_told() -> None:
    rig = Rig()
    rig.watch.look(rig.all_frames(), 0.1)
    rig.watch.look(new_frames(0), HEARING_TIME + 0.1)
    assert rig.told == []


def test_a_role_that_is_silent_is_told_once_and_not_at_once() -> None:
    rig = Rig()
    rig.watch.look(rig.all_frames(without=("battery", "pedals")), 0.1)
    rig.watch.look(new_frames(0), HEARING_TIME - 0.1)
    assert rig.told == []
    for later in (0.1, 0.2):
        rig.watch.look(new_frames(0), HEARING_TIME + later)
    assert rig.told == [
        "front: nothing heard of battery: look for power and wiring, or see --rest-bus",
        "chassis: nothing heard of pedals: look for power and wiring, or see --rest-bus",
    ]


@pytest.mark.parametrize("kind", [TRANSMITTED, REMOTE])
def test_own_frames_and_remote_frames_are_nobodys_voice(kind: int) -> None:
    rig = Rig({"front": "virtual:f"})
    rig.watch.look(rig.all_frames(kind=kind), HEARING_TIME + 0.1)
    assert rig.told == ["front: nothing heard of front_inverter, battery: look for power and wiring, or see --rest-bus"]


def test_cables_of_two_axles_that_are_swapped_show_by_the_battery() -> None:
    rig = Rig()
    rig.watch.look(rig.all_frames(swap=("front", "rear")), HEARING_TIME + 0.1)
    assert rig.told == ["front: nothing heard of battery, whose frames come in on rear: are the two cables swapped?"]


def test_cables_of_chassis_and_axle_that_are_swapped_show_by_every_role() -> None:
    rig = Rig()
    rig.watch.look(rig.all_frames(swap=("rear", "chassis")), HEARING_TIME + 0.1)
    assert [text.split(",")[0] for text in rig.told] == ["rear: nothing heard of rear_inverter"] + [
        f"chassis: nothing heard of {role}" for role in ("steering", "wheel_speeds", "motion", "pedals", "brakes")
    ]
    assert all(text.endswith("are the two cables swapped?") for text in rig.told)


def test_a_bus_that_is_not_connected_misses_nobody() -> None:
    rig = Rig({"front": "virtual:f"})
    rig.watch.look(rig.frames_of("front", "battery"), HEARING_TIME + 0.1)
    assert rig.told == ["front: nothing heard of front_inverter: look for power and wiring"]
