"""Routines of the controller that a tester starts: its self-test, bleeding the brakes, what the pack still holds."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import cast

import numpy as np

from firmware_model.kernel import Record
from firmware_model.kernel.records import locate
from firmware_model.measurements import Measurements
from hil.calibration.table import findings
from hil.diagnostics.actuator_tests import BRAKES, ActuatorTests
from hil.diagnostics.identifiers import checksum
from hil.diagnostics.protocol import Code, LongAnswer, NegativeResponseError, Tester
from hil.node import Node


@dataclass(frozen=True)
class Routine:
    """What 0x31 does for one routine identifier. All raise NegativeResponseError; ``stop`` is None if it ends by itself."""

    number: int
    name: str
    start: Callable[[Tester, float], bytes | LongAnswer]  # tester, time [s]
    results: Callable[[], bytes]
    in_words: Callable[[bytes], str]  # its answer, as people read it
    stop: Callable[[Tester], bytes] | None = None
    go_on: Callable[[float], None] | None = None  # called every few ms with the time [s]
    standing: bool = True  # it starts only while the car stands


class SelfTestFailure(IntFlag):
    """What a self-test has found."""

    MEASUREMENT_NOT_FINITE = 1
    CALIBRATION_OUT_OF_RANGE = 2
    CALIBRATION_CHANGED = 4  # while the test ran
    MONITOR_DEAD = 8  # the torque monitor has not looked
    MONITOR_TRIPPED = 16


class SelfTest:
    """Looks at measurements, calibration and torque monitor for some time.

    Its result: failures (SelfTestFailure, one byte) and the CRC-32 of the calibration.
    """

    NUMBER = 0x0201
    TIME = 0.5  # [s]
    LOOKS_MIN = 100  # of the monitor in that time, which looks every millisecond

    def __init__(self, node: Node) -> None:
        self._node = node
        self._now = 0.0
        self._result: bytes | None = None

    def routine(self) -> Routine:
        """Its row."""
        return Routine(self.NUMBER, "selfTest", self._start, self._results, self.in_words, go_on=self._go_on)

    @staticmethod
    def in_words(answer: bytes) -> str:
        """Its result, as people read it."""
        failures, crc = struct.unpack(">BI", answer)
        found = ", ".join(str(failure.name).lower().replace("_", " ") for failure in SelfTestFailure(failures))
        return f"{found or 'passed'}; calibration with CRC-32 {crc:08X}"

    def _start(self, tester: Tester, now: float) -> LongAnswer:
        self._now = now
        looks, crc = self._looks(), checksum(self._node)

        def answer() -> bytes | None:
            if self._now - now < self.TIME:
                return None
            self._result = self._judge(self._looks() - looks, crc)
            return self._result

        return answer

    def _judge(self, looks: int, crc: int) -> bytes:
        node, failures = self._node, SelfTestFailure(0)
        fields = cast(Record, Measurements).fields()
        if not all(np.isfinite(locate(node.measurements, path)).all() for path, _ in fields):
            failures |= SelfTestFailure.MEASUREMENT_NOT_FINITE
        if findings(node.parameters):
            failures |= SelfTestFailure.CALIBRATION_OUT_OF_RANGE
        if checksum(node) != crc:
            failures |= SelfTestFailure.CALIBRATION_CHANGED
        if looks < self.LOOKS_MIN:
            failures |= SelfTestFailure.MONITOR_DEAD
        if node.measurements[0].torque_monitor.tripped:
            failures |= SelfTestFailure.MONITOR_TRIPPED
        return struct.pack(">BI", failures, checksum(node))

    def _looks(self) -> int:
        return int(self._node.state[0].torque_monitor.looks)

    def _go_on(self, now: float) -> None:
        self._now = now

    def _results(self) -> bytes:
        if self._result is None:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        return self._result


class Bleeding(IntEnum):
    """How far bleeding the brakes has come."""

    RUNNING = 0
    COMPLETED = 1
    STOPPED = 2  # by the tester, or with his session
    BROKEN_OFF = 3  # by the controller: the car moved, it took too long, another test ran


class BrakeBleed:
    """Presses the brakes one after the other, the farthest from the pump first, so often that the air is out.

    Its result: how far it is (Bleeding) and how many wheels are done, one byte each.
    """

    NUMBER = 0x0202
    TORQUE = 600.0  # [Nm] of a pressed brake
    PULSES = 5  # of each wheel
    PERIOD = 1.0  # [s] of a pulse; the brake is pressed for half of it
    ORDER = ("rear_right", "rear_left", "front_right", "front_left")

    def __init__(self, tests: ActuatorTests) -> None:
        self._tests = tests
        self._tester: Tester | None = None
        self._began = 0.0  # [s]
        self._state: Bleeding | None = None
        self._wheels = 0

    def routine(self) -> Routine:
        """Its row."""
        return Routine(self.NUMBER, "brakeBleed", self._start, self._results, self.in_words, self._stop, self._go_on)

    @staticmethod
    def in_words(answer: bytes) -> str:
        """Its result, as people read it."""
        state, wheels = answer
        return f"{Bleeding(state).name.lower().replace('_', ' ')}, {wheels} of {len(BrakeBleed.ORDER)} wheels done"

    def _start(self, tester: Tester, now: float) -> bytes:
        if self._state == Bleeding.RUNNING:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        self._tests.ask(tester, dict.fromkeys(BRAKES, 0.0))
        self._tester, self._began, self._state, self._wheels = tester, now, Bleeding.RUNNING, 0
        tester.leaving.append(self._leave)
        return self._results()

    def _stop(self, tester: Tester) -> bytes:
        if self._state != Bleeding.RUNNING or tester is not self._tester:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        self._end(tester, Bleeding.STOPPED)
        return self._results()

    def _results(self) -> bytes:
        if self._state is None:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        return bytes([self._state, self._wheels])

    def _go_on(self, now: float) -> None:
        tester = self._tester
        if tester is None:
            return
        if not all(self._tests.is_testing(tester, brake) for brake in BRAKES):
            self._end(tester, Bleeding.BROKEN_OFF)
            return
        pulse, into = divmod((now - self._began) / self.PERIOD, 1.0)
        self._wheels = min(int(pulse) // self.PULSES, len(self.ORDER))
        if self._wheels == len(self.ORDER):
            self._end(tester, Bleeding.COMPLETED)
            return
        pressed = self.ORDER[self._wheels] if 2.0 * into < 1.0 else None
        try:
            self._tests.ask(tester, {brake: self.TORQUE if brake == pressed else 0.0 for brake in BRAKES})
        except NegativeResponseError:
            self._end(tester, Bleeding.BROKEN_OFF)

    def _leave(self, tester: Tester) -> None:
        if tester is self._tester:
            self._end(tester, Bleeding.STOPPED)

    def _end(self, tester: Tester, state: Bleeding) -> None:
        self._tests.take_back(tester, *BRAKES)
        self._tester, self._state = None, state
        if self._leave in tester.leaving:
            tester.leaving.remove(self._leave)


class CapacityEstimate:
    """What the controller's estimate of the pack says: capacity [A s], state of charge [1], factors on both resistances [1]."""

    NUMBER = 0x0203

    def __init__(self, node: Node) -> None:
        self._node = node
        self._result: bytes | None = None

    def routine(self) -> Routine:
        """Its row."""
        return Routine(self.NUMBER, "capacityEstimate", self._start, self._results, self.in_words, standing=False)

    @staticmethod
    def in_words(answer: bytes) -> str:
        """Its result, as people read it."""
        capacity, charge, series, polarisation = struct.unpack(">4d", answer)
        resistances = f"resistances {series:.3g} and {polarisation:.3g} times those of a new pack"
        return f"{capacity / 3600.0:.4g} Ah, charge {charge:.1%}, {resistances}"

    def _start(self, tester: Tester, now: float) -> bytes:
        estimate = self._node.state[0].pack_estimate
        if not estimate.initialised:
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        self._result = struct.pack(
            ">4d", estimate.capacity, estimate.state_of_charge, estimate.series_growth, estimate.polarisation_growth
        )
        return self._result

    def _results(self) -> bytes:
        if self._result is None:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        return self._result
