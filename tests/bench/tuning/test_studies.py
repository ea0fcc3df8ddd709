"""The studies that come with the bench, and what they have found."""

from contextlib import closing

import pytest
from interpreter import needs_compiler

from bench.tuning.evaluation import LocalCores
from bench.tuning.search import evaluated
from bench.tuning.study_file import FOLDER, load_study
from bench.vehicles import load_vehicle
from hil.toml_files import names


@pytest.mark.parametrize("name", names(FOLDER))
def test_a_study_that_comes_with_the_bench_is_whole(name):
    assert load_study(name).used_figures


@needs_compiler
def test_the_calibration_of_the_twin_motor_leaf_is_better_in_its_study_than_the_untuned_one_and_keeps_all_constraints():
    study = load_study("handling")
    found = load_vehicle("leaf_twin_motor").calibration
    assert set(found) <= set(study.defaults)
    with closing(LocalCores(study, 2)) as cores:
        tuned, untuned = evaluated(study, [{**study.defaults, **found}, study.defaults], cores, lambda count: None)
    assert tuned.allowed
    assert tuned.objectives < untuned.objectives
