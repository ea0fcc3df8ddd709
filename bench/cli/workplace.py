"""The machine and what is plugged into it."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.app import app
from bench.cli.options import (
    JsonOption,
    OutOption,
    StrictOption,
    finish,
)
from hil.errors import UsageError

PANEL = "This machine"  # of the help


@app.command(rich_help_panel=PANEL)
def adapters(
    everything: Annotated[
        bool, typer.Option("--all", help="Also serial ports that are not on USB, and drivers that are missing.")
    ] = False,
    listen: Annotated[
        float,
        typer.Option(
            "--listen", help="How long to listen for beacons of socketcand; they come every 3 s.", min=0.0, max=60.0, metavar="S"
        ),
    ] = 1.5,
    json: JsonOption = False,
) -> None:
    """List the CAN adapters that are plugged in, with the address to give as --front, --rear or --chassis.

    Nothing is opened: a bus in use is not disturbed.
    """
    from bench.commands.adapters import run

    run(everything, listen, json)


@app.command(rich_help_panel=PANEL)
def doctor(
    seconds: Annotated[
        float, typer.Option("--seconds", help="How long to measure the jitter; 0: not at all.", min=0.0, max=3600.0, metavar="S")
    ] = 10.0,
    json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 if there is a problem.")] = False,
) -> None:
    """Examine this machine: is it fit for the real-time loop and for CAN, and how is what is not to be mended?

    Nothing is changed. At the end a compiled loop is woken at 1 kHz and at 10 kHz, with the verdict for each.
    """
    from bench.commands.doctor import run

    finish(strict, run(seconds, json))


@app.command(rich_help_panel=PANEL)
def hub(
    buses: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the buses; front, rear and chassis if none is given.", metavar="BUS[@BITRATE]"),
    ] = None,
    ports: Annotated[int, typer.Option("--ports", help="USB-CAN ports on each bus.", min=1, max=64, metavar="N")] = 2,
    bitrate: Annotated[int, typer.Option("--bitrate", help="Of every bus that names none.", metavar="BIT/S")] = 500_000,
    links: Annotated[
        list[str] | None,
        typer.Option("--port", help="Where the next port of a bus is to be; may be given several times.", metavar="BUS=PATH"),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder for the other ports and the control socket; one hub a folder.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the chances of disturbances.", metavar="N")] = 0,
    tell: Annotated[
        str | None,
        typer.Option("--tell", help="Give a command to the hub that runs, print its answer, and end.", metavar="COMMAND"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the ports once they are there.")] = False,
) -> None:
    """A virtual CAN network with USB-CAN ports, for machines without CAN. Anything that speaks slcan can plug in.

    Buses have bitrate, arbitration, acknowledgement, error counters and bus-off; frames take their time. It runs until Ctrl-C.

    For example, a bus that one terminal serves, and two others use, one to look on, one to send:

    e4hil hub front --port front=/tmp/can0 --port front=/tmp/can1

    python -m can.viewer -i slcan -c /tmp/can0 -b 500000

    python -m can.player -i slcan -c /tmp/can1 -b 500000 drive.log

    Pull a cable, lose every tenth frame, destroy ten, and see what came of it:

    e4hil hub --tell "unplug front0"

    e4hil hub --tell "lose front1 probability=0.1"

    e4hil hub --tell "corrupt front identifier=0x1D4 count=10"

    e4hil hub --tell statistics
    """
    from bench.commands import hub as command

    if tell is not None:
        command.tell(tell, folder)
        return
    command.run(buses or ["front", "rear", "chassis"], ports, bitrate, links or [], folder, seed, json)


@app.command(rich_help_panel=PANEL)
def performance(
    realtime: Annotated[
        bool, typer.Option("--realtime", help="How well the real-time loops keep their time, beside cyclictest and python-can.")
    ] = False,
    tuning: Annotated[
        bool, typer.Option("--tuning", help="How many drives a minute a search makes, on one core, on two, and on a cluster.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option("--seconds", help="With --realtime or --tuning: length of the longest measurement.", min=1.0, metavar="S"),
    ] = 60.0,
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Measure the speed of loop and codecs beside cantools, plain Python and Python stepping, as ratios of one run.

    For example:

    e4hil performance --realtime --seconds 20
    """
    from bench.commands import performance as command

    if realtime and tuning:
        raise UsageError("--realtime and --tuning: one of them was expected")
    if realtime:
        missed = command.run_realtime(seconds, out, json)
    else:
        missed = command.run_tuning(seconds, out, json) if tuning else command.run(out, json)
    finish(strict, missed)
