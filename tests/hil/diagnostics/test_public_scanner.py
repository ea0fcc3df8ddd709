"""gallia, a public UDS scanner (Apache-2.0), at the controller's whole server: as a program of its own, over its tcp-lines."""

import re
import shutil
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.drive import CONTROLLER
from hil.diagnostics import protocol
from hil.diagnostics.audit import AuditLog
from hil.diagnostics.controller import AUDIT_FILE, controller_server
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.lock import Lock
from hil.diagnostics.protocol import Access, Session
from hil.diagnostics.trouble_codes import TABLE
from hil.network.database import load_network
from hil.node import Node

GALLIA = shutil.which("gallia", path=str(Path(sys.executable).parent)) or shutil.which("gallia")
QUIET = ("--no-ping", "--no-tester-present", "--no-properties", "--no-dumpcap", "--no-volatile-info", "--timeout", "5")
SESSION = re.compile(r"findings in session (0x[0-9a-f]{2})")
SERVICE = re.compile(r"\[(0x[0-9a-f]{2})\]")
IDENTIFIER = re.compile(r"\[result\]: (0x[0-9a-f]{4}): ReadDataByIdentifierResponse")

pytestmark = pytest.mark.skipif(GALLIA is None, reason="gallia is not installed: pip install 'e4orce-hil[scan]'")


class Scanned:
    """The controller's server behind a port on which each line is a message in hexadecimal digits."""

    def __init__(self, directory: Path) -> None:
        self.node = Node(CONTROLLER, load_network("leaf_ze1"))
        self.tester = protocol.Tester("797")
        self.highest = Access.LOCKED
        audit = AuditLog(directory / AUDIT_FILE, print)
        lock, memory = Lock(directory, time.monotonic()), FaultMemory(TABLE)
        self.server = controller_server(self.node, lambda: None, lambda on: None, lock, audit, memory, directory)
        self.errors: list[Exception] = []

    def answer(self, line: bytes) -> list[bytes]:
        """What the server says to a line."""
        try:
            answer = self.server.request(self.tester, bytes.fromhex(line.decode()), time.monotonic())
            unasked = [data for _, data in self.server.poll([self.tester], time.monotonic())]
        except Exception as error:
            self.errors.append(error)
            raise
        self.highest = max(self.highest, self.tester.access)
        return [data for data in (answer, *unasked) if data is not None]

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Its address, as gallia takes it."""
        scanned = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    for data in scanned.answer(line.strip()):
                        self.wfile.write(data.hex().encode() + b"\n")

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"tcp-lines://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def scanned(tmp_path: Path) -> Scanned:
    return Scanned(tmp_path)


def scan(scanned: Scanned, directory: Path, *arguments: str) -> Any:
    """What gallia tells of its results."""
    with scanned.listening() as address:
        command = [str(GALLIA), "scan", "uds", *arguments, "--target", address, *QUIET]
        done = subprocess.run(command, capture_output=True, text=True, cwd=directory, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert scanned.errors == []
    assert scanned.highest == Access.LOCKED
    return done.stderr


def test_it_finds_the_services_of_the_table_and_no_others(scanned: Scanned, tmp_path: Path) -> None:
    told = scan(scanned, tmp_path, "services", "--sessions", "0x01", "0x03")
    found: dict[int, set[int]] = {}
    for line in told.splitlines():
        if session := SESSION.search(line):
            found[(current := int(session[1], 16))] = set()
        elif (service := SERVICE.search(line)) and found:
            found[current].add(int(service[1], 16))
    services = scanned.server.services.values()
    assert found == {
        session: {service.number for service in services if session in service.sessions}
        for session in (Session.DEFAULT, Session.EXTENDED)
    }


def test_it_finds_the_identifiers_of_the_table_and_no_others(scanned: Scanned, tmp_path: Path) -> None:
    told = scan(
        scanned, tmp_path, "identifiers", "--service", "0x22", "--start", "0xF100", "--end", "0xF1FF", "--sessions", "0x01"
    )
    known = [number for number in identifiers(scanned.node) if 0xF100 <= number <= 0xF1FF]
    assert [int(number, 16) for number in IDENTIFIER.findall(told)] == sorted(known)
    assert "Abnormal replies: 0" in told
    assert "Timeouts: 0" in told
