"""The command line as its users meet it: help, results for people and machines, and one line for what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = """title = "short"
duration = 0.5
[stimulus]
time = [0.0, 0.1]
accelerator = [0.0, 0.3]
steering_deg = [0.0, 0.0]
"""


def e4hil(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=300)


@pytest.fixture
def short(tmp_path: Path) -> str:
    path = tmp_path / "short.toml"
    path.write_text(SCENARIO)
    return str(path)


def test_help_names_every_command() -> None:
    done = e4hil("--help")
    assert done.returncode == 0
    listed = [line.strip("│ ").split(" ")[0] for line in done.stdout.splitlines() if line.startswith("│")]
    for command in (
        "drive", "ecu", "dashboard", "bench", "hub", "adapters", "doctor", "cycle", "replay", "compare", "study", "calibration",
        "validate", "performance", "tester", "diagnostics", "vehicles", "scenarios", "networks",
    ):  # fmt: skip
        assert command in listed


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = ("numba", "numpy", "pydantic", "cantools", "can", "plotly", "asammdf", "pandas")
    code = (
        "import sys; sys.argv = ['e4hil', sys.argv[1]]; from bench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    for option in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.rstrip().endswith("[]"), option


def test_the_lists_name_what_comes_with_the_product() -> None:
    assert "leaf_twin_motor" in e4hil("vehicles").stdout
    assert "step_steer" in e4hil("scenarios").stdout
    names = [entry["name"] for entry in json.loads(e4hil("networks", "--json").stdout)["networks"]]
    assert names == ["leaf_aze0", "leaf_ze0", "leaf_ze1"]


def test_a_drive_prints_a_table_for_people(short: str) -> None:
    done = e4hil("drive", short)
    assert done.returncode == 0
    assert "limit violations" in done.stdout
    assert "pass" in done.stdout


def test_json_is_one_object_with_rows_and_nothing_else(short: str) -> None:
    done = e4hil("drive", short, "--json")
    result = json.loads(done.stdout)
    row = next(row for row in result["rows"] if row["name"] == "CRC errors")
    assert set(row) == {"name", "value", "unit", "target", "passed", "note"}
    assert (row["value"], row["passed"]) == (0, True)


def test_out_gets_report_measurement_and_frames_that_other_tools_open(short: str, tmp_path: Path) -> None:
    import can
    from asammdf import MDF

    folder = tmp_path / "out"
    assert e4hil("drive", short, "--out", str(folder)).returncode == 0
    assert {path.name for path in folder.iterdir()} == {"report.html", "measurement.mf4", "frames.blf", "frames.log"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script src" not in page  # works offline
    with can.LogReader(folder / "frames.blf") as blf, can.LogReader(folder / "frames.log") as log:
        frames, lines = list(blf), list(log)
    assert len(frames) == len(lines) > 1000
    assert [(f.arbitration_id, bytes(f.data)) for f in frames] == [(line.arbitration_id, bytes(line.data)) for line in lines]
    with MDF(folder / "measurement.mf4") as measurement:
        assert measurement.get("controller.outputs.front.motor_torque").unit == "Nm"


def test_a_row_that_misses_its_target_counts_only_when_strict(tmp_path: Path) -> None:
    path = tmp_path / "hopeless.toml"
    path.write_text(SCENARIO + "[targets]\ntop_speed_kmh = { minimum = 500.0 }\n")
    assert e4hil("drive", str(path)).returncode == 0
    done = e4hil("drive", str(path), "--strict")
    assert done.returncode == 1
    assert "FAIL" in done.stdout


ALONE = ["ecu", "--rest-bus", "battery,chassis", "--duration", "1"]  # the controller on its own
MISTAKES = {
    "an unknown vehicle": (["drive", "--vehicle", "leaf_plos"], 'unknown vehicle "leaf_plos", did you mean "leaf_plus"'),
    "an unknown scenario": (["drive", "lunch"], 'unknown scenario "lunch", did you mean "launch"'),
    "an unknown network": (["drive", "--network", "leaf"], 'unknown network "leaf"'),
    "a scenario file that is not there": (["drive", "gone.toml"], "scenario gone.toml: no such file"),
    "a capture that is not there": (["replay", "gone.log"], "gone.log"),
    "an output folder that cannot be written": (
        ["drive", "--out", "/dev/null/folder"],
        "--out /dev/null/folder: cannot be written",
    ),
    "a controller without a bus": (["ecu"], "no bus is connected: name at least one"),
    "a car without a bus": (["bench"], "no bus is connected: name at least one"),
    "a controller without its chassis": (["ecu", "--front", "virtual:a"], "or let the rest-bus fill them: --rest-bus chassis"),
    "a part that no rest-bus has": (["ecu", "--front", "virtual:a", "--rest-bus", "batery"], 'rest-bus "batery"'),
    "an unknown interface": ([*ALONE, "--front", "slcn:/dev/ttyACM0"], 'unknown interface "slcn", did you mean "slcan"'),
    "a device that is not there": ([*ALONE, "--front", "slcan:/dev/gone@500000"], "no such port; there are:"),
    "two roles on one bus": ([*ALONE, "--front", "virtual:a", "--rear", "virtual:a"], "front and rear are on the same bus"),
    "an unknown overrun policy": ([*ALONE, "--front", "virtual:a", "--overrun", "hope"], '--overrun "hope": expected skip'),
    "a torque that is none": ([*ALONE, "--front", "virtual:a", "--torque", "5,x"], 'torque "5,x": expected'),
    "a hub's bus without a name": (["hub", "1front"], 'bus "1front"'),
    "no hub to command": (["hub", "--tell", "statistics", "--folder", "/dev/null/hub"], "no hub at /dev/null/hub"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_input_is_one_line_and_status_two(mistake: str) -> None:
    arguments, expected = MISTAKES[mistake]
    done = e4hil(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unknown_option_is_wrong_usage() -> None:
    done = e4hil("drive", "--colour", "red")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written_is_told(short: str) -> None:
    done = e4hil("drive", short, E4HIL_CACHE_DIR="/dev/null/cache")
    assert done.returncode == 2
    assert "E4HIL_CACHE_DIR" in done.stderr
    assert "Traceback" not in done.stderr
