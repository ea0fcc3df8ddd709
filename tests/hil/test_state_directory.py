"""Where a control unit keeps what outlives it."""

import errno
import os
import subprocess
import sys

import pytest

from hil import state_directory as module
from hil.errors import UsageError
from hil.state_directory import claimed, state_directory, write_durably


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    monkeypatch.setenv("E4HIL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_for_its_owner_alone(base):
    directory = state_directory("controller")
    assert directory == base / "controller"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert state_directory("controller") == directory


def test_without_a_chosen_place_the_rules_of_xdg_hold(tmp_path, monkeypatch):
    monkeypatch.delenv("E4HIL_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_directory("controller") == tmp_path / "xdg" / "e4hil" / "controller"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert state_directory("controller") == tmp_path / "home" / ".local" / "state" / "e4hil" / "controller"


def test_a_file_in_its_place_is_told(base):
    base.write_text("")
    with pytest.raises(UsageError, match="cannot be made a directory"):
        state_directory("controller")


def test_a_directory_in_which_others_may_write_is_refused():
    state_directory("controller").chmod(0o770)
    with pytest.raises(UsageError, match="others may write"):
        state_directory("controller")


def test_two_control_units_do_not_share_one_and_it_is_free_again_after_the_first():
    directory = state_directory("controller")
    with claimed(directory), pytest.raises(UsageError, match=f"in use by process {os.getpid()};"), claimed(directory):
        pass
    with claimed(directory):
        pass


def test_a_killed_owner_leaves_it_free():
    directory = state_directory("controller")
    program = f"""
import os, pathlib
from hil.state_directory import claimed
with claimed(pathlib.Path({str(directory)!r})):
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with claimed(directory):
        pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    directory = state_directory("controller")
    (directory / module.LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot be used"), claimed(directory):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_written_durably_is_for_the_owner_alone_and_nothing_else_is_left():
    directory = state_directory("controller")
    write_durably(directory / "counters", b"1")
    write_durably(directory / "counters", b"2")
    assert (directory / "counters").read_bytes() == b"2"
    assert (directory / "counters").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in directory.iterdir()] == ["counters"]


def test_a_disk_that_is_full_leaves_the_file_as_it_was(monkeypatch):
    directory = state_directory("controller")
    write_durably(directory / "counters", b"1")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(directory / "counters", b"2")
    assert (directory / "counters").read_bytes() == b"1"
    assert [path.name for path in directory.iterdir()] == ["counters"]
