"""What of this machine matters to a real-time loop and to CAN: each thing with its state, and how to mend it.

Everything is looked up, and tried where a look does not tell (rights of a loop); nothing is changed.
"""

import getpass
import importlib.metadata
import math
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hil import clock, scheduling
from hil.bus import kernel_has_can
from hil.errors import UsageError
from hil.histogram import percentile
from hil.timing import LoopSettings
from hil.wake_ups import WakeUps, measure_wake_ups

OK, BETTER, PROBLEM = "ok", "could be better", "problem"
# A wake-up later than this share of the period leaves too little of it for the step and its frames.
LATE_SHARE = 0.2
# Missed periods that the 10 ms frames of a car still bear: one in a thousand is one frame in ten seconds at 1 kHz.
MISSED_SHARE = 1e-3
FEWEST = 100  # wake-ups by which anything can be said of one in a hundred
BUSY = 0.5  # load per processor from which others disturb a measurement
FREE_SPACE = 1 << 30  # [bytes] for the cache and recordings
SLOW_CLOCKS = ("hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies")  # read over a bus, or only as fine as the tick
MODULES = {
    "can": "the CAN core", "can_raw": "raw sockets", "can_dev": "hardware links", "vcan": "virtual links", "slcan": "slcand",
    "gs_usb": "candleLight", "peak_usb": "PCAN-USB", "kvaser_usb": "Kvaser",
}  # fmt: skip
PACKAGES = ("e4orce-hil", "numba", "numpy", "python-can", "can-isotp", "pyserial", "cantools")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: str
    value: str
    remedy: str = ""  # in one line; empty where nothing is to be done


@dataclass(frozen=True)
class Machine:
    """Where the system tells about itself; another root is for tests."""

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """Content of a file of the kernel; None if there is none, or this user may not read it."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return (self.root / path).exists()


def examine(machine: Machine | None = None, progress: Callable[[str], None] = lambda name: None) -> list[Check]:
    """All checks. None of them raises: what cannot be looked at is told as that."""
    machine = machine or Machine()
    checks: list[Check] = []
    for name, look in LOOKS.items():
        progress(name)
        try:
            checks += look(machine)
        except Exception as error:  # a report with a gap is worth more than none
            checks.append(Check(name, BETTER, f"cannot be looked at: {type(error).__name__}: {error}"))
    return checks


# --- the kernel ----------------------------------------------------------------------------------------------------------------


def kernel_checks(machine: Machine) -> Iterator[Check]:
    """The system, and how soon it lets an urgent thread run."""
    release = machine.text("proc/sys/kernel/osrelease") or platform.release()
    if sys.platform == "linux":
        yield Check("kernel", OK, f"Linux {release}")
    else:
        yield Check(
            "kernel", PROBLEM, f"{platform.system()} {release}", "the real-time loop needs Linux; lockstep runs everywhere"
        )
    version = machine.text("proc/sys/kernel/version") or platform.version()
    remedy = "a kernel with PREEMPT_RT (Debian: sudo apt install linux-image-rt-amd64; Ubuntu: sudo pro enable realtime-kernel)"
    if machine.text("sys/kernel/realtime") == "1" or "PREEMPT_RT" in version:
        yield Check("preemption", OK, "PREEMPT_RT")
    elif "PREEMPT_DYNAMIC" in version:
        chosen = re.search(r"\((\w+)\)", machine.text("sys/kernel/debug/sched/preempt") or "")
        mode = f"PREEMPT_DYNAMIC{f', {chosen[1]}' if chosen else ''}"
        yield Check("preemption", BETTER, mode, f"preempt=full on the kernel's command line, or {remedy}")
    else:
        yield Check("preemption", BETTER, "PREEMPT" if "PREEMPT" in version else "voluntary or none", remedy)


def scheduler_checks(machine: Machine) -> Iterator[Check]:
    """What a loop is granted: its memory locked, its processor, its priority; and how long it may run in one go."""
    if clock.AVAILABLE:
        for finding in scheduling.examine():
            yield Check(finding.name, OK if finding.granted else BETTER, finding.state, finding.remedy)
    runtime, period = (machine.text(f"proc/sys/kernel/sched_rt_{name}_us") for name in ("runtime", "period"))
    if runtime is not None and period is not None:
        if int(runtime) < 0:
            yield Check("real-time throttling", OK, "off")
        elif int(runtime) == 0:
            yield Check("real-time throttling", PROBLEM, "no time at all", "sudo sysctl kernel.sched_rt_runtime_us=950000")
        else:
            share = f"{int(runtime) / 1000:g} of {int(period) / 1000:g} ms"
            yield Check("real-time throttling", OK, f"{share}: never reached by a loop that sleeps, but by one that only spins")


def processor_checks(machine: Machine) -> Iterator[Check]:
    """What else runs where the loop runs, and at which speed."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count > 1:
        yield Check("processors", OK, f"{count}, one of them for the loop")
    else:
        yield Check(
            "processors", BETTER, "1, shared by the loop and the Python threads", "more processors, or taskset with a wider mask"
        )
    isolated = [machine.text(f"sys/devices/system/cpu/{name}") for name in ("isolated", "nohz_full")]
    if any(isolated):
        yield Check("isolation", OK, f"isolated {isolated[0] or 'none'}, without tick {isolated[1] or 'none'}")
    elif count > 1:
        own = scheduling.chosen_processor(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count - 1
        remedy = f"isolcpus={own} nohz_full={own} rcu_nocbs={own} on the kernel's command line"
        yield Check("isolation", BETTER, "none: other programs run on the loop's processor, too", remedy)
    cores = sorted((machine.root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    governors = sorted({governor for core in cores if (governor := machine.text(str(core.relative_to(machine.root))))})
    if not governors:
        yield Check("clock frequency", OK, "not the system's to choose")
    elif governors == ["performance"]:
        yield Check("clock frequency", OK, "performance")
    else:
        yield Check("clock frequency", BETTER, ", ".join(governors), "sudo cpupower frequency-set -g performance")
    load = os.getloadavg()[0]
    state = OK if load < BUSY * count else BETTER
    yield Check("load", state, f"{load:.2f} over the last minute", "" if state == OK else "end what else is running")
    if re.search(r"^flags\s*:.*\bhypervisor\b", machine.text("proc/cpuinfo") or "", re.MULTILINE):
        remedy = "a machine of its own, or a processor that the hypervisor gives to nobody else"
        yield Check("hypervisor", BETTER, "a virtual machine: its host may keep processors from it (steal time)", remedy)


def clock_checks(machine: Machine) -> Iterator[Check]:
    """What the deadlines are read from."""
    source = machine.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source is not None:
        slow = source in SLOW_CLOCKS
        remedy = "clocksource=tsc tsc=reliable on the kernel's command line, if the processor's counter is stable"
        yield Check("clock source", BETTER if slow else OK, source, remedy if slow else "")
    if hasattr(time, "clock_getres"):
        resolution = time.clock_getres(time.CLOCK_MONOTONIC)
        fine = resolution <= 1e-6
        remedy = "" if fine else "a kernel with high-resolution timers (CONFIG_HIGH_RES_TIMERS)"
        yield Check("timer resolution", OK if fine else PROBLEM, f"{resolution * 1e9:g} ns", remedy)


# --- CAN -----------------------------------------------------------------------------------------------------------------------


def can_checks(machine: Machine) -> Iterator[Check]:
    """CAN in the kernel, and its modules: loaded, available, or not in this kernel."""
    if kernel_has_can():
        yield Check("CAN in the kernel", OK, "raw sockets can be made")
    elif module_state(machine, "can_raw") == "available":
        yield Check("CAN in the kernel", BETTER, "not loaded", "sudo modprobe can_raw")
    else:
        remedy = "slcan on a serial port, gs_usb and udp_multicast need none; SocketCAN needs a kernel with CONFIG_CAN"
        yield Check("CAN in the kernel", BETTER, "none", remedy)
    states = {name: module_state(machine, name) for name in MODULES}
    for state in ("loaded", "available", "not in this kernel"):
        names = [f"{name} ({MODULES[name]})" for name, found in states.items() if found == state]
        if names:
            remedy = "sudo modprobe with its name loads one" if state == "available" else ""
            yield Check(f"modules {state}", OK, ", ".join(names), remedy)


def module_state(machine: Machine, name: str) -> str:
    """Whether a module of the kernel is loaded (or built in), available, or not in this kernel."""
    if machine.exists(f"sys/module/{name}"):
        return "loaded"
    folder = f"lib/modules/{machine.text('proc/sys/kernel/osrelease') or platform.release()}"
    file = re.compile(rf"/{name.replace('_', '[-_]')}\.ko\b")
    if file.search(machine.text(f"{folder}/modules.builtin") or ""):
        return "loaded"
    return "available" if file.search(machine.text(f"{folder}/modules.dep") or "") else "not in this kernel"


def serial_checks(machine: Machine) -> Iterator[Check]:
    """Whether serial adapters may be opened."""
    import grp

    from serial.tools.list_ports import comports

    from hil.serial_ports import forbidden, may_open

    refused = [port.device for port in comports() if port.vid is not None and not may_open(port.device)]
    if refused:
        remedy = forbidden(Path(refused[0]).stat()).partition("; ")[2]
        yield Check("serial ports", PROBLEM, f"no permission for {', '.join(refused)}", remedy)
        return
    groups = {group.gr_name for group in grp.getgrall() if group.gr_gid in os.getgroups() or getpass.getuser() in group.gr_mem}
    if os.geteuid() == 0 or groups & {"dialout", "uucp"}:
        yield Check("serial ports", OK, "all can be opened")
    else:
        remedy = f"sudo usermod -aG dialout {getpass.getuser()}, then log out and in again"
        yield Check("serial ports", BETTER, "this user is not in the group dialout, to which they mostly belong", remedy)


def adapter_checks(machine: Machine) -> Iterator[Check]:
    """What e4hil adapters finds, apart from what is always there."""
    from hil.adapters import find_adapters

    findings = find_adapters()
    plugged = [adapter for adapter in findings.adapters if adapter.interface not in ("virtual", "udp_multicast")]
    if plugged:
        yield Check("adapters", OK, ", ".join(adapter.address or adapter.title for adapter in plugged))
    else:
        remedy = "plug one in; e4hil adapters --all says what is missing"
        yield Check("adapters", OK, "none; buses without hardware are there", remedy)
    for note in findings.notes:
        yield Check("adapters", BETTER, note)


# --- this product --------------------------------------------------------------------------------------------------------------


def cache_checks(machine: Machine) -> Iterator[Check]:
    """The place of compiled kernels, without which every start takes a minute."""
    from firmware_model.kernel.jit import CACHE_DIRECTORY

    folder = next(path for path in (CACHE_DIRECTORY, *CACHE_DIRECTORY.parents) if path.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        yield Check("kernel cache", PROBLEM, f"{CACHE_DIRECTORY} cannot be written", "set E4HIL_CACHE_DIR to a folder that can")
        return
    compiled = list(CACHE_DIRECTORY.rglob("*.nbc"))
    size = sum(path.stat().st_size for path in compiled) / (1 << 20)
    if compiled:
        yield Check("kernel cache", OK, f"warm, {len(compiled)} kernels, {size:.0f} MiB in {CACHE_DIRECTORY}")
    else:
        remedy = "one run of e4hil drive compiles what a drive needs"
        yield Check("kernel cache", BETTER, f"cold: the first start compiles for a minute ({CACHE_DIRECTORY})", remedy)
    free = shutil.disk_usage(folder).free
    state = OK if free >= FREE_SPACE else BETTER
    yield Check(
        "free space", state, f"{free / (1 << 30):.1f} GiB for it", "" if state == OK else "free some, or set E4HIL_CACHE_DIR"
    )


def package_checks(machine: Machine) -> Iterator[Check]:
    """Python and the packages below this one."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, PROBLEM, "not installed", f"pip install {name}")
    yield Check("Python", OK, f"{platform.python_version()}, {', '.join(versions)}")


LOOKS: dict[str, Callable[[Machine], Iterator[Check]]] = {
    "kernel": kernel_checks,
    "scheduler": scheduler_checks,
    "processors": processor_checks,
    "clock": clock_checks,
    "CAN": can_checks,
    "serial ports": serial_checks,
    "adapters": adapter_checks,
    "kernel cache": cache_checks,
    "packages": package_checks,
}


# --- punctuality ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Jitter:
    """How late a loop of one rate was woken."""

    rate: int  # [Hz]
    wakes: int
    missed: int  # whole periods that went by asleep
    p50: float  # [s] of the wake-up latency
    p99: float  # [s]
    p999: float  # [s]
    worst: float  # [s]
    fifo: bool  # whether under SCHED_FIFO
    steal: float  # [s] that the hypervisor kept from all processors meanwhile; NaN if it does not say

    @property
    def verdict(self) -> str:
        """Whether a loop of this rate can be run here."""
        if self.wakes < FEWEST:
            return BETTER
        if self.missed > MISSED_SHARE * (self.wakes + self.missed):
            return PROBLEM
        return OK if not self.missed and self.p99 <= LATE_SHARE / self.rate else BETTER


def measure_jitter(rate: int, seconds: float, progress: Callable[[float], None] = lambda share: None) -> Jitter:
    """Wake a loop ``rate`` times a second for ``seconds``; ``progress`` as in ``measure_wake_ups``."""
    return jitter_of(rate, measure_wake_ups(seconds, LoopSettings(period=round(1e9 / rate)), progress))


def jitter_of(rate: int, measured: WakeUps) -> Jitter:
    """What was measured, as figures."""
    statistics = measured.statistics
    p50, p99, p999 = (1e-9 * percentile(statistics.latency, share) for share in (0.5, 0.99, 0.999))
    fifo = any(finding.name == scheduling.PRIORITY and finding.granted for finding in measured.findings)
    missed, worst = int(statistics.cycle_slips), 1e-9 * int(statistics.latency.worst)
    return Jitter(rate, int(statistics.periods), missed, p50, p99, p999, worst, fifo, measured.steal)


def jitter_check(jitter: Jitter) -> Check:
    """The verdict on one rate, with what it rests on."""
    microseconds = [value * 1e6 for value in (jitter.p50, jitter.p99, jitter.p999, jitter.worst)]
    value = "wake-up {:.0f} µs at the median, {:.0f} at p99, {:.0f} at p99.9, {:.0f} at worst".format(*microseconds)
    value += f"; {jitter.missed} of {jitter.wakes + jitter.missed} periods missed, {'' if jitter.fifo else 'without '}SCHED_FIFO"
    if not math.isnan(jitter.steal):
        value += f", steal {jitter.steal * 1e3:.0f} ms"
    remedy = "" if jitter.verdict == OK else "mend what stands above, or choose a lower rate"
    if jitter.wakes < FEWEST:
        remedy = "too short a measurement to judge by: --seconds 10"
    return Check(f"{jitter.rate / 1000:g} kHz", jitter.verdict, value, remedy)


def needs_linux() -> None:
    """Raise UsageError where punctuality cannot be measured."""
    if not clock.AVAILABLE:
        raise UsageError("the jitter measurement needs Linux (clock_nanosleep); --seconds 0 leaves it out")
