"""How punctually this machine wakes a compiled loop: absolute deadlines as in the real-time loop, in a thread of its own."""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_model.kernel import kernel
from hil.clock import sleep_until
from hil.ring import load_word, store_word

RUN, DONE = 0, 16  # places in the control words, on cache lines of their own
CONTROL_WORDS = 32
PRIORITY = 80  # of SCHED_FIFO, where it is permitted
PR_SET_TIMERSLACK = 29
START_DELAY = 10_000_000  # [ns]
# A wake-up later than this share of the period leaves too little of it for the step and its frames.
LATE_SHARE = 0.2
# Missed periods that the 10 ms frames of a car still bear: one in a thousand is one frame in ten seconds at 1 kHz.
MISSED_SHARE = 1e-3
FEWEST = 100  # wake-ups by which anything can be said of one in a hundred


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
        """Whether a loop of this rate can be run here: ``ok``, ``could be better`` or ``problem``."""
        if self.wakes < FEWEST:
            return "could be better"
        if self.missed > MISSED_SHARE * (self.wakes + self.missed):
            return "problem"
        return "ok" if not self.missed and self.p99 <= LATE_SHARE / self.rate else "could be better"


@kernel
def wake_up_many(origin, period, latencies, control, timespec):
    """Sleep until each deadline after ``origin`` [ns] until ``latencies`` [ns] are full; returns the periods missed."""
    deadline = origin
    missed = 0
    for k in range(len(latencies)):
        if not load_word(control, RUN):
            break
        deadline += period
        latency = sleep_until(deadline, timespec) - deadline
        latencies[k] = latency
        missed += latency // period
        deadline += latency // period * period
        store_word(control, DONE, k + 1)
    return missed


def measure(rate: int, seconds: float, progress: Callable[[float], None] = lambda share: None) -> Jitter:
    """Wake up ``rate`` times a second for ``seconds``; ``progress`` is told the share that is over, and may raise to end it."""
    period = round(1e9 / rate)
    latencies = np.zeros(max(1, round(rate * seconds)), dtype=np.int64)
    control = np.zeros(CONTROL_WORDS, dtype=np.int64)
    timespec = np.zeros(2, dtype=np.int64)
    wake_up_many(0, period, latencies, control, timespec)  # compiled; nothing is to be run yet
    result: dict[str, Any] = {}

    def work() -> None:
        result["fifo"] = take_priority()
        result["missed"] = wake_up_many(time.monotonic_ns() + START_DELAY, period, latencies, control, timespec)

    store_word(control, RUN, 1)
    steal = steal_time()
    thread = threading.Thread(target=work, name=f"jitter {rate} Hz", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
            progress(load_word(control, DONE) / len(latencies))
    finally:
        store_word(control, RUN, 0)
        thread.join()
    done = latencies[: load_word(control, DONE)]
    quantiles = np.quantile(done, [0.5, 0.99, 0.999, 1.0]) * 1e-9 if len(done) else np.full(4, np.nan)
    p50, p99, p999, worst = (float(value) for value in quantiles)
    return Jitter(rate, len(done), int(result["missed"]), p50, p99, p999, worst, result["fifo"], steal_time() - steal)


def take_priority() -> bool:
    """SCHED_FIFO for the calling thread if it is permitted, else no timer slack; both end with the thread."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        return False
    return True


def steal_time() -> float:
    """Time [s] that the hypervisor has kept from all processors since they started; NaN if the system does not tell."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return float("nan")
