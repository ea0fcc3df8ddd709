"""MF4, read in a process of its own.

asammdf reads it with compiled code that on a damaged file can crash, print, or follow a block in a circle. A process of its own
costs about a second, and the bench lives on.
"""

import os
import pickle
import subprocess
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from hil.captures.python_can import MF4, read_binary
from hil.captures.recording import Recording
from hil.errors import UsageError

CHILD = f"from {__name__} import answer; answer()"  # what the process of its own runs
SHORTEST_LIMIT = 30.0  # [s]
SLOWEST_READING = 20_000  # [bytes/s] a twentieth of what is usual


def read_mf4(path: Path, content: bytes) -> Recording:
    """All frames of the content of a file. Raises UsageError if asammdf is not installed."""
    if find_spec("asammdf") is None:
        raise UsageError(f"{path} is MF4, and reading that needs asammdf; install it with: pip install 'e4orce-hil[report]'")
    damaged = Recording(place="frame")
    try:
        process = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=content,
            capture_output=True,
            check=True,
            timeout=SHORTEST_LIMIT + len(content) / SLOWEST_READING,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except subprocess.CalledProcessError as error:
        damaged.damage = f"asammdf crashes on it, exit status {error.returncode}"
    except subprocess.TimeoutExpired as error:
        damaged.damage = f"asammdf has found no end after {error.timeout:.0f} s"
    else:
        recording: Recording = pickle.loads(process.stdout)
        return recording
    return damaged


def answer() -> None:
    """In the process of its own: the file from standard input to frames on standard output."""
    with redirect_stdout(sys.stderr):
        recording = read_binary(MF4, sys.stdin.buffer.read())
    pickle.dump(recording, sys.stdout.buffer)
