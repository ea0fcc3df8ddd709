"""A public master, pyxcp, on a bus that is there for it and a slave."""

import logging

import can
from pyxcp.config import create_application_from_config, set_application
from pyxcp.cpp_ext.cpp_ext import DaqList
from pyxcp.daq_stim import DaqOnlinePolicy
from pyxcp.master import Master
from pyxcp.types import XcpResponseError

from hil.xcp.identity import MASTER_IDENTIFIER, SLAVE_IDENTIFIER

ADDRESS = "virtual:test_pyxcp"


def own_bus():
    """The master's end of the bus."""
    interface, channel = ADDRESS.split(":")
    return can.Bus(interface=interface, channel=channel)


def master_on(bus, policy=None):
    """A master that has not connected yet; ``policy`` takes what lists tell."""
    identifiers = {"can_id_master": MASTER_IDENTIFIER, "can_id_slave": SLAVE_IDENTIFIER}
    settings = {"Transport": {"CAN": identifiers}, "General": {"disable_error_handling": True}}
    application = create_application_from_config(settings, log_level=logging.CRITICAL)
    set_application(application)
    return Master("can", application, policy, transport_layer_interface=bus)


class Recording(DaqOnlinePolicy):
    """Keeps what a list tells."""

    def initialize(self):
        self.rows = []

    def on_daq_list(self, daq_list, timestamp0, timestamp1, payload):
        self.rows.append((timestamp1, *payload))

    def finalize(self):
        pass


__all__ = ["ADDRESS", "DaqList", "Recording", "XcpResponseError", "master_on", "own_bus"]
