"""The fault memory over restarts, lost supplies, full disks and broken files."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import waiting
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import wait_until

from hil.diagnostics import fault_file
from hil.diagnostics.fault_file import FaultFile, StoredMemory, parse, text_of
from hil.diagnostics.fault_memory import PASS_TIME, FaultMemory
from hil.diagnostics.trouble_codes import ALL_GROUPS, Severity, TroubleCode

CODES = [TroubleCode(0x100001 + number, 1 << number, "a fault", Severity.CHECK_AT_NEXT_HALT, 3, True) for number in range(3)]
CONFIRMED, PENDING = 0x08, 0x04


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fault_file, "PERIOD", 0.01)
    with waiting.nothing_left_behind():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faults.txt"


@contextlib.contextmanager
def opened(path: Path, report: Callable[[str], None] | None = None) -> Iterator[FaultMemory]:
    told: list[str] = []
    memory = FaultMemory(CODES, path, report or told.append)
    try:
        yield memory
    finally:
        memory.close()
    assert not told


def cycle(memory: FaultMemory, present: int = 0) -> None:
    memory.begin_cycle()
    for now in (0.0, PASS_TIME + 1.0):
        memory.update(present, lambda: b"\x01\x40\x00", now)
    memory.end_cycle()


def states(memory: FaultMemory) -> list[tuple[object, ...]]:
    return [(entry.status, entry.trips, entry.record) for entry in memory.entries.values()]


def test_everything_survives_a_restart(path: Path) -> None:
    with opened(path) as memory:
        cycle(memory, 0b011)
        cycle(memory, 0b001)
        before = states(memory)
        assert memory.operating_time == 2 * (PASS_TIME + 1.0)
    with opened(path) as memory:
        assert states(memory) == before
        assert memory.operating_time == 2 * (PASS_TIME + 1.0)
    assert [file.name for file in path.parent.iterdir()] == ["faults.txt"]


def test_a_fault_ages_over_forty_restarts(path: Path) -> None:
    with opened(path) as memory:
        cycle(memory, 1)
    for _ in range(40):
        with opened(path) as memory:
            assert memory.entries[0x100001].status & CONFIRMED
            cycle(memory)
    with opened(path) as memory:
        assert not memory.entries[0x100001].status & CONFIRMED
        assert memory.entries[0x100001].record is None


def test_a_confirmation_is_in_the_file_before_the_cycle_ends(path: Path) -> None:
    with opened(path) as memory:
        memory.begin_cycle()
        memory.update(1, lambda: b"now", 0.0)
        wait_until(memory.is_saved)
        with opened_copy(path) as copy:
            assert copy.entries[0x100001].status & CONFIRMED
            assert copy.entries[0x100001].snapshots() == {1: b"now"}


@contextlib.contextmanager
def opened_copy(path: Path) -> Iterator[FaultMemory]:
    """The memory as the next process would find it if this one were killed now."""
    copy = path.with_name("copy.txt")
    copy.write_bytes(path.read_bytes())
    with opened(copy) as memory:
        yield memory
    copy.unlink()


def test_a_cycle_that_the_lost_supply_has_cut_short_ends_with_the_next_start(path: Path) -> None:
    with opened(path) as memory:
        cycle(memory, 1)
        memory.begin_cycle()
        for now in (0.0, PASS_TIME):
            memory.update(0, lambda: b"", now)
    with opened(path) as memory:
        assert not memory.in_cycle
        assert memory.entries[0x100001].status & (PENDING | CONFIRMED) == CONFIRMED
        record = memory.entries[0x100001].record
        assert record
        assert record.passed_cycles == 1


def test_what_is_cleared_does_not_come_back(path: Path) -> None:
    with opened(path) as memory:
        cycle(memory, 0b111)
        memory.clear(ALL_GROUPS)
        wait_until(memory.is_saved)
        with opened_copy(path) as copy:
            assert not any(entry.record for entry in copy.entries.values())


def test_codes_that_are_no_longer_in_the_table_are_left_out(path: Path) -> None:
    with opened(path) as memory:
        cycle(memory, 0b111)
    memory = FaultMemory(CODES[1:], path)
    assert list(memory.entries) == [0x100002, 0x100003]
    assert all(entry.record for entry in memory.entries.values())


def content() -> bytes:
    """Of a file with three records."""
    memory = FaultMemory(CODES)
    cycle(memory, 0b111)
    return text_of(memory.stored())


def broken_files() -> dict[str, bytes]:
    good = content()
    header, _, body = good.partition(b"\n")
    return {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "of another kind": b"\x7fELF" + bytes(1000),
        "of a version to come": good.replace(b"memory 1", b"memory 2", 1),
        "with one bit turned": good[:-20] + bytes([good[-20] ^ 1]) + good[-19:],
        "too long": header + b"\n" + body + b" " * 2_000_000,
        "right, but of nonsense": sealed(b"[" * 5000),
        "right, but with a status of too many bits": sealed(body.replace(b'"status": ', b'"status": 1', 1)),
        "right, but with a time that is no number": sealed(body.replace(b'"operating_time": 3.0', b'"operating_time": NaN')),
        "right, but with a key of somebody else": sealed(body.replace(b'"in_cycle"', b'"in_bicycle"')),
    }  # fmt: skip


def sealed(body: bytes) -> bytes:
    return b"e4hil fault memory 1 %08x\n" % zlib.crc32(body) + body


@pytest.mark.parametrize("kind", broken_files())
def test_a_broken_file_is_set_aside_and_told_and_the_memory_begins_empty(path: Path, kind: str) -> None:
    damaged = broken_files()[kind]
    assert damaged != content()
    path.write_bytes(damaged)
    told: list[str] = []
    with opened(path, told.append) as memory:
        assert not any(entry.record for entry in memory.entries.values())
        cycle(memory, 1)
    assert len(told) == 1
    assert told[0].startswith(f"{path}: is not a fault memory: ")
    assert told[0].endswith("; it is set aside as faults.txt.broken-1, the memory begins empty")
    assert "\n" not in told[0]
    assert path.with_name("faults.txt.broken-1").read_bytes() == damaged
    with opened(path) as memory:
        assert memory.entries[0x100001].record


def test_files_that_were_set_aside_do_not_fill_the_disk(path: Path) -> None:
    for number in range(12):
        path.write_bytes(b"%d" % number)
        assert FaultFile(path, lambda message: None).load() is None
    assert sorted(file.name for file in path.parent.iterdir()) == [f"faults.txt.broken-{number}" for number in range(1, 6)]
    assert path.with_name("faults.txt.broken-5").read_bytes() == b"11"


def test_a_folder_or_a_pipe_in_the_place_of_the_file_is_set_aside(path: Path) -> None:
    for make in (Path.mkdir, os.mkfifo):
        make(path)
        told: list[str] = []
        assert FaultFile(path, told.append).load() is None
        assert "it is no file; it is set aside as" in told[0]
        assert not path.exists()


@given(st.data())
@settings(max_examples=200)
def test_no_damage_is_taken_for_a_fault_memory(data: st.DataObject) -> None:
    good = content()
    start = data.draw(st.integers(0, len(good) - 1))
    end = data.draw(st.integers(start, len(good)))
    damaged = good[:start] + data.draw(st.binary(max_size=20)) + good[end:]
    if damaged != good:
        with pytest.raises(ValueError, match=r"checksum|first line|bytes"):
            parse(damaged)


def test_a_full_disk_is_told_once_the_memory_goes_on_and_writes_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with opened(path, told.append) as memory:
        cycle(memory, 1)
        wait_until(memory.is_saved)
        before = path.read_bytes()
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", raise_no_space)
            for _ in range(3):
                cycle(memory, 0b011)
                wait_until(lambda: memory.is_saved() is False)
            assert path.read_bytes() == before
            assert memory.entries[0x100002].status & CONFIRMED
        cycle(memory, 0b111)
        wait_until(memory.is_saved)
    assert told == [f"{path}: cannot be written: No space left on device; faults are not kept over a restart"]
    with opened(path) as memory:
        assert all(entry.record for entry in memory.entries.values())
    assert [file.name for file in path.parent.iterdir()] == ["faults.txt"]


def raise_no_space(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("failing", ["mkstemp", "replace", "fsync"])
def test_a_write_that_fails_at_any_step_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(path) as memory:
        cycle(memory, 1)
    before = path.read_bytes()
    owner = {"mkstemp": tempfile, "replace": Path, "fsync": os}[failing]
    told: list[str] = []
    with monkeypatch.context() as broken:
        broken.setattr(owner, failing, fail)
        memory = FaultMemory(CODES, path, told.append)
        cycle(memory, 0b010)
        memory.close()
    assert path.read_bytes() == before
    assert len(told) == 1
    assert [file.name for file in path.parent.iterdir()] == ["faults.txt"]


def test_a_folder_that_cannot_be_written_is_told_and_the_memory_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    memory = FaultMemory(CODES, tmp_path / "file" / "faults.txt", told.append)
    cycle(memory, 1)
    memory.close()
    assert memory.entries[0x100001].record
    assert told[-1].endswith("Not a directory; faults are not kept over a restart")


def test_many_changes_in_a_row_are_written_as_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_file, "PERIOD", 60.0)
    written: list[StoredMemory] = []
    original = FaultFile._write
    monkeypatch.setattr(FaultFile, "_write", lambda self, memory: written.append(memory) or original(self, memory))
    with opened(path) as memory:
        cycle(memory, 1)
        wait_until(lambda: written)
        for number in range(200):
            cycle(memory, number & 1)
    assert len(written) == 2  # the first at once, the last when it was closed


WRITER = """
import sys
from pathlib import Path
from hil.diagnostics import fault_file
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.trouble_codes import TABLE

fault_file.PERIOD = 0.0
memory = FaultMemory(TABLE, Path(sys.argv[1]), lambda message: print(message, flush=True))
everything = sum({code.causes for code in TABLE})
print("begins at", memory.operating_time, flush=True)
while True:
    memory.begin_cycle()
    memory.update(everything, lambda: bytes(200), 0.0)
    memory.update(0, lambda: bytes(200), 1.0)
    memory.end_cycle()
    while not memory.is_saved():
        pass
    print(memory.operating_time, flush=True)
"""


def test_a_process_that_is_killed_at_any_instant_loses_at_most_its_last_cycle_and_never_the_file(path: Path) -> None:
    rng = random.Random(6)
    kept = 0.0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("begins at "), first
        assert float(first.split()[-1]) in (kept, kept + 1.0)  # the one that was written and not yet told
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.02))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        kept = float(lines[-1]) if lines else parse(path.read_bytes()).operating_time
        assert parse(path.read_bytes()).operating_time in (kept, kept + 1.0)
    FaultFile(path, pytest.fail).load()
    assert [file.name for file in path.parent.iterdir()] == ["faults.txt"]  # what was half written is taken away
