"""``e4hil compare`` as its users meet it."""

import json
from pathlib import Path

import pytest

from bench.commands import compare
from bench.comparison.contenders import FIXED_SPLIT, FRONT_DRIVE
from bench.comparison.manoeuvres import MANOEUVRES, choose
from hil.errors import UsageError


def test_json_is_one_object_with_all_figures_side_by_side_and_the_report_shows_the_drives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = compare.run(["step-steer", "hill-start"], "leaf_twin_motor", 1, tmp_path, True)
    result = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in result["rows"]}
    assert [manoeuvre["name"] for manoeuvre in result["manoeuvres"]] == ["step-steer", "hill-start"]
    assert missed == sum(row["passed"] is False for row in result["rows"])
    overshoot = rows["step-steer: yaw-rate overshoot"]
    assert set(overshoot["beside"]) == {FIXED_SPLIT.name, FRONT_DRIVE.name}
    assert all("friction" in row["note"] and "m/s² lateral" in row["note"] for row in result["rows"])
    assert 0.0 < overshoot["beside"][FIXED_SPLIT.name] < 60.0
    assert rows["step-steer: steady lateral acceleration"]["beside"][FIXED_SPLIT.name] == pytest.approx(4.0, abs=0.4)
    hill = rows["hill-start: time to 20 km/h"]
    assert hill["beside"][FRONT_DRIVE.name] is None  # it cannot start there
    assert hill["beside"]["bound"] == pytest.approx(1.35, abs=0.01)
    assert result["contenders"][1]["calibration"]["yaw_control.enabled"] == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for heading in ("Step steer at 100 km/h, dry", "Ice hill start", "Contenders"):
        assert f"<h2>{heading}</h2>" in page


def test_table_for_people_is_grouped_by_manoeuvre(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    compare.run(["step-steer"], "leaf_twin_motor", 1, None, False)
    text = capsys.readouterr().out
    assert "ISO 7401 step steer, 100 km/h, 4 m/s², dry" in text
    assert "yaw-rate settling time" in text
    assert "≤ 80 % of (a)" in text
    assert FRONT_DRIVE.description in text


def test_manoeuvres_are_listed_and_chosen_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    compare.list_manoeuvres(True)
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)["manoeuvres"]]
    assert names == [manoeuvre.name for manoeuvre in MANOEUVRES]
    assert len(set(names)) == len(names)
    assert [manoeuvre.name for manoeuvre in choose(["friction-jump", "limit"])] == ["limit", "friction-jump"]
    assert choose([]) == list(MANOEUVRES)
    compare.list_manoeuvres(False)
    assert "sine-with-dwell" in capsys.readouterr().out


def test_wrong_usage_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match='unknown manoeuvre "step-stear", did you mean "step-steer"'):
        compare.run(["step-stear"], "leaf_twin_motor", 1, None, False)
    with pytest.raises(UsageError, match="a motor on each axle was expected"):
        compare.run([], "leaf_plus", 1, None, False)
