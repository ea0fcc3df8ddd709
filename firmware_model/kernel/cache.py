"""The directory of the compiled code, named by what it was compiled from.

numba stamps a cached function with the time of its own file only: a change in a callee's file goes unnoticed, and an old
control law runs on. Here the directory's name is a hash of every kernel source and of the numba version, so that any
change starts a fresh cache.
"""

import hashlib
import os
from pathlib import Path

import numba

# The folders that hold kernels, and the generator whose text becomes kernels. Relative to the folder of the packages.
KERNEL_SOURCES = ("firmware_model", "hil", "bench/plant", "bench/nodes")


def source_digest(root: Path) -> str:
    """Hash of all kernel sources under ``root`` (the folder that holds the packages) and of the numba version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for folder in KERNEL_SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def base_directory() -> Path:
    """Where caches live: ``E4HIL_CACHE_DIR`` if set, else the user's cache folder."""
    chosen = os.environ.get("E4HIL_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "e4orce-hil"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "e4orce-hil"


def cache_directory() -> Path:
    """The cache of exactly these sources."""
    return base_directory() / source_digest(Path(__file__).resolve().parents[2])
