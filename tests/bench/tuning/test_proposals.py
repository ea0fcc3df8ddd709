"""What samplers propose: where they begin, and that they learn."""

import numpy as np
import pytest

from bench.tuning.evaluation import Worth
from bench.tuning.proposals import CONSTRAINT_WEIGHT, cost, distributions_of, place_of, proposals_of, value_at
from bench.tuning.study_file import Parameter, load_study

pytest.importorskip("optuna", reason="the extra tuning is not installed")

AIM = {"torque_path.rise_rate": 900.0, "torque_split.mode_shift[0]": -0.2}


def parameter(logarithmic, whole):
    return Parameter("name", "path", (), 2.0, 500.0, logarithmic, whole, "1")


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_place_and_its_value_are_the_same(logarithmic, whole):
    one = parameter(logarithmic, whole)
    for value in (2.0, 3.0, 47.0, 500.0):
        assert value_at(one, place_of(one, value)) == pytest.approx(value, rel=1e-12)
    assert value_at(one, 1.0) == 500.0
    assert value_at(one, 0.0) == 2.0


def test_a_missed_constraint_is_a_cost_and_one_that_is_kept_is_none():
    assert cost(Worth((3.0,), (0.2, -5.0), {})) == 3.0 + 0.2 * CONSTRAINT_WEIGHT


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random", "nsga2"])
def test_the_first_proposal_is_the_default(study_file, sampler):
    path = study_file.with_name("sampler.toml")
    path.write_text(f'sampler = "{sampler}"\n' + study_file.read_text())
    study = load_study(str(path))
    assert proposals_of(study, distributions_of(study)).next(study.generation)[0] == study.defaults


def test_covariance_matrix_adaptation_finds_a_place_that_is_not_where_it_began(study_file):
    path = study_file.with_name("sampler.toml")
    path.write_text('sampler = "cmaes"\n' + study_file.read_text().replace("generation = 4", "generation = 8"))
    study = load_study(str(path))
    proposals = proposals_of(study, distributions_of(study))

    def distance(values):
        return float(np.hypot(*(place_of(each, values[each.name]) - place_of(each, AIM[each.name]) for each in study.parameters)))

    began = distance(study.defaults)
    for _ in range(30):
        asked = proposals.next(study.generation)
        proposals.tell([Worth((distance(values),), (), {}) for values in asked])
    assert all(distance(values) < 0.05 * began for values in asked)
