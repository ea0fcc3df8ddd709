from pathlib import Path

import pytest

from bench.tuning.evaluation import LocalCores
from bench.tuning.study_file import load_study

SCENARIO = """
title = "one second of throttle"
duration = 1.0
[stimulus]
time = [0.0, 0.1, 1.0]
accelerator = [0.0, 0.6, 0.6]
brake = [0.0, 0.0, 0.0]
steering_deg = [0.0, 0.0, 0.0]
"""
STUDY = """
title = "quick off the mark, without a jerk"
seed = 5
trials = 10
generation = 4
samples = 2

[[drive]]
name = "start"
scenario = "{scenario}"

[[parameter]]
path = "torque_path.rise_rate"
minimum = 500.0
maximum = 6000.0
logarithmic = true

[[parameter]]
path = "torque_split.mode_shift[0]"
minimum = -0.3
maximum = 0.3

[[objective]]
name = "quick"
[[objective.term]]
drive = "start"
figure = "distance"
scale = 0.1
want = "more"

[[constraint]]
drive = "start"
figure = "peak_jerk"
maximum = 60.0

[spread.mass]
minimum = 0.95
maximum = 1.2

[spread.sensor_noise]
minimum = 0.0
maximum = 1.0
"""
SECOND_OBJECTIVE = """
[[objective]]
name = "smooth"
[[objective.term]]
drive = "start"
figure = "peak_jerk"
scale = 1.0
over = "worst"
"""


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "start.toml").write_text(SCENARIO)
    path = folder / "quick.toml"
    path.write_text(STUDY.format(scenario=folder / "start.toml"))
    return path


@pytest.fixture(scope="session")
def many_objectives(study_file) -> str:
    """The same study with a second objective, as text."""
    return study_file.read_text().replace("[spread.mass]", SECOND_OBJECTIVE + "\n[spread.mass]")


@pytest.fixture(scope="session")
def study(study_file):
    return load_study(str(study_file))


@pytest.fixture(scope="session")
def cores(study):
    cores = LocalCores(study, 1)
    yield cores
    cores.close()
