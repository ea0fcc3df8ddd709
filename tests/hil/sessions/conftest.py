"""Both sides of a session's bus; and whatever a test does, nothing is left behind."""

import can
import pytest
import waiting
from slcan_dongle import Dongle


@pytest.fixture(autouse=True)
def nothing_left_behind():
    with waiting.nothing_left_behind():
        yield


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
