"""``e4hil diagnostics conformance``: whether the controller's server answers as ISO 14229-1 says, cell by cell."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.commands.console import output, progress
from bench.drive import Drive
from bench.rows import Row, as_json, bounded, failed, print_table
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate
from hil.diagnostics.conformance import Result, Subject, cells, check, write_table
from hil.diagnostics.controller import controller_responder
from hil.network.database import load_network
from hil.node import Node

VEHICLE, SCENARIO = "leaf_twin_motor", "launch"
TABLE = "conformance.csv"
START = 0.1  # [s] in which the controller takes its first steps
NEVER = 2**62  # [ticks] until a sample is taken a second time
SHOWN = 5  # wrong cells that are told


@contextmanager
def controller_subject(directory: Path) -> Iterator[tuple[Subject, Node]]:
    """The controller's whole server in a car that lives as long as answers take, and the node that it looks into."""
    vehicle = load_vehicle(VEHICLE)
    drive = Drive(load_network(vehicle.network), vehicle, load_scenario(SCENARIO))
    node, lockstep = drive.controller, drive.lockstep(sample_every=NEVER)
    lockstep.advance(START)
    own_speed = locate(node.measurements, "vehicle_speed.speed")

    def set_speed(speed: float) -> None:
        own_speed[0] = speed

    def live(seconds: float) -> None:
        if seconds:
            lockstep.advance(seconds)

    with controller_responder(node, lambda: None, lambda on: None, directory, lambda text: None) as responder:
        yield Subject(responder.server, set_speed, live=live, now=time.monotonic()), node


def run(out: Path | None, json: bool) -> int:
    """Ask every cell and tell the result; the number of rows that miss their target. ``out``: folder for a table of all."""
    with TemporaryDirectory() as name, controller_subject(Path(name)) as (subject, _):
        results = list(_with_progress(subject))
    wrong = [result for result in results if not result.is_right]
    asked = Counter(result.cell.service for result in results if result.is_supported)
    rows = [
        Row(f"0x{number:02X} {subject.server.services[number].name}: cells", count, "1")
        for number, count in sorted(asked.items())
    ]
    rows += [
        Row("services that are not there: cells", len(results) - sum(asked.values()), "1"),
        Row("all cells", len(results), "1"),
        bounded("answers that the standard does not have there", len(wrong), "1", maximum=0),
    ]
    title = "Conformance of the controller's diagnostics with ISO 14229-1"
    print(as_json(title, rows)) if json else print_table(output(), title, rows)
    for result in wrong[:SHOWN]:
        progress().print(f"{result.cell}: expected {result.expected}, answered {result.actual}", markup=False)
    if out:
        write_table(out / TABLE, results)
        progress().print(f"{out / TABLE}: every cell", markup=False)
    return len(failed(rows))


def _with_progress(subject: Subject) -> Iterator[Result]:
    from rich.progress import track

    chosen = list(cells(subject.server.services.values()))
    yield from track(check(subject, chosen), "Asking", len(chosen), console=progress(), transient=True)
