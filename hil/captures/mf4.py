"""MF4, read in a process of its own, and written.

asammdf reads it with compiled code that on a damaged file can crash, print, or follow a block in a circle. A process of its own
costs about a second, and the bench lives on.
"""

import os
import pickle
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from hil.captures.python_can import MF4, read_binary
from hil.captures.recording import Recording
from hil.errors import UsageError
from hil.files import atomic_path
from hil.frames import ERROR, EXTENDED, REMOTE, TRANSMITTED

CHILD = f"from {__name__} import answer; answer()"  # what the process of its own runs
SHORTEST_LIMIT = 30.0  # [s]
DEFLATE: Final = 1  # asammdf's number of the compression
SLOWEST_READING = 20_000  # [bytes/s] a twentieth of what is usual


# Fields of bus logging (ASAM MDF, associated standard for bus logging), as python-can reads them.
FIELDS = [
    ("BusChannel", "u1"), ("ID", "<u4"), ("IDE", "u1"), ("DLC", "u1"), ("DataLength", "u1"), ("DataBytes", "u1", (8,)),
    ("Dir", "u1"), ("EDL", "u1"), ("BRS", "u1"), ("ESI", "u1"),
]  # fmt: skip


def require_asammdf(path: Path) -> None:
    """Raises UsageError if asammdf is not installed."""
    if find_spec("asammdf") is None:
        raise UsageError(f"{path} is MF4, and that needs asammdf; install it with: pip install 'e4orce-hil[report]'")


def write_mf4(target: Path, frames: Any, start: float = 0.0) -> None:
    """Write ``frames`` (a recarray of hil.frames.FRAME) as MF4 with bus logging, times after ``start`` [s].

    Bus 0 is channel 1, as in BLF. Raises UsageError if the file cannot be written, or asammdf is not installed.
    """
    require_asammdf(target)
    from asammdf import MDF, Signal, Source

    source = Source("CAN", "CAN", "", Source.SOURCE_BUS, Source.BUS_TYPE_CAN)
    flags = frames["kind"] & (ERROR | REMOTE)
    groups = {"CAN_DataFrame": flags == 0, "CAN_ErrorFrame": flags & ERROR != 0, "CAN_RemoteFrame": flags == REMOTE}
    with MDF(version="4.10") as mdf, atomic_path(target) as temporary:
        mdf.header.start_time = datetime.fromtimestamp(start, UTC)
        for name, chosen in groups.items():
            if chosen.any():
                own = frames[chosen]
                mdf.append(Signal(samples=bus_records(name, own), timestamps=own["time"] * 1e-9, name=name, source=source))
        mdf.save(temporary, overwrite=True, compression=DEFLATE)


def bus_records(name: str, frames: Any) -> Any:
    """The frames as records of bus logging."""
    records = np.zeros(len(frames), dtype=[(f"{name}.{field[0]}", *field[1:]) for field in FIELDS])
    remote = frames["kind"] & REMOTE != 0
    columns = {
        "BusChannel": frames["bus"] + 1,
        "ID": frames["identifier"],
        "IDE": frames["kind"] & EXTENDED,
        "DLC": frames["length"],
        "DataLength": np.where(remote, 0, frames["length"]),
        "DataBytes": np.ascontiguousarray(frames["payload"], dtype="<u8").view("u1").reshape(-1, 8),
        "Dir": frames["kind"] & TRANSMITTED != 0,
    }
    for field, column in columns.items():
        records[f"{name}.{field}"] = column
    return records


def read_mf4(path: Path, content: bytes) -> Recording:
    """All frames of the content of a file. Raises UsageError if asammdf is not installed."""
    require_asammdf(path)
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
