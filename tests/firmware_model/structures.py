"""Records as the interpreter reads them fast.

numpy's records look a name up anew at every access, which takes most of the time of a kernel that is not compiled. A ctypes
structure on the same memory is some fifty times faster, and gives Python's own numbers, which reckon as numpy's do.
"""

import ctypes
from functools import cache
from operator import attrgetter

import numpy as np

REAL, WHOLE = np.dtype("f8"), np.dtype("i8")


def structure(array):
    """The only element of a recarray, as a structure on the same memory."""
    return _view(array.dtype, array.view(np.uint8).data, 0)


def _view(dtype, memory, start):
    view = _structure(dtype).from_buffer(memory, start)
    for slot in view.__slots__:
        kind, offset = dtype.fields[slot[1:]][:2]
        if kind.names:
            part = _view(kind, memory, start + offset)
        else:
            part = np.ndarray(kind.shape, kind.base, memory, start + offset)
        setattr(view, slot, part)
    return view


@cache
def _structure(dtype):
    """The ctypes structure of a record: its scalars; its records and arrays in slots, which are filled with views of their own.

    As in numpy's records, whole numbers take any number, and arrays all of their values at once.
    """
    members, slots, body = [], [], {"dtype": dtype, "__getitem__": _get, "__setitem__": _set}
    for name in dtype.names:
        kind = dtype[name]
        if kind == REAL:
            members.append((name, ctypes.c_double))
        elif kind == WHOLE:
            members.append((f"_{name}", ctypes.c_longlong))
            body[name] = property(attrgetter(f"_{name}"), _round(f"_{name}"))
        else:
            members.append((f"bytes of {name}", ctypes.c_byte * kind.itemsize))
            slots.append(f"_{name}")
            body[name] = property(attrgetter(f"_{name}"), None if kind.names else _fill(f"_{name}"))
    return type("Structure", (ctypes.Structure,), body | {"__slots__": slots, "_fields_": members})


def _get(view, name):
    return getattr(view, name)


def _set(view, name, value):
    setattr(view, name, value)


def _round(name):
    return lambda view, value: setattr(view, name, int(value))


def _fill(name):
    return lambda view, values: getattr(view, name).__setitem__(..., values)
