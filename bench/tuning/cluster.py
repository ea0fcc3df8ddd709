"""The drives of a study on the workers of a Dask cluster.

Workers get whole batches and give back figures. Each answer says what the worker runs, and what a first drive gave there: a
worker that would compute something else, to the bit, is refused, whenever it joins.
"""

import hashlib
import logging
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

import bench
from bench.tuning.evaluation import Evaluation, Figures, Piece
from bench.tuning.extra import import_extra
from bench.tuning.study_file import Study
from hil.errors import UsageError

ANSWER_TIME = 10.0  # [s] in which a scheduler answers
WORKER_TIME = 60.0  # [s] without any worker until the search is given up
TRIES = 5  # of a batch that Dask has given up, each after several workers
LOOK = 1.0  # [s] between two looks at whether there are workers
BATCHES = 4  # for each thread of the cluster and generation, so that the last one to end is not awaited for long
PACKAGES = ("firmware_model", "hil", "bench")
LOGS = ("distributed", "tornado")  # what they have to say of lost connections is told in one line
LIBRARIES = ("dask", "distributed", "numpy", "numba")


@dataclass(frozen=True)
class Identity:
    """What a process runs: drives are compared among the same only."""

    versions: tuple[tuple[str, str], ...]

    def differences(self, other: "Identity") -> str:
        """Where ``other`` differs, in words; empty if it does not."""
        theirs = dict(other.versions)
        unlike = [(name, own, theirs.get(name, "none")) for name, own in self.versions if theirs.get(name) != own]
        return ", ".join(f"{name} {its} instead of {own}" for name, own, its in unlike)


@dataclass(frozen=True)
class Answer:
    """What a worker gives back for a batch."""

    identity: Identity
    probe: tuple[float, ...]  # figures of the study's first piece there
    figures: list[Figures]


@cache
def identity() -> Identity:
    """What this process runs."""
    libraries = [(name, version(name)) for name in LIBRARIES]
    own = [("python", platform.python_version()), ("e4orce-hil", version("e4orce-hil")), ("sources", sources())]
    return Identity((*own, *libraries))


def sources() -> str:
    """A hash of our own code, for a version that is being worked on is many."""
    root = Path(bench.__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# --- on a worker ------------------------------------------------------------------------------------------------------------

_prepared: dict[str, tuple[Evaluation, tuple[float, ...]]] = {}
_preparing = threading.Lock()


def prepare(study: Study) -> tuple[Evaluation, tuple[float, ...]]:
    """The evaluation of a study with its probe, made once in a process."""
    with _preparing:
        if study.fingerprint not in _prepared:
            evaluation = Evaluation(study)
            evaluation.compile()
            _prepared.clear()
            _prepared[study.fingerprint] = evaluation, probe_of(evaluation)
        return _prepared[study.fingerprint]


def probe_of(evaluation: Evaluation) -> tuple[float, ...]:
    """What the first drive of the study tells: the vehicle's own calibration in the first car."""
    study = evaluation.study
    name = next(drive for drive, keys in study.used_figures.items() if keys)
    piece = Piece(tuple(study.defaults[parameter.name] for parameter in study.parameters), 0)
    return tuple(evaluation.figures(piece, {name: study.used_figures[name]})[name].values())


def answer(study: Study, pieces: Sequence[Piece]) -> Answer:
    """Do a batch."""
    evaluation, probe = prepare(study)
    return Answer(identity(), probe, [evaluation.figures(piece) for piece in pieces])


# --- on the machine that searches --------------------------------------------------------------------------------------------


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, study: Study, address: str) -> None:
        """Connect, and look whether the workers run what we run.

        Raises UsageError if the scheduler does not answer, has no workers, or if any of them runs another version.
        """
        distributed = import_extra("distributed", "cluster")
        self._distributed, self._address = distributed, address
        for name in LOGS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._study = replace(study)  # without what it has worked out, which no worker needs
        self._identity = identity()
        try:
            self._client = distributed.Client(address, timeout=ANSWER_TIME, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"--cluster {address}: no scheduler answers there: {reason}") from error
        try:
            self._check()
            _, self._probe = prepare(study)
        except BaseException:
            self._client.close()
            raise

    def workers(self) -> dict[str, int]:
        """The threads of each worker that is there now, by its address."""
        return dict(self._client.nthreads())

    def _wrong(self, what: str) -> UsageError:
        """What is wrong with the cluster."""
        return UsageError(f"--cluster {self._address}: {what}")

    def _check(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=ANSWER_TIME)
        except (OSError, TimeoutError) as error:
            raise self._wrong(f"the scheduler has no workers; start some: dask worker {self._address}") from error
        try:
            found = self._client.run(identity)
        except Exception as error:  # whatever goes wrong there: above all, no e4orce-hil
            raise self._wrong(f"a worker cannot run e4orce-hil: {type(error).__name__}: {error}") from error
        for worker, theirs in found.items():
            self._refuse_unlike(worker, theirs)

    def _refuse_unlike(self, worker: str, theirs: Identity) -> None:
        if unlike := self._identity.differences(theirs):
            raise self._wrong(f"worker {worker} has {unlike}; the same everywhere was expected")

    def figures(self, pieces: Sequence[Piece], done: Callable[[int], None] = lambda count: None) -> list[Figures]:
        """The figures of all pieces, in their order; ``done`` is told how many more are done.

        A batch whose worker dies is done by another. Raises UsageError if a worker runs something else than we do, or if no
        worker is left.
        """
        try:
            batches = split(pieces, BATCHES * max(1, sum(self.workers().values())))
            return [figures for told in self._drive(batches, done) for figures in told]
        except OSError as error:
            raise self._wrong("the scheduler is gone; the journal keeps what was done") from error

    def _drive(self, batches: Sequence[Sequence[Piece]], done: Callable[[int], None]) -> list[list[Figures]]:
        """The figures of all batches, in their order."""
        ready: SimpleQueue[Any] = SimpleQueue()
        pending = {self._submit(batch, ready): number for number, batch in enumerate(batches)}
        results: list[list[Figures]] = [[] for _ in batches]
        tries = [0] * len(batches)
        alone_since = time.monotonic()
        try:
            while pending:
                if self.workers():
                    alone_since = time.monotonic()
                elif time.monotonic() > alone_since + WORKER_TIME:
                    raise self._wrong("all workers are gone; the journal keeps what was done")
                try:
                    future = ready.get(timeout=LOOK)
                except Empty:
                    continue
                number = pending.pop(future)
                told = self._result(future)
                if told is not None:
                    results[number] = told
                    done(len(told))
                    continue
                tries[number] += 1
                if tries[number] == TRIES:
                    raise self._wrong("one batch ends every worker that takes it; look at their memory")
                pending[self._submit(batches[number], ready)] = number
        finally:
            for future in pending:
                future.cancel()
        return results

    def _submit(self, batch: Sequence[Piece], ready: SimpleQueue[Any]) -> Any:
        """A batch on its way; its future comes to ``ready`` when it is done."""
        future = self._client.submit(answer, self._study, batch, pure=False)
        future.add_done_callback(ready.put)
        return future

    def _result(self, future: Any) -> list[Figures] | None:
        """The figures of a batch; None if it killed, or lost, too many workers to be tried again by the scheduler."""
        try:
            told: Answer = future.result()
        except (self._distributed.KilledWorker, self._distributed.client.FutureCancelledError):
            return None
        self._refuse_unlike(f"of {future.key}", told.identity)
        if not np.array_equal(told.probe, self._probe, equal_nan=True):
            raise self._wrong("a worker's first drive differs from the one here; machines of one kind were expected")
        return told.figures

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


def split(pieces: Sequence[Piece], count: int) -> list[list[Piece]]:
    """At most ``count`` batches of nearly equal length, in order."""
    ends = np.linspace(0, len(pieces), min(count, len(pieces)) + 1).round().astype(int)
    return [list(pieces[begin:end]) for begin, end in pairwise(ends)]
