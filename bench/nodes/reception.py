"""What a control unit makes of frames that do not come, or that it must not believe.

Frames with a wrong CRC or a counter that stands still are thrown away where they arrive; here they are counted as long as no
good frame comes between them.
"""

from firmware_model.kernel import integer, kernel, record
from firmware_model.signals import NEVER_RECEIVED


@record
class ListenerState:
    """The counts of one link when its last good frame came."""

    received = integer("good frames")
    crc_errors = integer("frames thrown away for a wrong CRC or checksum")
    counter_errors = integer("frames thrown away because their counter stood still")


@kernel
def listen(link, state):
    """Begin to count anew at every good frame."""
    if link.received != state.received:
        forget(link, state)


@kernel
def forget(link, state):
    """Begin to count anew."""
    state.received = link.received
    state.crc_errors = link.crc_errors
    state.counter_errors = link.counter_errors


@kernel
def wrong_checks(link, state):
    """Frames with a wrong CRC since the last good one."""
    return link.crc_errors - state.crc_errors


@kernel
def frozen_counters(link, state):
    """Frames whose counter stood still since the last good one."""
    return link.counter_errors - state.counter_errors


@kernel
def is_absent(link, listening_time, timeout):
    """Whether no frame has come for ``timeout`` [s] to a unit that has listened for ``listening_time`` [s].

    A frame that the network does not have is not missed.
    """
    return link.age != NEVER_RECEIVED and min(link.age, listening_time) > timeout
