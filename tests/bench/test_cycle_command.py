"""``e4hil cycle`` as its users meet it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CYCLE = "# a hop\ntime,speed_kmh\n" + "".join(
    f"{time},{speed}\n" for time, speed in [(0, 0), (3, 0), (10, 40), (20, 40), (30, 0), (33, 0)]
)


def e4hil(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.cli", "cycle", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def hop(tmp_path: Path) -> str:
    path = tmp_path / "hop.csv"
    path.write_text(CYCLE, encoding="utf-8")
    return str(path)


def test_table_is_for_people_and_the_report_for_the_folder(hop: str, tmp_path: Path) -> None:
    done = e4hil(hop, "--out", str(tmp_path / "out"), "--strict")
    assert done.returncode == 0
    assert "wall energy" in done.stdout
    assert "times out of the tolerance" in done.stdout
    assert "report:" in done.stderr
    assert (tmp_path / "out" / "report.html").stat().st_size > 100_000


def test_json_is_one_object_and_options_reach_the_drive(hop: str) -> None:
    done = e4hil(hop, "--json", "--vehicle", "leaf_40", "--repeat", "2", "--soc", "80", "--auxiliaries", "0", "--mass", "1700")
    result = json.loads(done.stdout)
    rows = {row["name"]: row for row in result["rows"]}
    assert (result["vehicle"], result["cycle"]) == ("leaf_40", "hop")
    assert result["conditions"]["test_mass"] == 1700
    assert rows["duration"]["value"] == 33 + 3 + 33
    assert rows["auxiliaries"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert rows["charge used"]["note"].startswith("from 80")
    assert rows["wall energy"]["value"] > rows["DC energy, net"]["value"] > rows["wheel energy, net"]["value"] > 0
    assert rows["wall energy, per mile"]["value"] == pytest.approx(1.609344 * rows["wall energy"]["value"])


def test_row_that_misses_its_target_counts_only_when_strict(tmp_path: Path) -> None:
    path = tmp_path / "jump.csv"
    path.write_text("time,speed_kmh\n0,0\n3,0\n4,90\n12,90\n")
    assert e4hil(str(path)).returncode == 0
    done = e4hil(str(path), "--strict")
    assert done.returncode == 1
    assert "FAIL" in done.stdout


def test_cycles_are_listed() -> None:
    names = [entry["name"] for entry in json.loads(e4hil("--list", "--json").stdout)["cycles"]]
    assert names[:2] == ["udds", "hwfet"]
    assert "WLTC class 3b" in e4hil("--list").stdout


MISTAKES = {
    ("utds",): 'unknown cycle "utds", did you mean "udds"',
    ("gone.csv",): "cycle gone.csv: no such file",
    (): "a name or the path of a CSV was expected",
    ("HOP", "--vehicle", "leaf"): 'unknown vehicle "leaf"',
    ("HOP", "--out", "/dev/null/folder"): "--out /dev/null/folder: cannot be written",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_wrong_input_is_one_line_and_status_two(arguments: tuple[str, ...], hop: str) -> None:
    done = e4hil(*(hop if argument == "HOP" else argument for argument in arguments))
    assert done.returncode == 2
    assert MISTAKES[arguments] in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
