"""What the fault memory is told of the controller: its faults, known reasons for them, where operation cycles begin and end.

While the car starts, control units boot: that they are silent or send invalid values then is no fault. They are listened to when
the controller arms the diagnosis of absence (DiagMuxOn of 0x50B, 2.1 s after READY as on a real car), and when a start has taken
longer than that; until the main relay is opened, for then they fall asleep.
"""

from collections.abc import Callable

from firmware_model.kernel.records import locate
from firmware_model.measurements import Fault, SupervisorState
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.trouble_codes import TOLD, Finding
from hil.node import Node

AXLES = (
    ("front", Fault.FRONT_INVERTER_SILENT.value, Finding.FRONT_INVERTER_CRC.value, Finding.FRONT_INVERTER_FROZEN.value),
    ("rear", Fault.REAR_INVERTER_SILENT.value, Finding.REAR_INVERTER_CRC.value, Finding.REAR_INVERTER_FROZEN.value),
)
ALL_TOLD = int(sum(TOLD.values()))
FRONT_ERROR = Fault.FRONT_INVERTER_ERROR.value
OF_SOURCES = FRONT_ERROR - 1  # silent, invalid
STARTING = (SupervisorState.WAKE, SupervisorState.PRECHARGE, SupervisorState.HIGH_VOLTAGE_ON)
LONG_START = 4.0  # [s] in which a real car is READY and has armed the diagnosis of absence
PERIOD = 0.02  # [s] between two looks; a code that an inverter broadcasts stands longer


class FaultWatch:
    """Looks at the controller's memory and keeps its fault memory: whoever has the time calls ``look`` every PERIOD."""

    def __init__(self, controller: Node, memory: FaultMemory, snapshot: Callable[[], bytes]) -> None:
        """``snapshot`` gives what follows the number of a snapshot record in an answer of 0x19 04."""
        self.memory = memory
        supervisor = controller.measurements["supervisor"]  # views, of which reading takes no time
        self._state, self._faults, self._latched = (supervisor[name] for name in ("state", "faults", "latched_faults"))
        self._armed = locate(controller.outputs, "power.absence_diagnosis")
        self._told = locate(controller.inputs, "front_condition.trouble_code")
        links = [controller.inputs[axle]["link"] for axle, *_ in AXLES]
        self._counters = [(link["crc_errors"], link["counter_errors"]) for link in links]
        self._snapshot = snapshot
        self._findings = 0
        self._began = 0.0  # [s] the operation cycle
        self._listens = False
        self._errors = self._link_errors()

    def look(self, now: float) -> None:
        """Take in what is there at ``now`` [s]."""
        state = int(self._state[0])
        if (state != SupervisorState.OFF) != self.memory.in_cycle:
            self._change_cycle(now)
        if not self.memory.in_cycle:
            return
        armed = bool(self._armed[0])
        is_long = state in STARTING and now - self._began > LONG_START
        self._listens = armed or is_long or (self._listens and state == SupervisorState.SHUTDOWN)
        faults = int(self._faults[0]) | int(self._latched[0])
        if not self._listens:
            faults &= ~OF_SOURCES
        self.memory.update(faults | self._find(faults), self._snapshot, now, testing=armed)

    def _change_cycle(self, now: float) -> None:
        if self.memory.in_cycle:
            self.memory.end_cycle()
        else:
            self.memory.begin_cycle()
            self._findings, self._began = 0, now

    def _find(self, faults: int) -> int:
        """The reasons that are known for ``faults``: each from when it is seen until its fault is gone."""
        errors = self._link_errors()
        for (_, silent, *reasons), before, after in zip(AXLES, self._errors, errors, strict=True):
            for reason, old, new in zip(reasons, before, after, strict=True):
                if not faults & silent:
                    self._findings &= ~reason
                elif new > old:
                    self._findings |= reason
        self._errors = errors
        self._findings |= TOLD.get(int(self._told[0]), 0)
        return self._findings if faults & FRONT_ERROR else self._findings & ~ALL_TOLD

    def _link_errors(self) -> list[tuple[int, int]]:
        """Errors of the CRC and of the counter so far, of each inverter."""
        return [(int(crc[0]), int(counter[0])) for crc, counter in self._counters]
