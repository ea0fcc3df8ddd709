"""Declarations of the records that kernels work on.

A record is declared once, as a class whose attributes say name, unit, limits, default and meaning. The declaration
becomes an aligned numpy structured type, which is the fastest way to pass state into numba and the ECU's memory in one:
addresses, files, sliders and documentation come from the same lines.

    @record
    class Axle:
        '''One driven axle.'''
        motor_torque = real("Nm", "torque at the motor shaft", minimum=-340.0, maximum=340.0)

    @record
    class Outputs:
        front = Axle
        rear = Axle

    outputs = Outputs.new()      # one-element recarray; kernels take outputs[0]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

Number = float | int


@dataclass(frozen=True)
class Field:
    """One value, or a fixed array of equal values, in a record."""

    unit: str
    description: str
    default: Any
    minimum: Number
    maximum: Number
    dtype: str
    shape: tuple[int, ...] = ()
    labels: type[IntEnum] | None = None


def real(
    unit: str,
    description: str,
    *,
    default: Any = 0.0,
    minimum: float = -inf,
    maximum: float = inf,
    shape: tuple[int, ...] = (),
) -> Field:
    """A floating-point value in ``unit``; ``shape`` makes it a fixed array (a curve's points, four wheels)."""
    return Field(unit, description, default, minimum, maximum, "f8", shape)


def integer(description: str, *, default: int = 0, minimum: int = 0, maximum: int = 2**62, shape: tuple[int, ...] = ()) -> Field:
    """A whole number: a count, a code."""
    return Field("1", description, default, minimum, maximum, "i8", shape)


def flag(description: str, *, default: int = 0) -> Field:
    """A yes (1) or no (0)."""
    return Field("1", description, default, 0, 1, "i8")


def choice(labels: type[IntEnum], description: str, *, default: IntEnum) -> Field:
    """One value of an enumeration."""
    return Field("1", description, int(default), min(labels), max(labels), "i8", (), labels)


class Record:
    """A declared record: its fields, its numpy type, and fresh instances of it."""

    def __init__(self, name: str, description: str, members: "dict[str, Field | Record]") -> None:
        self.name = name
        self.description = description
        self.members = members
        taken = sorted(key for key in members if hasattr(np.record, key))
        if taken:
            raise ValueError(f"{name}: numpy records have attributes of their own named {', '.join(taken)}; choose other names")
        layout = [
            (key, member.dtype, member.shape) if isinstance(member, Field) else (key, member.dtype)
            for key, member in members.items()
        ]
        self.dtype: np.dtype[Any] = np.dtype((np.record, np.dtype(layout, align=True)))

    def new(self) -> Any:
        """A one-element recarray that holds every default; kernels take element 0."""
        return self._defaults.copy()

    def reset(self, array: Any) -> None:
        """Write every default into ``array`` (recarray of this record)."""
        array[...] = self._defaults

    @cached_property
    def _defaults(self) -> Any:
        """Every default, in one element."""
        array = np.zeros(1, dtype=self.dtype).view(np.recarray)
        for path, field in self.fields():
            locate(array, path)[...] = field.default
        return array

    def fields(self, prefix: str = "") -> Iterator[tuple[str, Field]]:
        """Every value with its dotted path, nested records included, in order of declaration."""
        for key, member in self.members.items():
            if isinstance(member, Field):
                yield prefix + key, member
            else:
                yield from member.fields(f"{prefix}{key}.")

    def field(self, path: str) -> Field:
        """The declaration of a dotted path. Raises KeyError if there is none."""
        member: Field | Record = self
        for key in path.split("."):
            if isinstance(member, Field):
                raise KeyError(path)
            member = member.members[key]
        if not isinstance(member, Field):
            raise KeyError(path)
        return member


def locate(array: Any, path: str) -> Any:
    """The numpy view of a dotted path in a structured array, for reading and writing from Python."""
    view = array
    for key in path.split("."):
        view = view[key]
    return view


def words_of(array: Any) -> Any:
    """The memory of a record array as int64, for all fields have 64 bits: a view of it, if the array is contiguous."""
    return np.asarray(array).view(np.ndarray).view(np.int64).reshape(-1)


def new(declared: Any) -> Any:
    """A fresh instance of a declared record, as :meth:`Record.new`; for type checkers, which ignore class decorators."""
    return declared.new()


def record(declaration: type) -> Any:
    """Class decorator: the attributes that are fields or records become a :class:`Record`."""
    members = {key: value for key, value in vars(declaration).items() if isinstance(value, Field | Record)}
    return Record(declaration.__name__, (declaration.__doc__ or "").strip(), members)
