"""Studies as files: what is wrong with one is told before anything is driven, all of it in one line."""

import re
from pathlib import Path

import pytest

from bench.tuning.manoeuvres import KINDS
from bench.tuning.spread import QUANTITIES
from bench.tuning.study_file import FOLDER, load_study
from bench.tuning.sweep import load_sweep
from hil import toml_files
from hil.errors import UsageError


@pytest.mark.parametrize("name", toml_files.names(FOLDER))
def test_studies_that_come_with_the_bench_are_right(name):
    study = load_study(name)
    assert study.drives
    assert study.parameters


def test_the_study_and_the_sweep_of_the_documentation_are_right(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "tuning.md").read_text(encoding="utf-8")
    study, sweep = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "study.toml").write_text(study)
    (tmp_path / "sweep.toml").write_text(sweep)
    assert load_study(str(tmp_path / "study.toml")).title in study
    assert load_sweep(str(tmp_path / "sweep.toml")).title in sweep
    for kind in KINDS:
        assert kind in text
    for quantity in QUANTITIES:
        assert f"`{quantity}`" in text


def test_a_study_holds_the_vehicles_own_values(study):
    assert study.defaults == {"torque_path.rise_rate": 1500.0, "torque_split.mode_shift[0]": 0.0}
    calibration = study.calibration({"torque_split.mode_shift[0]": 0.25})
    assert list(calibration.torque_split.mode_shift[0]) == [0.25, -0.1, 0.0, 0.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("torque_path.rise_rate", "torque_path.rise_rat", 'no such calibration value, did you mean "torque_path.rise_rate"'),
        ("minimum = 500.0", "minimum = 7000.0", "a minimum below the maximum was expected, got 7000 and 6000"),
        ("maximum = 6000.0", "maximum = 6e6", "a range inside 1 to 50000 Nm/s was expected"),
        ("minimum = 500.0", "minimum = -5.0", "a minimum above 0 was expected of a logarithmic range"),
        ("minimum = 500.0", "minimum = 2000.0", "a range around the vehicle's own 1500 Nm/s was expected"),
        ("mode_shift[0]", "mode_shift[4]", r"torque_split.mode_shift[0..3] was expected"),
        ("mode_shift[0]", "mode_shift", r"torque_split.mode_shift[0..3] was expected"),
        ("rise_rate", "rise_rate[0]", "is one number"),
        ('"torque_split.mode_shift[0]"', '"torque_path.rise_rate"', "parameter torque_path.rise_rate: is there twice"),
        ('figure = "distance"', 'figure = "distanse"', 'drive start has no figure "distanse", did you mean "distance"'),
        ('drive = "start"', 'drive = "stop"', 'unknown drive "stop"; there are: start'),
        ("[spread.mass]", "[spread.mas]", 'spread.mas: no such quantity, did you mean "mass"'),
        ("maximum = 1.2", "maximum = 9.0", "spread.mass: a range inside 0.5 to 2 1 was expected"),
        ("seed = 5", "seed = -5", "seed: Input should be greater than or equal to 0"),
        ("seed = 5", "sede = 5", "sede: Extra inputs are not permitted"),
        ("generation = 4", 'generation = 3\nsampler = "cmaes"', "generation: 4 or more were expected of cmaes"),
        ("maximum = 60.0", "maximum = 60.0\nminimum = 3.0", "either minimum or maximum was expected"),
        ("minimum = 500.0", "minimum = nan", "Input should be a finite number"),
        ("scale = 0.1", "scale = 0.0", "Input should be greater than 0"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_what_was_expected(study_file, old, new, message):
    text = study_file.read_text()
    assert old in text
    wrong = study_file.with_name("wrong.toml")
    wrong.write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_study(str(wrong))
    assert str(caught.value).startswith(f"{wrong}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ranges_in_which_values_may_contradict_each_other_are_refused(study_file):
    text = study_file.read_text().replace("torque_path.rise_rate", "yaw_control.fade_in_start")
    text = text.replace("torque_split.mode_shift[0]", "yaw_control.fade_in_end").replace("minimum = -0.3", "minimum = 7.0")
    wrong = study_file.with_name("wrong.toml")
    for highest, lowest, fits in ((6.0, 7.0, True), (8.0, 7.0, False), (8.0, 8.5, True), (9.5, 9.4, False)):
        ranges = text.replace("minimum = 500.0\nmaximum = 6000.0", f"minimum = 0.5\nmaximum = {highest}")
        wrong.write_text(ranges.replace("minimum = 7.0\nmaximum = 0.3", f"minimum = {lowest}\nmaximum = 9.5"))
        if fits:
            assert load_study(str(wrong)).parameters
            continue
        with pytest.raises(UsageError, match=r"yaw_control.fade_in_start = .*: must be below yaw_control.fade_in_end"):
            load_study(str(wrong))


def test_covariance_matrix_adaptation_takes_one_objective(study_file, many_objectives):
    wrong = study_file.with_name("wrong.toml")
    wrong.write_text('sampler = "cmaes"\n' + many_objectives)
    with pytest.raises(UsageError, match="sampler cmaes: one objective was expected"):
        load_study(str(wrong))


def test_an_untuned_study_begins_without_the_vehicles_calibration_file(study_file):
    study_file.with_name("rates.toml").write_text("torque_path.rise_rate = 1234.0\n")
    car = study_file.with_name("car.toml")
    car.write_text('base = "leaf_plus"\ncalibration = "rates.toml"\n')
    text = f'vehicle = "{car}"\n' + study_file.read_text()
    studies = []
    for line in ("", "untuned = true\n"):
        study_file.with_name("other.toml").write_text(line + text)
        studies.append(load_study(str(study_file.with_name("other.toml"))))
    tuned, untuned = studies
    assert tuned.defaults["torque_path.rise_rate"] == 1234.0 != untuned.defaults["torque_path.rise_rate"]
    assert tuned.fingerprint != untuned.fingerprint


def test_what_a_scenario_begins_with_is_in_the_fingerprint(study_file):
    scenario, text = study_file.with_name("start.toml").read_text(), study_file.read_text()
    told = set()
    for start in ("", "temperature = 3.0", "state_of_charge = 0.4", "speed_kmh = 20.0"):
        study_file.with_name("changed.toml").write_text(f"{scenario}[start]\n{start}\n")
        study_file.with_name("other.toml").write_text(text.replace("start.toml", "changed.toml"))
        told.add(load_study(str(study_file.with_name("other.toml"))).fingerprint)
    assert len(told) == 4


def test_manoeuvres_are_known_with_their_settings(study_file):
    text = study_file.read_text()
    begin, end = text.index("[[drive]]"), text.index("[[parameter]]")
    wrong = study_file.with_name("wrong.toml")
    drives = (
        '[[drive]]\nname = "a"\nmanoeuvre = "step-stear"\n[[drive]]\nname = "b"\nmanoeuvre = "step-steer"\n'
        "settings = {angel = 3.0, angle = 900.0}\n"
    )
    wrong.write_text(text[:begin] + drives + text[end:])
    with pytest.raises(UsageError) as caught:
        load_study(str(wrong))
    assert 'drive a: unknown manoeuvre "step-stear"; there are: step-steer, ' in str(caught.value)
    assert "drive b: settings.angel: step-steer has no such setting; there are: angle, friction" in str(caught.value)
    assert "drive b: settings.angle: 1 to 300 ° was expected, got 900" in str(caught.value)
