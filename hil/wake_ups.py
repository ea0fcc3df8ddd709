"""How late this machine wakes a loop: one that does nothing but wake up, at the rights that the others get."""

import threading
import time
from typing import Any

import numpy as np

from firmware_model.kernel import kernel, new
from hil.clock import wake_at
from hil.ring import CONTROL_WORDS, load_word, store_word
from hil.scheduling import Scheduling
from hil.timing import LoopSettings, LoopStatistics, keep_grid

RUN = 0
START_DELAY = 5_000_000  # [ns]


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
        if deadline < 0:
            break
        statistics.periods += 1


def measure_wake_ups(seconds: float, settings: LoopSettings) -> Any:
    """Wake up for ``seconds``; returns the LoopStatistics of it."""
    statistics = new(LoopStatistics)
    control = np.zeros(CONTROL_WORDS, dtype=np.int64)
    parameters, timespec = settings.record(), np.zeros(2, dtype=np.int64)
    beat(0, 0, parameters, control, statistics, timespec)  # compiled
    store_word(control, RUN, 1)
    with Scheduling(**settings.rights) as scheduling:

        def run() -> None:
            scheduling.join()
            origin = time.monotonic_ns() + START_DELAY
            beat(origin, origin + round(seconds * 1e9), parameters, control, statistics, timespec)

        thread = threading.Thread(target=run, name="wake-ups", daemon=True)
        thread.start()
        try:
            thread.join()
        finally:
            store_word(control, RUN, 0)
            thread.join()
    return statistics[0]
