"""What candump writes: its log (``candump -l``, ``-L``) and its screen output, with and without times (``-t a|d|z|A``).

Emulators that print in the manner of candump, with names of their own for the channels, are read as well.
"""

import re
from datetime import UTC, datetime, timedelta

from hil.captures.recording import EPOCH, LoggedFrame
from hil.captures.text import HIGHEST_EXTENDED, TextFormat, identify, match_line, nanoseconds
from hil.frames import ERROR, EXTENDED, REMOTE, TRANSMITTED

ERROR_BIT = 0x2000_0000  # of the identifier, in socketcan and its logs

# (seconds) channel ID#data, ID#R and length for a remote frame, ID##flags and data for CAN FD; _ and a raw length; R or T
LOG_FRAME = re.compile(
    r"\((\d{1,12}\.\d{1,9})\) +(\S{1,32}) +([0-9A-F]{1,8})#(#[0-9A-F])?(R\d?|[0-9A-F]*)(?:_[0-9A-F])?(?: +([RT]))?\s*",
    re.I | re.A,
)
# channel, with -x direction and CAN FD flags, ID, [length], data
SCREEN_FRAME = (
    r"\s*(\S{1,32})\s+(?:([RT]X)\s+\S\s+\S\s+)?([0-9A-F]{1,8})\s+\[(\d{1,2})\]"
    r"((?:\s+[0-9A-F]{2})*)(\s+remote request)?(?:\s+'.*|\s+ERRORFRAME.*)?\s*"
)
TIMED_FRAME = re.compile(r"\s*\((\d{1,12}\.\d{1,9})\)" + SCREEN_FRAME, re.I | re.A)
DATED_FRAME = re.compile(r"\s*\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})\)" + SCREEN_FRAME, re.I | re.A)
UNTIMED_FRAME = re.compile(r"()" + SCREEN_FRAME, re.I | re.A)


def parse_log(line: str) -> LoggedFrame:
    """A line of the log. Raises ValueError if it has another form."""
    time, channel, identifier, fd, content, direction = match_line(LOG_FRAME, line).groups()
    number, flags = socketcan_identifier(identifier)
    if direction in ("T", "t"):
        flags |= TRANSMITTED
    if content[:1] in ("R", "r") and not fd:
        return LoggedFrame(nanoseconds(time), channel, number, min(int(content[1:] or 0), 8), b"", flags | REMOTE)
    data = bytes.fromhex(content)
    return LoggedFrame(nanoseconds(time), channel, number, len(data), data, flags)


def parse_screen(match: re.Match[str], time: int | None) -> LoggedFrame:
    """A matched line of the screen output. Raises ValueError if it has another number of bytes than it says."""
    _, channel, direction, identifier, length, content, remote = match.groups()
    number, flags = socketcan_identifier(identifier)
    if direction in ("TX", "tx"):
        flags |= TRANSMITTED
    count = int(length)
    if remote:
        return LoggedFrame(time, channel, number, min(count, 8), b"", flags | REMOTE)
    data = bytes.fromhex(content)
    if len(data) != count:
        raise ValueError(f"{len(data)} bytes instead of {count}")
    return LoggedFrame(time, channel, number, count, data, flags)


def parse_timed(line: str) -> LoggedFrame:
    """A line with seconds in front. Raises ValueError if it has another form."""
    match = match_line(TIMED_FRAME, line)
    return parse_screen(match, nanoseconds(match[1]))


def parse_dated(line: str) -> LoggedFrame:
    """A line with date and time in front. Raises ValueError if it has another form."""
    match = match_line(DATED_FRAME, line)
    since_epoch = datetime.fromisoformat(match[1]).replace(tzinfo=UTC) - EPOCH
    return parse_screen(match, since_epoch // timedelta(microseconds=1) * 1000)


def parse_untimed(line: str) -> LoggedFrame:
    """A line without time. Raises ValueError if it has another form."""
    return parse_screen(match_line(UNTIMED_FRAME, line), None)


def socketcan_identifier(text: str) -> tuple[int, int]:
    """Identifier and flags; socketcan writes three digits for a standard identifier, and error frames as identifiers."""
    if len(text) == 8 and int(text, 16) & ERROR_BIT:
        return int(text, 16) & HIGHEST_EXTENDED, ERROR | EXTENDED
    return identify(text, extended=len(text) > 3)


LOG = TextFormat("candump log", LOG_FRAME.fullmatch, parse_log, states_length=False)
TIMED = TextFormat("candump output with times", TIMED_FRAME.fullmatch, parse_timed)
DATED = TextFormat(
    "candump output with dates", DATED_FRAME.fullmatch, parse_dated, note="The dates have no time zone; they were taken as UTC."
)
UNTIMED = TextFormat("candump output without times", UNTIMED_FRAME.fullmatch, parse_untimed)
