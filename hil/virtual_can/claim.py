"""Paths that belong to a living hub: links to pseudo-terminals, and the control socket.

A lock file beside the path tells a living owner from one that was killed: the kernel gives the lock back with the last process
that holds it, whatever becomes of the path.
"""

import fcntl
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from hil.errors import UsageError


def default_folder() -> Path:
    """Where a hub keeps its links and its socket if nobody says where: this user's, and gone with the session."""
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "e4hil"
    return Path(tempfile.gettempdir()) / f"e4hil-{os.getuid()}"


def prepare_folder(folder: Path) -> None:
    """Make the folder if it is missing. Raises UsageError if it cannot be, or if it is somebody else's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made a folder: {error.strerror}; choose another with --folder") from error
    if status.st_uid not in (os.getuid(), 0) or not os.access(folder, os.W_OK):
        raise UsageError(f"{folder}: belongs to another user; choose another with --folder")


class Claim:
    """The right to a path. What a killed owner has left there is removed; a living owner, or a foreign file, is a UsageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        try:
            self._lock = self._take_lock()
            known = os.pread(self._lock, 32, 0) != b""
            try:
                self._remove_remains(known)
                os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
            except BaseException:
                self.release(keep_path=True)
                raise
        except OSError as error:
            raise UsageError(f"{path}: cannot be used: {error.strerror}; choose another place") from error

    def release(self, *, keep_path: bool = False) -> None:
        """Remove path and lock."""
        if self._lock < 0:
            return
        if not keep_path:
            self.path.unlink(missing_ok=True)
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1

    def _take_lock(self) -> int:
        while True:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its owner may have removed the file between our opening and our locking it.
                if self._lock_path.exists() and os.path.samestat(os.fstat(lock), self._lock_path.stat()):
                    return lock
                os.close(lock)
            except BlockingIOError as error:
                owner = os.pread(lock, 32, 0).decode().strip()
                os.close(lock)
                message = f"{self.path}: in use by another hub (process {owner}); stop it, or choose another place"
                raise UsageError(message) from error

    def _remove_remains(self, known: bool) -> None:
        """Remove what stands at the path if a hub has left it (its lock file is still there) or if it leads nowhere."""
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        ours = known and (stat.S_ISLNK(mode) or stat.S_ISSOCK(mode))
        if not ours and (not stat.S_ISLNK(mode) or self.path.exists()):
            raise UsageError(f"{self.path}: exists, and no hub has made it; remove it, or choose another place")
        self.path.unlink()


def remove_remains(folder: Path) -> None:
    """Remove what killed hubs have left in a folder: a link whose terminal is gone may by now lead to somebody else's."""
    for lock in folder.glob(".*.lock"):
        with suppress(UsageError):  # it is alive
            Claim(folder / lock.name.removeprefix(".").removesuffix(".lock")).release()
