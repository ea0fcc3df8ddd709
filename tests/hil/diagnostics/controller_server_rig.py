"""The controller's whole server in a car that a test lets live, as the conformance test and the fuzzer ask it."""

import time
from contextlib import contextmanager
from functools import cache

from bench.drive import Drive
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.diagnostics.conformance import Subject
from hil.diagnostics.controller import controller_responder
from hil.network.database import load_network


@cache
def network():
    return load_network("leaf_ze1")


@contextmanager
def controller_subject(directory):
    """The server, and the node that it looks into."""
    drive = Drive(network(), load_vehicle("leaf_twin_motor"), load_scenario("launch"))
    node, lockstep = drive.controller, drive.lockstep()
    lockstep.advance(0.1)

    def set_speed(speed):
        node.measurements[0].vehicle_speed.speed = speed

    def live(seconds):
        if seconds:
            lockstep.advance(seconds)

    with controller_responder(node, lambda: None, lambda on: None, directory, lambda text: None) as responder:
        yield Subject(responder.server, set_speed, live=live, now=time.monotonic()), node
