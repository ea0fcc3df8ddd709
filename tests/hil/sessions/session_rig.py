"""A session with its rings, and what its tests open and wait for."""

import os
import time

import can
import numpy as np
from can.interfaces.virtual import VirtualBus
from waiting import wait_until

from hil.bus import BusAddress, open_bus
from hil.frames import new_frames, payload_from_bytes
from hil.ring import drain, new_rings, push_values
from hil.session import BusSession
from hil.session_records import SessionSettings

QUICK = SessionSettings(retry_first=0.01, retry_last=0.05, silence=30.0)


class Rig:
    """A session with its rings, and what it has told."""

    def __init__(self, bus, report=lambda event: None, **options):
        BusSession.compile()
        control, self.storage = new_rings(2, 1024)
        self.control = control
        self.origin = time.monotonic_ns()
        options.setdefault("settings", QUICK)
        self.events = []

        def told(event):
            self.events.append(event)
            report(event)

        rings = (control[0], self.storage[0]), (control[1], self.storage[1])
        self.session = BusSession(bus, 3, self.origin, *rings, report=told, **options)

    def __enter__(self):
        self.session.start()
        return self

    def __exit__(self, *_):
        self.session.stop()

    def push(self, identifier, data=b"\1\2", extended=False, age=0.0):
        due = time.monotonic_ns() - self.origin - round(age * 1e9)
        payload = np.uint64(payload_from_bytes(data))
        push_values(self.control[1], self.storage[1], due, payload, identifier, 3, len(data), int(extended))
        os.eventfd_write(self.session.wake, 1)

    def received(self):
        out = new_frames(1024)
        return out[: drain(self.control[0], self.storage[0], out)]

    def wait_for(self, state):
        wait_until(lambda: self.session.state == state)

    def texts(self):
        return [event.text for event in self.events]


def virtual(peer):
    return lambda: can.Bus(interface="virtual", channel=peer.channel_id)


def slcan(dongle, **options):
    return lambda: open_bus(BusAddress("slcan", str(dongle.path), 500_000), **options)


def python_can_slcan(dongle):
    return lambda: can.Bus(interface="slcan", channel=str(dongle.path), bitrate=500_000, sleep_after_open=0)


class Controller(VirtualBus):
    """A virtual bus whose driver behaves as one that has hardware: it raises what it is told, and answers for its state."""

    error = None
    said = None

    def send(self, msg, timeout=None):
        if self.error:
            raise self.error
        super().send(msg, timeout)

    def controller_state(self):
        return self.said
