"""``e4hil adapters``: what is plugged in, and the address to give for it."""

import json as json_module
from dataclasses import asdict

from bench.commands.console import output
from hil.adapters import BEACON_PERIOD, Findings, find_adapters, missing_drivers


def run(everything: bool, listen: float, json: bool) -> None:
    """List what is plugged in; with ``everything`` also other ports and what drivers are missing."""
    findings = find_adapters(listen=listen, everything=everything)
    missing = missing_drivers() if everything else {}
    if json:
        print(json_module.dumps({**asdict(findings), "missing": missing}, indent=2, ensure_ascii=False))
        return
    _print(findings, missing, listen)


def _print(findings: Findings, missing: dict[str, str], listen: float) -> None:
    """Two lines an adapter, the address on one of its own: it is to be copied, and may be longer than a column."""
    from rich.markup import escape

    console = output()
    for adapter in findings.adapters:
        console.print(f"[bold]{escape(adapter.address or adapter.interface)}[/]", soft_wrap=True)
        state = "; ".join(filter(None, (adapter.title, adapter.state)))
        hint = f" [yellow]{escape(adapter.hint)}[/]" if adapter.hint else ""
        console.print(f"    {escape(state)}{hint}", soft_wrap=True)
    console.print("[dim]The first line of each is the address to give, for example: e4hil ecu --front ADDRESS[/]", soft_wrap=True)
    if 0.0 < listen < BEACON_PERIOD:
        text = f"Beacons of socketcand come every {BEACON_PERIOD:g} s: --listen {BEACON_PERIOD:g} hears them all"
        console.print(f"[dim]{text}[/]", soft_wrap=True)
    for note in findings.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    if missing:
        console.print("\n[bold]Not installed here[/]")
    for name, reason in missing.items():
        console.print(f"{name}: [dim]{escape(reason)}[/]", soft_wrap=True)
