"""How late this machine wakes a loop: one that does nothing but wake up, at the rights that the others get."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_model.kernel import kernel, new
from hil.clock import wake_at
from hil.ring import CONTROL_WORDS, load_word, store_word
from hil.scheduling import Finding, Scheduling
from hil.timing import LoopSettings, LoopStatistics, keep_grid

RUN = 0
START_DELAY = 5_000_000  # [ns]
LOOK = 0.1  # [s] between two reports of progress


@dataclass(frozen=True)
class WakeUps:
    """How a loop that only wakes up kept its time."""

    statistics: Any  # LoopStatistics
    findings: list[Finding]  # with which rights
    steal: float  # [s] that the hypervisor kept from all processors meanwhile; NaN if it does not say


@kernel
def beat(origin, end, parameters_array, control, statistics_array, timespec):
    """Wake up in every period from ``origin`` to ``end`` [ns, CLOCK_MONOTONIC], or until asked to stop."""
    parameters = parameters_array[0]
    statistics = statistics_array[0]
    deadline = origin
    while deadline < end and load_word(control, RUN):
        deadline += parameters.period
        woken = wake_at(deadline, parameters.spin, timespec)
        deadline = keep_grid(deadline, woken, parameters, statistics)
        statistics.periods += 1


def measure_wake_ups(seconds: float, settings: LoopSettings, progress: Callable[[float], None] = lambda share: None) -> WakeUps:
    """Wake up for ``seconds``; ``progress`` is told the share that is over, and may raise to end it."""
    statistics = new(LoopStatistics)
    control = np.zeros(CONTROL_WORDS, dtype=np.int64)
    parameters, timespec = settings.record(), np.zeros(2, dtype=np.int64)
    beat(0, 0, parameters, control, statistics, timespec)  # compiled
    store_word(control, RUN, 1)
    steal = steal_time()
    with Scheduling(**settings.rights) as scheduling:

        def run() -> None:
            scheduling.join()
            origin = time.monotonic_ns() + START_DELAY
            beat(origin, origin + round(seconds * 1e9), parameters, control, statistics, timespec)

        thread = threading.Thread(target=run, name="wake-ups", daemon=True)
        begin = time.monotonic()
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK)
                progress(min(1.0, (time.monotonic() - begin) / seconds))
        finally:
            store_word(control, RUN, 0)
            thread.join()
    return WakeUps(statistics[0], scheduling.findings, steal_time() - steal)


def steal_time() -> float:
    """Time [s] that the hypervisor has kept from all processors since they started; NaN if the system does not tell."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return float("nan")
