"""The audit log."""

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hil.diagnostics import audit as module
from hil.diagnostics.audit import KEPT, AuditLog
from hil.diagnostics.protocol import Code, NegativeResponseError


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_who_what_and_what_came_of_it(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write("0x797", "WriteDataByIdentifier 2e 01", "done")
    log.write('a "name"\n', "ECUReset 11 01", "refused: security access denied")
    first, second = lines(log.path)
    assert datetime.now(UTC) - datetime.fromisoformat(first.pop("time")) < timedelta(minutes=1)
    assert first == {"tester": "0x797", "what": "WriteDataByIdentifier 2e 01", "outcome": "done"}
    assert second["tester"] == 'a "name"\n'
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_later_run_appends(tmp_path):
    for outcome in ("done", "refused"):
        AuditLog(tmp_path / "audit.jsonl").write("0x797", "x", outcome)
    assert [line["outcome"] for line in lines(tmp_path / "audit.jsonl")] == ["done", "refused"]


def test_it_does_not_grow_for_ever_and_the_oldest_goes_first(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl", limit=1000)
    for number in range(200):
        log.write("0x797", str(number), "done")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["audit.jsonl", *(f"audit.jsonl.{number}" for number in range(1, KEPT + 1))]
    assert all(file.stat().st_size <= 1000 for file in files)
    kept = [int(line["what"]) for file in (*reversed(files[1:]), files[0]) for line in lines(file)]
    assert kept == list(range(kept[0], 200))


class FullDisk:
    """Takes half of each line."""

    def __init__(self, monkeypatch):
        self.write = module.os.write
        monkeypatch.setattr(module.os, "write", lambda handle, data: self.write(handle, data[: len(data) // 2]))


def test_what_cannot_be_logged_is_refused_said_once_and_leaves_no_half_of_a_line(tmp_path, monkeypatch):
    said = []
    log = AuditLog(tmp_path / "audit.jsonl", said.append)
    log.write("0x797", "1", "done")
    with monkeypatch.context() as full:
        FullDisk(full)
        for _ in range(3):
            with pytest.raises(NegativeResponseError) as refused:
                log.write("0x797", "2", "done")
            assert refused.value.code == Code.CONDITIONS_NOT_CORRECT
    assert len(said) == 1
    assert "No space left" in said[0]
    log.write("0x797", "3", "done")
    assert [line["what"] for line in lines(log.path)] == ["1", "3"]


def test_the_device_that_is_always_full_is_a_full_disk():
    said = []
    with pytest.raises(NegativeResponseError):
        AuditLog(Path("/dev/full"), said.append).write("0x797", "1", "done")
    assert "No space left" in said[0]


def test_a_folder_that_has_gone_is_said_once_and_again_after_it_has_come_back(tmp_path):
    said = []
    log = AuditLog(tmp_path / "gone" / "audit.jsonl", said.append)
    for _ in range(2):
        with pytest.raises(NegativeResponseError):
            log.write("0x797", "1", "done")
    (tmp_path / "gone").mkdir()
    log.write("0x797", "2", "done")
    log.path.unlink()
    (tmp_path / "gone").rmdir()
    with pytest.raises(NegativeResponseError):
        log.write("0x797", "3", "done")
    assert len(said) == 2


def test_an_error_of_the_disk_while_rotating_is_refused_too(tmp_path, monkeypatch):
    log = AuditLog(tmp_path / "audit.jsonl", limit=100)
    log.write("0x797", "x" * 90, "done")

    def fail(self, target):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(NegativeResponseError):
        log.write("0x797", "2", "done")
