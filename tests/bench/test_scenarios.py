"""Scenario files: what they say arrives in the table, and what is wrong with one is told in one line."""

import math
from pathlib import Path

import numpy as np
import pytest

from bench.nodes import road as patches
from bench.nodes import stimulus as columns
from bench.scenarios import list_scenarios, load_scenario, patch, road_table
from firmware_model.signals import DriveMode, Gear
from hil.errors import UsageError

TOML = """title = "test"
duration = 5.0

[start]
speed_kmh = 36.0
state_of_charge = 0.5

[stimulus]
time = [0.0, 1.0]
accelerator = [0.0, 1.0]
steering_deg = [0.0, 90.0]
gear = ["D", "R"]
friction = [1.0, 0.5]

[targets]
top_speed_kmh = { minimum = 10.0 }
"""


def write(folder: Path, text: str) -> str:
    path = folder / "scenario.toml"
    path.write_text(text)
    return str(path)


def test_every_scenario_of_the_product_loads() -> None:
    names = [name for name, _ in list_scenarios()]
    assert {"launch", "step_steer", "double_lane_change", "regen_stop", "stop_and_go", "snow_hill_start"} <= set(names)
    for name in names:
        scenario = load_scenario(name)
        assert scenario.duration > 0
        assert scenario.title


def test_a_scenario_says_drive_mode_and_e_pedal(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, TOML))
    assert (scenario.drive_mode, scenario.e_pedal) == (DriveMode.STANDARD, False)
    given = TOML.replace("[stimulus]", 'drive_mode = "snow"\ne_pedal = true\n\n[stimulus]')
    scenario = load_scenario(write(tmp_path, given))
    assert (scenario.drive_mode, scenario.e_pedal) == (DriveMode.SNOW, True)


def test_an_unknown_drive_mode_is_told_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, TOML.replace("[stimulus]", 'drive_mode = "race"\n\n[stimulus]'))
    with pytest.raises(UsageError, match=r"scenario\.toml: start\.drive_mode.*'standard', 'sport', 'eco' or 'snow'"):
        load_scenario(path)


def test_a_scenario_becomes_a_table_in_si_units(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, TOML))
    last = scenario.stimulus[-1]
    assert scenario.start_speed == pytest.approx(10.0)
    assert last[columns.STEERING] == pytest.approx(math.pi / 2)
    assert last[columns.GEAR] == Gear.REVERSE
    assert last[columns.FRICTION_RIGHT] == last[columns.FRICTION_LEFT] == 0.5
    assert np.isnan(last[columns.SPEED])


def test_a_csv_is_a_scenario_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "pedal.csv"
    path.write_text("time,accelerator,brake,gear\n0,0,0.3,D\n0.5,0.4,0,D\n2.0,,0.2,D\n")
    scenario = load_scenario(str(path))
    assert scenario.duration == 2.0
    assert scenario.stimulus[1, columns.ACCELERATOR] == 0.4
    assert np.isnan(scenario.stimulus[2, columns.ACCELERATOR])


ROAD = """
[[road]]
x = [20.0, 40.0]
y = [-10.0, 0.0]
friction = 0.2

[[road]]
x = [30.0, 60.0]
grade_percent = 5.0
"""


def test_patches_of_road_become_a_table_and_what_they_leave_open_stays_as_it_is(tmp_path: Path) -> None:
    road = load_scenario(write(tmp_path, TOML + ROAD)).road
    assert road.shape == (2, patches.COLUMNS)
    assert patches.value_at(road, 35.0, -1.0, patches.FRICTION, 0.9) == 0.2
    assert patches.value_at(road, 35.0, 1.0, patches.FRICTION, 0.9) == 0.9
    assert patches.value_at(road, 40.0, -1.0, patches.FRICTION, 0.9) == 0.9
    assert patches.value_at(road, 35.0, -1.0, patches.GRADE, 0.0) == pytest.approx(0.05)
    assert patches.value_at(road, 25.0, -1.0, patches.GRADE, 0.01) == 0.01
    assert load_scenario(write(tmp_path, TOML)).road.shape == (0, patches.COLUMNS)


def test_later_patches_lie_over_earlier_ones() -> None:
    road = road_table([patch(friction=0.8), patch(x=(0.0, 10.0), friction=0.3)])
    assert patches.value_at(road, 5.0, 0.0, patches.FRICTION, 1.0) == 0.3
    assert patches.value_at(road, -5.0, 99.0, patches.FRICTION, 1.0) == 0.8


def test_checkerboard_is_one_line_and_wind_has_two_columns(tmp_path: Path) -> None:
    board = "\n[[road]]\nsquares = 2.0\nfriction = 0.2\n"
    wind = "\nheadwind_kmh = [36.0, 18.0]\ncrosswind_kmh = [0.0, -36.0]\naccelerator"
    scenario = load_scenario(write(tmp_path, TOML.replace("\naccelerator", wind) + board))
    values = [patches.value_at(scenario.road, x, 1.0, patches.FRICTION, 0.9) for x in (1.0, 3.0, 5.0)]
    assert values == [0.2, 0.9, 0.2]
    assert list(scenario.stimulus[:, columns.HEADWIND]) == pytest.approx([10.0, 5.0])
    assert list(scenario.stimulus[:, columns.CROSSWIND]) == pytest.approx([0.0, -10.0])


MISTAKES = {
    "a storm": (TOML.replace("\naccelerator", "\nheadwind_kmh = [0.0, 300.0]\naccelerator"), "headwind_kmh: -216 to 216"),
    "squares of nothing": (TOML + ROAD.replace("friction = 0.2", "friction = 0.2\nsquares = 0.0"), "road.0.squares"),
    "a patch that ends before it begins": (TOML + ROAD.replace("[20.0, 40.0]", "[40.0, 20.0]"), "road patch 1: x: the lower end"),
    "a patch of nothing": (TOML + ROAD.replace("grade_percent = 5.0", ""), "road patch 2: friction, grade_percent or both"),
    "a patch with a friction out of range": (TOML + ROAD.replace("0.2", "5.0"), "road.0.friction"),
    "an unknown key": (TOML.replace("duration", "lenght"), "lenght"),
    "an unknown column": (TOML.replace("accelerator", "throttle"), "throttle"),
    "a wrong type": (TOML.replace("[0.0, 1.0]\naccelerator", '"now"\naccelerator'), "stimulus.time"),
    "columns of different length": (TOML.replace("[0.0, 90.0]", "[0.0]"), "steering_deg has 1 values, time has 2"),
    "a pedal beyond its end": (TOML.replace("accelerator = [0.0, 1.0]", "accelerator = [0.0, 1.5]"), "accelerator: 0 to 1"),
    "time that goes back": (TOML.replace("time = [0.0, 1.0]", "time = [1.0, 0.0]"), "time: finite values that never fall"),
    "an unknown gear": (TOML.replace('"R"', '"X"'), "one of P, R, N, D, B"),
    "nothing that drives": (TOML.replace("accelerator = [0.0, 1.0]\n", ""), "speed_kmh, was expected"),
    "no time": (TOML.replace("time = [0.0, 1.0]\n", ""), "time [s] is missing"),
    "a start out of range": (TOML.replace("speed_kmh = 36.0", "speed_kmh = 900.0"), "start.speed_kmh"),
    "a charge that is not a number": (TOML.replace("= 0.5\n", "= nan\n", 1), "start.state_of_charge"),
    "text that is no TOML": ("title =", "not valid TOML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_that_names_file_and_key(tmp_path: Path, mistake: str) -> None:
    text, expected = MISTAKES[mistake]
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, text))
    message = str(caught.value)
    assert "scenario.toml" in message
    assert expected in message
    assert "\n" not in message


CSV_MISTAKES = {
    "an unknown column": ("time,warp\n0,1\n", 'unknown column "warp"'),
    "text for a number": ("time,accelerator\n0,0\n1,fast\n", 'line 3: accelerator: a number was expected, got "fast"'),
    "a short line": ("time,accelerator\n0\n", "line 2: 2 values were expected, there are 1"),
    "nothing": ("", "a header line and at least one line"),
    "binary noise": (b"\xff\xfe\x00\x81", "is not a text file in UTF-8"),
}


@pytest.mark.parametrize("mistake", CSV_MISTAKES)
def test_a_mistake_in_a_csv_names_the_line(tmp_path: Path, mistake: str) -> None:
    content, expected = CSV_MISTAKES[mistake]
    path = tmp_path / "pedal.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        load_scenario(str(path))
    assert "pedal.csv" in str(caught.value)
    assert expected in str(caught.value)


def test_an_unknown_scenario_lists_those_there_are_and_guesses() -> None:
    with pytest.raises(UsageError, match=r'did you mean "launch".*step_steer'):
        load_scenario("lunch")
