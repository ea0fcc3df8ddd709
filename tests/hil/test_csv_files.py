import pytest

from hil.csv_files import read_number, read_rows
from hil.errors import UsageError

KNOWN = ("time", "speed")


@pytest.fixture
def file_of(tmp_path):
    """A file of that text."""

    def write(text: str):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return path

    return write


def test_rows_come_with_the_lines_on_which_they_stand(file_of) -> None:
    names, rows = read_rows(file_of("\n time , speed\n0,1\n\n  ,\n2,3\n"), KNOWN)
    assert names == ["time", "speed"]
    assert rows == [(3, ["0", "1"]), (6, ["2", "3"])]


def test_a_cell_of_several_lines_counts_as_so_many_lines(file_of) -> None:
    _, rows = read_rows(file_of('time,speed\n"0\n1",2\n3,4\n'), KNOWN)
    assert [line for line, _ in rows] == [3, 4]
    with pytest.raises(UsageError, match=r'line 3: time: a number was expected, got "0 1"$'):
        read_number(file_of(""), rows[0][0], "time", rows[0][1][0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header line and at least one line of values were expected"),
        ("time,speed\n\n", "a header line and at least one line of values were expected"),
        ("\ntime,sped\n0,1\n", 'line 2: unknown column "sped"; there are: time, speed'),
        ("time,speed\n\n0,1,2\n", "line 3: 2 values were expected, there are 3"),
    ],
)
def test_what_is_wrong_names_its_line(file_of, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_rows(file_of(text), KNOWN)


def test_a_cell_that_is_no_number_names_its_line_and_column(file_of) -> None:
    path = file_of("")
    assert read_number(path, 4, "speed", " 1e3 ") == 1000.0
    with pytest.raises(UsageError, match=r'table\.csv: line 4: speed: a number was expected, got "fast"'):
        read_number(path, 4, "speed", "fast")
