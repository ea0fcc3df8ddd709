"""Text of the GVRET family: the log of GVRET-PC and OVMS, which is the CRTD format, and the CSV of SavvyCAN."""

import re

from hil.captures.recording import LoggedFrame
from hil.captures.text import TextFormat, identify, match_line, nanoseconds
from hil.frames import TRANSMITTED

MICROSECOND = 1000  # [ns]

# time [s], bus number if there are several, Received or Transmitted, bits of the identifier, identifier, data
CRTD_FRAME = re.compile(
    r"(\d{1,12}(?:\.\d{1,9})?) +(\d{0,3})([RT])(11|29) +([0-9A-F]{3}|[0-9A-F]{8})((?: +[0-9A-F]{2})*)\s*", re.I | re.A
)
CRTD_COMMENT = re.compile(r"\d{1,12}(?:\.\d{1,9})? +\d{0,3}C[A-Z]{2}\b", re.A)
CRTD_BUS = "1"  # where a line numbers none

# time [us], which SavvyCAN also counts up from a negative start, ID, Extended, Dir (not in older files), Bus, LEN, D1..D8
CSV_FRAME = re.compile(
    r"(-?\d{1,19}),([0-9A-F]{1,8}),(true|false),(?:(Rx|Tx),)?(\d{1,3}),(\d{1,2}),((?:[0-9A-F]{2},?)*)\s*", re.I | re.A
)
CSV_HEADER = re.compile(r"Time Stamp,ID,Extended,", re.I)


def parse_crtd(line: str) -> LoggedFrame | None:
    """A line of the text log; None for comments and events. Raises ValueError if it is neither."""
    if CRTD_COMMENT.match(line):
        return None
    time, bus, direction, bits, identifier, digits = match_line(CRTD_FRAME, line).groups()
    number, flags = identify(identifier, bits == "29")
    data = bytes.fromhex(digits)
    if direction in "Tt":
        flags |= TRANSMITTED
    return LoggedFrame(nanoseconds(time), bus or CRTD_BUS, number, len(data), data, flags)


def parse_csv(line: str) -> LoggedFrame | None:
    """A line of the CSV; None for the header. Raises ValueError if it is neither, or has fewer bytes than it says."""
    if CSV_HEADER.match(line):
        return None
    time, identifier, extended, direction, bus, length, digits = match_line(CSV_FRAME, line).groups()
    number, flags = identify(identifier, extended in ("true", "TRUE", "True"))
    count = int(length)
    data = bytes.fromhex(digits.replace(",", ""))[:count]  # short frames are padded with zeros
    if len(data) < count:
        raise ValueError(f"{len(data)} bytes instead of {count}")
    if direction in ("Tx", "TX", "tx"):
        flags |= TRANSMITTED
    return LoggedFrame(int(time) * MICROSECOND, bus, number, count, data, flags)


CRTD = TextFormat(
    name="GVRET text (CRTD)",
    owns=lambda line: CRTD_FRAME.fullmatch(line) or CRTD_COMMENT.match(line),
    parse=parse_crtd,
    states_length=False,
)
CSV = TextFormat(
    name="GVRET/SavvyCAN CSV",
    owns=lambda line: CSV_FRAME.fullmatch(line) or CSV_HEADER.match(line),
    parse=parse_csv,
)
