"""``e4hil diagnostics list`` and ``export``: what a tester finds in the emulated controller, from the tables it works by."""

import importlib.util
import json as json_module
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.commands.console import output
from bench.drive import CONTROLLER
from hil.diagnostics.actuator_tests import ActuatorTests
from hil.diagnostics.audit import AuditLog
from hil.diagnostics.controller import ADDRESSES, controller_server, identifiers_of, routines_of
from hil.diagnostics.fault_memory import FaultMemory
from hil.diagnostics.identifiers import DataIdentifier, labels_of
from hil.diagnostics.lock import Lock
from hil.diagnostics.protocol import LONGEST, Rule, Service
from hil.diagnostics.routines import Routine
from hil.diagnostics.trouble_codes import TABLE, TroubleCode
from hil.errors import UsageError
from hil.network.database import load_network
from hil.node import Node
from hil.toml_files import closest

NAME, TITLE = "e4orce_controller", "emulated e-4ORCE controller, in the place of the LEAF's VCM"
NETWORK = "leaf_ze1"  # the tables are those of any
PDX = ".pdx"
MISSING = 'this needs the odx extra: pip install "e4orce-hil[odx]"'

Line = dict[str, Any]


@dataclass(frozen=True)
class Tables:
    """All that a tester can ask of the controller."""

    services: list[Service]
    identifiers: dict[int, DataIdentifier]
    routines: list[Routine]
    codes: tuple[TroubleCode, ...]


def tables() -> Tables:
    """The tables of a controller that is made for them and thrown away."""
    node = Node(CONTROLLER, load_network(NETWORK))
    with TemporaryDirectory() as name:
        folder = Path(name)
        audit = AuditLog(folder / "audit")
        lock, memory = Lock(folder, 0.0), FaultMemory(TABLE)
        server = controller_server(node, lambda: None, lambda on: None, lock, audit, memory, folder)
    return Tables(list(server.services.values()), identifiers_of(node), routines_of(node, ActuatorTests(node)), TABLE)


def export(path: Path) -> None:
    """Write the description of the controller. Raises UsageError."""
    if path.suffix.lower() != PDX:
        raise UsageError(f"{path}: descriptions of control units are {PDX}; {path.suffix or 'no suffix'} is not")
    if importlib.util.find_spec("odxtools") is None:
        raise UsageError(MISSING)
    from hil.diagnostics.odx import ControlUnit, write_pdx

    found, functional = tables(), ADDRESSES.functional or 0
    unit = ControlUnit(
        NAME, TITLE, ADDRESSES.request, ADDRESSES.response, functional, found.services, found.identifiers, found.routines,
        found.codes,
    )  # fmt: skip
    write_pdx(path, unit)
    output().print(f"[dim]{path}: {_counts(found)}[/]")


def _counts(found: Tables) -> str:
    return ", ".join(f"{len(lines(found))} {name.replace('-', ' ')}" for name, lines in PARTS.items())


def print_tables(part: str | None, json: bool) -> None:
    """Print one of PARTS, or all. Raises UsageError."""
    if part is not None and part not in PARTS:
        raise UsageError(f'part "{part}"{closest(part, PARTS)}; there are: {", ".join(PARTS)}')
    found = tables()
    chosen = {name: lines(found) for name, lines in PARTS.items() if part in (None, name)}
    if json:
        print(json_module.dumps(chosen, indent=2, ensure_ascii=False))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = output()
    for name, lines in chosen.items():
        title = name.replace("-", " ")
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for key in lines[0]:
            table.add_column(key.replace("_", " "), no_wrap=key == "number", overflow="fold")
        for line in lines:
            table.add_row(*(_cell(value) for value in line.values()))
        console.print(table)
    functional = "" if ADDRESSES.functional is None else f", functional at 0x{ADDRESSES.functional:X}"
    console.print(f"[dim]requests to 0x{ADDRESSES.request:X}, answers from 0x{ADDRESSES.response:X}{functional}[/]")


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


# --- the tables as lines --------------------------------------------------------------------------------------------------


def _service_lines(found: Tables) -> list[Line]:
    return [
        _rule_line(service, sub, rule)
        for service in sorted(found.services, key=lambda service: service.number)
        for sub, rule in (service.sub_functions.items() if service.sub_functions else [(None, service.rule)])
        if rule
    ]


def _rule_line(service: Service, sub: int | None, rule: Rule) -> Line:
    shortest, longest = rule.minimum_length, rule.maximum_length
    up_to = "" if longest == shortest else " or more" if longest == LONGEST else f" to {longest}"
    return {
        "number": f"{service.number:02X}" + ("" if sub is None else f" {sub:02X}"),
        "name": service.name if sub is None else f"{service.name}: {rule.name}",
        "bytes": f"{shortest}{up_to}",
        "sessions": [session.name.lower() for session in sorted(rule.sessions)],
        "access": rule.access.name.lower(),
    }


def _identifier_lines(found: Tables) -> list[Line]:
    return [
        {
            "number": f"{identifier.number:04X}",
            "name": identifier.name,
            "unit": identifier.unit,
            "bytes": identifier.size,
            "coding": identifier.coding,
            "written_with": identifier.write_access.name.lower() if identifier.write else None,
            "description": identifier.description + _labels(identifier),
        }
        for _, identifier in sorted(found.identifiers.items())
    ]


def _labels(identifier: DataIdentifier) -> str:
    labels = labels_of(identifier)
    return f" ({', '.join(f'{int(label)} {label.name.lower()}' for label in labels)})" if labels else ""


def _code_lines(found: Tables) -> list[Line]:
    return [
        {
            "number": f"{code.number:06X}",
            "name": code.name,
            "severity": code.severity.name.lower().replace("_", " "),
            "priority": code.priority,
            "trips": code.trips,
            "description": code.description,
        }
        for code in found.codes
    ]


def _routine_lines(found: Tables) -> list[Line]:
    return [
        {"number": f"{routine.number:04X}", "name": routine.name, "stops": "by request" if routine.stop else "by itself"}
        for routine in found.routines
    ]


PARTS: dict[str, Callable[[Tables], list[Line]]] = {
    "services": _service_lines,
    "identifiers": _identifier_lines,
    "trouble-codes": _code_lines,
    "routines": _routine_lines,
}
