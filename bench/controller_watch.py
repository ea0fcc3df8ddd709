"""What is looked at while the controller runs on its buses: the operator, the buses, the controller's state and faults."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.operator import Operator, TorqueProfile
from bench.rows import Row, bounded
from firmware_model.measurements import Fault, SupervisorState, fault_names
from hil.node import Node

PANELS_IGNORED = -1.0  # [s] time-out by which every panel counts as silent
REMAINING_TORQUE = 0.05  # [Nm] that counts as none
LOOKS_WITHOUT_TORQUE = 2  # in a row, before the buses are left: some frames of zero lie between two looks
LETTING_GO = 0.5  # [s] at most
OFF_TIME = 0.5  # [s] for which a rest-bus leaves the car off: every control unit must hear of it, and frames may be lost
OWN_FAULTS = Fault.NOT_ARMED | Fault.EMERGENCY_STOP  # what the operator brings about
REMEMBERED = Fault.FRONT_INVERTER_ERROR | Fault.REAR_INVERTER_ERROR  # latched by an inverter until it has been asleep
DC_LINKS = {"front": Fault.FRONT_DC_LINK, "rear": Fault.REAR_DC_LINK}


class Buses(Protocol):
    """What is looked at of a :class:`hil.realtime.RealtimeBench`."""

    @property
    def is_connected(self) -> bool:
        """Whether every bus carries frames."""

    @property
    def losses(self) -> int:
        """Times that a bus was lost, however short."""

    @property
    def foreign_frames(self) -> int:
        """Frames of the controller, or of those who stand in beside it, that somebody else has sent."""


@dataclass
class ControllerWatch:
    """One run of the controller, looked at some twenty times a second."""

    tell: Callable[[str], None]
    buses: Buses
    controller: Node
    switch: Node | None = None  # the rest-bus, where it has the car's power switch
    supply: float | None = None  # [V] that the rest-bus tells in the place of a pack
    operator: Operator | None = None
    by_hand: bool = False
    torque: TorqueProfile | None = None
    duration: float | None = None  # [s]
    expects_ready: bool = True  # nobody who only listens gets there
    began: float | None = None  # [s, monotonic] at the first look
    ready_at: float | None = None  # [s] after that
    torque_began: float | None = None  # armed and READY since then
    let_go_at: float | None = None
    left_torque: float = 0.0  # [Nm] that was commanded when the buses were left
    faults: int = 0
    state: int = -1
    _quiet_looks: int = 0
    _losses: int = 0
    _foreign_frames: int = 0
    _restarting: bool = False
    _tried_again: bool = False
    _off_since: float | None = None

    def look(self, keys: list[str]) -> bool:
        """One look; False once the run is over, and the torque gone."""
        now = self._now()
        if self.let_go_at is not None:
            return not self._has_let_go(now)
        self._tell_changes(now)
        going = self._listen_to_operator(keys) if self.operator else True
        self._follow_buses(now)
        self._follow_torque(now)
        if not going or (self.duration is not None and now >= self.duration):
            self.let_go()
        return True

    def let_go(self) -> None:
        """Take the torque away, by the way on which it is withheld from who has not armed; whoever else sits at a panel."""
        if self.let_go_at is None:
            self.let_go_at = self._now()
            if self.operator:
                self.operator.stop()
            self.controller.parameters.supervisor.arming_required[:] = 1
            self.controller.parameters.input_qualification.panel_timeout[:] = PANELS_IGNORED

    @property
    def commanded(self) -> float:
        """Highest motor torque [Nm] that is commanded now, without sign."""
        outputs = self.controller.outputs
        return max(abs(float(outputs[axle]["motor_torque"][0])) for axle in ("front", "rear"))

    def rows(self) -> list[Row]:
        """How the run went."""
        names = fault_names(self.faults)
        return [
            self._ready_row(),
            Row("faults at the end", len(names), "1", note=", ".join(names)),
            bounded("torque when the buses were left", self.left_torque, "Nm", maximum=REMAINING_TORQUE),
        ]

    def _ready_row(self) -> Row:
        reached = self.ready_at is not None
        if not self.expects_ready:
            return Row("READY after", self.ready_at, "s")
        return Row("READY after", self.ready_at, "s", "reached", reached, "" if reached else "never READY")

    def _now(self) -> float:
        """Time [s] since the first look."""
        self.began = time.monotonic() if self.began is None else self.began
        return time.monotonic() - self.began

    def _has_let_go(self, now: float) -> bool:
        assert self.let_go_at is not None
        self.left_torque = self.commanded
        self._quiet_looks = self._quiet_looks + 1 if self.left_torque < REMAINING_TORQUE else 0
        if self._quiet_looks >= LOOKS_WITHOUT_TORQUE:
            return True
        if now - self.let_go_at > LETTING_GO:
            self.tell(f"controller: the buses are left with {self.left_torque:.1f} Nm commanded")
            return True
        return False

    def _listen_to_operator(self, keys: list[str]) -> bool:
        """The operator's heartbeat and keys; False for the end."""
        operator, going = self.operator, True
        assert operator
        operator.beat()
        for key in keys:
            going &= operator.press(key)
            if key in ("a", "d", " "):
                self.tell(f"operator: {'armed' if operator.armed else 'disarmed'}")
            if key in ("up", "down", "0"):
                self.torque = None  # whoever takes the torque into the own hand keeps it
                each = {f"{torque:g}" for torque in (operator.front, operator.rear)}
                self.tell(f"operator: {' and '.join(sorted(each))} Nm")
            if key == "a" and self.state > SupervisorState.READY:
                self._restarting = True  # what the emergency stop latched is over once the car has been off
        return going

    def _follow_torque(self, now: float) -> None:
        """A torque over time begins when the controller is armed and READY, each time anew."""
        if not self.operator or not self.torque:
            return
        if not (self.operator.armed and self.state == SupervisorState.READY):
            self.torque_began = None
            self.operator.ask(0.0, 0.0)
        else:
            self.torque_began = now if self.torque_began is None else self.torque_began
            self.operator.ask(*self.torque.at(now - self.torque_began))

    def _follow_buses(self, now: float) -> None:
        """A lost bus disarms, and so does a second controller on one.

        Once all buses are back the car is switched off and on: READY comes by the start-up alone.
        """
        if self.buses.foreign_frames > self._foreign_frames:
            self._foreign_frames = self.buses.foreign_frames
            self._disarm("because somebody else sends the frames of this station; arm anew once they have gone")
        if self.buses.losses > self._losses or not self.buses.is_connected:
            self._losses = self.buses.losses
            self._disarm("because a bus is lost; arm anew once it is back")
            self._restarting = True
        elif self._restarting:
            self._switch_off_and_on(now)
        elif self.state == SupervisorState.READY:
            self._tried_again = False
        elif self.switch and self.state == SupervisorState.HIGH_VOLTAGE_ON and self.faults & REMEMBERED and not self._tried_again:
            self._tried_again = self._restarting = True
            self.tell("rest-bus: the car is switched off and on once more, since an inverter remembers a fault")

    def _switch_off_and_on(self, now: float) -> None:
        if self.state != SupervisorState.OFF:
            self._off_since = None
        elif self._off_since is None:
            self._off_since = now
        is_done = self.switch is None or (self._off_since is not None and now - self._off_since >= OFF_TIME)
        if self.switch:
            self.switch.parameters.power_switch[:] = int(is_done)
        if is_done:
            self._restarting, self._off_since = False, None

    def _disarm(self, reason: str) -> None:
        if self.operator and self.operator.armed:
            self.operator.arm(False)
            self.tell(f"operator: disarmed, {reason}")

    def _tell_changes(self, now: float) -> None:
        measured = self.controller.measurements.supervisor
        state, faults = int(measured.state[0]), int(measured.faults[0])
        new = Fault(faults & ~self.faults)
        if self.by_hand and SupervisorState.READY in (self.state, state) and new & ~OWN_FAULTS:
            self._disarm(f"because of {', '.join(fault_names(int(new & ~OWN_FAULTS)))}")
        if state != self.state:
            self.tell(f"controller: {SupervisorState(state).name.lower().replace('_', ' ')}")
            self.state = state
        if state == SupervisorState.READY and self.ready_at is None:
            self.ready_at = now
        for verb, bits in (("fault", int(new)), ("over", self.faults & ~faults)):
            for name in fault_names(bits):
                self.tell(f"controller: {verb}: {name}")
        for axle in (axle for axle, fault in DC_LINKS.items() if new & fault and self.supply is not None):
            told = float(self.controller.inputs[axle]["dc_voltage"][0])
            self.tell(f"{axle}: the inverter tells {told:.0f} V, the rest-bus {self.supply:.0f} V: say --supply {told:.0f}")
        self.faults = faults
