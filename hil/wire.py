"""A CAN bus between nodes in lockstep: arbitration by identifier, and the time that a frame takes.

Frames wait in a queue per bus until the bus is free; then the lowest identifier goes first. The time of a frame on the wire is
that of the longest stuffing its length allows (47 + 8n bits, and one stuff bit in four of the 34 + 8n that are stuffed), so that
the bus is never faster than a real one.
"""

import numpy as np

from firmware_model.kernel import integer, kernel, record
from hil.frames import FRAME

QUEUE = 128  # frames that may wait on one bus; more is an overload, and counted
MAXIMUM_BUSES = 16


@record
class WireState:
    """Load and health of every bus."""

    free_at = integer("time at which the bus is free [ns]", shape=(MAXIMUM_BUSES,))
    bit_time = integer("duration of one bit [ns]", default=2000, shape=(MAXIMUM_BUSES,))
    waiting = integer("frames in the queue", shape=(MAXIMUM_BUSES,))
    busy = integer("time during which frames were on the wire [ns]", shape=(MAXIMUM_BUSES,))
    overflow = integer("frames lost because the queue was full", shape=(MAXIMUM_BUSES,))
    latest = integer("time of the youngest frame that was ever put into the queue [ns]", shape=(MAXIMUM_BUSES,))


def new_queues(buses: int):
    """Empty queues: recarray (buses, QUEUE) of frames."""
    return np.zeros((buses, QUEUE), dtype=FRAME).view(np.recarray)


@kernel
def frame_bits(length, extended):
    """Bits of a classic CAN frame of ``length`` bytes with the most stuffing that can happen, interframe space included."""
    stuffed = 54 + 8 * length if extended else 34 + 8 * length
    return stuffed + 13 + (stuffed - 1) // 4


_plain_frame_bits = getattr(frame_bits, "py_func", frame_bits)
# [bit] by format and length, for Python: a call of a kernel costs more than a frame may.
FRAME_BITS = np.array([[_plain_frame_bits(length, extended) for length in range(9)] for extended in (0, 1)])


@kernel
def priority(frame):
    """Arbitration value of a frame, lowest first: a standard identifier competes with the first 11 bits of an extended one."""
    if frame.kind & 1:
        return np.int64(frame.identifier) * 2 + 1
    return np.int64(frame.identifier) << 19


@kernel
def submit(wire, queues, frame):
    """Put ``frame`` into the queue of its bus: the queue is in the order of arbitration, among equals the oldest first."""
    bus = frame.bus
    waiting = wire.waiting[bus]
    if waiting >= QUEUE:
        wire.overflow[bus] += 1
        return
    own = priority(frame)
    place = waiting
    while place > 0 and priority(queues[bus, place - 1]) > own:
        queues[bus, place] = queues[bus, place - 1]
        place -= 1
    queues[bus, place] = frame
    wire.waiting[bus] = waiting + 1
    wire.latest[bus] = max(wire.latest[bus], frame.time)


@kernel
def next_frame(wire, queues, bus, now, out):
    """Move the next frame that is complete on ``bus`` by ``now`` [ns] into ``out[0]``; False if there is none."""
    waiting = wire.waiting[bus]
    if waiting == 0 or wire.free_at[bus] >= now:
        return False
    start = wire.free_at[bus]
    winner = 0
    if start < wire.latest[bus]:  # the bus was idle when some of them came: only who was there takes part
        earliest = queues[bus, 0].time
        for k in range(1, waiting):
            earliest = min(earliest, queues[bus, k].time)
        start = max(start, earliest)
        while queues[bus, winner].time > start:
            winner += 1
    chosen = queues[bus, winner]
    duration = frame_bits(np.int64(chosen.length), chosen.kind & 1) * wire.bit_time[bus]
    if start + duration > now:
        return False
    out[0] = chosen
    out[0].time = start + duration
    for k in range(winner, waiting - 1):
        queues[bus, k] = queues[bus, k + 1]
    wire.waiting[bus] = waiting - 1
    wire.free_at[bus] = start + duration
    wire.busy[bus] += duration
    return True


@kernel
def insert(log, count, frame):
    """Put ``frame`` into the first ``count`` of ``log`` by its time, after those of the same time."""
    place = count
    while place > 0 and log[place - 1].time > frame.time:
        log[place] = log[place - 1]
        place -= 1
    log[place] = frame
