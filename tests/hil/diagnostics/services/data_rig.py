"""A tester in front of a real controller node: requests in, answers out, in process."""

from functools import cache

from bench.drive import CONTROLLER
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.identifiers import Identifiers, identifiers
from hil.diagnostics.protocol import Access, DiagnosticServer, Session, Tester
from hil.network.database import load_network
from hil.node import Node


@cache
def network():
    return load_network("leaf_ze1")


class Rig:
    """A node, its identifiers, and a server of the services that ``assemble(rig)`` gives."""

    def __init__(self, assemble, node=None, **options):
        self.node = node or Node(CONTROLLER, network())
        self.pages = CalibrationPages(self.node.parameters, **options)
        self.identifiers = Identifiers(identifiers(self.node, pages=self.pages))
        self.numbers = {row.name: row.number for row in self.identifiers.table.values()}
        self.tester = Tester("tester", Session.EXTENDED, Access.FLASH)
        self.speed = 0.0
        self.now = 0.0
        self.log = []
        self.server = DiagnosticServer(assemble(self), lambda: self.speed, self.audit)

    def audit(self, *line):
        self.log.append(line)

    def ask(self, *parts, tester=None):
        """The answer to a request, given as bytes, hexadecimal text and numbers of identifiers."""
        data = b"".join(self.bytes_of(part) for part in parts)
        return self.server.request(tester or self.tester, data, self.now)

    def bytes_of(self, part):
        if isinstance(part, int):
            return part.to_bytes(2)
        if isinstance(part, str):
            return bytes.fromhex(part)
        return part

    def number(self, name):
        return self.numbers[name]


def refused(service, code):
    return bytes([0x7F, service, code])
