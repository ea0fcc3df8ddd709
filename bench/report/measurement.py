"""Measurements as MF4 (ASAM MDF 4.10), which CANape, MDA, ControlDesk and asammdf open."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from bench.drive import CAR, CONTROLLER
from bench.report.extra import import_extra
from firmware_model.kernel import Field, Record
from firmware_model.kernel.records import locate
from firmware_model.signals import Inputs, Outputs
from hil.files import atomic_path
from hil.node import NodeSpec
from hil.timing import LoopMeasurements

MDF_VERSION = "4.10"  # the oldest one that has everything needed here: the most tools read it
TRANSPOSED_DEFLATE = 2  # asammdf's number of the compression that suits columns of slowly changing values


@dataclass(frozen=True, eq=False)
class Group:
    """Signals that are not samples of a node, on a time base of their own."""

    name: str
    comment: str
    times: Any  # [s]
    signals: Mapping[str, tuple[Any, str]]  # name -> values, unit


def write_mf4(
    target: Path,
    samples: Any,
    nodes: Sequence[NodeSpec] = (CONTROLLER, CAR),
    *,
    left_out: tuple[str, ...] = (),
    groups: Iterable[Group] = (),
    comment: str = "",
    start: datetime | None = None,
) -> None:
    """Write the ``samples`` of a run of ``nodes`` to ``target`` (MF4), whole or not at all.

    Every leaf of a sampled record becomes a channel with unit, description and, where it is an enumeration, the names of its
    values; every record a group with the time since power-on [s] as its master. What begins with a path of ``left_out``
    ("controller.outputs.brakes") does not; further ``groups`` stand before the records. ``start`` is the date of power-on, now
    if not given. Raises UsageError if asammdf is missing or the file cannot be written.
    """
    mdf = import_extra("asammdf").MDF(version=MDF_VERSION)
    mdf.header.start_time = start or datetime.now().astimezone()
    mdf.header.comment = comment
    for group in groups:
        mdf.append(_group_channels(group), acq_name=group.name, comment=group.comment, common_timebase=True)
    times = np.ascontiguousarray(samples["time"])
    for node in nodes:
        in_real_time = f"{node.name}_loop" in samples.dtype.names
        for name in (*node.sampled, *(["loop"] if in_real_time else [])):
            record = sampled_record(node, name)
            path = f"{node.name}.{name}"
            channels = _channels(path, record, samples[f"{node.name}_{name}"], times, left_out)
            mdf.append(channels, acq_name=path, comment=record.description, common_timebase=True)
    with atomic_path(target) as temporary:
        mdf.save(temporary, overwrite=True, compression=TRANSPOSED_DEFLATE)
    mdf.close()


def sampled_record(node: NodeSpec, name: str) -> Record:
    """The declaration of what a run samples of a node under that name."""
    records: dict[str, Any] = {
        "inputs": Inputs,
        "outputs": Outputs,
        "state": node.state,
        "measurements": node.measurements,
        "parameters": node.parameters,
        "loop": LoopMeasurements,
    }
    return records[name]


def _group_channels(group: Group) -> list[Any]:
    """The signals of a group as signals of asammdf."""
    signal = import_extra("asammdf").Signal
    times = np.ascontiguousarray(group.times)
    return [
        signal(np.ascontiguousarray(values), times, name=f"{group.name}.{name}", unit="" if unit == "1" else unit)
        for name, (values, unit) in group.signals.items()
    ]


def _channels(path: str, record: Record, samples: Any, times: Any, left_out: tuple[str, ...]) -> list[Any]:
    """Every leaf of a record as a signal of asammdf."""
    signal = import_extra("asammdf").Signal
    return [
        signal(
            values,
            times,
            name=f"{path}.{name}",
            unit="" if field.unit == "1" else field.unit,
            comment=field.description,
            conversion=_value_to_text(field.labels) if field.labels else None,
        )
        for leaf, field in record.fields()
        if not f"{path}.{leaf}".startswith(left_out)
        for name, values in _elements(leaf, field, locate(samples, leaf))
    ]


def _elements(name: str, field: Field, values: Any) -> Iterator[tuple[str, Any]]:
    """A leaf, or each element of an array, by name and contiguous values."""
    for index in np.ndindex(field.shape):
        brackets = "".join(f"[{position}]" for position in index)
        yield name + brackets, np.ascontiguousarray(values[(slice(None), *index)])


def _value_to_text(labels: type[IntEnum]) -> dict[str, Any]:
    """The conversion of an enumeration, in asammdf's form."""
    conversion: dict[str, Any] = {}
    for position, label in enumerate(labels):
        conversion[f"val_{position}"] = int(label)
        conversion[f"text_{position}"] = label.name
    return conversion
