"""CSV files of users: a header of known names, then rows as wide as it; what is wrong names its line."""

import csv
from collections.abc import Collection
from io import StringIO
from pathlib import Path

from hil.errors import UsageError
from hil.files import read_text


def read_rows(path: Path, known: Collection[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The column names, all of them ``known``, and the rows with their line numbers; blank lines do not count.

    Raises UsageError.
    """
    try:
        reader = csv.reader(StringIO(read_text(path)))
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UsageError(f"{path}: is not a CSV text file: {error}") from error
    rows = [(number, row) for number, row in lines if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise UsageError(f"{path}: a header line and at least one line of values were expected")
    (first, header), *values = rows
    names = [name.strip() for name in header]
    for name in names:
        if name not in known:
            raise UsageError(f'{path}: line {first}: unknown column "{name}"; there are: {", ".join(known)}')
    for number, row in values:
        if len(row) != len(names):
            raise UsageError(f"{path}: line {number}: {len(names)} values were expected, there are {len(row)}")
    return names, values


def read_number(path: Path, line: int, name: str, cell: str) -> float:
    """A cell as a number. Raises UsageError."""
    try:
        return float(cell)
    except ValueError:
        raise UsageError(f'{path}: line {line}: {name}: a number was expected, got "{" ".join(cell.split())}"') from None
