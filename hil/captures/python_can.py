"""The formats that python-can reads: ASC, TRC and its own CSV line by line, BLF (and MF4, for ``mf4``) as a whole.

python-can is imported when such a file is read, and not before: the command line would wait for it at every start.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import takewhile
from typing import Any
from warnings import catch_warnings, simplefilter

from hil.captures.recording import LoggedFrame, Recording
from hil.captures.text import HIGHEST_EXTENDED
from hil.frames import ERROR, EXTENDED, REMOTE, TRANSMITTED

UNNAMED_CHANNEL = "0"
LONGEST_HEADER = 50  # lines
# python-can follows the sizes that the objects of a BLF file state, and never ends at a size of zero.
BLF_ENDLESS_OBJECT = re.compile(rb"LOBJ.{4}\0{4}", re.DOTALL)


@dataclass(frozen=True)
class LibraryFormat:
    """A format of python-can."""

    name: str
    reader: str  # class in the module can
    signature: re.Pattern[Any]  # of the start of the file
    header: re.Pattern[str] = re.compile("")  # of the lines before the first frame, where frames are lines
    end_of_header: tuple[str, ...] = ()  # lines to put there
    first_channel: int = 0  # of the file; python-can counts from 0


TEXT_FORMATS = (
    LibraryFormat(
        "Vector ASC",
        "ASCReader",
        signature=re.compile(r"(?:.*\n){0,9}(?:date\s+\w|base\s+(?:hex|dec)\b)", re.I),
        header=re.compile(r"(?!\s*\d)"),
        end_of_header=("\n",),  # python-can takes the first line it does not know as the end, and that could be a frame
        first_channel=1,
    ),
    LibraryFormat("PEAK TRC", "TRCReader", re.compile(r"\s*;(?:\$FILEVERSION|#####)"), header=re.compile(r"\s*(?:;|$)")),
    LibraryFormat("python-can CSV", "CSVReader", re.compile(r"timestamp,arbitration_id,"), header=re.compile(r"timestamp,")),
)
BLF = LibraryFormat("Vector BLF", "BLFReader", re.compile(rb"LOGG"), first_channel=1)
MF4 = LibraryFormat("ASAM MF4", "MF4Reader", re.compile(rb"MDF     |UnFinMF "))


class LineFeed:
    """Lines as an open file that remembers where it is, and can give the header again to another reader.

    Blank lines are left out: some readers complain of them.
    """

    def __init__(self, lines: list[str], library_format: LibraryFormat):
        self.lines = lines[: max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)]
        header = [line + "\n" for line in takewhile(library_format.header.match, self.lines[:LONGEST_HEADER])]
        self.number = len(header)  # of the line given last, from 1
        self.header = [*header, *library_format.end_of_header]
        self.replay = iter(self.header)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if (line := next(self.replay, None)) is not None:
            return line
        while not self.ended:
            self.number += 1
            if self.lines[self.number - 1].strip():
                return self.lines[self.number - 1] + "\n"
        raise StopIteration

    @property
    def ended(self) -> bool:
        """Whether no line is left."""
        return self.number >= len(self.lines)

    def restart(self) -> None:
        """Give the header again, then the lines after the one given last."""
        self.replay = iter(self.header)

    def close(self) -> None:
        """What readers do at the end of a file."""


def text_format(text: str) -> LibraryFormat | None:
    """The format of python-can that a text has, if any."""
    return next((known for known in TEXT_FORMATS if known.signature.match(text)), None)


def read_text(library_format: LibraryFormat, lines: list[str]) -> Recording:
    """All frames of a text. A reader dies of a line it cannot read, so another goes on behind it."""
    import can

    recording = Recording()
    feed = LineFeed(lines, library_format)
    recording.distances = any(re.match(r"base\s+\w+\s+timestamps\s+relative", line, re.I) for line in feed.header)
    with warnings_as_notes(recording):
        began_at = -1
        while not feed.ended and began_at < feed.number:
            began_at = feed.number
            feed.restart()
            try:
                for message in getattr(can, library_format.reader)(feed):
                    recording.add(to_frame(message, library_format.first_channel), feed.number)
            except Exception as error:  # what a reader raises depends on the bytes: there is no list of it
                if feed.number == began_at:
                    recording.damage = reason(error)
                else:
                    recording.unreadable.append((feed.number, lines[feed.number - 1]))
    if lines[-1]:
        recording.leave_out_cut_line(len(lines), states_length=True)
    return recording


def read_binary(library_format: LibraryFormat, content: bytes) -> Recording:
    """All frames up to the first damage."""
    import can

    recording = Recording(place="frame")
    if library_format is BLF and BLF_ENDLESS_OBJECT.search(content):
        recording.damage = "an object of size zero"
        return recording
    with warnings_as_notes(recording):
        try:
            with getattr(can, library_format.reader)(BytesIO(content)) as reader:
                for number, message in enumerate(reader, start=1):
                    recording.add(to_frame(message, library_format.first_channel), number)
                missing = getattr(reader, "file_size", 0) - len(content)
        except Exception as error:  # what a reader raises depends on the bytes: there is no list of it
            recording.damage = reason(error)
        else:
            if missing > 0:
                recording.damage = f"{missing} bytes are missing at its end"
    return recording


def to_frame(message: Any, first_channel: int) -> LoggedFrame:
    """A message of python-can. Raises ValueError or OverflowError if it cannot be a frame."""
    flags = EXTENDED * message.is_extended_id | ERROR * message.is_error_frame | REMOTE * message.is_remote_frame
    if not message.is_rx:
        flags |= TRANSMITTED
    if not 0 <= message.arbitration_id <= HIGHEST_EXTENDED:
        raise ValueError(f"identifier {message.arbitration_id:X} is not of 29 bits")
    # A length code above 8 means 8 bytes in a classic frame.
    length = len(message.data) if message.is_fd or message.is_error_frame else min(message.dlc, 8)
    data = bytes(message.data[:length])
    if length < 0 or (len(data) < length and not message.is_remote_frame):
        raise ValueError(f"{len(data)} bytes instead of {length}")
    # A float of seconds since 1970 resolves a quarter of a microsecond.
    time = round(message.timestamp * 1e6) * 1000
    channel = UNNAMED_CHANNEL if message.channel is None else str(message.channel + first_channel)
    return LoggedFrame(time, channel, message.arbitration_id, length, data, flags)


def reason(error: Exception) -> str:
    """What is wrong, in one line; many errors of parsers have no text."""
    return f"{type(error).__name__} {error}".strip().partition("\n")[0]


class MessageCounter(logging.Handler):
    """Counts what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one message."""
        self.messages[record.getMessage().partition("\n")[0]] += 1


@contextmanager
def warnings_as_notes(recording: Recording) -> Iterator[None]:
    """What python-can logs and warns of meanwhile becomes a note, and does not reach the terminal."""
    counter = MessageCounter()
    logger = logging.getLogger("can")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(counter)
    try:
        with catch_warnings(record=True) as warnings:
            simplefilter("always")
            yield
    finally:
        logger.removeHandler(counter)
        logger.propagate = propagate
    counter.messages.update(str(warning.message) for warning in warnings)
    if counter.messages:
        first, *others = counter.messages
        more = f" ({len(others)} more)" if others else ""
        recording.notes.append(f"The reading library warns: {first}{more}.")
