"""The XCP slave of the controller."""

import time
from collections.abc import Callable

from hil.calibration.pages import CalibrationPages
from hil.node import Node
from hil.xcp.a2l import NAME, generate_a2l
from hil.xcp.daq import DataAcquisition
from hil.xcp.events import EventRing
from hil.xcp.memory import MEASURED
from hil.xcp.protocol import SeedAndKey, Slave
from hil.xcp.responder import XcpSpec

BUS = "chassis"  # on which a master finds it


def controller_xcp(
    node: Node,
    pages: CalibrationPages,
    events: EventRing,
    *,
    lock: SeedAndKey | None = None,
    report: Callable[[str], None] | None = None,
) -> XcpSpec:
    """The slave of the controller that runs as ``node``; ``events``: of its loop. Without a ``lock`` nothing is locked."""
    events.reserve()
    acquisition = DataAcquisition(events.ask)
    # GET_ID: text, name of the A2L without and with suffix, the A2L itself.
    identities = {0: b"e4orce-hil controller", 1: NAME.encode(), 2: f"{NAME}.a2l".encode(), 4: generate_a2l().encode()}
    records = {array: getattr(node, array) for array in MEASURED}
    slave = Slave(records, pages, acquisition, lock=lock, identities=identities, report=report, seconds=time.monotonic)
    return XcpSpec(slave, acquisition, events)
