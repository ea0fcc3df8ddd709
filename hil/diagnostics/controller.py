"""The diagnostic server of the controller, which answers in the place of the LEAF's VCM."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from firmware_model.measurements import Fault, SupervisorState
from hil.calibration.pages import CalibrationPages
from hil.diagnostics.actuator_tests import ActuatorTests
from hil.diagnostics.audit import AuditLog
from hil.diagnostics.channel import TransportSettings
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.fault_watch import PERIOD, FaultWatch
from hil.diagnostics.identifiers import DataIdentifier, Identifiers, Identity, identifiers
from hil.diagnostics.leaf_vcm import leaf_identifiers
from hil.diagnostics.lock import Lock
from hil.diagnostics.protocol import DiagnosticServer, Service
from hil.diagnostics.responder import Addresses, ResponderSpec
from hil.diagnostics.routines import BrakeBleed, CapacityEstimate, Routine, SelfTest
from hil.diagnostics.services import (
    authentication,
    clear_diagnostic_information,
    communication_control,
    control_dtc_setting,
    diagnostic_session_control,
    dynamically_define_data_identifier,
    ecu_reset,
    input_output_control_by_identifier,
    read_data_by_identifier,
    read_data_by_local_identifier,
    read_data_by_periodic_identifier,
    read_dtc_information,
    read_memory_by_address,
    request_download,
    request_transfer_exit,
    request_upload,
    routine_control,
    security_access,
    tester_present,
    transfer_data,
    write_data_by_identifier,
)
from hil.diagnostics.transfer import Transfers
from hil.diagnostics.trouble_codes import SNAPSHOT, TABLE
from hil.memory_map import MemoryMap
from hil.node import Node
from hil.state_directory import claimed

BUS = "chassis"  # on which a tester finds it
NAME = "controller"  # of its state directory
FAULT_FILE, AUDIT_FILE = "fault_memory.json", "audit.jsonl"
# A long message without a pause would overrun a serial adapter of the tester, and our socket while its thread is kept waiting.
TRANSPORT = TransportSettings(block_size=32, separation_asked=1)
IDENTITY = Identity()
# Without its wheel speeds the controller's speed over ground is a guess.
SPEED_UNKNOWN = int(Fault.FRONT_WHEELS_SILENT | Fault.REAR_WHEELS_SILENT | Fault.FRONT_WHEELS_INVALID | Fault.REAR_WHEELS_INVALID)
ADDRESSES = Addresses(0x797, 0x79A, node=0x97)


def controller_server(
    node: Node,
    restart: Callable[[], None],
    switch_transmission: Callable[[bool], None],
    lock: Lock,
    audit: AuditLog,
    memory: FaultMemory,
    directory: Path,
    pages: CalibrationPages | None = None,
) -> DiagnosticServer:
    """The server of the controller that runs as ``node``.

    ``restart`` begins it anew; ``switch_transmission`` lets it send its frames, or not, and begins it anew, too. ``directory`` is
    where the anchor of certificates would be. ``pages``: of its calibration; without them, nothing runs but between calls. Raises
    UsageError if the anchor is broken.
    """
    pages = pages or CalibrationPages(node.parameters)
    known, map_of_memory, tests = Identifiers(identifiers_of(node, pages)), MemoryMap(node), ActuatorTests(node)
    transfers = Transfers(pages, map_of_memory)

    def speed() -> float:
        told = node.measurements[0]
        was_ready = told.supervisor.state >= SupervisorState.READY  # before, the car stands, and its sensors may still sleep
        return math.nan if was_ready and told.supervisor.faults & SPEED_UNKNOWN else float(told.vehicle_speed.speed)

    def begin_anew() -> None:
        server.end_sessions()
        restart()

    def switch_detection(on: bool) -> None:
        memory.detection_enabled = on

    services: list[Service] = [
        diagnostic_session_control.service(),
        ecu_reset.service(begin_anew),
        clear_diagnostic_information.service(memory),
        read_dtc_information.service(memory),
        read_data_by_local_identifier.service(IDENTITY.vehicle_identification_number),
        read_data_by_identifier.service(known),
        read_memory_by_address.service(map_of_memory),
        security_access.service(lock),
        communication_control.service(switch_transmission),
        authentication.service(directory),
        read_data_by_periodic_identifier.service(known),
        dynamically_define_data_identifier.service(known, map_of_memory),
        write_data_by_identifier.service(known),
        input_output_control_by_identifier.service(known, tests, speed),
        routine_control.service(routines_of(node, tests), speed),
        request_download.service(transfers),
        request_upload.service(transfers),
        transfer_data.service(transfers),
        request_transfer_exit.service(transfers, speed),
        tester_present.service(),
        control_dtc_setting.service(switch_detection),
    ]
    server = DiagnosticServer(services, speed, audit.write)
    return server


@contextmanager
def controller_responder(
    node: Node,
    restart: Callable[[], None],
    switch_transmission: Callable[[bool], None],
    directory: Path,
    tell: Callable[[str], None],
    lock: Lock | None = None,
    pages: CalibrationPages | None = None,
) -> Iterator[ResponderSpec]:
    """The same where a tester reaches it, with what outlives it in ``directory``: keys, audit log, fault memory.

    ``tell`` is told what is wrong with these. ``lock``: of that directory, where others use it, too. ``pages``: as above. Raises
    UsageError if another controller has the directory, or if it cannot be used.
    """
    with claimed(directory):
        lock = lock or Lock(directory, time.monotonic(), tell)
        audit = AuditLog(directory / AUDIT_FILE, tell)
        memory = FaultMemory(TABLE, directory / FAULT_FILE, tell)
        watch = FaultWatch(node, memory, partial(snapshot, identifiers(node)))
        server = controller_server(node, restart, switch_transmission, lock, audit, memory, directory, pages)
        try:
            yield ResponderSpec("VCM", server, ADDRESSES, TRANSPORT, look=watch.look, look_period=PERIOD)
        finally:
            watch.look(time.monotonic())  # what the end of the run has left
            memory.close()


def identifiers_of(node: Node, pages: CalibrationPages | None = None) -> dict[int, DataIdentifier]:
    """Every identifier that it answers: its own, and the LEAF's."""
    return identifiers(node, IDENTITY, pages) | leaf_identifiers(node)


def routines_of(node: Node, tests: ActuatorTests) -> list[Routine]:
    """What 0x31 runs."""
    return [SelfTest(node).routine(), BrakeBleed(tests).routine(), CapacityEstimate(node).routine()]


def snapshot(table: dict[int, DataIdentifier]) -> bytes:
    """What a trouble code keeps of the moment in which it came: number of identifiers, then each with its value."""
    by_name = {identifier.name: identifier for identifier in table.values()}
    found = [by_name[f"measurement.{path}"] for path in SNAPSHOT]
    return bytes([len(found)]) + b"".join(identifier.number.to_bytes(2) + identifier.read() for identifier in found)
