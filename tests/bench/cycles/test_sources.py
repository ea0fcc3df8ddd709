"""Cycles from packages and from files, and what is said of a file that is wrong."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.cycles import sources
from bench.cycles.sources import list_cycles, load_cycle, read_csv
from bench.cycles.trace import EPA, WLTP
from hil.errors import UsageError


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "mine.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("time,speed_ms\n0,0\n1,10\n2,20\n", 1.0),
        ("time,speed_kmh\n0,0\n1,10\n2,20\n", 1 / 3.6),
        ("time,speed_mph\n0,0\n1,10\n2,20\n", 0.44704),
        ("cycSecs,cycMps,cycGrade,cycRoadType\n0,0,0,0\n1,10,0,0\n2,20,0,0\n", 1.0),
        ("# measured on Tuesday\n\nTime ; Speed_kmh\n0;0\n1;10\n# a break\n2;20\n", 1 / 3.6),
        ("time\tspeed_kmh\r\n5\t0\r\n6\t10\r\n7\t20\r\n", 1 / 3.6),
    ],
)
def test_heading_says_the_unit_and_separators_comments_and_a_byte_order_mark_do_not_matter(
    tmp_path: Path, text: str, factor: float
) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        cycle = load_cycle(str(written(tmp_path, text, encoding)))
        assert cycle.time.tolist() == [0.0, 1.0, 2.0]
        assert cycle.speed == pytest.approx(factor * np.array([0.0, 10.0, 20.0]))
        assert not cycle.grade.any()
        assert cycle.tolerance is EPA


def test_grade_is_in_percent(tmp_path: Path) -> None:
    cycle = read_csv(written(tmp_path, "time,grade_percent,speed_ms\n0,0,1\n1,-6,1\n"))
    assert cycle.grade.tolist() == [0.0, -0.06]


MISTAKES = {
    "time,speed_kmh\n0,0\n1,5\n1,6\n": r"line 4: time: a value above 1 s was expected, got 1",
    "time,speed_kmh\n0,0\n2,5\n1,6\n": r"line 4: time: a value above 2 s",
    "time,speed_kmh\n0,0\n1,nan\n": r'line 3: speed_kmh: a finite number was expected, got "nan"',
    "time,speed_kmh\n0,0\n1,fast\n": r'line 3: speed_kmh: a finite number was expected, got "fast"',
    "time,speed_kmh\n0,0\n1,-3\n": r"line 3: speed: 0 to 360 km/h was expected, got -3 km/h",
    "time,speed_ms\n0,0\n1,250\n": r"line 3: speed: 0 to 360 km/h was expected, got 900 km/h",
    "time,speed_kmh,grade_percent\n0,0,0\n1,3,60\n": r"line 3: grade: -50 to 50 % was expected, got 60 %",
    "# mine\ntime,speed\n0,0\n1,3\n": r'line 2: unknown column "speed"; there are: time, speed_kmh, speed_ms',
    "speed_kmh,grade_percent\n0,0\n1,3\n": r"line 1: a column time \[s\] was expected",
    "time,grade_percent\n0,0\n1,3\n": r"line 1: a column speed_kmh, speed_ms or speed_mph was expected",
    "time,speed_kmh,speed_ms\n0,0,0\n1,3,1\n": r'line 1: column "speed_ms": there is another one with the speed',
    "time,speed_kmh\n0,0\n1,3,4\n": r"line 3: 2 values were expected, there are 3",
    "time,speed_kmh\n0,0\n": r"a heading and at least two lines of values were expected",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.csv: .*" + MISTAKES[text]):
        read_csv(written(tmp_path, text))


def test_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cycle gone\.csv: no such file"):
        load_cycle("gone.csv")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match="is not a text file in UTF-8"):
        load_cycle(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_csv(tmp_path)


def test_unknown_name_is_told_what_was_meant() -> None:
    with pytest.raises(UsageError, match='unknown cycle "ufds", did you mean "udds"; there are: udds, hwfet'):
        load_cycle("ufds")
    assert [name for name, _ in list_cycles()] == list(sources.SOURCES)


@pytest.mark.parametrize(("name", "package"), [("udds", "fastsim"), ("wltc_3b", "wltp.cycles.class3")])
def test_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"""pip install 'e4orce-hil\[cycles\]'"""):
        load_cycle(name)


# Length, distance and highest speed as the regulations give them: EPA's schedules 7.45, 10.26 and 8.01 mi; UN R154 23.27 km.
PUBLISHED = {
    "udds": (1369.0, 11.99, 56.7 * 1.609344),
    "hwfet": (765.0, 16.51, 59.9 * 1.609344),
    "wltc_3b": (1800.0, 23.27, 131.3),
    "wltc_3b_japan": (1477.0, 15.01, 97.4),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cycles_of_the_packages_are_those_of_the_regulations(name: str) -> None:
    pytest.importorskip("fastsim" if name in ("udds", "hwfet") else "wltp", reason="the extra [cycles] is not installed")
    cycle = load_cycle(name)
    duration, distance, top = PUBLISHED[name]
    assert cycle.duration == duration
    assert cycle.distance * 1e-3 == pytest.approx(distance, abs=0.02)
    assert cycle.speed.max() * 3.6 == pytest.approx(top, abs=0.1)
    assert cycle.tolerance is (WLTP if name.startswith("wltc") else EPA)


@pytest.mark.parametrize("name", ["udds", "hwfet", "wltc_3b"])
def test_cycles_of_the_packages_agree_with_the_public_files(shared_data: Path, name: str) -> None:
    pytest.importorskip("fastsim" if name in ("udds", "hwfet") else "wltp", reason="the extra [cycles] is not installed")
    cycle, file = load_cycle(name), read_csv(shared_data / "cycles" / f"{name}.csv")
    assert cycle.time.tolist() == file.time.tolist()
    assert cycle.speed == pytest.approx(file.speed, abs=1e-6)


def test_cycle_that_the_package_does_not_ship_is_told_so() -> None:
    pytest.importorskip("fastsim", reason="the extra [cycles] is not installed")
    if "us06.csv" in map(str, __import__("fastsim").Cycle.list_resources()):
        assert load_cycle("us06").duration == 600.0
    else:
        with pytest.raises(UsageError, match='cycle "us06": this version of FASTSim does not ship it'):
            load_cycle("us06")
