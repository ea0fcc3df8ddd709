"""The search on a Dask cluster: a real scheduler, workers in processes of their own, of which one is killed in the middle."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from distributed import Client

import bench
from bench.tuning import cluster
from bench.tuning.cluster import Cluster, split
from bench.tuning.evaluation import Piece
from bench.tuning.search import search
from hil.errors import UsageError

DASK = [sys.executable, "-W", "ignore", "-m", "dask"]
# Threads of the client that end a moment after it, in libraries that are not ours
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a process of Dask; at the end all are gone."""
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as stack:

        def process(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
            started = subprocess.Popen(
                [*DASK, *arguments], cwd=folder, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(started.wait, 30.0)
            stack.callback(started.kill)
            return started

        yield process


@pytest.fixture(scope="module")
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def scheduler_process(start, port):
    return start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")


@pytest.fixture(scope="module")
def scheduler(scheduler_process, port):
    """The address of a scheduler."""
    deadline = time.monotonic() + 60.0
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"tcp://127.0.0.1:{port}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def workers(start, scheduler):
    """Two workers of that scheduler, which has them."""
    processes = [start(*worker(scheduler)) for _ in range(2)]
    with Client(scheduler, set_as_default=False) as client:
        wait_for(lambda: len(client.nthreads()) == 2)
    return processes


def worker(address: str) -> list[str]:
    return ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]


def results(outcome):
    return [(dict(trial.parameters), trial.worth.objectives, trial.worth.figures) for trial in outcome.trials]


def test_a_cluster_that_cannot_be_used_is_one_clear_line(study, scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_TIME", 3.0)
    with pytest.raises(UsageError, match=r"--cluster tcp://127.0.0.1:1: no scheduler answers there") as caught:
        Cluster(study, "tcp://127.0.0.1:1")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no scheduler answers there"):
        Cluster(study, "nonsense://x")
    with pytest.raises(UsageError, match="the scheduler has no workers; start some: dask worker"):
        Cluster(study, scheduler)


def test_a_worker_with_another_version_of_our_code_is_refused(study, start, scheduler, tmp_path):
    root = Path(bench.__file__).resolve().parents[1]
    for package in cluster.PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "bench" / "figures.py").open("a") as file:
        file.write("# another version\n")
    other = start(*worker(scheduler), environment={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(UsageError, match=r"worker .* has sources \w+ instead of \w+; the same everywhere was expected"):
        Cluster(study, scheduler)
    other.kill()
    with Client(scheduler, set_as_default=False) as client:
        wait_for(lambda: not client.nthreads())


def test_a_worker_that_is_killed_loses_no_trial_and_changes_no_result(study, cores, workers, scheduler, tmp_path):
    trials = 24
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if done > trials * study.samples // 4:
            workers[1].kill()

    with closing(Cluster(study, scheduler)) as pool:
        there = search(study, tmp_path / "there", pool, trials=trials, done=count)
        wait_for(lambda: len(pool.workers()) == 1)
    assert done == trials * study.samples
    assert results(there) == results(search(study, tmp_path / "here", cores, trials=trials))


def test_a_worker_whose_first_drive_differs_is_refused(study, workers, scheduler):
    with closing(Cluster(study, scheduler)) as pool:
        pool._probe = (*pool._probe[:-1], pool._probe[-1] + 1e-12)
        with pytest.raises(UsageError, match="a worker's first drive differs from the one here"):
            pool.figures([Piece(tuple(study.defaults.values()), 0)])


def test_a_search_without_workers_or_scheduler_is_given_up(study, workers, scheduler_process, scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "WORKER_TIME", 0.5)
    pieces = [Piece(tuple(study.defaults.values()), 0)] * 5000
    with closing(Cluster(study, scheduler)) as pool:
        for process in workers:
            process.kill()
        with pytest.raises(UsageError, match="all workers are gone; the journal keeps what was done"):
            pool.figures(pieces)
        pool._client._timeout = 1.0  # of an answer to its second connection
        scheduler_process.kill()
        with pytest.raises(UsageError, match="the scheduler is gone; the journal keeps what was done"):
            pool.figures(pieces)


def test_batches_hold_all_pieces_in_order():
    pieces = [Piece((float(k),), 0) for k in range(17)]
    for count in (1, 2, 5, 17, 40):
        batches = split(pieces, count)
        assert [piece for batch in batches for piece in batch] == pieces
        assert len(batches) == min(count, 17)
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
