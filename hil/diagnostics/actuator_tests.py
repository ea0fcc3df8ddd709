"""The server's side of actuator tests: one tester's requests to the law, and the heartbeat that says that he is still there."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from hil.diagnostics.protocol import Code, NegativeResponseError, Tester
from hil.node import Node

BY_HAND = "firmware_model.controller.step_by_hand"
BRAKES = ("front_left", "front_right", "rear_left", "rear_right")
MOTORS = ("front_motor_torque", "rear_motor_torque")


class ActuatorTests:
    """Who tests which actuators of the controller ``node``; at most one tester at a time."""

    def __init__(self, node: Node) -> None:
        self._request = node.state[0].actuator_test.request
        self._told = node.measurements[0].actuator_test
        self._limits = node.parameters[0].actuator_test
        self._by_hand = node.spec.step == BY_HAND
        self._tester: Tester | None = None
        self._asked: dict[str, float] = {}

    def ask(self, tester: Tester, torques: Mapping[str, float]) -> None:
        """Ask for ``torques`` [Nm] by actuator, beside what is asked for already. Raises NegativeResponseError."""
        for actuator, torque in torques.items():
            self._check(actuator, torque)
        if self._tester not in (None, tester):
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        if self._told.broken_off or (self._tester is None and self._told.running):
            raise NegativeResponseError(Code.BUSY_REPEAT_REQUEST)  # the law has not seen yet that the last test is over
        if self._tester is None:
            tester.leaving.append(self.end)
            self._tester = tester
        self._asked.update(torques)
        self._write()

    def take_back(self, tester: Tester, *actuators: str) -> None:
        """Give ``actuators`` back to the controller; with the last one the test is over."""
        if tester is self._tester:
            self._asked = {name: torque for name, torque in self._asked.items() if name not in actuators}
            if self._asked:
                self._write()
            else:
                self.end(tester)

    def end(self, tester: Tester) -> None:
        """End the test of ``tester``, if it is his."""
        if tester is not self._tester:
            return
        self._tester, self._asked = None, {}
        self._request.active = 0
        if self.end in tester.leaving:
            tester.leaving.remove(self.end)

    def is_testing(self, tester: Tester, actuator: str) -> bool:
        """Whether ``actuator`` is in this tester's hands."""
        return tester is self._tester and actuator in self._asked

    def go_on(self, now: float) -> None:
        """Move the heartbeat, or end what the law has broken off."""
        if self._tester is not None:
            if self._told.broken_off:
                self.end(self._tester)
            else:
                self._request.heartbeat += 1

    def _check(self, actuator: str, torque: float) -> None:
        if actuator in MOTORS and not self._by_hand:
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        least, most = self._range(actuator)
        if not isfinite(torque) or not least <= torque <= most:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)

    def _range(self, actuator: str) -> tuple[float, float]:
        if actuator in MOTORS:
            return -float(self._limits.motor_torque_max), float(self._limits.motor_torque_max)
        return 0.0, float(self._limits.brake_torque_max)

    def _write(self) -> None:
        """All words, and last the one that makes them count."""
        request: Any = self._request
        for actuator in (*BRAKES, *MOTORS):
            request[actuator] = self._asked.get(actuator, 0.0)
        request.heartbeat += 1
        request.active = 1
