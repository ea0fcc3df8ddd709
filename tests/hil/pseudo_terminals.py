"""Pseudo-terminals held by this process or by another one, as ports of adapters that are not there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Holds a terminal (or opens one of somebody else) until its input is closed.
HOLD = """
import ctypes, os, pty, sys
name, port = sys.argv[1:]
if name:
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
if port:
    import serial
    lock = serial.Serial(port, exclusive=True)
else:
    other, end = pty.openpty()
    port = os.ttyname(end)
print(port, flush=True)
sys.stdin.read()
"""


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal of this process: its own end, and the name of the port."""
    own, port = os.openpty()
    try:
        yield own, os.ttyname(port)
    finally:
        os.close(own)
        os.close(port)


@contextmanager
def another_process(name: str = "", lock: str = "", inherit: int | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of that name that holds a new terminal, or has locked a port, and the name of the port.

    ``inherit``: a file of this process that it keeps open, too.
    """
    command = [sys.executable, "-c", HOLD, name, lock]
    kept = () if inherit is None else (inherit,)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=kept) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()
