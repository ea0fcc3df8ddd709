import numpy as np
import pytest
from interpreter import needs_compiler
from numba.core.errors import TypingError

from firmware_model.kernel import kernel

pytestmark = needs_compiler


@kernel
def sum_of_copy(values):
    return values.copy().sum()


def test_a_kernel_that_allocates_is_not_compiled() -> None:
    with pytest.raises(TypingError):
        sum_of_copy(np.arange(4.0))


def test_division_by_zero_and_what_is_not_a_number_come_through() -> None:
    @kernel
    def ratio(a, b):
        return a / b

    assert ratio(1.0, 0.0) == np.inf
    assert np.isnan(ratio(0.0, 0.0))
