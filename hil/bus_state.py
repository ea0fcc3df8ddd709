"""The state of a bus, as its session finds it and as compiled loops read it."""

from enum import IntEnum

# Places in the words of a bus, int64, released by its session and read by compiled loops with load_word.
STATE = 0  # BusState
SILENT = 1  # 1: nothing was received for longer than the session's time-out
UNSENT = 2  # frames that were not sent so far, because the bus was not open or the driver did not take them in time
BUS_WORDS = 8


class BusState(IntEnum):
    """What a session knows of its bus. Only ACTIVE carries frames in both directions for sure."""

    CLOSED = 0  # not started, or stopped
    OPENING = 1
    ACTIVE = 2
    ERROR_PASSIVE = 3  # frames are not acknowledged, or errors pile up; transmission is tried
    BUS_OFF = 4  # the CAN controller has left the bus
    LOST = 5  # adapter, port or process is gone; the session tries again
