"""A capture, as it is handed to the user."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


class Jump(NamedTuple):
    """A place where the clock of the file leaps, and what was taken out of the times there."""

    frame: int  # index of the first frame after the leap
    seconds: float  # [s] negative where the clock goes back


@dataclass(frozen=True, eq=False)
class Capture:
    """The frames of a file and what has to be known about them.

    ``frames.time`` [ns] starts at 0 and never goes back: a leap of the clock is closed to the distance typical of the file and
    listed in ``jumps``. Remote and error frames are kept, marked in ``frames.kind``.
    """

    path: Path
    format: str  # name for the user
    frames: Any = field(repr=False)  # recarray of hil.frames.FRAME, oldest first; bus is an index into channels
    channels: tuple[str, ...]  # as the file names them, in natural order
    notes: tuple[str, ...]  # whole sentences for the user: all that was left out, put right or assumed
    has_times: bool  # False: the file has none, and the frames are evenly spaced
    start: datetime | None  # UTC time of the first frame, where the file tells it
    jumps: tuple[Jump, ...]
