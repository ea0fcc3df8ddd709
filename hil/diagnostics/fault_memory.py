"""Fault memory: the status of each trouble code, as ISO 14229-1 annex D has it, with snapshots and counters; kept over restarts.

    operation cycle   from the moment the car is switched on until it is off again: the supervisor leaves OFF, and is back there.
                      One that the loss of the supply has cut short ends with the next start.
    test              fails when a cause has been there for the debounce of its code, each cycle anew; passes when none has been
                      there for PASS_TIME, in READY alone: hil.diagnostics.fault_watch says when. So a car that never became
                      READY has passed nothing. A latched fault of the controller is a cause as long as it is latched, for it
                      goes on acting. The controller's own debounce and healing (firmware_model.faults) come before that.
    pending           a test has failed in this cycle or in the last one in which it was completed
    confirmed         it has failed in as many cycles in a row as its code asks for, and is stored
    warning           asked for from the confirmation until WARNING_CYCLES cycles in a row were completed without a failure
    ageing            after AGEING_CYCLES such cycles it is confirmed no more, and its record is gone

``testFailedSinceLastClear`` stays until the memory is cleared, as its name says. The memory holds records of CAPACITY codes. When
it is full, the least important one goes, among equals one whose fault has gone, and of these the oldest; a code for which nothing
less important goes is not stored, and therefore not confirmed.

The controller's side and the tester's may be in two threads; who reads ``entries`` holds the ``lock``.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntFlag
from pathlib import Path

from hil.diagnostics.fault_file import FaultFile, StoredCode, StoredMemory, StoredRecord
from hil.diagnostics.trouble_codes import GROUPS, TroubleCode

PASS_TIME = 2.0  # [s] without a cause until a test has passed; longer than any debounce of the controller
WARNING_CYCLES = 3
AGEING_CYCLES = 40
CAPACITY = 16  # codes of which there is a record
MOST_OCCURRENCES = 255  # what one byte counts
FIRST_SNAPSHOT, LATEST_SNAPSHOT = 1, 2  # record numbers
TIME_UNIT = 1.0  # [s] of the times in extended data


class Status(IntFlag):
    """Status bits of a trouble code, ISO 14229-1 table D.2."""

    TEST_FAILED = 0x01
    TEST_FAILED_THIS_OPERATION_CYCLE = 0x02
    PENDING = 0x04
    CONFIRMED = 0x08
    TEST_NOT_COMPLETED_SINCE_LAST_CLEAR = 0x10
    TEST_FAILED_SINCE_LAST_CLEAR = 0x20
    TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE = 0x40
    WARNING_INDICATOR_REQUESTED = 0x80


AVAILABLE = 0xFF  # all of them are kept
# Plain numbers, for the operators of flags take ten times as long.
CLEARED = int(Status.TEST_NOT_COMPLETED_SINCE_LAST_CLEAR | Status.TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE)
FAILED = int(
    Status.TEST_FAILED
    | Status.TEST_FAILED_THIS_OPERATION_CYCLE
    | Status.PENDING
    | Status.TEST_FAILED_SINCE_LAST_CLEAR
)  # fmt: skip
PASSED = ~(CLEARED | int(Status.TEST_FAILED))
THIS_CYCLE = int(Status.TEST_FAILED_THIS_OPERATION_CYCLE)
UNTESTED_THIS_CYCLE = int(Status.TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE)
TEST_FAILED, PENDING, CONFIRMED = int(Status.TEST_FAILED), int(Status.PENDING), int(Status.CONFIRMED)
WARNING = int(Status.WARNING_INDICATOR_REQUESTED)
STORED = int(Status.PENDING | Status.CONFIRMED)
CONFIRMED_BITS = int(Status.CONFIRMED | Status.WARNING_INDICATOR_REQUESTED)


@dataclass
class Record:
    """What is stored of a code; times count the seconds of operation of the controller."""

    snapshots: list[bytes]  # of the first occurrence, and of the latest if there was another
    first_time: float  # [s]
    last_time: float  # [s]
    occurrences: int = 1
    passed_cycles: int = 0  # completed without a failure, in a row: the ageing counter


@dataclass
class Entry:
    """One code: its status, and its record if there is one."""

    code: TroubleCode
    status: int = CLEARED
    trips: int = 0  # cycles in a row with a failure
    record: Record | None = None
    observed: bool | None = None  # whether a cause is there; None while that is not looked at
    since: float = 0.0  # [s] when that began

    def clear(self) -> None:
        """Forget all."""
        self.status, self.trips, self.record, self.observed = CLEARED, 0, None, None

    def snapshots(self) -> dict[int, bytes]:
        """Its snapshots by their record numbers."""
        return dict(enumerate(self.record.snapshots, FIRST_SNAPSHOT)) if self.record else {}

    def extended_data(self) -> dict[int, bytes]:
        """Its extended data by their record numbers: EXTENDED_DATA."""
        return {number: data.value(self.record) for number, data in EXTENDED_DATA.items()} if self.record else {}


@dataclass(frozen=True)
class ExtendedData:
    """One extended data record of every code."""

    name: str
    size: int  # bytes
    unit: str
    read: Callable[[Record], float]

    def value(self, record: Record) -> bytes:
        """Its bytes; what does not fit reads as the highest number that does."""
        return min(round(self.read(record)), 256**self.size - 1).to_bytes(self.size)


EXTENDED_DATA = {
    1: ExtendedData("occurrence counter", 1, "1", lambda record: record.occurrences),
    2: ExtendedData("ageing counter", 1, "1", lambda record: record.passed_cycles),
    3: ExtendedData("operating time of the first occurrence", 4, "s", lambda record: record.first_time / TIME_UNIT),
    4: ExtendedData("operating time of the latest occurrence", 4, "s", lambda record: record.last_time / TIME_UNIT),
}


@dataclass
class FaultMemory:
    """The fault memory of one control unit."""

    table: Iterable[TroubleCode]
    path: Path | None = None  # of its file; None: it is gone with the process
    report: Callable[[str], None] = lambda message: None  # told, once each, why the file is not what it should be
    capacity: int = CAPACITY
    entries: dict[int, Entry] = field(init=False)  # by number, in the order of the table
    detection_enabled: bool = True  # False: tests have no result, 0x85
    in_cycle: bool = False
    operating_time: float = 0.0  # [s] switched on, over all cycles
    lock: threading.RLock = field(default_factory=threading.RLock)
    _now: float | None = None  # [s] of the last update in this cycle

    def __post_init__(self) -> None:
        self.entries = {code.number: Entry(code) for code in self.table}
        self._file = FaultFile(self.path, self.report) if self.path else None
        self._saving = 0
        stored = self._file.load() if self._file else None
        if stored:
            self._restore(stored)

    # --- what the controller does -----------------------------------------------------------------------------------------

    def begin_cycle(self) -> None:
        """The car is switched on."""
        with self.lock:
            if self.in_cycle:
                self._finish_cycle()
            self.in_cycle, self._now = True, None
            for entry in self.entries.values():
                entry.status = entry.status & ~THIS_CYCLE | UNTESTED_THIS_CYCLE
                entry.observed = None

    def end_cycle(self) -> None:
        """The car is off."""
        with self.lock:
            if self.in_cycle:
                self._finish_cycle()
                self._save()

    def update(self, present_faults: int, snapshot: Callable[[], bytes], now: float, *, testing: bool = True) -> None:
        """Test all codes for the causes that are there at ``now`` [s]; ``snapshot`` is asked if one of them fails.

        ``testing``: whether what is absent counts as tested.
        """
        with self.lock:
            if not self.in_cycle:
                return
            if self._now is not None:
                self.operating_time += now - self._now
            self._now = now
            confirmed = False
            for entry in self.entries.values():
                observed = bool(present_faults & entry.code.causes)
                confirmed |= self._test(entry, observed if observed or testing else None, snapshot, now)
            if confirmed:
                self._save()

    def _test(self, entry: Entry, observed: bool | None, snapshot: Callable[[], bytes], now: float) -> bool:
        """One test; returns whether its code became confirmed by it."""
        if not self.detection_enabled:
            observed = None
        if observed is not entry.observed:
            entry.observed, entry.since = observed, now
        if observed is None or now - entry.since < (entry.code.debounce if observed else PASS_TIME):
            return False
        if observed:
            return self._fail(entry, snapshot)
        entry.status &= PASSED
        return False

    def _fail(self, entry: Entry, snapshot: Callable[[], bytes]) -> bool:
        first_of_cycle = not entry.status & THIS_CYCLE
        if entry.status & TEST_FAILED and not first_of_cycle:
            return False  # as before
        entry.trips += first_of_cycle
        entry.status = (entry.status | FAILED) & ~CLEARED
        if not self._store(entry, snapshot) or not 0 < entry.code.trips <= entry.trips:
            return False
        was_confirmed = entry.status & CONFIRMED
        entry.status |= CONFIRMED
        if entry.code.warning:
            entry.status |= WARNING
        return not was_confirmed

    def _store(self, entry: Entry, snapshot: Callable[[], bytes]) -> bool:
        """Write an occurrence into the record of its code; False if there is no room for one."""
        record, time = entry.record, self.operating_time
        if record is not None:
            record.snapshots[1:] = [snapshot()]
            record.occurrences = min(record.occurrences + 1, MOST_OCCURRENCES)
            record.last_time, record.passed_cycles = time, 0
            return True
        if not self._make_room(entry.code.priority):
            return False
        entry.record = Record([snapshot()], time, time)
        return True

    def _make_room(self, priority: int) -> bool:
        """Displace what matters least if the memory is full; False if nothing matters less than ``priority``."""
        stored = [
            (entry.code.priority, not entry.status & TEST_FAILED, -entry.record.last_time, number)
            for number, entry in self.entries.items()
            if entry.record
        ]
        if len(stored) < self.capacity:
            return True
        least, is_past, _, number = max(stored)
        if (least, is_past) <= (priority, False):
            return False
        victim = self.entries[number]
        victim.record, victim.trips = None, 0
        victim.status &= ~CONFIRMED_BITS
        return True

    def _finish_cycle(self) -> None:
        self.in_cycle, self._now = False, None
        for entry in self.entries.values():
            if not entry.status & (THIS_CYCLE | UNTESTED_THIS_CYCLE):
                self._finish_passed(entry)

    def _finish_passed(self, entry: Entry) -> None:
        """The end of a cycle in which the test was completed and has not failed."""
        entry.trips = 0
        entry.status &= ~PENDING
        if entry.record:
            entry.record.passed_cycles += 1
            if entry.record.passed_cycles >= WARNING_CYCLES:
                entry.status &= ~WARNING
            if entry.record.passed_cycles >= AGEING_CYCLES:
                entry.status &= ~CONFIRMED_BITS
            if not entry.status & STORED:
                entry.record = None

    # --- what a tester does -----------------------------------------------------------------------------------------------

    def selected(self, group: int) -> list[Entry]:
        """The codes of a group, or the one of that number; none if there is no such."""
        if group in GROUPS:
            _, letters = GROUPS[group]
            return [entry for entry in self.entries.values() if entry.code.name[0] in letters]
        return [self.entries[group]] if group in self.entries else []

    def clear(self, group: int) -> None:
        """Forget the codes of a group, or the one of that number; what is there is found anew."""
        with self.lock:
            for entry in self.selected(group):
                entry.clear()
            self._save()

    # --- the file ---------------------------------------------------------------------------------------------------------

    def is_saved(self) -> bool | None:
        """Whether what was last to be kept is in the file; None while it is being written, False if that failed."""
        return self._file.outcome(self._saving) if self._file else True

    def close(self) -> None:
        """Write what is there; to be called before the process ends."""
        if self._file:
            with self.lock:
                self._save()
            self._file.close()

    def _save(self) -> None:
        if self._file:
            self._saving = self._file.save(self.stored())

    def stored(self) -> StoredMemory:
        """All that is kept over a restart."""
        codes = [
            StoredCode(
                number=number, status=entry.status, trips=min(entry.trips, MOST_OCCURRENCES),
                record=StoredRecord.model_validate(vars(entry.record)) if entry.record else None,
            )
            for number, entry in self.entries.items()
            if entry.status != CLEARED
        ]  # fmt: skip
        return StoredMemory(operating_time=self.operating_time, in_cycle=self.in_cycle, codes=codes)

    def _restore(self, stored: StoredMemory) -> None:
        """Take over what was kept; codes that are no longer in the table are left out."""
        self.operating_time = stored.operating_time
        for code in stored.codes:
            if entry := self.entries.get(code.number):
                entry.status, entry.trips = code.status, code.trips
                entry.record = Record(**code.record.model_dump()) if code.record else None
        if stored.in_cycle:
            self._finish_cycle()
