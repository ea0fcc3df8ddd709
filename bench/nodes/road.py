"""What the road is where: rectangular patches, each with a friction or a grade of its own, over the road of the stimulus.

Later patches lie over earlier ones. A patch that leaves something open (NaN) leaves what is below it. A patch of squares lies on
every other square of a checkerboard, the one that begins at the origin among them.
"""

import math

from firmware_model.kernel import kernel

# Columns of the table, float64 (n, COLUMNS). Lengths from where the scenario begins, x forward, y left.
(
    X_FROM,  # [m]
    X_TO,  # [m]
    Y_FROM,  # [m]
    Y_TO,  # [m]
    FRICTION,  # [1]
    GRADE,  # [rad] positive uphill
    SQUARE,  # [m] side of the squares; NaN: all of the patch
) = range(7)
COLUMNS = 7


@kernel
def value_at(patches, x, y, column, below):
    """Value of ``column`` at ``x``, ``y`` [m]; ``below`` where no patch has one."""
    for row in range(len(patches) - 1, -1, -1):
        inside = patches[row, X_FROM] <= x < patches[row, X_TO] and patches[row, Y_FROM] <= y < patches[row, Y_TO]
        if inside and not math.isnan(patches[row, column]) and is_covered(x, y, patches[row, SQUARE]):
            return patches[row, column]
    return below


@kernel
def is_covered(x, y, square):
    """Whether ``x``, ``y`` [m] is on a covered square of a checkerboard with that side [m]; without squares all is covered."""
    if math.isnan(square):
        return True
    return (math.floor(x / square) + math.floor(y / square)) % 2 == 0
