"""Sweeps: the map holds what single drives tell, in any number of threads; the interval of a mean narrows with the cars."""

import json
import math

import numpy as np
import pyarrow.parquet
import pytest

from bench.commands import drive, sweep
from bench.tuning.sweep import FOLDER, Driving, estimate, estimates, load_sweep
from hil import toml_files
from hil.errors import UsageError

SWEEP = """
title = "starts"
seed = 3

[[drive]]
name = "start"
scenario = "{scenario}"

[[axis]]
of = "pack.parallel"
values = [2, 3]

[[axis]]
of = "calibration.torque_path.rise_rate"
values = [500.0, 1500.0, 3000.0]

[[figure]]
drive = "start"
figure = "distance"

[[figure]]
drive = "start"
figure = "time_to_50_kmh"
"""
SPREAD = """
[spread]
mass = { minimum = 0.9, maximum = 1.3 }
sensor_noise = { minimum = 0.0, maximum = 1.0 }
"""


@pytest.fixture
def sweep_file(study_file, tmp_path):
    path = tmp_path / "starts.toml"
    path.write_text(SWEEP.format(scenario=study_file.with_name("start.toml")))
    return path


@pytest.fixture
def chance_file(sweep_file):
    text = sweep_file.read_text()
    begin, end = text.index('[[axis]]\nof = "calibration'), text.index("[[figure]]")
    sweep_file.write_text(text[:begin].replace("seed = 3", "seed = 3\nsamples = 12") + text[end:] + SPREAD)
    return sweep_file


@pytest.mark.parametrize("name", toml_files.names(FOLDER))
def test_sweeps_that_come_with_the_bench_are_right(name):
    assert load_sweep(name).points


def test_a_point_of_the_map_is_the_drive_with_those_values(sweep_file, study_file, tmp_path, capsys):
    sweep.run(str(sweep_file), None, 2, True)
    points = json.loads(capsys.readouterr().out)["points"]
    assert [tuple(point["at"].values()) for point in points] == [(p, r) for p in (2, 3) for r in (500.0, 1500.0, 3000.0)]
    (tmp_path / "c.toml").write_text("[torque_path]\nrise_rate = 500.0\n")
    drive.run(str(study_file.with_name("start.toml")), "leaf_twin_motor", None, None, False, None, True, tmp_path / "c.toml")
    distance = next(row["value"] for row in json.loads(capsys.readouterr().out)["rows"] if row["name"] == "distance")
    at = points[3]["figures"]
    assert at["start.distance"]["mean"] == distance
    assert at["start.time_to_50_kmh"] == {**dict.fromkeys(("mean", "low", "high", "least", "most")), "failed": 1}


def test_parquet_and_report_hold_every_drive(chance_file, tmp_path, capsys):
    sweep.run(str(chance_file), tmp_path / "out", 1, False)
    assert "95 % confidence interval" in capsys.readouterr().out
    table = pyarrow.parquet.read_table(tmp_path / "out" / "drives.parquet").to_pydict()
    assert list(table) == [
        "pack.parallel", "sample", "spread.mass", "spread.sensor_noise", "start.distance", "start.time_to_50_kmh",
    ]  # fmt: skip
    assert table["pack.parallel"] == [2.0] * 12 + [3.0] * 12
    assert table["sample"] == [*range(12)] * 2
    assert table["spread.mass"][:12] == table["spread.mass"][12:]
    lighter = np.argsort(table["spread.mass"][:12])
    assert list(np.argsort(table["start.distance"][:12])) == list(lighter[::-1])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for heading in ("start: distance [m]", "Spread", "All points"):
        assert f"<h2>{heading}</h2>" in page


def test_threads_change_nothing(chance_file):
    told = load_sweep(str(chance_file))
    one, two = list(Driving(told).lines(1)), list(Driving(told).lines(2))
    assert [(line.point, line.sample, line.figures[0]) for line in one] == [
        (line.point, line.sample, line.figures[0]) for line in two
    ]
    there = estimates(told, one)[(2.0,)][0]
    assert there.least < there.low < there.mean < there.high < there.most


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(100):
        told = estimate(list(generator.normal(3.0, 1.0, 40)), 7)
        inside += told.low <= 3.0 <= told.high
    assert 0.86 <= inside / 100 <= 0.99
    assert estimate([1.0, math.nan], 0).failed == 1
    assert math.isnan(estimate([math.nan], 0).mean)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pack.parallel", "pack.series", "calibration.PATH, vehicle.PATH, pack.parallel, pack.chemistry or one of mass"),
        ("values = [2, 3]", "values = [2.5]", "a whole number of cells was expected, got 2.5"),
        ("values = [2, 3]", "values = [0]", "expected at least one cell in parallel, got 0"),
        ("values = [2, 3]", "values = [2, 2]", "every value once was expected"),
        ("torque_path.rise_rate", "torque_path.rise", "no such value, did you mean"),
        ("[500.0, 1500.0, 3000.0]", "[0.5]", "torque_path.rise_rate = 0.5: allowed is 1 to 50000 Nm/s"),
        ("pack.parallel", "vehicle.body.mas", "no such number of a vehicle"),
        ("pack.parallel", "vehicle.body.mass", "100 to 10000 kg was expected, got 2"),
        ('"distance"', '"distanse"', 'drive start has no figure "distanse", did you mean "distance"'),
        ("seed = 3", "samples = 3", "quantities that spread were expected"),
        ('[[axis]]\nof = "pack.parallel"', '[[axis]]\nof = "mass"', "mass: 0.5 to 2 1 was expected, got 3"),
        (
            'torque_path.rise_rate"\nvalues = [500.0, 1500.0, 3000.0]',
            'yaw_control.fade_in_start"\nvalues = [5.0, 9.0]',
            "yaw_control.fade_in_start = 9: must be below yaw_control.fade_in_end = 9",
        ),
    ],
)
def test_mistakes_are_told_with_what_was_expected(sweep_file, old, new, message):
    text = sweep_file.read_text()
    assert old in text
    sweep_file.write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_sweep(str(sweep_file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
