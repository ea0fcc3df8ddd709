"""A virtual CAN network with USB-CAN ports, for machines without CAN: ``e4hil hub``, and the same for tests in Python."""

from hil.virtual_can.control import HubClient
from hil.virtual_can.hub import BusPlan, Hub, serving

__all__ = ["BusPlan", "Hub", "HubClient", "serving"]
