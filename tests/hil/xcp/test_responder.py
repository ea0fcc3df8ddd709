"""The thread that runs a slave, on a mailbox of this process."""

import time

import pytest
from waiting import nothing_left_behind, wait_until
from xcp_rig import FRONT, SPEED, Rig

from hil.frames import PlainFrame, bytes_from_payload, payload_from_bytes
from hil.mailbox import QueueMailbox
from hil.xcp.events import CAPACITY, sample_event
from hil.xcp.identity import MASTER_IDENTIFIER, SLAVE_IDENTIFIER

GREEDY = [FRONT + 8 * k for k in range(20)]


class Served:
    """A slave on its thread, and who writes to it."""

    def __init__(self, network):
        self.rig = Rig(network)
        addresses = self.rig.spec.addresses
        self.mailbox = QueueMailbox(addresses.received, addresses.sent, lambda: None, time.monotonic_ns)
        self.told = []
        self.responder = self.rig.spec.runner(self.mailbox, self.told.append)
        self.heard = []

    def send(self, *data):
        payload = payload_from_bytes(bytes(data))
        self.mailbox.deliver(PlainFrame(1_000_000, payload, MASTER_IDENTIFIER, 0, len(data), 0))

    def take(self):
        """All frames of the slave so far."""
        while frame := self.mailbox.take():
            assert frame.identifier == SLAVE_IDENTIFIER
            self.heard.append(bytes_from_payload(frame.payload, frame.length))
        return self.heard

    def sample(self, periods):
        """Let the loop have so many periods more."""
        node = self.rig.node
        for period in periods:
            node.measurements.vehicle_speed.speed = period
            sample_event(period * 1_000_000, *self.rig.events.arrays, node.measurements[0], node.inputs[0], node.outputs[0])


@pytest.fixture
def served(network):
    made = Served(network)
    with nothing_left_behind():
        made.responder.start()
        yield made
        made.responder.stop()


def test_commands_are_answered(served):
    served.send(0xFF, 0)
    served.send(0xFD)
    wait_until(lambda: len(served.take()) == 2)
    assert [frame[0] for frame in served.heard] == [0xFF, 0xFF]


def test_a_mistake_in_the_slave_is_told_once_and_the_next_command_is_answered(served, monkeypatch):
    slave = served.rig.spec.slave

    def broken(*_):
        raise ZeroDivisionError("no sense")

    with monkeypatch.context() as patched:
        patched.setattr(slave, "request", broken)
        served.send(0xFF, 0)
        served.send(0xFF, 0)
        wait_until(lambda: served.told)
    served.send(0xFF, 0)
    wait_until(lambda: len(served.take()) >= 1)
    assert served.told == ["xcp: a service failed: ZeroDivisionError: no sense"]


def test_a_controller_that_begins_anew_ends_the_session_and_its_lists(served):
    served.rig.connect()
    served.rig.configure(SPEED)
    served.rig.answer(0xDE, 1, 0, 0)
    served.send(0xFD)  # wakes the thread, which looks every few milliseconds from then
    served.responder.end_sessions()
    wait_until(lambda: not served.rig.spec.slave.is_connected)
    assert not served.rig.spec.acquisition.is_running


def test_what_lists_ask_for_beyond_their_share_is_left_out_whole_and_told(served):
    served.rig.connect()
    served.rig.configure(*GREEDY, timestamps=False)
    served.rig.answer(0xDE, 1, 0, 0)
    served.sample(range(1, 201))
    served.send(0xFD)
    wait_until(lambda: served.responder.left_out and b"\xfd\x02" in served.take())
    data = [frame for frame in served.heard if frame[0] < 0xF0]
    assert len(data) % len(GREEDY) == 0
    assert [frame[0] for frame in data] == list(range(len(GREEDY))) * (len(data) // len(GREEDY))
    assert len(data) // len(GREEDY) + served.responder.left_out == 200


def test_samples_that_found_the_ring_full_are_told(served):
    served.rig.connect()
    served.rig.configure(SPEED, event=0, prescaler=255)
    served.rig.answer(0xDE, 1, 0, 0)
    served.sample(range(1, CAPACITY + 11))
    served.send(0xFD)
    wait_until(lambda: b"\xfd\x02" in served.take())
    assert served.responder.left_out == 10


def test_stopping_ends_the_session(network):
    served = Served(network)
    served.responder.start()
    served.send(0xFF, 0)
    wait_until(lambda: served.rig.spec.slave.is_connected)
    served.responder.stop()
    assert not served.rig.spec.slave.is_connected
