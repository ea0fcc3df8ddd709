"""Quadratic program of the control allocation: the dual active-set method of Goldfarb and Idnani.

    minimise  x' H x / 2 - g' x      subject to  lower <= (x, A x) <= upper,      H symmetric and positive definite

(D. Goldfarb, A. Idnani, Math. Programming 27 (1983) 1). It starts from the unconstrained minimum and takes up one violated
constraint after the other: those of the last solution first, which are likely to be right again, then the worst; on the way a
constraint whose multiplier would turn negative is let go. Every iterate is the minimum for the constraints taken so far, so
that where nothing is in conflict nothing is iterated, and a solution cut short by the iteration bound is the best one for the
constraints that it has come to.

H^-1 = J J'; the first q columns of J span the normals of the active constraints: J' N = (R, 0)'.
"""

from math import nan, sqrt
from typing import Any

from firmware_model.kernel import integer, kernel, real, record

VARIABLES = 6
ROWS = 6  # of A; each has two sides, as each variable has
CONSTRAINTS = VARIABLES + ROWS
ITERATIONS_MAX = 24  # constraints taken up and let go together
VIOLATION_TOLERANCE = 1e-7  # of a constraint, relative to its bound
# Of a direction that is left for a constraint, as share of its normal, squared: far below the ratio of the objective's weights.
DIRECTION_TOLERANCE = 1e-13
FREE = -1  # no constraint


@record
class QuadraticProgram:
    """One problem, and the memory to solve it in; constraint k is variable k, then row k - VARIABLES of A."""

    hessian = real("1", "H; its lower triangle counts", shape=(VARIABLES, VARIABLES))
    linear = real("1", "g", shape=(VARIABLES,))
    rows = real("1", "A", shape=(ROWS, VARIABLES))
    lower = real("1", "lower bounds of variables and rows", shape=(CONSTRAINTS,))
    upper = real("1", "upper bounds of variables and rows", shape=(CONSTRAINTS,))
    x = real("1", "solution", shape=(VARIABLES,))
    iterations = integer("constraints taken up and let go on the way to the solution")
    # Working memory
    factor = real("1", "Cholesky factor L of H", shape=(VARIABLES, VARIABLES))
    j = real("1", "J", shape=(VARIABLES, VARIABLES))
    r = real("1", "R, upper triangle", shape=(VARIABLES, VARIABLES))
    count = integer("how many constraints are active")
    expected = integer("those of the last solution, which are tried first", shape=(VARIABLES,))
    active = integer("active constraints, in the order of R's columns", shape=(VARIABLES,))
    side = real("1", "1 for each that is active at its lower bound, -1 at its upper one", shape=(VARIABLES,))
    multiplier = real("1", "their multipliers", shape=(VARIABLES,))
    value = real("1", "values of variables and rows at x", shape=(CONSTRAINTS,))
    normal = real("1", "normal of the constraint that is being taken up", shape=(VARIABLES,))
    d = real("1", "J' normal", shape=(VARIABLES,))
    free = real("1", "the part of it that the active constraints leave free", shape=(VARIABLES,))
    step = real("1", "direction of x", shape=(VARIABLES,))
    dual_step = real("1", "direction of the multipliers", shape=(VARIABLES,))


@kernel
def solve(p: Any) -> bool:
    """Solve the problem in ``p`` (QuadraticProgram); false if its constraints contradict each other or the bound was met.

    False, too, and a solution that is not a number, if H is not positive definite: then there is none.
    """
    p.iterations = 0
    if not _factorise(p):
        for i in range(VARIABLES):
            p.x[i] = nan
        return False
    expected = p.count
    for i in range(VARIABLES):
        p.expected[i] = p.active[i]
    p.count = 0
    tried = 0
    while p.iterations < ITERATIONS_MAX:
        _set_values(p)
        k, side, excess = FREE, 1.0, 0.0
        while k == FREE and tried < expected:
            k, side, excess = _violated(p.expected[tried], p)
            tried += 1
        if k == FREE:
            k, side, excess = _most_violated(p)
        if k == FREE:
            return True
        _set_normal(k, side, p)
        added, p.count = _take_up(k, side, excess, p.count, p)
        if not added:
            return False
    return False


@kernel
def _factorise(p: Any) -> bool:
    """L of H = L L', J = L'^-1, and the unconstrained minimum x = J J' g; false if H is not positive definite."""
    h, factor, j = p.hessian, p.factor, p.j
    for i in range(VARIABLES):
        for k in range(i + 1):
            total = h[i, k]
            for m in range(k):
                total -= factor[i, m] * factor[k, m]
            if i == k and not total > 0.0:
                return False
            factor[i, k] = sqrt(total) if i == k else total / factor[k, k]
    # Column k of J solves L' column = unit vector k, upwards from row k.
    for k in range(VARIABLES):
        for i in range(VARIABLES - 1, k, -1):
            j[i, k] = 0.0
        j[k, k] = 1.0 / factor[k, k]
        for i in range(k - 1, -1, -1):
            total = 0.0
            for m in range(i + 1, k + 1):
                total -= factor[m, i] * j[m, k]
            j[i, k] = total / factor[i, i]
    for k in range(VARIABLES):
        total = 0.0
        for i in range(k + 1):
            total += j[i, k] * p.linear[i]
        p.d[k] = total
    for i in range(VARIABLES):
        total = 0.0
        for k in range(i, VARIABLES):
            total += j[i, k] * p.d[k]
        p.x[i] = total
    return True


@kernel
def _most_violated(p: Any) -> tuple[int, float, float]:
    """The constraint that x violates most, its side, and by how much; FREE if none."""
    worst, side, excess = FREE, 1.0, 0.0
    for k in range(CONSTRAINTS):
        below, above = p.lower[k] - p.value[k], p.value[k] - p.upper[k]
        if below > excess and below > VIOLATION_TOLERANCE * (1.0 + abs(p.lower[k])):
            worst, side, excess = k, 1.0, below
        if above > excess and above > VIOLATION_TOLERANCE * (1.0 + abs(p.upper[k])):
            worst, side, excess = k, -1.0, above
    return worst, side, excess


@kernel
def _violated(k: int, p: Any) -> tuple[int, float, float]:
    """Constraint ``k``, its side and by how much x violates it; FREE if it does not."""
    below, above = p.lower[k] - p.value[k], p.value[k] - p.upper[k]
    if below > VIOLATION_TOLERANCE * (1.0 + abs(p.lower[k])):
        return k, 1.0, below
    if above > VIOLATION_TOLERANCE * (1.0 + abs(p.upper[k])):
        return k, -1.0, above
    return FREE, 1.0, 0.0


@kernel
def _set_values(p: Any) -> None:
    """Values of all constraints at x."""
    for k in range(VARIABLES):
        p.value[k] = p.x[k]
    for row in range(ROWS):
        total = 0.0
        for i in range(VARIABLES):
            total += p.rows[row, i] * p.x[i]
        p.value[VARIABLES + row] = total


@kernel
def _set_normal(k: int, side: float, p: Any) -> None:
    """Normal of constraint ``k``, pointing to where it holds."""
    for i in range(VARIABLES):
        p.normal[i] = 0.0
    if k < VARIABLES:
        p.normal[k] = side
    else:
        for i in range(VARIABLES):
            p.normal[i] = side * p.rows[k - VARIABLES, i]


@kernel
def _take_up(k: int, side: float, excess: float, q: int, p: Any) -> tuple[bool, int]:
    """Move to where constraint ``k`` holds, too, letting others go on the way; whether that was possible, and the new q."""
    multiplier = 0.0
    while p.iterations < ITERATIONS_MAX:
        p.iterations += 1
        slope = _direction(q, p)
        blocking, t_dual = _longest_dual_step(q, p)
        t_full = excess / slope if slope > 0.0 else -1.0
        if t_full < 0.0 and blocking == FREE:
            return False, q
        partial = blocking != FREE and (t_full < 0.0 or t_dual < t_full)
        t = t_dual if partial else t_full
        if t_full >= 0.0:
            for i in range(VARIABLES):
                p.x[i] += t * p.step[i]
            excess -= t * slope
        for i in range(q):
            p.multiplier[i] -= t * p.dual_step[i]
        multiplier += t
        if not partial:
            _append(k, side, multiplier, q, p)
            return True, q + 1
        q = _let_go(blocking, q, p)
    return False, q


@kernel
def _direction(q: int, p: Any) -> float:
    """Directions of x and of the multipliers for the normal; by how much the constraint closes per unit step, 0 if it cannot."""
    length = 0.0
    for k in range(VARIABLES):
        total = 0.0
        for i in range(VARIABLES):
            total += p.j[i, k] * p.normal[i]
        p.d[k] = total
        length += total * total
    slope = 0.0
    for k in range(VARIABLES):
        p.free[k] = p.d[k] if k >= q else 0.0
        slope += p.free[k] * p.free[k]
    for i in range(VARIABLES):
        total = 0.0
        for k in range(VARIABLES):
            total += p.j[i, k] * p.free[k]
        p.step[i] = total
    for i in range(q - 1, -1, -1):
        total = p.d[i]
        for k in range(i + 1, q):
            total -= p.r[i, k] * p.dual_step[k]
        p.dual_step[i] = total / p.r[i, i]
    return slope if slope > DIRECTION_TOLERANCE * length else 0.0


@kernel
def _longest_dual_step(q: int, p: Any) -> tuple[int, float]:
    """The active constraint whose multiplier reaches zero first, and the step after which it does; FREE if none."""
    blocking, shortest = FREE, 0.0
    for i in range(q):
        if p.dual_step[i] > 0.0:
            t = p.multiplier[i] / p.dual_step[i]
            if blocking == FREE or t < shortest:
                blocking, shortest = i, t
    return blocking, shortest


@kernel
def _append(k: int, side: float, multiplier: float, q: int, p: Any) -> None:
    """Make constraint ``k`` the active one number ``q``: reflect the other columns of J so that J' normal ends at ``q``.

    A Householder reflection needs one root, where rotations would need one after the other.
    """
    squares = 0.0
    for i in range(VARIABLES):
        squares += p.free[i] * p.free[i]
    length = sqrt(squares)
    end = -length if p.d[q] > 0.0 else length  # of the sign with which no digits are lost
    scale = 1.0 / (squares - end * p.d[q])
    p.free[q] -= end
    for m in range(VARIABLES):
        along = p.step[m] - end * p.j[m, q]
        for i in range(VARIABLES):
            p.j[m, i] -= scale * along * p.free[i]
    p.d[q] = end
    for i in range(q + 1):
        p.r[i, q] = p.d[i]
    p.active[q] = k
    p.side[q] = side
    p.multiplier[q] = multiplier


@kernel
def _let_go(leaving: int, q: int, p: Any) -> int:
    """Take the active constraint number ``leaving`` out and rotate R back to a triangle; the new q."""
    for k in range(leaving, q - 1):
        p.active[k], p.side[k], p.multiplier[k] = p.active[k + 1], p.side[k + 1], p.multiplier[k + 1]
        for i in range(k + 2):
            p.r[i, k] = p.r[i, k + 1]
        a, b = p.r[k, k], p.r[k + 1, k]
        h = sqrt(a * a + b * b)
        c, s = (a / h, b / h) if h > 0.0 else (1.0, 0.0)
        p.r[k, k] = h
        for m in range(k + 2, q):
            upper, lower = p.r[k, m], p.r[k + 1, m]
            p.r[k, m] = c * upper + s * lower
            p.r[k + 1, m] = c * lower - s * upper
        for m in range(VARIABLES):
            left, right = p.j[m, k], p.j[m, k + 1]
            p.j[m, k] = c * left + s * right
            p.j[m, k + 1] = c * right - s * left
    return q - 1
