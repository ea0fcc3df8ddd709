"""What the compiled loop gives data acquisition: a copy of the controller's records at an event, so that a list is of one period.

The loop looks at one word a period; only while a list runs does it copy some three kilobytes into a ring. A full ring drops the
new sample and counts it.
"""

from typing import Any

import numpy as np

from firmware_model.kernel import kernel
from hil.node import Node
from hil.ring import CONTROL_WORDS, DROPPED, claim, load_word, publish, store_word, take, touched
from hil.xcp.memory import MEASURED

RASTERS = (1_000_000, 10_000_000, 100_000_000)  # [ns] of the events
RASTER, LAST = 0, 8  # places in the event words: what is asked for, 0 for nothing; and which of them the loop has served
CAPACITY = 512  # samples; half a second of the fastest raster


@kernel
def is_event(now, control):
    """Whether this period, at ``now`` [ns], begins a raster that is asked for."""
    raster = load_word(control, RASTER)
    if raster <= 0:
        return False
    number = now // raster
    if number == control[LAST]:
        return False
    control[LAST] = number
    return True


@kernel
def sample_event(now, control, ring_control, ring, measurements, inputs, outputs):
    """Put a copy of the records MEASURED into the ring if this period begins a raster that is asked for."""
    if not is_event(now, control):
        return
    place = claim(ring_control, len(ring))
    if place >= 0:
        ring[place].time = now
        ring[place].measurements = measurements
        ring[place].inputs = inputs
        ring[place].outputs = outputs
        publish(ring_control)


class EventRing:
    """The samples of one node; kept small until somebody measures."""

    def __init__(self, node: Node) -> None:
        layout: list[Any] = [("time", "i8"), *((array, getattr(node, array).dtype) for array in MEASURED)]
        self._ring = np.zeros(1, dtype=np.dtype((np.record, np.dtype(layout, align=True)))).view(np.recarray)
        self._ring_control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        self._control = np.zeros(CONTROL_WORDS, dtype=np.int64)
        take(self._ring_control, self._ring)  # compiled, too
        store_word(self._control, RASTER, 0)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What the loop gives to ``sample_event``."""
        return self._control, self._ring_control, self._ring

    @property
    def dropped(self) -> int:
        """Samples that found the ring full."""
        return int(self._ring_control[DROPPED])

    def reserve(self) -> None:
        """Have memory for the samples, before a loop is given the arrays; without it there is room for one."""
        self._ring = touched(np.zeros(CAPACITY, dtype=self._ring.dtype))

    def ask(self, raster: int) -> None:
        """Have a sample at each ``raster`` [ns] from now on; 0: none."""
        store_word(self._control, RASTER, raster)

    def take(self) -> Any:
        """The samples since the last call: time [ns] and the records MEASURED."""
        return take(self._ring_control, self._ring)
