"""Where a control unit keeps what outlives it: fault memory, keys, counters, audit log."""

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hil.errors import UsageError

LOCK_FILE = ".lock"


def state_directory(name: str) -> Path:
    """The directory of the control unit ``name``, made if it is missing: $E4HIL_STATE_DIR/name, else by the XDG rules.

    Raises UsageError if it cannot be made, belongs to another user, or others may write in it.
    """
    directory = _base() / name
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        message = f"{directory}: cannot be made a directory: {error.strerror}; choose another place with E4HIL_STATE_DIR"
        raise UsageError(message) from error
    if status.st_uid != os.getuid() or not os.access(directory, os.W_OK):
        raise UsageError(f"{directory}: belongs to another user; choose another place with E4HIL_STATE_DIR")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"{directory}: others may write in it; forbid that with chmod 700, or choose another E4HIL_STATE_DIR")
    return directory


def _base() -> Path:
    if chosen := os.environ.get("E4HIL_STATE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "e4hil"


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """The sole right to ``directory`` while it is entered; the kernel takes it back from who was killed.

    Raises UsageError if a living control unit has it.
    """
    try:
        lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{directory}: cannot be used: {error.strerror}; choose another place with E4HIL_STATE_DIR") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
            message = f"{directory}: in use by process {owner}; stop it, or choose another place with E4HIL_STATE_DIR"
            raise UsageError(message) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the number
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(lock)


def write_durably(target: Path, data: bytes) -> None:
    """Make ``data`` the content of ``target``, for its owner alone: after a loss of power it is the old or the new one, whole.

    Raises OSError; ``target`` is then as it was.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
