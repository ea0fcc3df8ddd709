"""Whether kernels run compiled, or by the interpreter, thousands of times slower, for the coverage of their lines."""

import numba
import pytest
from hypothesis import settings

COMPILED = not numba.config.DISABLE_JIT
needs_compiler = pytest.mark.skipif(not COMPILED, reason="too long for the interpreter, which only counts the lines covered")


def examples(count):
    """So many examples of a property; in the interpreter a twentieth of them, enough to reach every line."""
    return settings(max_examples=count if COMPILED else max(count // 20, 3))
