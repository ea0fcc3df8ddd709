import numpy as np
import pytest
from capture_files import rows

from hil.captures import read_capture
from hil.frames import FrameFlags


def test_the_full_throttle_capture_is_read_whole(shared_data):
    path = shared_data / "captures" / "ze0_full_throttle.gvret.txt"
    lines = path.read_text().splitlines()[1:]
    capture = read_capture(path)
    assert len(lines) == len(capture.frames) == 22_424
    assert (capture.notes, capture.jumps, capture.channels) == ((), (), ("1",))
    assert capture.frames.time[-1] == 30_100_013_000  # 511.794004 s to 541.894017 s
    expected = [(int(cells[2], 16), "".join(cells[3:]).lower()) for cells in map(str.split, lines)]
    assert [(row[2], row[3]) for row in rows(capture)] == expected


def test_the_brake_pump_capture_jumps_back_once_and_is_read_through(shared_data):
    path = shared_data / "captures" / "ze0_pump_brake.gvret.csv"
    capture = read_capture(path)
    assert len(path.read_text().splitlines()) - 1 == len(capture.frames) == 8_189
    assert len(capture.jumps) == 1
    assert capture.jumps[0].frame == 45  # after 45 frames: line 47, since the header is line 1
    assert capture.jumps[0].seconds == pytest.approx(-581.773068, abs=1e-3)
    assert capture.notes == ("The time jumps back by 581.773 s at line 47; the gap was closed.",)
    assert (np.diff(capture.frames.time) >= 0).all()
    assert rows(capture)[0][2:4] == (0x1F2, "10640000001e010d")
    assert rows(capture)[-1][2:4] == (0x1DA, "c2641800000102a9")


def test_the_capture_of_an_inverter_alone_is_oldest_first(shared_data):
    capture = read_capture(shared_data / "captures" / "ze1_inverter_alone.savvycan.csv")
    assert len(capture.frames) == 8_713
    assert (capture.notes, capture.jumps, capture.start) == ((), (), None)
    assert capture.frames.time[-1] == 41_448_070_000  # -1613983962.153940 s to -1613983920.705870 s
    counted = capture.frames[capture.frames.identifier == 0x120]
    steps = np.diff((counted.payload >> 16 & 0xF).astype(int)) % 16
    assert len(steps) == 4145
    assert (steps == 1).all()
    assert np.count_nonzero(capture.frames.kind & int(FrameFlags.EXTENDED)) == 6
