"""Whoever sits at the bench: arms, asks for torque, stops, and shows by a heartbeat that somebody is there."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
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
    PanelMeasurements,
    PanelParameters,
    PanelState,
)
from hil.errors import UsageError
from hil.files import read_text
from hil.node import NodeSpec
from hil.ring import store_word

PANEL = NodeSpec(
    name="panel",
    step="bench.nodes.operator_panel.step",
    is_controller=False,
    state=PanelState,
    measurements=PanelMeasurements,
    parameters=PanelParameters,
    tables=("words",),
    roles=frozenset({"panel"}),
)
KEY_STEP = 1.0  # [Nm] of one press of an arrow key
COLUMNS = ("time", "front", "rear")
KEYS = "space: emergency stop, a: arm, d: disarm, arrows up/down: ±1 Nm, 0: no torque, q: quit"


class Operator:
    """The operator's side of the panel: words that the panel's node reads."""

    def __init__(self) -> None:
        self.words = np.zeros(WORDS, dtype=np.int64)
        self.front = self.rear = 0.0  # [Nm] asked for
        self._beats = 0

    def beat(self) -> None:
        """Say that somebody is there; to be said several times a second."""
        self._beats += 1
        store_word(self.words, HEARTBEAT, self._beats)

    def arm(self, armed: bool = True) -> None:
        """Arm, or disarm; arming releases the emergency stop."""
        store_word(self.words, STOP, 0 if armed else int(self.words[STOP]))
        store_word(self.words, ARMED, int(armed))

    def stop(self) -> None:
        """Press the emergency stop: no torque until it is armed anew."""
        self.ask(0.0, 0.0)
        store_word(self.words, STOP, 1)
        store_word(self.words, ARMED, 0)

    def ask(self, front: float, rear: float) -> None:
        """Ask for motor torques [Nm]."""
        self.front, self.rear = front, rear
        store_word(self.words, FRONT, round(front * PER_NEWTON_METRE))
        store_word(self.words, REAR, round(rear * PER_NEWTON_METRE))

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

    def at(self, time: float) -> tuple[float, float]:
        """Torques [Nm] front and rear at ``time`` [s]."""
        return float(np.interp(time, self.times, self.front)), float(np.interp(time, self.times, self.rear))

    @property
    def end(self) -> float:
        """Last point [s]."""
        return float(self.times[-1])


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
    rows = [row for row in csv.reader(StringIO(read_text(path))) if any(cell.strip() for cell in row)]
    names = [name.strip() for name in rows[0]] if rows else []
    if names not in ([*COLUMNS], [*COLUMNS[:2]]):
        raise UsageError(f'{path}: line 1: expected the columns {",".join(COLUMNS)}, got "{",".join(names)}"')
    table = np.array([_numbers(path, number, row, len(names)) for number, row in enumerate(rows[1:], start=2)])
    if not len(table) or not (np.diff(table[:, 0]) > 0.0).all():
        raise UsageError(f"{path}: time: expected at least one row, and times that rise")
    return TorqueProfile(table[:, 0], table[:, 1], table[:, -1])


def _numbers(path: Path, line: int, row: list[str], count: int) -> list[float]:
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise UsageError(f'{path}: line {line}: expected {count} numbers, got "{",".join(row)}"')
    return values
