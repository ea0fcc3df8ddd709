"""The ways on which a loop's frames come and go: through rings and python-can's threads, or through a socket of its own."""

from typing import Any

import numpy as np
from numba import types

from firmware_model.kernel import kernel
from hil.bus_state import STATE, UNSENT, BusState
from hil.ring import DROPPED, drain, load_word, push
from hil.socketcan import DETACHED, attached, receive

ABSENT, RINGS, SOCKET = 0, 1, 2  # the way of each bus
NOBODY = -1  # in place of an eventfd
BUS_OFF = int(BusState.BUS_OFF)  # from this state on a bus carries no frames

_write: Any = types.ExternalFunction("write", types.intp(types.int32, types.uintp, types.uintp))


@kernel
def collect(bus, way, origin, ring, socket, rules, monitor, out, timespec):
    """The frames that have come in on one bus, in ``out``; returns how many they are.

    ``ring`` and ``monitor``: control words and storage; ``socket``: control words, memory, statistics.
    """
    if way == RINGS:
        return drain(ring[0], ring[1], out)
    descriptor = attached(socket[0]) if way == SOCKET else DETACHED
    if descriptor < 0:
        return 0
    return receive(descriptor, socket[1], rules, socket[2], monitor, origin, bus, out, timespec)


@kernel
def submit(outbox, count, ways, ring_control, ring_storage, submitted):
    """Put the frames of a period into the send rings of their buses; counts them in ``submitted``."""
    for bus in range(len(ways)):
        submitted[bus] = 0
    for k in range(count):
        bus = outbox[k].bus
        if ways[bus] != ABSENT:
            push(ring_control[bus], ring_storage[bus], outbox[k])
            submitted[bus] += 1


@kernel
def notify(descriptor, one):
    """Wake the thread that waits for an eventfd; ``one`` is an int64 array that holds 1."""
    _write(np.int32(descriptor), np.uintp(one.ctypes.data), np.uintp(8))


@kernel
def lost_frames(bus, words, receive_control, send_control, statistics):
    """Frames of one bus that were lost so far, in either direction."""
    rings = load_word(receive_control[bus], DROPPED) + send_control[bus][DROPPED]
    return rings + load_word(words[bus], UNSENT) + statistics[bus].dropped + statistics[bus].expired


@kernel
def is_lost(words, statistics):
    """Whether a bus carries no frames: as its session has found, or as its socket told in this very period."""
    return load_word(words, STATE) >= BUS_OFF or statistics.lost != 0 or statistics.bus_off != 0
