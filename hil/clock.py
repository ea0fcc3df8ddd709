"""The monotonic clock and sleeping until an absolute time, from compiled code that never touches Python."""

import sys
from typing import Any

import numpy as np
from numba import types

from firmware_model.kernel import kernel
from hil.errors import UsageError

CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1
TIMER_ABSTIME = 1

# clock_nanosleep with an absolute deadline is what keeps the grid free of drift; macOS and Windows do not have it.
AVAILABLE = sys.platform == "linux"


def require() -> None:
    """Raises UsageError where the platform has no absolute sleep."""
    if not AVAILABLE:
        raise UsageError("the real-time loop needs Linux (clock_nanosleep); run without --realtime here")


# numba's own annotations do not know that such a function can be called.
_clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.uintp))
_clock_nanosleep: Any = types.ExternalFunction("clock_nanosleep", types.int32(types.int32, types.int32, types.uintp, types.uintp))


@kernel
def read_clock(clock, timespec):
    """Time of ``clock`` [ns]; ``timespec`` is scratch memory, int64 (2,)."""
    _clock_gettime(np.int32(clock), np.uintp(timespec.ctypes.data))
    return timespec[0] * 1_000_000_000 + timespec[1]


@kernel
def monotonic(timespec):
    """CLOCK_MONOTONIC [ns]."""
    return read_clock(CLOCK_MONOTONIC, timespec)


@kernel
def wall_clock_lead(timespec):
    """How far CLOCK_REALTIME, in which the kernel stamps frames, is before CLOCK_MONOTONIC [ns]; it changes when it is set."""
    return read_clock(CLOCK_REALTIME, timespec) - monotonic(timespec)


@kernel
def sleep_until(deadline, timespec):
    """Sleep until CLOCK_MONOTONIC reaches ``deadline`` [ns]; a signal does not end it early. Returns the time after it [ns]."""
    now = monotonic(timespec)
    while now < deadline:
        timespec[0] = deadline // 1_000_000_000
        timespec[1] = deadline % 1_000_000_000
        _clock_nanosleep(np.int32(CLOCK_MONOTONIC), np.int32(TIMER_ABSTIME), np.uintp(timespec.ctypes.data), np.uintp(0))
        now = monotonic(timespec)
    return now


@kernel
def wake_at(deadline, spin, timespec):
    """Sleep until ``spin`` [ns] before ``deadline`` [ns], then watch the clock until it is reached. Returns the time then [ns].

    Waking takes the processor some 10 µs from its idle state; who spins has that behind him.
    """
    now = sleep_until(deadline - spin, timespec)
    while now < deadline:
        now = monotonic(timespec)
    return now
