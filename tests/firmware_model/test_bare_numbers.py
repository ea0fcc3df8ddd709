"""No kernel of a control law holds a number that an engineer would tune: that belongs into the calibration table.

What is left are numbers of arithmetic and geometry, indices, and the few that are listed here with their reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import firmware_model

DECLARATIONS = {"__init__", "calibration", "state", "measurements", "signals"}
LAWS = [path for path in sorted(Path(firmware_model.__file__).parent.glob("*.py")) if path.stem not in DECLARATIONS]

ARITHMETIC = {0, 1, 0.5, 2, 4}  # signs and switches, halves and doubles, 4ac of a quadratic, four wheels

EXCEPTIONS = {
    ("control_allocation._set_objective", 0.25): "mean of four wheels",
    ("discharge_limiter.predict", 3): "number of a prediction",
    ("state_of_power._room", 1.5): "straight line through two points, half a step ahead",
    ("wheel_slip._inertia", 0.25): "a wheel behind an open differential turns the motor at half its speed: squared",
}

CONSTANTS = {
    "control_allocation.FRONT_MOTOR": "index",
    "control_allocation.FIRST_TYRE": "index",
    "control_allocation.UNBOUNDED": "stands for no bound; infinity would spoil the arithmetic of the solver",
    "controller.RASTER_1MS": "the rasters are the list of tasks",
    "controller.RASTER_10MS": "the rasters are the list of tasks",
    "controller.RASTER_100MS": "the rasters are the list of tasks",
    "controller.TICKS_OF_100MS": "the rasters are the list of tasks",
    "discharge_limiter.HORIZONS": "named so by their measurements",
    "discharge_limiter.PREDICTIONS": "number of the horizons, in both directions",
    "faults.NONE": "no pattern",
    "faults.LASTING": "part of the table of reactions, which fills the calibration table",
    "faults.TABLE": "the table of reactions, which fills the calibration table",
    "pack_estimate.CHARGE_INTERVALS": "points of the curves in the table",
    "pack_estimate.TEMPERATURE_FIRST": "points of the curves in the table",
    "pack_estimate.TEMPERATURE_STEP": "points of the curves in the table",
    "pack_estimate.STATES": "size of the filter",
    "quadratic_program.VARIABLES": "size of the problem",
    "quadratic_program.ROWS": "size of the problem",
    "quadratic_program.ITERATIONS_MAX": "bound of the run time, which is no matter of the car",
    "quadratic_program.VIOLATION_TOLERANCE": "numerics",
    "quadratic_program.DIRECTION_TOLERANCE": "numerics",
    "quadratic_program.FREE": "stands for no constraint",
    "state_of_power.DISCHARGE": "sign",
    "state_of_power.CHARGE": "sign",
    "state_of_power.STEPS": "numerics, and bound of the run time",
    "state_of_power.WALKS": "numerics, and bound of the run time",
    "state_of_power.EXPECTED_SHARE": "numerics: where a search may begin",
    "state_of_power.ENOUGH": "numerics",
}

# Its constants bound what calibration may do to it: a monitor that calibration could switch off would be none.
INDEPENDENT = "torque_monitor"


def numbers(node: ast.AST) -> Iterator[float]:
    """Every numeric literal below ``node``, but for indices."""
    if isinstance(node, ast.Subscript):
        yield from numbers(node.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from numbers(child)


def kernels(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "kernel" for d in node.decorator_list):
            yield node


def bare_numbers(source: str, module: str) -> list[tuple[str, float]]:
    """Numbers in the kernels of ``source`` that are more than arithmetic, as kernel and value."""
    found = [(f"{module}.{kernel.name}", number) for kernel in kernels(ast.parse(source)) for number in numbers(kernel)]
    return [(kernel, number) for kernel, number in found if number not in ARITHMETIC]


def constants(source: str, module: str) -> list[str]:
    """Names of the module that are given numbers: a kernel could use them in place of the table."""
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    first_targets = [node.targets[0] if isinstance(node, ast.Assign) else node.target for node in assigned]
    return [
        f"{module}.{ast.unparse(target.elts[0] if isinstance(target, ast.Tuple) else target)}"
        for node, target in zip(assigned, first_targets, strict=True)
        if node.value and any(True for _ in numbers(node.value))
    ]


@pytest.mark.parametrize("path", LAWS, ids=lambda path: path.stem)
def test_no_kernel_holds_a_number_that_belongs_into_the_table(path: Path) -> None:
    assert [found for found in bare_numbers(path.read_text(), path.stem) if found not in EXCEPTIONS] == []


@pytest.mark.parametrize("path", [path for path in LAWS if path.stem != INDEPENDENT], ids=lambda path: path.stem)
def test_no_module_of_a_law_holds_a_constant_that_belongs_into_the_table(path: Path) -> None:
    assert [name for name in constants(path.read_text(), path.stem) if name not in CONSTANTS] == []


def test_no_exception_is_listed_in_vain() -> None:
    found = {entry for path in LAWS for entry in bare_numbers(path.read_text(), path.stem)}
    assert set(EXCEPTIONS) <= found
    assert set(CONSTANTS) <= {name for path in LAWS for name in constants(path.read_text(), path.stem)}


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("return 1.07 * x", [1.07]),
        ("return clamp(x, -340.0, 340.0)", [340.0, 340.0]),
        ("return x[3] + y[2 + k, 5].z", []),
        ("return 2.0 * c.gain * x if x > 0.0 else 0.5 * x", []),
        ("return 3.0 if x[7] > 1e-3 else 0.0", [3.0, 1e-3]),
    ],
)
def test_a_bare_number_is_found(line: str, bare: list[float]) -> None:
    kernel = f"@kernel\ndef law(x, c):\n    {line}\n\ndef helper(x):\n    return 7.0 * x\n"
    assert sorted(number for _, number in bare_numbers(kernel, "module")) == sorted(bare)
    assert constants("GAIN = 3.7\nA, B = 1, 2\nNAME = 'x'\nSPAN: float = -2.0\n", "m") == ["m.GAIN", "m.A", "m.SPAN"]
