"""Rights of a loop: asked for, told, and given back. What is granted depends on the machine, so no test demands it."""

import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

import pytest
from platforms import needs_absolute_sleep

from hil import scheduling
from hil.scheduling import Finding, Scheduling, examine, parse_list, refused

pytestmark = needs_absolute_sleep

PR_GET_TIMERSLACK = 30  # linux/prctl.h


def locked_memory() -> int:
    """Memory of this process that is locked [kB]."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmLck:"))


def own_rights() -> tuple[object, ...]:
    return os.sched_getaffinity(0), os.sched_getscheduler(0), sys.getswitchinterval(), locked_memory(), gc.get_freeze_count()


def test_each_right_is_told_once_with_what_to_do_where_it_is_refused() -> None:
    findings = examine()
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    assert {"memory", "Python threads", "loop's processor", "loop's priority"} <= set(names)
    for finding in refused(findings):
        assert finding.remedy
        assert "\n" not in str(finding)


def test_everything_is_given_back_even_after_an_exception() -> None:
    def run_and_fail() -> None:
        with Scheduling() as scheduling:
            thread = threading.Thread(target=scheduling.join)
            thread.start()
            thread.join()
            raise RuntimeError

    before = own_rights()
    with pytest.raises(RuntimeError):
        run_and_fail()
    assert own_rights() == before


def test_python_threads_old_and_new_leave_the_loops_processor_and_come_back() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("this machine has one processor")
    release = threading.Event()
    seen = []
    old = threading.Thread(target=release.wait)
    old.start()
    with Scheduling() as scheduling:
        others = allowed - {scheduling.processor}
        assert os.sched_getaffinity(old.native_id) == others
        new = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        new.start()
        new.join()
        assert seen == [others]
    assert os.sched_getaffinity(old.native_id) == allowed
    release.set()
    old.join()


def test_processors_do_not_sleep_as_long_as_loops_run(monkeypatch, tmp_path) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(scheduling, "SLEEP_DEVICE", device)

    def is_held() -> bool:
        return device in [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]

    with Scheduling() as rights:
        assert is_held()
        assert device.read_bytes() == bytes(4)
    assert not is_held()
    assert Finding("idle processors", "polling", True) in rights.findings
    with Scheduling(priority=0) as rights:
        assert not is_held()


def test_whoever_may_not_keep_processors_awake_is_told_the_rule(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(scheduling, "SLEEP_DEVICE", tmp_path)  # nobody may write to a folder
    finding = next(finding for finding in examine() if finding.name == "idle processors")
    assert not finding.granted
    assert str(finding).startswith("idle processors: no polling (Is a directory); echo 'KERNEL==")
    assert "sudo udevadm trigger" in finding.remedy


def test_threads_that_carry_frames_inherit_their_priority_and_nobody_else_keeps_it() -> None:
    seen = []
    before = os.sched_getscheduler(0)
    with Scheduling(lock_memory=False) as scheduling:
        with scheduling.carrying():
            thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
            thread.start()
            thread.join()
        assert os.sched_getscheduler(0) == before
    carried = next(finding for finding in scheduling.findings if "carry" in finding.name)
    assert (seen == [os.SCHED_FIFO]) == carried.granted


def test_two_loops_in_one_process_do_not_say_it_twice() -> None:
    with Scheduling() as scheduling:
        for _ in range(2):
            thread = threading.Thread(target=scheduling.join)
            thread.start()
            thread.join()
        names = [finding.name for finding in scheduling.findings]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("capable", "advice"), [(True, "cpu.rt_runtime_us"), (False, "rtprio 80")])
def test_a_refusal_is_a_finding_and_no_error(monkeypatch: pytest.MonkeyPatch, capable: bool, advice: str) -> None:
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(scheduling, "may_lock_memory", lambda: False)
    monkeypatch.setattr(scheduling, "has_capability", lambda number: capable)
    missing = {finding.name: finding for finding in refused(examine())}
    assert "Operation not permitted" in missing["loop's priority"].state
    assert advice in missing["loop's priority"].remedy
    assert "memlock" in missing["memory"].remedy


def test_ordinary_scheduling_gets_a_timer_slack_of_a_nanosecond() -> None:
    slack = []

    def loop(rights: Scheduling) -> None:
        rights.join()
        slack.append(ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0))

    with Scheduling(priority=0, lock_memory=False) as rights:
        thread = threading.Thread(target=loop, args=(rights,))
        thread.start()
        thread.join()
    assert slack == [1]
    assert Finding("timer slack", "1 ns", True) in rights.findings


@pytest.mark.parametrize(("text", "expected"), [("", set()), ("\n", set()), ("3\n", {3}), ("0-2,5", {0, 1, 2, 5})])
def test_the_kernels_lists_of_processors_are_read(text: str, expected: set[int]) -> None:
    assert parse_list(text) == expected
