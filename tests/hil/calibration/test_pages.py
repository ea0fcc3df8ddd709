"""Reference and working page, journal, undo and redo."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from hil.calibration.changes import CalibrationError
from hil.calibration.journal import Journal
from hil.calibration.pages import CalibrationPages, Page
from hil.calibration.table import RISING
from hil.errors import UsageError


@pytest.fixture
def running():
    return new(Calibration)


@pytest.fixture
def pages(running, tmp_path):
    return CalibrationPages(running, journal=Journal(tmp_path / "state" / "journal.jsonl"))


def entries(tmp_path):
    return [json.loads(line) for line in (tmp_path / "state" / "journal.jsonl").read_text().splitlines()]


def test_a_change_reaches_the_controller_and_the_working_page_and_not_the_reference(pages, running):
    pages.change({"vehicle.mass": 2000, "yaw_control.gain": 1e4}, "test")
    assert (running.vehicle.mass[0], running.yaw_control.gain[0]) == (2000.0, 1e4)
    assert pages.page(Page.WORKING).vehicle.mass[0] == 2000.0
    assert pages.page(Page.REFERENCE).tobytes() == new(Calibration).tobytes()


def test_a_change_with_one_wrong_value_changes_nothing(pages, running, tmp_path):
    with pytest.raises(CalibrationError) as caught:
        pages.change({"vehicle.mass": 2000.0, "yaw_control.gain": float("nan"), "no.such": 1}, "slider")
    assert len(caught.value.findings) == 2
    assert running.tobytes() == new(Calibration).tobytes()
    assert entries(tmp_path) == []
    with pytest.raises(UsageError, match="nothing left"):
        pages.undo()


def test_ends_of_a_ramp_can_be_moved_past_each_other_only_together(pages):
    start, end = "yaw_control.fade_in_start", "yaw_control.fade_in_end"
    with pytest.raises(CalibrationError, match=r"fade_in_start = 20: must be below yaw_control\.fade_in_end = 9"):
        pages.change({start: 20.0}, "test")
    pages.change({start: 20.0, end: 25.0}, "test")
    assert pages.running.yaw_control.fade_in_start[0] == 20.0


def test_a_whole_calibration_is_checked_before_it_is_loaded(pages, running):
    other = new(Calibration)
    other.driver_demand.pedal_points[0] = 0.5
    with pytest.raises(CalibrationError, match=RISING[0]):
        pages.load(other, "file")
    assert running.tobytes() == new(Calibration).tobytes()


def test_the_controller_runs_on_the_page_that_is_selected(pages, running, tmp_path):
    pages.change({"vehicle.mass": 2000.0}, "test")
    pages.select(Page.REFERENCE, "test")
    assert running.vehicle.mass[0] == 1875.0
    pages.change({"vehicle.mass": 2100.0}, "test")
    assert running.vehicle.mass[0] == 1875.0
    pages.select(Page.WORKING, "test")
    assert running.vehicle.mass[0] == 2100.0
    pages.select(Page.WORKING, "test")
    assert [entry.get("page") for entry in entries(tmp_path)] == [None, "reference", None, "working"]


def test_changes_are_undone_and_done_again_in_turn(pages, running, tmp_path):
    pages.change({"vehicle.mass": 2000.0}, "first")
    pages.change({"vehicle.mass": 2100.0, "vehicle.wheelbase": 3.0}, "second")
    pages.undo()
    assert (running.vehicle.mass[0], running.vehicle.wheelbase[0]) == (2000.0, 2.7)
    pages.undo()
    assert running.tobytes() == new(Calibration).tobytes()
    pages.redo()
    pages.redo()
    assert (running.vehicle.mass[0], running.vehicle.wheelbase[0]) == (2100.0, 3.0)
    with pytest.raises(UsageError, match="redo: there is nothing left"):
        pages.redo()
    pages.undo()
    pages.change({"vehicle.mass": 1900.0}, "third")
    with pytest.raises(UsageError, match="redo: there is nothing left"):
        pages.redo()
    assert [entry["way"] for entry in entries(tmp_path)] == ["first", "second", "undo", "undo", "redo", "redo", "undo", "third"]


def test_the_journal_tells_when_which_from_to_and_by_which_way(pages, tmp_path):
    pages.change({"vehicle.mass": 2000.0, "torque_split.mode_shift": [0.0, 0.1, 0.0, 0.0]}, "dashboard")
    pages.change({"vehicle.mass": 2000.0}, "says nothing new")
    (entry,) = entries(tmp_path)
    assert entry["way"] == "dashboard"
    assert entry["time"].endswith("+00:00")
    assert entry["changes"] == [
        {"path": "vehicle.mass", "from": 1875.0, "to": 2000.0},
        {"path": "torque_split.mode_shift", "from": [0.0, -0.1, 0.0, 0.0], "to": [0.0, 0.1, 0.0, 0.0]},
    ]


def test_what_cannot_be_journalled_is_not_taken_over(running, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    pages = CalibrationPages(running, journal=journal)
    journal.path = Path("/dev/full")  # as a disk that has become full since
    with pytest.raises(UsageError, match="journal /dev/full: No space left"):
        pages.change({"vehicle.mass": 2000.0}, "test")
    assert running.vehicle.mass[0] == 1875.0
    assert pages.running.vehicle.mass[0] == 1875.0


def test_a_journal_that_cannot_be_written_is_told_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the journal"):
        Journal(tmp_path / "file" / "journal.jsonl")


def test_a_loop_that_takes_nothing_over_leaves_the_pages_as_they_were(running, tmp_path):
    def stuck(_):
        raise TimeoutError("the loop takes over nothing")

    pages = CalibrationPages(running, stuck, Journal(tmp_path / "state" / "journal.jsonl"))
    with pytest.raises(UsageError, match="does not run"):
        pages.change({"vehicle.mass": 2000.0}, "test")
    with pytest.raises(UsageError, match="does not run"):
        pages.select(Page.REFERENCE, "test")
    assert (pages.selected, pages.running.vehicle.mass[0]) == (Page.WORKING, 1875.0)
    assert [entry["way"] for entry in entries(tmp_path)][1::2] == ["test: not taken over"] * 2


def test_pages_that_were_handed_out_cannot_be_written_and_stay(pages):
    before = pages.page(Page.WORKING)
    pages.change({"vehicle.mass": 2000.0}, "test")
    assert before.vehicle.mass[0] == 1875.0
    with pytest.raises(ValueError, match="read-only"):
        pages.page(Page.REFERENCE).view(np.ndarray).view("i8")[0] = 1


def test_threads_that_change_other_values_at_once_lose_none(pages):
    def count(path):
        for step in range(1, 21):
            pages.change({path: 1000.0 + step}, path)

    paths = ["vehicle.mass", "vehicle.yaw_inertia", "ride_control.pitch_force_max"]
    threads = [threading.Thread(target=count, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [pages.running["vehicle"][0]["mass"], pages.running["vehicle"][0]["yaw_inertia"]] == [1020.0, 1020.0]
    assert pages.running["ride_control"][0]["pitch_force_max"] == 1020.0


def test_what_somebody_writes_into_the_memory_himself_is_adopted_journalled_and_can_be_undone(pages, running, tmp_path):
    running.vehicle.mass = 2000.0
    assert pages.running.vehicle.mass[0] == 2000.0
    pages.change({"vehicle.wheelbase": 3.0}, "test")
    assert (running.vehicle.mass[0], running.vehicle.wheelbase[0]) == (2000.0, 3.0)
    assert [entry["way"] for entry in entries(tmp_path)] == ["written beside the pages", "test"]
    pages.undo()
    pages.undo()
    assert running.tobytes() == new(Calibration).tobytes()
    running.vehicle.mass = 2000.0
    pages.select(Page.REFERENCE, "test")
    assert running.vehicle.mass[0] == 1875.0
    pages.select(Page.WORKING, "test")
    assert running.vehicle.mass[0] == 2000.0


def test_a_value_that_is_held_stays_with_all_that_came_with_it(running):
    pages = CalibrationPages(running, held=["supervisor.arming_required"])
    with pytest.raises(CalibrationError, match=r"supervisor\.arming_required: is held by who runs the bench"):
        pages.change({"supervisor.arming_required": 1, "vehicle.mass": 2000.0}, "test")
    assert running.tobytes() == new(Calibration).tobytes()
    pages.change({"supervisor.arming_required": 0, "vehicle.mass": 2000.0}, "test")
    assert running.vehicle.mass[0] == 2000.0
