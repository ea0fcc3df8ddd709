"""What can be plotted: every value that is sampled, by its path, with the words and the unit in which people read it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.measurement import sampled_record
from firmware_model.kernel.records import locate
from hil.node import NodeSpec

# unit of a record -> the unit in which people read it, and the factor to it
SHOWN_UNITS: dict[str, tuple[str, float]] = {
    "1": ("", 1.0),
    "rad": ("°", 180.0 / math.pi),
    "rad/s": ("°/s", 180.0 / math.pi),
    "m/s": ("km/h", 3.6),
    "m/s2": ("m/s²", 1.0),
    "W": ("kW", 1e-3),
    "Pa": ("bar", 1e-5),
    "J": ("kWh", 1.0 / 3.6e6),
    "degC": ("°C", 1.0),
    "kgm2": ("kg m²", 1.0),
    "Ohm": ("mΩ", 1e3),
}
RPM = ("rpm", 30.0 / math.pi)
MICROSECONDS = ("µs", 1e6)
GROUPS = {
    "inputs": "received by",
    "outputs": "sent by",
    "measurements": "measured in",
    "loop": "loop of",
}


@dataclass(frozen=True)
class Signal:
    """One value of a sample."""

    path: str  # in the sample
    group: str
    name: str
    description: str
    unit: str  # as shown
    factor: float  # from the sample's unit


def signals_of(nodes: Sequence[NodeSpec]) -> dict[str, Signal]:
    """All that a run of these nodes samples, by path; arrays are left out."""
    found = {}
    for node in nodes:
        for array in (*node.sampled, *(["loop"] if node is nodes[0] else [])):
            for leaf, field in sampled_record(node, array).fields():
                if field.shape or leaf.split(".")[-1].endswith("link"):
                    continue
                path = f"{node.name}_{array}.{leaf}"
                unit, factor = _shown_unit(array, leaf, field.unit)
                found[path] = Signal(path, f"{GROUPS[array]} {node.name}", leaf, field.description, unit, factor)
    return found


def _shown_unit(array: str, leaf: str, unit: str) -> tuple[str, float]:
    if array == "loop" and unit == "s":
        return MICROSECONDS
    if "motor" in leaf and unit == "rad/s":
        return RPM
    return SHOWN_UNITS.get(unit, (unit, 1.0))


def values_of(signal: Signal, samples: object) -> list[float | None]:
    """The values of a signal in ``samples``, as shown; None where there is none."""
    return [
        None if not math.isfinite(value) else round(value * signal.factor, 6) for value in locate(samples, signal.path).tolist()
    ]
