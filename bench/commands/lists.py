"""``e4hil vehicles``, ``scenarios`` and ``networks``."""

import json as json_module

from bench.commands.console import output
from bench.scenarios import list_scenarios
from bench.vehicles import list_vehicles
from hil.network.database import list_networks


def vehicles(json: bool) -> None:
    """List the vehicles that come with the product."""
    print_list("vehicles", list_vehicles(), "e4hil drive --vehicle NAME", json)


def scenarios(json: bool) -> None:
    """List the scenarios that come with the product."""
    print_list("scenarios", list_scenarios(), "e4hil drive NAME", json)


def networks(json: bool) -> None:
    """List the networks that come with the product."""
    print_list("networks", list_networks(), "e4hil drive --network NAME", json)


def print_list(kind: str, entries: list[tuple[str, str]], usage: str, json: bool) -> None:
    """Print names and titles: as JSON under the name of their ``kind``, or as a table with its ``usage`` below."""
    if json:
        print(
            json_module.dumps({kind: [{"name": name, "title": title} for name, title in entries]}, indent=2, ensure_ascii=False)
        )
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, title in entries:
        table.add_row(f"[bold]{name}[/]", title)
    console = output()
    console.print(table)
    console.print(f"[dim]{usage}; the path of your own file works wherever a name does[/]")
