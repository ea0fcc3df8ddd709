"""Both sides of a session's bus; and whatever a test does, nothing is left behind."""

import threading
from pathlib import Path

import can
import pytest
from session_rig import wait_until
from slcan_dongle import Dongle


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Neither a thread nor an open file."""
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    yield
    wait_until(lambda: threading.active_count() == threads)
    assert len(list(Path("/proc/self/fd").iterdir())) == files


@pytest.fixture
def peer(request):
    """The other side of a virtual bus named after the test."""
    with can.Bus(interface="virtual", channel=request.node.name) as bus:
        yield bus


@pytest.fixture
def dongle(tmp_path):
    adapter = Dongle(tmp_path / "ttyCAN")
    yield adapter
    adapter.unplug()
