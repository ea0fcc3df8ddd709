"""``e4hil tune`` as its users meet it."""

import json

import pytest

from bench.commands import drive, tune
from hil.calibration.toml_file import read_values
from hil.errors import UsageError


def test_a_search_leaves_calibration_report_and_proof(study_file, tmp_path, capsys):
    missed = tune.run(str(study_file), tmp_path, 1, None, None, True)
    told = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in told["rows"]}
    assert missed == 0
    assert rows["objective quick"]["passed"] is True
    assert rows["proof: values unlike the search's"]["value"] == 0
    assert rows["proof: frames on the buses"]["value"] > 10_000
    assert rows["proof: CRC errors"]["passed"] is True
    assert told["trials"] == 10
    values = read_values(tmp_path / "calibration.toml").values
    assert values["torque_path.rise_rate"] == told["parameters"]["torque_path.rise_rate"]["value"]
    assert values["torque_split.mode_shift"][1:] == [-0.1, 0.0, 0.0]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for heading in ("The search", "What decides", "Calibration", "Spread", "start: one second of throttle"):
        assert f"<h2>{heading}</h2>" in page


def test_a_drive_with_the_calibration_is_another_one(study_file, tmp_path, capsys):
    scenario = str(study_file.with_name("start.toml"))
    (tmp_path / "c.toml").write_text("[torque_path]\nrise_rate = 400.0\n")
    distances = []
    for calibration in (None, tmp_path / "c.toml"):
        drive.run(scenario, "leaf_twin_motor", None, None, False, None, True, calibration)
        rows = json.loads(capsys.readouterr().out)["rows"]
        distances += [row["value"] for row in rows if row["name"] == "distance"]
    assert distances[1] < 0.9 * distances[0]
    (tmp_path / "c.toml").write_text("[torque_path]\nrise_rate = -1.0\n")
    with pytest.raises(UsageError, match=r"torque_path.rise_rate = -1: allowed is 1 to 50000 Nm/s"):
        drive.run(scenario, "leaf_twin_motor", None, None, False, None, True, tmp_path / "c.toml")


def test_many_objectives_leave_a_calibration_for_each_member_of_the_front(many_objectives, tmp_path, capsys):
    (tmp_path / "many.toml").write_text(many_objectives)
    tune.run(str(tmp_path / "many.toml"), tmp_path / "out", 1, None, 8, False)
    text = capsys.readouterr().out
    assert "objective smooth" in text
    assert "weight in quick" in text
    front = list((tmp_path / "out" / "front").iterdir())
    assert front
    for path in front:
        assert read_values(path).misfits() == {}
    assert "<h2>Pareto front</h2>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_study_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(UsageError, match='unknown study "handlign"'):
        tune.run("handlign", None, None, None, None, False)
