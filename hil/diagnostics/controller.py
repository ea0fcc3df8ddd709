"""The diagnostic server of the controller, which answers in the place of the LEAF's VCM."""

from collections.abc import Callable

from hil.diagnostics.protocol import DiagnosticServer
from hil.diagnostics.responder import Addresses, ResponderSpec
from hil.diagnostics.services import diagnostic_session_control, tester_present
from hil.node import Node

BUS = "chassis"  # on which a tester finds it
ADDRESSES = Addresses(0x797, 0x79A, node=0x97)


def controller_server(node: Node, restart: Callable[[], None]) -> DiagnosticServer:
    """The server of the controller that runs as ``node``; ``restart`` begins it anew."""
    return DiagnosticServer([diagnostic_session_control.service(), tester_present.service()])


def controller_responder(node: Node, restart: Callable[[], None]) -> ResponderSpec:
    """The same where a tester reaches it."""
    return ResponderSpec("VCM", controller_server(node, restart), ADDRESSES)
