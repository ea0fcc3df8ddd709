"""``e4hil hub``: make the virtual CAN network, say where its ports are, and stay until told to go."""

import json as json_module
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.commands.console import output
from bench.commands.ending import ended_by_signals
from hil.errors import UsageError
from hil.serial_ports import HUB_PROCESS
from hil.virtual_can import BusPlan, Hub, HubClient

REFRESH = 1.0  # [s] the load of a bus is that of a second
BUS = re.compile(r"([^@=]+)(?:@(\d+))?")
LINK = re.compile(r"([^=]+)=(.+)")


def run(buses: list[str], ports: int, bitrate: int, links: list[str], folder: Path | None, seed: int, json: bool) -> None:
    """Run a hub until SIGINT, SIGTERM or SIGHUP."""
    plans = bus_plans(buses, ports, bitrate, links)
    with suppress(OSError):  # systems without it have no hub either, which says so better
        Path("/proc/self/comm").write_text(HUB_PROCESS)  # by it other programs know its ports for virtual ones
    with Hub(plans, folder=folder, seed=seed) as hub, ended_by_signals(hub.stop), _shown(hub, json):
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
def _shown(hub: Hub, json: bool) -> Iterator[None]:
    """Tell where the ports are, as one JSON object or as lines to copy from; a terminal also gets a table that lives."""
    console = output()
    if json:
        print(json_module.dumps(hub.description()), flush=True)
        yield
        return
    longest = max(map(len, hub.ports))
    for port in hub.ports:
        print(f"{port:<{longest}}  {hub.address(port)}", flush=True)
    if not console.is_terminal:
        yield
        return
    print("Ctrl-C ends the hub. From another terminal: e4hil hub --tell statistics")
    with _live_table(hub, console):
        yield


@contextmanager
def _live_table(hub: Hub, console: Any) -> Iterator[None]:
    """A table drawn anew every second by a thread that asks the hub as any other program would."""
    from rich.live import Live

    done = threading.Event()

    def watch() -> None:
        with suppress(UsageError), HubClient(hub.folder) as client:  # a hub that ends no longer answers
            while not done.wait(REFRESH):
                live.update(port_table(client.statistics()), refresh=True)

    with Live(port_table(hub.statistics()), console=console, auto_refresh=False) as live:
        watcher = threading.Thread(target=watch, name="hub table", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            hub.close()  # its question, if one is under way, ends with that
            watcher.join()


def port_table(statistics: Mapping[str, Any]) -> Any:
    """Load of the buses, and how their ports are."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("bus")
    table.add_column("load", justify="right", no_wrap=True)
    table.add_column("port")
    table.add_column("state", no_wrap=True)
    for heading in ("sent", "received", "lost", "TEC", "REC"):
        table.add_column(heading, justify="right", no_wrap=True)
    for bus in statistics["buses"]:
        name, load = bus["name"], f"{100.0 * bus['load']:.0f} %"
        for port in bus["ports"]:
            lost = port["lost"] + port["refused"]
            counts = port["sent"], port["received"], lost, port["transmit_errors"], port["receive_errors"]
            table.add_row(name, load, port["name"], port["condition"], *map(str, counts))
            name = load = ""
    return table
