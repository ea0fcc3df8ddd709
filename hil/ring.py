"""Queues of frames between a compiled loop and other threads: one producer, one consumer, no lock.

The producer alone moves the head, the consumer alone the tail; each publishes its move with a release store and reads the
other's with an acquire load, so that a frame is complete before it is seen. A full ring drops the new frame and counts it.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from firmware_model.kernel import kernel
from hil.frames import FRAME

HEAD, TAIL, DROPPED = 0, 16, 17  # places in the control words; head and tail on cache lines of their own
CONTROL_WORDS = 32


def new_rings(count: int, capacity: int) -> tuple[Any, Any]:
    """Control words (count, CONTROL_WORDS) and storage (count, capacity) of ``count`` rings. Capacity: a power of two."""
    if capacity & (capacity - 1):
        raise ValueError(f"capacity {capacity} is not a power of two")
    return touched(np.zeros((count, CONTROL_WORDS), dtype=np.int64)), touched(np.zeros((count, capacity), dtype=FRAME))


def touched(array: Any) -> Any:
    """An ``array`` of zeros, as a recarray if it is structured, whose memory is there: a loop is not to wait for it."""
    array.view(np.uint8)[...] = 0
    return array.view(np.recarray) if array.dtype.names else array


def _load_acquire(typing_context: Any, address: Any) -> Any:
    """The 64-bit word at ``address``, and all that was written before it was released."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        return builder.load_atomic(builder.inttoptr(arguments[0], word.as_pointer()), "acquire", 8, typ=word)

    return types.int64(types.uintp), generate


def _store_release(typing_context: Any, address: Any, value: Any) -> Any:
    """Write the 64-bit word at ``address``, after all that was written before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.uintp, types.int64), generate


# Called without the typing context, which numba adds; its annotations do not say so.
load_acquire: Any = intrinsic(_load_acquire)
store_release: Any = intrinsic(_store_release)


@kernel
def word_address(words, index):
    """Address of ``words[index]`` (int64 array)."""
    return np.uintp(words.ctypes.data) + np.uintp(8 * index)


@kernel
def load_word(words, index):
    """``words[index]`` as another thread released it."""
    return load_acquire(word_address(words, index))


@kernel
def store_word(words, index, value):
    """Release ``value`` to ``words[index]``."""
    store_release(word_address(words, index), value)


@kernel
def claim(control, capacity):
    """The place of the next element of a ring; -1, and counted, if it is full. Filled, it is shown with ``publish``."""
    head = control[HEAD]
    if head - load_word(control, TAIL) >= capacity:
        control[DROPPED] += 1
        return -1
    return head & (capacity - 1)


@kernel
def publish(control):
    """Show the consumer the element that was claimed last."""
    store_word(control, HEAD, control[HEAD] + 1)


@kernel
def push(control, storage, frame):
    """Append ``frame``; False, and counted, if the ring is full."""
    place = claim(control, len(storage))
    if place < 0:
        return False
    storage[place] = frame
    publish(control)
    return True


@kernel
def push_values(control, storage, time, payload, identifier, bus, length, kind):
    """Append a frame given by its values: the way in for Python threads."""
    place = claim(control, len(storage))
    if place < 0:
        return False
    slot = storage[place]
    slot.time = time
    slot.payload = payload
    slot.identifier = identifier
    slot.bus = bus
    slot.length = length
    slot.kind = kind
    slot.sender = 0
    publish(control)
    return True


@kernel
def waiting(control):
    """How many elements wait for the consumer."""
    return load_word(control, HEAD) - control[TAIL]


@kernel
def release(control, count):
    """The consumer has done with the first ``count`` elements."""
    store_word(control, TAIL, control[TAIL] + count)


@kernel
def drain(control, storage, out):
    """Move up to ``len(out)`` waiting frames into ``out``; returns how many."""
    tail = control[TAIL]
    count = min(waiting(control), len(out))
    for k in range(count):
        out[k] = storage[(tail + k) & (len(storage) - 1)]
    release(control, count)
    return count


def take(control: Any, storage: Any) -> Any:
    """A copy of all that waits in a ring of any elements: the way out for Python."""
    count = waiting(control)
    first = int(control[TAIL]) & (len(storage) - 1)
    taken = np.concatenate([storage[first : first + count], storage[: max(0, first + count - len(storage))]])
    release(control, count)
    return taken.view(np.recarray)
