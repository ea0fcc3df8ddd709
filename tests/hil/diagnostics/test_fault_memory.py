"""Status bits of trouble codes, what is stored of them, and what has to go."""

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.diagnostics.fault_memory import (
    AGEING_CYCLES,
    CAPACITY,
    CLEARED,
    PASS_TIME,
    WARNING_CYCLES,
    Entry,
    FaultMemory,
    Status,
)
from hil.diagnostics.trouble_codes import ALL_GROUPS, Severity, TroubleCode

TEST_FAILED, THIS_CYCLE, PENDING, CONFIRMED = 0x01, 0x02, 0x04, 0x08
UNTESTED, SINCE_CLEAR, UNTESTED_THIS_CYCLE, WARNING = 0x10, 0x20, 0x40, 0x80


def code(number: int = 0x123456, cause: int = 1, priority: int = 3, *, warning: bool = True, **changes: Any) -> TroubleCode:
    return TroubleCode(number, cause, "a fault", Severity.CHECK_AT_NEXT_HALT, priority, warning, **changes)


class Rig:
    """A memory and its clock."""

    def __init__(self, *codes: TroubleCode, capacity: int = CAPACITY) -> None:
        self.memory = FaultMemory(codes or (code(),), capacity=capacity)
        self.now = 0.0

    def look(self, present: int = 0, *, testing: bool = True) -> None:
        self.memory.update(present, lambda: b"%d" % round(self.now), self.now, testing=testing)

    def run(self, present: int = 0, seconds: float = PASS_TIME + 0.1, *, testing: bool = True) -> None:
        """Some time with these causes, looked at ten times a second."""
        for _ in range(round(seconds * 10) + 1):
            self.look(present, testing=testing)
            self.now += 0.1

    def cycle(self, present: int = 0) -> None:
        """A whole cycle with these causes."""
        self.memory.begin_cycle()
        self.run(present)
        self.memory.end_cycle()

    @property
    def entry(self) -> Entry:
        return next(iter(self.memory.entries.values()))

    @property
    def status(self) -> int:
        return int(self.entry.status)


def test_a_code_that_was_never_tested_says_so() -> None:
    assert Rig().status == UNTESTED | UNTESTED_THIS_CYCLE == CLEARED


def test_nothing_is_tested_while_the_car_is_off() -> None:
    rig = Rig()
    rig.run(present=1)
    assert rig.status == CLEARED


def test_a_failed_test_is_pending_and_confirmed_at_once_where_its_code_asks_for_one_trip() -> None:
    rig = Rig()
    rig.memory.begin_cycle()
    rig.look(1)
    assert rig.status == TEST_FAILED | THIS_CYCLE | PENDING | CONFIRMED | SINCE_CLEAR | WARNING


def test_without_a_warning_lamp_none_is_asked_for() -> None:
    rig = Rig(code(warning=False))
    rig.cycle(1)
    assert rig.status & CONFIRMED
    assert not rig.status & WARNING


def test_a_test_fails_after_its_debounce_and_not_before() -> None:
    rig = Rig(code(debounce=1.0))
    rig.memory.begin_cycle()
    rig.run(1, 0.8)
    rig.look(0)  # once is enough to begin anew
    rig.run(1, 0.8)
    assert rig.status & TEST_FAILED == 0
    rig.run(1, 0.3)
    assert rig.status & TEST_FAILED


def test_a_test_passes_after_its_time_without_a_cause_in_ready_and_not_before() -> None:
    rig = Rig()
    rig.memory.begin_cycle()
    rig.run(0, 2 * PASS_TIME, testing=False)
    rig.run(0, PASS_TIME - 0.2)
    assert rig.status == CLEARED
    rig.run(0, 0.3)
    assert rig.status == 0


def test_a_cause_fails_the_test_also_while_what_is_absent_does_not_count() -> None:
    rig = Rig()
    rig.memory.begin_cycle()
    rig.look(1, testing=False)
    assert rig.status & TEST_FAILED


def test_a_fault_that_heals_stays_confirmed_and_its_warning_goes_after_three_cycles() -> None:
    rig = Rig()
    rig.cycle(1)
    for number in range(1, WARNING_CYCLES + 1):
        rig.cycle()
        assert rig.status & (TEST_FAILED | THIS_CYCLE | PENDING) == 0
        assert bool(rig.status & WARNING) == (number < WARNING_CYCLES)
    assert rig.status == CONFIRMED | SINCE_CLEAR


def test_a_confirmed_code_ages_over_forty_cycles_and_its_record_goes_with_it() -> None:
    rig = Rig()
    rig.cycle(1)
    for number in range(1, 40):
        rig.cycle()
        assert rig.status & CONFIRMED
        assert rig.entry.extended_data()[2] == bytes([number])
    rig.cycle()
    assert AGEING_CYCLES == 40
    assert rig.status == SINCE_CLEAR
    assert rig.entry.record is None


def test_a_cycle_in_which_nothing_was_completed_does_not_age() -> None:
    rig = Rig()
    rig.cycle(1)
    for _ in range(50):
        rig.memory.begin_cycle()
        rig.run(0, 1.0, testing=False)
        rig.memory.end_cycle()
    assert rig.status & CONFIRMED
    assert rig.status & PENDING
    assert rig.entry.extended_data()[2] == b"\0"


def test_a_new_failure_begins_the_ageing_anew() -> None:
    rig = Rig()
    rig.cycle(1)
    for _ in range(39):
        rig.cycle()
    rig.cycle(1)
    for _ in range(39):
        rig.cycle()
    assert rig.status & CONFIRMED
    rig.cycle()
    assert not rig.status & CONFIRMED


def test_two_trips_are_two_cycles_in_a_row() -> None:
    rig = Rig(code(trips=2))
    rig.cycle(1)
    rig.cycle(0)
    rig.cycle(1)
    assert rig.status & (PENDING | CONFIRMED) == PENDING
    rig.cycle(1)
    assert rig.status & (PENDING | CONFIRMED) == PENDING | CONFIRMED


def test_what_is_no_defect_is_pending_and_never_confirmed() -> None:
    rig = Rig(code(trips=0))
    for _ in range(5):
        rig.cycle(1)
    assert rig.status & (PENDING | CONFIRMED) == PENDING
    rig.cycle(0)
    assert rig.entry.record is None


def test_a_record_keeps_the_first_and_the_latest_snapshot_and_counts_occurrences() -> None:
    rig = Rig()
    rig.memory.begin_cycle()
    rig.look(1)
    assert rig.entry.snapshots() == {1: b"0"}
    for _ in range(3):
        rig.run(0)
        rig.run(1)
    assert rig.entry.snapshots() == {1: b"0", 2: b"11"}
    assert [int.from_bytes(data) for data in rig.entry.extended_data().values()] == [4, 0, 0, 11]


def test_counters_stay_at_the_highest_number_they_can_tell() -> None:
    rig = Rig()
    for _ in range(300):
        rig.memory.begin_cycle()
        rig.look(1)
        rig.memory.end_cycle()
    assert rig.entry.extended_data()[1] == b"\xff"


def test_without_detection_no_test_has_a_result_and_with_it_again_the_debounce_begins_anew() -> None:
    rig = Rig(code(debounce=1.0))
    rig.memory.begin_cycle()
    rig.run(1, 0.8)
    rig.memory.detection_enabled = False
    rig.run(1, 5.0)
    assert rig.status == CLEARED
    rig.memory.detection_enabled = True
    rig.run(1, 0.8)
    assert rig.status == CLEARED
    rig.run(1, 0.3)
    assert rig.status & TEST_FAILED


def test_clearing_forgets_all_and_what_is_still_there_is_found_anew() -> None:
    rig = Rig(code(debounce=1.0))
    rig.cycle(1)
    rig.memory.begin_cycle()
    rig.run(1, 2.0)
    rig.memory.clear(ALL_GROUPS)
    assert (rig.status, rig.entry.record) == (CLEARED, None)
    rig.run(1, 0.8)
    assert rig.status == CLEARED
    rig.run(1, 0.4)
    assert rig.status & CONFIRMED


def test_a_group_is_cleared_by_its_letter_and_a_code_by_its_number() -> None:
    powertrain, chassis, network = code(0x123456), code(0x5E0064), code(0xD00000)
    for group, left in (
        (0x100000, {chassis, network}),
        (0x400000, {powertrain, network}),
        (0xC00000, {powertrain, chassis}),
        (0x5E0064, {powertrain, network}),
        (0xFFFFFF, set()),
        (0x777777, {powertrain, chassis, network}),
    ):
        rig = Rig(powertrain, chassis, network)
        rig.cycle(1)
        rig.memory.clear(group)
        assert {entry.code for entry in rig.memory.entries.values() if entry.record} == left


def many(count: int, **changes: Any) -> list[TroubleCode]:
    return [code(number + 1, 1 << number, **changes) for number in range(count)]


def test_a_full_memory_gives_up_what_matters_less() -> None:
    urgent = code(0x200000, 1 << 40, priority=1)
    rig = Rig(*many(CAPACITY), urgent)
    rig.memory.begin_cycle()
    rig.look((1 << CAPACITY) - 1)
    rig.look((1 << CAPACITY) - 1 | 1 << 40)
    stored = [entry for entry in rig.memory.entries.values() if entry.record]
    assert len(stored) == CAPACITY
    assert rig.memory.entries[0x200000].status & CONFIRMED
    displaced = [entry for entry in rig.memory.entries.values() if not entry.record]
    assert len(displaced) == 1
    assert displaced[0].status & (CONFIRMED | WARNING | TEST_FAILED) == TEST_FAILED


def test_among_equals_a_fault_that_has_gone_makes_room_the_oldest_first() -> None:
    rig = Rig(*many(CAPACITY + 2))
    rig.memory.begin_cycle()
    for number in range(CAPACITY):
        rig.look((2 << number) - 1)
        rig.now += 0.01
    rig.run((1 << CAPACITY) - 1 & ~0b110)  # the second and the third heal
    rig.look((1 << CAPACITY) - 1 & ~0b110 | 1 << CAPACITY)
    gone = [number for number, entry in rig.memory.entries.items() if not entry.record]
    assert gone == [2, CAPACITY + 2]


def test_what_matters_no_more_than_all_that_is_active_is_not_stored_and_not_confirmed() -> None:
    rig = Rig(*many(CAPACITY), code(0x200000, 1 << 40, priority=3), code(0x200001, 1 << 41, priority=4))
    rig.memory.begin_cycle()
    rig.look((1 << CAPACITY) - 1)
    rig.look((1 << CAPACITY) - 1 | 3 << 40)
    for number in (0x200000, 0x200001):
        entry = rig.memory.entries[number]
        assert entry.status & (TEST_FAILED | PENDING | CONFIRMED | WARNING) == TEST_FAILED | PENDING
        assert entry.record is None


@given(st.lists(st.integers(0, 2**24 - 1), max_size=60), st.integers(1, 6))
def test_there_are_never_more_records_than_there_is_room_for_and_none_without_reason(causes: list[int], capacity: int) -> None:
    rig = Rig(*(code(number + 1, 1 << number, priority=1 + number % 4) for number in range(24)), capacity=capacity)
    for present in causes:
        rig.cycle(present)
        for entry in rig.memory.entries.values():
            if entry.record:
                assert entry.status & (PENDING | CONFIRMED)
            else:
                assert not entry.status & (CONFIRMED | WARNING)
        assert sum(entry.record is not None for entry in rig.memory.entries.values()) <= capacity


class Reading:
    """Annex D of ISO 14229-1 read a second time: one code, straight on; its tests have results, and no times."""

    def __init__(self, trips: int) -> None:
        self.trips_wanted = trips
        self.clear()
        self.on = False

    def clear(self) -> None:
        self.failed = self.failed_cycle = self.pending = self.confirmed = self.failed_ever = self.lamp = False
        self.completed_ever = self.completed_cycle = False
        self.trips = self.good = 0

    def begin(self) -> None:
        self.end()
        self.on = True
        self.failed_cycle = self.completed_cycle = False

    def end(self) -> None:
        if self.on and self.completed_cycle and not self.failed_cycle:
            self.pending, self.trips, self.good = False, 0, self.good + 1
            if self.good >= 3:
                self.lamp = False
            if self.good >= 40:
                self.confirmed = self.lamp = False
        self.on = False

    def fail(self) -> None:
        if not self.on:
            return
        if not self.failed_cycle:
            self.trips += 1
        self.failed = self.failed_cycle = self.pending = self.failed_ever = True
        self.completed_ever = self.completed_cycle = True
        self.good = 0
        if self.trips >= self.trips_wanted:
            self.confirmed = self.lamp = True

    def succeed(self) -> None:
        if self.on:
            self.failed, self.completed_ever, self.completed_cycle = False, True, True

    @property
    def status(self) -> int:
        bits = (
            self.failed, self.failed_cycle, self.pending, self.confirmed, not self.completed_ever, self.failed_ever,
            not self.completed_cycle, self.lamp,
        )  # fmt: skip
        return sum(1 << place for place, bit in enumerate(bits) if bit)


STEPS = st.one_of(
    st.sampled_from(["begin", "end", "fail", "succeed", "clear"]),
    st.tuples(st.sampled_from(["good cycles", "bad cycles"]), st.integers(1, 45)),
)


@given(st.lists(STEPS, max_size=30), st.integers(1, 3))
def test_the_status_is_that_of_a_second_reading_of_the_standard(steps: list[object], trips: int) -> None:
    rig, reading = Rig(code(trips=trips)), Reading(trips)

    def do(step: str) -> None:
        if step == "begin":
            rig.memory.begin_cycle()
            reading.begin()
        elif step == "end":
            rig.memory.end_cycle()
            reading.end()
        elif step == "fail":
            rig.look(1)
            reading.fail()
        elif step == "succeed":
            rig.look(0)
            rig.now += PASS_TIME + 0.01
            rig.look(0)
            reading.succeed()
        elif step == "clear":
            rig.memory.clear(0x123456)
            reading.clear()
        rig.now += 0.01
        assert rig.status == reading.status, f"{step}: {Status(rig.status)!r} is not {Status(reading.status)!r}"

    for step in steps:
        if isinstance(step, str):
            do(step)
        elif isinstance(step, tuple):
            for _ in range(step[1]):
                for part in ("begin", "succeed" if step[0] == "good cycles" else "fail", "end"):
                    do(part)


def test_a_tester_may_clear_while_the_controller_goes_on() -> None:
    rig = Rig(*many(24))
    rig.memory.begin_cycle()
    stop = threading.Event()
    errors: list[BaseException] = []

    def clear() -> None:
        try:
            while not stop.is_set():
                rig.memory.clear(ALL_GROUPS)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=clear)
    thread.start()
    for number in range(300):
        rig.run((1 << number % 24) - 1, 0.5)
    stop.set()
    thread.join()
    assert not errors


@pytest.mark.parametrize("present", [0, 1])
def test_a_second_switching_on_without_switching_off_ends_the_cycle_before(present: int) -> None:
    rig = Rig()
    rig.cycle(1)
    rig.memory.begin_cycle()
    rig.run(present)
    rig.memory.begin_cycle()
    assert bool(rig.status & PENDING) == bool(present)
