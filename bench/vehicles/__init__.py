"""The cars, as TOML files in the units of their records, and what makes them parameters of the plant.

A vehicle's tables are the blocks of ``bench.plant.car.Parameters``. In the place of a block may stand the name of a
component (``motor = "em57_160kw"``, ``cell = "lfp"``: files of the folders ``motors`` and ``cells``). A vehicle or a
component may name a ``base`` and change only some of its values. A vehicle may name a ``calibration``, a file of values that
its controller has instead of those that follow from its parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.vehicles.files import CELLS, COMPONENTS, VEHICLES
from hil.errors import UsageError
from hil.toml_files import find, names, read, titles

LEAF_CELL = "nmc_leaf"
# Of the LEAF's two packs, 410 kg with three cells in parallel and 303 kg with two
CELL_MASS = 107.0 / 96.0  # [kg] with its share of the frame


@dataclass(frozen=True)
class Vehicle:
    """A car: what it is called, the network it speaks, and its parameters (recarray (1,) of ``car.Parameters``).

    The controller is calibrated from those, but for the values in ``calibration``.
    """

    name: str
    title: str
    description: str
    network: str
    parameters: Any
    calibration: Mapping[str, Any] = field(default_factory=dict)  # values of the controller's own table, by dotted path


def list_vehicles() -> list[tuple[str, str]]:
    """Names and titles of the cars that come with the bench."""
    return titles(VEHICLES)


def list_chemistries() -> list[str]:
    """Names of the cells that fit into the LEAF's pack, for comparisons: its own, and those that rest on it directly."""
    return [name for name in names(CELLS) if name == LEAF_CELL or read(CELLS / f"{name}.toml").get("base") == LEAF_CELL]


def load_vehicle(name_or_path: str | Path) -> Vehicle:
    """The car of that name, or of that TOML file. Raises UsageError if it is unknown or wrong."""
    from bench.vehicles import reading  # brings the compiler with it, which a mere list does not need

    path = find("vehicle", str(name_or_path), VEHICLES)
    header, content = reading.read_vehicle(path)
    parameters = reading.PARAMETERS.new()
    reading.fill(parameters, content)
    values = reading.read_calibration(header.calibration)
    return Vehicle(path.stem, header.title, header.description, header.network, parameters, values)


def with_pack(
    vehicle: Vehicle,
    *,
    parallel: int | None = None,
    chemistry: str | None = None,
    discharge_power_rated: float | None = None,
) -> Vehicle:
    """The same car with another pack; what is not given stays.

    Mass and heat capacity follow the number of cells. So does the rated discharge power [W] unless it is given: the LEAF's
    packs of two and three cells in parallel allow 110 and 180 kW. The charge limit stays, as it does between those two.
    Raises UsageError for an unknown chemistry or no cell in parallel.
    """
    from bench.vehicles import reading

    parameters = vehicle.parameters.copy()
    body, pack = parameters[0].body, parameters[0].battery
    if chemistry is not None:
        path = find("chemistry", chemistry, CELLS)
        reading.fill(pack.cell, reading.read_component(path, "cell", reading.CELL))
    if parallel is not None:
        if parallel < 1:
            raise UsageError(f"parallel: expected at least one cell in parallel, got {parallel}")
        cells = pack.series * (parallel - pack.parallel)
        body.mass += CELL_MASS * cells
        pack.heat_capacity *= parallel / pack.parallel
        pack.discharge_power_rated *= parallel / pack.parallel
        pack.parallel = parallel
    if discharge_power_rated is not None:
        pack.discharge_power_rated = discharge_power_rated
    return replace(vehicle, parameters=parameters)


def with_motor(vehicle: Vehicle, axle: str, motor: str) -> Vehicle:
    """The same car, of the same mass, with the ``motor`` of that name on its "front" or "rear" ``axle``; "none" is one, too.

    Raises UsageError for an unknown motor.
    """
    from bench.vehicles import reading

    parameters = vehicle.parameters.copy()
    path = find("motor", motor, COMPONENTS["motor"])
    reading.fill(parameters[0][axle].motor, reading.read_component(path, "motor", reading.MOTOR))
    return replace(vehicle, parameters=parameters)
