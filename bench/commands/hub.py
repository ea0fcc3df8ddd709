"""``e4hil hub``: make the virtual CAN network, say where its ports are, and stay until told to go."""

import json as json_module
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.commands.console import output
from hil.errors import UsageError
from hil.virtual_can import BusPlan, Hub, HubClient

REFRESH = 1.0  # [s] the load of a bus is that of a second
COUNTERS_WIDTH = 72  # [columns] of all that stands beside the address
BUS = re.compile(r"([^@=]+)(?:@(\d+))?")
LINK = re.compile(r"([^=]+)=(.+)")


def run(buses: list[str], ports: int, bitrate: int, links: list[str], folder: Path | None, seed: int, json: bool) -> None:
    """Run a hub until SIGINT, SIGTERM or SIGHUP."""
    plans = bus_plans(buses, ports, bitrate, links)
    with Hub(plans, folder=folder, seed=seed) as hub, _stopped_by_signals(hub), _shown(hub, json):
        hub.serve()


def tell(command: str, folder: Path | None) -> None:
    """Send one command to the hub that runs and print its answer."""
    with HubClient(folder) as client:
        print(json_module.dumps(client.tell(command), indent=2))


def bus_plans(buses: list[str], ports: int, bitrate: int, links: list[str]) -> list[BusPlan]:
    """Read ``NAME[@BITRATE]`` and ``NAME=PATH``. Raises UsageError."""
    places: dict[str, list[Path]] = {}
    for link in links:
        match = LINK.fullmatch(link)
        if match is None:
            raise UsageError(f'--port "{link}": expected BUS=PATH, for example front=/tmp/e4hil/front0')
        places.setdefault(match[1], []).append(Path(match[2]).expanduser())
    plans = []
    for bus in buses:
        match = BUS.fullmatch(bus)
        if match is None:
            raise UsageError(f'bus "{bus}": expected NAME or NAME@BITRATE, for example chassis@500000')
        plans.append(BusPlan(match[1], int(match[2] or bitrate), ports, places.pop(match[1], [])))
    for name in places:
        raise UsageError(f'--port "{name}=…": no bus "{name}"; there are {", ".join(plan.name for plan in plans)}')
    return plans


@contextmanager
def _stopped_by_signals(hub: Hub) -> Iterator[None]:
    """Let the signals that end a program end the hub in good order."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: hub.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(hub: Hub, json: bool) -> Iterator[None]:
    """Tell where the ports are: one JSON object, a table, or on a terminal a table that lives."""
    console = output()
    if json:
        print(json_module.dumps(hub.description()), flush=True)
        yield
    elif console.is_terminal:
        with _live_table(hub, console):
            yield
    else:
        for port in hub.ports:
            print(f"{port}  {hub.address(port)}")
        sys.stdout.flush()
        yield


@contextmanager
def _live_table(hub: Hub, console: Any) -> Iterator[None]:
    """The table, drawn anew every second by a thread that asks the hub as any other program would."""
    from rich.live import Live

    done = threading.Event()

    def watch() -> None:
        with suppress(UsageError), HubClient(hub.folder) as client:  # a hub that ends no longer answers
            while not done.wait(REFRESH):
                live.update(port_table(hub, client.statistics(), console.width), refresh=True)

    console.print(
        f"[dim]Ctrl-C ends the hub; disturb it with: e4hil hub --tell 'unplug {next(iter(hub.ports))}'[/]", soft_wrap=True
    )
    with Live(port_table(hub, hub.statistics(), console.width), console=console, auto_refresh=False) as live:
        watcher = threading.Thread(target=watch, name="hub table", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            hub.close()  # its question, if one is under way, ends with that
            watcher.join()


def port_table(hub: Hub, statistics: Mapping[str, Any], width: int) -> Any:
    """Buses and ports with what a person needs to plug in, never cut; and how they are, where there is room."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    addresses = {port: hub.address(port) for port in hub.ports}
    longest = max(map(len, addresses.values()))
    wide = width >= longest + COUNTERS_WIDTH
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("bus", no_wrap=True)
    table.add_column("load", no_wrap=True, justify="right")
    table.add_column("plug in with", no_wrap=True, min_width=longest)
    table.add_column("state", no_wrap=True)
    for heading in ("sent", "received", "lost", "TEC", "REC") if wide else ():
        table.add_column(heading, justify="right", no_wrap=True)
    for bus in statistics["buses"]:
        name, load = bus["name"], f"{100.0 * bus['load']:.0f} %"
        for port in bus["ports"]:
            counts = [
                port["sent"],
                port["received"],
                port["lost"] + port["refused"],
                port["transmit_errors"],
                port["receive_errors"],
            ]
            table.add_row(name, load, addresses[port["name"]], port["condition"], *(map(str, counts) if wide else ()))
            name = load = ""
    return table
