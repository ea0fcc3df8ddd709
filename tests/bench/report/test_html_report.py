"""The writer of reports: one file, whole or not at all, in which no text can do harm."""

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest

from bench.report.html import Section, Table, write_report
from bench.rows import Row, bounded
from hil.errors import UsageError

EVIL = '</script><script>alert("1")</script>&'


def write(target: Path, rows: list[Row] | None = None, sections: list[Section] | None = None, title: str = "A title") -> str:
    """The text of a report without plotly's own."""
    write_report(target, title, "a subtitle", rows or [], sections or [], details={"vehicle": "a car"})
    text = target.read_text(encoding="utf-8")
    head, _, rest = text.partition("<script>/**")
    return head + rest.partition("</script>")[2]


class Elements(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.json: list[str] = []
        self._in_json = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in_json = tag == "script" and ("type", "application/json") in attrs

    def handle_data(self, data: str) -> None:
        if self._in_json:
            self.json.append(data)
            self._in_json = False


def test_a_report_needs_nothing_from_outside(tmp_path: Path) -> None:
    elements = Elements(write(tmp_path / "report.html", sections=[Section("A plot", "of nothing.", go.Figure())]))
    assert not {"link", "img", "iframe", "base"}.intersection(elements.tags)
    assert not {"src", "href"}.intersection(name for name, _ in elements.attributes)
    assert "@import" not in (tmp_path / "report.html").read_text(encoding="utf-8").partition("</style>")[0]


def test_plotly_is_embedded_once(tmp_path: Path) -> None:
    write(tmp_path / "report.html", sections=[Section("One", "", go.Figure()), Section("Two", "", go.Figure())])
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("* plotly.js v") == 1


def test_title_subtitle_details_and_sections_are_on_the_page(tmp_path: Path) -> None:
    text = write(tmp_path / "report.html", sections=[Section("Speed", "How fast it was.", go.Figure())])
    assert "<title>A title</title>" in text
    for part in ("<h1>A title</h1>", "a subtitle", "a car", "<h2>Speed</h2>", "How fast it was."):
        assert part in text


def test_text_is_escaped_wherever_it_comes_from(tmp_path: Path) -> None:
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], name=EVIL))
    section = Section(EVIL, EVIL, figure, Table((EVIL,), ((EVIL,),)))
    text = write(tmp_path / "report.html", [Row(EVIL, EVIL, EVIL, EVIL, False, EVIL)], [section], title=EVIL)
    elements = Elements(text)
    assert "alert" not in re.sub(r"&lt;script&gt;alert|\\u003cscript\\u003ealert", "", text)
    assert elements.tags.count("script") == 2  # the figure and the page's own; plotly's was cut out
    assert json.loads(elements.json[0])["data"][0]["name"] == EVIL


def test_rows_tell_value_unit_target_and_verdict(tmp_path: Path) -> None:
    rows = [bounded("time to 100 km/h", 5.25, "s", maximum=8.0), bounded("faults", 3, "1", maximum=0), Row("distance", 12.0, "m")]
    text = write(tmp_path / "report.html", rows)
    assert '<tr class="pass"><td>time to 100 km/h</td><td class="number">5.25</td><td>s</td><td>≤ 8</td>' in text
    assert '<tr class="fail"><td>faults</td><td class="number">3</td><td></td><td>≤ 0</td>' in text
    assert '<tr class=""><td>distance</td>' in text


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([bounded("a", 1.0, "s", maximum=2.0)], "The target is met"),
        ([bounded("a", 1.0, "s", maximum=2.0), bounded("b", 1.0, "s", minimum=0.0)], "All 2 targets are met"),
        ([bounded("a", 3.0, "s", maximum=2.0), bounded("b", 1.0, "s", minimum=0.0)], "1 of 2 targets missed: a"),
    ],
)
def test_the_verdict_names_what_was_missed(tmp_path: Path, rows: list[Row], verdict: str) -> None:
    assert f">{verdict}</p>" in write(tmp_path / "report.html", rows)


def test_without_targets_there_is_no_verdict(tmp_path: Path) -> None:
    assert 'class="verdict' not in write(tmp_path / "report.html", [Row("distance", 12.0, "m")])


def test_a_table_shows_numbers_to_the_right_and_a_dash_for_no_number(tmp_path: Path) -> None:
    table = Table(("name", "count"), (("a", 5), ("b", None), ("c", float("nan"))))
    text = write(tmp_path / "report.html", sections=[Section("Counts", "", table=table)])
    assert '<th>name</th><th class="number">count</th>' in text
    assert '<td>a</td><td class="number">5</td>' in text
    assert text.count('<td class="number">–</td>') == 2


def test_the_place_of_a_figure_has_its_height(tmp_path: Path) -> None:
    text = write(tmp_path / "report.html", sections=[Section("Tall", "", go.Figure(layout={"height": 777}))])
    assert '<div class="canvas" style="height: 777px">' in text


def test_a_failure_leaves_no_file_behind(tmp_path: Path) -> None:
    def sections() -> Iterator[Section]:
        yield Section("Speed", "")
        raise RuntimeError("broken plot")

    with pytest.raises(RuntimeError, match="broken plot"):
        write_report(tmp_path / "report.html", "t", "s", [], sections())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_plotly_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(UsageError, match=r'pip install "e4orce-hil\[report\]"'):
        write_report(tmp_path / "report.html", "t", "s", [], [])
