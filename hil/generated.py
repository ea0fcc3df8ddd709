"""Generated modules: written once into the cache directory, imported by name.

numba caches only functions that live in a file, and finds them again only if their module can be imported under the name it
had; so each text becomes a file named by its hash, and is registered in ``sys.modules``.
"""

import hashlib
import importlib.util
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

from firmware_model.kernel.jit import CACHE_DIRECTORY
from hil.errors import UsageError

_IMPORTING = threading.RLock()  # nobody gets a module of which another thread has run only a half


def module_name(kind: str, text: str) -> str:
    """Name of the module with this text."""
    return f"e4hil_{kind}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def import_generated(kind: str, text: str) -> ModuleType:
    """Import the module with this text, writing its file first if it is new.

    Raises UsageError if the cache directory cannot be written.
    """
    with _IMPORTING:
        name = module_name(kind, text)
        return sys.modules[name] if name in sys.modules else _import(name, text)


def _import(name: str, text: str) -> ModuleType:
    folder = CACHE_DIRECTORY / "generated"
    path = folder / f"{name}.py"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Two processes may write the same text at once: each its own file, and the last rename wins.
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as file:
                file.write(text)
            Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; set E4HIL_CACHE_DIR to a folder that can be written") from error
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
