"""Tables of USB-CAN loggers: one frame a row, columns separated by tabs (or semicolons or commas), no two loggers alike.

A heading is understood if it names at least the identifier and the data, in the words of ``NAMES``; then length, time, channel,
direction, and frame type and format are used where they are named. A table without a heading, or in another language, is
understood by its shape: data is the column with the most byte pairs, the identifier the nearest column left of it of the form
0x1DB, the length the column between them that counts the bytes, the time the first column that is a clock or has decimals.

Cells may read 0x1DB, 1DB, 1DBh; 8, 0x08; "FF C0", "x| FF C0", "0xff c0", FFC0, or a cell a byte; 09:53:14.156, ="09:53:14.156".
A clock counts from midnight. Times in hexadecimal have no known unit and are not used.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from hil.captures.recording import SECOND, LoggedFrame
from hil.captures.text import TextFormat, first_lines, identify, nanoseconds
from hil.frames import REMOTE, TRANSMITTED

FORMAT_NAME = "table of a USB-CAN logger"
SAMPLE = 1000  # lines from which the columns are told
HEADING = 20  # lines in which a heading may stand
USUAL = 0.9  # share of the rows a rule has to hold for, where columns are told by shape
UNNAMED_CHANNEL = "0"

NAMES = {
    "identifier": {"id", "canid", "frameid", "msgid", "messageid", "identifier", "arbitrationid", "idhex"},
    "data": {"data", "databytes", "datahex", "payload"},
    "first_byte": {"d0", "d1", "b0", "b1", "byte0", "byte1", "data0", "data1"},
    "length": {"len", "length", "dlc", "datalength", "datalen"},
    "channel": {"ch", "channel", "canchannel", "bus"},
    "direction": {"tr", "rxtx", "dir", "direct", "direction"},
    "type": {"type", "frametype"},
    "format": {"format", "frameformat"},
}
TIMES = {"t", "ts", "tms", "tus"}  # beside all names with "time" in them
# [ns] The Greek letter is what case folding makes of the micro sign.
UNITS = {"s": SECOND, "sec": SECOND, "ms": 1_000_000, "us": 1_000, "μs": 1_000, "ns": 1}
LEAST_MICROSECONDS = 100  # frames of a 500 kbit/s bus are not closer together: smaller steps are milliseconds

DATA = re.compile(r"(?:x\||0x)?\s*((?:[0-9A-F]{2}\s*)*)(?!\S)", re.I | re.A)
PREFIXED_IDENTIFIER = re.compile(r"0x[0-9A-F]{3,8}", re.I | re.A)
CLOCK = re.compile(r"(?:.*\D)?(\d{1,2}):(\d\d):(\d\d)(?:[.:](\d{1,9}))?", re.A)
DECIMAL = re.compile(r"\d{1,15}\.\d{1,9}", re.A)
INTEGER = re.compile(r"\d{1,19}", re.A)

Rows = list[list[str]]


@dataclass(frozen=True)
class Columns:
    """Where a table has what."""

    identifier: int
    data: int
    bytes_apart: bool = False  # a cell a byte, from column data on
    length: int | None = None
    time: int | None = None
    time_heading: str = ""
    channel: int | None = None
    direction: int | None = None
    kinds: tuple[int, ...] = ()  # columns that may say remote or extended
    heading: int = 0  # rows before the first frame


@dataclass(frozen=True)
class TimeReader:
    """How a column of times is read."""

    read: Callable[[str], int]  # cell -> time [ns]. Raises ValueError
    note: str = ""


def table_format(lines: list[str]) -> TextFormat | None:
    """The format of a table that starts with these lines, if it is one."""
    sample = first_lines(lines, SAMPLE)
    separator = next((mark for mark in "\t;," if sum(mark in line for line in sample) > len(sample) / 2), None)
    if separator is None:
        return None
    rows = [split(line, separator) for line in sample]
    columns = columns_by_name(rows) or columns_by_shape(rows)
    if columns is None:
        return None
    heading = set(sample[: columns.heading])
    time = time_reader(rows[columns.heading :], columns)

    def parse(line: str) -> LoggedFrame | None:
        if line in heading:
            return None
        try:
            return parse_row(split(line, separator), columns, time)
        except IndexError as error:
            raise ValueError("the row has too few cells") from error

    return TextFormat(FORMAT_NAME, heading.__contains__, parse, columns.length is not None, time.note if time else "")


def parse_row(cells: list[str], columns: Columns, time: TimeReader | None) -> LoggedFrame:
    """The frame of a row. Raises ValueError or IndexError if a cell cannot be read or is missing."""
    kinds = " ".join(cells[column] for column in columns.kinds).casefold()
    number, flags = identify(cells[columns.identifier].replace(" ", "").rstrip("hH"), extended="ext" in kinds)
    if columns.direction is not None and cells[columns.direction].casefold().startswith(("t", "send")):
        flags |= TRANSMITTED
    data = data_bytes(cells, columns)
    # Hexadecimal reads 8, 08 and 0x08 alike, and a decimal length above 9 is CAN FD in either reading.
    length = int(cells[columns.length], 16) if columns.length is not None else len(data)
    if "remote" in kinds or "rtr" in kinds:
        data, flags = b"", flags | REMOTE
    if length < 0 or (len(data) < length and not flags & REMOTE):
        raise ValueError(f"{len(data)} bytes instead of {length}")
    return LoggedFrame(
        time=time.read(cells[columns.time]) if time and columns.time is not None else None,
        channel=cells[columns.channel] if columns.channel is not None else UNNAMED_CHANNEL,
        identifier=number,
        length=length,
        data=data[:length],
        kind=flags,
    )


def data_bytes(cells: list[str], columns: Columns) -> bytes:
    """The bytes at the start of the data. Raises ValueError if there are none but something else."""
    text = " ".join(cells[columns.data :]) if columns.bytes_apart else cells[columns.data]
    match = DATA.match(text)
    if match is None:
        raise ValueError(f"no bytes in {text!r}")
    return bytes.fromhex(match[1])


def columns_by_name(rows: Rows) -> Columns | None:
    """The columns as the heading names them, if one of the first rows is a heading."""
    for index, row in enumerate(rows[:HEADING]):
        names = [re.sub(r"[(\[].*|[^a-z0-9]", "", cell.casefold()) for cell in row]
        found = {role: next((at for at, name in enumerate(names) if name in known), None) for role, known in NAMES.items()}
        identifier, data, first_byte = found["identifier"], found["data"], found["first_byte"]
        start = data if data is not None else first_byte
        if identifier is None or start is None:
            continue
        time = time_column([at for at, name in enumerate(names) if "time" in name or name in TIMES], rows[index + 1 :])
        return Columns(
            identifier=identifier,
            data=start,
            bytes_apart=data is None,
            length=found["length"],
            time=time,
            time_heading=row[time] if time is not None else "",
            channel=found["channel"],
            direction=found["direction"],
            kinds=tuple(at for at in (found["type"], found["format"]) if at is not None),
            heading=index + 1,
        )
    return None


def columns_by_shape(rows: Rows) -> Columns | None:
    """The columns as their cells show them, if there is an identifier with 0x and a column of bytes right of it."""
    heading = next((index for index, row in enumerate(rows) if any(map(PREFIXED_IDENTIFIER.fullmatch, row))), len(rows))
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    table = [row for row in rows[heading:] if len(row) == width]
    if not table:
        return None
    cells = list(zip(*table, strict=True))
    counts = [[byte_count(cell) for cell in column] for column in cells]
    data = max(range(width), key=lambda at: (sum(counts[at]), at))
    identifier = next((at for at in reversed(range(data)) if usual(map(PREFIXED_IDENTIFIER.fullmatch, cells[at]))), None)
    if identifier is None:
        return None
    lengths = [[cell[-1:] == str(count) for cell, count in zip(column, counts[data], strict=True)] for column in cells]
    times = [[CLOCK.fullmatch(cell) or DECIMAL.fullmatch(cell) for cell in column] for column in cells]
    return Columns(
        identifier=identifier,
        data=data,
        length=next((at for at in range(identifier + 1, data) if usual(lengths[at])), None),
        time=next((at for at in range(data) if usual(times[at])), None),
        heading=heading,
    )


def usual(held: Iterable[object]) -> bool:
    """Whether a rule held for nearly every row."""
    results = [bool(result) for result in held]
    return sum(results) >= USUAL * len(results)


def byte_count(cell: str) -> int:
    """How many bytes a cell holds, if it is data and no number."""
    match = DATA.fullmatch(cell)
    return len(bytes.fromhex(match[1])) if match and not PREFIXED_IDENTIFIER.fullmatch(cell) else 0


def time_column(candidates: list[int], rows: Rows) -> int | None:
    """Of the columns called time the one whose unit is surest: a clock, then decimals, then whole numbers."""
    for pattern in (CLOCK, DECIMAL, INTEGER):
        for column in candidates:
            if any(len(row) > column and pattern.fullmatch(row[column]) for row in rows[:HEADING]):
                return column
    return None


def time_reader(rows: Rows, columns: Columns) -> TimeReader | None:
    """How the time column is read, if there is one."""
    if columns.time is None:
        return None
    cells = [row[columns.time] for row in rows if len(row) > columns.time]
    if any(CLOCK.fullmatch(cell) for cell in cells):
        return TimeReader(clock_nanoseconds)
    named = re.search(r"(?:\b|_)(s|sec|ms|us|μs|ns)(?:\b|_)", columns.time_heading.casefold())
    if named:
        return TimeReader(scaled(UNITS[named[1]]))
    if any(DECIMAL.fullmatch(cell) for cell in cells):
        return TimeReader(scaled(SECOND))
    times = [int(cell) for cell in cells if INTEGER.fullmatch(cell)]
    steps = [abs(after - before) for before, after in pairwise(times)]
    unit = "ms" if not steps or median(steps) < LEAST_MICROSECONDS else "us"
    return TimeReader(scaled(UNITS[unit]), f"The column {columns.time_heading!r} names no unit; it was read as {unit}.")


def scaled(unit: int) -> Callable[[str], int]:
    """A reader of decimal numbers of ``unit`` [ns]."""

    def read(cell: str) -> int:
        if not (DECIMAL.fullmatch(cell) or INTEGER.fullmatch(cell)):
            raise ValueError(f"{cell!r} is no time")
        return nanoseconds(cell, unit)

    return read


def clock_nanoseconds(cell: str) -> int:
    """Time since midnight [ns]. Raises ValueError if the cell is no clock."""
    match = CLOCK.fullmatch(cell)
    if match is None:
        raise ValueError(f"{cell!r} is no time of day")
    hours, minutes, seconds, fraction = match.groups()
    return (int(hours) * 3600 + int(minutes) * 60) * SECOND + nanoseconds(f"{seconds}.{fraction or 0}")


def split(line: str, separator: str) -> list[str]:
    """The cells without blanks and without the quotes that keep a spreadsheet from touching them."""
    return [cell.strip(' ="') for cell in line.split(separator)]
