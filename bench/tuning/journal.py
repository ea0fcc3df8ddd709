"""The journal of a study: every trial that came to its end, in a file that a crash leaves readable.

It is a study of Optuna's journal storage, one line a trial, so that Optuna's own tools read it. A line that a crash has cut off
is taken away before the study goes on.
"""

import fcntl
import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.tuning.evaluation import Worth
from bench.tuning.extra import import_extra
from bench.tuning.study_file import Study
from hil.errors import UsageError

FILE = "journal.log"
FINGERPRINT = "fingerprint"
NAME = "study"


class Owned:
    """The lock of the journal's file: the process that holds the folder is the only one that writes."""

    def acquire(self) -> bool:
        """It is ours."""
        return True

    def release(self) -> None:
        """It stays ours."""


class Journal:
    """The trials that are done. One process a folder."""

    def __init__(self, folder: Path, study: Study, distributions: Mapping[str, Any]) -> None:
        """Open the journal of ``folder``, or begin one.

        Raises UsageError if another process has it, or if it is that of another study.
        """
        optuna = import_extra("optuna")
        optuna.logging.set_verbosity(logging.ERROR)
        self._distributions = dict(distributions)
        self._create = optuna.trial.create_trial
        self._stack = ExitStack()
        try:
            self._hold(folder)
            path = folder / FILE
            mend(path)
            try:
                backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=Owned())
                storage = optuna.storages.JournalStorage(backend)
                if NAME in optuna.get_all_study_names(storage):
                    self._study = optuna.load_study(study_name=NAME, storage=storage)
                else:
                    directions = ["minimize"] * len(study.objectives)
                    self._study = optuna.create_study(study_name=NAME, storage=storage, directions=directions)
            except (ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
                raise UsageError(f"{path}: is not the journal of a study: {error}") from error
            self._check(path, study)
        except BaseException:
            self._stack.close()
            raise

    def _hold(self, folder: Path) -> None:
        """Keep other processes out of the folder until the journal is closed, or this process is gone."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = self._stack.enter_context((folder / ".lock").open("w"))
        except OSError as error:
            raise UsageError(f"--out {folder}: cannot be written: {error.strerror}; choose another folder") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"--out {folder}: another study is running there; choose another folder") from error

    def _check(self, path: Path, study: Study) -> None:
        known = self._study.user_attrs.get(FINGERPRINT)
        if known is None:
            self._study.set_user_attr(FINGERPRINT, study.fingerprint)
        elif known != study.fingerprint:
            raise UsageError(f"{path}: is of another study, or of this one before it was changed; choose another --out")

    @property
    def study(self) -> Any:
        """The study of Optuna."""
        return self._study

    def done(self) -> list[tuple[dict[str, float], Worth]]:
        """Parameters and worth of the trials that are done, in their order."""
        return [
            (dict(trial.params), Worth(tuple(trial.values), tuple(trial.user_attrs["violations"]), trial.user_attrs["figures"]))
            for trial in self._study.get_trials(deepcopy=False)
        ]

    def add(self, parameters: Mapping[str, float], worth: Worth) -> None:
        """Write a trial that is done."""
        attributes = {"violations": list(worth.violations), "figures": worth.figures}
        trial = self._create(
            params=dict(parameters), distributions=self._distributions, values=list(worth.objectives), user_attrs=attributes,
            constraints={str(number): violation for number, violation in enumerate(worth.violations)},
        )  # fmt: skip
        self._study.add_trial(trial)

    def close(self) -> None:
        """Let others have the folder."""
        self._stack.close()


def mend(path: Path) -> None:
    """Take away what stands after the last whole line: what was being written when the machine stopped."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
