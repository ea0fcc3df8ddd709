"""``e4hil doctor`` and ``e4hil adapters``, as they are called."""

import json
import os
import subprocess
import sys

import pytest
from platforms import needs_absolute_sleep

from bench.commands import doctor
from hil.doctor import PROBLEM, Check

pytestmark = needs_absolute_sleep


def e4hil(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=300)


def test_the_doctor_tells_people_what_to_mend() -> None:
    done = e4hil("doctor", "--seconds", "0", COLUMNS="200")
    assert done.returncode == 0
    assert "preemption" in done.stdout
    assert "kHz" not in done.stdout
    assert "Traceback" not in done.stderr


def test_its_json_is_one_object_with_checks_and_jitter() -> None:
    done = e4hil("doctor", "--seconds", "0.2", "--json")
    result = json.loads(done.stdout)
    assert {"name", "state", "value", "remedy"} == set(result["checks"][0])
    assert [jitter["rate"] for jitter in result["jitter"]] == [1000, 10000]
    for jitter, wakes in zip(result["jitter"], (100, 1000), strict=True):
        assert jitter["wakes"] <= wakes <= jitter["wakes"] + jitter["missed"]
    assert {jitter["verdict"] for jitter in result["jitter"]} <= {"ok", "could be better", "problem"}


def test_a_problem_counts_only_when_strict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda progress: [Check("disk [full]", PROBLEM, "none left", "buy one")])
    assert doctor.run(0.0, json=False) == 1
    printed = capsys.readouterr().out
    assert "disk [full]: buy one" in printed
    done = e4hil("doctor", "--seconds", "0", "--strict", E4HIL_CACHE_DIR="/dev/null/cache")
    assert done.returncode == 1
    assert "set E4HIL_CACHE_DIR to a folder that can" in done.stdout


def test_adapters_are_listed_for_people_and_as_json() -> None:
    done = e4hil("adapters", "--listen", "0", "--all")
    assert done.returncode == 0
    assert "\nvirtual:front\n" in done.stdout
    assert "vector: python-can drives it on Windows only" in done.stdout
    result = json.loads(e4hil("adapters", "--listen", "0", "--json").stdout)
    assert set(result) == {"adapters", "notes", "missing"}
    assert {"interface": "virtual", "address": "virtual:front", "title": "inside one process", "state": "", "hint": ""} in (
        result["adapters"]
    )


@pytest.mark.parametrize("arguments", [("doctor", "--seconds", "-1"), ("adapters", "--listen", "soon")])
def test_a_time_that_is_none_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = e4hil(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
