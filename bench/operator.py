"""Whoever sits at the bench: arms, asks for torque, stops, and shows by a heartbeat that somebody is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from bench.nodes.operator_panel import (
    ARMED,
    FRONT,
    HEARTBEAT,
    PER_NEWTON_METRE,
    REAR,
    STOP,
    WORDS,
    PanelParameters,
    PanelState,
)
from hil.csv_files import read_number, read_rows
from hil.errors import UsageError
from hil.node import NodeSpec
from hil.ring import store_word

PANEL = NodeSpec(
    name="panel",
    step="bench.nodes.operator_panel.step",
    is_controller=False,
    state=PanelState,
    parameters=PanelParameters,
    sampled=(),
    tables=("words",),
    roles=frozenset({"panel"}),
)
KEY_STEP = 1.0  # [Nm] of one press of an arrow key
COLUMNS = ("time", "front", "rear")
KEYS = "space: emergency stop, a: arm, d: disarm, arrows up/down: ±1 Nm, 0: no torque, q: quit"


class Operator:
    """The operator's side of the panel: words that the panel's node reads."""

    def __init__(self, torque_max: float = inf) -> None:
        """``torque_max`` [Nm]: more is not asked for; the controller has a clamp of its own."""
        self.torque_max = torque_max
        self.words = np.zeros(WORDS, dtype=np.int64)
        self.front = self.rear = 0.0  # [Nm] asked for
        self._beats = 0

    def beat(self) -> None:
        """Say that somebody is there; to be said several times a second."""
        self._beats += 1
        store_word(self.words, HEARTBEAT, self._beats)

    def arm(self, armed: bool = True) -> None:
        """Arm, which releases the emergency stop; or disarm, after which nothing is asked for any more."""
        if armed:
            store_word(self.words, STOP, 0)
        else:
            self.ask(0.0, 0.0)
        store_word(self.words, ARMED, int(armed))

    def stop(self) -> None:
        """Press the emergency stop: no torque until it is armed anew."""
        store_word(self.words, STOP, 1)
        self.arm(False)

    def ask(self, front: float, rear: float) -> None:
        """Ask for motor torques [Nm]."""
        self.front, self.rear = (max(-self.torque_max, min(self.torque_max, torque)) for torque in (front, rear))
        store_word(self.words, FRONT, round(self.front * PER_NEWTON_METRE))
        store_word(self.words, REAR, round(self.rear * PER_NEWTON_METRE))

    def press(self, key: str) -> bool:
        """Do what a ``key`` means; False if it means the end."""
        if key == " ":
            self.stop()
        elif key in "ad":
            self.arm(key == "a")
        elif key == "0":
            self.ask(0.0, 0.0)
        elif key in ("up", "down"):
            step = KEY_STEP if key == "up" else -KEY_STEP
            self.ask(self.front + step, self.rear + step)
        return key != "q"

    @property
    def armed(self) -> bool:
        """Whether the panel asks for arming."""
        return bool(self.words[ARMED])


@dataclass(frozen=True)
class TorqueProfile:
    """Motor torques over time, linear in between, held at both ends; float64 (n,) each."""

    times: Any  # [s]
    front: Any  # [Nm]
    rear: Any  # [Nm]

    @property
    def highest(self) -> float:
        """Highest torque [Nm] of both, without sign."""
        return float(max(np.abs(self.front).max(), np.abs(self.rear).max()))

    def at(self, time: float) -> tuple[float, float]:
        """Torques [Nm] front and rear at ``time`` [s]."""
        return float(np.interp(time, self.times, self.front)), float(np.interp(time, self.times, self.rear))


def constant_torque(torques: Sequence[float]) -> TorqueProfile:
    """One torque for both motors, or one each [Nm]."""
    front, rear = (torques[0], torques[-1])
    return TorqueProfile(np.zeros(1), np.array([front]), np.array([rear]))


def parse_torque(text: str) -> TorqueProfile:
    """``10`` for both motors, ``10,-10`` for front and rear [Nm]. Raises UsageError."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 2 or not np.isfinite(values).all():
        raise UsageError(f'torque "{text}": expected one torque in Nm, or two as front,rear: 10 or 10,-10')
    return constant_torque(values)


def read_torque(path: Path) -> TorqueProfile:
    """A CSV with the columns time [s], front [Nm] and, if there are two motors, rear [Nm]. Raises UsageError."""
    names, rows = read_rows(path, COLUMNS)
    if tuple(names) not in (COLUMNS, COLUMNS[:2]):
        raise UsageError(
            f"{path}: line 1: the columns {','.join(COLUMNS)} were expected in that order, rear only if there is one"
        )
    table = np.array([[read_number(path, line, name, cell) for name, cell in zip(names, row, strict=True)] for line, row in rows])
    if not np.isfinite(table).all():
        raise UsageError(f"{path}: finite numbers were expected")
    if not (np.diff(table[:, 0]) > 0.0).all():
        raise UsageError(f"{path}: time: times that rise were expected")
    return TorqueProfile(table[:, 0], table[:, 1], table[:, -1])
