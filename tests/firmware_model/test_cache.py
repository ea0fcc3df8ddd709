import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import firmware_model
from firmware_model.kernel.cache import base_directory, source_digest

PROGRAM = """
from firmware_model import motor
from firmware_model.calibration import Calibration
from firmware_model.state import State
calibration, drive = Calibration.new()[0], State.new()[0].inputs.front
drive.motor_speed = 1175.0
print(round(motor.torque_range(drive, calibration.front, calibration.torque_path)[1], 6))
"""
CALLEE = Path("firmware_model") / "kernel" / "math.py"


def run(folder, cache):
    """What a fresh process computes with the package in ``folder``."""
    environment = os.environ | {"PYTHONPATH": str(folder), "E4HIL_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, to be edited."""
    shutil.copytree(
        Path(firmware_model.__file__).parent, tmp_path / "firmware_model", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_an_edited_callee_is_compiled_anew_into_its_callers(copy):
    cache = copy / "cache"
    before = run(copy, cache)
    source = (copy / CALLEE).read_text()
    edited = source.replace("return clamp((value - start) / (end - start), 0.0, 1.0)", "return 0.25")
    assert edited != source
    (copy / CALLEE).write_text(edited)
    assert run(copy, cache) == pytest.approx(before * 0.25 / 0.5, rel=1e-6)
    if not numba.config.DISABLE_JIT:
        assert len(list(cache.iterdir())) == 2


def test_the_digest_follows_every_change_of_a_kernel_source_and_nothing_else(copy):
    before = source_digest(copy)
    (copy / "notes.txt").write_text("not a kernel")
    assert source_digest(copy) == before
    (copy / "bench" / "plant").mkdir(parents=True)
    (copy / "bench" / "plant" / "tyre.py").write_text("SLIP = 1\n")
    with_plant = source_digest(copy)
    assert with_plant != before
    (copy / CALLEE).rename(copy / CALLEE.with_name("numerics.py"))
    assert source_digest(copy) not in (before, with_plant)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("E4HIL_CACHE_DIR", str(tmp_path))
    assert base_directory() == tmp_path
    monkeypatch.delenv("E4HIL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert base_directory() == tmp_path / "e4orce-hil"
