from itertools import combinations, product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter import COMPILED, examples, needs_compiler

from firmware_model.quadratic_program import CONSTRAINTS, QuadraticProgram, solve

N = 6
ITERATIONS_MAX = 24
FAR = 1e6  # a bound that never holds
seeds = st.integers(0, 2**32 - 1)


def make(hessian, linear, rows=None, lower=-FAR, upper=FAR):
    """A problem, with 12 bounds each way: of the variables, then of the rows."""
    p = QuadraticProgram.new()[0]
    p.hessian[:] = np.tril(hessian)  # only this triangle counts
    p.linear[:] = linear
    p.rows[:] = np.zeros((6, N)) if rows is None else rows
    p.lower[:] = lower
    p.upper[:] = upper
    return p


def random_hessian(rng, condition=100.0):
    """Symmetric, positive definite, with eigenvalues from 1 to ``condition``."""
    q, _ = np.linalg.qr(rng.normal(size=(N, N)))
    return q @ np.diag(condition ** rng.uniform(0.0, 1.0, N)) @ q.T


def random_problem(seed, bounded, condition=100.0):
    """A problem whose minimum violates some of its ``bounded`` two-sided constraints, which some point keeps all."""
    rng = np.random.default_rng(seed)
    hessian, linear, rows = random_hessian(rng, condition), rng.normal(size=N, scale=30.0), rng.normal(size=(6, N))
    inside = np.vstack((np.eye(N), rows)) @ rng.normal(size=N)
    lower, upper = np.full(CONSTRAINTS, -FAR), np.full(CONSTRAINTS, FAR)
    for k in rng.permutation(CONSTRAINTS)[:bounded]:
        lower[k], upper[k] = inside[k] - rng.uniform(0.0, 1.0), inside[k] + rng.uniform(0.0, 1.0)
    return hessian, linear, rows, lower, upper


def objective(hessian, linear, x):
    return 0.5 * x @ hessian @ x - linear @ x


def enumerated(hessian, linear, rows, lower, upper):
    """The twin: of the minima for every choice of active constraints, the best one that keeps all of them."""
    normals = np.vstack((np.eye(N), rows))
    bounded = [k for k in range(CONSTRAINTS) if upper[k] < FAR]
    best, best_value = None, inf
    for count in range(min(len(bounded), N) + 1):
        for chosen in combinations(bounded, count):
            a = normals[list(chosen)]
            system = np.block([[hessian, a.T], [a, np.zeros((count, count))]])
            sides = np.array(list(product(*((lower[k], upper[k]) for k in chosen)))).reshape(2**count, count)
            right = np.hstack((np.tile(linear, (len(sides), 1)), sides))
            for x in np.linalg.solve(system, right.T).T[:, :N]:
                value = normals @ x
                if (value > lower - 1e-9).all() and (value < upper + 1e-9).all() and objective(hessian, linear, x) < best_value:
                    best, best_value = x, objective(hessian, linear, x)
    return best


@pytest.mark.parametrize("seed", range(12 if COMPILED else 3))
@pytest.mark.parametrize("bounded", [1, 4, 7])
def test_the_solution_is_the_best_of_all_choices_of_active_constraints(seed, bounded):
    problem = random_problem(seed, bounded)
    p = make(*problem)
    assert solve(p)
    assert p.x == pytest.approx(enumerated(*problem), abs=1e-5)


@examples(200)
@given(seeds, st.integers(0, CONSTRAINTS), st.sampled_from([1.0, 1e3, 1e6]))
def test_the_solution_keeps_the_conditions_of_karush_kuhn_and_tucker(seed, bounded, condition):
    """They are sufficient, since the problem is convex: no twin is needed for any size of it."""
    hessian, linear, rows, lower, upper = random_problem(seed, bounded, condition)
    p = make(hessian, linear, rows, lower, upper)
    if not solve(p):
        assert p.iterations == ITERATIONS_MAX
        return
    normals = np.vstack((np.eye(N), rows))
    value = normals @ p.x
    assert (value >= lower - 1e-6 * (1.0 + abs(lower))).all()
    assert (value <= upper + 1e-6 * (1.0 + abs(upper))).all()
    at_lower, at_upper = abs(value - lower) < 2e-6 * (1.0 + abs(lower)), abs(value - upper) < 2e-6 * (1.0 + abs(upper))
    active = np.vstack((normals[at_lower], -normals[at_upper]))
    gradient = hessian @ p.x - linear
    multipliers = np.linalg.lstsq(active.T, gradient, rcond=None)[0]
    scale = 1.0 + np.linalg.norm(linear)
    assert active.T @ multipliers == pytest.approx(gradient, abs=1e-5 * scale)
    assert (multipliers >= -1e-5 * scale).all()


@examples(200)
@given(seeds, st.integers(0, CONSTRAINTS), seeds, st.integers(0, CONSTRAINTS))
def test_what_was_solved_before_changes_the_way_to_a_solution_and_not_the_solution(before, bounded_before, seed, bounded):
    p = make(*random_problem(before, bounded_before))
    solve(p)
    fresh = make(*random_problem(seed, bounded))
    p.hessian[:], p.linear[:], p.rows[:], p.lower[:], p.upper[:] = (
        fresh.hessian,
        fresh.linear,
        fresh.rows,
        fresh.lower,
        fresh.upper,
    )
    if solve(p) and solve(fresh):
        assert p.x == pytest.approx(fresh.x, abs=1e-5 * (1.0 + abs(fresh.x).max()))


def test_a_problem_like_the_last_one_takes_fewer_steps():
    first = again = 0
    for seed in range(60):
        p = make(*random_problem(seed, 10))
        if solve(p):
            first += p.iterations
            p.linear *= 1.02
            solve(p)
            again += p.iterations
    assert again < 0.8 * first


@needs_compiler
def test_the_bound_on_iterations_is_met_by_hardly_any_problem():
    """Of problems all of whose constraints are within reach of the minimum; the allocation's are far simpler."""
    assert sum(not solve(make(*random_problem(seed, CONSTRAINTS, 1e3))) for seed in range(2000)) < 20


@given(seeds)
def test_without_a_violated_constraint_nothing_is_iterated(seed):
    rng = np.random.default_rng(seed)
    hessian, linear = random_hessian(rng), rng.normal(size=N, scale=30.0)
    p = make(hessian, linear, rng.normal(size=(6, N)))
    assert solve(p)
    assert p.iterations == 0
    assert p.x == pytest.approx(np.linalg.solve(hessian, linear))


@given(st.lists(st.floats(-100, 100), min_size=N, max_size=N), st.lists(st.floats(0.5, 20), min_size=N, max_size=N))
def test_variables_that_know_nothing_of_each_other_are_clipped(linear, stiffness):
    p = make(np.diag(stiffness), linear, lower=-2.0, upper=3.0)
    assert solve(p)
    assert p.x == pytest.approx(np.clip(np.divide(linear, stiffness), -2.0, 3.0), abs=1e-6)


def test_one_row_projects_the_minimum_onto_its_plane():
    a, wanted = np.array([1.0, 2.0, 0.0, -1.0, 0.0, 3.0]), np.arange(1.0, 7.0)
    p = make(np.eye(N), wanted, np.vstack((a, np.zeros((5, N)))), upper=[*[FAR] * N, 4.0, *[FAR] * 5])
    assert solve(p)
    assert p.x == pytest.approx(wanted - a * (a @ wanted - 4.0) / (a @ a))
    assert p.iterations == 1


def test_a_constraint_that_is_no_longer_needed_is_let_go():
    """x_0 is driven to its bound by the first row alone, and released by the second one."""
    rows = np.zeros((6, N))
    rows[0, :2] = (1.0, 1.0)
    rows[1, :2] = (0.1, 1.0)
    lower = np.full(CONSTRAINTS, -FAR)
    lower[N : N + 2] = (10.0, 9.9)
    p = make(np.eye(N), np.zeros(N), rows, lower)
    assert solve(p)
    assert p.iterations == 3  # the first row, the second row, the first one let go
    assert p.x[:2] == pytest.approx(np.array([0.1, 1.0]) * 9.9 / 1.01)


@pytest.mark.parametrize("copies", [2, 6])
def test_the_same_constraint_told_twice_does_no_harm(copies):
    rows = np.zeros((6, N))
    rows[:copies, 0] = 1.0
    p = make(np.eye(N), np.full(N, 5.0), rows, upper=[FAR] * N + [1.0] * 6)
    assert solve(p)
    assert p.x == pytest.approx([1.0, 5.0, 5.0, 5.0, 5.0, 5.0])


def test_an_equation_is_a_constraint_with_two_equal_sides():
    rows = np.zeros((6, N))
    rows[0] = 1.0
    p = make(np.eye(N), np.zeros(N), rows, [-FAR] * N + [6.0] + [-FAR] * 5, [FAR] * N + [6.0] + [FAR] * 5)
    assert solve(p)
    assert p.x == pytest.approx(np.ones(N))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_constraints_that_contradict_each_other_are_told(scale):
    rows = np.zeros((6, N))
    rows[0] = 1.0
    p = make(np.eye(N), np.zeros(N), rows, [0.0] * N + [7.0 * scale] + [-FAR] * 5, [scale] * N + [FAR] * 6)
    assert not solve(p)
    assert np.isfinite(p.x).all()
    assert p.x.sum() == pytest.approx(7.0 * scale)  # what was violated most is kept


@given(seeds, st.floats(0.01, 100.0))
def test_bounds_in_the_wrong_order_are_told_and_leave_finite_numbers(seed, gap):
    problem = random_problem(seed, 8)
    lower, upper = problem[3], problem[4]
    k = int(np.flatnonzero(upper < FAR)[0])
    lower[k] = upper[k] + gap
    p = make(*problem)
    assert not solve(p)
    assert np.isfinite(p.x).all()
    assert p.iterations <= ITERATIONS_MAX


@examples(300)
@given(seeds, st.lists(st.tuples(st.integers(0, 89), st.sampled_from([nan, inf, -inf, 0.0, 1e300, -1e300])), max_size=8))
def test_whatever_is_asked_the_number_of_iterations_is_bounded(seed, spoilt):
    p = make(*random_problem(seed, CONSTRAINTS))
    values = [p.hessian.reshape(-1), p.linear, p.rows.reshape(-1), p.lower, p.upper]
    offsets = np.cumsum([0, *map(len, values)])
    for place, value in spoilt:
        which = int(np.searchsorted(offsets, place, "right")) - 1
        if which < len(values):
            values[which][place - offsets[which]] = value
    with np.errstate(all="ignore"):  # the interpreter would warn where compiled code goes on with NaN
        solve(p)
    assert 0 <= p.iterations <= ITERATIONS_MAX


@pytest.mark.parametrize("spoil", [0.0, -1.0, nan])
def test_an_objective_without_a_minimum_is_told_and_leaves_no_number(spoil):
    p = make(*random_problem(0, CONSTRAINTS))
    p.hessian[3, 3] = spoil
    assert not solve(p)
    assert np.isnan(p.x).all()
    assert p.iterations == 0
