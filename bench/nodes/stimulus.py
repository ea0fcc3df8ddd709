"""What a scenario asks of driver and road over time: a table, one row a point in time, linear in between."""

import math

from firmware_model.kernel import kernel

# Columns of the table, float64 (n, COLUMNS). NaN in a pedal: the driver keeps the speed of column SPEED.
# NaN in the steering: the driver follows the path.
(
    TIME,  # [s]
    ACCELERATOR,  # [1]
    BRAKE,  # [1]
    STEERING,  # steering-wheel angle [rad]
    SPEED,  # [m/s]
    GEAR,  # firmware_model.signals.Gear; holds from its row on
    GRADE,  # [rad]
    FRICTION_LEFT,  # [1]
    FRICTION_RIGHT,  # [1]
    HEADWIND,  # [m/s] against the direction in which the scenario begins
    CROSSWIND,  # [m/s] from the right to the left of it
) = range(11)
COLUMNS = 11


@kernel
def find_row(table, time, row):
    """Row from which ``time`` [s] is to be interpolated; ``row`` is where the last search ended, for time moves on."""
    last = len(table) - 1
    if time < table[row, TIME]:
        row = 0
    while row < last and table[row + 1, TIME] <= time:
        row += 1
    return row


@kernel
def look_up(table, row, time, column):
    """Value of ``column`` at ``time`` [s]: linear between rows, held before the first and after the last."""
    here = table[row, column]
    if row == len(table) - 1 or time <= table[row, TIME]:
        return here
    there = table[row + 1, column]
    if math.isnan(there):
        return here
    share = (time - table[row, TIME]) / (table[row + 1, TIME] - table[row, TIME])
    return here + share * (there - here)


@kernel
def slope(table, row, column):
    """Rate of change of ``column`` after ``row`` [1/s]; zero after the last row, and where the value jumps."""
    if row == len(table) - 1 or table[row + 1, TIME] <= table[row, TIME]:
        return 0.0
    rate = (table[row + 1, column] - table[row, column]) / (table[row + 1, TIME] - table[row, TIME])
    return 0.0 if math.isnan(rate) else rate
