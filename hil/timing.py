"""How a real-time loop keeps its time: its settings, the grid of its periods, and what it tells about both."""

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from firmware_model.kernel import integer, kernel, new, real, record
from hil.errors import UsageError
from hil.histogram import Histogram, count_time

PERIOD_MIN, PERIOD_MAX = 100_000, 1_000_000_000  # [ns]


class Overrun(IntEnum):
    """What a loop does that comes late by whole periods, because one took too long or because nobody woke it."""

    SKIP = 0  # leaves them out; the grid stays
    CATCH_UP = 1  # runs them one after the other, as far as allowed, and leaves out the rest
    STOP = 2  # leaves them out, too, and whoever has started it ends the run


CATCH_UP = int(Overrun.CATCH_UP)


@dataclass(frozen=True)
class LoopSettings:
    """How a loop is to run. Raises UsageError if a value is outside its range."""

    period: int = 1_000_000  # [ns]
    sample_every: int = 10  # periods from sample to sample
    priority: int = 80  # of SCHED_FIFO; 0: ordinary scheduling
    processor: int | None = None  # of the loop; None: the last one
    spin: int = 0  # [ns] before each deadline in which the loop watches the clock instead of sleeping
    overrun: Overrun = Overrun.SKIP
    catch_up: int = 10  # periods that may be made up for at once
    lock_memory: bool = True

    def __post_init__(self) -> None:
        # A thread that never sleeps is stopped by the kernel for 50 ms of each second (sched_rt_runtime_us).
        ranges = {
            "period": (PERIOD_MIN, PERIOD_MAX),
            "sample_every": (1, 1_000_000),
            "priority": (0, 99),
            "spin": (0, self.period // 2),
            "catch_up": (1, 1000),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"loop: {name} = {getattr(self, name)}: allowed is {low} to {high}")
        if self.processor is not None and not 0 <= self.processor < (os.cpu_count() or 1):
            raise UsageError(f"loop: processor = {self.processor}: allowed is 0 to {(os.cpu_count() or 1) - 1}")

    @property
    def rights(self) -> dict[str, Any]:
        """What of it is for hil.scheduling."""
        return {"priority": self.priority, "processor": self.processor, "lock_memory": self.lock_memory}

    def record(self) -> Any:
        """What the compiled loop needs of it; one-element recarray."""
        parameters = new(LoopParameters)
        for name in parameters.dtype.names:
            parameters[name] = int(getattr(self, name))
        return parameters


@record
class LoopParameters:
    """Settings as the compiled loop reads them."""

    period = integer("period [ns]", minimum=PERIOD_MIN, maximum=PERIOD_MAX)
    sample_every = integer("periods from sample to sample", minimum=1)
    spin = integer("time before each deadline in which the clock is watched [ns]")
    overrun = integer("see Overrun", maximum=2)
    catch_up = integer("periods that may be made up for at once")


@record
class LoopStatistics:
    """How the loop kept its time."""

    periods = integer("periods run")
    cycle_slips = integer("whole periods left out because the one before took too long or the wake-up came too late")
    caught_up = integer("periods that ran a whole period or more after their time")
    latency = Histogram  # from deadline to wake-up
    execution = Histogram  # of one period


@record
class LoopMeasurements:
    """What a loop tells with each sample."""

    latency = real("s", "wake-up after the deadline, in the period before")
    execution = real("s", "execution time, of the period before")
    cycle_slips = integer("whole periods left out so far")
    caught_up = integer("periods run late by a whole one or more, so far")
    frames_lost = integer("frames lost so far: in full rings, dropped by the kernel, or not sent in time")
    samples_lost = integer("samples lost so far because nobody took them")
    buses_lost = integer("bit n: bus n of the network carries no frames")


@kernel
def keep_grid(deadline, woken, parameters, statistics):
    """The deadline [ns] that the loop, woken for ``deadline``, is to serve now: later by the periods that are left out."""
    latency = woken - deadline
    count_time(statistics.latency, latency)
    late = latency // parameters.period
    if late <= 0:
        return deadline
    left_out = late
    if parameters.overrun == CATCH_UP:
        left_out = max(0, late - parameters.catch_up)
        statistics.caught_up += 1
    statistics.cycle_slips += left_out
    return deadline + left_out * parameters.period


@kernel
def finish_period(deadline, woken, now, statistics, measurements):
    """Book a period that served ``deadline``, was woken and is done ``now`` [ns]."""
    statistics.periods += 1
    count_time(statistics.execution, now - woken)
    measurements.latency = (woken - deadline) * 1e-9
    measurements.execution = (now - woken) * 1e-9
    measurements.cycle_slips = statistics.cycle_slips
    measurements.caught_up = statistics.caught_up
