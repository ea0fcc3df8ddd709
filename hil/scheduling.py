"""What the operating system must grant a real-time loop, asked for, given back, and told as findings.

Of the machine: no sleep of its processors. Of the process: its memory locked, its other threads off the loop's processor, a
shorter turn of Python's threads, nothing old for the garbage collector to look through. Of the loop's own thread: SCHED_FIFO, its
processor, a timer slack of 1 ns. Of the threads that carry frames: SCHED_FIFO, too, far below the loop. Nothing of this is needed
for a loop to run: each refusal is one finding, which says what to do about it.
"""

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
PR_SET_TIMERSLACK = 29
TIMER_SLACK = 1  # [ns] of a loop that runs under ordinary scheduling; the kernel's 50 µs would delay every wake-up
CARRIER_PRIORITY = 10  # far below the loops, before ordinary threads: those may keep a processor for milliseconds
SWITCH_INTERVAL = 1e-4  # [s] how long one Python thread may make another wait; Python's own is 5 ms
PRIORITY = "loop's priority"
LIMITS = "/etc/security/limits.d/e4hil.conf"  # read at the next log-in
SLEEP_DEVICE = Path("/dev/cpu_dma_latency")
SLEEP_RULE = "/etc/udev/rules.d/99-e4hil.rules"
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23  # linux/capability.h


@dataclass(frozen=True)
class Finding:
    """One thing that a real-time loop wants of the system: what it got, and how to mend it where it got less."""

    name: str
    state: str
    granted: bool
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.state}" + (f"; {self.remedy}" if self.remedy else "")


class Scheduling:
    """The rights of one process with real-time loops: taken on entering, given back on leaving.

    Each loop calls :meth:`join` in its own thread. ``findings`` holds what was granted and what was not, each thing once.
    """

    def __init__(self, *, priority: int = 80, processor: int | None = None, lock_memory: bool = True) -> None:
        """``priority`` of SCHED_FIFO, 1 to 99, or 0 for ordinary scheduling; ``processor`` of the loops, chosen if not given."""
        self._priority = priority
        self._lock_memory = lock_memory
        self._allowed = os.sched_getaffinity(0)
        self.processor = chosen_processor(self._allowed) if processor is None else processor
        self._found: dict[str, Finding] = {}
        self._undo = ExitStack()

    @property
    def findings(self) -> list[Finding]:
        """What was granted and what was refused so far."""
        return list(self._found.values())

    def __enter__(self) -> "Scheduling":
        with ExitStack() as undo:  # what was taken before a failure is given back
            self._undo = undo
            self._lock()
            self._move_python()
            if self._priority and SLEEP_DEVICE.exists():
                remedy = f'echo \'KERNEL=="{SLEEP_DEVICE.name}", MODE="0666"\' | sudo tee {SLEEP_RULE} && sudo udevadm trigger'
                self._ask("idle processors", "polling", self._stay_awake, remedy)
            undo.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(SWITCH_INTERVAL)
            # What exists by now is looked through by no garbage collection, which would stop every Python thread for it.
            undo.callback(gc.unfreeze)
            gc.freeze()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._undo.close()

    def join(self) -> None:
        """Take the calling thread, which is to run a loop, to the loops' processor and priority. It keeps them until it ends."""
        self._ask("loop's processor", f"CPU {self.processor}", self._to_processor, "let the process use it (taskset, cpuset)")
        if self._priority:
            self._ask(PRIORITY, f"SCHED_FIFO {self._priority}", self._to_fifo, remedy_of_priority(self._priority))
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            self._ask("timer slack", f"{TIMER_SLACK} ns", self._less_slack, "none is known: the kernel refuses nobody")

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Threads that are started meanwhile carry frames: they go before all others, but for the loops, as far as permitted."""
        inherited = os.sched_getscheduler(0), os.sched_getparam(0)
        name, wanted = "priority of threads that carry frames", f"SCHED_FIFO {CARRIER_PRIORITY}"
        if self._priority:
            ask = partial(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(CARRIER_PRIORITY))
            self._ask(name, wanted, ask, remedy_of_priority(self._priority))
        try:
            yield
        finally:
            os.sched_setscheduler(0, *inherited)

    def _ask(self, name: str, wanted: str, ask: Callable[[], None], remedy: str) -> bool:
        try:
            ask()
        except OSError as error:
            self._found.setdefault(name, Finding(name, f"no {wanted} ({error.strerror})", False, remedy))
            return False
        self._found.setdefault(name, Finding(name, wanted, True))
        return True

    def _to_processor(self) -> None:
        os.sched_setaffinity(0, {self.processor})

    def _to_fifo(self) -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(self._priority))

    def _less_slack(self) -> None:
        _checked(_libc().prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0))

    def _lock(self) -> None:
        """Keep every page of the process in memory: a page fault in the loop may wait for a disk."""
        name, remedy = "memory", f"{limit_line('memlock unlimited')}, or give CAP_IPC_LOCK"
        if not self._lock_memory:
            self._found[name] = Finding(name, "not locked, as asked", True)
        elif not may_lock_memory():
            # Locked within a limit, the process would die at the first allocation beyond it.
            self._found[name] = Finding(name, "not locked (memlock is limited)", False, remedy)
        elif self._ask(name, "locked", lock_memory, remedy):
            self._undo.callback(_libc().munlockall)

    def _stay_awake(self) -> None:
        """Have idle processors watch instead of sleep, as cyclictest does: waking up takes half of a latency and more.

        The kernel keeps to it as long as the file is open: the wish of a process that is killed is forgotten, too.
        """
        wish = os.open(SLEEP_DEVICE, os.O_WRONLY | os.O_CLOEXEC)
        self._undo.callback(os.close, wish)
        os.write(wish, bytes(4))  # 0 µs from sleep to work, as a number of 32 bits

    def _move_python(self) -> None:
        """Leave the loop's processor to the loop: every thread that runs now goes to the others, and so do those they start."""
        name, others = "Python threads", self._allowed - {self.processor}
        if not others:
            remedy = "give the process a second processor"
            self._found[name] = Finding(name, "share the only processor with the loop", False, remedy)
            return
        self._undo.callback(self._move_back)
        self._ask(name, f"on CPU {listed(others)}", lambda: move_threads(self._allowed, others), "allow sched_setaffinity")

    def _move_back(self) -> None:
        with suppress(OSError):  # taken away from the process meanwhile: the threads then are where the system wants them
            move_threads(self._allowed - {self.processor}, self._allowed)


def examine(*, priority: int = 80, processor: int | None = None, lock_memory: bool = True) -> list[Finding]:
    """What this system would grant a loop: everything is asked for in a thread that ends at once, and given back."""
    with Scheduling(priority=priority, processor=processor, lock_memory=lock_memory) as scheduling:
        thread = threading.Thread(target=scheduling.join, name="examined")
        thread.start()
        thread.join()
    return scheduling.findings


def refused(findings: list[Finding]) -> list[Finding]:
    """Those of the findings that want mending."""
    return [finding for finding in findings if not finding.granted]


def chosen_processor(allowed: set[int]) -> int:
    """The processor for loops: one that the kernel isolates if there is such, else the last: interrupts favour the first."""
    return max(isolated_processors() or allowed)  # those isolated are in nobody's set until asked for


def isolated_processors() -> set[int]:
    """Processors that the boot parameter ``isolcpus`` keeps free of other work."""
    try:
        return parse_list(Path("/sys/devices/system/cpu/isolated").read_text())
    except OSError:
        return set()


def parse_list(text: str) -> set[int]:
    """The numbers of a list as the kernel writes it: ``0-2,5``."""
    ends = [part.split("-") for part in text.strip().split(",") if part]
    return {number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}


def listed(processors: set[int]) -> str:
    """``processors`` in one short text."""
    return ",".join(str(number) for number in sorted(processors))


def move_threads(of: set[int], to: set[int]) -> None:
    """Give every thread of the process that may run on all of ``of``, and no others, the processors ``to``."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended since
            if os.sched_getaffinity(int(task.name)) == of:
                os.sched_setaffinity(int(task.name), to)


def lock_memory() -> None:
    """Keep in memory what is there, and all else from when it is first touched; raises OSError."""
    # Without ONFAULT all that is mapped would come into memory: every library whole, and 8 MB of stack for each thread.
    _checked(_libc().mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))


def may_lock_memory() -> bool:
    """Whether the process may lock memory without a limit."""
    import resource

    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return True
    return has_capability(CAP_IPC_LOCK)


def has_capability(number: int) -> bool:
    """Whether this process has a capability."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> number & 1)


def remedy_of_priority(priority: int) -> str:
    """What to do where SCHED_FIFO is refused."""
    if has_capability(CAP_SYS_NICE):
        # A control group without real-time bandwidth refuses also those who have the right.
        return "give its control group real-time bandwidth (cpu.rt_runtime_us)"
    return f"{limit_line(f'rtprio {priority}')}, or: sudo setcap cap_sys_nice+ep {Path(sys.executable).resolve()}"


def limit_line(limit: str) -> str:
    """How this user is allowed more."""
    return f'echo "$USER - {limit}" | sudo tee -a {LIMITS}, log out and in again'


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
