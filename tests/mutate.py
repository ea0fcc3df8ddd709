"""cosmic-ray, whose test runs are forks of one process that has numba, hypothesis and pytest in memory already.

Run as ``python mutate.py exec mutation.toml session.sqlite``. The test command of the configuration is one of pytest.
"""

import os
import shlex
import signal
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryFile

import hypothesis
import numba
import pytest
from cosmic_ray import cli, mutating
from cosmic_ray.work_item import TestOutcome

PRELOADED = (hypothesis, numba)  # of which pytest can no longer rewrite the assertions
LOOK = 0.01  # [s] between two looks whether a test run has ended


def run_tests(command, timeout):
    """Outcome and output of one test run, which is killed with all that it has started after ``timeout`` [s]."""
    _, _, program, *arguments = shlex.split(command)
    if program != "pytest":
        raise ValueError(f"test-command = {command!r} does not begin with python -m pytest")
    arguments = [text for argument in arguments for text in (sorted(map(str, Path().glob(argument))) or [argument])]
    with TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _run(arguments, output)
        end = time.monotonic() + timeout
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(LOOK)
        if ended == (0, 0):
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return TestOutcome.KILLED, "timeout"
        output.seek(0)
        text = output.read().decode(errors="replace")
        return (TestOutcome.SURVIVED if ended[1] == 0 else TestOutcome.KILLED), text


def _run(arguments, output):
    """In the child: pytest, with its output in a file; it never returns."""
    code = 1
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
        code = pytest.main([*arguments, "-W", "ignore::pytest.PytestAssertRewriteWarning"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(int(code))


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    mutating.run_tests = run_tests
    cli.main()
