"""0x19 ReadDTCInformation: which trouble codes are stored, since when, and how it was when they came."""

from collections.abc import Callable, Iterable

from hil.diagnostics.fault_memory import AVAILABLE, EXTENDED_DATA, FIRST_SNAPSHOT, LATEST_SNAPSHOT, Entry, FaultMemory
from hil.diagnostics.protocol import Code, NegativeResponseError, Request, Rule, Service

FORMAT = 0x01  # of codes: ISO 14229-1, three bytes
ALL_RECORDS = 0xFF
SNAPSHOTS = frozenset({FIRST_SNAPSHOT, LATEST_SNAPSHOT})
NO_UNIT = 0x00  # functional unit: there is only one

Report = Callable[[Request], bytes]


def service(memory: FaultMemory) -> Service:
    """ReadDTCInformation of ``memory``."""
    return Service(0x19, "ReadDTCInformation", sub_functions=_rules(memory))


def _rules(memory: FaultMemory) -> dict[int, Rule]:
    def rule(name: str, report: Report, length: int) -> Rule:
        def answer(request: Request) -> bytes:
            with memory.lock:
                return bytes([request.sub_function]) + report(request)

        return Rule(name, answer, length, length)

    def entry(request: Request) -> Entry:
        found = memory.entries.get(int.from_bytes(request.data[2:5]))
        if found is None:
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        return found

    def by_status(request: Request) -> list[Entry]:
        mask = request.data[2] & AVAILABLE
        return [entry for entry in memory.entries.values() if entry.status & mask]

    def by_severity(request: Request) -> list[Entry]:
        severity, mask = request.data[2], request.data[3] & AVAILABLE
        return [entry for entry in memory.entries.values() if entry.status & mask and entry.code.severity & severity]

    def snapshot_numbers(request: Request) -> bytes:
        stored = ((entry, number) for entry in memory.entries.values() for number in entry.snapshots())
        return b"".join(_number(entry) + bytes([number]) for entry, number in stored)

    def snapshots(request: Request) -> bytes:
        found = entry(request)
        return _with_status(found) + _records(request.data[5], SNAPSHOTS, found.snapshots())

    def extended_data(request: Request) -> bytes:
        found = entry(request)
        return _with_status(found) + _records(request.data[5], EXTENDED_DATA, found.extended_data())

    return {
        0x01: rule("reportNumberOfDTCByStatusMask", lambda request: _count(by_status(request)), 3),
        0x02: rule("reportDTCByStatusMask", lambda request: _listed(by_status(request)), 3),
        0x03: rule("reportDTCSnapshotIdentification", snapshot_numbers, 2),
        0x04: rule("reportDTCSnapshotRecordByDTCNumber", snapshots, 6),
        0x06: rule("reportDTCExtDataRecordByDTCNumber", extended_data, 6),
        0x07: rule("reportNumberOfDTCBySeverityMaskRecord", lambda request: _count(by_severity(request)), 4),
        0x08: rule("reportDTCBySeverityMaskRecord", lambda request: _with_severity(by_severity(request)), 4),
        0x09: rule("reportSeverityInformationOfDTC", lambda request: _with_severity([entry(request)]), 5),
        0x0A: rule("reportSupportedDTC", lambda request: _listed(memory.entries.values()), 2),
    }


def _number(entry: Entry) -> bytes:
    return entry.code.number.to_bytes(3)


def _with_status(entry: Entry) -> bytes:
    return _number(entry) + bytes([entry.status & AVAILABLE])


def _count(entries: list[Entry]) -> bytes:
    return bytes([AVAILABLE, FORMAT]) + len(entries).to_bytes(2)


def _listed(entries: Iterable[Entry]) -> bytes:
    return bytes([AVAILABLE]) + b"".join(_with_status(entry) for entry in entries)


def _with_severity(entries: Iterable[Entry]) -> bytes:
    return bytes([AVAILABLE]) + b"".join(bytes([entry.code.severity, NO_UNIT]) + _with_status(entry) for entry in entries)


def _records(wanted: int, known: Iterable[int], stored: dict[int, bytes]) -> bytes:
    """The wanted record, or all; a number that no code has is refused, one that this code has not is left out."""
    if wanted != ALL_RECORDS and wanted not in known:
        raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
    return b"".join(bytes([number]) + data for number, data in stored.items() if wanted in (number, ALL_RECORDS))
