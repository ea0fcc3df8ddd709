"""The one decorator of all compiled kernels, and their settings.

``error_model="numpy"``: a division by zero gives infinity, which reaches the fault bits; it never raises.
No ``fastmath``: NaN must reach the fault bits, and results must repeat to the bit.
``_nrt=False``: without numba's run-time for allocation. A kernel that allocates is not compiled, and references of arrays that
kernels hand on are not counted, which took a quarter of the time.
"""

from collections.abc import Callable
from typing import Any

import numba

from firmware_model.kernel.cache import cache_directory

CACHE_DIRECTORY = cache_directory()

# Every kernel by name, in the order of declaration: the progress display counts against it.
KERNELS: list[str] = []


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on its first call: no Python inside, no GIL, cached on disk under the hash of the sources."""
    KERNELS.append(function.__qualname__)
    # The cache's place is read by numba while it decorates; other libraries' functions keep their own.
    settings: Any = numba.config
    previous = settings.CACHE_DIR
    settings.CACHE_DIR = str(CACHE_DIRECTORY / "numba")
    try:
        # numba's options include _nrt, its type stubs do not: hence the exception from the check of types.
        return numba.njit(function, cache=True, nogil=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
    finally:
        settings.CACHE_DIR = previous
