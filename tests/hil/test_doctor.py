"""What the doctor finds on machines that are trees of files like the kernel's, and on this one."""

import math
import os
from pathlib import Path

import pytest
from interpreter import needs_compiler
from platforms import needs_absolute_sleep
from pseudo_terminals import terminal

from hil import doctor, scheduling, serial_ports
from hil.doctor import (
    BETTER,
    LOOKS,
    OK,
    PROBLEM,
    Check,
    Jitter,
    Machine,
    examine,
    jitter_check,
    measure_jitter,
    module_state,
)
from hil.scheduling import Finding


def machine(folder: Path, **files: str) -> Machine:
    """A machine whose kernel tells this; ``__`` in a name stands for the slash of its path."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return Machine(folder)


def found(look: str, where: Machine) -> dict[str, Check]:
    return {check.name: check for check in LOOKS[look](where)}


@pytest.mark.parametrize(
    ("files", "state", "value"),
    [
        ({"sys__kernel__realtime": "1"}, OK, "PREEMPT_RT"),
        ({"proc__sys__kernel__version": "#1 SMP PREEMPT_RT Debian 6.12.9-1"}, OK, "PREEMPT_RT"),
        ({"proc__sys__kernel__version": "#1 SMP PREEMPT_DYNAMIC"}, BETTER, "PREEMPT_DYNAMIC"),
        (
            {"proc__sys__kernel__version": "PREEMPT_DYNAMIC", "sys__kernel__debug__sched__preempt": "none voluntary (full)"},
            BETTER,
            "PREEMPT_DYNAMIC, full",
        ),
        ({"proc__sys__kernel__version": "#1 SMP"}, BETTER, "voluntary or none"),
    ],
)
def test_the_preemption_model_is_known_by_its_name(tmp_path: Path, files: dict[str, str], state: str, value: str) -> None:
    check = found("kernel", machine(tmp_path, **files))["preemption"]
    assert (check.state, check.value) == (state, value)
    assert bool(check.remedy) is (state != OK)


@pytest.mark.parametrize(
    ("runtime", "state", "value"), [("-1", OK, "off"), ("950000", OK, "950 of 1000 ms"), ("0", PROBLEM, "no time at all")]
)
def test_throttling_of_urgent_threads_is_a_problem_only_where_it_forbids_them(
    tmp_path: Path, runtime: str, state: str, value: str
) -> None:
    where = machine(tmp_path, proc__sys__kernel__sched_rt_runtime_us=runtime, proc__sys__kernel__sched_rt_period_us="1000000")
    check = found("scheduler", where)["real-time throttling"]
    assert check.state == state
    assert check.value.startswith(value)


@needs_absolute_sleep
def test_rights_of_a_loop_are_told_as_the_loops_themselves_tell_them(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [Finding("memory", "locked", True), Finding("loop's priority", "no SCHED_FIFO 80", False, "ask for it")]
    monkeypatch.setattr(scheduling, "examine", lambda: findings)
    checks = list(found("scheduler", Machine()).values())
    assert checks[:2] == [Check("memory", OK, "locked"), Check("loop's priority", BETTER, "no SCHED_FIFO 80", "ask for it")]


def test_processors_their_isolation_and_their_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    plain = found("processors", machine(tmp_path / "plain", proc__cpuinfo="flags\t\t: fpu vme hypervisor lm"))
    assert plain["isolation"].remedy.startswith("isolcpus=3 nohz_full=3")
    assert plain["clock frequency"].state == OK
    assert plain["hypervisor"].state == BETTER
    cpu = "sys__devices__system__cpu"
    files = {f"{cpu}__isolated": "3", f"{cpu}__nohz_full": "3", "proc__cpuinfo": "flags : fpu"}
    files |= {f"{cpu}__cpu0__cpufreq__scaling_governor": "powersave", f"{cpu}__cpu1__cpufreq__scaling_governor": "performance"}
    tuned = found("processors", machine(tmp_path / "tuned", **files))
    assert (tuned["isolation"].state, tuned["isolation"].value) == (OK, "isolated 3, without tick 3")
    assert tuned["clock frequency"].value == "performance, powersave"
    assert tuned["clock frequency"].remedy == "sudo cpupower frequency-set -g performance"
    assert "hypervisor" not in tuned
    machine(tmp_path / "tuned", sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="performance")
    assert found("processors", Machine(tmp_path / "tuned"))["clock frequency"].state == OK


@pytest.mark.parametrize(("source", "state"), [("tsc", OK), ("kvm-clock", OK), ("arch_sys_counter", OK), ("hpet", BETTER)])
def test_a_slow_clock_source_is_told(tmp_path: Path, source: str, state: str) -> None:
    where = machine(tmp_path, sys__devices__system__clocksource__clocksource0__current_clocksource=source)
    assert found("clock", where)["clock source"].state == state


def test_modules_are_loaded_built_in_available_or_absent(tmp_path: Path) -> None:
    where = machine(
        tmp_path,
        proc__sys__kernel__osrelease="6.1.0",
        sys__module__vcan__refcnt="0",
        **{
            "lib__modules__6.1.0__modules.dep": "kernel/drivers/net/can/usb/gs_usb.ko.xz: kernel/can-dev.ko.xz",
            "lib__modules__6.1.0__modules.builtin": "kernel/net/can/can-raw.ko\nkernel/drivers/net/can/notvcan.ko",
        },
    )
    states = {name: module_state(where, name) for name in ("vcan", "can_raw", "gs_usb", "slcan", "can")}
    assert states == {
        "vcan": "loaded", "can_raw": "loaded", "gs_usb": "available", "slcan": "not in this kernel", "can": "not in this kernel"
    }  # fmt: skip


def test_a_kernel_whose_can_is_not_loaded_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "kernel_has_can", lambda: False)
    where = machine(
        tmp_path, proc__sys__kernel__osrelease="6.1.0", **{"lib__modules__6.1.0__modules.dep": "kernel/net/can/can-raw.ko.xz:"}
    )
    checks = found("CAN", where)
    assert checks["CAN in the kernel"] == Check("CAN in the kernel", BETTER, "not loaded", "sudo modprobe can_raw")
    assert "can_raw (raw sockets)" in checks["modules available"].value


@needs_absolute_sleep
def test_an_adapter_that_may_not_be_opened_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    with terminal() as (_, device):
        Path(device).chmod(0o620)
        adapter, other = ListPortInfo(device), ListPortInfo("/dev/ttyS0")
        adapter.vid, adapter.pid = 0x16D0, 0x117E
        monkeypatch.setattr(list_ports, "comports", lambda: [adapter, other])
        monkeypatch.setattr(serial_ports, "may_open", lambda path: False)
        check = found("serial ports", Machine())["serial ports"]
    assert (check.state, check.value) == (PROBLEM, f"no permission for {device}")
    assert "usermod -aG" in check.remedy or "udev rule" in check.remedy  # as the terminal has a group here, or none
    monkeypatch.setattr(list_ports, "comports", lambda: [other])
    assert found("serial ports", Machine())["serial ports"].state != PROBLEM


def test_the_cache_is_cold_warm_or_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import firmware_model.kernel.jit as jit

    cache = tmp_path / "cache"
    monkeypatch.setattr(jit, "CACHE_DIRECTORY", cache)
    assert found("kernel cache", Machine())["kernel cache"].value.startswith("cold")
    (cache / "numba").mkdir(parents=True)
    (cache / "numba" / "a.nbc").write_bytes(bytes(3 << 20))
    assert found("kernel cache", Machine())["kernel cache"].value.startswith("warm, 1 kernels, 3 MiB")
    monkeypatch.setattr(jit, "CACHE_DIRECTORY", Path("/dev/null/cache"))
    assert found("kernel cache", Machine())["kernel cache"].state == PROBLEM


def test_this_machine_and_an_empty_one_are_examined_to_the_end(tmp_path: Path) -> None:
    for where in (Machine(), Machine(tmp_path / "nothing")):
        told: list[str] = []
        checks = examine(where, told.append)
        assert told == list(LOOKS)
        assert {"preemption", "loop's priority", "memory", "isolation", "CAN in the kernel", "kernel cache", "Python"} <= {
            check.name for check in checks
        } | ({"isolation"} if (os.cpu_count() or 1) < 2 else set())
        assert all(check.state in (OK, BETTER, PROBLEM) and "\n" not in check.remedy for check in checks)


def test_what_cannot_be_looked_at_is_one_line_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOKS", {"clock": lambda where: [1 / 0]})
    assert examine() == [Check("clock", BETTER, "cannot be looked at: ZeroDivisionError: division by zero")]


# --- jitter --------------------------------------------------------------------------------------------------------------------


def jitter(rate: int = 1000, wakes: int = 5000, missed: int = 0, p99: float = 50e-6) -> Jitter:
    return Jitter(rate, wakes, missed, 10e-6, p99, 2 * p99, 3 * p99, fifo=True, steal=math.nan)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (jitter(), OK),
        (jitter(p99=199e-6), OK),
        (jitter(p99=201e-6), BETTER),
        (jitter(rate=10_000, p99=50e-6), BETTER),
        (jitter(missed=1), BETTER),
        (jitter(missed=6), PROBLEM),
        (jitter(wakes=99), BETTER),  # too few to say anything of one in a hundred
        (jitter(wakes=0), BETTER),
    ],
)
def test_the_verdict_asks_for_no_missed_period_and_a_fifth_of_it(measured: Jitter, verdict: str) -> None:
    check = jitter_check(measured)
    assert check.state == verdict
    assert bool(check.remedy) is (verdict != OK)


@needs_absolute_sleep
@needs_compiler
def test_a_loop_is_woken_as_often_as_asked() -> None:
    shares: list[float] = []
    before = os.sched_getscheduler(0)
    measured = measure_jitter(1000, 0.25, shares.append)
    assert 250 <= measured.wakes + measured.missed <= 251 + measured.missed
    assert measured.wakes <= 251
    assert shares[-1] == 1.0
    assert 0.0 <= measured.p50 <= measured.p99 <= measured.p999 <= measured.worst
    # Each period asleep is counted: what was missed took at least so long.
    assert measured.missed <= measured.wakes * measured.worst * 1000
    assert os.sched_getscheduler(0) == before
