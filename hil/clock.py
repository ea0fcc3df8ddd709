"""The monotonic clock and sleeping until an absolute time, from compiled code that never touches Python."""

import sys
from typing import Any

import numpy as np
from numba import types

from firmware_model.kernel import kernel

CLOCK_MONOTONIC = 1
TIMER_ABSTIME = 1

# clock_nanosleep with an absolute deadline is what keeps the grid free of drift; macOS and Windows do not have it.
AVAILABLE = sys.platform == "linux"

# numba's own annotations do not know that such a function can be called.
_clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.uintp))
_clock_nanosleep: Any = types.ExternalFunction("clock_nanosleep", types.int32(types.int32, types.int32, types.uintp, types.uintp))


@kernel
def monotonic(timespec):
    """CLOCK_MONOTONIC [ns]; ``timespec`` is scratch memory, int64 (2,)."""
    _clock_gettime(np.int32(CLOCK_MONOTONIC), np.uintp(timespec.ctypes.data))
    return timespec[0] * 1_000_000_000 + timespec[1]


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
