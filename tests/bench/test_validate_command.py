"""``e4hil validate`` as its users meet it."""

import json
from pathlib import Path

import pytest

from bench.commands import validate
from hil.errors import UsageError


def test_json_has_published_and_simulated_figures_and_the_report_shows_the_drives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = validate.run([3, 7], None, 2, tmp_path, True)
    result = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in result["rows"]}
    assert missed == sum(row["passed"] is False for row in result["rows"])
    hundred = rows["leaf_plus: 0 to 100 km/h"]
    assert (hundred["row"], hundred["published"], hundred["tolerance"], hundred["level"]) == (7, 6.9, 0.3, "B")
    assert hundred["difference"] == pytest.approx(hundred["value"] - 6.9)
    assert 6.0 < hundred["value"] < 8.0
    without_data = [row for row in result["rows"] if row["row"] == 3]
    assert all(row["passed"] is None and "--data" in row["note"] for row in without_data)
    assert "1 rows not run" in result["summary"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for heading in ("All figures", "How far each figure is off", "Full throttle from a standstill", "Sources"):
        assert f"<h2>{heading}</h2>" in page


def test_the_table_says_what_was_published_and_how_good_the_evidence_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    validate.run([16], None, 1, None, False)
    text = capsys.readouterr().out
    assert "published" in text
    assert "leaf_twin_motor: longest time above the limit" in text
    assert "1 of 1 rows within tolerance" in text
    assert "A: measured by an instrument or a regulator" in text


def test_wrong_usage_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--row 99: there are rows 1 to 26"):
        validate.run([99], None, 1, None, False)
    with pytest.raises(UsageError, match="no such folder"):
        validate.run([], tmp_path / "nothing", 1, None, False)
