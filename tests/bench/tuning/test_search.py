"""The search: the same result for any number of workers and after any interruption; one process a folder."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bench.tuning.evaluation import LocalCores
from bench.tuning.journal import FILE, Journal
from bench.tuning.proposals import distributions_of
from bench.tuning.search import search
from bench.tuning.study_file import load_study
from hil.errors import UsageError


def results(outcome):
    return [(dict(trial.parameters), trial.worth.objectives, trial.worth.violations) for trial in outcome.trials]


@pytest.fixture(scope="module")
def whole(study, cores, tmp_path_factory):
    return search(study, tmp_path_factory.mktemp("whole"), cores)


def test_the_search_begins_with_the_vehicles_own_values_and_finds_better_ones(whole):
    assert dict(whole.default.parameters) == whole.study.defaults
    assert whole.best.worth.allowed
    assert whole.best.worth.objectives < whole.default.worth.objectives
    assert set(whole.importances) == {"quick"}


def test_two_workers_find_what_one_finds(study, whole, tmp_path):
    cores = LocalCores(study, 2)
    try:
        counted = []
        assert results(search(study, tmp_path, cores, done=counted.append)) == results(whole)
        assert sum(counted) == study.trials * study.samples
    finally:
        cores.close()


@pytest.mark.parametrize("kept", [0, 1, 3, 6, 10])
def test_a_search_goes_on_from_its_journal_as_if_nothing_had_happened(study, cores, whole, tmp_path, kept):
    search(study, tmp_path, cores, trials=10)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    assert len(lines) == 2 + 10  # the study, its fingerprint, and a line a trial
    (tmp_path / FILE).write_bytes(b"".join(lines[: 2 + kept]) + lines[-1][:37])  # the last line is cut off by a crash
    driven = []

    class Counting:
        def figures(self, pieces, done):
            driven.extend(pieces)
            return cores.figures(pieces, done)

    assert results(search(study, tmp_path, Counting())) == results(whole)
    again = 1 if kept else 0  # the first one, to see whether it comes to the same
    assert len(driven) == (10 - kept + again) * study.samples
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 12


def test_a_search_with_more_trials_begins_like_one_with_fewer(study, cores, whole, tmp_path):
    search(study, tmp_path, cores, trials=6)
    assert results(search(study, tmp_path, cores, trials=10)) == results(whole)


def test_a_killed_process_loses_no_trial_that_was_told(study, study_file, cores, whole, tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from bench.tuning.evaluation import LocalCores\n"
        "from bench.tuning.search import search\n"
        "from bench.tuning.study_file import load_study\n"
        "study = load_study(sys.argv[1])\n"
        "search(study, Path(sys.argv[2]), LocalCores(study, 1), trials=100000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(study_file), str(tmp_path)])
    try:
        deadline = time.monotonic() + 60.0
        while not ((tmp_path / FILE).exists() and (tmp_path / FILE).read_bytes().count(b"\n") > 7):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert results(search(study, tmp_path, cores, trials=10)) == results(whole)


def test_a_folder_belongs_to_one_search_at_a_time(study, cores, tmp_path):
    tmp_path.mkdir(exist_ok=True)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another study is running there"):
            search(study, tmp_path, cores)
    Journal(tmp_path, study, distributions_of(study)).close()


def test_a_journal_of_another_study_is_refused(study, study_file, cores, tmp_path):
    search(study, tmp_path, cores, trials=1)
    changed = study_file.with_name("changed.toml")
    changed.write_text(study_file.read_text().replace("scale = 0.1", "scale = 0.2"))
    with pytest.raises(UsageError, match="is of another study, or of this one before it was changed"):
        search(load_study(str(changed)), tmp_path, cores)


def test_a_journal_of_another_version_of_the_bench_is_refused(study, cores, tmp_path):
    search(study, tmp_path, cores, trials=2)
    text = (tmp_path / FILE).read_text()
    lines = text.splitlines(keepends=True)
    first = json.loads(lines[2])
    first["value" if first.get("value") is not None else "values"] = 1.5 if first.get("value") is not None else [1.5]
    (tmp_path / FILE).write_text("".join([*lines[:2], json.dumps(first) + "\n", *lines[3:]]))
    with pytest.raises(UsageError, match=r"was written by another version of the bench: .* now, 1.5 then; choose another --out"):
        search(study, tmp_path, cores)


def test_a_file_that_is_no_journal_is_refused(study, cores, tmp_path):
    (tmp_path / FILE).write_text("{}\n{}\n")
    with pytest.raises(UsageError, match="is not the journal of a study"):
        search(study, tmp_path, cores)


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_many_objectives_end_in_a_front_that_nothing_surpasses(many_objectives, tmp_path, sampler):
    path = tmp_path / "many.toml"
    path.write_text(f'sampler = "{sampler}"\n' + many_objectives)
    study = load_study(str(path))
    cores = LocalCores(study, 1)
    outcome = search(study, tmp_path, cores, trials=12)
    cores.close()
    front = [trial.worth.objectives for trial in outcome.front]
    assert len(front) > 1
    for one in front:
        assert not any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in front)
    assert front == sorted(front)
    assert outcome.best in outcome.front


def test_covariance_matrix_adaptation_searches_and_goes_on(study_file, tmp_path):
    path = study_file.with_name("cmaes.toml")
    path.write_text('sampler = "cmaes"\n' + study_file.read_text())
    study = load_study(str(path))
    cores = LocalCores(study, 1)
    whole = results(search(study, tmp_path / "a", cores, trials=16))
    search(study, tmp_path / "b", cores, trials=9)
    assert results(search(study, tmp_path / "b", cores, trials=16)) == whole
    cores.close()
    assert min(objectives for _, objectives, violations in whole if max(violations) <= 0.0) < whole[0][1]
