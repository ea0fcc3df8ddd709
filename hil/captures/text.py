"""What the readers of text formats share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hil.captures.recording import SECOND, LoggedFrame, Recording
from hil.frames import EXTENDED

HIGHEST_STANDARD = 0x7FF
HIGHEST_EXTENDED = 0x1FFF_FFFF


@dataclass(frozen=True)
class TextFormat:
    """A format with a frame a line."""

    name: str
    owns: Callable[[str], object]  # true for a line that only this format has: what the detection counts
    parse: Callable[[str], LoggedFrame | None]  # None: a line that is no frame and rightly so. Raises ValueError
    states_length: bool = True  # whether a shortened line can be told from a short frame
    note: str = ""  # what the user has to know of every file of this format


def read_lines(lines: list[str], text_format: TextFormat) -> Recording:
    """All frames of a text, the last line of which is empty if the text ends in a newline."""
    recording = Recording()
    for number, line in enumerate(lines, start=1):
        try:
            frame = text_format.parse(line) if line and not line.isspace() else None
        except ValueError:
            recording.unreadable.append((number, line))
            continue
        if frame is not None:
            recording.add(frame, number)
    if lines[-1]:
        recording.leave_out_cut_line(len(lines), text_format.states_length)
    if text_format.note:
        recording.notes.append(text_format.note)
    return recording


def nanoseconds(text: str, unit: int = SECOND) -> int:
    """A decimal number of ``unit`` [ns] as whole nanoseconds, exact where a float of seconds since 1970 is not."""
    whole, _, fraction = text.partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def identify(text: str, extended: bool) -> tuple[int, int]:
    """Identifier and flags of a hexadecimal identifier. Raises ValueError if it is not one of 29 bits."""
    identifier = int(text, 16)
    if not 0 <= identifier <= HIGHEST_EXTENDED:
        raise ValueError(f"identifier {text} is not of 29 bits")
    return identifier, EXTENDED if extended or identifier > HIGHEST_STANDARD else 0


def match_line(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    """The match of a whole line. Raises ValueError if there is none."""
    match = pattern.fullmatch(line)
    if match is None:
        raise ValueError("the line has another form")
    return match


def first_lines(lines: Iterable[str], count: int) -> list[str]:
    """The first lines that are not blank."""
    found: list[str] = []
    for line in lines:
        if len(found) == count:
            break
        if line.strip():
            found.append(line)
    return found
